/*
 * Builds logs for the tests of recovery: from literal offsets, with checksums
 * of its own, apart from the code under test. It also knows what a recovery
 * must leave behind: the model is the list of what was logged and revoked.
 */
#ifndef TESTS_LOG_BUILDER_H
#define TESTS_LOG_BUILDER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "dev/devices.h"
#include "disk/super.h"
#include "journal/journal.h"

enum log_csum { LOG_NONE, LOG_V1, LOG_V2, LOG_V3 };

#define LB_FS_BLOCKS 4096u
#define LB_LOG_PBLK 64u		/* the log's place on the device */
#define LB_HOME 3500u		/* first block that tests log */
#define LB_ESCAPED (1ull << 63) /* in a value: the block begins with the magic */
#define LB_EVENTS_MAX 4096u

struct log_options {
	u32 block_size; /* 0 = 1024 */
	u32 log_blocks; /* with the superblock; 0 = 1024 */
	u32 sequence;	/* of the first transaction */
	u32 start;	/* log block of its first block; 0 = 1 */
	enum log_csum csum;
	bool is_64bit;
	bool split;    /* several runs, out of order on the device */
	bool external; /* the log has a device of its own */
	u32 fc_blocks; /* > 0: incompat fast_commit */
	u32 incompat;  /* more bits */
};

enum log_role { ROLE_DESCRIPTOR, ROLE_DATA, ROLE_REVOKE, ROLE_COMMIT };

/* What each log block is, in order of writing. */
struct log_note {
	u32 log_block, seq;
	enum log_role role;
	pblk_t home; /* ROLE_DATA */
};

struct log_event {
	u32 txn; /* 0, 1, ... */
	pblk_t pblk;
	u64 value;
	bool revoke;
};

struct log_builder {
	struct log_options o;
	u32 bs, first, end, maxlen;
	struct dev *fs, *log;	      /* memory devices; the same one if internal */
	struct dev *use_fs, *use_log; /* what recovery opens: above, or layers set by a test */
	struct super_info sb;
	struct journal_run runs[4];
	u32 run_count;
	u32 next; /* log block */
	u32 seq;
	u64 sec; /* commit time */
	u32 txn; /* number of complete transactions */
	struct log_event events[LB_EVENTS_MAX];
	u32 event_count, pending; /* events from pending on belong to the transaction at hand */
	struct log_note notes[LB_EVENTS_MAX];
	u32 note_count;
	u32 alloc_fails;    /* n > 0: the n-th allocation of recovery fails */
	char message[1024]; /* last error message */
	u32 errors;
};

void lb_open(struct log_builder *lb, const struct log_options *o);
void lb_close(struct log_builder *lb);
void lb_log(struct log_builder *lb, pblk_t pblk, u64 value);
void lb_revoke(struct log_builder *lb, pblk_t pblk);
void lb_commit(struct log_builder *lb);
/* Writes everything of the transaction but its commit block; it then never happened. */
void lb_abandon(struct log_builder *lb);
/* Rewrites the journal superblock; call after changing lb->o or geometry fields, too. */
void lb_write_super(struct log_builder *lb);

u8 *lb_block(struct log_builder *lb, u32 log_block); /* the log block in memory */
u8 *lb_home(struct log_builder *lb, pblk_t pblk);
void lb_fill(const struct log_builder *lb, u8 *data, pblk_t pblk, u64 value);
/* Puts the right checksums into a descriptor, revoke or commit block after a poke. */
void lb_seal(struct log_builder *lb, u32 log_block, enum log_role role);
u32 lb_get32(const void *p, size_t offset);
void lb_put32(void *p, size_t offset, u32 value);
u32 lb_tag_size(const struct log_builder *lb);

/* Opens and recovers; the error of whichever fails. */
int lb_recover_to(struct log_builder *lb, struct dev *target, bool mark_clean);
int lb_recover(struct log_builder *lb);
/* Home blocks hold what the first txns transactions left; all others are zero. */
void lb_expect(struct log_builder *lb, u32 txns);
/* The journal superblock on the device says "empty" with this sequence. */
void lb_expect_clean(struct log_builder *lb, u32 sequence);
/* Home blocks and journal superblock are as before any recovery. */
void lb_expect_untouched(struct log_builder *lb);

#endif
