/* Reading, verifying, readahead; and the state that home writes leave in a buffer. */
#include "base/trace.h"
#include "journal/buffer_priv.h"
#include "os/mem.h"

#include <string.h>

#define READAHEAD_MAX 64u /* blocks per request */
#define READAHEAD_LIMIT 8 /* requests in flight */

static bool ctx_equal(const struct buf_ctx *a, const struct buf_ctx *b)
{
	return a->csum_seed == b->csum_seed && a->owner == b->owner && a->arg == b->arg;
}

/* A transaction, or its checkpoint, will seal what is in memory as the kind of block that it is. */
static bool buf_in_use_locked(const struct buf *b)
{
	return b->join[0].txn || b->join[1].txn || b->cp_txn || buf_test(b, BUF_DIRTY_HOME);
}

void buf_seal_locked(const struct buf *b, void *copy)
{
	if (b->type && b->type->seal)
		b->type->seal(b->cache->p.sb, copy, b->pblk, &b->ctx);
}

void buf_wait_writeback_locked(struct buf *b)
{
	while (buf_test(b, BUF_WRITEBACK))
		os_cond_wait(&b->cache->io_cond, &b->lock);
}

void buf_end_writeback_locked(struct buf *b)
{
	buf_clear_flags(b, BUF_WRITEBACK);
	os_cond_broadcast(&b->cache->io_cond);
}

static int verify_data(const struct buf *b, const void *data, const struct buf_type *type,
	const struct buf_ctx *ctx)
{
	const struct bcache *c = b->cache;
	const char *why = "";
	int err = type->verify ? type->verify(c->p.sb, data, b->pblk, ctx, &why) : 0;

	if (err)
		log_msg(c->p.log, LOG_ERROR, "block %llu, inode %u: not a valid %s: %s; run e2fsck",
			(unsigned long long)b->pblk, ctx->owner, type->name, why);
	return err;
}

/*
 * Data that we changed carries a stale checksum, so it is judged by a copy
 * that its present type has sealed.
 */
static int verify_unsealed_locked(
	struct buf *b, const struct buf_type *type, const struct buf_ctx *ctx)
{
	void *copy = bcache_data_alloc(b->cache);
	int err;

	if (!copy)
		return ERR(ENOMEM);
	memcpy(copy, b->data, b->cache->p.block_size);
	buf_seal_locked(b, copy);
	err = verify_data(b, copy, type, ctx);
	bcache_data_free(b->cache, copy);
	return err;
}

/* HD-8: a block in use as one kind of metadata is not handed out as another. */
static int verify_locked(struct buf *b, const struct buf_type *type, const struct buf_ctx *ctx)
{
	bool same_kind = b->type == type && b->ctx.csum_seed == ctx->csum_seed;
	int err;

	if (buf_test(b, BUF_VERIFIED) && b->type == type && ctx_equal(&b->ctx, ctx))
		return 0;
	if (buf_in_use_locked(b) && !same_kind) {
		log_msg(b->cache->p.log, LOG_ERROR,
			"block %llu, inode %u: wanted as %s while inode %u changes it as %s",
			(unsigned long long)b->pblk, ctx->owner, type->name, b->ctx.owner,
			b->type ? b->type->name : "nothing");
		return ERR(EUCLEAN);
	}
	err = buf_test(b, BUF_UNSEALED) ? verify_unsealed_locked(b, type, ctx)
					: verify_data(b, b->data, type, ctx);
	if (err)
		return err;
	if (!buf_in_use_locked(b) || !b->type) {
		b->type = type;
		b->ctx = *ctx;
		buf_set_flags(b, BUF_VERIFIED);
	}
	return 0;
}

static int fill_locked(struct buf *b)
{
	const struct bcache *c = b->cache;
	int err;

	err = FAULT("buf_read")
		      ? ERR(EIO)
		      : dev_read(c->p.dev, b->pblk * c->p.block_size, b->data, c->p.block_size);
	if (err) {
		log_msg(c->p.log, LOG_ERROR, "block %llu: cannot read metadata: error %d",
			(unsigned long long)b->pblk, -err);
		return err;
	}
	buf_clear_flags(b, BUF_VERIFIED | BUF_UNSEALED);
	buf_set_flags(b, BUF_UPTODATE);
	return 0;
}

int buf_read(struct bcache *c, pblk_t pblk, const struct buf_type *type, const struct buf_ctx *ctx,
	struct buf **out)
{
	struct buf *b;
	int err = 0;

	if (pblk >= c->p.dev->info.size / c->p.block_size)
		return ERR(EUCLEAN);
	b = bcache_get(c, pblk, true);
	if (!b)
		return ERR(ENOMEM);
	os_mutex_lock(&b->lock);
	if (!buf_test(b, BUF_UPTODATE))
		err = fill_locked(b);
	if (!err)
		err = verify_locked(b, type, ctx);
	os_mutex_unlock(&b->lock);
	if (err) {
		buf_put(b);
		return err;
	}
	*out = b;
	return 0;
}

void buf_retype(struct buf *b, const struct buf_type *type, const struct buf_ctx *ctx)
{
	os_mutex_lock(&b->lock);
	ASSERT(b->join[0].txn || b->join[1].txn || buf_test(b, BUF_UPTODATE));
	b->type = type;
	b->ctx = *ctx;
	buf_set_flags(b, BUF_VERIFIED | BUF_UNSEALED);
	os_mutex_unlock(&b->lock);
}

void buf_assert_valid(struct buf *b)
{
#ifdef UEXT4_DEBUG
	int err;

	os_mutex_lock(&b->lock);
	err = b->type && b->type->verify ? verify_unsealed_locked(b, b->type, &b->ctx) : 0;
	os_mutex_unlock(&b->lock);
	ASSERT(!err || err == -ENOMEM);
#else
	(void)b;
#endif
}

struct readahead {
	struct os_work work;
	struct bcache *cache;
	pblk_t pblk;
	u32 n;
	struct buf *bufs[READAHEAD_MAX];
};

/* A buffer that came to life meanwhile is newer than what was read: left alone. */
static void readahead_fill(struct readahead *r, const u8 *data)
{
	u32 i, bs = r->cache->p.block_size;

	for (i = 0; i < r->n; i++) {
		struct buf *b = r->bufs[i];

		os_mutex_lock(&b->lock);
		if (!buf_test(b, BUF_UPTODATE) && !buf_in_use_locked(b)) {
			memcpy(b->data, data + (size_t)i * bs, bs);
			buf_clear_flags(b, BUF_VERIFIED | BUF_UNSEALED);
			buf_set_flags(b, BUF_UPTODATE);
		}
		os_mutex_unlock(&b->lock);
	}
}

static void readahead_work(struct os_work *w)
{
	struct readahead *r = container_of(w, struct readahead, work);
	size_t len = (size_t)r->n * r->cache->p.block_size;
	u8 *data = os_alloc_pages(len);
	u32 i;

	if (data && dev_read(r->cache->p.dev, r->pblk * r->cache->p.block_size, data, len) == 0)
		readahead_fill(r, data);
	if (data)
		os_free_pages(data, len);
	for (i = 0; i < r->n; i++)
		buf_put(r->bufs[i]);
	atomic_sub(&r->cache->readaheads, 1);
	os_free(r);
}

/* Blocks are inserted before they are read, so that no later change can be overtaken. */
static void readahead_start(struct bcache *c, pblk_t pblk, u32 n)
{
	struct readahead *r = os_zalloc(sizeof(*r));

	if (!r)
		return;
	r->cache = c;
	r->pblk = pblk;
	for (; r->n < n; r->n++) {
		struct buf *b = bcache_get(c, pblk + r->n, true);

		if (!b)
			break;
		r->bufs[r->n] = b;
		if (buf_test(b, BUF_UPTODATE))
			break; /* the rest is likely there too */
	}
	if (r->n < n && r->bufs[r->n])
		buf_put(r->bufs[r->n]);
	if (r->n == 0) {
		os_free(r);
		return;
	}
	os_work_init(&r->work, readahead_work);
	atomic_add(&c->readaheads, 1);
	os_work_queue(c->readahead, &r->work);
}

void buf_readahead(struct bcache *c, pblk_t pblk, u32 n)
{
	u64 blocks = c->p.dev->info.size / c->p.block_size;

	while (n && pblk < blocks && atomic_load_relaxed(&c->readaheads) < READAHEAD_LIMIT) {
		u32 part = (u32)min_of((u64)min_of(n, READAHEAD_MAX), blocks - pblk);

		readahead_start(c, pblk, part);
		pblk += part;
		n -= part;
	}
}
