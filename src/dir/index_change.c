/* Inserting into an indexed directory, and making one. */
#include "base/err.h"
#include "dir/dir_priv.h"
#include "os/mem.h"

#include <string.h>

/* Raising the root, splitting a node on each level, then the leaf: no insert needs more steps. */
#define INSERT_STEPS_MAX 8

static int try_leaf(struct handle *h, struct inode *dir, struct dx_path *p, struct name name,
	ino_nr ino, u8 type)
{
	struct buf *b;
	int err = dir_block_read(dir, dx_leaf(p), &dir_leaf_type, &b);

	if (err)
		return err;
	err = leaf_insert(h, dir, b, name, ino, type);
	buf_put(b);
	return err;
}

int dx_insert(struct handle *h, struct inode *dir, struct name name, ino_nr ino, u8 type)
{
	int err = -ENOSPC;

	for (u32 step = 0; step < INSERT_STEPS_MAX; step++) {
		struct dx_path p;
		int split_err = 0;

		err = dx_probe(dir, name, &p);
		if (err)
			return err;
		err = try_leaf(h, dir, &p, name, ino, type);
		if (err == -ENOSPC)
			split_err = dx_split_leaf(h, dir, &p);
		dx_put(&p);
		if (err != -ENOSPC)
			return err;
		if (split_err)
			return split_err;
	}
	return ERR(ENOSPC);
}

/* DR-11: the block must start as every directory does. */
static int dots_check(struct inode *dir, struct buf *b, const struct ext4_dirent **rest)
{
	const struct ext4_dirent *dot = (const struct ext4_dirent *)b->data;
	const struct ext4_dirent *dotdot =
		(const struct ext4_dirent *)(b->data + entry_len(dir, dot));
	u32 at = entry_len(dir, dot);

	if (!entry_is(dot, ".") || at != EXT4_DIRENT_MIN || !entry_is(dotdot, ".."))
		return dir_corrupt(dir, 0, "it does not begin with \".\" and \"..\"");
	*rest = (const struct ext4_dirent *)((const u8 *)dotdot + entry_len(dir, dotdot));
	return 0;
}

/* Copies the entries behind the dots to a fresh leaf. */
static void move_entries(struct inode *dir, const u8 *from, u32 at, struct buf *to)
{
	u32 end = leaf_end(dir), out = 0;
	struct ext4_dirent *last = (struct ext4_dirent *)to->data;

	leaf_format(dir, to);
	while (at < end) {
		const struct ext4_dirent *e = (const struct ext4_dirent *)(from + at);
		u32 space = dirent_need(e->name_len);

		if (le32_to_cpu(e->inode)) {
			last = (struct ext4_dirent *)(to->data + out);
			memcpy(last, e, space);
			entry_set_len(dir, last, space);
			out += space;
		}
		at += entry_len(dir, e);
	}
	if (out)
		entry_set_len(dir, last, end - (u32)((u8 *)last - to->data));
}

static void root_format(struct inode *dir, u8 *data, lblk_t leaf)
{
	struct ext4_dx_root *r = (struct ext4_dx_root *)data;
	u32 bs = dir_block_size(dir);
	ino_nr parent = le32_to_cpu(r->dotdot_inode);
	u8 dot_type = r->dot_type, dotdot_type = r->dotdot_type;

	memset(data + EXT4_DIRENT_MIN, 0, bs - EXT4_DIRENT_MIN);
	r->dot_type = dot_type;
	r->dotdot_inode = cpu_to_le32(parent);
	dirent_set_rec_len(
		(struct ext4_dirent *)(data + EXT4_DIRENT_MIN), bs - EXT4_DIRENT_MIN, bs);
	r->dotdot_name_len = 2;
	r->dotdot_type = dotdot_type;
	memcpy(r->dotdot_name, "..", 2);
	r->info.hash_version = dir->volume->sb.def_hash_version;
	r->info.info_length = sizeof(r->info);
	r->countlimit.limit =
		cpu_to_le16((u16)dx_limit(&dir->volume->sb, EXT4_DX_ROOT_COUNT_OFFSET));
	r->countlimit.count = cpu_to_le16(1);
	r->block0 = cpu_to_le32(leaf);
}

static int convert(struct handle *h, struct inode *dir, struct buf *root, u32 rest)
{
	struct buf_ctx ctx = dir_ctx(dir);
	struct buf *leaf;
	lblk_t lblk;
	int err = buf_write_access(h, root);

	if (!err)
		err = dir_block_append(h, dir, &dir_leaf_type, &leaf, &lblk);
	if (err)
		return err;
	move_entries(dir, root->data, rest, leaf);
	root_format(dir, root->data, lblk);
	buf_retype(root, &dir_root_type, &ctx);
	err = buf_dirty(h, root);
	if (!err)
		err = buf_dirty(h, leaf);
	buf_put(leaf);
	os_mutex_lock(&dir->raw_lock);
	dir->f.flags |= EXT4_INDEX_FL;
	os_mutex_unlock(&dir->raw_lock);
	return half_done(h, err ? err : inode_dirty(h, dir));
}

int dx_make_indexed(struct handle *h, struct inode *dir)
{
	const struct ext4_dirent *rest = NULL;
	struct buf *root;
	int err = dir_block_read(dir, 0, &dir_leaf_type, &root);

	if (err)
		return err;
	err = dots_check(dir, root, &rest);
	if (!err)
		err = convert(h, dir, root, (u32)((const u8 *)rest - root->data));
	buf_put(root);
	return err;
}
