/* Images as others leave them: with another UUID, with inode tables that nobody has zeroed. */
#include "dir/dir_test.h"

#include <fcntl.h>

#include "base/util.h"

#define BYTES (8u << 20)
#define FILES 120u

/* Something of everything that has a checksum: extent nodes, an index, attribute blocks. */
static void fill(struct dir_test *t)
{
	struct uext4_inode *dir = dt_mkdir(t->root, "d"), *i;
	struct uext4_file *file;
	char name[256], value[200];

	memset(value, 'v', sizeof(value));
	for (u32 k = 0; k < FILES; k++) {
		dt_name(k, 60, name);
		assert_int_equal(dt_create(dir, name, S_IFREG | 0644, &i), 0);
		if (k % 10 == 0)
			assert_int_equal(
				uext4_setxattr(i, NULL, "user.a", value, sizeof(value), 0), 0);
		uext4_inode_put(i);
	}
	assert_int_equal(dt_create(t->root, "holes", S_IFREG | 0644, &i), 0);
	assert_int_equal(uext4_file_open(i, NULL, O_RDWR, &file), 0);
	for (u64 k = 0; k < 200; k++)
		assert_int_equal(uext4_pwrite(file, value, sizeof(value), k * 4096), 200);
	uext4_file_close(file);
	uext4_inode_put(i);
	uext4_inode_put(dir);
}

static void look(struct dir_test *t)
{
	struct uext4_inode *dir = dt_get(t, "d"), *i;
	struct uext4_file *file;
	char name[256], value[200];

	for (u32 k = 0; k < FILES; k++) {
		dt_name(k, 60, name);
		assert_int_equal(dt_lookup(dir, name, NULL), 0);
		if (k % 10)
			continue;
		assert_int_equal(uext4_lookup(dir, NULL, name, &i), 0);
		assert_int_equal(uext4_getxattr(i, NULL, "user.a", value, sizeof(value)), 200);
		uext4_inode_put(i);
	}
	i = dt_get(t, "holes");
	assert_int_equal(uext4_file_open(i, NULL, O_RDONLY, &file), 0);
	for (u64 k = 0; k < 200; k++) {
		assert_int_equal(uext4_pread(file, value, sizeof(value), k * 4096), 200);
		assert_int_equal(value[0], 'v');
	}
	uext4_file_close(file);
	uext4_inode_put(i);
	uext4_inode_put(dir);
}

static void change(struct dir_test *t)
{
	struct uext4_inode *dir = dt_get(t, "d");
	char name[256];

	for (u32 k = 0; k < FILES; k += 2) {
		dt_name(k, 60, name);
		assert_int_equal(uext4_unlink(dir, NULL, name), 0);
		dt_name(k + FILES, 60, name);
		assert_int_equal(dt_create(dir, name, S_IFREG | 0644, NULL), 0);
	}
	uext4_inode_put(dir);
}

/* The seed in the superblock (csum_seed) outlives the UUID; without it tune2fs seals all anew. */
static void test_MD_7_new_uuid(void **state)
{
	static const char *const options[] = {"-b 1024 -O metadata_csum,metadata_csum_seed",
		"-b 1024 -O metadata_csum,^metadata_csum_seed",
		"-b 1024 -O ^metadata_csum,uninit_bg"};

	for (u32 k = 0; k < array_len(options); k++) {
		struct ext4_super before, after;
		struct dir_test t;

		dt_make(&t, BYTES, options[k]);
		dt_up(&t);
		fill(&t);
		dt_down(&t);
		fixture_peek(&t.f, 1024, &before, sizeof(before));
		/* tune2fs wants a check that is no older than the last mount */
		free(fixture_run(&t.f,
			"e2fsck -fp %1$s >/dev/null && "
			"yes | tune2fs -U 01234567-89ab-cdef-0123-456789abcdef %1$s"));
		dt_up(&t);
		look(&t);
		change(&t);
		dt_down(&t);
		fixture_peek(&t.f, 1024, &after, sizeof(after));
		assert_memory_not_equal(before.s_uuid, after.s_uuid, sizeof(before.s_uuid));
		assert_int_equal(after.s_uuid[0], 0x01);
		assert_int_equal(before.s_checksum_seed.raw, after.s_checksum_seed.raw);
		fixture_fsck(&t.f);
		fixture_remove(&t.f);
	}
}

/* The part of the only group's table that was never used becomes what a disk may hold. */
static void soil_table(struct dir_test *t)
{
	char *out = fixture_run(&t->f, "dumpe2fs %s"), *at = strstr(out, "Inode table at ");
	unsigned long from, to, unused;
	u64 len;
	u8 *soil;

	assert_non_null(at);
	assert_int_equal(sscanf(at, "Inode table at %lu-%lu", &from, &to), 2);
	at = strstr(at, "directories, ");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "directories, %lu unused inodes", &unused), 1);
	free(out);
	len = unused * 256;
	soil = malloc(len);
	memset(soil, 0x65, len); /* deleted, and not long ago, if it were believed */
	fixture_poke(&t->f, (to + 1) * 1024 - len, soil, len);
	free(soil);
}

/* By number, as a file handle brings it: those of the soiled part are not looked at. */
static void ask_for_never_used(struct dir_test *t)
{
	struct uext4_inode *i = NULL;
	u64 count = t->v->sb.inodes_count;

	for (u64 ino = count - 100; ino <= count; ino++)
		assert_int_equal(uext4_inode_get(t->fs, ino, &i), -ESTALE);
}

/* Numbers are given, and given again, without a look at raw inodes that were never written. */
static void test_AL_10_soiled_table(void **state)
{
	static const char *const options[] = {
		"-b 1024 -I 256 -E lazy_itable_init=1 -O ^has_journal",
		"-b 1024 -I 256 -E lazy_itable_init=1"};

	for (u32 k = 0; k < array_len(options); k++) {
		struct dir_test t;

		dt_make(&t, BYTES, options[k]);
		soil_table(&t);
		dt_up(&t);
		ask_for_never_used(&t);
		fill(&t);
		ask_for_never_used(&t);
		change(&t);
		dt_down(&t);
		dt_up(&t);
		assert_int_equal(uext4_unlink(t.root, NULL, "holes"), 0);
		dt_end(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_MD_7_new_uuid),
		cmocka_unit_test(test_AL_10_soiled_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
