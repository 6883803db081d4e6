/*
 * The part of FUSE's INIT exchange that libfuse 3.14 does not know: parallel direct writes need
 * FOPEN_DIRECT_IO, with which a file could not be mapped shared unless both sides agree on
 * DIRECT_IO_ALLOW_MMAP. So the kernel's first request is read for it, and the reply amended.
 */
#include "server.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define DIRECT_IO_ALLOW_MMAP (1u << 4) /* of flags2; FUSE 7.39 */
/* Linux 6.18: from here on stale pages go after a direct write, too, not only before it. */
#define MINOR_NEEDED 45

static ssize_t request_read(int fd, void *buf, size_t len, void *arg)
{
	struct server *s = arg;
	const struct fuse_in_header *head = buf;
	const struct fuse_init_in *in = (const void *)(head + 1);
	ssize_t n = read(fd, buf, len);

	if (n >= (ssize_t)(sizeof(*head) + sizeof(*in)) && head->opcode == FUSE_INIT) {
		s->init_request = head->unique;
		s->parallel_direct = in->minor >= MINOR_NEEDED && in->flags & FUSE_INIT_EXT &&
				     in->flags2 & DIRECT_IO_ALLOW_MMAP;
	}
	return n;
}

static bool is_init_reply(const struct server *s, const struct iovec *iov, int count)
{
	const struct fuse_out_header *head = iov[0].iov_base;

	return s->init_request && head->unique == s->init_request && !head->error && count == 2 &&
	       iov[1].iov_len == sizeof(struct fuse_init_out);
}

static ssize_t reply_write(int fd, struct iovec *iov, int count, void *arg)
{
	struct server *s = arg;

	if (is_init_reply(s, iov, count)) {
		struct fuse_init_out *out = iov[1].iov_base;

		s->init_request = 0;
		if (s->parallel_direct) {
			out->flags |= FUSE_INIT_EXT;
			out->flags2 |= DIRECT_IO_ALLOW_MMAP;
		}
	}
	return writev(fd, iov, count);
}

int init_watch(struct server *s)
{
	static const struct fuse_custom_io io = {.read = request_read, .writev = reply_write};

	return fuse_session_custom_io(s->session, &io, fuse_session_fd(s->session));
}
