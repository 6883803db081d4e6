#include "sim/disk/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

struct sim_page {
	u32 refs;
	union {
		u8 data[SIM_PAGE];
		struct sim_page *next_free;
	};
};

static struct sim_page *free_pages; /* kept for the next clone */

void *sim_alloc(size_t size)
{
	return sim_realloc(NULL, size);
}

void *sim_realloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		abort();
	return p;
}

static struct sim_page *page_new(void)
{
	struct sim_page *page = free_pages;

	if (page)
		free_pages = page->next_free;
	else
		page = sim_alloc(sizeof(*page));
	page->refs = 1;
	return page;
}

static void page_put(struct sim_page *page)
{
	if (!page || --page->refs)
		return;
	page->next_free = free_pages;
	free_pages = page;
}

static void poison_page(size_t index, u8 *data)
{
	for (u32 at = 0; at < SIM_PAGE; at += SIM_SECTOR)
		sim_poison_fill((index * SIM_PAGE + at) / SIM_SECTOR, 0, data + at);
}

/* The page as this image's own. */
static u8 *page_own(struct sim_pages *p, size_t index)
{
	struct sim_page *old = p->page[index], *page;

	if (old && old->refs == 1)
		return old->data;
	page = page_new();
	if (old)
		memcpy(page->data, old->data, SIM_PAGE);
	else
		poison_page(index, page->data);
	page_put(old);
	p->page[index] = page;
	return page->data;
}

void sim_pages_init(struct sim_pages *p, u64 size)
{
	p->size = size;
	p->count = div_up(size, SIM_PAGE);
	p->page = sim_alloc(p->count * sizeof(struct sim_page *));
	memset(p->page, 0, p->count * sizeof(struct sim_page *));
}

void sim_pages_fini(struct sim_pages *p)
{
	for (size_t i = 0; i < p->count; i++)
		page_put(p->page[i]);
	free(p->page);
	*p = (struct sim_pages){0};
}

void sim_pages_clone(struct sim_pages *to, const struct sim_pages *from)
{
	*to = *from;
	to->page = sim_alloc(from->count * sizeof(struct sim_page *));
	for (size_t i = 0; i < from->count; i++) {
		to->page[i] = from->page[i];
		if (to->page[i])
			to->page[i]->refs++;
	}
}

void sim_pages_read(const struct sim_pages *p, u64 offset, void *buf, size_t len)
{
	u8 *to = buf, poison[SIM_PAGE];

	while (len) {
		size_t index = offset / SIM_PAGE, at = offset % SIM_PAGE;
		size_t n = min_of(SIM_PAGE - at, len);
		const struct sim_page *page = p->page[index];

		if (!page)
			poison_page(index, poison);
		memcpy(to, (page ? page->data : poison) + at, n);
		to += n;
		offset += n;
		len -= n;
	}
}

void sim_pages_write(struct sim_pages *p, u64 offset, const void *buf, size_t len)
{
	const u8 *from = buf;

	while (len) {
		size_t at = offset % SIM_PAGE, n = min_of(SIM_PAGE - at, len);

		memcpy(page_own(p, offset / SIM_PAGE) + at, from, n);
		from += n;
		offset += n;
		len -= n;
	}
}

void sim_pages_zero(struct sim_pages *p, u64 offset, u64 len)
{
	while (len) {
		size_t at = offset % SIM_PAGE, n = min_of(SIM_PAGE - at, (size_t)len);

		memset(page_own(p, offset / SIM_PAGE) + at, 0, n);
		offset += n;
		len -= n;
	}
}

void sim_pages_poison(struct sim_pages *p, u64 offset, u64 len, u32 generation)
{
	for (u64 end = offset + len; offset < end; offset += SIM_SECTOR)
		sim_poison_fill(offset / SIM_SECTOR, generation,
			page_own(p, offset / SIM_PAGE) + offset % SIM_PAGE);
}

int sim_pages_load(struct sim_pages *p, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || st.st_size % SIM_SECTOR) {
		close(fd);
		return -EINVAL;
	}
	sim_pages_init(p, (u64)st.st_size);
	for (size_t i = 0; i < p->count && !err; i++) {
		size_t n = min_of((u64)SIM_PAGE, p->size - i * SIM_PAGE);

		p->page[i] = page_new();
		if (pread(fd, p->page[i]->data, n, (off_t)(i * SIM_PAGE)) != (ssize_t)n)
			err = -EIO;
	}
	close(fd);
	if (err)
		sim_pages_fini(p);
	return err;
}

int sim_pages_store(const struct sim_pages *p, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644), err = 0;
	u8 data[SIM_PAGE];

	if (fd < 0)
		return -errno;
	for (size_t i = 0; i < p->count && !err; i++) {
		size_t n = min_of((u64)SIM_PAGE, p->size - i * SIM_PAGE);

		sim_pages_read(p, i * SIM_PAGE, data, n);
		if (pwrite(fd, data, n, (off_t)(i * SIM_PAGE)) != (ssize_t)n)
			err = -EIO;
	}
	return close(fd) < 0 && !err ? -errno : err;
}
