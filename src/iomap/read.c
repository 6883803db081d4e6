/* Buffered read with readahead. */
#include "base/err.h"
#include "base/mutant.h"
#include "iomap/folio.h"
#include "os/mem.h"

#include <string.h>

#define READAHEAD_MIN (64u << 10)
#define READAHEAD_MAX (1024u << 10)

struct readahead_work {
	struct os_work work;
	struct iofile *io; /* pinned by ops->get */
	u64 pos, len;
};

static void readahead_run(struct os_work *w)
{
	struct readahead_work *r = container_of(w, struct readahead_work, work);
	struct iofile *io = r->io;

	io->ops->lock_fill(io);
	(void)fill_range(io, r->pos, r->len);
	io->ops->unlock_fill(io);
	io->ops->put(io);
	os_free(r);
}

/* Best effort: no memory or a file on its way out just means no readahead. */
static void readahead_start(struct iofile *io, u64 pos, u64 len)
{
	struct readahead_work *r = os_alloc(sizeof(*r));

	if (!r)
		return;
	if (!io->ops->get(io)) {
		os_free(r);
		return;
	}
	*r = (struct readahead_work){.io = io, .pos = pos, .len = len};
	os_work_init(&r->work, readahead_run);
	os_work_queue(io->cache->readers, &r->work);
}

/* A miss at pos: how much to read at once. Sequential readers get a growing window. */
static u64 miss_window(struct iofile *io, u64 pos, u64 want, u64 size)
{
	u64 window = want;

	if (pos == atomic_load_relaxed(&io->ra.next) || pos == 0)
		window = max_of(want,
			max_of((u64)READAHEAD_MIN, min_of(2 * atomic_load_relaxed(&io->ra.window),
							   (u64)READAHEAD_MAX)));
	atomic_store_relaxed(&io->ra.window, window);
	return min_of(window, size - pos);
}

/*
 * As soon as a window is entered the next one is fetched in the background: the device then has
 * work while this one is copied. Two of the largest keep it busy; more would fill a small cache.
 */
static void readahead_hit(struct iofile *io, u64 pos, u64 len, u64 size)
{
	u64 next = atomic_load_relaxed(&io->ra.next), window = atomic_load_relaxed(&io->ra.window);

	if (window < READAHEAD_MIN || next >= size || pos + len + window < next || pos > next)
		return;
	window = min_of(max_of(2 * window, (u64)READAHEAD_MIN), (u64)READAHEAD_MAX);
	atomic_store_relaxed(&io->ra.window, window);
	atomic_store_relaxed(&io->ra.next, next + window);
	readahead_start(io, next, min_of(window, size - next));
}

static int read_miss(struct iofile *io, u64 pos, u64 want, u64 size)
{
	u64 window = miss_window(io, pos, want, size);
	int err;

	atomic_add_relaxed(&io->cache->stats.misses, 1);
	if (!MUTANT(FILL_UNLOCKED))
		io->ops->lock_fill(io);
	err = fill_range(io, pos, window);
	if (!MUTANT(FILL_UNLOCKED))
		io->ops->unlock_fill(io);
	atomic_store_relaxed(&io->ra.next, pos + window);
	return err;
}

/*
 * Reads what [pos, end) of f misses. Truncate is held off (IO-81): else a block beyond the new end
 * could be read after it was freed and given to another file, and stay in the cache.
 */
static int read_missing(struct iofile *io, struct folio *f, u64 pos, u64 end)
{
	int err = 0;

	if (!MUTANT(FILL_UNLOCKED))
		io->ops->lock_fill(io);
	folio_lock(f);
	folio_wait_flags(f, FOLIO_READING | FOLIO_WRITING);
	if (!(f->flags & FOLIO_GONE))
		err = folio_fill_locked(f, folio_mask_touched(f, pos, end));
	os_mutex_unlock(&f->lock);
	if (!MUTANT(FILL_UNLOCKED))
		io->ops->unlock_fill(io);
	return err;
}

/* The folio at pos, with a reference, readable for the whole of [pos, end) within it, locked. */
static int read_folio(struct iofile *io, u64 pos, u64 end, u64 size, struct folio **out)
{
	for (unsigned attempt = 0;; attempt++) {
		struct folio *f = folio_find(io, pos);
		int err;

		if (!f) {
			err = read_miss(io, pos, end - pos, size);
			if (err && attempt > 0)
				return err;
			continue;
		}
		folio_lock(f);
		folio_wait_flags(f, FOLIO_READING);
		if (!(f->flags & FOLIO_GONE) && !(folio_mask_touched(f, pos, end) & ~f->uptodate)) {
			*out = f;
			return 0;
		}
		os_mutex_unlock(&f->lock);
		err = read_missing(io, f, pos, end);
		folio_put(f);
		if (err)
			return err;
	}
}

/* The same without waiting for anything: -EAGAIN. What is missing is on its way for another try. */
static int read_folio_now(struct iofile *io, u64 pos, u64 end, struct folio **out)
{
	struct folio *f = folio_find(io, pos);

	if (f && os_mutex_trylock(&f->lock)) {
		if (!(f->flags & (FOLIO_READING | FOLIO_GONE)) &&
			!(folio_mask_touched(f, pos, end) & ~f->uptodate)) {
			*out = f;
			return 0;
		}
		os_mutex_unlock(&f->lock);
	}
	if (f)
		folio_put(f);
	else
		readahead_start(io, pos, min_of(end - pos, (u64)READAHEAD_MAX));
	return -EAGAIN;
}

struct iov_cursor {
	const struct iovec *iov;
	unsigned count;
	size_t at; /* in iov[0] */
};

static void cursor_copy_out(struct iov_cursor *c, const u8 *src, size_t len)
{
	while (len) {
		size_t n = min_of(len, c->iov->iov_len - c->at);

		memcpy((u8 *)c->iov->iov_base + c->at, src, n);
		src += n;
		len -= n;
		c->at += n;
		if (c->at == c->iov->iov_len) {
			c->iov++;
			c->count--;
			c->at = 0;
		}
	}
}

static u64 iov_total(const struct iovec *iov, unsigned count)
{
	u64 n = 0;

	for (unsigned k = 0; k < count; k++)
		n += iov[k].iov_len;
	return n;
}

/* IO-81: the size that bounds the copy is sampled after the bytes are known to be good. */
ssize_t iofile_read(
	struct iofile *io, u64 pos, const struct iovec *iov, unsigned iov_count, bool nowait)
{
	struct iov_cursor cursor = {iov, iov_count, 0};
	u64 size = io->ops->size(io), start = pos, end;

	if (pos >= size)
		return 0;
	end = min_of(size, pos + min_of(iov_total(iov, iov_count), (u64)INT64_MAX - pos));
	while (pos < end) {
		struct folio *f;
		u64 upto, n;
		int err = nowait ? read_folio_now(io, pos, end, &f)
				 : read_folio(io, pos, end, size, &f);

		if (err)
			return pos > start ? (ssize_t)(pos - start) : err;
		size = io->ops->size(io);
		end = min_of(end, size);
		upto = min_of(end, f->pos + f->size);
		n = upto > pos ? upto - pos : 0;
		cursor_copy_out(&cursor, f->data + (pos - f->pos), n);
		os_mutex_unlock(&f->lock);
		folio_put(f);
		readahead_hit(io, pos, n, size);
		pos += n;
		if (n == 0)
			break;
	}
	atomic_add_relaxed(&io->cache->stats.hits, 1);
	return (ssize_t)(pos - start);
}
