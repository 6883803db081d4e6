/*
 * uext4-bench: the same loops on several targets in turns, within one run.
 *
 * A target is a place to work in (the bare backing file, the library, a mount)
 * reached through one of two backends. A row is one workload with its
 * parameters; each names the target that it is compared with. main.c runs each
 * row on its targets, round by round, so that whatever disturbs the machine
 * disturbs all of them; what is compared are medians of one run.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define PAGE 4096u

struct target;
struct bfile;
struct bqueue;

struct bio { /* one request of a queue */
	struct bfile *file;
	void *buf;
	u64 off;
	u32 len;
	u32 slot; /* comes back at completion */
	bool write;
};

/* How a target is worked in. Paths are relative to its root. Errors are fatal: die(). */
struct backend {
	struct bfile *(*open)(struct target *t, const char *path, int flags); /* O_* of open(2) */
	void (*close)(struct bfile *f);
	void (*pwrite)(struct bfile *f, const void *buf, size_t len, u64 off);
	size_t (*pread)(struct bfile *f, void *buf, size_t len, u64 off);
	void (*fsync)(struct bfile *f);
	void (*truncate)(struct bfile *f, u64 size);
	void (*preallocate)(struct bfile *f, u64 size); /* unwritten, size set */
	struct bqueue *(*queue_open)(struct target *t, unsigned depth);
	void (*submit)(struct bqueue *q, const struct bio *ios, unsigned n);
	unsigned (*reap)(struct bqueue *q, u32 *slots, unsigned max); /* waits for one at least */
	void (*queue_close)(struct bqueue *q);
	void (*mkdir)(struct target *t, const char *path);
	void (*rmdir)(struct target *t, const char *path);
	void (*unlink)(struct target *t, const char *path);
	void (*stat)(struct target *t, const char *path);
	unsigned (*list)(struct target *t, const char *path); /* how many names */
	void (*sync)(struct target *t);
};
extern const struct backend backend_fd, backend_lib;

/* In the order of the table in target.c. */
enum target_id { RAW, UEXT4, UEXT4_FUSE, CEILING, KERNEL, KERNEL_DIO, FUSE2FS, POSIX };

struct target_kind {
	const char *name;
	const char *what;
	const struct backend *backend;
	bool has_names; /* a file system, not only a file */
	bool needs_root;
};

struct target {
	enum target_id id;
	const struct target_kind *kind;
	const char *name;
	char image[512], root[512]; /* the backing file or directory; where it is mounted */
	bool is_made, has_data;	    /* the backing file; in it the file that is never removed */
	int dir_fd;		    /* backend_fd: root */
	void *fs;		    /* backend_lib */
	double mount_seconds;
};

/* spec: a kind's name, or posix:DIR. False, with a message, if this machine has no such target. */
bool target_find(struct target *t, const char *spec, const char *work_dir);
void target_make(struct target *t, u64 image_bytes); /* at its first use */
void target_close(struct target *t);
void target_up(struct target *t); /* mounts or opens; mount_seconds says how long it took */
void target_down(struct target *t);
void target_cool(struct target *t, const char *path); /* nothing of the file is cached any more */
void target_settle(
	struct target *t); /* what it wrote is on the device: the next one has that alone */
int target_server(const struct target *t); /* its process; 0: it has none */
void target_list(void);

enum row_needs {
	NEEDS_FILE,
	NEEDS_NAMES,
	NEEDS_MOUNT,
	NEEDS_IMAGE, /* one of its own, mounted in the target's way */
	NEEDS_LIBRARY,
};
enum file_state { STATE_WRITTEN, STATE_UNWRITTEN, STATE_SPARSE };
#define FIGURES_MAX 8

struct row {
	const char *name, *unit;
	/* Measures this row and those that follow it in one pass: out[0], out[1]... in their units.
	 */
	void (*pass)(const struct row *r, struct target *t, double *out);
	bool follows;  /* measured in the pass of the row before */
	bool in_short; /* part of make bench */
	enum row_needs needs;
	enum target_id reference;
	u32 targets; /* bits by target_id: those of the short set */
	u32 not_on;  /* those that can't do it */
	/* files */
	u32 block, depth, threads, write_percent;
	bool direct, sync;
	enum file_state state;
	u64 file_bytes; /* 0: settings.file_bytes */
	/* names */
	u32 dirs, small_bytes;
	/* images */
	u64 image_bytes;
	u32 full_percent;
};
extern const struct row rows[];
extern const unsigned row_count;

struct settings {
	const char *work_dir;
	double seconds; /* per measurement of rows that can go on for ever */
	unsigned rounds;
	u64 file_bytes;
	bool full;
};
extern struct settings settings;

void row_random(const struct row *r, struct target *t, double *out);
void row_append(const struct row *r, struct target *t, double *out);
void row_stream(const struct row *r, struct target *t, double *out);
void row_stream_new(const struct row *r, struct target *t, double *out);
void row_names(const struct row *r, struct target *t, double *out);
void row_tree(const struct row *r, struct target *t, double *out);
void row_tar(const struct row *r, struct target *t, double *out);
void row_mount(const struct row *r, struct target *t, double *out);
void row_recovery(const struct row *r, struct target *t, double *out);
void row_million(const struct row *r, struct target *t, double *out);
void row_alloc(const struct row *r, struct target *t, double *out);
void row_images_remove(void); /* those that rounds share */

#define DATA_FILE "bench.data"
#define NAMES_DIR "names"	       /* small files and trees are made below it */
void data_file_make(struct target *t); /* written, every page saying its offset; once per target */

void die(const char *what, const char *which, int err) __attribute__((noreturn));
double now(void);
void *pages_alloc(size_t len);
int run_command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Every 4 KiB of test data say which they are, so that what is read can be checked. */
void pattern_fill(void *buf, size_t len, u64 off);
void pattern_check(const void *buf, size_t len, u64 off, const char *where);

#endif
