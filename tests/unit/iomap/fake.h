/*
 * A file system in small for tests of the I/O engine: files whose blocks are
 * mapped by a table, on a device in memory. Blocks that nobody wrote hold
 * POISON on the device, which no read may ever return (IO-1).
 */
#ifndef TESTS_IOMAP_FAKE_H
#define TESTS_IOMAP_FAKE_H

#include "iomap/pagecache.h"

#define POISON 0xEEu

enum fake_state { FAKE_HOLE, FAKE_DELAYED, FAKE_UNWRITTEN, FAKE_WRITTEN };

struct fake_block {
	enum fake_state state;
	u32 device_block;
};

struct fake_options {
	u32 block_size;
	u64 max_bytes; /* of the cache */
	u32 expire_ms;
	u32 file_blocks, device_blocks;
	bool one_block; /* every mapping is one block long (IO-117) */
	bool delayed;	/* writes reserve, writeback allocates */
	bool fault;	/* a fault layer above the memory */
};

struct fake {
	struct fake_options o;
	struct dev *memory, *dev;
	struct page_cache *pages;
	struct iofile io;
	struct os_rwsem lock, invalidate; /* IL, ML */
	struct os_mutex map_lock;	  /* rank FILEMAP: all below */
	struct fake_block *map;
	bool *used;
	u32 next;
	u64 size;					    /* atomic */
	u64 cookie;					    /* atomic */
	bool dying;					    /* atomic: get refuses */
	void (*on_begin)(struct fake *f, u64 pos, u64 len); /* after allocation, no lock */
	u64 (*on_size)(struct fake *f);			    /* instead of size */
	void (*on_end)(struct fake *f);			    /* before the size moves */
	int (*on_place)(struct fake *f);  /* writeback maps: 0 or an error to fail with */
	void (*on_retry)(struct fake *f); /* NULL: no error of it is worth a retry */
};

void fake_init(struct fake *f, const struct fake_options *o);
void fake_fini(struct fake *f);
ssize_t fake_write(struct fake *f, u64 pos, const void *data, u64 len);
ssize_t fake_read(struct fake *f, u64 pos, void *data, u64 len);
int fake_truncate(struct fake *f, u64 size);
/* Makes holes of the range unwritten blocks, as fallocate does. */
void fake_reserve(struct fake *f, u64 pos, u64 len);
int fake_zero(struct fake *f, u64 pos, u64 len);
int fake_sync(struct fake *f);
/* What the file would hold after the cache is lost. */
void fake_device_read(struct fake *f, u8 *out, u64 len);

#endif
