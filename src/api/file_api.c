/* uext4/file.h: open files. */
#include "api/api_priv.h"
#include "base/err.h"
#include "os/mem.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

static int open_check(struct inode *i, const struct cred *c, int flags)
{
	u32 want = (flags & O_ACCMODE) == O_WRONLY ? PERM_WRITE
		   : (flags & O_ACCMODE) == O_RDWR ? PERM_READ | PERM_WRITE
						   : PERM_READ;
	int err = api_check(i);

	if (err)
		return err;
	if (inode_is(i, S_IFDIR))
		return ERR(EISDIR);
	if (!inode_is(i, S_IFREG))
		return ERR(inode_is(i, S_IFLNK) ? ELOOP : ENXIO);
	if (api_writes(flags) || flags & O_TRUNC) {
		err = volume_check_write(i->volume);
		if (err)
			return err;
		want |= PERM_WRITE;
	}
	os_rwsem_lock_shared(&i->lock);
	err = inode_permission(i, c, want);
	if (!err && i->f.flags & EXT4_APPEND_FL && want & PERM_WRITE &&
		(!(flags & O_APPEND) || flags & O_TRUNC))
		err = ERR(EPERM);
	if (!err && flags & O_NOATIME)
		err = inode_owner_check(i, c);
	os_rwsem_unlock_shared(&i->lock);
	return err;
}

static int cred_own(struct cred *c)
{
	size_t bytes = c->group_count * sizeof(u32);
	u32 *groups;

	if (bytes == 0)
		return 0;
	groups = os_alloc(bytes);
	if (!groups)
		return ERR(ENOMEM);
	memcpy(groups, c->groups, bytes);
	c->groups = groups;
	return 0;
}

static int open_truncate(struct inode *i, const struct cred *c)
{
	struct attr_change to_zero = {.valid = ATTR_SIZE};

	return inode_setattr(i, c, &to_zero);
}

int api_file_alloc(const struct uext4_cred *cred, int flags, struct uext4_file **out)
{
	struct cred c = cred_from(cred);
	struct uext4_file *f = os_zalloc(sizeof(*f));
	int err;

	if (!f)
		return ERR(ENOMEM);
	err = cred_own(&c);
	if (err) {
		os_free(f);
		return err;
	}
	*f = (struct uext4_file){.refs = 1, .flags = flags, .cred = c};
	*out = f;
	return 0;
}

void api_file_start(struct uext4_file *f, struct inode *i)
{
	inode_hold(i);
	f->inode = i;
	f->error_cursor = iofile_error_sample(&i->io);
	api_count(i, OP_OPEN);
}

void api_file_free(struct uext4_file *f)
{
	os_free((void *)f->cred.groups);
	os_free(f);
}

/* Nothing is truncated before nothing can fail any more. */
int uext4_file_open(struct uext4_inode *inode, const struct uext4_cred *cred, int flags,
	struct uext4_file **out)
{
	struct inode *i = to_inode(inode);
	struct uext4_file *f;
	int err = api_file_alloc(cred, flags, &f);

	if (err)
		return err;
	err = open_check(i, &f->cred, flags);
	if (!err && flags & O_TRUNC)
		err = open_truncate(i, &f->cred);
	if (err) {
		api_file_free(f);
		return err;
	}
	api_file_start(f, i);
	*out = f;
	return 0;
}

void uext4_file_close(struct uext4_file *file)
{
	if (!file || atomic_sub(&file->refs, 1) > 0)
		return;
	if (api_writes(file->flags))
		file_closed(file->inode);
	inode_put(file->inode);
	api_file_free(file);
}

struct uext4_inode *uext4_file_inode(struct uext4_file *file)
{
	return from_inode(file->inode);
}

/* As ftruncate(2): the open for writing was the permission check. */
int uext4_ftruncate(struct uext4_file *file, uint64_t size)
{
	struct attr_change change = {.valid = ATTR_SIZE, .size = size};
	struct cred cred = file->cred;

	if (!api_writes(file->flags))
		return ERR(EINVAL);
	cred.check = false;
	return inode_setattr(file->inode, &cred, &change);
}

int uext4_fallocate(struct uext4_file *file, int mode, uint64_t offset, uint64_t len)
{
	struct file_write_flags flags = api_write_flags(file, 0);
	int err = file_fallocate_check(mode, (s64)offset, (s64)len);

	if (err)
		return err;
	if (!api_writes(file->flags))
		return ERR(EBADF);
	return file_fallocate(file->inode, &flags, mode, (s64)offset, (s64)len);
}

/* IO-87: the error cursor is checked last, whatever the sync itself returned. */
int api_sync(struct uext4_file *file, bool data_only)
{
	int err = file_sync(file->inode, data_only);
	int seen = iofile_error_check(&file->inode->io, &file->error_cursor);

	api_count(file->inode, OP_SYNC);
	return seen ? seen : err;
}

int uext4_fsync(struct uext4_file *file)
{
	return api_sync(file, false);
}

int uext4_fdatasync(struct uext4_file *file)
{
	return api_sync(file, true);
}

int64_t uext4_seek(struct uext4_file *file, uint64_t offset, int whence)
{
	if (offset > INT64_MAX)
		return ERR(ENXIO);
	return file_seek(file->inode, offset, whence);
}

/* Asks in rounds of a few mappings, so that no memory depends on the caller's count. */
int uext4_extents(
	struct uext4_inode *inode, uint64_t offset, struct uext4_extent *out, size_t count)
{
	struct inode *i = to_inode(inode);
	u32 bs = i->volume->sb.block_size;
	struct mapping m[16];
	size_t n = 0;
	int err = api_check(i);

	while (!err && n < count) {
		int got = file_extents(i, offset, m, (u32)min_of(count - n, array_len(m)));

		if (got <= 0) {
			err = got;
			break;
		}
		for (int k = 0; k < got; k++)
			out[n++] = (struct uext4_extent){.offset = (u64)m[k].lblk * bs,
				.length = (u64)m[k].len * bs,
				.physical = m[k].pblk * bs,
				.state = m[k].state == MAP_WRITTEN     ? UEXT4_EXTENT_WRITTEN
					 : m[k].state == MAP_UNWRITTEN ? UEXT4_EXTENT_UNWRITTEN
								       : UEXT4_EXTENT_DELAYED};
		offset = out[n - 1].offset + out[n - 1].length;
	}
	return err ? err : (int)n;
}

struct fiemap_list {
	struct uext4_fiemap_extent *out;
	size_t count, n;
};

static bool fiemap_add(void *arg, const struct file_extent *e)
{
	struct fiemap_list *l = arg;

	if (l->count)
		l->out[l->n] =
			(struct uext4_fiemap_extent){e->logical, e->physical, e->length, e->flags};
	l->n++;
	return l->count == 0 ? l->n < INT_MAX : l->n < l->count;
}

int uext4_fiemap(struct uext4_inode *inode, uint64_t start, uint64_t length, uint32_t flags,
	struct uext4_fiemap_extent *out, size_t count)
{
	struct fiemap_list l = {.out = out, .count = min_of(count, (size_t)INT_MAX)};
	int err = file_fiemap(to_inode(inode), start, length, flags, fiemap_add, &l);

	return err ? err : (int)l.n;
}
