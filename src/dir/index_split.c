/*
 * Growing the index: splitting leaves and nodes, raising the root (DR-8..10).
 * Each step asks write access for what is there and appends its new block before it
 * changes anything, and leaves a valid tree, so that running out of space between two
 * steps does no harm. What fails behind the append gives up the transaction.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "dir/dir_priv.h"
#include "os/mem.h"

#include <stdlib.h>
#include <string.h>

static void set_count(struct dx_frame *f, u32 count)
{
	((struct ext4_dx_countlimit *)f->entries)->count = cpu_to_le16((u16)count);
}

static void set_limit(struct dx_frame *f, u32 limit)
{
	((struct ext4_dx_countlimit *)f->entries)->limit = cpu_to_le16((u16)limit);
}

int dx_add_child(struct handle *h, struct dx_frame *f, u32 hash, lblk_t block)
{
	u32 count = frame_count(f), at = f->at + 1;
	int err = buf_write_access(h, f->b);

	ASSERT(count < frame_limit(f));
	if (err)
		return err;
	memmove(&f->entries[at + 1], &f->entries[at], (count - at) * sizeof(*f->entries));
	f->entries[at].hash = cpu_to_le32(hash);
	f->entries[at].block = cpu_to_le32(block);
	set_count(f, count + 1);
	return buf_dirty(h, f->b);
}

static void node_format(struct inode *dir, struct buf *b, struct dx_frame *out)
{
	struct ext4_dx_node *n = (struct ext4_dx_node *)b->data;

	dirent_set_rec_len((struct ext4_dirent *)n, dir_block_size(dir), dir_block_size(dir));
	*out = (struct dx_frame){
		.b = b, .entries = (struct ext4_dx_entry *)(b->data + EXT4_DX_NODE_COUNT_OFFSET)};
	set_limit(out, dx_limit(&dir->volume->sb, EXT4_DX_NODE_COUNT_OFFSET));
}

/* Moves the upper half of a node to a new one, and enters that in the parent, which has room. */
static int node_split(
	struct handle *h, struct inode *dir, struct dx_frame *parent, struct dx_frame *f)
{
	u32 count = frame_count(f), keep = count / 2, hash = frame_hash(f, keep);
	struct dx_frame fresh;
	struct buf *b;
	lblk_t lblk;
	int err = buf_write_access(h, f->b);

	if (!err)
		err = buf_write_access(h, parent->b);
	if (!err)
		err = dir_block_append(h, dir, &dir_node_type, &b, &lblk);
	if (err)
		return err;
	node_format(dir, b, &fresh);
	fresh.entries[0].block = f->entries[keep].block;
	memcpy(&fresh.entries[1], &f->entries[keep + 1], (count - keep - 1) * sizeof(*f->entries));
	set_count(&fresh, count - keep);
	set_count(f, keep);
	err = buf_dirty(h, f->b);
	if (!err)
		err = buf_dirty(h, b);
	buf_put(b);
	return half_done(h, err ? err : dx_add_child(h, parent, hash, lblk));
}

/* All children of the root move to a new node below it. */
static int root_raise(struct handle *h, struct inode *dir, struct dx_path *p)
{
	struct dx_frame *root = &p->frame[0], fresh;
	struct ext4_dx_root *r = (struct ext4_dx_root *)root->b->data;
	u32 count = frame_count(root);
	struct buf *b;
	lblk_t lblk;
	int err;

	if (p->depth >= (super_has_largedir(&dir->volume->sb) ? 3u : 2u))
		return ERR(ENOSPC);
	err = buf_write_access(h, root->b);
	if (!err)
		err = dir_block_append(h, dir, &dir_node_type, &b, &lblk);
	if (err)
		return err;
	node_format(dir, b, &fresh);
	fresh.entries[0].block = root->entries[0].block;
	memcpy(&fresh.entries[1], &root->entries[1], (count - 1) * sizeof(*root->entries));
	set_count(&fresh, count);
	set_count(root, 1);
	root->entries[0].block = cpu_to_le32(lblk);
	r->info.indirect_levels++;
	err = buf_dirty(h, root->b);
	if (!err)
		err = buf_dirty(h, b);
	buf_put(b);
	return half_done(h, err);
}

/*
 * Makes room one level at a time: 1 = changed something, probe again; 0 = the
 * bottom frame has room.
 */
static int make_room(struct handle *h, struct inode *dir, struct dx_path *p)
{
	u32 k = p->depth;
	int err;

	if (frame_count(&p->frame[k - 1]) < frame_limit(&p->frame[k - 1]))
		return 0;
	while (k > 0 && frame_count(&p->frame[k - 1]) >= frame_limit(&p->frame[k - 1]))
		k--;
	err = k == 0 ? root_raise(h, dir, p) : node_split(h, dir, &p->frame[k - 1], &p->frame[k]);
	return err ? err : 1;
}

struct leaf_entry {
	u32 hash;
	u16 offset, space;
};

static int by_hash(const void *a, const void *b)
{
	const struct leaf_entry *x = a, *y = b;

	return x->hash != y->hash ? (x->hash < y->hash ? -1 : 1) : (int)x->offset - (int)y->offset;
}

static int leaf_collect(
	struct inode *dir, struct buf *b, u8 version, struct leaf_entry *out, u32 *count)
{
	u32 end = leaf_end(dir), n = 0;

	for (u32 at = 0; at < end;) {
		const struct ext4_dirent *e = (const struct ext4_dirent *)(b->data + at);
		struct dirhash hash;
		int err;

		if (le32_to_cpu(e->inode)) {
			err = dx_name_hash(
				dir, version, (struct name){e->name, e->name_len}, &hash);
			if (err)
				return err;
			out[n++] = (struct leaf_entry){
				hash.hash, (u16)at, (u16)dirent_need(e->name_len)};
		}
		at += entry_len(dir, e);
	}
	*count = n;
	return 0;
}

/* Writes entries as a packed chain that fills a formatted leaf. */
static void leaf_write(struct inode *dir, struct buf *to, const u8 *from,
	const struct leaf_entry *entries, u32 count)
{
	u32 end = MUTANT(SPLIT_OVER_TAIL) ? dir_block_size(dir) : leaf_end(dir), at = 0;

	leaf_format(dir, to);
	for (u32 k = 0; k < count; k++) {
		struct ext4_dirent *e = (struct ext4_dirent *)(to->data + at);
		u32 len = k + 1 == count ? end - at : entries[k].space;

		memcpy(e, from + entries[k].offset, entries[k].space);
		entry_set_len(dir, e, len);
		at += len;
	}
}

/* Half of the bytes stay. At least one entry on each side. */
static u32 split_point(const struct leaf_entry *e, u32 count)
{
	u32 total = 0, kept = 0, k = 0;

	for (u32 n = 0; n < count; n++)
		total += e[n].space;
	while (k + 1 < count && (k == 0 || kept + e[k].space <= total / 2))
		kept += e[k++].space;
	return k;
}

struct split_space {
	struct leaf_entry *entries;
	u8 *copy;
};

static int split_apply(struct handle *h, struct inode *dir, struct dx_path *p, struct buf *old,
	const struct split_space *s, u32 count)
{
	u32 keep = split_point(s->entries, count), hash = s->entries[keep].hash;
	struct dx_frame *parent = &p->frame[p->depth - 1];
	struct buf *fresh;
	lblk_t lblk;
	int err = buf_write_access(h, old);

	if (!err)
		err = buf_write_access(h, parent->b);
	if (!err)
		err = dir_block_append(h, dir, &dir_leaf_type, &fresh, &lblk);
	if (err)
		return err;
	memcpy(s->copy, old->data, dir_block_size(dir));
	leaf_write(dir, fresh, s->copy, s->entries + keep, count - keep);
	leaf_write(dir, old, s->copy, s->entries, keep);
	err = buf_dirty(h, old);
	if (!err)
		err = buf_dirty(h, fresh);
	buf_put(fresh);
	if (hash == s->entries[keep - 1].hash)
		hash |= 1; /* DR-8: the same hash goes on in the new leaf */
	return half_done(h, err ? err : dx_add_child(h, parent, hash, lblk));
}

/* The bottom frame has room. */
static int leaf_split(struct handle *h, struct inode *dir, struct dx_path *p, struct buf *old)
{
	u32 bs = dir_block_size(dir), count;
	struct split_space s = {.entries = os_alloc(bs / EXT4_DIRENT_MIN * sizeof(*s.entries)),
		.copy = os_alloc(bs)};
	int err = s.entries && s.copy ? 0 : ERR(ENOMEM);

	if (!err)
		err = leaf_collect(dir, old, p->version, s.entries, &count);
	if (!err && count < 2)
		err = dir_corrupt(dir, dx_leaf(p), "a full leaf with fewer than two entries");
	if (!err) {
		qsort(s.entries, count, sizeof(*s.entries), by_hash);
		err = split_apply(h, dir, p, old, &s, count);
	}
	os_free(s.entries);
	os_free(s.copy);
	return err;
}

int dx_split_leaf(struct handle *h, struct inode *dir, struct dx_path *p)
{
	struct buf *old;
	int err = make_room(h, dir, p);

	if (err)
		return err < 0 ? err : 0;
	err = dir_block_read(dir, dx_leaf(p), &dir_leaf_type, &old);
	if (err)
		return err;
	err = leaf_split(h, dir, p, old);
	buf_put(old);
	return err;
}
