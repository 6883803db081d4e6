/* Checking a file system. Part of uext4.h. */
#ifndef UEXT4_CHECK_H
#define UEXT4_CHECK_H

#include <uext4/fs.h>

#ifdef __cplusplus
extern "C" {
#endif

struct uext4_check_problem {
	const char *kind;   /* "superblock", "journal", "group", "inode", "map", "shared",
			       "attribute", "directory", "index", "links", "orphan", "bitmap",
			       "count", "quota", "read" */
	bool note;	    /* worth knowing, but no damage */
	uint64_t inode;	    /* 0: none */
	uint64_t block;	    /* 0: none */
	const char *path;   /* of the inode; NULL: it has none, or none was asked for */
	const char *text;   /* what is wrong */
	const char *advice; /* what to do */
};

/* Zero-initialise, set `size`, then what you need; zero always means the default. */
struct uext4_check_options {
	size_t size;
	/* One call at a time, but from any thread; the texts live as long as the call. */
	void (*problem)(void *arg, const struct uext4_check_problem *problem);
	void (*progress)(void *arg, const char *step, uint64_t done, uint64_t total);
	void *arg;
	bool paths;		  /* tell paths, too: problems of files are told at the end then */
	bool no_direct_io;	  /* reach the image through the host's page cache */
	unsigned threads;	  /* 0: as many as it gains by; 1: none but the caller's */
	uint64_t max_memory;	  /* bytes; 0 = no bound. ENOMEM when that does not suffice */
	uint64_t offset;	  /* bytes: where the file system starts in the image */
	uint64_t length;	  /* bytes; 0 = to the end */
	const char *journal_path; /* device or file of an external journal */
	void (*log)(void *arg, enum uext4_log_level level, const char *message);
	void *log_arg;
};

struct uext4_check_result {
	uint64_t problems, notes;
	bool unclean;	  /* it was not unmounted */
	bool replayed;	  /* its log was replayed, in memory: it is what a mount would see */
	bool incomplete;  /* something could not be looked at: see the problems */
	uint32_t orphans; /* files that the next mount deletes or truncates: no problems */
	uint64_t inodes, inodes_used, blocks, blocks_used;
	uint64_t directories, files, symlinks, others;
	uint64_t memory; /* bytes, about */
};

/*
 * Reads all of the file system in an image or device, and tells what is wrong with it. Nothing
 * is ever written. Returns 0 when it was checked: result->problems is the verdict. EINVAL: there
 * is no ext4 file system; ENOTSUP: it uses features that are unknown here. opt may be NULL.
 */
UEXT4_API int uext4_check(
	const char *path, const struct uext4_check_options *opt, struct uext4_check_result *result);
/* The same on a caller's device, from which only `read` is used. */
UEXT4_API int uext4_check_device(const struct uext4_device_ops *ops, void *arg,
	const struct uext4_check_options *opt, struct uext4_check_result *result);

#ifdef __cplusplus
}
#endif
#endif
