#include "map_test.h"

#include "base/crc.h"
#include "base/endian.h"
#include "disk/inode_format.h"
#include "map/extent_tree.h"
#include "map/indirect.h"

#include <stdio.h>

enum { INO = 12 };

static const char *fault_name;
static u32 fault_nth, fault_calls, fault_hits;
static bool fault_persistent, fault_every;

static bool fault(const char *name)
{
	u32 n;

	if (!fault_name || strcmp(name, fault_name) != 0)
		return false;
	n = atomic_add(&fault_calls, 1);
	if (fault_every ? n % fault_nth != 0
			: n != fault_nth && !(fault_persistent && n > fault_nth))
		return false;
	atomic_add(&fault_hits, 1);
	return true;
}

void tmap_fault(const char *name, u32 nth, bool persistent)
{
	fault_hook = fault;
	fault_calls = fault_hits = 0;
	fault_nth = nth;
	fault_persistent = persistent;
	fault_every = false;
	fault_name = name;
}

void tmap_fault_every(const char *name, u32 nth)
{
	tmap_fault(name, nth, false);
	fault_every = true;
}

void tmap_fault_off(void)
{
	fault_name = NULL;
}

u32 tmap_fault_hits(void)
{
	return fault_hits;
}

static int raw_verify(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	return 0;
}

static const struct buf_type raw_type = {.name = "inode table", .verify = raw_verify};

static struct ext4_inode_disk *raw_inode(struct tmap *t, struct buf **b)
{
	struct buf_ctx ctx = {0};

	assert_int_equal(buf_read(t->f.v.bcache, t->inode_pblk, &raw_type, &ctx, b), 0);
	return (struct ext4_inode_disk *)((*b)->data + t->inode_offset);
}

u32 tmap_seed(struct tmap *t)
{
	struct le32 ino = cpu_to_le32(INO);
	struct buf *b;
	struct ext4_inode_disk *raw = raw_inode(t, &b);
	u32 seed = crc32c(t->f.v.sb.csum_seed, &ino, 4);

	seed = crc32c(seed, &raw->i_generation, 4);
	buf_put(b);
	return seed;
}

static void inode_pack(struct tmap *t, struct ext4_inode_disk *raw)
{
	u64 size = t->size_blocks * t->f.v.sb.block_size;
	u64 sectors = (u64)t->blocks * (t->f.v.sb.block_size / 512);
	u32 flags = le32_to_cpu(raw->i_flags) & ~EXT4_EXTENTS_FL, sum;

	memcpy(raw->i_block, t->fm.root, 60);
	raw->i_flags = cpu_to_le32(flags | (t->extents ? EXT4_EXTENTS_FL : 0));
	raw->i_size_lo = cpu_to_le32((u32)size);
	raw->i_size_hi = cpu_to_le32((u32)(size >> 32));
	raw->i_blocks_lo = cpu_to_le32((u32)sectors);
	raw->i_blocks_hi = cpu_to_le16((u16)(sectors >> 32));
	raw->i_csum_lo = raw->i_csum_hi = cpu_to_le16(0);
	sum = crc32c(t->fm.csum_seed, raw, t->f.v.sb.inode_size);
	raw->i_csum_lo = cpu_to_le16((u16)sum);
	raw->i_csum_hi = cpu_to_le16((u16)(sum >> 16));
}

static int inode_write(struct handle *h, struct filemap *fm, bool record)
{
	struct tmap *t = container_of(fm, struct tmap, fm);
	struct ext4_inode_disk *raw;
	struct buf *b;
	int err;

	atomic_add(&t->dirties, 1);
	if (!record)
		return 0;
	raw = raw_inode(t, &b);
	err = buf_write_access(h, b);
	if (!err) {
		/* The lock is held until all is packed, else an older root could overwrite a newer.
		 */
		os_rwsem_lock_shared(&fm->lock);
		os_mutex_lock(&t->raw_lock);
		inode_pack(t, raw);
		err = buf_dirty(h, b);
		os_mutex_unlock(&t->raw_lock);
		os_rwsem_unlock_shared(&fm->lock);
	}
	buf_put(b);
	return err;
}

static void add_blocks(struct filemap *fm, s64 blocks)
{
	struct tmap *t = container_of(fm, struct tmap, fm);

	assert_true(os_rwsem_held(&fm->lock));
	t->blocks += blocks;
	assert_true(t->blocks >= 0);
}

static const struct filemap_ops ops = {.dirty = inode_write, .add_blocks = add_blocks};

void tmap_open(struct tmap *t, u64 bytes, const char *mke2fs, bool extents, u32 flags)
{
	struct volume *v = &t->f.v;

	*t = (struct tmap){.extents = extents};
	os_mutex_init(&t->raw_lock, RANK_INODE_META, "raw");
	fixture_make(&t->f, bytes, mke2fs);
	free(fixture_run(&t->f, "debugfs -w -R 'write /dev/null file' %s"));
	fixture_mount(&t->f, flags);
	assert_int_equal(map_cache_create(v, 0), 0);
	assert_int_equal(space_inode_location(v, INO, &t->inode_pblk, &t->inode_offset), 0);
	filemap_init_empty(&t->fm, v, &ops, INO, tmap_seed(t), extents);
}

void tmap_reopen(struct tmap *t)
{
	u32 seed = t->fm.csum_seed;
	u8 root[60];
	struct buf *b;

	filemap_fini(&t->fm);
	memcpy(root, raw_inode(t, &b)->i_block, 60);
	buf_put(b);
	assert_int_equal(filemap_init(&t->fm, &t->f.v, &ops, INO, seed, root, t->extents), 0);
}

void tmap_finish(struct tmap *t)
{
	struct handle h;

	tmap_fault_off();
	assert_int_equal(map_verify_all(&t->fm), 0);
	fixture_start(&t->f, &h, 1, 0);
	assert_int_equal(inode_write(&h, &t->fm, true), 0);
	fixture_stop(&h);
	filemap_fini(&t->fm);
	map_cache_destroy(&t->f.v);
	assert_int_equal(t->f.errors, 0);
	fixture_unmount(&t->f);
	fixture_fsck(&t->f);
}

void tmap_close(struct tmap *t)
{
	tmap_finish(t);
	fixture_remove(&t->f);
}

static void grow_size(struct tmap *t, u64 end)
{
	if (end > t->size_blocks)
		t->size_blocks = end;
}

int tmap_create(struct tmap *t, lblk_t lblk, u32 len, u32 flags, struct mapping *out)
{
	struct handle h;
	int err;

	fixture_start(&t->f, &h, map_create_credits(&t->fm, len), 0);
	err = map_create(&h, &t->fm, lblk, len, flags, out);
	if (!err)
		grow_size(t, (u64)out->lblk + out->len);
	fixture_stop(&h);
	return err;
}

int tmap_written(struct tmap *t, lblk_t lblk, u32 len)
{
	struct handle h;
	int err;

	fixture_start(&t->f, &h, map_convert_credits(&t->fm, len), 0);
	err = map_convert_written(&h, &t->fm, lblk, len);
	fixture_stop(&h);
	return err;
}

int tmap_unwritten(struct tmap *t, lblk_t lblk, u32 len)
{
	struct handle h;
	int err;

	fixture_start(&t->f, &h, map_create_credits(&t->fm, len), 0);
	err = map_convert_unwritten(&h, &t->fm, lblk, len);
	if (!err)
		grow_size(t, (u64)lblk + len);
	fixture_stop(&h);
	return err;
}

int tmap_remove(struct tmap *t, lblk_t from, lblk_t end)
{
	struct handle h;
	int err;

	fixture_start(&t->f, &h, map_remove_credits(&t->fm), map_remove_revokes(&t->fm));
	err = map_remove(&h, &t->fm, from, end);
	fixture_stop(&h);
	return err;
}

int tmap_shift(struct tmap *t, lblk_t from, s64 delta)
{
	struct handle h;
	int err;

	fixture_start(&t->f, &h, map_shift_credits(&t->fm), map_remove_revokes(&t->fm));
	err = map_shift(&h, &t->fm, from, delta);
	if (!err)
		t->size_blocks = (u64)((s64)t->size_blocks + delta);
	fixture_stop(&h);
	return err;
}

struct mapping tmap_lookup(struct tmap *t, lblk_t lblk, u32 len)
{
	struct mapping m;

	assert_int_equal(map_lookup(&t->fm, lblk, len, &m), 0);
	assert_int_equal(m.lblk, lblk);
	assert_true(m.len >= 1 && m.len <= len);
	assert_false(m.fresh);
	return m;
}

void tmap_expect(struct tmap *t, lblk_t lblk, u32 len, enum map_state state)
{
	while (len > 0) {
		struct mapping m = tmap_lookup(t, lblk, len);

		if (m.state != state)
			fail_msg("block %u: state %d instead of %d", lblk, m.state, state);
		lblk += m.len;
		len -= m.len;
	}
}

static u32 extent_count(struct tmap *t, u32 *nodes, u64 *data)
{
	struct extent_path path;
	pblk_t seen[MAP_DEPTH_MAX + 1] = {0};
	u64 next = 0;
	u32 count = 0, i;

	while (next < LBLK_END) {
		assert_int_equal(extent_walk(&t->fm, (lblk_t)next, &path), 0);
		for (i = 1; i <= path.depth; i++) {
			*nodes += path.step[i].buf->pblk != seen[i];
			seen[i] = path.step[i].buf->pblk;
		}
		for (i = 0; i < node_count(extent_leaf(&path)->node); i++, count++)
			*data += node_extent(extent_leaf(&path)->node, i).len;
		next = path.end;
		extent_release(&path);
	}
	return count;
}

static void table_count(struct tmap *t, u32 pblk, u32 level, u32 *tables, u64 *data)
{
	struct buf_ctx ctx = {.csum_seed = t->fm.csum_seed, .owner = INO};
	struct buf *b;
	u32 i;

	if (pblk == 0)
		return;
	if (level == 0) {
		(*data)++;
		return;
	}
	(*tables)++;
	assert_int_equal(buf_read(t->f.v.bcache, pblk, &indirect_buf_type, &ctx, &b), 0);
	for (i = 0; i < t->f.v.sb.block_size / 4; i++)
		table_count(t, le32_to_cpu(((struct le32 *)b->data)[i]), level - 1, tables, data);
	buf_put(b);
}

static u32 count_all(struct tmap *t, u32 *nodes, u64 *data)
{
	const struct le32 *root = (const struct le32 *)t->fm.root;
	u32 i, count = 0;

	*nodes = 0;
	*data = 0;
	os_rwsem_lock_shared(&t->fm.lock);
	if (t->extents) {
		count = extent_count(t, nodes, data);
	} else {
		for (i = 0; i < INDIRECT_SLOTS; i++)
			table_count(t, le32_to_cpu(root[i]), i < 12 ? 0 : i - 11, nodes, data);
	}
	os_rwsem_unlock_shared(&t->fm.lock);
	return count;
}

u32 tmap_tree_blocks(struct tmap *t)
{
	u64 data;
	u32 nodes;

	count_all(t, &nodes, &data);
	return nodes;
}

u32 tmap_extents(struct tmap *t)
{
	u64 data;
	u32 nodes;

	return count_all(t, &nodes, &data);
}

u32 tmap_depth(struct tmap *t)
{
	return node_depth(t->fm.root);
}

void tmap_check(struct tmap *t, u64 data)
{
	u64 counted;
	u32 nodes;

	assert_int_equal(map_verify_all(&t->fm), 0);
	count_all(t, &nodes, &counted);
	assert_int_equal(counted, data);
	assert_int_equal(t->blocks, counted + nodes);
	assert_int_equal(t->f.errors, 0);
}

void tmap_poison(struct tmap *t, u32 blocks, u8 byte)
{
	u32 bs = t->f.v.sb.block_size, lblk;
	u8 *data = malloc((size_t)bs * blocks);
	struct mapping m;

	memset(data, byte, (size_t)bs * blocks);
	for (lblk = 0; lblk < blocks; lblk += m.len) {
		assert_int_equal(tmap_create(t, lblk, blocks - lblk, 0, &m), 0);
		assert_int_equal(
			dev_write(t->f.v.dev, m.pblk * bs, data, (size_t)m.len * bs, 0), 0);
	}
	free(data);
	assert_int_equal(tmap_remove(t, 0, 0xffffffff), 0);
	t->size_blocks = 0;
	fixture_commit(&t->f);
}

bool tmap_block_is(struct tmap *t, pblk_t pblk, u8 byte)
{
	u32 bs = t->f.v.sb.block_size, i;
	u8 *block = malloc(bs);

	assert_int_equal(dev_read(t->f.v.dev, pblk * bs, block, bs), 0);
	for (i = 0; i < bs && block[i] == byte; i++)
		;
	free(block);
	return i == bs;
}

u32 tmap_random(u64 *state, u32 below)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(*state >> 33) % below;
}
