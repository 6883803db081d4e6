/* Inside the iomap room: what a writer of dirty folios holds while it works. */
#ifndef IOMAP_WRITER_H
#define IOMAP_WRITER_H

#include "iomap/folio.h"

#define ROUND_FOLIOS 2048
#define ROUND_BYTES (8u << 20)

struct claimed {
	struct folio *folio; /* one reference; WRITEBACK and SUBMITTED are ours */
	u64 mask;	     /* blocks that were dirty */
	u64 todo;	     /* of these: not on the device yet */
	u64 lost;	     /* of these: there is none */
	u32 seen;	     /* of the file, before it was claimed: for writeback_spoiled */
};

/* Owned by one thread. */
struct io_writer {
	struct iofile *io;
	struct io_batch *batch;
	struct iomap_writeback wb;
	bool wait;    /* for other writers' folios */
	int returned; /* this round: why what comes after the device is to be tried again */
	int give_up;  /* not 0: blocks that can't be mapped are lost with this error */
	int err;      /* first error that lost data */
	int file_err; /* the same of this round and file */
	u64 bytes;
	unsigned count;
	struct claimed claimed[ROUND_FOLIOS];
};

int io_writer_create(struct page_cache *pc, struct io_writer **out);
void io_writer_destroy(struct io_writer *w);
void io_writer_begin(struct io_writer *w, struct iofile *io, bool wait);
/* Writes what is dirty in [start, end). */
int io_writer_run(struct io_writer *w, u64 start, u64 end);
/* One round over files that are small and pinned, all of one cache: tells what was lost. */
int io_writer_run_small(struct io_writer *w, struct iofile *const *files, unsigned count);
/* Writes those blocks of exactly [start, end) that have a written place: no allocation, no handle.
 */
int io_writer_run_mapped(struct io_writer *w, u64 start, u64 end);

/* What broke inside, say a journal that gave up, means to the user that data did not get there. */
static inline int io_writer_error(int err)
{
	return err == 0 || err == -ENOSPC || err == -EDQUOT ? err : -EIO;
}

/* Parts of both. */
u64 io_writer_add_mapped(struct io_writer *w, struct folio *f, u64 mask, u64 *clean, int *err);
bool io_writer_full(const struct io_writer *w);
void io_writer_claim(struct io_writer *w, struct folio *f, u64 mask); /* folio lock held */
void io_writer_part_done(struct folio *f, u64 mask, int err);
void io_writer_hide_failed(struct io_writer *w); /* before a commit can take it for written */
/* outcome.c: of all claims, file by file; close_err concerns every one. */
void io_writer_tell(struct io_writer *w, int close_err);
void io_writer_release(struct io_writer *w);

/* writeback.c. What lies behind the end of file becomes zero; blocks wholly behind it drop out
 * (IO-73). */
u64 folio_clip_to_end(struct folio *f, u64 mask);

#endif
