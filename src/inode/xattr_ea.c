/*
 * EA inodes: values too large for the areas (XA-6). They have objects of their
 * own that never enter the inode cache: each is read from the table under its
 * EA lock, changed, written back. Nobody waits for a deletion in progress.
 */
#include "base/err.h"
#include "inode/xattr_priv.h"
#include "os/mem.h"

#include <string.h>
#include <sys/stat.h>

#define TREE_BLOCKS 4 /* of a value's map: one or two levels, grown or split once */

static int any_contents(const struct super_info *sb, const void *data, pblk_t pblk,
	const struct buf_ctx *ctx, const char **why)
{
	return 0; /* the value has a checksum as a whole */
}

static const struct buf_type value_type = {.name = "attribute value", .verify = any_contents};

/* The reference count: the low half is the version, the high half ctime. */
static u64 refs_of(const struct inode *ea)
{
	return (u64)(u32)ea->f.ctime.sec << 32 | (u32)ea->f.version;
}

static void set_refs(struct inode *ea, u64 refs)
{
	os_mutex_lock(&ea->raw_lock);
	ea->f.ctime = (struct os_time){.sec = (s32)(refs >> 32)};
	ea->f.version = (u32)refs;
	os_mutex_unlock(&ea->raw_lock);
}

u32 xattr_ea_hash(const struct inode *ea)
{
	return (u32)ea->f.atime.sec;
}

/* An old kind names its one parent, and has neither hash nor count. */
static bool is_private(const struct inode *ea, const struct inode *parent)
{
	return (u32)ea->f.mtime.sec == parent->ino && ea->f.generation == parent->f.generation;
}

void xattr_ea_close(struct inode *ea)
{
	inode_teardown(ea);
	inode_free_memory(ea);
}

static int open_check(struct inode *i, struct inode *ea)
{
	const char *why = NULL;

	if (!inode_state(ea, INODE_EA) || !inode_is(ea, S_IFREG))
		why = "is not one";
	else if (ea->f.links != 1 || (refs_of(ea) == 0 && !is_private(ea, i)))
		why = "has no link";
	else if (inode_size(ea) == 0 || inode_size(ea) > EXT4_XATTR_VALUE_MAX)
		why = "has a wrong size";
	if (!why)
		return 0;
	return volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
		"inode %u, which shall hold an attribute value, %s; run e2fsck", ea->ino, why);
}

static int ea_open(struct inode *i, ino_nr inum, struct inode **out)
{
	struct volume *v = i->volume;
	struct inode *ea = NULL;
	int err;

	if (inum < v->sb.first_ino || inum > v->sb.inodes_count || inum == i->ino)
		return volume_error(v, ERR(EUCLEAN), i->ino, 0,
			"an attribute value in inode %u, which can't hold it; run e2fsck", inum);
	ea = inode_alloc(v, inum);
	if (!ea)
		return ERR(ENOMEM);
	err = inode_load(ea, true);
	if (err) {
		inode_free_memory(ea);
		return err;
	}
	err = open_check(i, ea);
	if (err)
		xattr_ea_close(ea);
	else
		*out = ea;
	return err;
}

static struct buf_ctx value_ctx(const struct inode *ea)
{
	return (struct buf_ctx){.csum_seed = ea->csum_seed, .owner = ea->ino};
}

static int read_block(struct inode *ea, lblk_t lblk, void *to, u32 len)
{
	struct buf_ctx ctx = value_ctx(ea);
	struct mapping m;
	struct buf *b;
	int err = map_lookup(&ea->map, lblk, 1, &m);

	if (!err && m.state != MAP_WRITTEN)
		err = volume_error(ea->volume, ERR(EUCLEAN), ea->ino, 0,
			"the attribute value has a hole; run e2fsck");
	if (!err)
		err = buf_read(ea->volume->bcache, m.pblk, &value_type, &ctx, &b);
	if (err)
		return err;
	memcpy(to, b->data, len);
	buf_put(b);
	return 0;
}

static bool hash_ok(const struct inode *ea, const struct ext4_xattr_entry *e, u32 csum)
{
	u32 hash = le32_to_cpu(e->e_hash);

	return csum == xattr_ea_hash(ea) &&
	       (hash == xattr_entry_hash_inode(e->e_name, e->e_name_len, csum, false) ||
		       hash == xattr_entry_hash_inode(e->e_name, e->e_name_len, csum, true));
}

static int read_value(
	struct inode *i, struct inode *ea, const struct ext4_xattr_entry *e, u8 *value)
{
	u32 size = le32_to_cpu(e->e_value_size), bs = i->volume->sb.block_size;
	int err = 0;

	if (inode_size(ea) != size)
		return volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
			"the attribute value in inode %u has another size; run e2fsck", ea->ino);
	for (u32 at = 0; !err && at < size; at += bs)
		err = read_block(ea, at / bs, value + at, min_of(bs, size - at));
	if (err || is_private(ea, i) ||
		hash_ok(ea, e, xattr_value_csum(&i->volume->sb, value, size)))
		return err;
	return volume_error(i->volume, ERR(EBADMSG), i->ino, 0,
		"wrong checksum of the attribute value in inode %u; run e2fsck", ea->ino);
}

int xattr_ea_read(struct inode *i, const struct ext4_xattr_entry *e, void *value)
{
	struct os_mutex *lock = xattr_ea_lock(i->volume, le32_to_cpu(e->e_value_inum));
	struct inode *ea = NULL;
	int err;

	os_mutex_lock_nested(lock, 2);
	err = ea_open(i, le32_to_cpu(e->e_value_inum), &ea);
	if (!err) {
		err = read_value(i, ea, e, value);
		xattr_ea_close(ea);
	}
	os_mutex_unlock(lock);
	return err;
}

/* Without references it is an orphan until xattr_drain; the object goes there. */
static int unlink_value(struct handle *h, struct inode *ea)
{
	int err;

	inode_clear_links(ea);
	err = orphan_add(h, ea);
	if (!err)
		err = inode_dirty(h, ea);
	xattr_defer(ea->volume, ea);
	return err;
}

static int ref_locked(struct handle *h, struct inode *i, struct inode *ea, int delta)
{
	u64 refs = is_private(ea, i) ? 1 : refs_of(ea);
	int err;

	if (delta > 0 && refs == UINT64_MAX) {
		xattr_ea_close(ea);
		return ERR(EMLINK);
	}
	set_refs(ea, refs + (u64)(s64)delta);
	if (refs == 1 && delta < 0)
		return unlink_value(h, ea);
	err = inode_dirty(h, ea);
	xattr_ea_close(ea);
	return err;
}

int xattr_ea_ref(struct handle *h, struct inode *i, ino_nr inum, int delta)
{
	struct os_mutex *lock = xattr_ea_lock(i->volume, inum);
	struct inode *ea = NULL;
	int err;

	os_mutex_lock_nested(lock, 2);
	err = ea_open(i, inum, &ea);
	if (!err)
		err = ref_locked(h, i, ea, delta);
	os_mutex_unlock(lock);
	return err;
}

static int prepare_locked(struct handle *h, struct inode *i, ino_nr inum, struct inode **out)
{
	struct inode *ea = NULL;
	struct buf *b;
	void *raw;
	int err = ea_open(i, inum, &ea);

	if (err)
		return err;
	err = inode_raw(ea, &b, &raw);
	if (!err) {
		err = buf_write_access(h, b);
		buf_put(b);
	}
	if (err)
		xattr_ea_close(ea);
	else
		*out = ea;
	return err;
}

int xattr_ea_prepare_drop(struct handle *h, struct inode *i, ino_nr inum, struct inode **ea)
{
	struct os_mutex *lock = xattr_ea_lock(i->volume, inum);
	int err;

	os_mutex_lock_nested(lock, 2);
	err = prepare_locked(h, i, inum, ea);
	os_mutex_unlock(lock);
	return err;
}

/* Another attribute's reference to the value may have come or gone since it was prepared. */
static int reload(struct inode *i, struct inode *ea)
{
	const char *why;
	struct buf *b;
	void *raw;
	int err = inode_raw(ea, &b, &raw);

	if (err)
		return err;
	err = inode_unpack(&ea->volume->sb, raw, &ea->f, &why);
	buf_put(b);
	return err ? err : open_check(i, ea);
}

int xattr_ea_drop(struct handle *h, struct inode *i, struct inode *ea)
{
	struct os_mutex *lock = xattr_ea_lock(i->volume, ea->ino);
	int err;

	os_mutex_lock_nested(lock, 2);
	err = reload(i, ea);
	if (err)
		xattr_ea_close(ea);
	else
		err = ref_locked(h, i, ea, -1);
	os_mutex_unlock(lock);
	return err;
}

static int write_block(struct handle *h, struct inode *ea, pblk_t pblk, const u8 *from, u32 len)
{
	struct buf_ctx ctx = value_ctx(ea);
	struct buf *b;
	int err = buf_create(h, ea->volume->bcache, pblk, &value_type, &ctx, &b);

	if (err)
		return err;
	memcpy(b->data, from, len);
	err = buf_dirty(h, b);
	buf_put(b);
	return err;
}

static int write_value(struct handle *h, struct inode *ea, const u8 *value, u32 size)
{
	u32 bs = ea->volume->sb.block_size, blocks = (u32)div_up(size, bs);
	struct mapping m;
	int err = 0;

	for (u32 lblk = 0; !err && lblk < blocks; lblk += m.len) {
		m.len = 0;
		err = map_create(h, &ea->map, lblk, blocks - lblk, MAP_CREATE_METADATA, &m);
		for (u32 k = 0; !err && k < m.len; k++)
			err = write_block(h, ea, m.pblk + k, value + (lblk + k) * bs,
				min_of(bs, size - (lblk + k) * bs));
	}
	inode_set_size(ea, size);
	inode_set_disk_size(ea, size);
	return err;
}

static void fields_set(struct inode *ea, const struct inode *i, const void *value, u32 size)
{
	const struct super_info *sb = &ea->volume->sb;

	ea->f.mode = S_IFREG | 0600;
	ea->f.uid = i->f.uid;
	ea->f.gid = i->f.gid;
	ea->f.links = 1;
	ea->f.flags = EXT4_EA_INODE_FL | (super_has_extents(sb) ? EXT4_EXTENTS_FL : 0);
	ea->f.generation = (u32)os_random();
	ea->f.extra_isize = sb->inode_size > EXT4_INODE_SIZE_OLD ? sb->want_extra_isize : 0;
	ea->f.mtime = ea->f.crtime = os_clock_wall_coarse();
	ea->f.atime.sec = (s32)xattr_value_csum(sb, value, size);
	set_refs(ea, 1);
}

/* The inode must exist in the table before the map writes it. */
static int create_at(
	struct handle *h, struct inode *i, struct inode *ea, const void *value, u32 size)
{
	int err;

	fields_set(ea, i, value, size);
	inode_setup_new(ea);
	ea->map.size_blocks_hint = div_up(size, ea->volume->sb.block_size);
	ea->map.alloc_flags = atomic_load_relaxed(&i->map.alloc_flags) & SPACE_ROOT;
	err = inode_dirty(h, ea);
	if (!err)
		err = write_value(h, ea, value, size);
	if (!err)
		err = inode_dirty(h, ea);
	if (err)
		xattr_ea_discard(h, ea);
	return err;
}

int xattr_ea_create(
	struct handle *h, struct inode *i, const void *value, u32 size, struct inode **out)
{
	struct inode_alloc_request req = {.parent = i->ino,
		.goal = i->ino,
		.flags = atomic_load_relaxed(&i->map.alloc_flags) & SPACE_ROOT};
	struct inode *ea = inode_alloc(i->volume, 0);
	int err;

	if (!ea)
		return ERR(ENOMEM);
	atomic_or(&ea->state, INODE_EA | INODE_BLANK);
	err = inode_take_number(h, ea, &req);
	if (err) {
		inode_free_memory(ea);
		return err;
	}
	err = create_at(h, i, ea, value, size);
	if (!err)
		*out = ea;
	return err;
}

void xattr_ea_discard(struct handle *h, struct inode *ea)
{
	set_refs(ea, 0);
	(void)unlink_value(h, ea);
}

/* Each block may come from another group, but there are only so many bitmaps and descriptors. */
u32 xattr_ea_create_credits(const struct volume *v, size_t size)
{
	const struct super_info *sb = &v->sb;
	u32 blocks = (u32)div_up(size, sb->block_size), takes = blocks + TREE_BLOCKS;

	return takes + min_of(takes, sb->group_count) + min_of(takes, sb->gdt_blocks) +
	       SPACE_INODE_CREDITS + INODE_DIRTY_CREDITS + ORPHAN_CREDITS;
}
