/*
 * fsx NAME=VALUE...: random operations on files of an image (image=) or of a
 * directory (dir=), compared with a model. The same seed gives the same
 * operations of each thread. Exit code 1, and the latest operations, when a
 * byte, a size or a result is wrong.
 */
#include "fsx.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fsx_options o = {
	.ops = 10000, .seed = 1, .bytes = 400 << 10, .threads = 1, .mode = FSX_MIXED};
static struct image_options image;
static const char *directory;
static struct fsx *threads;
static const struct host *host;

static int usage(void)
{
	fprintf(stderr,
		"usage: fsx image=FILE|dir=DIRECTORY [mode=buffered|direct|async|mixed] [ops=N]\n"
		"  [seed=N] [threads=N] [bytes=N] [full=1] [remount=OPS] [model=DIRECTORY] "
		"[verbose=1]\n"
		"  [cache=BYTES] [latency=MICROSECONDS] [nodelalloc=1]\n"
		"bytes: largest size of a file; full: space may end; remount: with one thread;\n"
		"model: where to store what the files must hold at the end\n");
	return 2;
}

static bool parse_mode(const char *value)
{
	static const struct {
		const char *name;
		enum fsx_mode mode;
	} modes[] = {{"buffered", FSX_BUFFERED}, {"direct", FSX_DIRECT}, {"async", FSX_ASYNC},
		{"mixed", FSX_MIXED}};

	for (unsigned k = 0; k < sizeof(modes) / sizeof(modes[0]); k++)
		if (strcmp(value, modes[k].name) == 0) {
			o.mode = modes[k].mode;
			return true;
		}
	return false;
}

static bool parse_number(const char *name, size_t n, u64 value)
{
	const struct {
		const char *name;
		u64 *to;
	} numbers[] = {{"ops", &o.ops}, {"seed", &o.seed}, {"bytes", &o.bytes},
		{"remount", &o.remount}, {"cache", &image.cache_bytes}};
	const struct {
		const char *name;
		unsigned *to;
	} small[] = {{"threads", &o.threads}, {"latency", &image.latency_us}};
	const struct {
		const char *name;
		bool *to;
	} flags[] = {{"full", &o.full}, {"verbose", &o.verbose}, {"nodelalloc", &image.nodelalloc}};

#define LOOK_FOR(table)                                                                            \
	for (unsigned k = 0; k < sizeof(table) / sizeof(table[0]); k++)                            \
		if (strlen(table[k].name) == n && memcmp(table[k].name, name, n) == 0) {           \
			*table[k].to = value;                                                      \
			return true;                                                               \
		}
	LOOK_FOR(numbers)
	LOOK_FOR(small)
	LOOK_FOR(flags)
#undef LOOK_FOR
	return false;
}

static bool parse(const char *arg)
{
	const char *value = strchr(arg, '=');
	size_t n;

	if (!value)
		return false;
	n = (size_t)(value++ - arg);
	if (n == 5 && memcmp(arg, "image", n) == 0)
		image.path = value;
	else if (n == 3 && memcmp(arg, "dir", n) == 0)
		directory = value;
	else if (n == 5 && memcmp(arg, "model", n) == 0)
		o.model_dir = value;
	else if (n == 4 && memcmp(arg, "mode", n) == 0)
		return parse_mode(value);
	else
		return parse_number(arg, n, strtoull(value, NULL, 0));
	return true;
}

static void *run_thread(void *arg)
{
	struct fsx *x = arg;
	u64 remount = o.threads == 1 ? o.remount : 0;

	fsx_open(x);
	for (unsigned k = 0; k < SUBJECTS; k++)
		if (host->truncate(x->subjects[k].file, 0))
			fsx_fail(x, "%s can't be emptied", x->subjects[k].name);
	while (x->done < o.ops) {
		fsx_step(x);
		if (!remount || x->op % remount)
			continue;
		fsx_note(x, "remount");
		fsx_close(x);
		if (host->down() || host->up())
			fsx_fail(x, "remount failed");
		fsx_open(x);
		fsx_check_all(x);
	}
	fsx_check_all(x);
	fsx_close(x);
	return NULL;
}

static int run(void)
{
	u64 done = 0, refused = 0;
	pthread_t *ids = calloc(o.threads, sizeof(*ids));
	int err = host->up();

	if (err) {
		printf("fsx: no mount: %s\n", strerror(-err));
		return 1;
	}
	threads = calloc(o.threads, sizeof(*threads));
	for (unsigned k = 0; k < o.threads; k++) {
		fsx_init(&threads[k], host, &o, k);
		if (pthread_create(&ids[k], NULL, run_thread, &threads[k]))
			abort();
	}
	for (unsigned k = 0; k < o.threads; k++) {
		pthread_join(ids[k], NULL);
		done += threads[k].done;
		refused += threads[k].refused;
		fsx_fini(&threads[k]);
	}
	free(threads);
	free(ids);
	err = host->down();
	printf("%llu operations, %llu of them without space%s\n", (unsigned long long)done,
		(unsigned long long)refused, err ? ": unmount failed" : "");
	return err != 0;
}

int main(int argc, char **argv)
{
	for (int k = 1; k < argc; k++)
		if (!parse(argv[k]))
			return usage();
	if (!image.path == !directory || !o.threads || o.bytes < 8192 || o.bytes % 4096)
		return usage();
	host = directory ? host_directory(directory) : host_image(&image);
	return run();
}
