/* Damage that refuses a read-write open, before anything is written, and leaves reading. */
#include "dir/dir_test.h"

#include <fcntl.h>

#define BYTES (24u << 20) /* three groups of 1 KiB blocks */

static char said[4096];

static void listen(void *arg, enum uext4_log_level level, const char *message)
{
	size_t len = strlen(said);

	if (level <= UEXT4_LOG_WARNING)
		snprintf(said + len, sizeof(said) - len, "%s\n", message);
}

static int open_image(struct dir_test *t, bool read_only)
{
	struct uext4_options o = {
		.size = sizeof(o), .no_direct_io = true, .read_only = read_only, .log = listen};

	said[0] = 0;
	return uext4_open(t->f.path, &o, &t->fs);
}

static void close_image(struct dir_test *t)
{
	assert_int_equal(uext4_close(t->fs), 0);
}

static u8 *image_bytes(struct dir_test *t)
{
	u8 *bytes = malloc(BYTES);

	fixture_peek(&t->f, 0, bytes, BYTES);
	return bytes;
}

/* Refused with that error and a message, and not one byte was written. */
static void refused(struct dir_test *t, int err)
{
	u8 *before = image_bytes(t), *after;

	if (open_image(t, false) != -err)
		fail_msg("not refused: %s", said);
	assert_non_null(strstr(said, "e2fsck"));
	after = image_bytes(t);
	assert_memory_equal(before, after, BYTES);
	free(before);
	free(after);
}

static void make(struct dir_test *t, const char *options)
{
	struct uext4_inode *i;

	dt_make(t, BYTES, options);
	dt_up(t);
	assert_int_equal(dt_create(t->root, "file", S_IFREG | 0644, &i), 0);
	uext4_inode_put(i);
	dt_down(t);
}

/* One group's descriptor is poked; what the others hold can be read all the same. */
static void bad_descriptor(u32 group, u32 offset, u32 len, u64 value, const char *options)
{
	struct uext4_inode *root;
	struct dir_test t;

	make(&t, options);
	fixture_poke(&t.f, 2048 + group * 32 + offset, &value, len);
	refused(&t, EUCLEAN);
	assert_int_equal(open_image(&t, true), 0);
	assert_non_null(strstr(said, "e2fsck"));
	assert_int_equal(uext4_root(t.fs, &root), 0);
	if (dt_lookup(root, "file", NULL))
		fail_msg("group %u, field %u: %s", group, offset, said);
	uext4_inode_put(root);
	close_image(&t);
	fixture_remove(&t.f);
}

#define PLAIN "-b 1024 -O ^64bit,^metadata_csum,^uninit_bg,^orphan_file,^resize_inode"

/* HD-2: read-write refuses, read-only goes on, even if the root's own group is the bad one. */
static void test_HD_2_read_only_goes_on(void **unused)
{
	for (u32 group = 0; group < 3; group += 2) {
		bad_descriptor(group, 0x00, 4, ~0u, PLAIN); /* block bitmap outside */
		bad_descriptor(group, 0x04, 4, 0, PLAIN);
		bad_descriptor(group, 0x0c, 2, 0xffff, PLAIN); /* impossible counts */
		bad_descriptor(group, 0x10, 2, 0xffff, PLAIN);
	}
	bad_descriptor(2, 0x08, 4, ~0u, PLAIN); /* inode table outside */
	bad_descriptor(0, 0x1e, 2, 0, "-b 1024 -O ^64bit,^orphan_file,^resize_inode"); /* csum */
}

/* OR-6: a bad block of the orphan file refuses, and before the journal or superblock is touched. */
static void test_OR_6_bad_orphan_file(void **unused)
{
	struct dir_test t;
	u32 bad = 0;
	char *out;
	u64 block;

	make(&t, "-b 1024 -O orphan_file");
	out = dt_debugfs(&t, "bmap <12> 0", false);
	block = strtoull(strstr(out, "\n") + 1, NULL, 10);
	free(out);
	assert_true(block > 0);
	fixture_poke(&t.f, block * 1024 + 1020, &bad, 4);
	refused(&t, EBADMSG);
	assert_int_equal(open_image(&t, true), 0);
	close_image(&t);
	fixture_remove(&t.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_HD_2_read_only_goes_on),
		cmocka_unit_test(test_OR_6_bad_orphan_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
