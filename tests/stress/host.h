/*
 * Where fsx has its files: an image through the public interface, or a
 * directory of some mount. Calls return >= 0 or a negative errno.
 */
#ifndef STRESS_HOST_H
#define STRESS_HOST_H

#include "base/types.h"

#include <sys/types.h>

enum request_op { REQUEST_READ, REQUEST_WRITE, REQUEST_SYNC, REQUEST_FALLOCATE, REQUEST_OPS };

/* One of a batch whose requests are in flight together. */
struct request {
	enum request_op op;
	bool direct;
	void *file; /* opened accordingly */
	int mode;   /* fallocate */
	u8 *buf;
	u64 pos, len;
	s64 result;
};

enum { BATCH_MAX = 16 };

struct host {
	bool coherent;	 /* cached reads, and what they read ahead, may be in flight beside direct
			    writes */
	int (*up)(void); /* mounts; once more after down */
	int (*down)(void);
	int (*open)(const char *name, bool direct, void **out);
	void (*close)(void *file);
	s64 (*size)(void *file);
	ssize_t (*read)(void *file, void *buf, u64 len, u64 pos);
	ssize_t (*write)(void *file, const void *buf, u64 len, u64 pos);
	int (*truncate)(void *file, u64 size);
	int (*fallocate)(void *file, int mode, u64 pos, u64 len);
	ssize_t (*copy)(void *from, u64 from_pos, void *to, u64 to_pos, u64 len);
	s64 (*seek)(void *file, u64 pos, int whence);
	int (*sync)(void *file, bool data_only);
	/* What one thread submits batches to. */
	int (*queue_open)(void **out);
	void (*queue_close)(void *queue);
	/* Submits all and returns when all have their results. */
	int (*batch)(void *queue, struct request *requests, unsigned count);
};

struct image_options {
	const char *path;
	u64 cache_bytes;     /* 0 = the default */
	unsigned latency_us; /* requests of the device take up to so long; 0 = the image as it is */
	bool nodelalloc;
};
const struct host *host_image(const struct image_options *options);
const struct host *host_directory(const char *path);

#endif
