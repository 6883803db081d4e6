/* New inodes: number, ownership, inherited flags, first raw image (MD-24, AL-8). */
#include "base/err.h"
#include "inode/inode_priv.h"

#include <string.h>
#include <sys/stat.h>

/* Flags that a new file takes from its directory, by type. */
#define INHERIT_DIR                                                                                \
	(EXT4_SYNC_FL | EXT4_NODUMP_FL | EXT4_NOATIME_FL | EXT4_JOURNAL_DATA_FL |                  \
		EXT4_DIRSYNC_FL | EXT4_PROJINHERIT_FL | EXT4_CASEFOLD_FL | EXT4_DAX_FL)
#define INHERIT_FILE                                                                               \
	(EXT4_SYNC_FL | EXT4_NODUMP_FL | EXT4_NOATIME_FL | EXT4_JOURNAL_DATA_FL |                  \
		EXT4_PROJINHERIT_FL | EXT4_DAX_FL)
#define INHERIT_OTHER (EXT4_NODUMP_FL | EXT4_NOATIME_FL)

static u32 flags_for(const struct inode *parent, u32 mode)
{
	u32 mask = S_ISDIR(mode) ? INHERIT_DIR : S_ISREG(mode) ? INHERIT_FILE : INHERIT_OTHER;
	u32 flags = parent->f.flags & mask;

	if (super_has_extents(&parent->volume->sb) &&
		(S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
		flags |= EXT4_EXTENTS_FL;
	return flags;
}

static void owner_set(struct inode *i, const struct inode *parent, const struct inode_new *req)
{
	const struct cred *c = req->cred;
	bool sgid = parent->f.mode & S_ISGID;
	u32 mode = req->mode;

	i->f.uid = c->uid;
	i->f.gid = c->gid;
	if (atomic_load_relaxed(&i->volume->flags) & VOLUME_GRPID || sgid)
		i->f.gid = parent->f.gid;
	if (sgid && S_ISDIR(mode))
		mode |= S_ISGID;
	else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !c->privileged &&
		 !cred_in_group(c, i->f.gid))
		mode &= ~(u32)S_ISGID;
	i->f.mode = mode;
}

static void fields_set(struct inode *i, const struct inode *parent, const struct inode_new *req)
{
	const struct super_info *sb = &i->volume->sb;
	struct os_time now = os_clock_wall_coarse(); /* the first write is of the same tick */

	owner_set(i, parent, req);
	i->f.flags = flags_for(parent, req->mode);
	i->f.atime = i->f.mtime = i->f.ctime = i->f.crtime = now;
	i->f.generation = (u32)os_random();
	i->f.version = 1;
	i->f.extra_isize = sb->inode_size > EXT4_INODE_SIZE_OLD ? sb->want_extra_isize : 0;
	i->f.links = req->no_link ? 0 : S_ISDIR(req->mode) ? 2 : 1;
	if (parent->f.flags & EXT4_PROJINHERIT_FL)
		i->f.projid = parent->f.projid;
}

void inode_setup_new(struct inode *i)
{
	struct volume *v = i->volume;
	bool mapped = inode_is(i, S_IFREG) || inode_is(i, S_IFDIR) || inode_is(i, S_IFLNK);

	i->csum_seed = inode_csum_seed(&v->sb, i->ino, i->f.generation);
	iofile_init(&i->io, v->pages, icache_io_ops(v));
	inode_ordered_init(i);
	filemap_init_empty(
		&i->map, v, &inode_map_ops, i->ino, i->csum_seed, i->f.flags & EXT4_EXTENTS_FL);
	i->map.metadata_data = !inode_is(i, S_IFREG) || inode_state(i, INODE_EA);
	if (mapped)
		memcpy(i->f.i_block, i->map.root, sizeof(i->map.root));
}

u32 inode_new_credits(struct inode *parent)
{
	return SPACE_INODE_CREDITS + INODE_DIRTY_CREDITS + ORPHAN_CREDITS + acl_new_credits(parent);
}

static int number_new(
	struct handle *h, struct inode *parent, const struct inode_new *req, struct inode *i)
{
	struct inode_alloc_request ar = {.parent = parent->ino,
		.parent_top = parent->ino == EXT4_ROOT_INO || parent->f.flags & EXT4_TOPDIR_FL,
		.dir = S_ISDIR(req->mode),
		.name_hash = req->name_hash,
		.flags = req->cred->privileged ? SPACE_ROOT : 0};

	return inode_take_number(h, i, &ar);
}

static int finish(
	struct handle *h, struct inode *parent, struct inode *i, const struct inode_new *req)
{
	int err = req->no_link ? orphan_add(h, i) : 0;

	if (!err)
		err = acl_init_new(h, parent, i, req->umask);
	return err ? err : inode_dirty(h, i);
}

static int device_set(struct inode *i, const struct inode_new *req)
{
	if (!S_ISCHR(req->mode) && !S_ISBLK(req->mode))
		return 0;
	return inode_dev_encode(i->f.i_block, req->rdev_major, req->rdev_minor);
}

/* The object is made before the number, so that only I/O can fail once the bitmap has changed. */
int inode_new(
	struct handle *h, struct inode *parent, const struct inode_new *req, struct inode **out)
{
	struct inode *i = inode_alloc(parent->volume, 0);
	int err;

	if (!i)
		return ERR(ENOMEM);
	err = device_set(i, req);
	if (!err)
		err = number_new(h, parent, req, i);
	if (err) {
		inode_free_memory(i);
		return err;
	}
	fields_set(i, parent, req);
	inode_setup_new(i);
	atomic_or(&i->state, INODE_BLANK | INODE_NEW);
	i->parent_hint = parent->ino;
	atomic_store_rel(&i->datasync_tid, handle_tid(h)); /* a file that isn't there has no data */
	err = icache_insert(i);
	if (err) {
		(void)space_inode_free(h, i->volume, i->ino, S_ISDIR(req->mode));
		inode_teardown(i);
		inode_free_memory(i);
		return err;
	}
	*out = i;
	err = finish(h, parent, i, req);
	if (err)
		(void)inode_new_failed(h, i);
	return err;
}

/* DR-15: in the same handle nobody has seen it: no link, on the record; the last put deletes it. */
int inode_new_failed(struct handle *h, struct inode *i)
{
	int err;

	inode_clear_links(i);
	err = orphan_add(h, i);
	if (!err)
		err = inode_dirty(h, i);
	return err;
}
