/*
 * AL-19, DR-9, DR-15, DR-16, DR-18, JB-1: each name, inode and attribute operation with its Nth
 * allocation of memory, or read of metadata, failing, N counted up until none fails. It ends as if
 * it had never begun, or done, or with the journal stopped; after recovery it is one of the first
 * two, always.
 */
#include "faults.h"

#include "base/trace.h"
#include "os/atomic.h"
#include "os/thread.h"

/* --- the faults --- */

static u32 victim; /* atomic; the thread that meets them, 0 = none */
static const char *kind;
static u32 countdown;
static bool hit;

static bool fail_nth(const char *name)
{
	if (atomic_load_acq(&victim) != os_thread_self() || strcmp(name, kind) != 0 ||
		countdown == 0 || --countdown)
		return false;
	hit = true;
	return true;
}

static void arm(const char *what, u32 n)
{
	kind = what;
	countdown = n;
	hit = false;
	atomic_store_rel(&victim, os_thread_self());
}

static void disarm(void)
{
	atomic_store_rel(&victim, 0);
}
/* --- judging --- */

static void fsck(const u8 *image)
{
	struct fixture f;
	char path[64];
	FILE *out;

	snprintf(path, sizeof(path), "/tmp/uext4-faults-%d.img", (int)getpid());
	out = fopen(path, "w");
	assert_non_null(out);
	assert_int_equal(fwrite(image, 1, FAULTS_BYTES, out), FAULTS_BYTES);
	assert_int_equal(fclose(out), 0);
	fixture_use(&f, path);
	fixture_fsck(&f);
	fixture_remove(&f);
}

struct outcome {
	u32 failed, aborted, done;
};

/* False: the operation has fewer than n of these points. */
static bool once(const struct fault_op *op, const char *what, u32 n, const u8 *made, u32 before,
	u32 after, struct outcome *sum)
{
	static u8 image[FAULTS_BYTES];
	struct uext4_fs *fs;
	bool stopped;
	u32 tree;
	int err;

	memcpy(image, made, FAULTS_BYTES);
	fs = faults_up(image);
	arm(what, n);
	err = op->run(fs);
	disarm();
	stopped = uext4_is_read_only(fs);
	tree = tree_sum(fs);
	if (!stopped && tree != (err ? before : after))
		fail_msg("%s, %s %u: %d, and the tree is neither", op->name, what, n, err);
	sum->failed += err && !stopped;
	sum->aborted += stopped;
	sum->done += !err && hit;
	err = uext4_close(fs);
	assert_int_equal(err, stopped ? -EIO : 0);
	fs = faults_up(image);
	if (tree_sum(fs) != before && tree_sum(fs) != after)
		fail_msg("%s, %s %u: half an operation after recovery", op->name, what, n);
	assert_int_equal(uext4_close(fs), 0);
	fsck(image);
	return hit;
}

static u32 sum_after(const struct fault_op *op, const u8 *made)
{
	static u8 image[FAULTS_BYTES];
	struct uext4_fs *fs;
	u32 sum;

	memcpy(image, made, FAULTS_BYTES);
	fs = faults_up(image);
	assert_int_equal(op ? op->run(fs) : 0, 0);
	sum = tree_sum(fs);
	assert_int_equal(uext4_close(fs), 0);
	return sum;
}

static void every_point(const char *what, const char *options)
{
	static u8 made[FAULTS_BYTES];
	struct outcome all = {0};
	struct fixture f;
	u32 before;

	fixture_make(&f, FAULTS_BYTES, options);
	fixture_peek(&f, 0, made, FAULTS_BYTES);
	fixture_remove(&f);
	faults_populate(made);
	before = sum_after(NULL, made);
	for (size_t k = 0; k < fault_op_count; k++) {
		u32 after = sum_after(&fault_ops[k], made), n = 1;

		assert_int_not_equal(before, after);
		while (once(&fault_ops[k], what, n, made, before, after, &all))
			n++;
	}
	print_message("# %s: %u failed, %u stopped the journal, %u went on\n", what, all.failed,
		all.aborted, all.done);
	assert_true(all.failed > 0);
}

/* One hash seed: the names fall into the same leaves each time. */
#define OPTIONS                                                                                    \
	"-b 1024 -I 256 -O ea_inode -U 00112233-4455-6677-8899-aabbccddeeff "                      \
	"-E hash_seed=00112233-4455-6677-8899-aabbccddeeff"

static void test_AL_19_memory(void **unused)
{
	every_point("os_alloc", OPTIONS);
}

static void test_AL_19_reads(void **unused)
{
	every_point("buf_read", OPTIONS);
}

static void test_AL_19_buffers(void **unused)
{
	every_point("buf_alloc", OPTIONS);
}

/* Two steps, each of which may end it: created, then named. */
static void test_DR_17_tmpfile(void **unused)
{
	static const struct fault_op op = {"named tmpfile", name_tmpfile};
	static u8 made[FAULTS_BYTES];
	struct outcome all = {0};
	struct fixture f;
	u32 before, after, n = 1;

	fixture_make(&f, FAULTS_BYTES, OPTIONS);
	fixture_peek(&f, 0, made, FAULTS_BYTES);
	fixture_remove(&f);
	before = sum_after(NULL, made);
	after = sum_after(&op, made);
	while (once(&op, "os_alloc", n, made, before, after, &all))
		n++;
	assert_true(n > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_AL_19_memory),
		cmocka_unit_test(test_AL_19_reads),
		cmocka_unit_test(test_AL_19_buffers),
		cmocka_unit_test(test_DR_17_tmpfile),
	};

	fault_hook = fail_nth;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
