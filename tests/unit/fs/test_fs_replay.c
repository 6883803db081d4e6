/* The mount's replay, cut off at each of its writes and run again. */
#include "dir/dir_test.h"
#include "disk/group_format.h"
#include "os/atomic.h"

#define BYTES (8u << 20)

/* A device in memory that stops after so many writes, as if the power had gone. */
struct cut_device {
	u8 *bytes;
	u32 left; /* atomic */
};

static int cut_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, ((struct cut_device *)arg)->bytes + offset, len);
	return 0;
}

static int cut_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	struct cut_device *d = arg;

	u32 left = atomic_load_acq(&d->left);

	do
		if (left == 0)
			return -EIO;
	while (!atomic_cas(&d->left, &left, left - 1));
	memcpy(d->bytes + offset, buf, len);
	return 0;
}

static int cut_flush(void *arg)
{
	return atomic_load_acq(&((struct cut_device *)arg)->left) ? 0 : -EIO;
}

static void quiet(void *arg, enum uext4_log_level level, const char *message)
{
}

/* Opens (and closes) within that many writes. Returns how many were made. */
static u32 open_within(u8 *bytes, u32 writes)
{
	struct cut_device d = {.bytes = bytes, .left = writes};
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = cut_read,
		.write = cut_write,
		.flush = cut_flush,
		.device_bytes = BYTES,
		.block_size = 512};
	struct uext4_options o = {.size = sizeof(o), .log = quiet};
	struct uext4_fs *fs;

	if (uext4_open_device(&ops, &d, &o, &fs) == 0)
		(void)uext4_close(fs);
	return writes - d.left;
}

/* A log that holds a superblock, and a newer one on the device: it tells of an error. */
static u8 *image_with_error(void)
{
	struct uext4_inode *i;
	u8 *bytes = malloc(BYTES);
	struct dir_test t;

	dt_make(&t, BYTES, "-b 1024 -e remount-ro -O ^orphan_file");
	dt_up(&t);
	t.expect_errors = true;
	assert_int_equal(dt_create(t.root, "file", S_IFREG | 0644, &i), 0);
	assert_int_equal(uext4_unlink(t.root, NULL, "file"), 0); /* held: an orphan */
	assert_int_equal(uext4_sync(t.fs), 0);
	fixture_peek(&t.f, 0, bytes, BYTES); /* what a crash leaves */
	uext4_inode_put(i);
	dt_end(&t);
	return bytes;
}

static struct ext4_super *super_of(u8 *bytes)
{
	return (struct ext4_super *)(bytes + EXT4_SUPER_OFFSET);
}

static void plant_error(u8 *bytes)
{
	struct ext4_super *s = super_of(bytes);

	s->s_state = cpu_to_le16(le16_to_cpu(s->s_state) | EXT4_STATE_ERROR);
	s->s_error_count = cpu_to_le32(7);
	s->s_first_error_ino = cpu_to_le32(12);
	super_csum_set(s);
}

/* MD-30: whatever moment the power goes at, the record of the error is there afterwards. */
static void test_MD_30_error_survives_a_cut_replay(void **unused)
{
	u8 *made = image_with_error(), *bytes = malloc(BYTES);
	u32 all;

	plant_error(made);
	memcpy(bytes, made, BYTES);
	all = open_within(bytes, UINT32_MAX);
	assert_true(all > 10);
	for (u32 n = 0; n < all; n++) {
		memcpy(bytes, made, BYTES);
		open_within(bytes, n);
		open_within(bytes, UINT32_MAX);
		if (le32_to_cpu(super_of(bytes)->s_error_count) != 7 ||
			le32_to_cpu(super_of(bytes)->s_first_error_ino) != 12)
			fail_msg("forgotten when cut after %u of %u writes", n, all);
		assert_true(le16_to_cpu(super_of(bytes)->s_state) & EXT4_STATE_ERROR);
	}
	free(made);
	free(bytes);
}

static const struct ext4_inode_disk *first_file(const u8 *bytes)
{
	const struct ext4_group_desc *g = (const void *)(bytes + 2 * 1024);

	return (const void *)(bytes + (u64)le32_to_cpu(g->bg_inode_table_lo) * 1024 +
			      EXT4_GOOD_OLD_FIRST_INO * 256);
}

/* IO-34, OR-5: where errors are recorded the list is cut, and nothing on it deleted. */
static void test_IO_34_nothing_finished_on_errors(void **unused)
{
	u8 *made = image_with_error(), *bytes = malloc(BYTES);

	for (u32 errors = 0; errors < 2; errors++) {
		memcpy(bytes, made, BYTES);
		if (errors)
			plant_error(bytes);
		open_within(bytes, UINT32_MAX);
		assert_int_equal(le32_to_cpu(super_of(bytes)->s_last_orphan), 0);
		assert_int_equal(le16_to_cpu(first_file(bytes)->i_links_count), 0);
		assert_int_equal(le32_to_cpu(first_file(bytes)->i_dtime) != 0, !errors);
	}
	free(made);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_MD_30_error_survives_a_cut_replay),
		cmocka_unit_test(test_IO_34_nothing_finished_on_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
