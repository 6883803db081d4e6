/*
 * uext4-bench: the same loops on several targets in turns, within one run.
 *
 * A target is a place to work in (the bare backing file, the library, a mount)
 * reached through one of two backends. A row is one workload with its
 * parameters. main.c runs each row on all targets, round by round, so that
 * whatever disturbs the machine disturbs all of them; what is compared are
 * medians of one run.
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

struct target_kind {
	const char *name;
	const char *what;
	const struct backend *backend;
	bool has_names; /* a file system, not only a file */
	bool needs_root;
};

struct target {
	const struct target_kind *kind;
	const char *name;
	char image[512], root[512]; /* the backing file; where it is mounted */
	int pid;		    /* of a server in the foreground */
	int dir_fd;		    /* backend_fd: root */
	void *fs;		    /* backend_lib */
	double mount_seconds;
};

/* spec: a kind's name, or posix:DIR. False, with a message, if this machine has no such target. */
bool target_open(struct target *t, const char *spec, const char *work_dir, u64 image_bytes);
void target_close(struct target *t);
void target_up(struct target *t); /* mounts or opens; mount_seconds says how long it took */
void target_down(struct target *t);
void target_list(void);

enum row_kind { ROW_IO, ROW_APPEND, ROW_STREAM, ROW_NAMES, ROW_TREE, ROW_MOUNT, ROW_IMAGE };
enum file_state { STATE_WRITTEN, STATE_UNWRITTEN, STATE_SPARSE };

struct row {
	const char *name, *unit;
	enum row_kind kind;
	bool in_short; /* part of make bench */
	/* ROW_IO, ROW_APPEND, ROW_STREAM */
	u32 block, depth, threads, write_percent;
	bool direct, sync;
	enum file_state state;
	/* ROW_NAMES */
	u32 files, dirs, file_bytes;
	int step; /* enum of rows_names.h or rows_image.h */
	/* ROW_MOUNT, ROW_IMAGE */
	u64 image_bytes;
	u32 full_percent;
};
extern const struct row rows[];
extern const unsigned row_count;

struct settings {
	const char *work_dir;
	double seconds; /* per measurement of I/O rows */
	unsigned rounds;
	u64 file_bytes;
	bool full;
	bool last_of_row; /* nobody needs what the row prepared any more */
};
extern struct settings settings;

/* One measurement, in the row's unit; more is better unless the unit is time or memory. */
double row_io(const struct row *r, struct target *t);
double row_append(const struct row *r, struct target *t);
double row_stream(const struct row *r, struct target *t);
double row_names(const struct row *r, struct target *t);
double row_tree(const struct row *r, struct target *t);
double row_mount(const struct row *r, struct target *t);
double row_image(const struct row *r); /* of the library alone */
bool row_fits(const struct row *r, const struct target *t);

void die(const char *what, const char *which, int err) __attribute__((noreturn));
double now(void);
void *pages_alloc(size_t len);
int run_command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Every 4 KiB of test data say which they are, so that what is read can be checked. */
void pattern_fill(void *buf, size_t len, u64 off);
void pattern_check(const void *buf, size_t len, u64 off, const char *where);

#endif
