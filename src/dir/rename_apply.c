/* The changes of a rename, in one handle. */
#include "base/err.h"
#include "base/mutant.h"
#include "dir/name_cache.h"
#include "dir/rename_priv.h"

#include <sys/stat.h>

static bool crosses(const struct rename *r)
{
	return r->from_dir != r->to_dir;
}

static u32 apply_credits(const struct rename *r)
{
	return dir_add_credits(r->to_dir) + 4 * DIR_REMOVE_CREDITS + ORPHAN_CREDITS +
	       6 * INODE_DIRTY_CREDITS +
	       (r->flags & RENAME_F_WHITEOUT ? inode_new_credits(r->from_dir) : 0);
}

/* The moved inode: ctime, and ".." of a directory that changes its parent. */
static int moved(struct handle *h, struct inode *i, struct inode *new_dir, bool reparent)
{
	int err = 0;

	inode_touch(i, INODE_CTIME);
	if (reparent && inode_is(i, S_IFDIR))
		err = dir_set_parent(h, i, new_dir->ino);
	return err ? err : inode_dirty(h, i);
}

static int dirs_done(struct handle *h, struct rename *r)
{
	int err;

	dir_touched(r->from_dir);
	err = inode_dirty(h, r->from_dir);
	if (err || !crosses(r))
		return err;
	dir_touched(r->to_dir);
	return inode_dirty(h, r->to_dir);
}

/* A directory that changes places with a file takes its link along. */
static int exchange_links(struct rename *r)
{
	bool a = inode_is(r->source, S_IFDIR), b = inode_is(r->target, S_IFDIR);
	struct inode *gains = a ? r->to_dir : r->from_dir;
	int err;

	if (!crosses(r) || a == b)
		return 0;
	err = inode_inc_links(gains);
	if (!err)
		inode_dec_links(gains == r->to_dir ? r->from_dir : r->to_dir);
	return err;
}

static int exchange_rest(struct handle *h, struct rename *r)
{
	int err =
		dir_replace(h, r->from_dir, &r->from_slot, r->target->ino, dir_type_of(r->target));

	if (!err)
		err = exchange_links(r);
	if (!err)
		err = moved(h, r->source, r->to_dir, crosses(r));
	if (!err)
		err = moved(h, r->target, r->from_dir, crosses(r));
	return err ? err : dirs_done(h, r);
}

static int exchange(struct handle *h, struct rename *r)
{
	int err = dir_replace(h, r->to_dir, &r->to_slot, r->source->ino, dir_type_of(r->source));

	return err ? err : half_done(h, exchange_rest(h, r));
}

/*
 * The file or empty directory that loses its name to the source. For to_dir one directory takes
 * the place of another, so that its link count stands.
 */
static int drop_target(struct handle *h, struct rename *r)
{
	return inode_is(r->target, S_IFDIR) ? drop_dir(h, r->target) : drop_link(h, r->target);
}

static int place(struct handle *h, struct rename *r)
{
	u8 type = dir_type_of(r->source);

	if (r->target)
		return dir_replace(h, r->to_dir, &r->to_slot, r->source->ino, type);
	return dir_add(h, r->to_dir, r->to, r->source->ino, type);
}

/* Finds the old name anew: the insert may have moved it to another block (DR-18). */
static int clear_old(struct handle *h, struct rename *r)
{
	struct dir_slot s;
	int err = dir_find(r->from_dir, r->from, &s);

	if (!err && MUTANT(RENAME_STALE_SLOT)) {
		slot_put(&s);
		s = r->from_slot;
		buf_get(s.b);
	}
	if (err)
		return err == -ENOENT ? dir_corrupt(r->from_dir, 0, "a name vanished in a rename")
				      : err;
	if (r->whiteout)
		err = dir_replace(h, r->from_dir, &s, r->whiteout->ino, EXT4_FT_CHR);
	else
		err = dir_remove(h, r->from_dir, &s);
	slot_put(&s);
	return err;
}

static int make_whiteout(struct handle *h, struct rename *r)
{
	struct inode_new nr = {.mode = S_IFCHR, .cred = r->cred};

	return inode_new(h, r->from_dir, &nr, &r->whiteout);
}

static int move_rest(struct handle *h, struct rename *r)
{
	bool dir = inode_is(r->source, S_IFDIR);
	int err = clear_old(h, r);

	if (!err && dir && crosses(r) && !r->target)
		err = inode_inc_links(r->to_dir);
	if (!err && dir && (crosses(r) || r->target))
		inode_dec_links(r->from_dir);
	if (!err)
		err = moved(h, r->source, r->to_dir, crosses(r));
	if (!err && r->target)
		err = drop_target(h, r);
	return err ? err : dirs_done(h, r);
}

static int move(struct handle *h, struct rename *r)
{
	int err = place(h, r);

	return err ? err : half_done(h, move_rest(h, r));
}

static int move_with_whiteout(struct handle *h, struct rename *r)
{
	int err = r->flags & RENAME_F_WHITEOUT ? make_whiteout(h, r) : 0;

	if (!err)
		err = move(h, r);
	if (err && r->whiteout)
		(void)inode_new_failed(h, r->whiteout);
	return err;
}

int rename_apply(struct rename *r)
{
	struct dir_room *room = r->from_dir->volume->dirs;
	struct handle h;
	int err;

	if (r->target && room->replace_hook && !(r->flags & RENAME_F_EXCHANGE))
		room->replace_hook(r->source);
	dir_spend_as(r->to_dir, r->cred);
	err = handle_start(r->from_dir->volume->journal, &h, apply_credits(r), 8);
	if (err)
		return err;
	err = r->flags & RENAME_F_EXCHANGE ? exchange(&h, r) : move_with_whiteout(&h, r);
	err = handle_end(&h, err);
	if (!err)
		name_cache_enter(r->to_dir, r->to, r->source->ino);
	return err;
}
