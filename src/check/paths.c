/*
 * Paths for the inodes of problems. Directories know which directory has their
 * name; who has the names of other inodes is found by reading all directories
 * once more. A name is kept with its directory, so that each is looked up once.
 */
#include "check/paths.h"

#include "base/util.h"
#include "disk/dirent.h"
#include "os/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PATH_LEN_MAX = 4096 };

/* An inode that is no directory, and where its first name is. */
struct wanted {
	ino_nr ino;
	ino_nr dir;
	char *name;
};

struct finder {
	struct check *c;
	struct scratch *s;
	struct wanted *wanted; /* by ino */
	u32 count;
	u32 missing; /* how many have no name yet */
	ino_nr only; /* looks for this one, if set; its name goes to */
	char *name;
};

static int compare(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static struct wanted *find_wanted(const struct finder *f, ino_nr ino)
{
	const struct wanted key = {.ino = ino};

	return f->count ? bsearch(&key, f->wanted, f->count, sizeof(key), compare) : NULL;
}

static void take_entry(struct finder *f, const struct dir *d, const struct ext4_dirent *e)
{
	ino_nr ino = le32_to_cpu(e->inode);
	struct wanted *w;

	if (e->name_len <= 2 && memcmp(e->name, "..", e->name_len) == 0)
		return;
	if (f->only) {
		if (ino == f->only && !f->name)
			f->name = os_strndup(e->name, e->name_len);
		return;
	}
	w = find_wanted(f, ino);
	if (!w || w->name)
		return;
	w->dir = d->ino;
	w->name = os_strndup(e->name, e->name_len);
	f->missing -= w->name != NULL;
}

static void scan_region(struct finder *f, const struct dir *d, const u8 *region, u32 size)
{
	for (u32 at = 0; at + EXT4_DIRENT_MIN <= size;) {
		const struct ext4_dirent *e = (const void *)(region + at);
		u32 len = dirent_rec_len(e, f->c->sb.block_size);

		if (len < EXT4_DIRENT_MIN || len % 4 || len > size - at ||
			len < dirent_need(e->name_len))
			return;
		if (e->inode.raw)
			take_entry(f, d, e);
		at += len;
	}
}

static bool is_done(const struct finder *f)
{
	return f->only ? f->name != NULL : f->missing == 0;
}

static void scan_inline(struct finder *f, const struct dir *d)
{
	const struct ext4_inode_disk *raw = (const void *)d->inline_data;
	const u8 *value;
	u32 size;

	scan_region(f, d, raw->i_block + 4, EXT4_I_BLOCK_BYTES - 4);
	if (check_inline_data(&f->c->sb, raw, le16_to_cpu(raw->i_extra_isize), &value, &size))
		scan_region(f, d, value, size);
}

static void scan_run(struct finder *f, const struct dir *d, const struct run *r)
{
	u32 bs = f->c->sb.block_size;

	for (u32 done = 0; done < r->len && !is_done(f);) {
		u32 n = min_of(r->len - done, f->s->window_blocks);

		if (dev_read(f->c->dev, (r->pblk + done) * bs, f->s->window, (size_t)n * bs))
			return;
		for (u32 k = 0; k < n; k++)
			scan_region(f, d, f->s->window + (size_t)k * bs, bs);
		done += n;
	}
}

static void scan_dir(struct finder *f, const struct dir *d)
{
	if (d->inline_data)
		scan_inline(f, d);
	for (u32 k = 0; k < d->run_count && !is_done(f); k++)
		scan_run(f, d, &f->c->runs[d->first_run + k]);
}

/* --- the list of what is looked for --- */

static void collect(struct finder *f)
{
	struct check *c = f->c;

	f->wanted = os_calloc(c->saved_count, sizeof(*f->wanted));
	for (u32 k = 0; f->wanted && k < c->saved_count; k++)
		if (!check_find_dir(c, c->saved[k].p.ino))
			f->wanted[f->count++].ino = c->saved[k].p.ino;
	if (!f->count)
		return;
	qsort(f->wanted, f->count, sizeof(*f->wanted), compare);
	for (u32 k = 0, kept = 0; k < f->count; k++) {
		if (kept && f->wanted[kept - 1].ino == f->wanted[k].ino)
			continue;
		f->wanted[kept++].ino = f->wanted[k].ino;
		f->missing = kept;
	}
	f->count = f->missing;
	for (u32 k = 0; k < c->dir_count && f->missing; k++)
		scan_dir(f, &c->dirs[k]);
}

/* --- paths --- */

/* The name of a directory in the one that has it; NULL: none. */
static const char *dir_name(struct finder *f, struct dir *d)
{
	struct dir *parent = check_find_dir(f->c, d->named);

	if (!d->name && parent) {
		f->only = d->ino;
		f->name = NULL;
		scan_dir(f, parent);
		d->name = f->name;
		f->only = 0;
	}
	return d->name;
}

/* Puts "/name" in front of what is in path from *at on; false: no room. */
static bool prepend(char *path, u32 *at, const char *name)
{
	size_t len = strlen(name);

	if (len + 1 > *at)
		return false;
	*at -= (u32)len + 1;
	path[*at] = '/';
	memcpy(path + *at + 1, name, len);
	return true;
}

/* A circle ends where the path is full. */
static char *path_of(struct finder *f, ino_nr ino)
{
	char path[PATH_LEN_MAX];
	u32 at = sizeof(path) - 1;
	struct wanted *w = find_wanted(f, ino);
	struct dir *d = check_find_dir(f->c, w ? w->dir : ino);

	path[at] = '\0';
	if (w && (!w->name || !prepend(path, &at, w->name)))
		return NULL;
	while (d && d->ino != EXT4_ROOT_INO) {
		const char *name = dir_name(f, d);

		if (!name || !prepend(path, &at, name))
			return NULL;
		d = check_find_dir(f->c, d->named);
	}
	return d ? os_strdup(path[at] ? path + at : "/") : NULL;
}

void check_find_paths(struct check *c, struct scratch *s)
{
	struct finder f = {.c = c, .s = s};

	collect(&f);
	for (u32 k = 0; k < c->saved_count; k++)
		c->saved[k].path = path_of(&f, c->saved[k].p.ino);
	for (u32 k = 0; k < f.count; k++)
		os_free(f.wanted[k].name);
	os_free(f.wanted);
}
