/*
 * Directories: linear and htree, and the name operations built on them.
 *
 * Names are bytes, 1..255, no NUL, no '/'. Every name operation is one handle:
 * after a crash it is there as a whole or not at all (DR-15..18).
 *
 * Locks: the operations take the directories' inode locks themselves (parent
 * before child, the rename lock before two directories) and check permissions
 * under them. No lock or handle may be held by the caller.
 */
#ifndef DIR_DIR_H
#define DIR_DIR_H

#include "inode/inode.h"
#include "inode/orphan.h"
#include "inode/xattr.h"

struct name {
	const char *s;
	u32 len;
};

/* -ENOENT, or the inode number and DT_-like file type (EXT4_FT_*, 0 unknown). */
int dir_lookup(struct inode *dir, const struct cred *cred, struct name name, ino_nr *ino, u8 *type);
/* The same with a reference to the inode, which can't be deleted in between. */
int dir_lookup_inode(
	struct inode *dir, const struct cred *cred, struct name name, struct inode **out);

/*
 * Calls emit for entries after *cookie (0 = start, "." and ".." included) until it returns
 * false; *cookie then continues after the last accepted one (DR-13). emit gets no locks to worry
 * about but must not call back into this directory. The cookie of each entry is the value
 * that continues after it.
 */
typedef bool dir_emit_fn(void *arg, struct name name, ino_nr ino, u8 type, u64 next_cookie);
int dir_iterate(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg);

struct create_request {
	u32 mode;  /* type and permissions */
	u32 umask; /* applied unless the parent has a default ACL */
	u32 rdev_major, rdev_minor;
	const char *target; /* symlink */
	u32 target_len;
};
/* Any type. -EEXIST, -ENOSPC, ... *out may be NULL. */
int dir_create(struct inode *dir, const struct cred *cred, struct name name,
	const struct create_request *req, struct inode **out);
/* Unnamed file (O_TMPFILE). */
int dir_tmpfile(struct inode *dir, const struct cred *cred, const struct create_request *req,
	struct inode **out);
int dir_link(struct inode *dir, const struct cred *cred, struct name name, struct inode *inode);
int dir_unlink(struct inode *dir, const struct cred *cred, struct name name);
int dir_rmdir(struct inode *dir, const struct cred *cred, struct name name);
enum { RENAME_F_NOREPLACE = 1, RENAME_F_EXCHANGE = 2, RENAME_F_WHITEOUT = 4 };
int dir_rename(struct inode *from_dir, struct name from, struct inode *to_dir, struct name to,
	const struct cred *cred, u32 flags);
/* Hook of DR-19: called before a rename replaces a file, with the file that takes its place. */
void dir_set_replace_hook(struct volume *v, void (*hook)(struct inode *moved));

/* Per volume: rename lock and cache of names, of that many bytes about. */
int dir_init(struct volume *v, u64 name_bytes);
void dir_fini(struct volume *v);
/* How often dir_lookup_inode found a name in memory, and did not. */
void name_cache_stats(const struct volume *v, u64 *hits, u64 *misses);
/* Parent number from ".."; -ENOENT for a removed directory. */
int dir_parent(struct inode *dir, ino_nr *parent);

#endif
