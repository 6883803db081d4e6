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

/*
 * The list is taken entry by entry from the head. Each finished inode removes
 * itself; one that can't be finished ends the walk with the head cut off.
 */
static int list_adopt(struct volume *v, ino_nr ino, struct inode **out)
{
	struct orphans *o = v->orphans;
	struct inode *i;
	int err = usable(v, ino);

	if (!err)
		err = inode_get_special(v, ino, &i);
	if (err)
		return err;
	if (inode_state(i, INODE_ORPHAN_FILE | INODE_ORPHAN_LIST)) {
		inode_put(i);
		return volume_error(
			v, ERR(EUCLEAN), ino, 0, "the orphan list has a loop; run e2fsck");
	}
	os_mutex_lock(&o->lock);
	list_add_head(&o->list, &i->orphan_node);
	atomic_or(&i->state, INODE_ORPHAN_LIST);
	os_mutex_unlock(&o->lock);
	*out = i;
	return 0;
}

static int list_drop(struct volume *v)
{
	struct handle h;
	int err = handle_start(v->journal, &h, 1, 0);

	if (err)
		return err;
	err = buf_write_access(&h, v->super_buf);
	if (!err) {
		volume_super(v)->s_last_orphan = cpu_to_le32(0);
		err = buf_dirty(&h, v->super_buf);
	}
	return handle_end(&h, err);
}

static int list_cleanup(struct volume *v, struct orphan_report *out)
{
	ino_nr ino;

	while ((ino = le32_to_cpu(volume_super(v)->s_last_orphan)) != 0) {
		struct inode *i = NULL;

		if (list_adopt(v, ino, &i) == 0 && finish_inode(i, out) == 0 &&
			le32_to_cpu(volume_super(v)->s_last_orphan) != ino)
			continue;
		out->skipped++;
		log_msg(&v->log, LOG_WARNING,
			"the orphan list is damaged at inode %u and was dropped; run e2fsck", ino);
		return list_drop(v);
	}
	return 0;
}

/* Without a journal there are no records of ours, but an image may bring some. */
int orphans_cleanup(struct volume *v, bool drop_only, struct orphan_report *out)
{
	if (drop_only)
		return le32_to_cpu(volume_super(v)->s_last_orphan) ? list_drop(v) : 0;
	file_cleanup(v, out);
	return list_cleanup(v, out);
}
