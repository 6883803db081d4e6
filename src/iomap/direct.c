/* The direct I/O engine: from mappings to device requests and back. */
#include "iomap/direct.h"
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "dev/iov.h"
#include "iomap/folio.h"
#include "os/mem.h"

#include <string.h>

static bool is_write(const struct direct_io *d)
{
	return d->request & IOMAP_WRITE;
}

static const struct dev_info *info_of(const struct direct_io *d)
{
	return &d->io->cache->p.dev->info;
}

/* IO-37: misaligned to the device's sector, in the file or in memory, is an error, no fallback. */
int direct_check_alignment(const struct direct_io *d)
{
	u64 bits = d->pos | d->len;

	for (unsigned k = 0; k < d->iov_count; k++)
		if (d->iov[k].iov_len)
			bits |= (uintptr_t)d->iov[k].iov_base | d->iov[k].iov_len;
	return bits & (info_of(d)->block_size - 1) ? ERR(EINVAL) : 0;
}

/* A folio of the range in the cache: any, or a dirty one or one being written. */
static bool cached(const struct direct_io *d, bool dirty)
{
	struct folio *f;

	if (dirty && atomic_load_acq(&d->io->wb_count))
		return true;
	f = folio_next(d->io, d->pos, d->end, dirty);
	if (f)
		folio_put(f);
	return f != NULL;
}

/*
 * IO-48: dirty pages go out first; a write also drops the range, so that no old page later
 * overwrites what it wrote.
 */
static int cache_prepare(struct direct_io *d)
{
	int err;

	if (atomic_load_acq(&d->io->folio_count) == 0)
		return 0;
	if (d->request & IOMAP_NOWAIT)
		return cached(d, !is_write(d)) ? -EAGAIN : 0;
	d->seen |= DIRECT_CACHED;
	if (MUTANT(DIRTY_PAGES_LEFT))
		return 0;
	err = iofile_write_range(d->io, d->pos, d->end, true);
	if (!err && is_write(d) && iofile_invalidate_range(d->io, d->pos, d->end))
		err = -ENOTBLK;
	return err;
}

static void request_ended(struct direct_io *d)
{
	if (atomic_sub(&d->pending, 1) == 0 && d->complete)
		d->complete(d);
}

static void segment_done(struct dev_req *req)
{
	struct direct_io *d = ((struct direct_segment *)req)->owner;
	int none = 0;

	if (req->result)
		(void)atomic_cas(&d->io_error, &none, req->result);
	request_ended(d);
}

/* How many pieces of the caller's memory the next n bytes touch. */
static unsigned pieces(const struct direct_io *d, u64 n)
{
	u64 have = 0, skip = d->iov_skip;
	unsigned k = d->iov_at;

	for (; have < n; k++) {
		have += d->iov[k].iov_len - skip;
		skip = 0;
	}
	return k - d->iov_at;
}

static void advance(struct direct_io *d, u64 n)
{
	d->done += n;
	for (n += d->iov_skip; d->iov_at < d->iov_count && n >= d->iov[d->iov_at].iov_len;
		d->iov_at++)
		n -= d->iov[d->iov_at].iov_len;
	d->iov_skip = n;
}

/* Sets *iov to where its `count` pieces go. */
static struct direct_segment *segment_new(struct direct_io *d, unsigned count, struct iovec **iov)
{
	struct direct_segment *s;

	if (d->segs_used < DIRECT_SEGMENTS && d->iovs_used + count <= DIRECT_IOVECS) {
		s = &d->seg[d->segs_used++];
		*iov = &d->seg_iov[d->iovs_used];
		d->iovs_used += count;
	} else {
		s = os_alloc(sizeof(*s) + count * sizeof(**iov));
		if (!s)
			return NULL;
		*iov = (struct iovec *)(s + 1);
		s->next = d->heap;
		d->heap = s;
	}
	s->owner = d;
	return s;
}

static void batch_add(struct direct_io *d, struct direct_batch *b, struct dev_req *req)
{
	b->req[b->count++] = req;
	d->batched++;
	atomic_add(&d->pending, 1);
	if (b->count == DIRECT_BATCH) {
		d->batched = 0;
		b->submit(b);
	}
}

/* The caller's next n bytes between zeros. Returns how many pieces that is. */
static unsigned segment_fill(
	const struct direct_io *d, struct iovec *iov, u64 n, u32 head, u32 tail)
{
	unsigned k = 0;

	if (head)
		iov[k++] = (struct iovec){(void *)iov_zeroes, head};
	k += iov_slice(d->iov + d->iov_at, d->iov_count - d->iov_at, d->iov_skip, n, iov + k,
		d->iov_count);
	if (tail)
		iov[k++] = (struct iovec){(void *)iov_zeroes, tail};
	return k;
}

static int segment_add(
	struct direct_io *d, struct direct_batch *b, u64 addr, u64 n, u32 head, u32 tail)
{
	bool whole = n == d->len && !head && !tail;
	struct iovec *iov;
	struct direct_segment *s = segment_new(d, whole ? 0 : pieces(d, n) + 2, &iov);

	if (!s)
		return ERR(ENOMEM);
	s->req = (struct dev_req){.op = is_write(d) ? DEV_WRITE : DEV_READ,
		.flags = d->dev_flags,
		.offset = addr - head,
		.len = head + n + tail,
		.iov = whole ? (struct iovec *)d->iov : iov,
		.iov_count = whole ? d->iov_count : segment_fill(d, iov, n, head, tail),
		.done = segment_done};
	batch_add(d, b, &s->req);
	return 0;
}

/*
 * IO-49: around a write into a block that holds nothing yet, the rest of the block becomes zero in
 * the same request; behind the end of the file in any block.
 */
static int write_mapped(struct direct_io *d, struct direct_batch *b, const struct iomap *m, u64 n)
{
	u64 pos = d->pos + d->done, end = pos + n;
	u32 bs = d->io->cache->p.block_size, head = 0, tail = 0;
	bool fresh = m->type == IOMAP_UNWRITTEN || m->flags & IOMAP_NEW;

	if (m->type == IOMAP_HOLE || m->type == IOMAP_DELALLOC)
		return ERR(EIO); /* IO-46: somebody dirtied the range again */
	d->seen |= (m->type == IOMAP_UNWRITTEN ? DIRECT_UNWRITTEN : 0) |
		   (m->flags & IOMAP_NEW ? DIRECT_NEW : 0) |
		   (m->flags & IOMAP_DIRTY ? DIRECT_DIRTY : 0);
	if (MUTANT(PADDING_MISSING))
		return segment_add(d, b, m->addr + (pos - m->offset), n, 0, 0);
	if (fresh)
		head = (u32)(pos % bs);
	if (fresh || end > d->size)
		tail = (u32)(round_up_to(end, bs) - end);
	return segment_add(d, b, m->addr + (pos - m->offset), n, head, tail);
}

static int read_mapped(struct direct_io *d, struct direct_batch *b, const struct iomap *m, u64 n)
{
	u64 pos = d->pos + d->done;

	if (m->type == IOMAP_DELALLOC)
		return ERR(EIO);
	if (m->type == IOMAP_MAPPED)
		return segment_add(d, b, m->addr + (pos - m->offset), n, 0, 0);
	iov_zero(d->iov + d->iov_at, d->iov_skip, n);
	return 0;
}

static int one_mapping(struct direct_io *d, struct direct_batch *b)
{
	const struct iomap_ops *ops = &d->ops->map;
	u64 pos = d->pos + d->done, left = d->end - pos, n;
	struct iomap m = {.priv = d};
	int err = ops->begin(d->io, pos, left, d->request | IOMAP_DIRECT, &m);

	if (err)
		return err;
	n = min_of(left, m.length - (pos - m.offset));
	if (m.type == IOMAP_INLINE)
		err = -ENOTBLK;
	else if (d->request & IOMAP_NOWAIT && n < d->end - d->pos)
		err = -EAGAIN; /* IO-43: all or nothing */
	else
		err = is_write(d) ? write_mapped(d, b, &m, n) : read_mapped(d, b, &m, n);
	if (ops->end)
		(void)ops->end(d->io, pos, left, err ? err : (s64)n, d->request | IOMAP_DIRECT, &m);
	if (!err)
		advance(d, n);
	return err;
}

/* What was not submitted yet need not be. */
static void unbatch(struct direct_io *d, struct direct_batch *b)
{
	b->count -= d->batched;
	atomic_sub(&d->pending, d->batched);
	d->batched = 0;
}

/* Beyond the sector that the end of the file cuts there is nothing to read (IO-57). */
static u64 read_end(const struct direct_io *d)
{
	return min_of(d->pos + d->len, round_up_to(d->size, (u64)info_of(d)->block_size));
}

bool direct_start(struct direct_io *d, struct direct_batch *b)
{
	int err = direct_check_alignment(d);

	d->done = 0;
	d->seen = 0;
	d->error = d->io_error = 0;
	d->iov_at = d->segs_used = d->iovs_used = d->batched = 0;
	d->iov_skip = 0;
	d->heap = NULL;
	d->size = d->io->ops->size(d->io);
	d->end = is_write(d) ? d->pos + d->len : read_end(d);
	d->pending = 1;
	if (!err)
		err = cache_prepare(d);
	while (!err && d->pos + d->done < d->end)
		err = one_mapping(d, b);
	if (err && err != -ENOTBLK) {
		d->error = err;
		unbatch(d, b);
	}
	d->batched = 0;
	if (MUTANT(CONVERT_BEFORE_IO) && !err && is_write(d))
		(void)d->ops->written(d, d->done, 0);
	TRACE("direct_started", d->pos, d->done);
	return atomic_sub(&d->pending, 1) != 0;
}

static void heap_free(struct direct_io *d)
{
	struct direct_segment *s;

	while ((s = d->heap) != NULL) {
		d->heap = s->next;
		os_free(s);
	}
}

/* IO-82, IO-52: who read the range meanwhile may have cached what was there before. */
static void cache_forget(struct direct_io *d)
{
	if (atomic_load_acq(&d->io->folio_count) &&
		iofile_invalidate_range(d->io, d->pos, d->pos + d->done))
		iofile_error_set(d->io, ERR(EIO));
}

/* The bytes of a sector behind the end of the file are nobody's. */
static u64 read_clip(struct direct_io *d)
{
	u64 n = d->done;

	if (d->pos + n > d->size) {
		n = d->size - d->pos;
		iov_zero(d->iov, n, d->done - n);
	}
	return n;
}

ssize_t direct_finish(struct direct_io *d)
{
	int err = direct_error(d), after;

	heap_free(d);
	if (!is_write(d))
		return err ? err : (ssize_t)read_clip(d);
	if (MUTANT(INVALIDATE_TOO_EARLY))
		cache_forget(d);
	TRACE("direct_written", d->pos, d->done);
	if (d->done == 0)
		return err;
	after = d->ops->written ? d->ops->written(d, d->done, err) : 0;
	TRACE("direct_converted", d->pos, d->done);
	if (!MUTANT(INVALIDATE_TOO_EARLY))
		cache_forget(d);
	TRACE("direct_invalidated", d->pos, d->done);
	err = err ? err : after;
	return err ? err : (ssize_t)d->done;
}

/*
 * The queue is borrowed only while nothing else is waited for: another may need it to make room.
 * One request needs no ring: a plain call is a system call less.
 */
static void sync_submit(struct direct_batch *b)
{
	struct dev *dev = ((struct direct_sync *)b)->dev;
	struct dev_queue *q;

	if (b->count == 1)
		dev_queue_get_single(dev, &q);
	else
		dev_queue_get(dev, &q);
	dev_submit(q, b->req, b->count);
	b->count = 0;
	dev_queue_put(q);
}

void direct_sync_init(struct direct_sync *s, struct dev *dev)
{
	s->batch.count = 0;
	s->batch.submit = sync_submit;
	s->dev = dev;
}

unsigned direct_sync_take(struct direct_sync *s, struct direct_io *d, struct dev_req **reqs)
{
	unsigned n = s->batch.count;

	if (d->heap || n != d->segs_used)
		return 0;
	memcpy(reqs, s->batch.req, n * sizeof(*reqs));
	s->batch.count = 0;
	return n;
}

void direct_sync_wait(struct direct_sync *s)
{
	if (s->batch.count)
		sync_submit(&s->batch);
}
