/* Base images: mke2fs, then filled through the public API. */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define FUZZ_UUID "00112233-4455-6677-8899-aabbccddeeff"

const char *const base_names[BASE_COUNT] = {"4k", "1k", "plain", "ext3", "nojournal", "quota"};

static const struct {
	u64 size;
	const char *options;
} recipes[BASE_COUNT] = {
	{16 << 20, "-t ext4 -b 4096 -I 256 -O metadata_csum,metadata_csum_seed,64bit,orphan_file"},
	{8 << 20, "-t ext4 -b 1024 -I 256 -O metadata_csum,metadata_csum_seed,64bit,orphan_file"},
	{8 << 20, "-t ext4 -b 1024 -I 256 -O ^metadata_csum,^uninit_bg,^64bit,^orphan_file,"
		  "^metadata_csum_seed"},
	{8 << 20, "-t ext3 -b 1024 -I 256"},
	{8 << 20, "-t ext4 -b 1024 -I 256 -O ^has_journal,metadata_csum,^orphan_file"},
	{8 << 20, "-t ext4 -b 1024 -I 256 -O metadata_csum,64bit,orphan_file"},
};

static const char *const node_names[NODE_COUNT] = {
	"/", "plain", "deep", "fast", "slow", "linear", "index", "xattr", "acl", "char", "victim"};

static void need(int err, const char *what)
{
	if (err >= 0)
		return;
	fprintf(stderr, "base image: %s: %s\n", what, strerror(-err));
	exit(2);
}

static void load(struct image *img, const char *path)
{
	const char *why;
	FILE *f = fopen(path, "r");

	if (!f || fread(img->work, 1, img->size, f) != img->size)
		need(-EIO, "reading what mke2fs wrote");
	fclose(f);
	need(super_decode((const struct ext4_super *)(img->work + EXT4_SUPER_OFFSET), img->size,
		     &img->sb, &why),
		"its superblock");
}

static void make_path(char *path, size_t size)
{
	snprintf(path, size, "/tmp/uext4-fuzz-%d.img", (int)getpid());
}

static void format(struct image *img)
{
	char path[64], command[512];

	make_path(path, sizeof(path));
	snprintf(command, sizeof(command),
		"rm -f %s && truncate -s %llu %s && mke2fs -q -F -U " FUZZ_UUID
		" -E hash_seed=" FUZZ_UUID " %s %s 2>&1",
		path, (unsigned long long)img->size, path, recipes[img->base].options, path);
	if (system(command) != 0)
		need(-EIO, "mke2fs");
	load(img, path);
	unlink(path);
}

static void put_file(struct uext4_fs *fs, const char *path, u32 first, u32 step, u32 count, u32 bs)
{
	struct uext4_file *f;
	char block[4096];

	need(uext4_openat(fs, NULL, path, O_RDWR | O_CREAT, 0644, NULL, &f), path);
	memset(block, 'a' + (int)(step % 20), sizeof(block));
	for (u32 k = 0; k < count; k++) {
		need((int)uext4_pwrite(f, block, bs, (u64)(first + k * step) * bs), path);
		if (k % 16 == 0 && step > 1) /* keep the order of allocation */
			need(uext4_fsync(f), path);
	}
	need(uext4_fsync(f), path);
	uext4_file_close(f);
}

static void put_directories(struct uext4_fs *fs, u32 names)
{
	char name[256], path[300];

	need(uext4_mkdirat(fs, NULL, "linear", 0755, NULL), "linear");
	need(uext4_mkdirat(fs, NULL, "linear/sub", 0755, NULL), "linear/sub");
	need(uext4_mkdirat(fs, NULL, "index", 0755, NULL), "index");
	need(uext4_linkat(fs, NULL, "plain", NULL, "linear/short", NULL), "link");
	need(uext4_linkat(fs, NULL, "plain", NULL, "linear/second-name", NULL), "link");
	memset(name, 'n', sizeof(name));
	name[200] = 0;
	for (u32 k = 0; k < names; k++) {
		snprintf(path, sizeof(path), "index/%05u%s", k, name);
		need(uext4_linkat(fs, NULL, "empty", NULL, path, NULL), "index");
	}
}

static void put_attributes(struct uext4_fs *fs)
{
	static const unsigned char acl[] = {2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 7, 0,
		232, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 7, 0, 255, 255, 255, 255, 32,
		0, 4, 0, 255, 255, 255, 255};
	char value[700];
	struct uext4_inode *i;

	memset(value, 'v', sizeof(value));
	need(uext4_resolve(fs, NULL, "xattr", 0, NULL, &i), "xattr");
	need(uext4_setxattr(i, NULL, "user.small", "tiny", 4, 0), "user.small");
	need(uext4_setxattr(i, NULL, "user.big", value, sizeof(value), 0), "user.big");
	need(uext4_setxattr(i, NULL, "trusted.more", value, 100, 0), "trusted.more");
	uext4_inode_put(i);
	need(uext4_resolve(fs, NULL, "acl", 0, NULL, &i), "acl");
	need(uext4_setxattr(i, NULL, "system.posix_acl_access", acl, sizeof(acl), 0), "acl");
	uext4_inode_put(i);
}

static void put_special(struct uext4_fs *fs)
{
	struct uext4_create req = {.mode = S_IFCHR | 0600, .rdev_major = 300, .rdev_minor = 7};
	struct uext4_inode *i;
	char target[300];

	need(uext4_mknodat(fs, NULL, "char", NULL, &req, &i), "char");
	uext4_inode_put(i);
	need(uext4_symlinkat(fs, "plain", NULL, "fast", NULL), "fast");
	memset(target, 't', sizeof(target));
	target[250] = 0;
	need(uext4_symlinkat(fs, target, NULL, "slow", NULL), "slow");
}

/* Several on a page of the tree, one far away. */
static void put_owners(struct uext4_fs *fs)
{
	static const struct {
		const char *name;
		u32 uid, gid;
	} owners[] = {{"plain", 1, 100}, {"deep", 2, 100}, {"fast", 1, 0x7000000},
		{"xattr", 300, 1}, {"linear", 70000, 70001}, {"char", 5, 5}};

	for (size_t k = 0; k < array_len(owners); k++) {
		struct uext4_setattr s = {.valid = UEXT4_SET_UID | UEXT4_SET_GID,
			.uid = owners[k].uid,
			.gid = owners[k].gid};
		struct uext4_inode *i;

		need(uext4_resolve(fs, NULL, owners[k].name, UEXT4_NOFOLLOW, NULL, &i), "owner");
		need(uext4_setattr(i, NULL, &s), "owner");
		uext4_inode_put(i);
	}
}

/* e2fsck counts them. */
static void add_quotas(struct image *img)
{
	char path[64], command[512];
	FILE *f;

	make_path(path, sizeof(path));
	f = fopen(path, "w");
	if (!f || fwrite(img->work, 1, img->size, f) != img->size || fclose(f))
		need(-EIO, "writing it");
	snprintf(command, sizeof(command),
		"{ tune2fs -O project %s && tune2fs -O quota -Q usrquota,grpquota,prjquota %s && "
		"{ e2fsck -fy %s || [ $? = 1 ]; }; } >/dev/null 2>&1",
		path, path, path);
	if (system(command) != 0)
		need(-EIO, "tune2fs");
	load(img, path);
	unlink(path);
}

static void remember(struct image *img, struct uext4_fs *fs)
{
	for (int n = 0; n < NODE_COUNT; n++) {
		struct uext4_stat s;

		need(uext4_statat(fs, NULL, node_names[n], UEXT4_NOFOLLOW, NULL, &s),
			node_names[n]);
		img->ino[n] = (ino_nr)s.ino;
	}
}

static void fill(struct image *img)
{
	struct uext4_options opt = {.size = sizeof(opt), .cache_bytes = 8 << 20};
	u32 bs = img->base == BASE_4K ? 4096 : 1024;
	struct uext4_fs *fs;

	need(image_open(img, &opt, &fs), "opening what mke2fs made");
	put_file(fs, "plain", 0, 1, 10, bs);
	put_file(fs, "empty", 0, 1, 0, bs);
	put_file(fs, "deep", 0, 2, 400, bs);
	put_file(fs, "xattr", 0, 1, 1, bs);
	put_file(fs, "acl", 0, 1, 1, bs);
	put_file(fs, "victim", 0, 1, 5, bs);
	put_directories(fs, 600);
	put_attributes(fs);
	put_special(fs);
	if (img->base == BASE_QUOTA)
		put_owners(fs);
	remember(img, fs);
	need(uext4_close(fs), "closing");
}

void image_build(struct image *img, enum base base)
{
	memset(img, 0, sizeof(*img));
	img->base = base;
	img->size = recipes[base].size;
	img->pristine = malloc(img->size);
	img->work = malloc(img->size);
	img->dirty = calloc(1, img->size / 4096);
	pthread_rwlock_init(&img->lock, NULL);
	format(img);
	fill(img);
	if (base == BASE_QUOTA)
		add_quotas(img);
	image_adopt(img);
}
