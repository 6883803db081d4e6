/*
 * The file device: image files and block devices.
 *
 * A request is one to three steps (flush, transfer, flush), a transfer any
 * number of them when the kernel takes only part. Each step is one system call
 * or one ring entry, so that the ring and the plain calls share everything but
 * the execution (file_uring.c, slot_run).
 */
#ifndef DEV_FILE_PRIV_H
#define DEV_FILE_PRIV_H

#include "dev/dev_driver.h"
#include "dev/devices.h"

#define SLOT_SEGMENTS 8

struct file_dev {
	struct dev dev;
	int fd;
	bool block_device;
	bool direct;	    /* O_DIRECT is set on fd */
	bool no_uring;	    /* atomic; set once the kernel has refused a ring */
	bool no_zero_range; /* atomic; set once fallocate could not */
	bool no_dsync;	    /* atomic; set once RWF_DSYNC was refused */
	struct log_sink log;
};

enum step_kind { STEP_FSYNC, STEP_READ, STEP_WRITE, STEP_FALLOCATE, STEP_DISCARD };

struct file_step {
	enum step_kind kind;
	bool dsync; /* writes */
	int mode;   /* fallocate */
	u64 offset, len;
	const struct iovec *iov; /* read, write */
	unsigned iov_count;
};

enum slot_stage { STAGE_PREFLUSH, STAGE_TRANSFER, STAGE_POSTFLUSH };

/* A request on its way. Queue's thread: no lock. */
struct file_slot {
	struct list node; /* idle slots of a queue */
	struct dev_req *req;
	enum slot_stage stage;
	u64 done;	   /* bytes transferred */
	bool plain_zeroes; /* write-zeroes by writing */
	void *bounce;	   /* aligned memory; NULL = the caller's is used */
	size_t bounce_bytes;
	struct file_step step;
	struct iovec iov[SLOT_SEGMENTS];
};

/* Begins a request and fills slot->step; false: it is complete already, with req->result. */
bool slot_start(struct file_slot *slot, struct file_dev *f, struct dev_req *req);
/* Takes the step's result (bytes or -errno) and fills the next one; false: complete. */
bool slot_advance(struct file_slot *slot, struct file_dev *f, int res);
/* Executes a step here and now; bytes or -errno. */
int step_run(struct file_dev *f, const struct file_step *step);
void slot_run(struct file_slot *slot, struct file_dev *f, struct dev_req *req);

struct ring; /* an io_uring with its slots */

struct file_queue {
	struct dev_queue base;
	struct ring *ring;	/* NULL: plain calls in submit */
	struct file_slot plain; /* for plain calls */
};

/* file_uring.c, or file_nouring.c in builds without liburing */
int ring_create(struct file_dev *f, unsigned depth, struct ring **out);
void ring_destroy(struct ring *r);
int ring_set_event(struct ring *r, int fd);
void ring_submit(struct file_queue *q, struct dev_req **reqs, unsigned n);
void ring_reap(struct file_queue *q, unsigned min, u64 deadline_ns);

/* file_lock.c: both log what is in the way */
int file_lock(const struct file_dev *f, bool write);
void file_unlock(const struct file_dev *f);
int file_check_loop(const struct file_dev *f);
void file_report_busy_block(const struct file_dev *f, u64 devno);

/* file_probe.c: fills info and chooses the mode */
int file_probe(struct file_dev *f, bool allow_direct);

#endif
