/* Count to failure: the calls on open files and queues. */
#include "faults.h"

#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/util.h"
#include "os/clock.h"
#include "os/thread.h"

static u8 *bytes(u64 len)
{
	u8 *buf = aligned_alloc(4096, round_up_to(len, 4096));

	if (!buf)
		sim_fail("no memory");
	return memset(buf, 'n', len);
}

static struct uext4_file *which(struct stage *s, const struct call *c)
{
	if (c->name && strcmp(c->name, "direct") == 0)
		return s->direct;
	return c->name && strcmp(c->name, "opened") == 0 ? s->opened : s->file;
}

static s64 run_open(struct stage *s, const struct call *c)
{
	return uext4_file_open(uext4_file_inode(s->other), NULL, c->mode, &s->opened);
}

/* Its name is gone, and its blocks go with the last reference. */
static void hold_deleted(struct stage *s, const struct call *c)
{
	if (uext4_openat(s->fs, NULL, "/dir/a", O_RDWR, 0, NULL, &s->opened) ||
		uext4_pwrite(s->opened, "x", 1, 5000) != 1 ||
		uext4_unlinkat(s->fs, NULL, "/dir/a", 0, NULL))
		sim_fail("no deleted file");
}

static s64 run_close(struct stage *s, const struct call *c)
{
	uext4_file_close(s->opened);
	s->opened = NULL;
	return 0;
}

/* --- reading and writing --- */

/* The letter of the file, or zero in its holes. */
static void see(const struct call *c, const u8 *buf, s64 n)
{
	u8 letter = c->name ? 'd' : 'f';

	for (s64 k = 0; k < n; k++)
		if (buf[k] != letter && buf[k] != 0)
			sim_fail("byte %lld is %02x", (long long)k, buf[k]);
	if (n > 0 && buf[0] != letter)
		sim_fail("the first byte is %02x", buf[0]);
}

static s64 run_pread(struct stage *s, const struct call *c)
{
	u8 *buf = bytes(c->len);
	s64 n = uext4_pread(which(s, c), buf, c->len, c->pos);

	see(c, buf, n);
	free(buf);
	return n;
}

static s64 vectors(struct stage *s, const struct call *c, bool write)
{
	u8 *buf = bytes(c->len);
	struct iovec iov[2] = {{buf, K}, {buf + K, c->len - K}};
	struct uext4_file *f = which(s, c);
	s64 n;

	if (write)
		n = c->mode ? uext4_pwritev2(f, iov, 2, c->pos, (unsigned)c->mode)
			    : uext4_pwritev(f, iov, 2, c->pos);
	else
		n = c->mode ? uext4_preadv2(f, iov, 2, c->pos, (unsigned)c->mode)
			    : uext4_preadv(f, iov, 2, c->pos);
	if (!write)
		see(c, buf, n);
	free(buf);
	return n;
}

static s64 run_preadv(struct stage *s, const struct call *c)
{
	return vectors(s, c, false);
}

static s64 run_pwritev(struct stage *s, const struct call *c)
{
	return vectors(s, c, true);
}

static s64 run_pwrite(struct stage *s, const struct call *c)
{
	u8 *buf = bytes(c->len);
	s64 n = uext4_pwrite(which(s, c), buf, c->len, c->pos);

	free(buf);
	return n;
}

static void open_appending(struct stage *s, const struct call *c)
{
	if (uext4_openat(s->fs, NULL, "/file", O_RDWR | O_APPEND | O_SYNC, 0, NULL, &s->opened))
		sim_fail("no file");
}

static void write_some(struct stage *s, const struct call *c)
{
	u8 *buf = bytes(6 * K);

	if (uext4_pwrite(s->file, buf, 6 * K, 3 * K) != 6 * K ||
		uext4_pwrite(s->file, buf, 2 * K, 18 * K) != 2 * K)
		sim_fail("nothing to sync");
	free(buf);
}

static void read_some(struct stage *s, const struct call *c)
{
	u8 *buf = bytes(c->len);

	if (uext4_pread(s->file, buf, c->len, c->pos) < 0)
		sim_fail("nothing in the cache");
	free(buf);
}

static s64 run_truncate(struct stage *s, const struct call *c)
{
	return uext4_ftruncate(s->file, c->len);
}

static s64 run_fallocate(struct stage *s, const struct call *c)
{
	return uext4_fallocate(which(s, c), c->mode, c->pos, c->len);
}

static s64 run_copy(struct stage *s, const struct call *c)
{
	return uext4_copy_file_range(s->file, 0, s->other, c->pos, c->len);
}

static s64 run_fsync(struct stage *s, const struct call *c)
{
	return c->mode ? uext4_fdatasync(s->file) : uext4_fsync(s->file);
}

static s64 run_seek(struct stage *s, const struct call *c)
{
	return uext4_seek(s->file, c->pos, c->mode);
}

static s64 run_extents(struct stage *s, const struct call *c)
{
	struct uext4_extent e[8];

	return uext4_extents(uext4_file_inode(which(s, c)), 0, e, array_len(e));
}

static s64 run_fiemap(struct stage *s, const struct call *c)
{
	struct uext4_fiemap_extent e[8];

	return uext4_fiemap(uext4_file_inode(c->name ? s->direct : s->other), 0, 1 << 20,
		(u32)c->mode, e, array_len(e));
}

/* --- queues --- */

static s64 run_queue_create(struct stage *s, const struct call *c)
{
	return uext4_queue_create(s->fs, NULL, &s->queue);
}

static void have_queue(struct stage *s, const struct call *c)
{
	if (run_queue_create(s, c))
		sim_fail("no queue");
}

/* Some of everything. Their memory is not freed before the stage. */
static s64 submit(struct stage *s)
{
	static u8 in[8 * K] __attribute__((aligned(4096))),
		out[8 * K] __attribute__((aligned(4096)));
	struct uext4_request r[] = {
		{.op = UEXT4_OP_READ, .file = s->file, .buf = in, .len = 2 * K},
		{.op = UEXT4_OP_READ, .file = s->direct, .buf = in + 4 * K, .len = 2 * K},
		{.op = UEXT4_OP_WRITE, .file = s->file, .offset = 3 * K, .buf = out, .len = 4 * K},
		{.op = UEXT4_OP_WRITE,
			.file = s->direct,
			.offset = 2 * K,
			.buf = out,
			.len = 2 * K},
		{.op = UEXT4_OP_WRITE,
			.file = s->direct,
			.offset = 15 * K,
			.buf = out,
			.len = 3 * K},
		{.op = UEXT4_OP_FALLOCATE, .file = s->other, .offset = 8 * K, .len = 4 * K},
		{.op = UEXT4_OP_FDATASYNC, .file = s->other},
		{.op = UEXT4_OP_NOP},
	};

	memset(out, 'n', sizeof(out));
	return uext4_queue_submit(s->queue, r, array_len(r));
}

/*
 * The first error, or the sum of what was done: each that was taken ends, and once. That indirect
 * maps keep no unwritten blocks is no failure.
 */
static s64 reap(struct stage *s, s64 taken)
{
	struct uext4_completion done[8];
	s64 error = 0, sum = 0;

	while (taken > 0) {
		int n = uext4_queue_reap(s->queue, done, array_len(done), 1, -1);

		if (n <= 0)
			sim_fail("a request is lost: %d", n);
		for (int k = 0; k < n; k++) {
			if (done[k].result < 0 && done[k].result != -EOPNOTSUPP && !error)
				error = done[k].result;
			sum += done[k].result > 0 ? done[k].result : 0;
		}
		taken -= n;
	}
	if (uext4_queue_reap(s->queue, done, 1, 1, 0) != 0)
		sim_fail("a request ended twice");
	return error ? error : sum;
}

static s64 run_queue_submit(struct stage *s, const struct call *c)
{
	s64 taken = submit(s);

	return taken < 0 ? taken : reap(s, taken);
}

static void have_requests(struct stage *s, const struct call *c)
{
	have_queue(s, c);
	s->number = (u64)submit(s);
}

/* All is begun: so none is cancelled. */
static void have_begun_requests(struct stage *s, const struct call *c)
{
	have_requests(s, c);
	os_sleep_ns(NSEC_PER_SEC);
}

static s64 run_queue_reap(struct stage *s, const struct call *c)
{
	return reap(s, (s64)s->number);
}

static s64 run_queue_destroy(struct stage *s, const struct call *c)
{
	uext4_queue_destroy(s->queue);
	s->queue = NULL;
	return 0;
}

static s64 run_queue_eventfd(struct stage *s, const struct call *c)
{
	s64 fd = uext4_queue_eventfd(s->queue);

	return fd < 0 ? fd : 0;
}

#define HOLE FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
#define D "direct"

const struct call faults_files[] = {
	CALL("uext4_file_open", "read", run_open, CALL_READS, .mode = O_RDONLY),
	CALL("uext4_file_open", "truncate", run_open, 0, .mode = O_RDWR | O_TRUNC),
	CALL("uext4_file_close", "last of a deleted file", run_close, CALL_WHOLE,
		.prepare = hold_deleted),
	CALL("uext4_pread", "cached", run_pread, CALL_READS, .pos = 1000, .len = 9000),
	CALL("uext4_pread", "direct", run_pread, CALL_READS, .name = D, .pos = 512, .len = 8192),
	CALL("uext4_preadv", "cached", run_preadv, CALL_READS, .len = 8 * K),
	CALL("uext4_preadv", "direct", run_preadv, CALL_READS, .name = D, .len = 8 * K),
	CALL("uext4_preadv2", "without waiting", run_preadv, CALL_READS, .prepare = read_some,
		.mode = UEXT4_RWF_NOWAIT, .len = 2 * K),
	CALL("uext4_preadv2", "direct without waiting", run_preadv, CALL_READS, .name = D,
		.mode = UEXT4_RWF_NOWAIT, .len = 2 * K),
	CALL("uext4_pwrite", "part of a block", run_pwrite, 0, .pos = 700, .len = 200),
	CALL("uext4_pwrite", "into the hole", run_pwrite, 0, .pos = 3 * K, .len = 4 * K),
	CALL("uext4_pwrite", "far behind the end", run_pwrite, 0, .pos = 20 * K, .len = 3000),
	CALL("uext4_pwrite", "direct", run_pwrite, 0, .name = D, .pos = K, .len = 4 * K),
	CALL("uext4_pwrite", "direct, part of a block", run_pwrite, 0, .name = D, .pos = 512,
		.len = 1024),
	CALL("uext4_pwrite", "direct, unwritten blocks", run_pwrite, CALL_ZEROS, .name = D,
		.pos = 15 * K, .len = 4 * K),
	CALL("uext4_pwrite", "direct behind all blocks", run_pwrite, CALL_ZEROS, .name = D,
		.pos = 20 * K, .len = 3 * K),
	CALL("uext4_pwritev", "cached", run_pwritev, 0, .pos = 3 * K, .len = 4 * K),
	CALL("uext4_pwritev", "appending, O_SYNC", run_pwritev, CALL_SYNCS,
		.prepare = open_appending, .name = "opened", .len = 3 * K),
	CALL("uext4_pwritev2", "durable", run_pwritev, CALL_SYNCS, .mode = UEXT4_RWF_DSYNC,
		.pos = 4 * K, .len = 4 * K),
	CALL("uext4_pwritev2", "appending", run_pwritev, 0, .mode = UEXT4_RWF_APPEND, .len = 4 * K),
	CALL("uext4_pwritev2", "direct, durable", run_pwritev, CALL_SYNCS, .name = D,
		.mode = UEXT4_RWF_DSYNC, .pos = 15 * K, .len = 3 * K),
	CALL("uext4_ftruncate", "to nothing", run_truncate, 0),
	CALL("uext4_ftruncate", "into a block", run_truncate, 0, .len = 2500),
	CALL("uext4_ftruncate", "up", run_truncate, 0, .len = 20000),
	CALL("uext4_fallocate", "hole", run_fallocate, 0, .pos = 2 * K, .len = 6 * K),
	CALL("uext4_fallocate", "behind the end", run_fallocate, 0, .mode = FALLOC_FL_KEEP_SIZE,
		.pos = 12 * K, .len = 9 * K),
	CALL("uext4_fallocate", "growing", run_fallocate, 0, .name = D, .pos = 12 * K,
		.len = 12 * K),
	CALL("uext4_fallocate", "punch", run_fallocate, 0, .prepare = write_some, .mode = HOLE,
		.pos = 500, .len = 9000),
	CALL("uext4_fallocate", "zeroes", run_fallocate, 0, .prepare = write_some,
		.mode = FALLOC_FL_ZERO_RANGE, .pos = 1500, .len = 8000),
	CALL("uext4_fallocate", "collapse", run_fallocate, CALL_ZEROS, .prepare = write_some,
		.mode = FALLOC_FL_COLLAPSE_RANGE, .pos = 2 * K, .len = 3 * K),
	CALL("uext4_fallocate", "insert", run_fallocate, CALL_ZEROS, .prepare = write_some,
		.mode = FALLOC_FL_INSERT_RANGE, .pos = 2 * K, .len = 3 * K),
	CALL("uext4_copy_file_range", "", run_copy, 0, .pos = 1000, .len = 9000),
	CALL("uext4_fsync", "", run_fsync, CALL_SYNCS, .prepare = write_some),
	CALL("uext4_fdatasync", "", run_fsync, CALL_SYNCS, .prepare = write_some, .mode = 1),
	CALL("uext4_seek", "data", run_seek, CALL_READS, .mode = SEEK_DATA, .pos = 5 * K),
	CALL("uext4_seek", "hole", run_seek, CALL_READS, .prepare = write_some, .mode = SEEK_HOLE),
	CALL("uext4_extents", "", run_extents, CALL_READS, .name = D),
	CALL("uext4_fiemap", "", run_fiemap, CALL_READS, .name = D),
	CALL("uext4_fiemap", "attributes", run_fiemap, CALL_READS, .mode = FIEMAP_FLAG_XATTR),
	CALL("uext4_queue_create", "", run_queue_create, CALL_READS),
	CALL("uext4_queue_submit", "all there is", run_queue_submit, CALL_ZEROS,
		.prepare = have_queue),
	CALL("uext4_queue_reap", "all there is", run_queue_reap, CALL_ZEROS | CALL_QUEUED,
		.prepare = have_requests),
	CALL("uext4_queue_destroy", "with requests", run_queue_destroy,
		CALL_ZEROS | CALL_QUEUED | CALL_SILENT, .prepare = have_begun_requests),
	CALL("uext4_queue_eventfd", "", run_queue_eventfd, CALL_READS, .prepare = have_queue),
	{0},
};
