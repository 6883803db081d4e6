/*
 * The checker: reads a whole file system and says what is wrong with it.
 *
 * It never writes. A file system whose log must be replayed is checked as
 * recovery would leave it: the log goes into an overlay in memory; deletions
 * and truncations that a mount would finish (orphans) are no errors then.
 *
 * It looks at everything that e2fsck's passes look at: superblock, descriptors,
 * inodes, maps, attributes, directories and their indexes, reachability, link
 * counts, bitmaps, counters and quotas. It shares the format (src/disk) with the engine
 * and nothing else, so that a bug in the engine does not hide itself.
 *
 * Steps, each of which reads a metadata block once:
 *   superblock and log -> descriptors -> orphans -> inodes and what they own
 *   -> directories -> reachability and links -> bitmaps and counts -> quotas
 * A second walk over the inodes comes only if blocks are used twice, to name
 * the users; another over the directories only if paths are wanted.
 *
 * Memory: 1 bit per cluster, 8 bytes per inode up to the last used one of each
 * group, about 40 per directory, the descriptors, and 1 MiB per thread; with
 * quotas about 50 per owner, up to a number of owners (then a note says so).
 * Threads are only started where inode tables are large enough to gain by it.
 */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "base/log.h"
#include "base/types.h"
#include "dev/dev.h"

enum check_kind {
	CHECK_SUPER,
	CHECK_JOURNAL,
	CHECK_GROUP,  /* descriptors */
	CHECK_INODE,  /* fields */
	CHECK_MAP,    /* extents, indirect blocks, sizes */
	CHECK_SHARED, /* blocks with several users */
	CHECK_ATTR,   /* extended attributes */
	CHECK_DIR,    /* entries */
	CHECK_INDEX,  /* hash trees */
	CHECK_LINKS,  /* link counts, reachability */
	CHECK_ORPHAN, /* orphan list and orphan file */
	CHECK_BITMAP, /* bitmaps against use */
	CHECK_COUNT,  /* free counts */
	CHECK_QUOTA,  /* quota files against use */
	CHECK_IO,     /* could not be read */
	CHECK_KINDS
};

struct check_problem {
	enum check_kind kind;
	bool note;	    /* worth knowing, but no damage: not counted as a problem */
	ino_nr ino;	    /* 0: none */
	pblk_t pblk;	    /* 0: none */
	const char *path;   /* of the inode; NULL: not asked for, or it has none */
	const char *text;   /* what is wrong */
	const char *advice; /* what to do */
};

struct check_options {
	/*
	 * Called for each problem, one call at a time, but from any thread. NULL: they are only
	 * counted.
	 */
	void (*problem)(void *arg, const struct check_problem *p);
	/* Called now and then, one call at a time: done of total in the named step. May be NULL. */
	void (*progress)(void *arg, const char *step, u64 done, u64 total);
	void *arg;
	bool paths;		    /* problems come at the end, with paths */
	unsigned threads;	    /* 0: as it gains; 1: none but the caller's */
	u64 max_memory;		    /* bytes; 0: no bound. -ENOMEM when it does not suffice */
	u32 max_owners;		    /* whose quotas are compared; 0: 524,288 */
	struct dev *journal_dev;    /* of an external journal; borrowed; may be NULL */
	const struct log_sink *log; /* messages of recovery; may be NULL */
};

struct check_result {
	u64 problems, notes;
	bool unclean;	 /* not unmounted */
	bool replayed;	 /* the log was replayed in memory */
	bool incomplete; /* something could not be read or is not understood: see the problems */
	u32 orphans;	 /* inodes that the next mount deletes or truncates */
	u64 inodes_used, inodes_total, blocks_used, blocks_total; /* blocks of the file system */
	u64 directories, files, links, others;
	u64 memory; /* bytes, about */
};

/*
 * 0: it was checked; out->problems tells the verdict. -EINVAL: there is no ext4 file system.
 * -EOPNOTSUPP: it has features that are unknown here. Otherwise it could not be done. opt may
 * be NULL. The device is borrowed and only read.
 */
int check_device(struct dev *dev, const struct check_options *opt, struct check_result *out);

const char *check_kind_name(enum check_kind kind);

#endif
