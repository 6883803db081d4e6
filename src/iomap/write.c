/*
 * Buffered write and zeroing. For each chunk all folios are taken first, so
 * that nothing can fail for memory once begin() has allocated blocks: a new
 * block never stays without defined content (IO-65).
 */
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "iomap/folio.h"

#include <string.h>

#define CHUNK_BYTES (1u << 20)
#define CHUNK_FOLIOS (CHUNK_BYTES / PAGE_BYTES_MIN)

struct chunk {
	u64 pos, len;
	struct folio *folio[CHUNK_FOLIOS + 1];
	unsigned count;
	bool writing; /* the folios may carry WRITING, ours */
};

static void chunk_put(struct chunk *c)
{
	for (unsigned k = 0; k < c->count; k++) {
		struct folio *f = c->folio[k];

		if (c->writing) {
			folio_lock(f);
			folio_clear_flags(f, FOLIO_WRITING);
			os_mutex_unlock(&f->lock);
		}
		folio_put(f);
	}
}

/*
 * From here on no reader fills what the chunk's folios miss, and they stay in the tree. False when
 * one has gone before. Flags are taken upward by the one writer that the file can have; who waits
 * for them holds none.
 */
static bool chunk_mark_writing(struct chunk *c)
{
	bool gone = false;

	c->writing = true;
	for (unsigned k = 0; k < c->count && !gone; k++) {
		struct folio *f = c->folio[k];

		folio_lock(f);
		folio_wait_flags(f, FOLIO_READING | FOLIO_WRITEBACK);
		gone = f->flags & FOLIO_GONE;
		f->flags |= FOLIO_WRITING;
		os_mutex_unlock(&f->lock);
	}
	return !gone;
}

/* Takes references to the folios of [pos, pos+len), making them where needed; may shorten the
 * chunk. */
static int chunk_get(struct iofile *io, struct chunk *c)
{
	u64 at = c->pos, end = c->pos + c->len;

	c->count = 0;
	while (at < end && c->count < array_len(c->folio)) {
		struct folio *f;
		bool made;
		int err = folio_get_or_make(io, at, end - at, false, &f, &made);

		if (err) {
			chunk_put(c);
			return err;
		}
		c->folio[c->count++] = f;
		at = f->pos + f->size;
	}
	c->len = min_of(at, end) - c->pos;
	return 0;
}

/* Locks the chunk's folio at pos, stable and still in the tree; replaces one that has gone. */
static int chunk_lock(struct iofile *io, struct chunk *c, u64 pos, struct folio **out)
{
	for (unsigned k = 0; k < c->count; k++) {
		struct folio *f = c->folio[k];
		bool made;
		int err;

		if (pos < f->pos || pos >= f->pos + f->size)
			continue;
		for (;;) {
			folio_lock(f);
			folio_wait_flags(f, FOLIO_READING | FOLIO_WRITEBACK);
			if (!(f->flags & FOLIO_GONE))
				break;
			os_mutex_unlock(&f->lock);
			err = folio_get_or_make(io, pos, io->cache->page_bytes, false, &f, &made);
			if (err)
				return err;
			folio_put(c->folio[k]);
			c->folio[k] = f;
		}
		*out = f;
		return 0;
	}
	return ERR(EIO);
}

/* Bytes of the blocks of mask outside [start, end) become zero. File positions. */
static void zero_around(struct folio *f, u64 mask, u64 start, u64 end)
{
	u32 bs = f->cache->p.block_size;

	for (; mask; mask &= mask - 1) {
		u64 from = f->pos + (u64)__builtin_ctzll(mask) * bs, to = from + bs;
		u8 *block = f->data + (from - f->pos);

		if (start >= to || end <= from) {
			memset(block, 0, bs);
			continue;
		}
		if (start > from)
			memset(block, 0, start - from);
		if (end < to)
			memset(block + (end - from), 0, to - end);
	}
}

/* Blocks that the write covers in part need their other bytes first: zeros where new, else from the
 * device. */
static int prepare(struct folio *f, u64 start, u64 end, const struct iomap *m)
{
	u64 edges = folio_mask_touched(f, start, end) & ~folio_mask_inside(f, start, end);

	if (m->flags & IOMAP_NEW || m->type == IOMAP_HOLE || m->type == IOMAP_UNWRITTEN) {
		zero_around(f, edges & ~(m->flags & IOMAP_NEW ? 0 : f->uptodate), start, end);
		return 0;
	}
	return folio_fill_locked(f, edges);
}

struct source {
	const struct iovec *iov;
	size_t at; /* in *iov */
};

static void source_copy(struct source *s, u8 *dst, size_t len)
{
	while (len) {
		size_t n;

		while (s->at == s->iov->iov_len) {
			s->iov++;
			s->at = 0;
		}
		n = min_of(len, s->iov->iov_len - s->at);
		memcpy(dst, (u8 *)s->iov->iov_base + s->at, n);
		dst += n;
		len -= n;
		s->at += n;
	}
}

/* Readable from the device, which holds anything there. */
static bool is_fresh(const struct iomap *m)
{
	return m->flags & IOMAP_NEW && m->type == IOMAP_MAPPED;
}

static int write_part(struct iofile *io, struct chunk *c, u64 pos, u64 end, const struct iomap *m,
	struct source *s, u64 *done)
{
	struct folio *f;
	u64 mask;
	int err = chunk_lock(io, c, pos, &f);

	if (err)
		return err;
	end = min_of(end, f->pos + f->size);
	err = prepare(f, pos, end, m);
	if (!err && FAULT("copy")) /* the caller's memory is gone */
		err = ERR(EFAULT);
	if (!err) {
		mask = folio_mask_touched(f, pos, end);
		source_copy(s, f->data + (pos - f->pos), end - pos);
		f->uptodate |= mask;
		f->fresh |= is_fresh(m) ? mask : 0;
		folio_set_dirty(f, mask);
		if (io->ops->grow)
			io->ops->grow(io, end);
		*done = end - pos;
	}
	os_mutex_unlock(&f->lock);
	return err;
}

/* IO-65: written blocks that the copy did not reach were just allocated, and hold anything. */
static void zero_unreached(struct iofile *io, struct chunk *c, u64 pos, u64 end)
{
	while (pos < end) {
		struct folio *f;
		u64 mask;

		if (chunk_lock(io, c, pos, &f))
			return;
		mask = folio_mask_touched(f, pos, min_of(end, f->pos + f->size));
		zero_around(f, mask & ~f->uptodate, end, end);
		f->uptodate |= mask;
		f->fresh |= mask;
		folio_set_dirty(f, mask);
		pos = f->pos + f->size;
		os_mutex_unlock(&f->lock);
	}
}

/* One mapping: begin, copy, end. Returns bytes done or an error. */
static s64 write_mapped(struct iofile *io, struct chunk *c, u64 pos, u64 len, struct source *s)
{
	const struct iomap_ops *ops = io->ops->write;
	struct iomap m = {0};
	u64 done = 0;
	int err = ops->begin(io, pos, len, IOMAP_WRITE, &m), end_err;

	if (err)
		return err;
	len = min_of(len, m.offset + m.length - pos);
	atomic_store_rel(&io->writing_end, pos + len);
	TRACE("iofile_write", pos, len);
	while (!err && done < len) {
		u64 n = 0;

		err = write_part(io, c, pos + done, pos + len, &m, s, &n);
		done += n;
	}
	if (err && is_fresh(&m) && !MUTANT(SHORT_COPY_STALE))
		zero_unreached(io, c, pos + done, pos + len);
	end_err = ops->end ? ops->end(io, pos, len, done ? (s64)done : err, IOMAP_WRITE, &m) : 0;
	atomic_store_rel(&io->writing_end, 0);
	if (end_err)
		return end_err;
	return done ? (s64)done : err;
}

static u64 total_of(const struct iovec *iov, unsigned count)
{
	u64 n = 0;

	for (unsigned k = 0; k < count; k++)
		n += iov[k].iov_len;
	return n;
}

/*
 * Over the limit a writer cleans up after itself before it dirties more, and waits for the flusher,
 * which sees to the other files.
 */
static void throttle(struct iofile *io)
{
	struct page_cache *pc = io->cache;
	u64 dirty = atomic_load_relaxed(&pc->dirty_bytes);
	u64 limit = pc->p.max_bytes / 100 * pc->p.dirty_percent;

	if (MUTANT(NOT_THROTTLED))
		return;
	if (dirty > limit / 2)
		flusher_kick(pc);
	if (dirty <= limit)
		return;
	(void)iofile_write_range(io, 0, UINT64_MAX, true);
	flusher_wait_below(pc, limit);
}

ssize_t iofile_write(struct iofile *io, u64 pos, const struct iovec *iov, unsigned iov_count)
{
	u64 left = total_of(iov, iov_count), start = pos;
	struct source s = {iov, 0};
	s64 n = 0;

	while (left) {
		u64 room = CHUNK_BYTES - pos % CHUNK_BYTES;
		struct chunk c = {.pos = pos, .len = min_of(left, room)};

		throttle(io);
		n = chunk_get(io, &c);
		if (n < 0)
			break;
		if (!chunk_mark_writing(&c)) {
			chunk_put(&c);
			continue;
		}
		n = write_mapped(io, &c, pos, c.len, &s);
		chunk_put(&c);
		if (n <= 0)
			break;
		pos += (u64)n;
		left -= (u64)n;
	}
	return pos > start ? (ssize_t)(pos - start) : n;
}

/*
 * Zeroes [pos, end) of the one mapping m where it holds data. ESTALE: writeback has changed it, and
 * what was dirty over unwritten space may be data on the device by now (IO-119).
 */
static int zero_mapped(struct iofile *io, u64 pos, u64 end, const struct iomap *m)
{
	bool clean_only = m->type == IOMAP_HOLE || m->type == IOMAP_UNWRITTEN;

	while (pos < end) {
		struct chunk c = {.pos = pos, .len = min_of(end - pos, (u64)io->cache->page_bytes)};
		struct folio *f;
		u64 upto, mask;
		int err = chunk_get(io, &c);

		if (err)
			return err;
		err = chunk_lock(io, &c, pos, &f);
		if (err) {
			chunk_put(&c);
			return err;
		}
		upto = min_of(end, f->pos + f->size);
		mask = folio_mask_touched(f, pos, upto);
		if (m->cookie != io->ops->cookie(io))
			err = -ESTALE;
		else if (!clean_only)
			err = prepare(f, pos, upto, m);
		if (!err && (!clean_only || f->dirty & mask)) {
			memset(f->data + (pos - f->pos), 0, upto - pos);
			f->uptodate |= mask;
			folio_set_dirty(f, mask);
		}
		os_mutex_unlock(&f->lock);
		chunk_put(&c);
		if (err)
			return err;
		pos = upto;
	}
	return 0;
}

int iofile_zero(struct iofile *io, u64 pos, u64 len, const struct iomap_ops *ops)
{
	u64 end = pos + len;

	while (pos < end) {
		struct iomap m = {0};
		u64 upto;
		int err = ops->begin(io, pos, end - pos, IOMAP_WRITE | IOMAP_ZERO, &m), end_err = 0;

		if (err)
			return err;
		upto = min_of(end, m.offset + m.length);
		err = zero_mapped(io, pos, upto, &m);
		if (ops->end)
			end_err = ops->end(io, pos, upto - pos, err ? err : (s64)(upto - pos),
				IOMAP_WRITE | IOMAP_ZERO, &m);
		if (err == -ESTALE)
			continue;
		if (err || end_err)
			return err ? err : end_err;
		pos = upto;
	}
	return 0;
}
