/*
 * Finishing at mount what a crash interrupted (OR-5, OR-6): entries with links
 * are truncated to their size, those without are deleted. Every entry is
 * untrusted; a bad one ends its list, and is reported.
 */
#include "base/err.h"
#include "inode/orphan_priv.h"

#include <sys/stat.h>

static int usable(struct volume *v, ino_nr ino)
{
	int used;

	if (ino < v->sb.first_ino || ino > v->sb.inodes_count)
		return volume_error(v, ERR(EUCLEAN), ino, 0,
			"orphan record with a reserved or too large inode number; run e2fsck");
	used = space_inode_in_use(v, ino);
	if (used > 0)
		return 0;
	return used < 0 ? used
			: volume_error(v, ERR(EUCLEAN), ino, 0,
				  "orphan record of a free inode; run e2fsck");
}

static bool truncatable(const struct inode *i)
{
	return inode_is(i, S_IFREG) || inode_is(i, S_IFDIR) || inode_is(i, S_IFLNK);
}

/* Takes the reference: dropping it deletes an inode without links. */
static int finish_inode(struct inode *i, struct orphan_report *out)
{
	int err = 0;

	if (i->f.links == 0) {
		out->deleted++;
	} else if (!truncatable(i)) {
		err = volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
			"orphan record of an inode that can't be truncated; run e2fsck");
	} else {
		out->truncated++;
		os_rwsem_lock(&i->lock);
		err = inode_truncate_blocks(i);
		os_rwsem_unlock(&i->lock);
	}
	inode_put(i);
	return err;
}

static int finish_slot(struct volume *v, u32 slot, ino_nr ino, struct orphan_report *out)
{
	struct inode *i;
	int err = usable(v, ino);

	if (!err)
		err = inode_get_special(v, ino, &i);
	if (err)
		return err;
	if (inode_state(i, INODE_ORPHAN_FILE | INODE_ORPHAN_LIST)) {
		inode_put(i);
		return volume_error(
			v, ERR(EUCLEAN), ino, 0, "two orphan records of one inode; run e2fsck");
	}
	orphan_file_adopt(i, slot);
	return finish_inode(i, out);
}

static void file_cleanup(struct volume *v, struct orphan_report *out)
{
	for (u32 slot = 0; slot < orphan_file_slots(v); slot++) {
		ino_nr ino = orphan_file_entry(v, slot);

		if (ino && finish_slot(v, slot, ino, out))
			out->skipped++;
	}
}

/* What could not be finished stays, in memory and on disk, before the entries that follow. */
static int list_adopt(struct volume *v, ino_nr ino, struct inode **out, ino_nr *next)
{
	struct orphans *o = v->orphans;
	struct inode *i, *kept;
	int err = usable(v, ino);
	bool seen;

	if (!err)
		err = inode_get_special(v, ino, &i);
	if (err)
		return err;
	os_mutex_lock(&o->lock);
	seen = inode_state(i, INODE_ORPHAN_FILE | INODE_ORPHAN_LIST);
	list_for_each_entry (kept, &o->list, orphan_node)
		seen |= kept->ino == ino;
	if (!seen) {
		list_add_tail(&o->list, &i->orphan_node);
		atomic_or(&i->state, INODE_ORPHAN_LIST);
	}
	os_mutex_unlock(&o->lock);
	if (seen) {
		inode_put(i);
		return volume_error(
			v, ERR(EUCLEAN), ino, 0, "the orphan list has a loop; run e2fsck");
	}
	*next = i->f.dtime;
	*out = i;
	return 0;
}

/* What follows the entries that were adopted is dropped. */
static int list_cut(struct volume *v)
{
	struct handle h;
	int err = handle_start(v->journal, &h, ORPHAN_CREDITS, 0);

	return err ? err : handle_end(&h, orphan_list_cut(&h, v));
}

/*
 * Each finished inode removes itself; one that is none ends the walk. What can't be looked at is no
 * damage: the list stays for the next mount.
 */
static int list_cleanup(struct volume *v, struct orphan_report *out)
{
	ino_nr ino = le32_to_cpu(volume_super(v)->s_last_orphan), next = 0;
	struct inode *i = NULL;

	for (; ino; ino = next) {
		int err = list_adopt(v, ino, &i, &next);

		if (err && err != -EUCLEAN && err != -EBADMSG)
			return err;
		if (err) {
			out->skipped++;
			log_msg(&v->log, LOG_WARNING,
				"the orphan list is damaged at inode %u and was cut there; run "
				"e2fsck",
				ino);
			return list_cut(v);
		}
		out->skipped += finish_inode(i, out) != 0;
	}
	return 0;
}

/* Without a journal there are no records of ours, but an image may bring some. */
int orphans_cleanup(struct volume *v, bool drop_only, struct orphan_report *out)
{
	if (drop_only)
		return le32_to_cpu(volume_super(v)->s_last_orphan) ? list_cut(v) : 0;
	file_cleanup(v, out);
	return list_cleanup(v, out);
}
