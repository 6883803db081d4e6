/* The library, called directly. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <uext4.h>

struct bfile {
	struct uext4_file *file;
	const char *name;
};

static void check(struct target *t, const char *path, int err)
{
	if (err < 0)
		die(t->name, path, -err);
}

static struct bfile *lib_open(struct target *t, const char *path, int flags)
{
	struct bfile *f = malloc(sizeof(*f));

	f->name = t->name;
	check(t, path, uext4_openat(t->fs, NULL, path, flags, 0644, NULL, &f->file));
	return f;
}

static void lib_close(struct bfile *f)
{
	uext4_file_close(f->file);
	free(f);
}

static void lib_pwrite(struct bfile *f, const void *buf, size_t len, u64 off)
{
	ssize_t n = uext4_pwrite(f->file, buf, len, off);

	if (n != (ssize_t)len)
		die(f->name, "pwrite", n < 0 ? (int)-n : EIO);
}

static size_t lib_pread(struct bfile *f, void *buf, size_t len, u64 off)
{
	ssize_t n = uext4_pread(f->file, buf, len, off);

	if (n < 0)
		die(f->name, "pread", (int)-n);
	return (size_t)n;
}

static void lib_fsync(struct bfile *f)
{
	int err = uext4_fsync(f->file);

	if (err)
		die(f->name, "fsync", -err);
}

static void lib_truncate(struct bfile *f, u64 size)
{
	int err = uext4_ftruncate(f->file, size);

	if (err)
		die(f->name, "ftruncate", -err);
}

static void lib_preallocate(struct bfile *f, u64 size)
{
	int err = uext4_fallocate(f->file, 0, 0, size);

	if (err)
		die(f->name, "fallocate", -err);
}

static void lib_mkdir(struct target *t, const char *path)
{
	check(t, path, uext4_mkdirat(t->fs, NULL, path, 0755, NULL));
}

static void lib_rmdir(struct target *t, const char *path)
{
	check(t, path, uext4_unlinkat(t->fs, NULL, path, AT_REMOVEDIR, NULL));
}

static void lib_unlink(struct target *t, const char *path)
{
	check(t, path, uext4_unlinkat(t->fs, NULL, path, 0, NULL));
}

static void lib_stat(struct target *t, const char *path)
{
	struct uext4_stat st;

	check(t, path, uext4_statat(t->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &st));
}

static bool count_name(void *arg, const struct uext4_dirent *entry)
{
	++*(unsigned *)arg;
	return true;
}

static unsigned lib_list(struct target *t, const char *path)
{
	struct uext4_inode *dir;
	unsigned n = 0;

	check(t, path, uext4_resolve(t->fs, NULL, path, 0, NULL, &dir));
	check(t, path, uext4_readdir(dir, NULL, 0, count_name, &n));
	uext4_inode_put(dir);
	return n - 2;
}

static void lib_sync(struct target *t)
{
	check(t, "sync", uext4_sync(t->fs));
}

const struct backend backend_lib = {
	.open = lib_open,
	.close = lib_close,
	.pwrite = lib_pwrite,
	.pread = lib_pread,
	.fsync = lib_fsync,
	.truncate = lib_truncate,
	.preallocate = lib_preallocate,
	.mkdir = lib_mkdir,
	.rmdir = lib_rmdir,
	.unlink = lib_unlink,
	.stat = lib_stat,
	.list = lib_list,
	.sync = lib_sync,
};
