/*
 * Inside the check room. One struct check per run; a struct scratch per thread
 * of it. What threads share is atomic or under `lock`.
 */
#ifndef CHECK_CHECK_PRIV_H
#define CHECK_CHECK_PRIV_H

#include "base/mutant.h"
#include "check/check.h"
#include "disk/group.h"
#include "disk/inode.h"
#include "disk/super.h"
#include "os/atomic.h"
#include "os/lock.h"

enum { /* fact.flags */
	FACT_USED = 1,
	FACT_ORPHAN = 2, /* on the orphan list or in the orphan file */
	FACT_HIDDEN = 4, /* special: has no name */
	FACT_VALUE = 8,	 /* holds an attribute value: found counts references */
	FACT_BAD = 16,	 /* no known type: names that lead here say nothing */
};

/* What is remembered of an inode. */
struct fact {
	u32 found; /* names that lead here; atomic */
	u16 links; /* as stored */
	u8 type;   /* EXT4_FT_* */
	u8 flags;  /* FACT_* */
};

/* The next mount deletes it: it owns its blocks, which it loses bit by bit, but its size (0 from
 * the start), text and names mean nothing any more.
 */
static inline bool fact_is_deleted(const struct fact *f)
{
	return f->flags & FACT_ORPHAN && f->links == 0 && !MUTANT(DELETED_JUDGED);
}

struct run {
	lblk_t lblk;
	u32 len;
	pblk_t pblk;
};

struct dir {
	ino_nr ino;
	ino_nr parent; /* what ".." says */
	ino_nr named;  /* the directory that has a name for it; atomic; 0: none */
	u32 first_run, run_count;
	u32 blocks; /* of i_size */
	u32 seed;
	u32 flags;	 /* of the inode */
	u8 *inline_data; /* copy of the raw inode, or NULL */
	char *name;	 /* when a path was wanted */
	u32 mark;	 /* of the walk that looks for circles */
};

/* What an inode has elsewhere for its attributes. */
struct attr_use {
	u64 blocks;  /* the attribute block and values, of the file system */
	u32 values;  /* in inodes of their own */
	bool unread; /* there may be more: the block could not be read */
};

/* An attribute block that was met. */
struct xblock {
	pblk_t pblk; /* 0: free slot */
	u32 refs, stored;
	struct attr_use values; /* in EA inodes, counted to each owner */
};

/* Has files. */
struct owner {
	u32 id;
	u8 type;	     /* as in super_info.quota_inum */
	bool met;	     /* its quota entry; only its type's check_quota looks at this */
	u64 sectors, inodes; /* inodes 0: free slot */
};

struct saved; /* a problem that waits for its path */

struct check {
	struct dev *dev; /* as recovery leaves it */
	struct dev *overlay;
	const struct check_options *opt;
	struct check_result *res;
	struct super_info sb;
	struct ext4_super raw; /* the superblock */
	u8 *gdt;	       /* sb.desc_size each; constant after loading */
	u8 *group_bad;	       /* per group, GROUP_* */
	u64 *used;	       /* bit per cluster; atomic */
	u64 *twice;	       /* bit per cluster: used again; NULL while there is none; lock */
	u8 *inode_map;	       /* inodes found in use, map_bytes per group */
	u32 map_bytes;
	struct fact *facts;	      /* by ino - 1 */
	bool owners;		      /* the second walk: nothing is reported but shared blocks */
	bool unread;		      /* something could not be read; atomic */
	u64 free_blocks, free_inodes; /* atomic */
	u64 shared_told;

	struct os_mutex xattr_lock; /* xblocks; held while an attribute block is read */
	struct os_mutex lock;	    /* dirs, runs, res, twice, saved, the callbacks */
	struct dir *dirs;
	u32 dir_count, dir_max;
	struct run *runs;
	u32 run_count, run_max;
	struct xblock *xblocks;
	u32 xblock_count, xblock_bits;
	struct owner
		*owner_table; /* lock while inodes are scanned; then its entries don't change */
	u32 owner_count, owner_bits;
	bool owners_dropped[3]; /* of the type: there were too many; lock */
	struct saved *saved;
	u32 saved_count, saved_max;
	int err; /* first failure that ends the check; lock */
};

enum { GROUP_NO_BLOCK_MAP = 1, GROUP_NO_INODE_MAP = 2, GROUP_NO_TABLE = 4 };

enum { NODES_MAX = 5 };

struct scratch {
	struct check *c;
	u8 *pages; /* all of the next */
	size_t pages_size;
	u8 *window;
	u32 window_blocks;
	u8 *node[NODES_MAX];
	u8 *block;
	struct run *runs; /* of one inode */
	u32 run_count, run_max;
	u64 *table; /* hashes of the names of one directory */
	u32 table_size, table_max, name_count;
	struct dx_block *dx;
	u32 dx_count, dx_max;
	struct ext4_dx_entry *dx_entries;
	u32 dx_entry_count, dx_entry_max;
};

/* --- report.c --- */

void check_found(struct check *c, enum check_kind kind, ino_nr ino, pblk_t pblk, const char *fmt,
	...) __attribute__((format(printf, 5, 6)));
void check_noted(struct check *c, enum check_kind kind, ino_nr ino, pblk_t pblk, const char *fmt,
	...) __attribute__((format(printf, 5, 6)));
/* What doesn't agree with what could not be read may be right: that is only noted. */
#define check_compared(c, ...)                                                                     \
	(atomic_load_relaxed(&(c)->unread) ? check_noted(c, __VA_ARGS__)                           \
					   : check_found(c, __VA_ARGS__))
void check_stop(struct check *c, int err); /* remembers why the check can't go on */
bool check_stopped(struct check *c);
void check_progress(struct check *c, const char *step, u64 done, u64 total);
void check_deliver_saved(struct check *c);

/* --- check.c --- */

/* Reads blocks; reports a failure for ino (0: the file system). */
int check_read(struct check *c, pblk_t pblk, u32 count, void *buf, ino_nr ino);
int check_grow(struct check *c, void **items, u32 *max, u32 count, size_t size);
void *check_alloc(struct check *c, u64 n, u64 size); /* zeroed, counted */
int check_scratch_init(struct scratch *s, struct check *c);
void check_scratch_fini(struct scratch *s);
/* Calls fn for 0..count-1 on several threads if the work is worth it. */
void check_each(struct check *c, const char *step, u32 count, bool large,
	void (*fn)(struct scratch *s, u32 index));

/* --- super.c --- */

int check_read_super(struct check *c);
void check_super(struct check *c, struct scratch *s);

/* --- journal.c --- */

/* The log: checked, and replayed if a mount would. c->dev is the overlay then. */
int check_journal(struct check *c, struct scratch *s);

/* --- groups.c --- */

int check_load_groups(struct check *c);
void check_groups(struct check *c);
struct ext4_group_desc *check_desc(const struct check *c, group_nr g);
bool check_has_group_csum(const struct super_info *sb);
/* Inodes of a group that can have been used. */
u32 check_group_inodes(const struct check *c, group_nr g);
/* Claims (owner 0) what belongs to the group by itself. */
void check_claim_group(struct check *c, group_nr g);

/* --- claim.c --- */

/* Marks blocks as used by ino (0: metadata); false if a part was used before. */
bool check_claim(struct check *c, pblk_t pblk, u64 len, ino_nr ino);
/* Blocks that a file may use. */
bool check_block_ok(const struct check *c, pblk_t pblk, u64 len);

/* --- scan.c, inode.c --- */

void check_scan_group(struct scratch *s, u32 group);
/* Reads the block of the inode table into `block`; *raw points into it. */
int check_read_inode(struct check *c, ino_nr ino, u8 *block, struct ext4_inode_disk **raw);
void check_inode(struct scratch *s, ino_nr ino, const struct ext4_inode_disk *raw);
bool check_is_hidden(const struct check *c, ino_nr ino);

/* --- map.c --- */

struct walk {
	struct scratch *s;
	const struct inode_fields *f;
	ino_nr ino;
	u32 seed;
	bool quiet;		/* nothing is claimed or reported */
	bool runs;		/* data is collected in s->runs */
	bool damaged;		/* out: not all of it could be walked */
	u64 blocks;		/* out: owned, in blocks */
	u64 nodes;		/* visited */
	u32 told;		/* problems; there may be very many */
	s64 last, last_written; /* out: highest block, -1 if none */
	u64 cluster;		/* bigalloc: the last one claimed */
};
void check_walk_map(struct walk *w);
/* Of s and ino: reads the inode and walks it quietly for its runs. False: no file in use. */
bool check_walk_hidden(struct walk *w, struct inode_fields *f);

/* --- resize.c --- */

void check_resize_inode(struct scratch *s, ino_nr ino, const struct inode_fields *f);

/* --- xattr.c --- */

/* Of one inode; *use: what counts to it for them. */
void check_xattrs(struct scratch *s, ino_nr ino, const struct ext4_inode_disk *raw,
	const struct inode_fields *f, struct attr_use *use);
/* At the end: users of attribute blocks. */
void check_xattr_refs(struct check *c);
/* The in-inode value of system.data; false if there is none. */
bool check_inline_data(
	const struct super_info *sb, const void *raw, u32 extra, const u8 **value, u32 *size);

/* --- dir.c, names.c, htree.c --- */

void check_dir(struct scratch *s, u32 index);
struct dir *check_find_dir(struct check *c, ino_nr ino);

struct dx_block {
	u32 low, high;	  /* hashes of the names in it */
	u32 first, count; /* in s->dx_entries, of a node */
	u32 refs;
	bool node, named;
};
struct ext4_dirent;
/* Makes room for the blocks of a directory. */
int dx_begin(struct scratch *s, u32 blocks);
/* Remembers a root's entries; false: the directory has no usable index. */
bool dx_take_root(struct scratch *s, const struct dir *d, const u8 *block, u32 *levels, u8 *hash);
/* Is block `at` (not 0) an index node by its looks? Remembers its entries then. */
bool dx_take_node(struct scratch *s, const struct dir *d, lblk_t at, const u8 *block, u32 levels);
void dx_take_name(struct scratch *s, lblk_t at, u8 version, const struct ext4_dirent *e);
void dx_check_tree(struct scratch *s, const struct dir *d, u32 levels, bool hashed);

/* --- tree.c --- */

void check_tree(struct check *c);

/* --- bitmaps.c --- */

void check_bitmaps(struct scratch *s, u32 group);
void check_counts(struct check *c);

/* --- usage.c, quota.c --- */

/* An inode in use that has `values` attribute values in inodes of their own. */
void check_count_usage(struct check *c, const struct inode_fields *f, u32 values);
struct owner *check_find_owner(const struct check *c, int type, u32 id); /* NULL: has no files */
void check_quota(struct scratch *s, u32 type);

/* --- orphans.c --- */

void check_orphans(struct check *c, struct scratch *s);

/* --- paths.c --- */

/* Finds a path for each saved problem. */
void check_find_paths(struct check *c, struct scratch *s);

#endif
