#include "dev/overlay_store.h"
#include <string.h>
#include "base/bits.h"
#include "base/err.h"
#include "dev/dev_driver.h"
#include "os/mem.h"

struct chunk {
	struct rb_node node; /* lock: the shard's, as all fields */
	u64 index;
	u8 *data; /* NULL: all blocks that are here are zero */
	u8 here[STORE_BLOCKS_MAX / 8];
};

/* One chunk's part of a range. */
struct piece {
	u64 index;
	u32 at, len; /* bytes in the chunk */
};

static struct piece piece_of(u64 offset, u64 len)
{
	struct piece p = {.index = offset / STORE_CHUNK_BYTES, .at = offset % STORE_CHUNK_BYTES};

	p.len = (u32)min_of((u64)(STORE_CHUNK_BYTES - p.at), len);
	return p;
}

void store_init(struct store *s, u32 block_size)
{
	s->block_size = block_size;
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		os_rwsem_init(&s->shard[i].lock, RANK_LEAF, "overlay");
		s->shard[i].chunks.node = NULL;
	}
}

static void chunk_free(struct chunk *c)
{
	if (c->data)
		os_free_pages(c->data, STORE_CHUNK_BYTES);
	os_free(c);
}

void store_fini(struct store *s)
{
	for (unsigned i = 0; i < STORE_SHARDS; i++) {
		struct rb_root *root = &s->shard[i].chunks;

		while (root->node) {
			struct chunk *c = rb_entry(rb_first(root), struct chunk, node);

			rb_erase(root, &c->node);
			chunk_free(c);
		}
		os_rwsem_fini(&s->shard[i].lock);
	}
}

static struct store_shard *shard_of(struct store *s, u64 index)
{
	return &s->shard[index % STORE_SHARDS];
}

static struct chunk *chunk_find(const struct store_shard *sh, u64 index)
{
	struct rb_node *n = sh->chunks.node;

	while (n) {
		struct chunk *c = rb_entry(n, struct chunk, node);

		if (c->index == index)
			return c;
		n = index < c->index ? n->left : n->right;
	}
	return NULL;
}

static struct chunk *chunk_insert_locked(struct store_shard *sh, u64 index)
{
	struct rb_node **link = &sh->chunks.node, *parent = NULL;
	struct chunk *c = os_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->index = index;
	while (*link) {
		parent = *link;
		link = index < rb_entry(parent, struct chunk, node)->index ? &parent->left
									   : &parent->right;
	}
	rb_insert(&sh->chunks, parent, link, &c->node);
	return c;
}

static int chunk_need_data(struct chunk *c)
{
	if (c->data)
		return 0;
	c->data = os_alloc_pages(STORE_CHUNK_BYTES);
	if (!c->data)
		return ERR(ENOMEM);
	memset(c->data, 0, STORE_CHUNK_BYTES);
	return 0;
}

static int chunk_zero(struct chunk *c, struct piece p)
{
	if (p.len == STORE_CHUNK_BYTES && c->data) {
		os_free_pages(c->data, STORE_CHUNK_BYTES);
		c->data = NULL;
	}
	if (c->data)
		memset(c->data + p.at, 0, p.len);
	return 0;
}

static int chunk_fill(struct chunk *c, struct piece p, const struct iovec *iov, u64 skip)
{
	int err = chunk_need_data(c);

	if (!err)
		iov_copy_out(iov, skip, c->data + p.at, p.len);
	return err;
}

static int piece_write(struct store *s, struct piece p, const struct iovec *iov, u64 skip)
{
	struct store_shard *sh = shard_of(s, p.index);
	struct chunk *c;
	int err = 0;

	os_rwsem_lock(&sh->lock);
	c = chunk_find(sh, p.index);
	if (!c)
		c = chunk_insert_locked(sh, p.index);
	if (!c)
		err = ERR(ENOMEM);
	else
		err = iov ? chunk_fill(c, p, iov, skip) : chunk_zero(c, p);
	if (!err)
		bits_set(c->here, p.at / s->block_size, p.len / s->block_size);
	os_rwsem_unlock(&sh->lock);
	return err;
}

int store_write(struct store *s, u64 offset, u64 len, const struct iovec *iov)
{
	u64 skip = 0;

	while (skip < len) {
		struct piece p = piece_of(offset + skip, len - skip);
		int err = piece_write(s, p, iov, skip);

		if (err)
			return err;
		skip += p.len;
	}
	return 0;
}

static bool piece_covered(struct store *s, struct piece p)
{
	struct store_shard *sh = shard_of(s, p.index);
	u32 count = p.len / s->block_size;
	struct chunk *c;
	bool covered;

	os_rwsem_lock_shared(&sh->lock);
	c = chunk_find(sh, p.index);
	covered = c && bits_weight(c->here, p.at / s->block_size, count) == count;
	os_rwsem_unlock_shared(&sh->lock);
	return covered;
}

bool store_covers(struct store *s, u64 offset, u64 len)
{
	u64 skip = 0;

	while (skip < len) {
		struct piece p = piece_of(offset + skip, len - skip);

		if (!piece_covered(s, p))
			return false;
		skip += p.len;
	}
	return true;
}

static void chunk_copy(const struct store *s, const struct chunk *c, struct piece p,
	const struct iovec *iov, u64 skip)
{
	u32 bs = s->block_size, end = (p.at + p.len) / bs, from, to;

	for (from = bits_next_one(c->here, p.at / bs, end); from < end;
		from = bits_next_one(c->here, to, end)) {
		u64 at = skip + (u64)from * bs - p.at;

		to = bits_next_zero(c->here, from, end);
		if (c->data)
			iov_copy_in(iov, at, c->data + (size_t)from * bs, (u64)(to - from) * bs);
		else
			iov_zero(iov, at, (u64)(to - from) * bs);
	}
}

void store_read(struct store *s, u64 offset, u64 len, const struct iovec *iov)
{
	u64 skip = 0;

	while (skip < len) {
		struct piece p = piece_of(offset + skip, len - skip);
		struct store_shard *sh = shard_of(s, p.index);
		struct chunk *c;

		os_rwsem_lock_shared(&sh->lock);
		c = chunk_find(sh, p.index);
		if (c)
			chunk_copy(s, c, p, iov, skip);
		os_rwsem_unlock_shared(&sh->lock);
		skip += p.len;
	}
}
