/*
 * rename with its flags, in one handle (DR-18).
 *
 * Moves between two directories are serialised by the rename lock, so that the
 * tree above them stands still: an ancestor is locked before its descendant,
 * unrelated directories by number. Then the two children, by number. Whether
 * the moved directory is an ancestor of its new place is asked before the
 * locks, and again if the names changed meanwhile.
 */
#include "base/err.h"
#include "base/mutant.h"
#include "dir/rename_priv.h"

#include <sys/stat.h>

/* Is `ino` dir itself or above it? 1, 0 or an error. The rename lock holds the tree still. */
static int is_above(struct inode *dir, ino_nr ino)
{
	struct inode *at = dir;
	int result = 0;

	inode_hold(at);
	for (u32 depth = 0;; depth++) {
		ino_nr parent;
		int err;

		if (at->ino == ino)
			result = 1;
		if (result || at->ino == EXT4_ROOT_INO)
			break;
		if (depth > at->volume->sb.inodes_count) {
			result = dir_corrupt(at, 0, "the path to the root is a loop");
			break;
		}
		err = dir_parent(at, &parent);
		inode_put(at);
		if (!err)
			err = inode_get(dir->volume, parent, &at);
		if (err == -ESTALE || err == -ENOTDIR)
			return -ENOENT; /* dir itself was removed, then what was above it */
		if (err)
			return err;
	}
	inode_put(at);
	return result;
}

/* Looks where the names point now; 0 = no such name. */
static int peek(struct inode *dir, struct name name, ino_nr *ino)
{
	const struct cred any = {0};
	u8 type;
	int err = dir_lookup(dir, &any, name, ino, &type);

	if (err != -ENOENT)
		return err;
	*ino = 0;
	return 0;
}

static int relations(struct rename *r)
{
	int err = peek(r->from_dir, r->from, &r->source_seen);

	if (!err)
		err = peek(r->to_dir, r->to, &r->target_seen);
	if (err)
		return err;
	if (r->from_dir == r->to_dir)
		return 0;
	err = is_above(r->to_dir, r->from_dir->ino);
	if (err < 0)
		return err;
	r->from_first = err;
	err = is_above(r->from_dir, r->to_dir->ino);
	if (err < 0)
		return err;
	r->to_first = err;
	err = r->source_seen ? is_above(r->to_dir, r->source_seen) : 0;
	if (err < 0)
		return err;
	r->source_above = err;
	err = r->target_seen ? is_above(r->from_dir, r->target_seen) : 0;
	if (err < 0)
		return err;
	r->target_above = err;
	return 0;
}

static void lock_dirs(struct rename *r)
{
	struct inode *first = r->from_dir, *second = r->to_dir;

	if (first == second) {
		os_rwsem_lock_nested(&first->lock, 0);
		return;
	}
	if (!MUTANT(LOCK_ORDER) && (r->to_first || (!r->from_first && second->ino < first->ino))) {
		first = r->to_dir;
		second = r->from_dir;
	}
	os_rwsem_lock_nested(&first->lock, 0);
	os_rwsem_lock_nested(&second->lock, 1);
}

static int find_both(struct rename *r)
{
	struct volume *v = r->from_dir->volume;
	int err = dir_find(r->from_dir, r->from, &r->from_slot);

	if (err)
		return err;
	err = inode_get(v, le32_to_cpu(slot_entry(&r->from_slot)->inode), &r->source);
	if (err)
		return err;
	err = dir_find(r->to_dir, r->to, &r->to_slot);
	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	return inode_get(v, le32_to_cpu(slot_entry(&r->to_slot)->inode), &r->target);
}

static bool names_moved(const struct rename *r)
{
	return r->source->ino != r->source_seen ||
	       (r->target ? r->target->ino : 0) != r->target_seen;
}

static int tree_check(const struct rename *r)
{
	if (r->target && r->flags & RENAME_F_NOREPLACE)
		return ERR(EEXIST);
	if (!r->target && r->flags & RENAME_F_EXCHANGE)
		return ERR(ENOENT);
	if (r->source == r->from_dir || r->source == r->to_dir || r->source_above)
		return ERR(EINVAL);
	if (r->target && (r->target == r->from_dir || r->target_above))
		return ERR(r->flags & RENAME_F_EXCHANGE ? EINVAL : ENOTEMPTY);
	if (r->target && r->target == r->to_dir)
		return dir_corrupt(r->to_dir, r->to_slot.lblk, "it names itself");
	return 0;
}

static int flags_check(const struct rename *r)
{
	u32 known = RENAME_F_NOREPLACE | RENAME_F_EXCHANGE | RENAME_F_WHITEOUT;
	u32 f = r->flags;

	if (f & ~known || (f & RENAME_F_EXCHANGE && f & (RENAME_F_NOREPLACE | RENAME_F_WHITEOUT)))
		return ERR(EINVAL);
	return 0;
}

static int permission_check(const struct rename *r)
{
	bool exchange = r->flags & RENAME_F_EXCHANGE;
	bool moves = r->from_dir != r->to_dir;
	int err = dir_victim_check(r->from_dir, r->source, r->cred, inode_is(r->source, S_IFDIR));

	if (!err && moves && inode_is(r->source, S_IFDIR))
		err = inode_permission(r->source, r->cred, PERM_WRITE);
	if (!err && r->to_dir->f.flags & EXT4_PROJINHERIT_FL &&
		r->to_dir->f.projid != r->source->f.projid)
		err = ERR(EXDEV);
	if (err || !r->target)
		return err;
	err = dir_victim_check(
		r->to_dir, r->target, r->cred, inode_is(exchange ? r->target : r->source, S_IFDIR));
	if (!err && exchange && moves && inode_is(r->target, S_IFDIR))
		err = inode_permission(r->target, r->cred, PERM_WRITE);
	return err;
}

static bool link_room(const struct inode *dir)
{
	return dir->f.links < 65000 ||
	       (super_has_dir_nlink(&dir->volume->sb) && dir_is_indexed(dir));
}

/* A directory that comes is counted by its new parent, unless one goes in its place. */
static int count_check(const struct rename *r)
{
	bool a = inode_is(r->source, S_IFDIR), b = r->target && inode_is(r->target, S_IFDIR);

	if (r->from_dir == r->to_dir || a == b)
		return 0;
	if (a && !link_room(r->to_dir))
		return ERR(EMLINK);
	return b && r->flags & RENAME_F_EXCHANGE && !link_room(r->from_dir) ? ERR(EMLINK) : 0;
}

/* The moved directories' ".." can be changed: asked first, so that no move stops half-way. */
static int parents_check(const struct rename *r)
{
	int err = 0;

	if (r->from_dir == r->to_dir)
		return 0;
	if (inode_is(r->source, S_IFDIR))
		err = dir_parent_check(r->source, r->from_dir->ino);
	if (!err && r->flags & RENAME_F_EXCHANGE && inode_is(r->target, S_IFDIR))
		err = dir_parent_check(r->target, r->to_dir->ino);
	return err;
}

/* Everything else that can be refused, before anything changes. 1 = nothing to do. */
static int check(struct rename *r)
{
	bool dir = inode_is(r->source, S_IFDIR);
	int err;

	if (r->source == r->target)
		return 1;
	err = permission_check(r);
	if (err)
		return err;
	if (r->target && dir && !(r->flags & RENAME_F_EXCHANGE)) {
		err = dir_check_empty(r->target);
		if (err)
			return err;
	}
	err = count_check(r);
	return err ? err : parents_check(r);
}

static void lock_children(const struct rename *r)
{
	struct inode *a = r->source, *b = r->target;

	if (b && b != a && b->ino < a->ino) {
		a = r->target;
		b = r->source;
	}
	os_rwsem_lock_nested(&a->lock, 2);
	if (b && b != a)
		os_rwsem_lock_nested(&b->lock, 3);
}

/* The parts of tree_check that keep the children apart from the directories, before locking them.
 */
static int rename_children(struct rename *r)
{
	int err = tree_check(r);

	if (err)
		return err;
	lock_children(r);
	err = check(r);
	if (!err)
		err = rename_apply(r);
	inode_unlock_two(r->source, r->target);
	return err > 0 ? 0 : err;
}

static int rename_locked(struct rename *r, bool *again)
{
	int err = dir_change_check(r->from_dir, r->cred);

	if (!err && r->to_dir != r->from_dir)
		err = dir_change_check(r->to_dir, r->cred);
	if (!err)
		err = find_both(r);
	if (err)
		return err;
	*again = names_moved(r);
	return *again ? 0 : rename_children(r);
}

/* References are dropped outside all locks: the replaced file may be deleted by it. */
static void put_all(struct rename *r)
{
	slot_put(&r->from_slot);
	slot_put(&r->to_slot);
}

static void put_inodes(struct rename *r)
{
	if (r->source)
		inode_put(r->source);
	if (r->target)
		inode_put(r->target);
	if (r->whiteout)
		inode_put(r->whiteout);
	r->source = r->target = r->whiteout = NULL;
}

static int rename_attempt(struct rename *r, bool *again)
{
	bool moves = r->from_dir != r->to_dir;
	struct dir_room *room = r->from_dir->volume->dirs;
	int err;

	*again = false;
	if (moves)
		os_mutex_lock(&room->rename_lock);
	err = relations(r);
	if (!err) {
		lock_dirs(r);
		err = rename_locked(r, again);
		put_all(r);
		inode_unlock_two(r->from_dir, r->to_dir);
	}
	if (moves)
		os_mutex_unlock(&room->rename_lock);
	put_inodes(r);
	return err;
}

static bool is_dots(struct name a, struct name b)
{
	return name_is_dots(a) || name_is_dots(b);
}

int dir_rename(struct inode *from_dir, struct name from, struct inode *to_dir, struct name to,
	const struct cred *cred, u32 flags)
{
	struct rename r = {.from_dir = from_dir,
		.to_dir = to_dir,
		.from = from,
		.to = to,
		.cred = cred,
		.flags = flags};
	unsigned attempts = 0;
	bool again;
	int err = flags_check(&r);

	if (err)
		return err;
	if (is_dots(from, to))
		return ERR(flags & RENAME_F_NOREPLACE ? EEXIST : EBUSY);
	if (!inode_is(from_dir, S_IFDIR) || !inode_is(to_dir, S_IFDIR))
		return ERR(ENOTDIR);
	do {
		err = rename_attempt(&r, &again);
	} while (again || (err == -ENOSPC && space_retry(from_dir->volume, &attempts)));
	return err;
}
