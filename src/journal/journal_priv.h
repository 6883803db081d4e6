/*
 * Inside the journal room: struct journal, the log's geometry and the journal
 * superblock. Transactions are in txn_priv.h, cached buffers in buffer_priv.h.
 *
 * Sequence numbers and tids: a tid_nr numbers transactions in memory (never 0,
 * neighbours differ in parity); a sequence number goes to disk and is given
 * only to transactions that write to the log, when their commit starts. So
 * transactions without changes cost no log block, and 0 is a legal sequence.
 *
 * The log is a ring of the log blocks [log_first, log_end). Log space is taken
 * as a whole when a commit starts and given back when the tail moves past it.
 *
 * Lock order: buf->lock -> lock -> list_lock; super_lock is taken with none of them.
 */
#ifndef JOURNAL_JOURNAL_PRIV_H
#define JOURNAL_JOURNAL_PRIV_H

#include "journal/journal.h"
#include "os/assert.h"
#include "os/atomic.h"
#include "os/thread.h"

struct jbd2_super;
struct revoke_table;
struct revoke_rec;

enum journal_csum { JOURNAL_CSUM_NONE, JOURNAL_CSUM_V1, JOURNAL_CSUM_V2, JOURNAL_CSUM_V3 };

struct journal {
	/* Immutable after journal_open. */
	struct journal_params p; /* p.runs points to an own copy; p.log_dev NULL: no journal */
	u32 block_size;
	u32 log_first; /* first block of the ring */
	u32 log_end;   /* one past its last: maxlen, less the fast-commit area (JB-36) */
	u32 maxlen;
	bool fast_commit; /* incompat fast_commit is set */

	/* Set by journal_open; journal_super_upgrade may change them before journal_run's threads.
	 */
	u32 csum_seed; /* J */
	enum journal_csum csum;
	bool is_64bit;

	/* The journal superblock. Every change and write of it happens under super_lock (JB-40). */
	struct os_mutex super_lock; /* rank CACHE: taken with no other journal lock */
	struct jbd2_super *super;   /* lock: super_lock; one log block of memory */

	/* Log position; lock: lock once threads run. Set by journal_open and journal_recover. */
	u32 head;     /* log block that the next transaction starts at */
	u32 next_seq; /* its sequence number (JB-31: never used in this log before) */
	u32 log_used; /* blocks from the durable tail to head; 0 after open of a clean log */

	/* Everything below belongs to live journaling (not to recovery). */
	struct os_mutex lock; /* rank JOURNAL: states, log position, requests */
	struct os_mutex
		list_lock; /* rank JOURNAL, order 1: lists of all transactions, revoke tables */
	struct os_cond state_cond;   /* with lock: a state, a request or log space changed */
	struct os_cond done_cond;    /* with lock: committed_tid changed, or an abort */
	struct os_cond commit_cond;  /* with lock: wakes the commit thread (or the flusher) */
	struct os_cond cp_cond;	     /* with lock: wakes the checkpoint thread */
	struct os_cond ordered_cond; /* with list_lock: an ordered write ended */
	struct txn *running;	     /* lock: lock; states RUNNING, LOCKED */
	struct txn *committing;	     /* lock: lock; states FLUSH .. CALLBACK */
	struct list cp_txns;	     /* lock: lock; struct txn.node, oldest first */
	struct list dead;	     /* lock: lock; transactions that an abort ended */
	tid_nr next_tid;	     /* lock: lock */
	tid_nr committed_tid;	     /* lock: lock; newest that is durable */
	tid_nr request_tid;	     /* lock: lock; commit up to this one is wanted */
	u64 flush_started;	     /* lock: lock; number of the last flush of the fs device ... */
	u64 flush_done;		     /* lock: lock; ... that a commit began, and that succeeded */
	u32 max_log;	 /* log blocks of a maximal transaction without reserved handles */
	u32 max_credits; /* the same less descriptors and commit record */
	u32 tags_per_block, revokes_per_block;
	u32 cp_goal;		   /* lock: lock; checkpoint until log_used is at most this */
	bool cp_wanted;		   /* lock: lock */
	bool stopping;		   /* lock: lock; no handle starts, the commit thread is to end */
	bool cp_stop;		   /* lock: lock; the checkpoint thread is to end */
	bool running_threads;	   /* journal_run succeeded */
	bool errno_pending;	   /* lock: lock; the commit thread is to store abort_err */
	int abort_err;		   /* atomic; 0 or the reason of the abort */
	u64 interval_ns;	   /* lock: lock */
	struct os_mutex tail_lock; /* rank HANDLE: changes of the tail, one at a time */
	bool log_empty;		   /* lock: lock; start is, or soon will be, 0 on disk (JB-32) */
	bool home_unflushed;	   /* lock: tail_lock; home writes since the last flush */
	struct os_thread *commit_thread, *cp_thread;
	struct batch *commit_io, *cp_io;  /* each its thread's own */
	struct cp_item *cp_items;	  /* checkpoint thread */
	void *block;			  /* commit thread; one log block, for the commit record */
	struct revoke_table *revoke[2];	  /* by tid parity; lock: list_lock */
	struct revoke_rec *revoke_spares; /* list_lock */
	u32 revoke_spare_count;		  /* list_lock; read without it as a hint */
	u64 last_commit_sec;		  /* commit thread; commit times never go back (RC-7) */
	u32 last_commit_nsec;

	/* No-journal mode. */
	struct list dirty;	  /* lock: list_lock; buf.cp_node */
	u64 dirty_count;	  /* lock: list_lock */
	u32 nj_open;		  /* lock: lock; open handles */
	bool nj_locked;		  /* lock: lock; the flusher copies buffers */
	struct os_mutex nj_flush; /* rank HANDLE: one flush at a time */

	u32 cp_bufs;		    /* atomic; buffers that wait for checkpoint */
	struct journal_stats stats; /* atomic fields */
};

/* --- journal_super.c --- */

/* Device block of a log block; -EIO when out of range or unmapped. */
int log_map(const struct journal *j, u32 log_block, pblk_t *pblk);
/* Log blocks that follow log_block on the device without a gap (>= 1), at most max. */
u32 log_contiguous(const struct journal *j, u32 log_block, u32 max);
/* Next block in the ring. */
static inline u32 log_next(const struct journal *j, u32 log_block, u32 n)
{
	u32 len = j->log_end - j->log_first;

	return j->log_first + (u32)(((u64)log_block - j->log_first + n) % len);
}

/* Recomputes the checksum and writes j->super; dev_flags: DEV_FUA or 0. Caller holds super_lock. */
int journal_super_write(struct journal *j, u32 dev_flags);
/*
 * Sets where recovery starts and writes. start 0 = the log is empty, head is then stored as
 * s_head (JB-33). Takes super_lock. After an abort nothing is written: -EROFS.
 */
int journal_super_set_tail(struct journal *j, u32 start, u32 seq, u32 head, u32 dev_flags);
/* Stores an abort's errno (negative; 0 clears it) and writes with FUA. Takes super_lock. */
int journal_super_set_errno(struct journal *j, int err);
/*
 * JB-34: feature bits for live journaling (64bit, revoke, csum_v3), clears errno, writes with FUA.
 * Called by journal_run while the log is empty. Updates csum, csum_seed and is_64bit.
 */
int journal_super_upgrade(struct journal *j);

/* --- journal.c: memory of a journal; used by journal_open too --- */

/* Zeroed, params copied, locks initialised; super allocated when p.log_dev. */
int journal_alloc(const struct journal_params *params, struct journal **out);
/* Sequence a is at or after b (JB-30). */
static inline bool seq_geq(u32 a, u32 b)
{
	return (s32)(a - b) >= 0;
}

#endif
