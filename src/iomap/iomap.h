/*
 * The generic I/O engine's contract with a file system: mappings and the ops
 * tables that give them. Knows nothing of ext4 or the journal (IO-117, 118).
 *
 * begin() returns one mapping that covers pos, any length > 0; end() hears how
 * many bytes were really done and undoes the rest. One ops table per kind of
 * operation: read, buffered write, writeback, direct I/O, (later) DAX, seek.
 */
#ifndef IOMAP_IOMAP_H
#define IOMAP_IOMAP_H

#include "base/types.h"

enum iomap_type { IOMAP_HOLE, IOMAP_DELALLOC, IOMAP_UNWRITTEN, IOMAP_MAPPED, IOMAP_INLINE };

enum iomap_result {	  /* iomap.flags */
	IOMAP_NEW = 1,	  /* allocated by this begin: zero around the write */
	IOMAP_DIRTY = 2,  /* metadata to commit before the data is durable */
	IOMAP_MERGED = 4, /* indirect map: neighbours may be merged in reports */
	IOMAP_STALE = 8,  /* the cookie no longer matches: map again */
};

enum iomap_request { /* flags of begin and end */
	IOMAP_WRITE = 1,
	IOMAP_ZERO = 2,
	IOMAP_REPORT = 4, /* no side effect */
	IOMAP_DIRECT = 8,
	IOMAP_NOWAIT = 16,
	IOMAP_OVERWRITE_ONLY = 32,
};

struct iomap {
	u64 offset; /* file bytes; offset <= pos */
	u64 length; /* bytes, > 0 */
	u64 addr;   /* device bytes; MAPPED and UNWRITTEN only */
	enum iomap_type type;
	u32 flags;
	u64 cookie;	   /* validity, see iofile_ops.cookie */
	void *inline_data; /* IOMAP_INLINE: at least length bytes */
	void *priv;	   /* between begin and end; direct I/O sets it before begin */
};

struct iofile;

struct iomap_ops {
	int (*begin)(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *map);
	/* done < 0: an error. Its own error counts only if nothing was done. May be NULL. */
	int (*end)(struct iofile *io, u64 pos, u64 len, s64 done, u32 request, struct iomap *map);
};

#endif
