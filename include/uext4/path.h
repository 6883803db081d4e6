/* Paths with at-style semantics on top of uext4/inode.h. Part of uext4.h. */
#ifndef UEXT4_PATH_H
#define UEXT4_PATH_H

#include <uext4/file.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * `at` is the directory where a relative path starts; NULL = the root. Absolute
 * paths and symlinks start at the root; ".." at the root stays there. Search
 * permission is checked in every directory. ELOOP after 40 symlinks.
 */
enum { UEXT4_NOFOLLOW = 1, /* the last component is not followed if it is a symlink */ };

UEXT4_API int uext4_resolve(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	unsigned flags, const struct uext4_cred *cred, struct uext4_inode **out);
/*
 * The directory that holds the last component, and that component in name (a caller's buffer of
 * 256 bytes). EINVAL-like cases ("/", "..") give -EEXIST or -EINVAL as open(2) with O_CREAT does.
 */
UEXT4_API int uext4_resolve_parent(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	const struct uext4_cred *cred, struct uext4_inode **dir, char *name);

/* openat(2) with O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY besides the flags of uext4_file_open. */
UEXT4_API int uext4_openat(struct uext4_fs *fs, struct uext4_inode *at, const char *path, int flags,
	uint32_t mode, const struct uext4_cred *cred, struct uext4_file **out);
UEXT4_API int uext4_statat(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	unsigned flags, const struct uext4_cred *cred, struct uext4_stat *out);
UEXT4_API int uext4_mknodat(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	const struct uext4_cred *cred, const struct uext4_create *req, struct uext4_inode **out);
UEXT4_API int uext4_mkdirat(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	uint32_t mode, const struct uext4_cred *cred);
UEXT4_API int uext4_symlinkat(struct uext4_fs *fs, const char *target, struct uext4_inode *at,
	const char *path, const struct uext4_cred *cred);
UEXT4_API int uext4_linkat(struct uext4_fs *fs, struct uext4_inode *from_at, const char *from,
	struct uext4_inode *to_at, const char *to, const struct uext4_cred *cred);
/* flags: AT_REMOVEDIR of unlinkat(2). */
UEXT4_API int uext4_unlinkat(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	int flags, const struct uext4_cred *cred);
UEXT4_API int uext4_renameat(struct uext4_fs *fs, struct uext4_inode *from_at, const char *from,
	struct uext4_inode *to_at, const char *to, unsigned flags, const struct uext4_cred *cred);

#ifdef __cplusplus
}
#endif
#endif
