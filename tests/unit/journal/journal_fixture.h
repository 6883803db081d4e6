/*
 * A small device with a hand-made journal on it, for the journal's tests: a
 * memory device under a recorder under a fault injector. The journal
 * superblock is built from literal offsets, apart from the code under test.
 */
#ifndef TESTS_JOURNAL_FIXTURE_H
#define TESTS_JOURNAL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/trace.h"
#include "dev/devices.h"
#include "disk/super.h"
#include "journal/journal.h"

#define FX_BLOCK_SIZE 1024u
#define FX_BLOCKS 4096u
#define FX_LOG_BLOCKS 1024u /* the least that is legal (JB-35) */
#define FX_LOG_PBLK 64u	    /* first block of the journal */
#define FX_META 2048u	    /* first block that tests use as metadata */

struct fixture_options {
	u32 ring;	      /* the log wraps at this block; 0 = uses all of it */
	u32 sequence;	      /* stored in the journal superblock; default 1 */
	u32 start;	      /* 0 = clean */
	u32 head;	      /* s_head */
	u32 incompat, compat; /* journal feature bits; default 0 */
	bool csum;	      /* super_info says metadata_csum: v3 */
	bool is_64bit;
	bool no_journal;
	bool external;	 /* the log is on a device of its own */
	bool split_log;	 /* the journal inode has three runs, out of order on the device */
	u64 cache_bytes; /* default 64 MiB */
};

struct fixture {
	struct fixture_options opt;
	struct dev *mem, *rec, *dev;		 /* mem <- rec <- dev (fault injector) */
	struct dev *log_mem, *log_rec, *log_dev; /* the same again, if external */
	struct super_info sb;
	struct bcache *cache;
	struct journal *j;
	struct journal_run runs[3];
	u32 run_count;
	int aborted; /* what the abort callback got */
	u32 aborts;
};

extern const struct buf_type
	fx_type; /* crc32c of the block in its last 4 bytes; zeros are valid too */
extern const struct buf_type fx_other_type;
extern const struct buf_ctx fx_ctx;

void fx_open(struct fixture *f, const struct fixture_options *opt);
/* Formats the devices but opens nothing. */
void fx_format(struct fixture *f, const struct fixture_options *opt);
/* Opens cache and journal over what the devices hold; recovers and runs it if run. */
int fx_attach(struct fixture *f, bool run);
/* Ends journal and cache; the devices stay. */
int fx_detach(struct fixture *f);
void fx_close(struct fixture *f);
/* The device block of a log block. */
pblk_t fx_log_pblk(const struct fixture *f, u32 log_block);
const u8 *fx_log_block(const struct fixture *f, u32 log_block);

/* Fills the contents (not the checksum) of a block with a pattern for (pblk, value). */
void fx_fill(void *data, pblk_t pblk, u64 value);
u64 fx_value(const void *data);
/* The value at home on the device; asserts that the block verifies. */
u64 fx_home_value(const struct fixture *f, pblk_t pblk);
/* In handle h: block FX_META+n gets value. */
void fx_set(struct fixture *f, struct handle *h, u32 n, u64 value);
u64 fx_get(struct fixture *f, u32 n);
/* One handle that sets blocks n..n+count-1 to value; returns its tid. */
tid_nr fx_op(struct fixture *f, u32 n, u32 count, u64 value);
/* Brings everything committed home without committing anything. */
void fx_checkpoint(struct fixture *f);

u32 fx_be32(const void *p, size_t offset);
void fx_put_be32(void *p, size_t offset, u32 value);

#endif
