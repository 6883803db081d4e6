/*
 * The journal: handles, transactions, commit, checkpoint, revoke, recovery.
 *
 * States of a transaction (JB-2), asserted by txn_check():
 *
 *   RUNNING -> LOCKED -> FLUSH -> COMMIT -> RECORD -> CALLBACK -> CHECKPOINT
 *   handles    waits     ordered   log      commit    delayed     on the
 *   join       for open  data      writes   record    frees       checkpoint
 *              handles   written            durable   released    list
 *
 * At most one is RUNNING and one between LOCKED and CALLBACK.
 *
 * A handle is one operation: all blocks it changes go into one transaction
 * (JB-1). It ranks as a lock (RANK_HANDLE) and lives on its caller's stack.
 *
 * No-journal mode (JB-43) has the same calls: handles cost nothing, changed
 * buffers are dirty at once and are written by the flusher and by sync.
 *
 * After any failed log, commit or checkpoint write the journal is aborted for
 * good (JB-38): handle_start and every modifying call return -EROFS, waiters
 * get -EIO, nothing more is written home.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "journal/buffer.h"

struct journal;
struct txn;

/*
 * Where the log lives: runs of log blocks on log_dev, ascending and without holes. The first
 * block of the first run is the journal superblock: log block 0 of a journal inode. The log of
 * an external journal counts the blocks of its device: one run with lblk == pblk (JB-37).
 */
struct journal_run {
	u32 lblk, len;
	pblk_t pblk;
};

struct journal_params {
	struct dev *fs_dev;  /* borrowed */
	struct dev *log_dev; /* borrowed; == fs_dev for an internal journal; NULL = no journal */
	const struct super_info *sb; /* borrowed */
	struct bcache *bcache;	     /* borrowed */
	const struct log_sink *log;
	const struct journal_run *runs; /* copied */
	u32 run_count;
	u32 commit_interval_ms; /* 0 = 5000 */
	bool data_err_abort;	/* data_err=abort */
	bool no_barrier;	/* no flush and no FUA anywhere */
	/* Runs once, on any thread, when the journal aborts; must not call back into the journal.
	 */
	void (*aborted)(void *arg, int err);
	/* Sees each block that recovery is about to write home, and may change it; may be NULL. */
	void (*replaying)(void *arg, pblk_t pblk, void *block);
	void *arg;
};

/* Reads and checks the journal superblock; starts no thread and writes nothing. */
int journal_open(const struct journal_params *params, struct journal **out);
/* True when the log holds transactions (start != 0). Callers also check the recover flag (RC-2). */
bool journal_is_dirty(const struct journal *j);
/*
 * Replays the log onto `target` (the fs device, or an overlay for a read-only
 * mount: then mark_clean is false and the log device stays untouched), flushes,
 * then marks the log empty (RC-11). Everything cached before must be dropped.
 * A dirty log with fast commits is refused with -EOPNOTSUPP (RC-16).
 */
int journal_recover(struct journal *j, struct dev *target, bool mark_clean);
/*
 * Throws a dirty log away without replaying it: the file system's recover flag is clear
 * (RC-2). Durable at return; call it before the flag is set again (MD-10).
 */
int journal_discard(struct journal *j);
/* errno stored by an earlier abort (negative), 0 if none (RC-15). Clearing is done by journal_run.
 */
int journal_stored_errno(const struct journal *j);
/* Starts live journaling: feature bits (JB-34), commit thread. The log must be clean or replayed.
 */
int journal_run(struct journal *j);
/* Commits, checkpoints, marks the log clean unless aborted, ends threads (MD-11 up to the sb). */
int journal_stop(struct journal *j);
void journal_destroy(struct journal *j); /* after journal_stop, or without journal_run */

void journal_set_interval(struct journal *j, u32 commit_interval_ms);
void journal_abort(struct journal *j, int err);
bool journal_aborted(const struct journal *j);
bool journal_exists(const struct journal *j); /* false in no-journal mode */

struct handle {
	struct journal *journal;
	struct txn *txn;    /* NULL in no-journal mode */
	u32 credits;	    /* blocks that may still be dirtied */
	u32 revoke_credits; /* revoke records that may still be added */
	u32 requested;
	bool sync; /* handle_stop waits for the commit */
	bool reserved;
	int error;	       /* first error of a journal call on it; handle_stop returns it */
	struct list callbacks; /* no-journal mode: run by handle_stop */
};

/*
 * Joins the running transaction, waiting for log space if needed. credits: upper bound of
 * distinct blocks dirtied; revokes: upper bound of metadata blocks freed. -ENOSPC when larger
 * than a transaction may be, -EROFS after an abort. Never called with a page, filemap or inner lock
 * held.
 */
int handle_start(struct journal *j, struct handle *h, u32 credits, u32 revokes);
/* For completion paths: does not wait behind a lock-down (JB-6). */
int handle_start_reserved(struct journal *j, struct handle *h, u32 credits);
/* Grows in place; > 0 means "not possible, restart". */
int handle_extend(struct handle *h, u32 credits, u32 revokes);
/* Stops and starts anew, perhaps in a later transaction: ask write access again for every buffer.
 */
int handle_restart(struct handle *h, u32 credits, u32 revokes);
/* Ensures at least `credits` remain, by extend; > 0 means that the caller must restart. */
int handle_ensure(struct handle *h, u32 credits, u32 revokes);
int handle_stop(struct handle *h);
/* Stops h at the end of an operation that gave err: the first error of the two. */
int handle_end(struct handle *h, int err);
/*
 * The outcome of freeing what nothing names any more: damage only costs what was to be freed, but
 * if memory or I/O failed the transaction is given up, since committed it would lose that. Returns
 * err.
 */
int handle_must(struct handle *h, int err);
/*
 * After a step that found no memory, and changed nothing then, in an operation that must not end
 * half-way: waits a little, takes the error off h, and says that the step may go again. False: it
 * was another error, or none; h is lost; or it went on for too long. *tries: 0 at first.
 */
bool handle_try_again(struct handle *h, int err, unsigned *tries);
tid_nr handle_tid(const struct handle *h); /* 0 in no-journal mode */

/* Before changing a buffer's contents; may freeze or copy; may block. */
int buf_write_access(struct handle *h, struct buf *b);
/* After changing. Uses one credit the first time in a transaction. Verifies in debug builds. */
int buf_dirty(struct handle *h, struct buf *b);
/* A just-allocated block: zeroed, not read, write access included, earlier revoke cancelled (JB-9,
 * 16). */
int buf_create(struct handle *h, struct bcache *c, pblk_t pblk, const struct buf_type *type,
	const struct buf_ctx *ctx, struct buf **out);
/*
 * A metadata block was freed by this handle: drops it from the running transaction and
 * revokes it where an earlier copy may be in the log (JB-15, 19). Consumes the caller's
 * reference when b != NULL.
 */
int journal_forget(struct handle *h, struct bcache *c, pblk_t pblk, struct buf *b);

/* Runs after the commit record is durable (err 0) or the journal aborted (err < 0). */
struct commit_callback {
	struct list node;
	void (*fn)(struct commit_callback *cb, int err);
};
void handle_on_commit(struct handle *h, struct commit_callback *cb);

/* Ordered data (JB-20): a byte range of a file to be on the device before the commit record. */
struct ordered_inode {
	struct list node;	  /* lock: journal lists */
	struct txn *txn;	  /* lock: journal lists */
	bool writing;		  /* lock: journal lists; the commit is inside write() */
	u64 start, end;		  /* bytes; lock: journal lists */
	u64 next_start, next_end; /* the same for the running transaction while txn commits */
	struct txn *next_txn;	  /* lock: journal lists */
	/* Writes the dirty pages of the range (already mapped: no handle, no allocation) and waits.
	 */
	int (*write)(struct ordered_inode *oi, u64 start, u64 end);
};
void ordered_inode_init(
	struct ordered_inode *oi, int (*write)(struct ordered_inode *, u64 start, u64 end));
int journal_order_data(struct handle *h, struct ordered_inode *oi, u64 start, u64 end);
/*
 * IO-77: must data be written before a truncate may drop it? True while a transaction lists it,
 * also the running one: that may start to commit before the truncate's handle joins it.
 */
bool journal_data_committing(struct journal *j, struct ordered_inode *oi);
/* Does a transaction before tid list it? Its commit would show blocks whose data was dropped. */
bool journal_data_promised(struct journal *j, struct ordered_inode *oi, tid_nr tid);
/* Before the inode is freed: removes it from every list, waiting for a write in progress. j may be
 * NULL. */
void journal_release_inode(struct journal *j, struct ordered_inode *oi);

/* Commit control. tid 0 = "nothing to do". */
tid_nr journal_running_tid(struct journal *j); /* running or newest committing transaction */
void journal_commit_start(struct journal *j, tid_nr tid);
int journal_commit_wait(struct journal *j, tid_nr tid);
bool journal_committed(
	struct journal *j, tid_nr tid); /* nothing to wait for; false after an abort */
/* Start + wait. *flushed tells whether the wait issued a device flush (JB-25, IO-88); may be NULL.
 */
int journal_commit(struct journal *j, tid_nr tid, bool *flushed);
int journal_commit_all(struct journal *j, bool *flushed);
/* Commit and checkpoint everything, log marked empty (freeze, remount, unmount). */
int journal_flush(struct journal *j);
/* No-journal mode, and sync: writes all dirty buffers home and waits. No-op with a journal. */
int journal_write_dirty(struct journal *j);
/* No-journal mode: writes one buffer home now and waits (fsync). No-op with a journal. */
int journal_write_buf(struct journal *j, struct buf *b);

struct journal_stats {
	u64 commits, blocks_logged, revokes, checkpointed, handles, waits;
	u32 log_blocks, log_free;
};
void journal_stats(struct journal *j, struct journal_stats *out);

#endif
