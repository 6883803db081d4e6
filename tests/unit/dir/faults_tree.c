#include "faults.h"

#include "base/crc.h"

#define SEED 0xffffffffu

struct walk {
	struct uext4_fs *fs;
	u32 sum; /* the order of names does not matter */
};

static u32 xattr_sum(struct uext4_inode *i, u32 crc)
{
	static char list[4096], value[65536];
	ssize_t len = uext4_listxattr(i, NULL, list, sizeof(list));
	u32 sum = 0;

	assert_true(len >= 0);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1) {
		ssize_t n = uext4_getxattr(i, NULL, list + at, value, sizeof(value));

		assert_true(n >= 0);
		sum += crc32c(crc32c(SEED, list + at, strlen(list + at)), value, (size_t)n);
	}
	return crc32c(crc, &sum, sizeof(sum));
}

static u32 content_sum(struct uext4_inode *i, u32 mode, u32 crc)
{
	static char data[65536];
	struct uext4_file *f;
	ssize_t n;

	if (S_ISLNK(mode)) {
		n = uext4_readlink(i, data, sizeof(data));
	} else {
		assert_int_equal(uext4_file_open(i, NULL, O_RDONLY | O_NOATIME, &f), 0);
		n = uext4_pread(f, data, sizeof(data), 0);
		uext4_file_close(f);
	}
	assert_true(n >= 0);
	return crc32c(crc, data, (size_t)n);
}

static void add_inode(struct walk *w, const char *path)
{
	struct uext4_inode *i;
	struct uext4_stat s;
	u32 crc = crc32c(SEED, path, strlen(path));

	assert_int_equal(uext4_resolve(w->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &i), 0);
	assert_int_equal(uext4_stat(i, &s), 0);
	crc = crc32c(crc, &s.mode, sizeof(s.mode));
	crc = crc32c(crc, &s.links, sizeof(s.links));
	crc = crc32c(crc, &s.size, sizeof(s.size));
	crc = xattr_sum(i, crc);
	if (S_ISREG(s.mode) || S_ISLNK(s.mode))
		crc = content_sum(i, s.mode, crc);
	w->sum += crc;
	uext4_inode_put(i);
}

static struct names {
	char name[900][256];
	u32 count;
} listing[4];

static bool collect(void *arg, const struct uext4_dirent *e)
{
	struct names *n = arg;

	assert_true(n->count < array_len(n->name));
	snprintf(n->name[n->count++], 256, "%.*s", (int)e->name_len, e->name);
	return true;
}

static void add_tree(struct walk *w, const char *path, u32 depth)
{
	struct names *n = &listing[depth];
	struct uext4_inode *dir;
	struct uext4_stat s;

	add_inode(w, path);
	assert_int_equal(uext4_statat(w->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &s), 0);
	if (!S_ISDIR(s.mode))
		return;
	assert_int_equal(uext4_resolve(w->fs, NULL, path, 0, NULL, &dir), 0);
	n->count = 0;
	assert_int_equal(uext4_readdir(dir, NULL, 0, collect, n), 0);
	uext4_inode_put(dir);
	for (u32 k = 0; k < n->count; k++) {
		char below[700];

		if (!strcmp(n->name[k], ".") || !strcmp(n->name[k], ".."))
			continue;
		assert_in_range(
			snprintf(below, sizeof(below), "%s/%s", depth ? path : "", n->name[k]), 2,
			sizeof(below) - 1);
		add_tree(w, below, depth + 1);
	}
}

u32 tree_sum(struct uext4_fs *fs)
{
	struct walk w = {.fs = fs};

	add_tree(&w, "/", 0);
	return w.sum;
}
