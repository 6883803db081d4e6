/*
 * IO-14, IO-15: a conversion that finds no room for its split zeroes what lies around it. Other
 * data of the same extent that is on its way, or there but not converted yet, must survive that.
 */
#include "disk.h"

#include <fcntl.h>

#include "base/trace.h"
#include "os/atomic.h"

#define BYTES (12u << 20)
#define BS 4096u
#define PIECES 5

static u32 no_tree_blocks; /* atomic */

static bool refuse_tree_blocks(const char *name)
{
	return atomic_load_acq(&no_tree_blocks) && strcmp(name, "map_alloc_tree") == 0;
}

static void make(struct disk_test *d)
{
	*d = (struct disk_test){0};
	disk_make(d, BYTES, "-b 4096");
	disk_up(d);
}

/* One unwritten extent; blocks 10, 20, .. 50 of it get data, and their conversions fill the root.
 */
static struct uext4_file *begin(struct disk_test *d, int flags)
{
	struct uext4_file *file;

	make(d);
	file = disk_open(d, "file", O_RDWR | flags);
	assert_int_equal(uext4_fallocate(file, 0, 0, 100 * BS), 0);
	assert_int_equal(uext4_fsync(file), 0);
	return file;
}

static void expect_all(struct disk_test *d)
{
	struct uext4_file *file = disk_open(d, "file", O_RDWR);

	for (u64 k = 1; k <= PIECES; k++) {
		disk_expect(file, k * 10 * BS, BS, (u8)k);
		disk_expect(file, (k * 10 + 1) * BS, 9 * BS, 0);
	}
	uext4_file_close(file);
}

static void end(struct disk_test *d, struct uext4_file *file)
{
	atomic_store_rel(&no_tree_blocks, 0);
	assert_int_equal(uext4_fsync(file), 0);
	uext4_file_close(file);
	expect_all(d);
	disk_power_cut(d);
	expect_all(d);
	disk_end(d);
}

/* All are on the device when the first is converted. */
static void test_IO_15_data_of_the_same_round(void **state)
{
	struct disk_test d;
	struct uext4_file *file = begin(&d, 0);

	for (u64 k = 1; k <= PIECES; k++)
		disk_write(file, k * 10 * BS, BS, (u8)k);
	atomic_store_rel(&no_tree_blocks, 1);
	assert_int_equal(uext4_fsync(file), 0);
	end(&d, file);
}

static void test_IO_15_direct_writes_in_flight(void **state)
{
	struct uext4_completion c[PIECES];
	struct uext4_request r[PIECES];
	struct uext4_queue *q;
	struct disk_test d;
	struct uext4_file *file = begin(&d, O_DIRECT);
	u8 *data = aligned_alloc(BS, PIECES * BS);

	assert_int_equal(uext4_queue_create(d.t.fs, NULL, &q), 0);
	for (u64 k = 1; k <= PIECES; k++) {
		u8 *piece = data + (k - 1) * BS;

		memset(piece, (int)k, BS);
		r[k - 1] = (struct uext4_request){.op = UEXT4_OP_WRITE,
			.file = file,
			.buf = piece,
			.len = BS,
			.offset = k * 10 * BS};
	}
	atomic_store_rel(&no_tree_blocks, 1);
	assert_int_equal(uext4_queue_submit(q, r, PIECES), PIECES);
	assert_int_equal(uext4_queue_reap(q, c, PIECES, PIECES, -1), PIECES);
	for (u64 k = 0; k < PIECES; k++)
		assert_int_equal(c[k].result, BS);
	uext4_queue_destroy(q);
	free(data);
	end(&d, file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_15_data_of_the_same_round),
		cmocka_unit_test(test_IO_15_direct_writes_in_flight),
	};

	fault_hook = refuse_tree_blocks;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
