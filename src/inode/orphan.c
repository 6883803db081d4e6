/*
 * Orphan records on the superblock's list, and the choice between list and
 * orphan file (OR-1, OR-2). The list is doubly linked in memory and singly on
 * disk: head in s_last_orphan, next in the dtime field of each inode.
 */
#include "inode/orphan_priv.h"
#include "base/err.h"
#include "os/mem.h"

#include <string.h>

static int head_write(struct handle *h, struct volume *v, ino_nr head)
{
	int err = buf_write_access(h, v->super_buf);

	if (err)
		return err;
	os_mutex_lock(&v->super_buf->lock); /* others copy the block for its other fields */
	volume_super(v)->s_last_orphan = cpu_to_le32(head);
	os_mutex_unlock(&v->super_buf->lock);
	return buf_dirty(h, v->super_buf);
}

static ino_nr head_read(struct volume *v)
{
	return le32_to_cpu(volume_super(v)->s_last_orphan);
}

static void set_next(struct inode *i, ino_nr next)
{
	os_mutex_lock(&i->raw_lock);
	i->f.dtime = next;
	os_mutex_unlock(&i->raw_lock);
}

static int list_insert(struct handle *h, struct inode *i)
{
	struct volume *v = i->volume;
	ino_nr old = head_read(v);
	int err;

	set_next(i, old);
	err = inode_dirty(h, i);
	if (!err)
		err = head_write(h, v, i->ino);
	if (err) {
		set_next(i, 0);
		return err;
	}
	list_add_head(&v->orphans->list, &i->orphan_node);
	atomic_or(&i->state, INODE_ORPHAN_LIST);
	return 0;
}

/* The predecessor, on disk or the head, takes over our successor; the caller writes ours. */
static int list_unlink(struct handle *h, struct inode *i)
{
	struct orphans *o = i->volume->orphans;
	ino_nr next = i->f.dtime;
	int err;

	if (i->orphan_node.prev == &o->list) {
		err = head_write(h, i->volume, next);
	} else {
		struct inode *prev = list_entry(i->orphan_node.prev, struct inode, orphan_node);

		set_next(prev, next);
		err = inode_dirty(h, prev);
	}
	if (err)
		return err;
	set_next(i, 0);
	list_del(&i->orphan_node);
	atomic_and(&i->state, ~(u32)INODE_ORPHAN_LIST);
	return 0;
}

int orphan_list_cut(struct handle *h, struct volume *v)
{
	struct orphans *o = v->orphans;
	struct inode *last;
	int err;

	os_mutex_lock(&o->lock);
	if (list_empty(&o->list)) {
		err = head_write(h, v, 0);
	} else {
		last = list_entry(o->list.prev, struct inode, orphan_node);
		set_next(last, 0);
		err = inode_dirty(h, last);
	}
	os_mutex_unlock(&o->lock);
	return err;
}

int orphan_add(struct handle *h, struct inode *i)
{
	struct orphans *o = i->volume->orphans;
	int err = 0;

	if (!journal_exists(i->volume->journal))
		return 0; /* IO-34: no list without a journal */
	os_mutex_lock(&o->lock);
	if (!inode_state(i, INODE_ORPHAN_LIST | INODE_ORPHAN_FILE)) {
		err = orphan_file_add(h, i);
		if (err == -ENOSPC)
			err = list_insert(h, i);
	}
	os_mutex_unlock(&o->lock);
	return err;
}

int orphan_remove(struct handle *h, struct inode *i)
{
	bool listed = inode_state(i, INODE_ORPHAN_LIST);
	int err = orphan_remove_unwritten(h, i);

	return err || !listed ? err : inode_dirty(h, i);
}

int orphan_remove_unwritten(struct handle *h, struct inode *i)
{
	struct orphans *o = i->volume->orphans;
	int err = 0;

	if (!o)
		return 0;
	os_mutex_lock(&o->lock);
	if (inode_state(i, INODE_ORPHAN_FILE))
		err = orphan_file_remove(h, i);
	else if (inode_state(i, INODE_ORPHAN_LIST))
		err = list_unlink(h, i);
	os_mutex_unlock(&o->lock);
	return err;
}

bool orphan_bury(struct inode *i)
{
	struct orphans *o = i->volume->orphans;
	bool kept = false;

	if (!o)
		return false;
	os_mutex_lock(&o->lock);
	kept = inode_state(i, INODE_ORPHAN_LIST);
	if (kept)
		atomic_or(&i->state, INODE_BURIED);
	os_mutex_unlock(&o->lock);
	return kept;
}

static void buried_free(struct orphans *o)
{
	struct inode *i, *next;

	list_for_each_entry_safe (i, next, &o->list, orphan_node) {
		list_del(&i->orphan_node);
		atomic_and(&i->state, ~(u32)INODE_ORPHAN_LIST);
		if (inode_state(i, INODE_BURIED))
			inode_free_memory(i);
	}
}

int orphans_create(struct volume *v)
{
	struct orphans *o = os_zalloc(sizeof(*o));
	int err;

	if (!o)
		return ERR(ENOMEM);
	os_mutex_init(&o->lock, RANK_ORPHAN, "orphans");
	list_init(&o->list);
	v->orphans = o;
	err = orphan_file_open(v);
	if (err) {
		os_free(o);
		v->orphans = NULL;
	}
	return err;
}

void orphans_destroy(struct volume *v)
{
	if (!v->orphans)
		return;
	orphan_file_close(v);
	buried_free(v->orphans);
	os_mutex_fini(&v->orphans->lock);
	os_free(v->orphans);
	v->orphans = NULL;
}
