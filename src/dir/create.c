/* New names: files, directories, symlinks, devices, hard links, unnamed files. */
#include "base/err.h"
#include "dir/dir_priv.h"
#include "dir/name_cache.h"

#include <string.h>
#include <sys/stat.h>

static u32 create_credits(struct inode *dir, u32 mode)
{
	u32 content = S_ISDIR(mode)   ? dir_block_append_credits(dir)
		      : S_ISLNK(mode) ? inode_slow_symlink_credits(dir)
				      : 0;

	return inode_new_credits(dir) + dir_add_credits(dir) + content + 4 * INODE_DIRTY_CREDITS;
}

static int fill(
	struct handle *h, struct inode *dir, struct inode *i, const struct create_request *req)
{
	int err;

	atomic_store_relaxed(&i->map.alloc_flags, atomic_load_relaxed(&dir->map.alloc_flags));
	if (S_ISDIR(req->mode))
		return dir_make_empty(h, i, dir->ino);
	if (!S_ISLNK(req->mode))
		return 0;
	if (req->target_len >= sizeof(i->f.i_block))
		return inode_set_slow_symlink(h, i, req->target, req->target_len);
	err = inode_set_fast_symlink(i, req->target, req->target_len);
	return err ? err : inode_dirty(h, i);
}

static int enter(struct handle *h, struct inode *dir, struct name name, struct inode *i)
{
	int err = dir_add(h, dir, name, i->ino, dir_type_of(i));

	if (err)
		return err;
	if (inode_is(i, S_IFDIR))
		err = inode_inc_links(dir);
	dir_touched(dir);
	return half_done(h, err ? err : inode_dirty(h, dir));
}

static struct inode_new new_request(
	const struct cred *cred, const struct create_request *req, struct name name)
{
	return (struct inode_new){.mode = req->mode,
		.umask = req->umask,
		.rdev_major = req->rdev_major,
		.rdev_minor = req->rdev_minor,
		.cred = cred,
		.name_hash = name_spread(name)};
}

/* DR-15: inode, name and parent in one handle; a name that fails leaves an orphan, not a leak. */
static int create_once(struct inode *dir, const struct cred *cred, struct name name,
	const struct create_request *req, struct inode **out)
{
	struct inode_new nr = new_request(cred, req, name);
	u32 credits = create_credits(dir, req->mode);
	struct handle h;
	int err = handle_start(dir->volume->journal, &h, credits, 8);

	if (err)
		return err;
	err = inode_new(&h, dir, &nr, out);
	if (err)
		return handle_end(&h, err);
	err = fill(&h, dir, *out, req);
	if (!err)
		err = enter(&h, dir, name, *out);
	if (err)
		(void)inode_new_failed(&h, *out);
	return handle_end(&h, err);
}

static int create_check(struct inode *dir, const struct cred *cred, struct name name, u32 mode)
{
	struct dir_slot s;
	int err;

	if (!inode_is(dir, S_IFDIR))
		return ERR(ENOTDIR);
	err = inode_permission(dir, cred, PERM_EXEC);
	if (err)
		return err;
	err = name_is_dots(name) ? 0 : dir_find(dir, name, &s);
	if (!err) {
		if (!name_is_dots(name))
			slot_put(&s);
		return ERR(EEXIST);
	}
	if (err != -ENOENT)
		return err;
	err = dir_change_check(dir, cred);
	if (!err && S_ISDIR(mode) && dir->f.links >= 65000 &&
		!(super_has_dir_nlink(&dir->volume->sb) && dir_is_indexed(dir)))
		err = ERR(EMLINK);
	return err;
}

/* A failed attempt's inode is dropped without any lock, which deletes it. */
static int create_attempt(struct inode *dir, const struct cred *cred, struct name name,
	const struct create_request *req, struct inode **out)
{
	int err;

	*out = NULL;
	os_rwsem_lock(&dir->lock);
	err = create_check(dir, cred, name, req->mode);
	if (!err) {
		dir_spend_as(dir, cred);
		err = create_once(dir, cred, name, req, out);
	}
	if (!err)
		name_cache_enter(dir, name, (*out)->ino);
	os_rwsem_unlock(&dir->lock);
	if (err && *out)
		inode_put(*out);
	return err;
}

int dir_create(struct inode *dir, const struct cred *cred, struct name name,
	const struct create_request *req, struct inode **out)
{
	unsigned attempts = 0;
	struct inode *i;
	int err;

	do {
		err = create_attempt(dir, cred, name, req, &i);
	} while (err == -ENOSPC && space_retry(dir->volume, &attempts));
	if (err)
		return err;
	if (out)
		*out = i;
	else
		inode_put(i);
	return 0;
}

static int tmpfile_once(struct inode *dir, const struct cred *cred,
	const struct create_request *req, struct inode **out)
{
	struct inode_new nr = new_request(cred, req, (struct name){"", 0});
	struct handle h;
	int err = handle_start(dir->volume->journal, &h, create_credits(dir, req->mode), 8);

	if (err)
		return err;
	nr.no_link = true;
	err = inode_new(&h, dir, &nr, out);
	if (!err)
		atomic_or(&(*out)->state, INODE_TMPFILE);
	return handle_end(&h, err);
}

static int tmpfile_attempt(struct inode *dir, const struct cred *cred,
	const struct create_request *req, struct inode **out)
{
	int err;

	*out = NULL;
	os_rwsem_lock(&dir->lock);
	err = dir_change_check(dir, cred);
	if (!err)
		err = tmpfile_once(dir, cred, req, out);
	os_rwsem_unlock(&dir->lock);
	if (err && *out)
		inode_put(*out);
	return err;
}

int dir_tmpfile(struct inode *dir, const struct cred *cred, const struct create_request *req,
	struct inode **out)
{
	unsigned attempts = 0;
	int err;

	if (!S_ISREG(req->mode))
		return ERR(EINVAL);
	do {
		err = tmpfile_attempt(dir, cred, req, out);
	} while (err == -ENOSPC && space_retry(dir->volume, &attempts));
	return err;
}

static int link_check(const struct inode *dir, const struct inode *i)
{
	if (i->f.flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		return ERR(EPERM);
	if (i->f.links == 0 && !(atomic_load_acq(&i->state) & INODE_TMPFILE))
		return ERR(ENOENT);
	if (dir->f.flags & EXT4_PROJINHERIT_FL && dir->f.projid != i->f.projid)
		return ERR(EXDEV);
	return 0;
}

/* DR-17: the first link of an unnamed file takes its orphan record away in the same handle. */
static int link_in(struct handle *h, struct inode *dir, struct name name, struct inode *i)
{
	bool unnamed = i->f.links == 0;
	int err = inode_inc_links(i);

	if (err)
		return err;
	inode_touch(i, INODE_CTIME);
	err = dir_add(h, dir, name, i->ino, dir_type_of(i));
	if (err) {
		os_mutex_lock(&i->raw_lock);
		i->f.links--;
		os_mutex_unlock(&i->raw_lock);
		return err;
	}
	atomic_and(&i->state, ~(u32)INODE_TMPFILE); /* that right is for its first name only */
	if (unnamed)
		err = orphan_remove(h, i);
	if (!err)
		err = inode_dirty(h, i);
	dir_touched(dir);
	return half_done(h, err ? err : inode_dirty(h, dir));
}

static int link_attempt(
	struct inode *dir, const struct cred *cred, struct name name, struct inode *i)
{
	struct handle h;
	int err;

	os_rwsem_lock_nested(&dir->lock, 0);
	err = create_check(dir, cred, name, 0);
	if (!err && inode_is(i, S_IFDIR))
		err = ERR(EPERM);
	if (err) {
		os_rwsem_unlock(&dir->lock);
		return err;
	}
	os_rwsem_lock_nested(&i->lock, 2);
	err = link_check(dir, i);
	dir_spend_as(dir, cred);
	if (!err)
		err = handle_start(dir->volume->journal, &h,
			dir_add_credits(dir) + ORPHAN_CREDITS + 2 * INODE_DIRTY_CREDITS, 0);
	if (!err)
		err = handle_end(&h, link_in(&h, dir, name, i));
	if (!err)
		name_cache_enter(dir, name, i->ino);
	os_rwsem_unlock(&i->lock);
	os_rwsem_unlock(&dir->lock);
	return err;
}

int dir_link(struct inode *dir, const struct cred *cred, struct name name, struct inode *inode)
{
	unsigned attempts = 0;
	int err;

	do {
		err = link_attempt(dir, cred, name, inode);
	} while (err == -ENOSPC && space_retry(dir->volume, &attempts));
	return err;
}
