/*
 * Free space: block groups, bitmaps, the block and inode allocators, delayed
 * frees and reservations.
 *
 * Invariants
 * - An allocation changes bitmap bit, descriptor count and both checksums in
 *   one handle (AL-1, AL-7); a block handed out is inside the device, outside
 *   the system zone and was free on disk and in memory.
 * - A freed block stays unallocatable in memory until the freeing
 *   transaction's commit is durable (AL-4).
 * - Groups load on demand; no cost grows with the number of groups except the
 *   table of group pointers (one per descriptor block).
 * - Counters of free space are sharded; their sum is exact when nobody runs.
 *
 * Locks: group->lock (RANK_GROUP), two groups never at once. Thread-safe.
 */
#ifndef SPACE_SPACE_H
#define SPACE_SPACE_H

#include "journal/volume.h"

/* Recomputes counters where the superblock can't be trusted (MD-12), builds the zone (AL-20). */
int space_create(struct volume *v, bool trust_super_counts);
/* HD-2: -EUCLEAN, and a message, when descriptors are known to be bad: only reading is possible. */
int space_check_writable(struct volume *v);
void space_destroy(struct volume *v);
/* Tells the zone about blocks of the journal inode (AL-20). Before any allocation. */
int space_add_system_range(struct volume *v, pblk_t pblk, u32 len, ino_nr owner);

struct space_counts {
	u64 blocks, free_blocks, reserved_root, reserved_internal, claimed, inodes, free_inodes,
		overhead, dirs;
};
void space_counts(struct volume *v, struct space_counts *out);
/* Puts the exact free counts into the superblock buffer under super_lock; the caller dirties it. */
void space_store_counts(struct volume *v);

enum space_flags {
	SPACE_METADATA =
		1,	 /* tree, directory, xattr block: may use the internal reserve where MUST */
	SPACE_MUST = 2,	 /* may use the internal reserve (AL-17, IO-14) */
	SPACE_ROOT = 4,	 /* the caller may use the root-reserved blocks */
	SPACE_LOW32 = 8, /* block number must fit 32 bits (indirect maps, AL-23) */
	SPACE_CLAIMED = 16,	/* was claimed before by space_claim: consumes the claim */
	SPACE_EXACT = 32,	/* only at the goal, else ENOSPC (extending in place) */
	SPACE_NO_PREALLOC = 64, /* the tail of a closed file, directories */
};

/* An inode's preallocation window: in memory only (AL-14, AL-15). Embedded in the filemap. */
struct prealloc {
	struct os_mutex lock; /* rank GROUP-outer: taken before group locks; see space/prealloc.c */
	struct list node;     /* all non-empty windows of the volume; lock: space */
	lblk_t lblk;	      /* lock */
	pblk_t pblk;	      /* lock */
	u32 len;	      /* lock; 0 = empty */
};
void prealloc_init(struct prealloc *pa);
void prealloc_discard(struct volume *v, struct prealloc *pa);

struct alloc_request {
	pblk_t goal;	     /* preferred first block; 0 = by group_hint */
	group_nr group_hint; /* the inode's group (AL-13) */
	lblk_t lblk;	     /* file position of the first block; for windows and alignment */
	u64 file_blocks;     /* size of the file in blocks, as known now */
	u32 len;	     /* blocks wanted; the result may be shorter, never 0 */
	u32 flags;	     /* enum space_flags */
	struct prealloc *pa; /* NULL = none */
};
struct alloc_result {
	pblk_t pblk;
	u32 len;
};

enum {
	SPACE_ALLOC_CREDITS = 2, /* bitmap and descriptor block of one group */
	SPACE_INODE_CREDITS = 4, /* inode bitmap, block bitmap, descriptor, inode table */
};
/* Bound of credits for freeing a run of len blocks (groups touched * 2). */
u32 space_free_credits(struct volume *v, u32 len);

/*
 * -ENOSPC after delayed frees and windows were tried is final for this transaction; the caller
 * outside any handle may call space_retry(): commits delayed frees and says whether another
 * attempt makes sense (AL-6, IO-45).
 */
int space_alloc(struct handle *h, struct volume *v, const struct alloc_request *req,
	struct alloc_result *out);
/* A file that others are still freeing comes back in many transactions: each is worth a retry. */
#define SPACE_RETRIES 32u
bool space_retry(struct volume *v, unsigned *attempts);
/* The same for claimed blocks: nobody else can have taken what was freed meanwhile (AL-18). */
bool space_retry_claimed(struct volume *v, unsigned *attempts);
/*
 * Frees [pblk, pblk+len). SPACE_METADATA: each block is forgotten and revoked (JB-15). After an
 * error a prefix may have been freed; of one block, or a run inside one group, all or nothing.
 */
int space_free(struct handle *h, struct volume *v, ino_nr owner, pblk_t pblk, u32 len, u32 flags);
/* Reads what space_free will change, in the same handle, so that it won't fail for I/O or memory.
 */
int space_free_prepare(struct handle *h, struct volume *v, pblk_t pblk, u32 len);

/*
 * Discards the free runs of at least min_len blocks in [start, start+len); *done blocks in all.
 * A bad group is passed over. Blocks whose free is not durable are not free here (AL-5).
 */
int space_trim(struct volume *v, pblk_t start, u64 len, u64 min_len, u64 *done);
/* Waits for the discards of commits that are done. */
void space_quiesce(struct volume *v);

/* Promises blocks to delayed data (AL-18). ENOSPC here, never later. */
int space_claim(struct volume *v, u64 blocks, u32 flags);
void space_unclaim(struct volume *v, u64 blocks);
/* Could `blocks` be allocated now with these flags? A hint for early errors. */
bool space_may_alloc(struct volume *v, u64 blocks, u32 flags);

/*
 * Is more left than `blocks` and half of what was promised already? Then the tree blocks for all of
 * that have room as well, and delaying is safe (IO-71).
 */
bool space_roomy(struct volume *v, u64 blocks, u32 flags);

/*
 * AL-20: may an inode's pointer refer to this range? owner: the journal inode may own its zone.
 * -EUCLEAN: no, which is up to the caller to report; another error: that could not be found out.
 */
int space_range_check(struct volume *v, ino_nr owner, pblk_t pblk, u64 len);

/* AL-9: has a group in memory a table that may still hold garbage? */
bool space_itables_pending(struct volume *v);
/*
 * Zeroes the next piece of a group's table from block *pos on, or, when none is left, says so on
 * disk. 1: again; 0: done, or nothing to do. No handle.
 */
int space_itable_zero(struct volume *v, group_nr nr, u32 *pos);

struct inode_alloc_request {
	ino_nr parent;
	bool parent_top; /* parent is the root or a TOPDIR directory (AL-11) */
	bool dir;
	u32 name_hash; /* spreads top-level directories */
	u32 flags;     /* SPACE_ROOT */
	ino_nr goal;   /* 0 = none */
};
/* Sets the bit and counts; the caller then initialises the raw inode (AL-8: zero it all). */
int space_inode_alloc(
	struct handle *h, struct volume *v, const struct inode_alloc_request *req, ino_nr *out);
int space_inode_free(struct handle *h, struct volume *v, ino_nr ino, bool dir);
/* Reads what space_inode_free will change, in the same handle. */
int space_inode_free_prepare(struct handle *h, struct volume *v, ino_nr ino);
/* 1 allocated, 0 free or never used, negative on a bad bitmap. */
int space_inode_in_use(struct volume *v, ino_nr ino);
/* Block and byte offset of the raw inode; EUCLEAN when the descriptor is bad. */
int space_inode_location(struct volume *v, ino_nr ino, pblk_t *pblk, u32 *offset);
group_nr space_inode_group(const struct volume *v, ino_nr ino);
/* First block of the area where this inode's data should start (AL-13). */
pblk_t space_inode_goal(const struct volume *v, ino_nr ino, bool dir);

#endif
