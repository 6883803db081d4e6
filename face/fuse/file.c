/* Open files. */
#include "direct.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void handle_list(struct server *s, struct handle *h)
{
	pthread_mutex_lock(&s->handles_lock);
	h->next = s->handles;
	h->link = &s->handles;
	if (h->next)
		h->next->link = &h->next;
	s->handles = h;
	pthread_mutex_unlock(&s->handles_lock);
}

static void handle_unlist(struct server *s, struct handle *h)
{
	pthread_mutex_lock(&s->handles_lock);
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	pthread_mutex_unlock(&s->handles_lock);
}

/* A kernel that caches writes reads around them and knows the end of the file itself. */
static int open_flags(const struct server *s, int flags)
{
	flags &= ~O_DIRECT;
	if (!s->writeback)
		return flags;
	if ((flags & O_ACCMODE) == O_WRONLY)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	return flags & ~O_APPEND;
}

/*
 * Who only writes gains nothing by the kernel's cache: it sends each write at once, and asks for
 * the file's capabilities before. Needs a kernel that keeps its cache true around such writes.
 */
static bool writes_uncached(const struct server *s, int flags)
{
	return s->parallel_direct && !s->writeback &&
	       (flags & O_DIRECT || (flags & O_ACCMODE) == O_WRONLY);
}

int handle_open(struct server *s, struct uext4_inode *inode, const struct uext4_cred *cred,
	struct fuse_file_info *fi)
{
	struct handle *h = calloc(1, sizeof(*h));
	int flags = open_flags(s, fi->flags), err;

	if (!h)
		return -ENOMEM;
	err = uext4_file_open(inode, cred, flags, &h->file);
	if (!err && fi->flags & O_DIRECT) {
		flags = (flags & ~O_TRUNC) | O_DIRECT;
		err = uext4_file_open(inode, cred, flags, &h->direct);
	}
	if (err) {
		uext4_file_close(h->file);
		free(h);
		return err;
	}
	handle_list(s, h);
	fi->fh = (uintptr_t)h;
	fi->keep_cache = 1;
	fi->noflush = !s->writeback;
	h->uncached = writes_uncached(s, fi->flags);
	h->combines = h->direct && !(fi->flags & (O_SYNC | O_DSYNC));
	fi->direct_io = h->uncached;
	return 0;
}

void handle_close(struct server *s, struct handle *h)
{
	handle_unlist(s, h);
	uext4_file_close(h->direct);
	uext4_file_close(h->file);
	free(h);
}

void handles_close_all(struct server *s)
{
	while (s->handles)
		handle_close(s, s->handles);
}

/* libfuse 3.14 knows no parallel direct writes: that reply is made by hand. */
static int reply_open(struct server *s, fuse_req_t req, struct fuse_file_info *fi)
{
	struct fuse_open_out out = {.fh = fi->fh,
		.open_flags = FOPEN_KEEP_CACHE | FOPEN_NOFLUSH | FOPEN_DIRECT_IO |
			      FOPEN_PARALLEL_DIRECT_WRITES};

	if (!handle_of(fi)->uncached || !handle_of(fi)->direct)
		return fuse_reply_open(req, fi);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct server *s = server_of(req);
	struct uext4_inode *inode = node_inode(s, ino);
	struct uext4_cred cred = cred_of(req);
	int err = inode ? handle_open(s, inode, &cred, fi) : -ESTALE;

	if (err)
		reply_status(req, err);
	else if (reply_open(s, req, fi) < 0)
		handle_close(s, handle_of(fi));
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	handle_close(server_of(req), (struct handle *)(uintptr_t)fi->fh);
	reply_status(req, 0);
}

/* --- data --- */

struct read_buffer {
	size_t size;
	char *data;
};
static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

static void buffer_free(void *arg)
{
	struct read_buffer *b = arg;

	free(b->data);
	free(b);
}

static void buffer_key_make(void)
{
	if (pthread_key_create(&buffer_key, buffer_free))
		abort();
}

/* A thread keeps its buffer: memory of this size fresh from the system costs more than the copy. */
static char *buffer_get(size_t size)
{
	struct read_buffer *b;

	pthread_once(&buffer_once, buffer_key_make);
	b = pthread_getspecific(buffer_key);
	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b || pthread_setspecific(buffer_key, b)) {
			free(b);
			return NULL;
		}
	}
	if (b->size < size) {
		free(b->data);
		b->size = 0;
		b->data = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
		if (b->data)
			b->size = size;
	}
	return b->data;
}

/* The kernel's own cache asks for whole pages, so that they may come directly, too. */
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	ssize_t n = -ENOMEM;
	char *buf;

	if (h->combines && direct_serve(server_of(req)->direct, req, h->direct, NULL, size, off))
		return;
	buf = buffer_get(size);
	if (buf)
		n = uext4_pread(h->direct ? h->direct : h->file, buf, size, (uint64_t)off);
	if (n < 0)
		reply_status(req, (int)n);
	else
		fuse_reply_buf(req, buf, (size_t)n);
}

/*
 * Writes past its cache are the ones for which the kernel leaves it to us to drop what a changed
 * program may not keep. It would go on showing the old mode, if it were not told.
 */
static int privileges_drop(fuse_req_t req, fuse_ino_t ino)
{
	static const char capability[] = "security.capability";
	struct server *s = server_of(req);
	struct uext4_inode *inode = node_inode(s, ino);
	struct uext4_setattr set = {.valid = UEXT4_SET_MODE};
	struct uext4_stat st;
	int err = inode ? uext4_stat(inode, &st) : -ESTALE;

	if (err)
		return err;
	if (uext4_getxattr(inode, NULL, capability, NULL, 0) >= 0)
		err = uext4_removexattr(inode, NULL, capability);
	set.mode = st.mode & ~(uint32_t)(S_ISUID | (st.mode & S_IXGRP ? S_ISGID : 0));
	if (!err && set.mode != st.mode && !cred_of(req).privileged) {
		err = uext4_setattr(inode, NULL, &set);
		fuse_lowlevel_notify_inval_inode(s->session, ino, -1, 0);
	}
	return err == -ENODATA ? 0 : err;
}

/* What makes a file longer may wait for a commit. */
static bool write_combines(const struct handle *h, off_t end)
{
	struct uext4_stat st;

	return h->combines && uext4_stat(uext4_file_inode(h->file), &st) == 0 &&
	       (uint64_t)end <= st.size;
}

/* The memory of a request is not aligned as the device wants it. */
static ssize_t write_direct(struct handle *h, const char *buf, size_t size, off_t off)
{
	char *aligned = buffer_get(size);

	if (!aligned)
		return -ENOMEM;
	memcpy(aligned, buf, size);
	return uext4_pwrite(h->direct, aligned, size, (uint64_t)off);
}

/* What the kernel's cache gives up may end anywhere, and may come by any open file. */
void op_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	struct fuse_file_info *fi)
{
	struct handle *h = handle_of(fi);
	bool direct = h->direct && !fi->writepage;
	ssize_t n = h->uncached && !fi->writepage ? privileges_drop(req, ino) : 0;

	if (!n && direct && write_combines(h, off + (off_t)size) &&
		direct_serve(server_of(req)->direct, req, h->direct, buf, size, off))
		return;
	if (!n)
		n = direct ? write_direct(h, buf, size, off)
			   : uext4_pwrite(h->file, buf, size, (uint64_t)off);
	if (n < 0)
		reply_status(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int data_only, struct fuse_file_info *fi)
{
	struct uext4_file *file = file_of(fi);

	reply_status(req, data_only ? uext4_fdatasync(file) : uext4_fsync(file));
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
{
	int64_t at = uext4_seek(file_of(fi), (uint64_t)off, whence);

	if (at < 0)
		reply_status(req, (int)at);
	else
		fuse_reply_lseek(req, at);
}

/* The kernel drops its pages of a range that was changed, but not if that failed half-way. */
void op_fallocate(
	fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len, struct fuse_file_info *fi)
{
	int err = uext4_fallocate(file_of(fi), mode, (uint64_t)off, (uint64_t)len);

	if (err == -ENOSPC || err == -EIO || err == -ENOMEM)
		fuse_lowlevel_notify_inval_inode(server_of(req)->session, ino, off, len);
	reply_status(req, err);
}

/* So long that the cost of a request does not count, so short that a copy can be interrupted. */
#define COPY_MAX (64u << 20)

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
	struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
	struct fuse_file_info *fi_out, size_t len, int flags)
{
	ssize_t n = uext4_copy_file_range(file_of(fi_in), (uint64_t)off_in, file_of(fi_out),
		(uint64_t)off_out, len < COPY_MAX ? len : COPY_MAX);

	if (n < 0)
		reply_status(req, (int)n);
	else
		fuse_reply_write(req, (size_t)n);
}
