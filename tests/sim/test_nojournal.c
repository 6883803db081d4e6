/* JB-43, IO-92: without a journal nothing is promised but this: what fsync covers is there after a
 * power cut and e2fsck. Everything around it is in motion meanwhile. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <uext4.h>

#include "api/open_dev.h"
#include "base/mutant.h"
#include "os/thread.h"
#include "sim/disk/mkfs.h"
#include "sim/explore/recover.h"

/*
 * The inode tables are zeroed: without a journal an entry may come home before its inode does, and
 * e2fsck gives up for good on poison in the part of a table that was never used.
 */
#define MKE2FS                                                                                     \
	"-b 1024 -I 256 -N 64 -O ^has_journal,^resize_inode -E " SIM_MKFS_EXTENDED                 \
	",lazy_itable_init=0"
#define FILES 4
#define PIECE 3000

/* Its first `pieces` pieces are synced from a position on. */
struct kept {
	size_t at;
	unsigned file, pieces;
};

static struct sim_pages image;
static struct sim_disk *disk;
static struct kept kept[4 * FILES];
static unsigned kept_count;

#define NEED(call)                                                                                 \
	do {                                                                                       \
		long need_result = (call);                                                         \
		if (need_result < 0)                                                               \
			sim_fail("%s gave %ld", #call, need_result);                               \
	} while (0)

static void path_of(unsigned file, char out[32])
{
	snprintf(out, 32, "dir%u/file%u", file / 2, file);
}

static void piece_fill(char *out, unsigned file, unsigned piece)
{
	memset(out, 'a' + (int)(4 * file + piece), PIECE);
}

/* Takes and frees blocks and inodes all the time. */
static void unrest(void *arg)
{
	struct uext4_fs *fs = arg;
	char name[32], data[5000] = "x";
	struct uext4_file *f;

	for (unsigned k = 0; k < 12; k++) {
		snprintf(name, sizeof(name), "other%u", k % 3);
		NEED(uext4_openat(fs, NULL, name, O_RDWR | O_CREAT, 0644, NULL, &f));
		NEED(uext4_pwrite(f, data, sizeof(data), 1000 * k));
		uext4_file_close(f);
		if (k % 2)
			NEED(uext4_unlinkat(fs, NULL, name, 0, NULL));
	}
}

static void file_work(struct uext4_fs *fs, unsigned file)
{
	char path[32], data[PIECE];
	struct uext4_file *f;

	path_of(file, path);
	NEED(uext4_openat(fs, NULL, path, O_RDWR | O_CREAT, 0644, NULL, &f));
	for (unsigned piece = 0; piece < 3; piece++) {
		piece_fill(data, file, piece);
		NEED(uext4_pwrite(f, data, PIECE, (u64)piece * PIECE));
		NEED(piece % 2 ? uext4_fdatasync(f) : uext4_fsync(f));
		kept[kept_count++] = (struct kept){sim_disk_position(disk), file, piece + 1};
	}
	uext4_file_close(f);
}

static void work(void *arg)
{
	struct os_thread *t;
	struct uext4_fs *fs;

	NEED(api_open_dev(sim_disk_dev(disk), NULL, &fs));
	NEED(os_thread_create(&t, "unrest", unrest, fs));
	for (unsigned k = 0; k < FILES; k++) {
		char path[32];

		path_of(k, path);
		if (k % 2 == 0)
			NEED(uext4_mkdirat(fs, NULL, strtok(path, "/"), 0755, NULL));
		file_work(fs, k);
	}
	os_thread_join(t);
	NEED(uext4_close(fs));
}

static int wrong(struct explore_state *s, const char *what, unsigned file, s64 n)
{
	snprintf(s->why, sizeof(s->why), "file %u: %s: %lld", file, what, (long long)n);
	return -EUCLEAN;
}

static int look_at(struct uext4_fs *fs, const struct kept *k, struct explore_state *s)
{
	char path[32], data[PIECE], legal[PIECE];
	struct uext4_file *f;
	int err;

	path_of(k->file, path);
	err = uext4_openat(fs, NULL, path, O_RDONLY, 0, NULL, &f);
	if (err)
		return wrong(s, "it is lost", k->file, err);
	for (unsigned piece = 0; piece < k->pieces && !err; piece++) {
		ssize_t n = uext4_pread(f, data, PIECE, (u64)piece * PIECE);

		piece_fill(legal, k->file, piece);
		if (n != PIECE || memcmp(data, legal, PIECE) != 0)
			err = wrong(s, "synced data is lost", k->file, n);
	}
	uext4_file_close(f);
	return err;
}

static int look(void *arg, struct uext4_fs *fs, struct explore_state *s)
{
	int err = 0;

	for (unsigned k = 0; k < kept_count && !err; k++)
		if (s->position >= kept[k].at)
			err = look_at(fs, &kept[k], s);
	return err;
}

static u64 promise(void *arg, size_t position)
{
	u64 n = 0;

	for (unsigned k = 0; k < kept_count; k++)
		n += position >= kept[k].at;
	return n;
}

/* As an administrator would: e2fsck, then a mount. */
static int recover(void *arg, struct sim_disk *cut, struct explore_state *s)
{
	char path[] = "/tmp/uext4-sim-XXXXXX", command[200];
	struct sim_pages mended;
	struct sim_disk *again;
	int fd = mkstemp(path), err, status;

	if (fd < 0)
		return -errno;
	close(fd);
	snprintf(command, sizeof(command), "e2fsck -fy %s >/dev/null 2>&1", path);
	err = sim_pages_store(sim_disk_pages(cut), path);
	status = err ? 0 : system(command);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 3)
		err = wrong(s, "e2fsck gave up", 0, status);
	if (!err)
		err = sim_pages_load(&mended, path);
	unlink(path);
	if (err)
		return err;
	again = sim_disk_create(&mended, NULL);
	err = explore_fs_ops.recover(arg, again, s);
	sim_disk_destroy(again);
	sim_pages_fini(&mended);
	return err;
}

static int explore_seed(u64 seed, u64 budget)
{
	static const struct explore_ops ops = {.recover = recover, .promise = promise};
	struct sim_disk_params params = {.record = true, .choose = sim_choose};
	struct explore_fs fs = {.look = look, .promise = promise};
	struct explore_config config = {
		.ops = &ops, .arg = &fs, .budget = budget, .states = explore_fs_states(seed)};
	struct explore_state failed = {0};
	struct sim_report report;
	int err;

	disk = sim_disk_create(&image, &params);
	kept_count = 0;
	if (sim_run(&(struct sim_config){.seed = seed}, work, NULL, &report))
		fail_msg("seed %llu: %s", (unsigned long long)seed, report.text);
	sim_report_fini(&report);
	err = explore(sim_disk_history(disk), &config, NULL, &failed);
	if (err)
		print_message("seed %llu, state %s: %s\n", (unsigned long long)seed, failed.name,
			failed.why);
	sim_disk_destroy(disk);
	return err;
}

static void test_JB_43_synced_is_safe(void **state)
{
	const char *more = getenv("SIM_STATES"); /* a longer run */

	for (u64 seed = 1; seed <= 3; seed++)
		assert_int_equal(explore_seed(seed, more ? strtoull(more, NULL, 0) : 60), 0);
}

/* A planted fsync without its flush is found. */
static void test_planted_missing_flush(void **state)
{
	mutant_active = MUTANT_FSYNC_NO_FLUSH;
	assert_int_not_equal(explore_seed(1, 200), 0);
	mutant_active = MUTANT_NONE;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_JB_43_synced_is_safe),
		cmocka_unit_test(test_planted_missing_flush)};
	int err = sim_mkfs(&image, 2 << 20, MKE2FS);

	err = err ? err : cmocka_run_group_tests(tests, NULL, NULL);
	sim_pages_fini(&image);
	return err;
}
