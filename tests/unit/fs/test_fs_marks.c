/*
 * The marks that a mount leaves in the superblock, seen by the device: which write comes before
 * which (MD-8, MD-9, MD-10), and what the log may change in them (RC-1).
 */
#include "dir/dir_test.h"

#include "disk/jbd2_format.h"
#include "disk/super_format.h"

#include <fcntl.h>
#include <unistd.h>

#define BYTES (16u << 20)

/* What was written, and what a flush has made safe. */
static struct disk {
	u8 *bytes, *durable;
	u32 block_size;
	u32 log_writes;
	u16 mounts;	/* that the superblock must count before the log is written */
	const u8 *boot; /* what lies before the superblock; NULL: not looked at */
} disk;

static struct ext4_super *super_of(u8 *bytes)
{
	return (struct ext4_super *)(bytes + EXT4_SUPER_OFFSET);
}

static bool marked_mounted(const struct ext4_super *s)
{
	return le32_to_cpu(s->s_feature_incompat) & EXT4_FEATURE_INCOMPAT_RECOVER &&
	       le16_to_cpu(s->s_state) & EXT4_STATE_VALID &&
	       le16_to_cpu(s->s_mnt_count) == disk.mounts;
}

static bool is_log_block(const u8 *block)
{
	const struct jbd2_header *h = (const void *)block;
	u32 type = be32_to_cpu(h->h_blocktype);

	return be32_to_cpu(h->h_magic) == JBD2_MAGIC &&
	       (type == JBD2_DESCRIPTOR || type == JBD2_COMMIT || type == JBD2_REVOKE);
}

static int disk_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, disk.bytes + offset, len);
	return 0;
}

static int disk_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	for (size_t at = 0; at + disk.block_size <= len; at += disk.block_size) {
		if (!is_log_block((const u8 *)buf + at))
			continue;
		disk.log_writes++;
		assert_true(marked_mounted(super_of(disk.durable)));
	}
	memcpy(disk.bytes + offset, buf, len);
	if (disk.boot)
		assert_memory_equal(disk.bytes, disk.boot, EXT4_SUPER_OFFSET);
	return 0;
}

static int disk_flush(void *arg)
{
	memcpy(disk.durable, disk.bytes, BYTES);
	return 0;
}

static void quiet(void *arg, enum uext4_log_level level, const char *message)
{
}

static int disk_mount(struct uext4_fs **fs)
{
	struct uext4_device_ops ops = {.size = sizeof(ops),
		.read = disk_read,
		.write = disk_write,
		.flush = disk_flush,
		.device_bytes = BYTES,
		.block_size = 1024};
	struct uext4_options o = {.size = sizeof(o), .log = quiet};

	disk.log_writes = 0;
	disk.mounts = le16_to_cpu(super_of(disk.bytes)->s_mnt_count) + 1;
	return uext4_open_device(&ops, NULL, &o, fs);
}

static void disk_make(struct fixture *f, const char *options, u32 block_size)
{
	fixture_make(f, BYTES, options);
	disk = (struct disk){
		.bytes = malloc(BYTES), .durable = malloc(BYTES), .block_size = block_size};
	fixture_peek(f, 0, disk.bytes, BYTES);
	memcpy(disk.durable, disk.bytes, BYTES);
}

static void disk_end(struct fixture *f)
{
	fixture_poke(f, 0, disk.bytes, BYTES);
	fixture_fsck(f);
	fixture_remove(f);
	free(disk.bytes);
	free(disk.durable);
}

static void work(struct uext4_fs *fs, const char *name)
{
	assert_int_equal(uext4_mkdirat(fs, NULL, name, 0755, NULL), 0);
	assert_int_equal(uext4_sync(fs), 0);
	assert_true(disk.log_writes > 0);
}

/* The same after a crash: a log that was replayed and written again is replayed once more. */
static void test_MD_9_MD_10_marks_before_the_log(void **state)
{
	static const char *const names[] = {"a", "b", "c"};
	struct uext4_fs *fs;
	struct fixture f;

	disk_make(&f, "-b 1024", 1024);
	for (u32 k = 0; k < 3; k++) {
		u8 *crash = malloc(BYTES);

		assert_int_equal(disk_mount(&fs), 0);
		if (k == 2)
			assert_int_equal(uext4_unlinkat(fs, NULL, "b", AT_REMOVEDIR, NULL), 0);
		work(fs, names[k]);
		memcpy(crash, disk.durable, BYTES);
		assert_int_equal(uext4_close(fs), 0);
		assert_false(le32_to_cpu(super_of(disk.durable)->s_feature_incompat) &
			     EXT4_FEATURE_INCOMPAT_RECOVER);
		if (k < 2) {
			memcpy(disk.bytes, crash, BYTES);
			memcpy(disk.durable, crash, BYTES);
		}
		free(crash);
	}
	disk_end(&f);
}

/* Without a journal the mark is the state: not clean until it is unmounted. */
static void test_MD_9_no_journal(void **state)
{
	struct uext4_fs *fs;
	struct fixture f;

	disk_make(&f, "-b 1024 -O ^has_journal", 1024);
	assert_int_equal(disk_mount(&fs), 0);
	assert_int_equal(le16_to_cpu(super_of(disk.durable)->s_mnt_count), disk.mounts);
	assert_false(le16_to_cpu(super_of(disk.durable)->s_state) & EXT4_STATE_VALID);
	assert_false(le32_to_cpu(super_of(disk.durable)->s_feature_incompat) &
		     EXT4_FEATURE_INCOMPAT_RECOVER);
	assert_int_equal(uext4_close(fs), 0);
	assert_true(le16_to_cpu(super_of(disk.durable)->s_state) & EXT4_STATE_VALID);
	disk_end(&f);
}

/* The superblock shares its block with what a boot loader put there. */
static void test_MD_8_boot_sector(void **state)
{
	u8 boot[EXT4_SUPER_OFFSET];
	struct uext4_fs *fs;
	struct fixture f;

	disk_make(&f, "-b 4096", 4096);
	for (u32 k = 0; k < sizeof(boot); k++)
		boot[k] = (u8)(k * 7 + 1);
	memcpy(disk.bytes, boot, sizeof(boot));
	disk.boot = boot;
	for (u32 k = 0; k < 2; k++) {
		assert_int_equal(disk_mount(&fs), 0);
		work(fs, k ? "y" : "x");
		assert_int_equal(uext4_close(fs), 0);
	}
	disk_end(&f);
}

/* A direct write of the superblock carries nothing that no transaction has committed. */
static void test_MD_8_nothing_uncommitted(void **state)
{
	struct uext4_create req = {.mode = S_IFREG | 0644};
	struct uext4_inode *i;
	struct uext4_fs *fs;
	struct fixture f;

	disk_make(&f, "-b 1024 -O ^orphan_file", 1024);
	assert_int_equal(disk_mount(&fs), 0);
	assert_int_equal(uext4_mknodat(fs, NULL, "f", NULL, &req, &i), 0);
	assert_int_equal(uext4_sync(fs), 0);
	assert_int_equal(uext4_unlinkat(fs, NULL, "f", 0, NULL), 0); /* held: the list's head */
	assert_int_equal(uext4_shutdown(fs, UEXT4_SHUTDOWN_NOLOGFLUSH), 0);
	uext4_inode_put(i);
	(void)uext4_close(fs);
	assert_int_equal(le32_to_cpu(super_of(disk.bytes)->s_last_orphan), 0);
	assert_int_equal(disk_mount(&fs), 0);
	assert_int_equal(uext4_unlinkat(fs, NULL, "f", 0, NULL), 0);
	assert_int_equal(uext4_close(fs), 0);
	disk_end(&f);
}

/* A log that holds a superblock, changed by change. */
static void log_super(struct fixture *f, void (*change)(struct ext4_super *))
{
	char path[] = "/tmp/uext4-super-XXXXXX", command[200];
	int fd = mkstemp(path);
	u8 block[1024];

	assert_true(fd >= 0);
	fixture_peek(f, EXT4_SUPER_OFFSET, block, sizeof(block));
	change((struct ext4_super *)block);
	assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
	close(fd);
	snprintf(command, sizeof(command), "printf 'jo\\njw -b 1 %s\\njc\\n' | debugfs -w -f - %%s",
		path);
	free(fixture_run(f, command));
	unlink(path);
}

static void reserve_more(struct ext4_super *s)
{
	s->s_r_blocks_count_lo = cpu_to_le32(1000);
	memcpy(s->s_volume_name, "replayed", 8);
}

static void other_journal(struct ext4_super *s)
{
	s->s_journal_inum = cpu_to_le32(9);
}

/* Everything that was read before the replay is read anew. */
static void test_RC_1_superblock_in_the_log(void **state)
{
	struct uext4_statfs before, after;
	struct uext4_fs *fs;
	struct fixture f;

	disk_make(&f, "-b 1024 -m 0 -O ^metadata_csum,^64bit", 1024);
	assert_int_equal(disk_mount(&fs), 0);
	assert_int_equal(uext4_statfs(fs, &before), 0);
	assert_int_equal(uext4_close(fs), 0);
	log_super(&f, reserve_more);
	fixture_peek(&f, 0, disk.bytes, BYTES);
	assert_int_equal(disk_mount(&fs), 0);
	assert_int_equal(uext4_statfs(fs, &after), 0);
	assert_int_equal(before.blocks_available - after.blocks_available, 1000);
	assert_int_equal(uext4_close(fs), 0);
	assert_memory_equal(super_of(disk.bytes)->s_volume_name, "replayed", 8);
	disk_end(&f);
}

/* A second inode looks just like the journal: only that it is another one stops the mount. */
static void test_RC_1_another_journal_in_the_log(void **state)
{
	struct uext4_fs *fs;
	struct fixture f;

	disk_make(&f, "-b 1024 -O ^metadata_csum,^64bit", 1024);
	free(fixture_run(&f, "debugfs -w -R 'copy_inode <8> <9>' %s"));
	log_super(&f, other_journal);
	fixture_peek(&f, 0, disk.bytes, BYTES);
	assert_int_equal(disk_mount(&fs), -EUCLEAN);
	fixture_remove(&f);
	free(disk.bytes);
	free(disk.durable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_MD_9_MD_10_marks_before_the_log),
		cmocka_unit_test(test_MD_9_no_journal),
		cmocka_unit_test(test_MD_8_boot_sector),
		cmocka_unit_test(test_MD_8_nothing_uncommitted),
		cmocka_unit_test(test_RC_1_superblock_in_the_log),
		cmocka_unit_test(test_RC_1_another_journal_in_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
