/* All rows, and what each is compared with. */
#include "bench.h"

#define ON(id) (1u << (id))
#define FILE_PEERS (ON(RAW) | ON(UEXT4) | ON(CEILING) | ON(UEXT4_FUSE) | ON(KERNEL_DIO))
#define SPACE_PEERS (ON(UEXT4) | ON(KERNEL_DIO))
#define SYNC_PEERS (ON(UEXT4) | ON(KERNEL))
#define MOUNTS (ON(CEILING) | ON(UEXT4_FUSE))
#define BUFFERED_PEERS (ON(UEXT4) | ON(KERNEL) | MOUNTS)
#define NAME_PEERS (BUFFERED_PEERS | ON(FUSE2FS))

#define RANDOM(n, d, th, wr, st, need, ref, peers, shrt)                                           \
	{                                                                                          \
		.name = n, .unit = "1/s", .pass = row_random, .needs = need, .reference = ref,     \
		.targets = peers, .in_short = shrt, .block = PAGE, .depth = d, .threads = th,      \
		.write_percent = wr, .direct = true, .state = st                                   \
	}
#define READ(n, d, th, shrt)                                                                       \
	RANDOM("randread-4k-" n, d, th, 0, STATE_WRITTEN, NEEDS_FILE, RAW, FILE_PEERS, shrt)
#define OVERWRITE(n, d, th, shrt)                                                                  \
	RANDOM("overwrite-4k-" n, d, th, 100, STATE_WRITTEN, NEEDS_FILE, RAW, FILE_PEERS, shrt)
/* Four jobs are a matter of mounts. */
#define JOBS(n, d, th, wr, shrt)                                                                   \
	RANDOM(n, d, th, wr, STATE_WRITTEN, NEEDS_FILE, CEILING, MOUNTS, shrt)
#define UNWRITTEN(n, d, th, shrt)                                                                  \
	RANDOM("unwritten-4k-" n, d, th, 100, STATE_UNWRITTEN, NEEDS_NAMES, KERNEL_DIO,            \
		SPACE_PEERS, shrt)
#define SPARSE(n, d, th, shrt)                                                                     \
	RANDOM("sparse-4k-" n, d, th, 100, STATE_SPARSE, NEEDS_NAMES, KERNEL_DIO, SPACE_PEERS, shrt)
#define STREAM(n, wr, ref, peers)                                                                  \
	{                                                                                          \
		.name = n, .unit = "MiB/s", .pass = row_stream, .needs = NEEDS_FILE,               \
		.reference = ref, .targets = peers, .in_short = true, .block = 1 * MIB,            \
		.write_percent = wr, .direct = true                                                \
	}
#define BUFFERED(n, shrt, after, bytes)                                                            \
	{                                                                                          \
		.name = n, .unit = "MiB/s", .pass = row_stream_new, .follows = after,              \
		.needs = NEEDS_NAMES, .reference = KERNEL, .targets = BUFFERED_PEERS,              \
		.in_short = shrt, .block = 1 * MIB, .file_bytes = bytes                            \
	}
#define APPEND(n, th, dio, snc, ref, peers, shrt)                                                  \
	{                                                                                          \
		.name = n, .unit = "1/s", .pass = row_append, .needs = NEEDS_NAMES,                \
		.reference = ref, .targets = peers, .in_short = shrt, .block = PAGE,               \
		.threads = th, .direct = dio, .sync = snc                                          \
	}
#define NAME(n, after, drs, bytes, shrt)                                                           \
	{                                                                                          \
		.name = n, .unit = "1/s", .pass = row_names, .follows = after,                     \
		.needs = NEEDS_NAMES, .reference = KERNEL, .targets = NAME_PEERS,                  \
		.in_short = shrt, .dirs = drs, .small_bytes = bytes                                \
	}
#define NAMES(create, what, drs, bytes, shrt)                                                      \
	NAME(create, false, drs, bytes, shrt), NAME("stat" what, true, drs, bytes, shrt),          \
		NAME("list" what, true, drs, bytes, shrt),                                         \
		NAME("unlink" what, true, drs, bytes, shrt)
#define TREE(n, after)                                                                             \
	{                                                                                          \
		.name = n, .unit = "1/s", .pass = row_tree, .follows = after,                      \
		.needs = NEEDS_NAMES, .reference = KERNEL, .targets = NAME_PEERS, .in_short = true \
	}
#define OWN_IMAGE(n, un, fn, after, ref, bytes, shrt)                                              \
	{                                                                                          \
		.name = n, .unit = un, .pass = fn, .follows = after, .needs = NEEDS_IMAGE,         \
		.reference = ref, .targets = ON(UEXT4) | ON(UEXT4_FUSE) | ON(KERNEL),              \
		.in_short = shrt, .image_bytes = bytes                                             \
	}
#define MOUNT(size, bytes, shrt)                                                                   \
	OWN_IMAGE("mount-" size, "ms", row_mount, false, KERNEL, bytes, shrt),                     \
		OWN_IMAGE("memory-mount-" size, "MiB", row_mount, true, UEXT4, bytes, shrt)
#define ALLOC_ROW(n, un, after, bytes, full)                                                       \
	{                                                                                          \
		.name = n, .unit = un, .pass = row_alloc, .follows = after,                        \
		.needs = NEEDS_LIBRARY, .reference = UEXT4, .targets = ON(UEXT4),                  \
		.image_bytes = bytes, .full_percent = full                                         \
	}
#define ALLOC(n, bytes, full)                                                                      \
	ALLOC_ROW("alloc-" n, "1/s", false, bytes, full),                                          \
		ALLOC_ROW("extents-" n, "1/file", true, bytes, full)
#define GROUPS(n) ((n)*128 * MIB)

const struct row rows[] = {
	READ("d1", 1, 1, true),
	READ("d8", 8, 1, false),
	READ("d32", 32, 1, true),
	READ("d128", 128, 1, false),
	READ("d1-t2", 1, 2, true),
	READ("d8-t2", 8, 2, false),
	READ("d32-t2", 32, 2, true),
	READ("d128-t2", 128, 2, false),
	JOBS("randread-4k-d1-t4", 1, 4, 0, true),
	JOBS("randread-4k-d32-t4", 32, 4, 0, true),
	OVERWRITE("d1", 1, 1, true),
	OVERWRITE("d8", 8, 1, false),
	OVERWRITE("d32", 32, 1, true),
	OVERWRITE("d128", 128, 1, false),
	OVERWRITE("d1-t2", 1, 2, true),
	OVERWRITE("d8-t2", 8, 2, false),
	OVERWRITE("d32-t2", 32, 2, true),
	OVERWRITE("d128-t2", 128, 2, false),
	JOBS("overwrite-4k-d1-t4", 1, 4, 100, true),
	JOBS("overwrite-4k-d32-t4", 32, 4, 100, true),
	RANDOM("mixed-70-30-4k-d32", 32, 1, 30, STATE_WRITTEN, NEEDS_FILE, RAW, FILE_PEERS, false),
	UNWRITTEN("d1", 1, 1, false),
	UNWRITTEN("d8", 8, 1, false),
	UNWRITTEN("d32", 32, 1, true),
	UNWRITTEN("d128", 128, 1, false),
	UNWRITTEN("d1-t2", 1, 2, false),
	UNWRITTEN("d8-t2", 8, 2, false),
	UNWRITTEN("d32-t2", 32, 2, false),
	UNWRITTEN("d128-t2", 128, 2, false),
	SPARSE("d1", 1, 1, false),
	SPARSE("d8", 8, 1, false),
	SPARSE("d32", 32, 1, true),
	SPARSE("d128", 128, 1, false),
	SPARSE("d1-t2", 1, 2, false),
	SPARSE("d8-t2", 8, 2, false),
	SPARSE("d32-t2", 32, 2, false),
	SPARSE("d128-t2", 128, 2, false),
	STREAM("seqwrite-1m-direct", 100, RAW, FILE_PEERS | ON(FUSE2FS)),
	STREAM("seqread-1m-direct", 0, RAW, FILE_PEERS | ON(FUSE2FS)),
	BUFFERED("seqwrite-1m-buffered-fsync", true, false, 0),
	BUFFERED("seqread-1m-cold", true, true, 0),
	BUFFERED("seqread-1m-warm", false, true, 0),
	BUFFERED("seqwrite-1g-buffered-fsync", false, false, 1 * GIB),
	BUFFERED("seqread-1g-cold", false, true, 1 * GIB),
	BUFFERED("seqread-1g-warm", false, true, 1 * GIB),
	APPEND("append-4k-direct", 1, true, false, KERNEL_DIO, SPACE_PEERS, true),
	APPEND("append-4k-buffered", 1, false, false, KERNEL, BUFFERED_PEERS, false),
	APPEND("append-4k-fsync-t1", 1, false, true, KERNEL, SYNC_PEERS, true),
	APPEND("append-4k-fsync-t4", 4, false, true, KERNEL, SYNC_PEERS, false),
	APPEND("append-4k-fsync-t16", 16, false, true, KERNEL, SYNC_PEERS, true),
	NAMES("create-empty-100dirs", "-100dirs", 100, 0, true),
	NAMES("create-4k-100dirs", "-4k-100dirs", 100, PAGE, true),
	NAMES("create-empty-1dir", "-1dir", 1, 0, false),
	NAMES("create-4k-1dir", "-4k-1dir", 1, PAGE, false),
	TREE("tree-extract", false),
	TREE("tree-copy", true),
	TREE("tree-read", true),
	TREE("tree-remove", true),
	{.name = "tree-tar",
		.unit = "1/s",
		.pass = row_tar,
		.needs = NEEDS_MOUNT,
		.reference = KERNEL,
		.targets = NAME_PEERS,
		.in_short = true},
	MOUNT("1g", 1 * GIB, true),
	MOUNT("1t", 1024 * GIB, true),
	MOUNT("16t", 16000 * GIB, true),
	{.name = "recovery",
		.unit = "ms",
		.pass = row_recovery,
		.needs = NEEDS_IMAGE,
		.reference = KERNEL,
		.targets = ON(UEXT4) | ON(UEXT4_FUSE) | ON(KERNEL),
		.not_on = ON(FUSE2FS), /* dies of such a journal */
		.image_bytes = 4 * GIB},
	OWN_IMAGE("lookup-1million", "1/s", row_million, false, KERNEL, 4 * GIB, false),
	OWN_IMAGE("memory-1million", "MiB", row_million, true, UEXT4, 4 * GIB, false),
	ALLOC("1group", GROUPS(1), 0),
	ALLOC("100groups", GROUPS(100), 0),
	ALLOC("10000groups", GROUPS(10000), 0),
	ALLOC("100000groups", GROUPS(100000), 0),
	ALLOC("50full", GROUPS(64), 50),
	ALLOC("90full", GROUPS(64), 90),
	ALLOC("99full", GROUPS(64), 99),
};
const unsigned row_count = sizeof(rows) / sizeof(*rows);
