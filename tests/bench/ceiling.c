/*
 * uext4-ceiling DIR MOUNTPOINT: forwards a mount to DIR, one system call for one request. What it
 * reaches is what FUSE lets any server reach here.
 *
 * As `uext4 mount` has it: 32 threads, names and attributes cached for a day, data kept over opens,
 * no writeback cache, no auto-invalidation, no flush, no opendir, background and readahead
 * limits, parallel direct writes. O_DIRECT goes through, from memory aligned for it.
 *
 * Cheaper than a file system can be: a node is a path, which the kernel never forgets while it
 * uses it; extended attributes are refused once and for all, where a file system is asked for
 * security.capability before each buffered write; a listing does not bring attributes; nothing is
 * checked or counted. No rename, no links: the rows of the bench need none.
 */
#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 12)
#include <fuse_lowlevel.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS 32
#define CACHE_SECONDS 86400.0
#define PATH_BYTES 512

struct node {
	uint64_t lookups; /* atomic */
	char path[];
};

static int root_fd;

static const char *path_of(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? "." : ((struct node *)(uintptr_t)ino)->path;
}

static void path_join(char *out, fuse_ino_t parent, const char *name)
{
	snprintf(out, PATH_BYTES, "%s/%s", path_of(parent), name);
}

static int entry_make(const char *path, struct fuse_entry_param *e)
{
	struct node *n;

	*e = (struct fuse_entry_param){
		.attr_timeout = CACHE_SECONDS, .entry_timeout = CACHE_SECONDS};
	if (fstatat(root_fd, path, &e->attr, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	n = malloc(sizeof(*n) + strlen(path) + 1);
	if (!n)
		return ENOMEM;
	n->lookups = 1;
	strcpy(n->path, path);
	e->ino = (uintptr_t)n;
	return 0;
}

static void reply_made(fuse_req_t req, const char *path)
{
	struct fuse_entry_param e;
	int err = entry_make(path, &e);

	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_entry(req, &e);
}

static void op_init(void *arg, struct fuse_conn_info *conn)
{
	conn->want |= conn->capable &
		      (FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_DIO |
			      FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_EXPLICIT_INVAL_DATA);
	conn->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ);
	conn->max_readahead = 1 << 20;
	conn->max_background = 64;
	conn->congestion_threshold = 48;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param e;
	char path[PATH_BYTES];
	int err;

	path_join(path, parent, name);
	err = entry_make(path, &e);
	if (err == ENOENT) {
		e = (struct fuse_entry_param){.entry_timeout = CACHE_SECONDS};
		err = 0;
	}
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_entry(req, &e);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct node *n = (struct node *)(uintptr_t)ino;

	if (ino != FUSE_ROOT_ID && __atomic_sub_fetch(&n->lookups, count, __ATOMIC_ACQ_REL) == 0)
		free(n);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	if (fstatat(root_fd, path_of(ino), &st, AT_SYMLINK_NOFOLLOW) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_attr(req, &st, CACHE_SECONDS);
}

static int attr_change(const char *path, int fd, const struct stat *a, int set)
{
	const struct timespec times[2] = {
		set & FUSE_SET_ATTR_ATIME ? a->st_atim : (struct timespec){.tv_nsec = UTIME_OMIT},
		set & FUSE_SET_ATTR_MTIME ? a->st_mtim : (struct timespec){.tv_nsec = UTIME_OMIT}};

	if (set & FUSE_SET_ATTR_MODE && fchmodat(root_fd, path, a->st_mode, 0) < 0)
		return errno;
	if (set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID) &&
		fchownat(root_fd, path, set & FUSE_SET_ATTR_UID ? a->st_uid : (uid_t)-1,
			set & FUSE_SET_ATTR_GID ? a->st_gid : (gid_t)-1, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	if (set & FUSE_SET_ATTR_SIZE && ftruncate(fd, a->st_size) < 0)
		return errno;
	if (set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME) &&
		utimensat(root_fd, path, times, AT_SYMLINK_NOFOLLOW) < 0)
		return errno;
	return 0;
}

static void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	bool own = to_set & FUSE_SET_ATTR_SIZE && !fi;
	int fd = own ? openat(root_fd, path_of(ino), O_WRONLY) : fi ? (int)fi->fh : -1;
	int err = attr_change(path_of(ino), fd, attr, to_set);

	if (own)
		close(fd);
	if (err)
		fuse_reply_err(req, err);
	else
		op_getattr(req, ino, NULL);
}

static void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	char path[PATH_BYTES];

	path_join(path, parent, name);
	if (mkdirat(root_fd, path, mode) < 0)
		fuse_reply_err(req, errno);
	else
		reply_made(req, path);
}

static void remove_name(fuse_req_t req, fuse_ino_t parent, const char *name, int flags)
{
	char path[PATH_BYTES];

	path_join(path, parent, name);
	fuse_reply_err(req, unlinkat(root_fd, path, flags) < 0 ? errno : 0);
}

static void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, 0);
}

static void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_name(req, parent, name, AT_REMOVEDIR);
}

/* libfuse 3.14 has no field for parallel direct writes: the reply is made by hand. */
static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fuse_open_out out = {.open_flags = FOPEN_KEEP_CACHE | FOPEN_NOFLUSH};
	int fd = openat(root_fd, path_of(ino), fi->flags & ~O_NOFOLLOW);

	if (fd < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	out.fh = (uint64_t)fd;
	if (fi->flags & O_DIRECT)
		out.open_flags |= FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
	fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static void op_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param e;
	char path[PATH_BYTES];
	int fd, err;

	path_join(path, parent, name);
	fd = openat(root_fd, path, fi->flags | O_CREAT, mode);
	err = fd < 0 ? errno : entry_make(path, &e);
	fi->fh = (uint64_t)fd;
	fi->keep_cache = fi->noflush = 1;
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_create(req, &e, fi);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	close((int)fi->fh);
	fuse_reply_err(req, 0);
}

/* A page-aligned buffer of each thread. */
static char *buffer(size_t size)
{
	static __thread char *memory;
	static __thread size_t have;

	if (have < size) {
		free(memory);
		have = (size + 4095) / 4096 * 4096;
		memory = aligned_alloc(4096, have);
		if (!memory)
			abort();
	}
	return memory;
}

static void op_read(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	char *buf = buffer(size);
	ssize_t n = pread((int)fi->fh, buf, size, off);

	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

static void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	ssize_t n;

	if (fi->flags & O_DIRECT)
		buf = memcpy(buffer(size), buf, size);
	n = pwrite((int)fi->fh, buf, size, off);
	if (n < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_write(req, (size_t)n);
}

static void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	int r = data_only ? fdatasync((int)fi->fh) : fsync((int)fi->fh);

	fuse_reply_err(req, r < 0 ? errno : 0);
}

static void op_fallocate(
	fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	fuse_reply_err(req, fallocate((int)fi->fh, mode, off, len) < 0 ? errno : 0);
}

static void op_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	int fd = openat(root_fd, path_of(ino), O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	char *buf = buffer(size);
	size_t used = 0, need;
	struct dirent *e;

	if (!d) {
		fuse_reply_err(req, errno);
		return;
	}
	if (off)
		seekdir(d, off);
	while ((e = readdir(d)) != NULL) {
		struct stat st = {.st_ino = e->d_ino, .st_mode = DTTOIF(e->d_type)};

		need = fuse_add_direntry(req, buf + used, size - used, e->d_name, &st, e->d_off);
		if (need > size - used)
			break;
		used += need;
	}
	closedir(d);
	fuse_reply_buf(req, buf, used);
}

static const struct fuse_lowlevel_ops ops = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.open = op_open,
	.create = op_create,
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.fsync = op_fsync,
	.fallocate = op_fallocate,
	.readdir = op_readdir,
};

int main(int argc, char **argv)
{
	char *args[] = {argv[0], "-ofsname=ceiling,default_permissions,noatime", NULL};
	struct fuse_args fuse = FUSE_ARGS_INIT(2, args);
	struct rlimit files = {1 << 20, 1 << 20};
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	struct fuse_session *se;
	int code;

	root_fd = argc == 3 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	if (root_fd < 0) {
		fprintf(stderr, "usage: uext4-ceiling DIR MOUNTPOINT\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	umask(0);
	se = fuse_session_new(&fuse, &ops, sizeof(ops), NULL);
	if (!se || fuse_set_signal_handlers(se) < 0 || fuse_session_mount(se, argv[2]) < 0)
		return 1;
	fuse_daemonize(0);
	fuse_loop_cfg_set_max_threads(config, THREADS);
	code = fuse_session_loop_mt(se, config);
	fuse_session_unmount(se);
	fuse_remove_signal_handlers(se);
	fuse_session_destroy(se);
	fuse_loop_cfg_destroy(config);
	return code != 0;
}
