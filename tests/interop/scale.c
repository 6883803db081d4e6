/*
 * scale fill|check|empty IMAGE COUNT: a directory of COUNT entries, created,
 *	looked up and listed, removed.
 * scale open IMAGE: what a mount reads, through a device that counts.
 * scale memory IMAGE CACHE FILE_BYTES INODES: content and inodes far beyond
 *	the bound of the caches.
 *
 * Prints "name value" lines: what was counted, the time taken (for people) and
 * the largest resident size of the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uext4.h>
#include <unistd.h>

#define CHUNK (1u << 20)

static uint64_t count;

static void check(long err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror((int)-err));
	exit(1);
}

static void expect(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void log_line(void *arg, enum uext4_log_level level, const char *message)
{
	if (level <= UEXT4_LOG_WARNING)
		fprintf(stderr, "uext4: %s\n", message);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void report_time(const char *what, double since)
{
	printf("%s_seconds %.2f\n", what, now() - since);
}

/* Of this program alone: getrusage would count what ran here before exec too. */
static void report_rss(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %ld", &kib) == 1)
			printf("rss_kib %ld\n", kib);
	if (f)
		fclose(f);
}

static struct uext4_options options(void)
{
	return (struct uext4_options){.size = sizeof(struct uext4_options), .log = log_line};
}

static struct uext4_fs *image_open(const char *image, const struct uext4_options *o)
{
	struct uext4_fs *fs = NULL;

	check(uext4_open(image, o, &fs), image);
	return fs;
}

static struct uext4_inode *resolve(struct uext4_fs *fs, const char *path)
{
	struct uext4_inode *inode = NULL;

	check(uext4_resolve(fs, NULL, path, 0, NULL, &inode), path);
	return inode;
}

/* Names as users have them: a few words and a number, of several lengths. */
static void name_of(uint64_t k, char name[64])
{
	snprintf(name, 64, "%s-%" PRIu64, k % 3 ? "photo" : "a somewhat longer file name", k);
}

/* --- one directory --- */

static void create_one(struct uext4_inode *dir, uint64_t k)
{
	struct uext4_create req = {.mode = S_IFREG | 0644};
	struct uext4_inode *inode;
	char name[64];

	name_of(k, name);
	check(uext4_create(dir, NULL, name, &req, &inode), name);
	uext4_inode_put(inode);
}

static void fill(struct uext4_fs *fs)
{
	double start = now();
	struct uext4_inode *dir;

	check(uext4_mkdirat(fs, NULL, "/many", 0755, NULL), "mkdir");
	dir = resolve(fs, "/many");
	for (uint64_t k = 0; k < count; k++)
		create_one(dir, k);
	uext4_inode_put(dir);
	check(uext4_sync(fs), "sync");
	report_time("create", start);
}

/* One of every hundred, and as many that are not there. */
static void look_up(struct uext4_inode *dir)
{
	double start = now();
	struct uext4_inode *inode;
	char name[64];

	for (uint64_t k = 0; k < count; k += 100) {
		name_of(k, name);
		check(uext4_lookup(dir, NULL, name, &inode), name);
		uext4_inode_put(inode);
		name_of(count + k, name);
		expect(uext4_lookup(dir, NULL, name, &inode) == -ENOENT, "a name too many");
	}
	report_time("lookup", start);
}

struct seen {
	bool *seen;
	uint64_t found;
};

static bool see(void *arg, const struct uext4_dirent *e)
{
	struct seen *s = arg;
	char listed[64], name[64];
	const char *dash;
	uint64_t k;

	expect(e->name_len < sizeof(listed), "a long name");
	memcpy(listed, e->name, e->name_len);
	listed[e->name_len] = '\0';
	dash = strrchr(listed, '-');
	if (!dash)
		return true;
	k = strtoull(dash + 1, NULL, 10);
	expect(k < count, "a strange number");
	name_of(k, name);
	expect(!strcmp(name, listed), "a wrong name");
	expect(!s->seen[k], "a name listed twice");
	s->seen[k] = true;
	s->found++;
	return true;
}

static void list(struct uext4_inode *dir)
{
	struct seen s = {.seen = calloc(count, sizeof(bool))};
	double start = now();

	expect(s.seen != NULL, "memory");
	check(uext4_readdir(dir, NULL, 0, see, &s), "readdir");
	free(s.seen);
	expect(s.found == count, "some names are not listed");
	report_time("list", start);
}

static void look(struct uext4_fs *fs)
{
	struct uext4_inode *dir = resolve(fs, "/many");

	look_up(dir);
	list(dir);
	uext4_inode_put(dir);
}

/* Not in the order of creation: by a step that shares no factor with powers of ten. */
static void empty(struct uext4_fs *fs)
{
	double start = now();
	struct uext4_inode *dir = resolve(fs, "/many");
	char name[64];

	for (uint64_t k = 0; k < count; k++) {
		name_of(k * 7919 % count, name);
		check(uext4_unlink(dir, NULL, name), name);
	}
	uext4_inode_put(dir);
	check(uext4_unlinkat(fs, NULL, "/many", AT_REMOVEDIR, NULL), "rmdir");
	check(uext4_sync(fs), "sync");
	report_time("remove", start);
}

static int directory(const char *image, void (*work)(struct uext4_fs *), const char *arg)
{
	struct uext4_options o = options();
	struct uext4_fs *fs = image_open(image, &o);
	double start;

	count = strtoull(arg, NULL, 10);
	work(fs);
	start = now();
	check(uext4_close(fs), "close");
	report_time("close", start);
	report_rss();
	return 0;
}

/* --- what a mount costs --- */

struct counted {
	int fd;
	_Atomic uint64_t read, written;
};

static int counted_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct counted *c = arg;

	atomic_fetch_add(&c->read, len);
	return pread(c->fd, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

static int counted_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	struct counted *c = arg;

	atomic_fetch_add(&c->written, len);
	return pwrite(c->fd, buf, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

static int counted_flush(void *arg)
{
	struct counted *c = arg;

	return fsync(c->fd) ? -errno : 0;
}

/* A mount, a statfs, one file more, an unmount. */
static int open_once(const char *image)
{
	struct counted c = {.fd = open(image, O_RDWR)};
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = counted_read,
		.write = counted_write,
		.flush = counted_flush,
		.block_size = 512};
	struct uext4_options o = options();
	struct uext4_statfs sf;
	struct uext4_fs *fs;
	double start = now();

	expect(c.fd >= 0, image);
	ops.device_bytes = (uint64_t)lseek(c.fd, 0, SEEK_END);
	check(uext4_open_device(&ops, &c, &o, &fs), image);
	report_time("mount", start);
	printf("mount_read_bytes %" PRIu64 "\n", c.read);
	check(uext4_statfs(fs, &sf), "statfs");
	printf("blocks %" PRIu64 "\nblocks_free %" PRIu64 "\n", sf.blocks, sf.blocks_free);
	check(uext4_mkdirat(fs, NULL, "/first", 0755, NULL), "mkdir");
	check(uext4_close(fs), "close");
	report_time("all", start);
	printf("read_bytes %" PRIu64 "\nwritten_bytes %" PRIu64 "\n", c.read, c.written);
	report_rss();
	close(c.fd);
	return 0;
}

/* --- memory --- */

static void stamp(uint64_t *buf, uint64_t offset)
{
	for (size_t k = 0; k < CHUNK / sizeof(*buf); k += 64)
		buf[k] = offset + k;
}

static void same(const uint64_t *got, const uint64_t *want, uint64_t offset)
{
	for (size_t k = 0; k < CHUNK / sizeof(*got); k++) {
		if (got[k] == want[k])
			continue;
		fprintf(stderr, "byte %" PRIu64 ": %" PRIx64 " instead of %" PRIx64 "\n",
			offset + k * sizeof(*got), got[k], want[k]);
		exit(1);
	}
}

static void content(struct uext4_fs *fs, uint64_t bytes)
{
	static uint64_t out[CHUNK / sizeof(uint64_t)], in[CHUNK / sizeof(uint64_t)];
	struct uext4_file *f;
	double start = now();

	check(uext4_openat(fs, NULL, "/big", O_RDWR | O_CREAT, 0644, NULL, &f), "open");
	for (uint64_t at = 0; at < bytes; at += CHUNK) {
		stamp(out, at);
		expect(uext4_pwrite(f, out, CHUNK, at) == CHUNK, "write");
	}
	report_time("write", start);
	start = now();
	for (uint64_t at = 0; at < bytes; at += CHUNK) {
		stamp(out, at);
		expect(uext4_pread(f, in, CHUNK, at) == CHUNK, "read");
		same(in, out, at);
	}
	report_time("read", start);
	uext4_file_close(f);
}

/* Small files with content in directories of a thousand; then every one is read again. */
static void small_file(struct uext4_fs *fs, uint64_t k, bool create)
{
	struct uext4_file *f;
	char path[64];
	uint64_t value = k;

	snprintf(path, sizeof(path), "/d%" PRIu64, k / 1000);
	if (create && k % 1000 == 0)
		check(uext4_mkdirat(fs, NULL, path, 0755, NULL), path);
	snprintf(path, sizeof(path), "/d%" PRIu64 "/f%" PRIu64, k / 1000, k % 1000);
	check(uext4_openat(fs, NULL, path, create ? O_RDWR | O_CREAT : O_RDONLY, 0644, NULL, &f),
		path);
	if (create)
		expect(uext4_pwrite(f, &value, sizeof(value), 0) == sizeof(value), "write");
	else
		expect(uext4_pread(f, &value, sizeof(value), 0) == sizeof(value) && value == k,
			"small content");
	uext4_file_close(f);
}

static void small_files(struct uext4_fs *fs, uint64_t files)
{
	double start = now();

	for (uint64_t k = 0; k < files; k++)
		small_file(fs, k, true);
	report_time("touch", start);
	start = now();
	for (uint64_t k = 0; k < files; k++)
		small_file(fs, k, false);
	report_time("reread", start);
}

static int memory(const char *image, char **arg)
{
	struct uext4_options o = options();
	struct uext4_fs *fs;

	o.cache_bytes = strtoull(arg[0], NULL, 10);
	fs = image_open(image, &o);
	content(fs, strtoull(arg[1], NULL, 10));
	report_rss();
	small_files(fs, strtoull(arg[2], NULL, 10));
	report_rss();
	check(uext4_close(fs), "close");
	report_rss();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "open"))
		return open_once(argv[2]);
	if (argc == 6 && !strcmp(argv[1], "memory"))
		return memory(argv[2], argv + 3);
	if (argc == 4 && !strcmp(argv[1], "fill"))
		return directory(argv[2], fill, argv[3]);
	if (argc == 4 && !strcmp(argv[1], "check"))
		return directory(argv[2], look, argv[3]);
	if (argc == 4 && !strcmp(argv[1], "empty"))
		return directory(argv[2], empty, argv[3]);
	fprintf(stderr, "usage: scale fill|check|empty IMAGE COUNT\n"
			"       scale open IMAGE\n"
			"       scale memory IMAGE CACHE FILE_BYTES INODES\n");
	return 2;
}
