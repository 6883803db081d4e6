/* Operations on inodes: what a FUSE server or a VFS needs. Part of uext4.h. */
#ifndef UEXT4_INODE_H
#define UEXT4_INODE_H

#include <sys/stat.h>
#include <time.h>
#include <uext4/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A counted reference to an inode. Every function that returns one through
 * `out` gives a reference that the caller drops with uext4_inode_put; on an
 * error *out stays as it was. Where a name is made, out may be NULL. A file
 * whose last name is removed lives until its last reference is dropped.
 */
struct uext4_inode;

/*
 * Who asks. NULL stands for root (uid 0, gid 0, everything allowed). With
 * trusted, permissions are not checked (the caller has done so) and the ids
 * only own what is created. privileged = may do what uid 0 may.
 */
struct uext4_cred {
	uint32_t uid, gid;
	const uint32_t *groups;
	size_t group_count;
	bool trusted;
	bool privileged;
};

#define UEXT4_ROOT_INO 2

UEXT4_API int uext4_root(struct uext4_fs *fs, struct uext4_inode **out);
/* By number; ESTALE when it is free, EINVAL for reserved ones. */
UEXT4_API int uext4_inode_get(struct uext4_fs *fs, uint64_t ino, struct uext4_inode **out);
UEXT4_API void uext4_inode_hold(struct uext4_inode *inode);
UEXT4_API void uext4_inode_put(struct uext4_inode *inode); /* NULL is fine */
UEXT4_API uint64_t uext4_inode_number(const struct uext4_inode *inode);
UEXT4_API uint32_t uext4_inode_generation(const struct uext4_inode *inode);

struct uext4_stat {
	uint64_t ino, size, blocks;			   /* blocks of 512 bytes */
	uint32_t mode, links, uid, gid, generation, flags; /* flags: as FS_IOC_GETFLAGS */
	uint32_t rdev_major, rdev_minor, block_size, project;
	struct timespec atime, mtime, ctime, btime;
};
UEXT4_API int uext4_stat(struct uext4_inode *inode, struct uext4_stat *out);

enum { /* bits of uext4_setattr.valid */
	UEXT4_SET_MODE = 1,
	UEXT4_SET_UID = 2,
	UEXT4_SET_GID = 4,
	UEXT4_SET_SIZE = 8,
	UEXT4_SET_ATIME = 16,
	UEXT4_SET_MTIME = 32,
	UEXT4_SET_ATIME_NOW = 64,
	UEXT4_SET_MTIME_NOW = 128,
	UEXT4_SET_CTIME = 256, /* else ctime becomes now */
	UEXT4_SET_FLAGS = 512, /* as FS_IOC_SETFLAGS: the user-modifiable ones */
};
struct uext4_setattr {
	uint32_t valid;
	uint32_t mode, uid, gid, flags;
	uint64_t size;
	struct timespec atime, mtime, ctime;
};
/* chmod, chown, truncate, utimens in one; atomic except that a shrink may end after a crash at the
 * next open. */
UEXT4_API int uext4_setattr(
	struct uext4_inode *inode, const struct uext4_cred *cred, const struct uext4_setattr *attr);
/* access(2): mask of R_OK, W_OK, X_OK; 0 or -EACCES. */
UEXT4_API int uext4_access(struct uext4_inode *inode, const struct uext4_cred *cred, int mask);

/* Names are one component of 1..255 bytes, NUL-terminated. */
UEXT4_API int uext4_lookup(struct uext4_inode *dir, const struct uext4_cred *cred, const char *name,
	struct uext4_inode **out);
/* The parent of a directory. */
UEXT4_API int uext4_parent(struct uext4_inode *dir, struct uext4_inode **out);

struct uext4_create {
	uint32_t
		mode; /* S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO or S_IFSOCK, and permissions */
	uint32_t umask; /* applied unless the directory has a default ACL */
	uint32_t rdev_major, rdev_minor;
};
UEXT4_API int uext4_create(struct uext4_inode *dir, const struct uext4_cred *cred, const char *name,
	const struct uext4_create *req, struct uext4_inode **out);
/* O_TMPFILE: no name; give it one with uext4_link, or drop it. */
UEXT4_API int uext4_tmpfile(struct uext4_inode *dir, const struct uext4_cred *cred,
	const struct uext4_create *req, struct uext4_inode **out);
UEXT4_API int uext4_symlink(struct uext4_inode *dir, const struct uext4_cred *cred,
	const char *name, const char *target, struct uext4_inode **out);
/* Copies at most size bytes, no NUL; returns the target's length (may be > size). */
UEXT4_API ssize_t uext4_readlink(struct uext4_inode *link, char *buf, size_t size);
UEXT4_API int uext4_link(struct uext4_inode *inode, const struct uext4_cred *cred,
	struct uext4_inode *dir, const char *name);
UEXT4_API int uext4_unlink(
	struct uext4_inode *dir, const struct uext4_cred *cred, const char *name);
UEXT4_API int uext4_rmdir(struct uext4_inode *dir, const struct uext4_cred *cred, const char *name);
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT of rename(2). */
UEXT4_API int uext4_rename(struct uext4_inode *from_dir, const char *from,
	struct uext4_inode *to_dir, const char *to, const struct uext4_cred *cred, unsigned flags);

struct uext4_dirent {
	const char *name; /* valid during the call */
	size_t name_len;
	uint64_t ino;
	unsigned type;	      /* DT_* of readdir(3) */
	uint64_t next_cookie; /* continue here after this entry */
};
/* Return false to stop before this entry. Must not change the directory. */
typedef bool uext4_dirent_fn(void *arg, const struct uext4_dirent *entry);
/*
 * From cookie 0 (start) or a next_cookie; "." and ".." come first. Entries that exist throughout
 * are given exactly once even while others come and go.
 */
UEXT4_API int uext4_readdir(struct uext4_inode *dir, const struct uext4_cred *cred, uint64_t cookie,
	uext4_dirent_fn *fn, void *arg);

/* Full names: "user.x", "system.posix_acl_access", ... size 0 asks for the size; as getxattr(2). */
UEXT4_API ssize_t uext4_getxattr(struct uext4_inode *inode, const struct uext4_cred *cred,
	const char *name, void *value, size_t size);
UEXT4_API ssize_t uext4_listxattr(
	struct uext4_inode *inode, const struct uext4_cred *cred, char *names, size_t size);
/* flags: XATTR_CREATE, XATTR_REPLACE of setxattr(2). */
UEXT4_API int uext4_setxattr(struct uext4_inode *inode, const struct uext4_cred *cred,
	const char *name, const void *value, size_t size, int flags);
UEXT4_API int uext4_removexattr(
	struct uext4_inode *inode, const struct uext4_cred *cred, const char *name);

/* fsync(2) of a directory or file without an open file; data_only as fdatasync(2). */
UEXT4_API int uext4_inode_sync(struct uext4_inode *inode, bool data_only);

#ifdef __cplusplus
}
#endif
#endif
