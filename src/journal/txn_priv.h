/* Transactions, inside the journal room. The state diagram is in journal.h. */
#ifndef JOURNAL_TXN_PRIV_H
#define JOURNAL_TXN_PRIV_H

#include "journal/buffer_priv.h"
#include "journal/journal_priv.h"

enum txn_state {
	TXN_RUNNING,	/* handles join */
	TXN_LOCKED,	/* waits for open handles; only reserved ones still join (JB-6) */
	TXN_FLUSH,	/* ordered data is written */
	TXN_COMMIT,	/* log writes */
	TXN_RECORD,	/* commit record */
	TXN_CALLBACK,	/* durable: buffers move to checkpoint, callbacks run */
	TXN_CHECKPOINT, /* on journal->cp_txns until all its buffers are home */
	TXN_DEAD,	/* the journal aborted; keeps its buffers pinned until journal_stop */
};

struct txn {
	struct journal *journal;
	tid_nr tid;
	u32 seq;	       /* on disk; given when the commit starts, if logged */
	enum txn_state state;  /* lock: journal->lock */
	u32 open;	       /* lock: journal->lock; open handles */
	u32 credits;	       /* lock: journal->lock; blocks dirtied + credits of open handles */
	u32 revokes;	       /* lock: journal->lock; the same for revoke records */
	u32 dirty;	       /* atomic; buffers to log */
	u64 start_ns;	       /* immutable */
	struct list bufs;      /* lock: list_lock while RUNNING or LOCKED, then the commit thread */
	struct list callbacks; /* lock: list_lock */
	struct list ordered;   /* lock: list_lock */
	struct list cp_bufs;   /* lock: list_lock; buf.cp_node */
	struct list node;      /* lock: journal->lock; in cp_txns */
	bool logged;	       /* owns log blocks and seq; fixed when FLUSH starts */
	bool first;	       /* the log was empty: the tail must be written (JB-32) */
	u32 log_start, log_len;
	u32 v1_crc; /* commit thread */
};

/* --- txn.c --- */

/* Asserts what the state promises. Caller holds journal->lock. */
void txn_check(const struct txn *t);
/* Moves to the next state, checking both ends. Caller holds journal->lock. */
void txn_advance_locked(struct txn *t, enum txn_state to);
struct txn *txn_alloc(struct journal *j);
void txn_free_locked(struct txn *t);
/* Log blocks that logging `blocks` blocks and `revokes` records takes, with the commit record. */
u32 txn_log_blocks(const struct journal *j, u32 blocks, u32 revokes);
/* Whether credits and revokes more fit under limit. Caller holds journal->lock. */
bool txn_fits_locked(const struct txn *t, u32 credits, u32 revokes, u32 limit);
/* Limit for handles that may also use the reserve (JB-6). */
static inline u32 txn_limit(const struct journal *j, bool reserved)
{
	return reserved ? j->max_credits + j->max_credits / 2 : j->max_credits;
}
/* Log blocks that must be free before a transaction may start (JB-4). */
static inline u32 txn_log_max(const struct journal *j)
{
	return j->max_log + j->max_log / 2;
}
static inline u32 log_free_locked(const struct journal *j)
{
	return j->log_end - j->log_first - 1 - j->log_used;
}
static inline bool tid_geq(tid_nr a, tid_nr b)
{
	return (s32)(a - b) >= 0;
}
static inline struct buf *buf_of_join(struct buf_join *join, tid_nr tid)
{
	return container_of(join - (tid & 1), struct buf, join);
}
void journal_request_locked(struct journal *j, tid_nr tid);

#define BATCH_BYTES (2u << 20) /* staging memory of a thread that writes blocks */

/* --- commit.c, commit_log.c --- */

u32 commit_tags_per_block(const struct journal *j);
u32 commit_revokes_per_block(const struct journal *j);

void commit_main(void *journal);
/* Revoke blocks, descriptors, data; waits for all of it. Commit thread, state COMMIT. */
int commit_write_log(struct journal *j, struct txn *t);
int commit_write_record(struct journal *j, struct txn *t);
/* Around each flush of the file system's device; ended only if it succeeded. */
void commit_flush_begins(struct journal *j);
void commit_flush_ended(struct journal *j);

/* --- checkpoint.c --- */

#define CP_WINDOW 2048 /* blocks sorted and written in one go */

void checkpoint_main(void *journal);
size_t checkpoint_item_size(void);
/* Wants log_used <= goal. Caller holds journal->lock. */
void checkpoint_kick_locked(struct journal *j, u32 goal);
/* After a commit: starts a checkpoint when the log or the cache fills up. */
void checkpoint_consider_locked(struct journal *j);
/* Takes b off its checkpoint list; true: the caller drops that reference after unlocking b. */
bool checkpoint_remove_locked(struct journal *j, struct buf *b);
/* Marks the log empty on disk if it is; false when something was committed meanwhile. */
int journal_mark_empty(struct journal *j, u32 seq_step, bool *empty);

/* --- revoke.c: all under list_lock, except the commit thread's use of a committing table --- */

int revoke_tables_create(struct journal *j);
void revoke_tables_destroy(struct journal *j);
struct revoke_rec;
struct revoke_rec *revoke_rec_alloc(struct journal *j, pblk_t pblk);
void revoke_rec_free(struct revoke_rec *r);
/* Takes r over; true if it is new, false (and r freed) if pblk was revoked already. */
bool revoke_add_locked(struct journal *j, tid_nr tid, struct revoke_rec *r);
/* True if there was one (JB-16). */
bool revoke_cancel_locked(struct journal *j, tid_nr tid, pblk_t pblk);
u32 revoke_count(const struct journal *j, tid_nr tid);
/* Takes one record out of the table; false when it is empty. */
bool revoke_pop(struct journal *j, tid_nr tid, pblk_t *pblk);

/* --- ordered.c --- */

/* Writes the ordered data of a committing transaction; first error. */
int ordered_write(struct journal *j, struct txn *t);
void ordered_drop(struct journal *j, struct txn *t); /* after an abort */

/* --- access.c --- */

/* Joins b to h's transaction; create: its old contents do not matter. Returns with b->lock held. */
int access_join(struct handle *h, struct buf *b, bool create);

/* --- nojournal.c --- */

void nojournal_main(void *journal);
int nojournal_handle_start(struct journal *j, struct handle *h, bool reserved);
void nojournal_handle_stop(struct handle *h);
int nojournal_dirty(struct handle *h, struct buf *b);
void nojournal_forget(struct journal *j, struct buf *b);
void nojournal_drop(struct journal *j); /* at stop: what could not be written */

#endif
