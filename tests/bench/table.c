/* All rows. */
#include "bench.h"
#include "rows_image.h"
#include "rows_names.h"

#define RANDOM(n, d, th, wr, st, shrt)                                                             \
	{                                                                                          \
		.name = n, .unit = "1/s", .kind = ROW_IO, .in_short = shrt, .block = PAGE,         \
		.depth = d, .threads = th, .write_percent = wr, .direct = true, .state = st        \
	}
#define STREAM(n, wr, dio, snc, st, shrt)                                                          \
	{                                                                                          \
		.name = n, .unit = "MiB/s", .kind = ROW_STREAM, .in_short = shrt,                  \
		.block = 1 * MIB, .write_percent = wr, .direct = dio, .sync = snc, .state = st     \
	}
#define APPEND(n, th, dio, snc, shrt)                                                              \
	{                                                                                          \
		.name = n, .unit = "1/s", .kind = ROW_APPEND, .in_short = shrt, .block = PAGE,     \
		.threads = th, .direct = dio, .sync = snc                                          \
	}
#define NAMES(n, stp, cnt, drs, bytes, shrt)                                                       \
	{                                                                                          \
		.name = n, .unit = "1/s", .kind = ROW_NAMES, .in_short = shrt, .files = cnt,       \
		.dirs = drs, .file_bytes = bytes, .step = stp                                      \
	}
#define MOUNT(n, bytes, shrt)                                                                      \
	{                                                                                          \
		.name = n, .unit = "ms", .kind = ROW_MOUNT, .in_short = shrt, .image_bytes = bytes \
	}
#define IMAGE(n, un, stp, bytes, full)                                                             \
	{                                                                                          \
		.name = n, .unit = un, .kind = ROW_IMAGE, .step = stp, .image_bytes = bytes,       \
		.full_percent = full                                                               \
	}
#define GROUPS(n) ((n)*128 * MIB)

const struct row rows[] = {
	RANDOM("randread-4k-d1", 1, 1, 0, STATE_WRITTEN, true),
	RANDOM("randread-4k-d8", 8, 1, 0, STATE_WRITTEN, false),
	RANDOM("randread-4k-d32", 32, 1, 0, STATE_WRITTEN, true),
	RANDOM("randread-4k-d128", 128, 1, 0, STATE_WRITTEN, false),
	RANDOM("randread-4k-d32-t2", 32, 2, 0, STATE_WRITTEN, false),
	RANDOM("overwrite-4k-d1", 1, 1, 100, STATE_WRITTEN, true),
	RANDOM("overwrite-4k-d8", 8, 1, 100, STATE_WRITTEN, false),
	RANDOM("overwrite-4k-d32", 32, 1, 100, STATE_WRITTEN, true),
	RANDOM("overwrite-4k-d128", 128, 1, 100, STATE_WRITTEN, false),
	RANDOM("overwrite-4k-d32-t2", 32, 2, 100, STATE_WRITTEN, false),
	RANDOM("mixed-70-30-4k-d32", 32, 1, 30, STATE_WRITTEN, false),
	RANDOM("unwritten-4k-d32", 32, 1, 100, STATE_UNWRITTEN, true),
	RANDOM("sparse-4k-d32", 32, 1, 100, STATE_SPARSE, true),
	STREAM("seqwrite-1m-direct", 100, true, false, STATE_WRITTEN, true),
	STREAM("seqread-1m-direct", 0, true, false, STATE_WRITTEN, true),
	STREAM("seqwrite-1m-buffered-fsync", 100, false, true, STATE_SPARSE, true),
	STREAM("seqread-1m-buffered", 0, false, false, STATE_WRITTEN, false),
	APPEND("append-4k-direct", 1, true, false, true),
	APPEND("append-4k-buffered", 1, false, false, false),
	APPEND("append-4k-fsync-t1", 1, false, true, true),
	APPEND("append-4k-fsync-t4", 4, false, true, false),
	APPEND("append-4k-fsync-t16", 16, false, true, false),
	NAMES("create-empty-100dirs", STEP_CREATE, 20000, 100, 0, true),
	NAMES("stat-100dirs", STEP_STAT, 20000, 100, 0, true),
	NAMES("list-100dirs", STEP_LIST, 20000, 100, 0, true),
	NAMES("unlink-100dirs", STEP_UNLINK, 20000, 100, 0, true),
	NAMES("create-4k-100dirs", STEP_CREATE, 20000, 100, PAGE, false),
	NAMES("unlink-4k-100dirs", STEP_UNLINK, 20000, 100, PAGE, false),
	NAMES("create-empty-1dir", STEP_CREATE, 100000, 1, 0, false),
	NAMES("stat-1dir", STEP_STAT, 100000, 1, 0, false),
	NAMES("unlink-1dir", STEP_UNLINK, 100000, 1, 0, false),
	{.name = "tree-copy-read-remove", .unit = "s", .kind = ROW_TREE, .in_short = true},
	MOUNT("mount-1g", 1 * GIB, true),
	MOUNT("mount-1t", 1024 * GIB, false),
	MOUNT("mount-16t", 16000 * GIB, true),
	IMAGE("alloc-1group", "1/s", IMAGE_ALLOC, GROUPS(1), 0),
	IMAGE("alloc-100groups", "1/s", IMAGE_ALLOC, GROUPS(100), 0),
	IMAGE("alloc-10000groups", "1/s", IMAGE_ALLOC, GROUPS(10000), 0),
	IMAGE("alloc-100000groups", "1/s", IMAGE_ALLOC, GROUPS(100000), 0),
	IMAGE("alloc-50full", "1/s", IMAGE_ALLOC, GROUPS(64), 50),
	IMAGE("alloc-90full", "1/s", IMAGE_ALLOC, GROUPS(64), 90),
	IMAGE("alloc-99full", "1/s", IMAGE_ALLOC, GROUPS(64), 99),
	IMAGE("extents-100groups", "1/file", IMAGE_EXTENTS, GROUPS(100), 0),
	IMAGE("extents-90full", "1/file", IMAGE_EXTENTS, GROUPS(64), 90),
	IMAGE("extents-99full", "1/file", IMAGE_EXTENTS, GROUPS(64), 99),
	IMAGE("recovery", "ms", IMAGE_RECOVERY, 4 * GIB, 0),
	IMAGE("memory-mount-1g", "MiB", IMAGE_MOUNT_MEMORY, 1 * GIB, 0),
	IMAGE("memory-mount-16t", "MiB", IMAGE_MOUNT_MEMORY, 16000 * GIB, 0),
	IMAGE("lookup-1million", "1/s", IMAGE_LOOKUP, 4 * GIB, 0),
	IMAGE("memory-1million", "MiB", IMAGE_MEMORY, 4 * GIB, 0),
};
const unsigned row_count = sizeof(rows) / sizeof(*rows);
