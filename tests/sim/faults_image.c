/* The images that calls work on. */
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/open_dev.h"
#include "sim/disk/mkfs.h"

const struct fault_type fault_types[] = {
	{"1k", 2112 * K, "-b 1024 -I 256 -N 64 -J size=1 -O metadata_csum,orphan_file,ea_inode", 1},
	{"4k", 8448 * K, "-b 4096 -N 64 -J size=4", 11},
	{"ext3", 2112 * K,
		"-b 1024 -I 256 -N 64 -J size=1 -O "
		"^extents,^metadata_csum,^uninit_bg,^64bit,^flex_bg",
		11},
	{"small", 2112 * K, "-b 1024 -I 128 -N 64 -J size=1 -O orphan_file,ea_inode", 11},
	{0},
};
struct sim_pages fault_clean, fault_unclean;

#define NEED(what)                                                                                 \
	do {                                                                                       \
		int need_err = (int)(what);                                                        \
		if (need_err < 0) {                                                                \
			fprintf(stderr, "%s: %s\n", #what, strerror(-need_err));                   \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* What the file system may have no way to keep. */
static int tried(int err)
{
	return err == -EOPNOTSUPP || err == -ENOSPC ? 0 : err;
}

static void put_file(struct uext4_fs *fs, const char *path, char letter, size_t len)
{
	struct uext4_file *f;
	char buf[16 * K];

	memset(buf, letter, sizeof(buf));
	NEED(uext4_openat(fs, NULL, path, O_RDWR | O_CREAT, 0666, NULL, &f));
	NEED(uext4_pwrite(f, buf, len, 0));
	if (letter == 'f')
		NEED(tried(uext4_fallocate(f, 3, 4 * K, 2 * K))); /* a hole */
	if (letter == 'd')
		NEED(tried(uext4_fallocate(f, 1, len, 4 * K))); /* unwritten behind the end */
	uext4_file_close(f);
}

static void put_xattr(struct uext4_fs *fs, const char *path, const char *name, size_t len)
{
	char value[3000];
	struct uext4_inode *inode;

	memset(value, 'v', sizeof(value));
	NEED(uext4_resolve(fs, NULL, path, 0, NULL, &inode));
	NEED(tried(uext4_setxattr(inode, NULL, name, value, len, 0)));
	uext4_inode_put(inode);
}

static void put_acl(struct uext4_fs *fs, const char *path, const char *name)
{
	static const u8 acl[] = {2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 232, 3, 0,
		0, 4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32, 0, 5, 0,
		255, 255, 255, 255};
	struct uext4_inode *inode;

	NEED(uext4_resolve(fs, NULL, path, 0, NULL, &inode));
	NEED(uext4_setxattr(inode, NULL, name, acl, sizeof(acl), 0));
	uext4_inode_put(inode);
}

static void populate(struct uext4_fs *fs)
{
	char target[201];

	memset(target, 't', 200);
	target[200] = 0;
	NEED(uext4_mkdirat(fs, NULL, "/dir", 0777, NULL));
	NEED(uext4_mkdirat(fs, NULL, "/dir/sub", 0755, NULL));
	NEED(uext4_mkdirat(fs, NULL, "/empty", 0755, NULL));
	NEED(uext4_mkdirat(fs, NULL, "/acl", 0755, NULL));
	put_file(fs, "/file", 'f', 12 * K - 100);
	put_file(fs, "/other", 'o', 4 * K + 50);
	put_file(fs, "/direct", 'd', 16 * K);
	put_file(fs, "/dir/a", 'a', 3000);
	put_file(fs, "/dir/sub/deep", 'p', 2 * K);
	NEED(uext4_symlinkat(fs, target, NULL, "/long", NULL));
	NEED(uext4_symlinkat(fs, "dir/../file", NULL, "/short", NULL));
	put_xattr(fs, "/other", "user.small", 20);
	put_xattr(fs, "/other", "user.block", 300);
	put_xattr(fs, "/other", "user.huge", 3000);
	put_acl(fs, "/acl", "system.posix_acl_access");
	put_acl(fs, "/acl", "system.posix_acl_default");
}

static struct uext4_fs *mount(struct sim_disk *disk)
{
	struct uext4_fs *fs = NULL;

	NEED(api_open_dev(sim_disk_dev(disk), NULL, &fs));
	return fs;
}

void fault_images_make(const struct fault_type *type)
{
	struct uext4_file *f;
	struct sim_disk *disk;
	struct uext4_fs *fs;

	NEED(sim_mkfs(&fault_clean, type->bytes, type->options));
	disk = sim_disk_create(&fault_clean, NULL);
	fs = mount(disk);
	populate(fs);
	NEED(uext4_close(fs));
	sim_pages_fini(&fault_clean);
	sim_pages_clone(&fault_clean, sim_disk_pages(disk));
	fs = mount(disk);
	NEED(uext4_openat(fs, NULL, "/dir/sub/deep", O_RDWR, 0, NULL, &f));
	NEED(uext4_unlinkat(fs, NULL, "/dir/sub/deep", 0, NULL));
	NEED(uext4_mkdirat(fs, NULL, "/dir/made", 0755, NULL));
	NEED(uext4_sync(fs));
	sim_pages_clone(&fault_unclean, sim_disk_pages(disk));
	uext4_file_close(f);
	NEED(uext4_close(fs));
	sim_disk_destroy(disk);
}
