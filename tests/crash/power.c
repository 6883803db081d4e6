/*
 * power IMAGE OUT SEED STATES OPS THREADS EVERY: runs a seeded workload on a copy
 * of IMAGE in memory, cuts the power at STATES points of the recorded stream,
 * and checks what uext4 recovers against the model of the workload. In part of the
 * states the power goes again during recovery. Each EVERYth state goes to
 * OUT/<n>.crash and, recovered, to OUT/<n>.ours for other oracles; a state that
 * fails to OUT/<n>.failed.
 */
#include "api/api_priv.h"
#include "cut.h"
#include "verify.h"
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAILURES_MAX = 5 };

static struct {
	const char *out;
	u64 size;
	bool discard; /* what is freed is destroyed (AL-5) */
	unsigned threads, every, failures, states, twice;
	char error[512]; /* the first error message of the file system */
	struct worker workers[THREADS_MAX];
	struct dev *medium; /* the crash state that is being tried */
} t;

static void note(void *arg, enum log_level level, const char *message)
{
	if (getenv("POWER_LOG"))
		fprintf(stderr, "log %d: %s\n", level, message);
	if (level == LOG_ERROR && !t.error[0])
		snprintf(t.error, sizeof(t.error), "%s", message);
}

static void die(const char *what, int err)
{
	fprintf(stderr, "power: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(2);
}

static void load_image(const char *path, struct dev **out)
{
	struct stat st;
	int fd = open(path, O_RDONLY), err;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path, errno);
	t.size = (u64)st.st_size;
	err = dev_mem_create(t.size, 512, out);
	if (err)
		die("memory", err);
	if (read(fd, dev_mem_data(*out), t.size) != (ssize_t)t.size)
		die(path, errno);
	close(fd);
}

static void store_image(const void *data, unsigned number, const char *kind)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%u.%s", t.out, number, kind);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, data, t.size) != (ssize_t)t.size)
		die(path, errno);
	close(fd);
}

/* The mount owns only a window on dev, so that dev outlives it. */
static int mount(struct dev *dev, struct uext4_fs *fs)
{
	struct fs_options opt = {
		.commit_interval_ms = 15, .discard = t.discard, .log = {note, NULL}};
	struct dev *window;
	int err = dev_partition_create(dev, true, 0, 0, &window);

	if (err)
		die("window", err);
	*fs = (struct uext4_fs){0};
	err = fs_mount(window, &opt, &fs->fs);
	if (err)
		dev_close(window);
	return err;
}

static void run_workload(struct dev *record, u64 seed, unsigned ops, size_t *start)
{
	pthread_t thread[THREADS_MAX];
	struct uext4_fs fs;
	int err = mount(record, &fs);

	if (err)
		die("mount", err);
	for (unsigned k = 0; k < t.threads; k++) {
		err = uext4_mkdirat(&fs, NULL, thread_dir(k), 0755, NULL);
		if (err)
			die("mkdir", err);
	}
	err = uext4_sync(&fs);
	if (err)
		die("sync", err);
	*start = dev_record_count(record);
	for (unsigned k = 0; k < t.threads; k++) {
		t.workers[k].fs = &fs;
		t.workers[k].record = record;
		workload_begin(&t.workers[k], k, seed * 10 + k, ops);
	}
	for (unsigned k = 0; k < t.threads; k++)
		pthread_create(
			&thread[k], NULL, (void *(*)(void *))(void *)workload_run, &t.workers[k]);
	for (unsigned k = 0; k < t.threads; k++)
		pthread_join(thread[k], NULL);
	for (unsigned k = 0; k < t.threads; k++) {
		workload_end(&t.workers[k]);
		if (t.workers[k].failure[0]) {
			printf("workload: %s\n", t.workers[k].failure);
			t.failures++;
		}
	}
	err = fs_unmount(fs.fs);
	if (err || t.error[0]) {
		printf("workload: unmount: %s %s\n", strerror(-err), t.error);
		t.failures++;
	}
}

/* The recovered file system must still work. */
static int try_it(struct uext4_fs *fs)
{
	struct uext4_file *f;
	char data[3000] = "x";
	ssize_t n;
	int err = uext4_openat(fs, NULL, "after", O_RDWR | O_CREAT, 0644, NULL, &f);

	if (err == -ENOSPC)
		return 0;
	if (err)
		return err;
	n = uext4_pwrite(f, data, sizeof(data), 0);
	err = n < 0 && n != -ENOSPC ? (int)n : uext4_fsync(f);
	uext4_file_close(f);
	return err ? err : uext4_unlinkat(fs, NULL, "after", 0, NULL);
}

/* Mounts the medium, compares it with the models for a cut at position `at`, unmounts. */
static bool check_state(struct dev *dev, size_t at, struct verdict *v)
{
	struct uext4_fs fs;
	char *why = v->why;
	const size_t size = sizeof(v->why);
	bool ok = true;
	int err;

	t.error[0] = 0;
	err = mount(dev, &fs);
	if (err) {
		snprintf(why, size, "mount: %s; %s", strerror(-err), t.error);
		return false;
	}
	for (unsigned k = 0; ok && k < t.threads; k++)
		ok = verify_thread(&fs, &t.workers[k].model, at, v);
	if (ok) {
		err = try_it(&fs);
		if (err)
			snprintf(why, size, "use after recovery: %s", strerror(-err));
	}
	if (fs_unmount(fs.fs) < 0 && ok && !err) {
		snprintf(why, size, "unmount failed");
		err = -EIO;
	}
	if (ok && !err && t.error[0]) {
		snprintf(why, size, "message: %s", t.error);
		err = -EIO;
	}
	return ok && !err;
}

/* The power goes again while the medium is being recovered. */
static void cut_recovery(struct rng *rng)
{
	const struct dev_record_entry *entries;
	struct cutter cutter;
	struct dev *record;
	struct uext4_fs fs;
	u8 *before = malloc(t.size);
	size_t count;
	int err = dev_record_create(t.medium, true, &record);

	if (err || !before)
		die("record", err);
	memcpy(before, dev_mem_data(t.medium), t.size);
	err = mount(record, &fs);
	if (!err)
		fs_unmount(fs.fs);
	count = dev_record_entries(record, &entries);
	cutter_init(&cutter, before, t.size, entries, count);
	cutter_build(&cutter, rng_below(rng, count + 1), rng, dev_mem_data(t.medium));
	cutter_fini(&cutter);
	dev_close(record);
	free(before);
	t.twice++;
}

/* What was recorded around a byte of the device, and the flushes. */
static void print_history(const struct dev_record_entry *entries, size_t at, u64 byte)
{
	static const char *const kinds[] = {"submit", "write", "flush", "zero"};

	for (size_t k = 0; byte && k < at; k++) {
		const struct dev_record_entry *e = &entries[k];
		bool hit = byte - e->offset < e->len && e->kind != DEV_REC_SUBMIT_WRITE;

		if (hit || (e->covers && k + 40 > at))
			printf("  %zu %s at %llu len %llu%s%s covers %zu\n", k, kinds[e->kind],
				(unsigned long long)e->offset, (unsigned long long)e->len,
				e->flags & DEV_FUA ? " fua" : "",
				e->flags & DEV_PREFLUSH ? " preflush" : "", e->covers);
	}
}

static void one_state(struct cutter *cutter, const struct dev_record_entry *entries, size_t count,
	size_t at, struct rng *rng)
{
	u8 *medium = dev_mem_data(t.medium), *crash = NULL;
	unsigned number = t.states++;
	struct verdict v = {0};
	bool stored = t.every && number % t.every == 0;

	cutter_build(cutter, at, rng, medium);
	if (rng_below(rng, 5) == 0)
		cut_recovery(rng);
	crash = malloc(t.size);
	memcpy(crash, medium, t.size);
	if (!check_state(t.medium, at, &v)) {
		printf("state %u, cut at %zu of %zu: %s\n", number, at, count, v.why);
		print_history(entries, at, v.device);
		fflush(stdout);
		store_image(crash, number, "failed");
		t.failures++;
	} else if (stored) {
		store_image(crash, number, "crash");
		store_image(medium, number, "ours");
	}
	free(crash);
}

static void all_states(
	struct dev *record, const void *start_image, size_t start, unsigned states, u64 seed)
{
	const struct dev_record_entry *entries;
	size_t count = dev_record_entries(record, &entries);
	struct cutter cutter;
	struct rng rng;

	rng_init(&rng, seed);
	cutter_init(&cutter, start_image, t.size, entries, count);
	for (unsigned k = 0; k < states && t.failures < FAILURES_MAX; k++) {
		u64 span = (count - start) / states + 1;
		size_t at =
			start + (size_t)((count - start) * (u64)k / states) + rng_below(&rng, span);

		one_state(&cutter, entries, count, at < count ? at : count, &rng);
	}
	cutter_fini(&cutter);
}

int main(int argc, char **argv)
{
	struct dev *disk, *record;
	u8 *start_image;
	size_t start;
	u64 seed;

	if (argc != 8) {
		fprintf(stderr, "usage: power IMAGE OUT SEED STATES OPS THREADS EVERY\n");
		return 2;
	}
	t.out = argv[2];
	seed = strtoull(argv[3], NULL, 0);
	t.discard = seed % 2;
	t.threads = (unsigned)atoi(argv[6]);
	t.every = (unsigned)atoi(argv[7]);
	if (t.threads < 1 || t.threads > THREADS_MAX)
		die("threads", EINVAL);
	load_image(argv[1], &disk);
	load_image(argv[1], &t.medium);
	start_image = malloc(t.size);
	memcpy(start_image, dev_mem_data(disk), t.size);
	if (dev_record_create(disk, true, &record) < 0)
		die("record", ENOMEM);
	run_workload(record, seed, (unsigned)atoi(argv[5]), &start);
	all_states(record, start_image, start, (unsigned)atoi(argv[4]), seed);
	printf("%u states, %u of them cut twice, %zu entries, %u failures\n", t.states, t.twice,
		dev_record_count(record), t.failures);
	dev_close(record);
	dev_close(disk);
	dev_close(t.medium);
	free(start_image);
	return t.failures != 0;
}
