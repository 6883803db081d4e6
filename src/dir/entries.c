/* Lookup and change by name, whatever the directory's format. */
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "dir/dir_priv.h"
#include "dir/name_cache.h"

#include <string.h>
#include <sys/stat.h>

u8 dir_type_of(const struct inode *i)
{
	return dirent_type_of_mode(i->f.mode);
}

bool name_is_dots(struct name n)
{
	return n.s[0] == '.' && (n.len == 1 || (n.len == 2 && n.s[1] == '.'));
}

int dir_find_in_block(struct inode *dir, lblk_t lblk, struct name name, struct dir_slot *out)
{
	struct buf *b;
	int err = dir_block_read(dir, lblk, &dir_leaf_type, &b);

	if (err)
		return err;
	err = leaf_find(dir, b, name, out);
	if (err)
		buf_put(b);
	else
		out->lblk = lblk;
	return err;
}

static int find_linear(struct inode *dir, struct name name, struct dir_slot *out)
{
	lblk_t count = dir_block_count(dir);

	for (lblk_t k = 0; k < count; k++) {
		int err = dir_find_in_block(dir, k, name, out);

		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

/* DR-8: names of one hash may go on in the following leaves. */
static int find_indexed(struct inode *dir, struct name name, struct dir_slot *out)
{
	struct dx_path p;
	int err = dx_probe(dir, name, &p);

	if (err)
		return err;
	for (;;) {
		u32 next_hash;
		int more;

		err = dir_find_in_block(dir, dx_leaf(&p), name, out);
		if (err != -ENOENT)
			break;
		more = MUTANT(COLLISION_NOT_FOLLOWED) ? 0 : dx_next(dir, &p, &next_hash);
		if (more < 0)
			err = more;
		if (more <= 0 || next_hash != (p.hash | 1))
			break;
	}
	dx_put(&p);
	return err;
}

int dir_find(struct inode *dir, struct name name, struct dir_slot *out)
{
	int err;

	out->b = NULL;
	if (dir->f.links == 0)
		return -ENOENT; /* removed, but still referenced: it has no blocks */
	if (dir->f.flags & EXT4_INLINE_DATA_FL)
		return ERR(EROFS); /* only changes look here, and these are read-only (MD-26) */
	if (dir_block_count(dir) == 0)
		return dir_corrupt(dir, 0, "the directory is empty of blocks");
	if (!dir_is_indexed(dir) || dir->f.flags & EXT4_CASEFOLD_FL)
		return find_linear(dir, name, out);
	err = find_indexed(dir, name, out);
	return err == -EUCLEAN ? dir_find_despite_index(dir, name, out) : err;
}

static int add_to_block(
	struct handle *h, struct inode *dir, lblk_t lblk, struct name name, ino_nr ino, u8 type)
{
	struct buf *b;
	int err = dir_block_read(dir, lblk, &dir_leaf_type, &b);

	if (err)
		return err;
	err = leaf_insert(h, dir, b, name, ino, type);
	buf_put(b);
	return err;
}

static int add_to_new_block(
	struct handle *h, struct inode *dir, struct name name, ino_nr ino, u8 type)
{
	struct buf *b;
	lblk_t lblk;
	int err = dir_block_append(h, dir, &dir_leaf_type, &b, &lblk);

	if (err)
		return err;
	leaf_format(dir, b);
	err = leaf_insert(h, dir, b, name, ino, type);
	buf_put(b);
	return half_done(h, err);
}

/* dir_hint is where the last entry went: filling a long directory does not start over each time. */
static int add_linear(struct handle *h, struct inode *dir, struct name name, ino_nr ino, u8 type)
{
	lblk_t count = dir_block_count(dir), hint = atomic_load_relaxed(&dir->dir_hint);

	for (lblk_t n = 0; n < count; n++) {
		lblk_t k = (hint + n) % count;
		int err = add_to_block(h, dir, k, name, ino, type);

		if (err == 0)
			atomic_store_relaxed(&dir->dir_hint, k);
		if (err != -ENOSPC)
			return err;
	}
	if (count == 1 && super_has_dir_index(&dir->volume->sb)) {
		int err = dx_make_indexed(h, dir);

		return err ? err : dx_insert(h, dir, name, ino, type);
	}
	return add_to_new_block(h, dir, name, ino, type);
}

/* DR-12: without checksums a bad index is given up, and the directory goes on as a linear one. */
static int drop_index(struct handle *h, struct inode *dir)
{
	if (super_has_metadata_csum(&dir->volume->sb))
		return ERR(EUCLEAN);
	os_mutex_lock(&dir->raw_lock);
	dir->f.flags &= ~(u32)EXT4_INDEX_FL;
	os_mutex_unlock(&dir->raw_lock);
	return inode_dirty(h, dir);
}

int dir_add(struct handle *h, struct inode *dir, struct name name, ino_nr ino, u8 type)
{
	int err;

	if (!dir_is_indexed(dir))
		return add_linear(h, dir, name, ino, type);
	err = dx_insert(h, dir, name, ino, type);
	if (err != -EUCLEAN)
		return err;
	err = drop_index(h, dir);
	return err ? err : add_linear(h, dir, name, ino, type);
}

/* At most: raise the root, split a node per level, split the leaf, each with one new block. */
u32 dir_add_credits(const struct inode *dir)
{
	return (DX_LEVELS_MAX + 2) * (dir_block_append_credits(dir) + 2) + INODE_DIRTY_CREDITS;
}

int dir_make_empty(struct handle *h, struct inode *dir, ino_nr parent)
{
	u8 type = super_has_filetype(&dir->volume->sb) ? EXT4_FT_DIR : 0;
	struct ext4_dirent *dot, *dotdot;
	struct buf *b;
	lblk_t lblk;
	int err = dir_block_append(h, dir, &dir_leaf_type, &b, &lblk);

	if (err)
		return err;
	leaf_format(dir, b);
	dot = (struct ext4_dirent *)b->data;
	dotdot = (struct ext4_dirent *)(b->data + EXT4_DIRENT_MIN);
	dot->inode = cpu_to_le32(dir->ino);
	dot->name_len = 1;
	dot->file_type = type;
	dot->name[0] = '.';
	entry_set_len(dir, dot, EXT4_DIRENT_MIN);
	dotdot->inode = cpu_to_le32(parent);
	dotdot->name_len = 2;
	dotdot->file_type = type;
	memcpy(dotdot->name, "..", 2);
	entry_set_len(dir, dotdot, leaf_end(dir) - EXT4_DIRENT_MIN);
	err = buf_dirty(h, b);
	buf_put(b);
	return err;
}

/* ".." stands at the same place in both formats; who seals the block differs (DR-12). */
static int dotdot_open(struct inode *dir, struct buf **b, struct ext4_dirent **e)
{
	const struct buf_type *type = dir_is_indexed(dir) ? &dir_root_type : &dir_leaf_type;
	int err = dir_block_read(dir, 0, type, b);

	if (err)
		return err;
	*e = (struct ext4_dirent *)((*b)->data + EXT4_DIRENT_MIN);
	if (entry_len(dir, (struct ext4_dirent *)(*b)->data) == EXT4_DIRENT_MIN &&
		entry_is(*e, ".."))
		return 0;
	buf_put(*b);
	return dir_corrupt(dir, 0, "\"..\" is not its second entry");
}

int dir_set_parent(struct handle *h, struct inode *dir, ino_nr parent)
{
	struct ext4_dirent *e;
	struct buf *b;
	int err = dotdot_open(dir, &b, &e);

	if (err)
		return err;
	err = buf_write_access(h, b);
	if (!err) {
		e->inode = cpu_to_le32(parent);
		err = buf_dirty(h, b);
	}
	buf_put(b);
	return err;
}

static int parent_locked(struct inode *dir, ino_nr *parent)
{
	struct ext4_dirent *e;
	struct buf *b;
	int err;

	if (dir->f.links == 0)
		return -ENOENT;
	if (dir->f.flags & EXT4_INLINE_DATA_FL) {
		*parent = inline_parent(dir);
		return 0;
	}
	err = dotdot_open(dir, &b, &e);
	if (err)
		return err;
	*parent = le32_to_cpu(e->inode);
	buf_put(b);
	return 0;
}

int dir_parent_check(struct inode *dir, ino_nr parent)
{
	ino_nr found;
	int err = parent_locked(dir, &found);

	if (!err && found != parent)
		err = dir_corrupt(dir, 0, "\"..\" names another directory than its parent");
	return err;
}

int dir_parent(struct inode *dir, ino_nr *parent)
{
	int err;

	if (!inode_is(dir, S_IFDIR))
		return ERR(ENOTDIR);
	os_rwsem_lock_shared_nested(&dir->lock, 0);
	err = parent_locked(dir, parent);
	os_rwsem_unlock_shared(&dir->lock);
	return err;
}

static int lookup_dots(struct inode *dir, struct name name, ino_nr *ino, u8 *type)
{
	*type = EXT4_FT_DIR;
	*ino = dir->ino;
	return name.len == 1 ? 0 : parent_locked(dir, ino);
}

static int lookup_locked(
	struct inode *dir, const struct cred *cred, struct name name, ino_nr *ino, u8 *type)
{
	struct dir_slot s = {0};
	int err = inode_permission(dir, cred, PERM_EXEC);

	if (err)
		return err;
	if (name_is_dots(name))
		return lookup_dots(dir, name, ino, type);
	if (dir->f.flags & EXT4_INLINE_DATA_FL)
		return inline_find(dir, name, ino, type);
	err = dir_find(dir, name, &s);
	if (err)
		return err;
	*ino = le32_to_cpu(slot_entry(&s)->inode);
	name_cache_enter(dir, name, *ino);
	*type = slot_entry(&s)->file_type;
	slot_put(&s);
	return 0;
}

static int lookup_check(const struct inode *dir)
{
	int err = volume_check(dir->volume);

	return !err && !inode_is(dir, S_IFDIR) ? ERR(ENOTDIR) : err;
}

int dir_lookup(struct inode *dir, const struct cred *cred, struct name name, ino_nr *ino, u8 *type)
{
	int err = lookup_check(dir);

	if (err)
		return err;
	os_rwsem_lock_shared(&dir->lock);
	err = lookup_locked(dir, cred, name, ino, type);
	os_rwsem_unlock_shared(&dir->lock);
	return err;
}

/* After an abort only the blocks tell what is there. */
static bool remembered(struct inode *dir, struct name name, struct name_found *out)
{
	return !journal_aborted(dir->volume->journal) && name_cache_find(dir, name, out);
}

static int lookup_under_lock(
	struct inode *dir, const struct cred *cred, struct name name, struct inode **out)
{
	struct name_found found;
	bool hit = remembered(dir, name, &found);
	u8 type;
	int err;

	tally_add(&dir->volume->dirs->lookups, hit ? NAME_HIT : NAME_MISS, 1);
	if (hit)
		err = inode_permission(dir, cred, PERM_EXEC);
	else
		err = lookup_locked(dir, cred, name, &found.ino, &type);
	return err ? err : inode_get(dir->volume, found.ino, out);
}

/* What is in memory, without a lock; the name was still there when its inode could go no more. */
static struct inode *lookup_in_memory(struct inode *dir, struct name name)
{
	struct name_found found;
	struct inode *i;

	if (!remembered(dir, name, &found))
		return NULL;
	TRACE("name_found", dir->ino, found.ino);
	i = inode_get_cached(dir->volume, found.ino);
	if (!i || name_still_found(&found) || MUTANT(NAME_NOT_ASKED_AGAIN))
		return i;
	inode_put(i);
	return NULL;
}

/* Under the lock the name can't go, so neither can its inode: the number is not yet another's. */
int dir_lookup_inode(
	struct inode *dir, const struct cred *cred, struct name name, struct inode **out)
{
	int err = lookup_check(dir);

	if (err)
		return err;
	if (!cred->check && (*out = lookup_in_memory(dir, name)) != NULL) {
		tally_add(&dir->volume->dirs->lookups, NAME_HIT, 1);
		return 0;
	}
	os_rwsem_lock_shared(&dir->lock);
	err = lookup_under_lock(dir, cred, name, out);
	os_rwsem_unlock_shared(&dir->lock);
	return err;
}
