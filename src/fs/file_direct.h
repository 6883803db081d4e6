/*
 * Direct reads and writes of regular files: who may run beside whom, what is
 * allocated, and what must happen when the data is on the device (IO-36..58).
 *
 * A transfer that is in flight holds no lock: it is counted in the inode
 * (inode/dio.h), and its owner holds a reference. Writes that extend the file,
 * and unaligned ones into blocks that hold nothing yet, keep the inode lock
 * until they are complete; they never run in flight.
 */
#ifndef FS_FILE_DIRECT_H
#define FS_FILE_DIRECT_H

#include "fs/fs.h"
#include "iomap/direct.h"

/* One transfer. The caller sets what stands first and keeps it until the end. */
struct file_direct {
	struct direct_io d; /* first; of it, the caller sets pos, iov, iov_count, complete */
	struct inode *inode;
	struct file_write_flags flags; /* writes */
	bool nowait;		       /* -EAGAIN instead of waiting for anything */
	bool noatime;

	/* Private. */
	bool exclusive; /* the inode lock is held so */
	bool alone;	/* nobody else's transfer may run, and nobody else's write before its end */
	bool extends;	/* decided once, before the I/O (IO-29) */
	bool unaligned;
	bool force_exclusive;
	bool sync_after;
	u32 zeroings;	/* of the map, before the lookups (IO-15) */
	bool spoiled;	/* ended with -EAGAIN: the data may have been zeroed, and is to be written
			   again */
	bool converted; /* by file_direct_convert, with this outcome: */
	int convert_err;
	u32 times; /* INODE_*TIME set at the start of what is in flight, to be stored at its end */
	struct mapping ahead; /* what the lock decision saw; len 0 = nothing */
};

/* Data that has to go through the page cache, whatever the caller asked for (IO-37). */
bool file_direct_possible(const struct inode *i);

/*
 * Start without blocking what can be started so; nowait must be set. FILE_DIRECT_STARTED: requests
 * are in the batch or in flight, and after d.complete() comes file_direct_end. -EAGAIN: it takes
 * the blocking call. Anything else is the result.
 * Times change at once, and are stored at the end.
 */
enum { FILE_DIRECT_STARTED = -529 }; /* EIOCBQUEUED of the kernel: no errno of a caller */
ssize_t file_direct_read_start(struct file_direct *f, struct direct_batch *b);
ssize_t file_direct_write_start(struct file_direct *f, struct direct_batch *b);
/* May the end block: a handle, a commit, pages of others? Then it belongs to a worker. */
bool file_direct_end_blocks(const struct file_direct *f);
/* Will the end wait for a commit? */
bool file_direct_end_syncs(const struct file_direct *f);
/*
 * For transfers of one volume that ended together, before file_direct_end of each: what their ends
 * would convert, under one handle instead of one each.
 */
void file_direct_convert(struct file_direct *const *f, unsigned count);
/* The result; the transfer is not counted any more. */
ssize_t file_direct_end(struct file_direct *f);

/* From begin to end, for callers that wait. */
ssize_t file_direct_read(struct file_direct *f);
/* *pos is where it went (append). What can't be done directly goes through the cache (IO-47). */
ssize_t file_direct_write(struct file_direct *f, u64 *pos);
/*
 * The same, but it does not wait for the device where it need not, so that *count > 0 requests in
 * reqs, which has room for DIRECT_SEGMENTS, are left to the caller to submit:
 * FILE_DIRECT_STARTED, as above.
 */
ssize_t file_direct_write_send(struct file_direct *f, struct dev_req **reqs, unsigned *count);

#endif
