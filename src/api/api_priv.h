/*
 * How the public objects map to the rooms below: uext4_inode is struct inode
 * itself; uext4_fs and uext4_file are small structs of this room.
 */
#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include "fs/file_direct.h"
#include "api/open_dev.h"
#include "fs/fs.h"

#include <fcntl.h>

#include <uext4.h>

struct uext4_fs {
	struct fs *fs;
	char *path; /* of the image; may be NULL */
	void (*log)(void *arg, enum uext4_log_level level, const char *message);
	void *log_arg;
	u32 queues; /* atomic: of requests, not yet destroyed */
};

struct uext4_file {
	u32 refs;	     /* atomic: the opener's, and one per queued request */
	struct inode *inode; /* one reference */
	int flags;	     /* O_*; immutable */
	struct cred cred;    /* immutable; groups owned */
	u32 error_cursor;    /* atomic: writeback errors already told (IO-91) */
};

static inline struct inode *to_inode(struct uext4_inode *i)
{
	return (struct inode *)i;
}

static inline struct uext4_inode *from_inode(struct inode *i)
{
	return (struct uext4_inode *)i;
}

static inline bool api_writes(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY;
}

static inline void api_count(const struct inode *i, unsigned kind)
{
	tally_add(&i->volume->operations, kind, 1);
}

/* file_api.c: a file is had before anything is changed for it, then started on its inode. */
int api_file_alloc(const struct uext4_cred *cred, int flags, struct uext4_file **out);
void api_file_start(struct uext4_file *f, struct inode *i);
void api_file_free(struct uext4_file *f); /* one not started */

/* rw_api.c: one read or write as asked for by the file's flags and UEXT4_RWF_*. */
struct api_rw {
	struct uext4_file *file;
	const struct iovec *iov;
	unsigned iov_count;
	u64 offset;
	unsigned flags; /* UEXT4_RWF_* */
};
struct file_write_flags api_write_flags(const struct uext4_file *file, unsigned rwf);
int api_rw_check(const struct api_rw *rw, bool write);
bool api_rw_is_direct(const struct api_rw *rw);
/* Fills all but complete() of a transfer. */
void api_rw_direct(const struct api_rw *rw, struct file_direct *f);
ssize_t api_read(const struct api_rw *rw);
ssize_t api_write(const struct api_rw *rw);
/* IO-87: the error cursor is checked last, whatever the sync itself returned. */
int api_sync(struct uext4_file *file, bool data_only);

/* The internal form of a caller's credentials; NULL is root. groups are borrowed. */
struct cred cred_from(const struct uext4_cred *c);

/* 0 or an error for a name of one component that is to be looked up or made. */
int name_check(const char *s, struct name *out);

/* -EIO after a shutdown. */
int api_check(const struct inode *i);

struct last_name {
	struct uext4_inode *dir; /* one reference */
	char name[256];		 /* may be "." or ".." */
	bool slash;		 /* the path ends in one: only a directory can be meant */
};
/* Everything but the last component. -EEXIST for "/". follow: open(2)'s walk to a new file. */
int api_resolve_last(struct uext4_fs *fs, struct uext4_inode *at, const char *path,
	const struct uext4_cred *cred, bool follow, struct last_name *out);

#endif
