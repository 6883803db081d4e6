/*
 * The FUSE server. One struct server per mount.
 *
 * Nodes: the kernel names inodes by number. A node stands for each number that the kernel knows,
 * holds one reference to the inode and counts the lookups that the kernel will forget. While a
 * request names a node, the kernel keeps it, so that its inode may be used without holding.
 * FUSE's root is 1, ext4's is 2; otherwise the numbers are the same.
 *
 * Handles: an open file; fi->fh points at it. They are listed so that a server that is told to
 * stop with files open can close them and leave a clean file system.
 */
#ifndef FACE_FUSE_SERVER_H
#define FACE_FUSE_SERVER_H

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 12)
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <uext4.h>

#include "options.h"

struct node;

enum { SHARD_COUNT = 64, SHARD_BUCKETS_MIN = 64 };

/* No call into the library is made under its lock. */
struct node_shard {
	pthread_mutex_t lock;
	struct node **buckets; /* lock */
	size_t bucket_count;   /* lock; a power of two */
	size_t node_count;     /* lock */
} __attribute__((aligned(64)));

struct server {
	struct uext4_fs *fs;
	struct uext4_inode *root; /* one reference */
	struct fuse_session *session;
	struct fuse_conn_info_opts *conn_options;
	const struct mount_options *options;
	bool writeback;	       /* the kernel caches writes; set by init */
	uint64_t init_request; /* 0 when it is answered; nothing else is served before */
	bool parallel_direct; /* writes may pass the kernel's cache, several at once; set by init */
	struct direct *direct; /* NULL: each thread serves its own; see direct.h */
	struct node_shard shards[SHARD_COUNT];
	pthread_mutex_t handles_lock;
	struct handle *handles; /* handles_lock */
};

extern const struct fuse_lowlevel_ops server_ops;

static inline struct server *server_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* After mounting, before the first request is read: fills parallel_direct. 0 or -errno. */
int init_watch(struct server *s);

/* Tells the counters of the file system, one a line. */
void stats_report(struct server *s, const char *image);

/* --- nodes --- */

int nodes_init(struct server *s);
void nodes_fini(struct server *s);
/* Drops every node; the kernel must be gone. */
void nodes_forget_all(struct server *s);
/* Takes over the reference to inode and counts one lookup. 0 or -ENOMEM (the reference is gone). */
int node_remember(struct server *s, struct uext4_inode *inode);
void node_forget(struct server *s, fuse_ino_t ino, uint64_t count);
/* The inode that the kernel means; NULL if it was never told. Borrowed. */
struct uext4_inode *node_inode(struct server *s, fuse_ino_t ino);
fuse_ino_t node_number(const struct uext4_inode *inode);

/* --- handles --- */

struct handle {
	struct uext4_file *file;
	struct uext4_file
		*direct; /* opened with O_DIRECT: for what is not for the kernel's cache */
	bool combines;	 /* direct and not synced: see direct.h */
	bool uncached;	 /* its writes come past the kernel's cache, and past its checks */
	struct handle *next, **link; /* server.handles_lock */
};

int handle_open(struct server *s, struct uext4_inode *inode, const struct uext4_cred *cred,
	struct fuse_file_info *fi);
void handle_close(struct server *s, struct handle *h);
void handles_close_all(struct server *s);

static inline struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

static inline struct uext4_file *file_of(const struct fuse_file_info *fi)
{
	return handle_of(fi)->file;
}

/* --- attributes, credentials, entries --- */

enum { GROUPS_MAX = 1024 };

/* The caller; the kernel has checked what it may do (default_permissions). */
struct uext4_cred cred_of(fuse_req_t req);
/* With supplementary groups in groups[GROUPS_MAX]: slow, reads /proc. */
struct uext4_cred cred_with_groups(fuse_req_t req, uint32_t *groups);

int stat_of(struct server *s, struct uext4_inode *inode, struct stat *out);
/* Nobody else changes the file system: what the kernel knows stays true. */
double cache_seconds(void);

/*
 * Fills e and has the kernel know inode, whose reference it takes. On success the caller replies
 * and calls entry_undo if that fails.
 */
int entry_fill(struct server *s, struct uext4_inode *inode, struct fuse_entry_param *e);
void entry_undo(struct server *s, const struct fuse_entry_param *e);
/* Replies with an entry for inode, or with err if it is not 0. Takes the reference. */
void reply_entry(fuse_req_t req, int err, struct uext4_inode *inode);
/* err: 0 or a negative errno. */
void reply_status(fuse_req_t req, int err);

/* --- operations, by file --- */

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t ino);
void op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned cmd, void *arg, struct fuse_file_info *fi,
	unsigned flags, const void *in, size_t in_size, size_t out_size);

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t from_parent, const char *from, fuse_ino_t to_parent,
	const char *to, unsigned flags);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *fi);

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi);
void op_fallocate(
	fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
	struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
	struct fuse_file_info *fi_out, size_t len, int flags);

void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi);

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
	int flags);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

#endif
