/* uext4/inode.h: references, attributes, names. */
#include "api/api_priv.h"
#include "base/err.h"

#include <string.h>

static int get(struct volume *v, ino_nr ino, struct uext4_inode **out)
{
	struct inode *i;
	int err = inode_get(v, ino, &i);

	if (!err)
		*out = from_inode(i);
	return err;
}

/* Where the group's own records are damaged the inode must speak for itself (HD-2). */
static bool never_used(struct volume *v, ino_nr ino)
{
	return space_inode_in_use(v, ino) == 0;
}

int uext4_inode_get(struct uext4_fs *fs, uint64_t ino, struct uext4_inode **out)
{
	struct volume *v = &fs->fs->volume;
	int err = volume_check(v);

	if (err)
		return err;
	if (ino != UEXT4_ROOT_INO && ino < v->sb.first_ino)
		return ERR(EINVAL);
	if (ino > v->sb.inodes_count)
		return ERR(EINVAL);
	/* Its table block may not even be initialised. */
	if (ino != UEXT4_ROOT_INO && never_used(v, (ino_nr)ino))
		return -ESTALE;
	return get(v, (ino_nr)ino, out);
}

int uext4_root(struct uext4_fs *fs, struct uext4_inode **out)
{
	return uext4_inode_get(fs, UEXT4_ROOT_INO, out);
}

void uext4_inode_hold(struct uext4_inode *inode)
{
	inode_hold(to_inode(inode));
}

void uext4_inode_put(struct uext4_inode *inode)
{
	if (inode)
		inode_put(to_inode(inode));
}

uint64_t uext4_inode_number(const struct uext4_inode *inode)
{
	return ((const struct inode *)inode)->ino;
}

uint32_t uext4_inode_generation(const struct uext4_inode *inode)
{
	return ((const struct inode *)inode)->f.generation;
}

static struct timespec timespec_of(struct os_time t)
{
	return (struct timespec){.tv_sec = t.sec, .tv_nsec = t.nsec};
}

static struct os_time os_time_of(struct timespec t)
{
	return (struct os_time){.sec = t.tv_sec, .nsec = (u32)t.tv_nsec};
}

/* raw_lock makes one consistent picture with writers that hold no inode lock (times, blocks). */
int uext4_stat(struct uext4_inode *inode, struct uext4_stat *out)
{
	struct inode *i = to_inode(inode);
	const struct inode_fields *f = &i->f;
	u32 bs = i->volume->sb.block_size;
	int err = api_check(i);

	if (err)
		return err;
	os_mutex_lock(&i->raw_lock);
	*out = (struct uext4_stat){
		.ino = i->ino,
		.size = inode_size(i),
		.blocks = f->blocks + atomic_load_relaxed(&i->map.delayed) * (bs / 512),
		.mode = f->mode,
		.links = f->links,
		.uid = f->uid,
		.gid = f->gid,
		.generation = f->generation,
		.flags = f->flags,
		.block_size = bs,
		.project = f->projid,
		.atime = timespec_of(f->atime),
		.mtime = timespec_of(f->mtime),
		.ctime = timespec_of(f->ctime),
		.btime = timespec_of(f->crtime),
	};
	if (S_ISCHR(f->mode) || S_ISBLK(f->mode))
		inode_dev_decode(f->i_block, &out->rdev_major, &out->rdev_minor);
	os_mutex_unlock(&i->raw_lock);
	return 0;
}

_Static_assert((int)UEXT4_SET_MODE == (int)ATTR_MODE && (int)UEXT4_SET_SIZE == (int)ATTR_SIZE &&
		       (int)UEXT4_SET_CTIME == (int)ATTR_CTIME &&
		       (int)UEXT4_SET_FLAGS == (int)ATTR_FLAGS,
	"the bits are passed through");

int uext4_setattr(
	struct uext4_inode *inode, const struct uext4_cred *cred, const struct uext4_setattr *attr)
{
	struct cred c = cred_from(cred);
	struct attr_change change = {
		.valid = attr->valid,
		.mode = attr->mode,
		.uid = attr->uid,
		.gid = attr->gid,
		.flags = attr->flags,
		.size = attr->size,
		.atime = os_time_of(attr->atime),
		.mtime = os_time_of(attr->mtime),
		.ctime = os_time_of(attr->ctime),
	};

	return inode_setattr(to_inode(inode), &c, &change);
}

int uext4_access(struct uext4_inode *inode, const struct uext4_cred *cred, int mask)
{
	struct inode *i = to_inode(inode);
	struct cred c = cred_from(cred);
	int err = api_check(i);

	if (err)
		return err;
	os_rwsem_lock_shared(&i->lock);
	err = inode_permission(i, &c, (u32)mask & (PERM_READ | PERM_WRITE | PERM_EXEC));
	os_rwsem_unlock_shared(&i->lock);
	return err;
}

int uext4_lookup(struct uext4_inode *dir, const struct uext4_cred *cred, const char *name,
	struct uext4_inode **out)
{
	struct cred c = cred_from(cred);
	struct inode *i;
	struct name n;
	int err = name_check(name, &n);

	if (err)
		return err;
	api_count(to_inode(dir), OP_LOOKUP);
	err = dir_lookup_inode(to_inode(dir), &c, n, &i);
	if (!err)
		*out = from_inode(i);
	return err;
}

int uext4_parent(struct uext4_inode *dir, struct uext4_inode **out)
{
	const struct cred any = {.privileged = true};
	struct inode *i;
	int err = dir_lookup_inode(to_inode(dir), &any, (struct name){"..", 2}, &i);

	if (!err)
		*out = from_inode(i);
	return err;
}

ssize_t uext4_readlink(struct uext4_inode *link, char *buf, size_t size)
{
	return inode_readlink(to_inode(link), buf, size);
}

struct emit_context {
	uext4_dirent_fn *fn;
	void *arg;
};

/* EXT4_FT_* -> DT_* */
static unsigned dirent_type(u8 ft)
{
	static const u8 types[] = {0, 8 /* DT_REG */, 4 /* DT_DIR */, 2 /* DT_CHR */,
		6 /* DT_BLK */, 1 /* DT_FIFO */, 12 /* DT_SOCK */, 10 /* DT_LNK */};

	return ft < sizeof(types) ? types[ft] : 0;
}

static bool emit_public(void *arg, struct name name, ino_nr ino, u8 type, u64 next_cookie)
{
	struct emit_context *e = arg;
	struct uext4_dirent d = {.name = name.s,
		.name_len = name.len,
		.ino = ino,
		.type = dirent_type(type),
		.next_cookie = next_cookie};

	return e->fn(e->arg, &d);
}

int uext4_readdir(struct uext4_inode *dir, const struct uext4_cred *cred, uint64_t cookie,
	uext4_dirent_fn *fn, void *arg)
{
	struct inode *i = to_inode(dir);
	struct emit_context e = {fn, arg};
	int err = api_check(i);

	if (!err && !inode_is(i, S_IFDIR))
		err = ERR(ENOTDIR);
	if (!err && cookie == 0)
		err = uext4_access(dir, cred, PERM_READ);
	return err ? err : dir_iterate(i, &cookie, emit_public, &e);
}

ssize_t uext4_getxattr(struct uext4_inode *inode, const struct uext4_cred *cred, const char *name,
	void *value, size_t size)
{
	struct inode *i = to_inode(inode);
	struct cred c = cred_from(cred);
	int err = api_check(i);

	if (!err && strncmp(name, "trusted.", 8) == 0 && !c.privileged)
		err = ERR(ENODATA);
	if (!err && strncmp(name, "user.", 5) == 0)
		err = uext4_access(inode, cred, PERM_READ);
	return err ? err : xattr_get(i, name, value, size);
}

ssize_t uext4_listxattr(
	struct uext4_inode *inode, const struct uext4_cred *cred, char *names, size_t size)
{
	struct cred c = cred_from(cred);
	int err = api_check(to_inode(inode));

	return err ? err : xattr_list(to_inode(inode), &c, names, size);
}

int uext4_setxattr(struct uext4_inode *inode, const struct uext4_cred *cred, const char *name,
	const void *value, size_t size, int flags)
{
	struct inode *i = to_inode(inode);
	struct cred c = cred_from(cred);
	int err;

	os_rwsem_lock(&i->lock);
	err = xattr_set(i, &c, name, value, size, (u32)flags);
	os_rwsem_unlock(&i->lock);
	return err;
}

int uext4_removexattr(struct uext4_inode *inode, const struct uext4_cred *cred, const char *name)
{
	struct inode *i = to_inode(inode);
	struct cred c = cred_from(cred);
	int err;

	os_rwsem_lock(&i->lock);
	err = xattr_remove(i, &c, name);
	os_rwsem_unlock(&i->lock);
	return err;
}

int uext4_inode_sync(struct uext4_inode *inode, bool data_only)
{
	return file_sync(to_inode(inode), data_only);
}
