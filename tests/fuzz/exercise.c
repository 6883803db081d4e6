/* The exercise: each call may fail, but only by errors that damage explains. */
#include "exercise.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_MAX = 700, DIRS_MAX = 30, DEPTH_MAX = 6, READ_MAX = 256 << 10 };

struct run {
	struct uext4_fs *fs;
	struct report *report;
	unsigned flags;
	unsigned dirs;
	struct uext4_inode *dir[DIRS_MAX];
	u64 dir_ino[DIRS_MAX];
};

static void note_log(void *arg, enum uext4_log_level level, const char *message)
{
	struct report *r = arg;
	size_t len = strlen(r->log);

	if (level > UEXT4_LOG_WARNING)
		return;
	r->logged_error = true;
	r->messages++;
	if (strstr(message, "e2fsck") || strstr(message, "it uses:"))
		r->says_what_to_do = true;
	if (!strstr(r->log, message))
		snprintf(r->log + len, sizeof(r->log) - len, "%s\n", message);
}

/* Errors that mean damage, or are the normal answer to something the exercise tries. */
static bool is_plain(int err)
{
	static const int plain[] = {EUCLEAN, EBADMSG, EROFS, ESTALE, ENOENT, EEXIST, ENOTEMPTY,
		ENOTDIR, EISDIR, ENOSPC, ENODATA, ELOOP, EPERM, ENXIO, EFBIG, EMLINK, EINVAL,
		EOPNOTSUPP, EACCES, ERANGE};

	for (size_t k = 0; k < sizeof(plain) / sizeof(plain[0]); k++)
		if (err == plain[k])
			return true;
	return false;
}

static s64 did(struct run *run, s64 result, const char *call)
{
	struct report *r = run->report;

	if (result >= 0)
		return result;
	if (result > -256)
		r->seen[-result] = true;
	if ((result <= -256 || !is_plain((int)-result)) && !r->first_odd) {
		r->first_odd = (int)-result;
		r->odd_call = call;
	}
	return result;
}

#define DID(call) did(run, (call), #call)

/* --- reading --- */

struct names {
	unsigned count;
	char name[NAMES_MAX][256];
};

static bool collect(void *arg, const struct uext4_dirent *e)
{
	struct names *n = arg;

	if (n->count == NAMES_MAX)
		return false;
	memcpy(n->name[n->count], e->name, e->name_len);
	n->name[n->count++][e->name_len] = 0;
	return true;
}

static void read_attributes(struct run *run, struct uext4_inode *i)
{
	static _Thread_local char list[65536], value[65536];
	ssize_t len = DID(uext4_listxattr(i, NULL, list, sizeof(list)));

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(list + at) + 1)
		DID(uext4_getxattr(i, NULL, list + at, value, sizeof(value)));
}

static void read_file(struct run *run, struct uext4_inode *i, u64 size)
{
	struct uext4_extent e[64];
	static char buf[65536];
	struct uext4_file *f;

	if (DID(uext4_file_open(i, NULL, O_RDONLY | O_NOATIME, &f)))
		return;
	for (u64 at = 0; at < size && at < READ_MAX; at += sizeof(buf))
		DID(uext4_pread(f, buf, sizeof(buf), at));
	if (size > READ_MAX)
		DID(uext4_pread(f, buf, sizeof(buf), size - 1000));
	DID(uext4_seek(f, 0, SEEK_HOLE));
	DID(uext4_seek(f, size / 2, SEEK_DATA));
	DID(uext4_extents(i, 0, e, 64));
	uext4_file_close(f);
}

static void keep_dir(struct run *run, struct uext4_inode *dir)
{
	uext4_inode_hold(dir);
	run->dir_ino[run->dirs] = uext4_inode_number(dir);
	run->dir[run->dirs++] = dir;
}

static bool known_dir(struct run *run, u64 ino)
{
	for (unsigned k = 0; k < run->dirs; k++)
		if (run->dir_ino[k] == ino)
			return true;
	return run->dirs == DIRS_MAX;
}

static void walk(struct run *run, struct uext4_inode *dir, int depth);

static void visit(struct run *run, struct uext4_inode *i, int depth)
{
	struct uext4_stat s = {0};
	char target[4096];

	if (DID(uext4_stat(i, &s)))
		return;
	read_attributes(run, i);
	if (S_ISLNK(s.mode))
		DID(uext4_readlink(i, target, sizeof(target)));
	else if (S_ISREG(s.mode))
		read_file(run, i, s.size);
	else if (S_ISDIR(s.mode) && depth < DEPTH_MAX && !known_dir(run, s.ino))
		walk(run, i, depth + 1);
}

static void walk(struct run *run, struct uext4_inode *dir, int depth)
{
	struct names *n = calloc(1, sizeof(*n));
	struct uext4_inode *i;

	keep_dir(run, dir);
	DID(uext4_readdir(dir, NULL, 0, collect, n));
	for (unsigned k = 0; k < n->count; k++) {
		if (strcmp(n->name[k], ".") == 0 || strcmp(n->name[k], "..") == 0)
			continue;
		if (k > 20 && k % (run->flags & EXERCISE_QUICK ? 199 : 29))
			continue;
		if (DID(uext4_lookup(dir, NULL, n->name[k], &i)))
			continue;
		visit(run, i, depth);
		uext4_inode_put(i);
	}
	free(n);
	if (!DID(uext4_parent(dir, &i)))
		uext4_inode_put(i);
}

/* --- changing --- */

static void change_file(struct run *run, struct uext4_inode *i)
{
	static const char data[5000] = "written by the exercise";
	struct uext4_setattr mode = {.valid = UEXT4_SET_MODE, .mode = 0600};
	struct uext4_file *f;

	DID(uext4_setxattr(i, NULL, "user.fuzz", data, 60, 0));
	DID(uext4_setxattr(i, NULL, "user.fuzz-big", data, 500, 0));
	DID(uext4_removexattr(i, NULL, "user.fuzz"));
	DID(uext4_setattr(i, NULL, &mode));
	if (DID(uext4_file_open(i, NULL, O_RDWR, &f)))
		return;
	DID(uext4_pwrite(f, data, sizeof(data), 100));
	DID(uext4_pwrite(f, data, 10, 100000));
	DID(uext4_fsync(f));
	if (DID(uext4_ftruncate(f, 3000)))
		run->report->truncation_failed = true;
	DID(uext4_ftruncate(f, 50000));
	uext4_file_close(f);
}

static void change_dir(struct run *run, struct uext4_inode *dir)
{
	struct uext4_create file = {.mode = S_IFREG | 0644}, sub = {.mode = S_IFDIR | 0755};
	struct uext4_inode *root = run->dir[0], *i;

	if (!DID(uext4_create(dir, NULL, "fuzz-file", &file, &i))) {
		change_file(run, i);
		DID(uext4_link(i, NULL, dir, "fuzz-link"));
		uext4_inode_put(i);
	}
	if (!DID(uext4_create(dir, NULL, "fuzz-dir", &sub, &i)))
		uext4_inode_put(i);
	if (!DID(uext4_symlink(dir, NULL, "fuzz-symlink", "target", &i)))
		uext4_inode_put(i);
	if (!DID(uext4_tmpfile(dir, NULL, &file, &i)))
		uext4_inode_put(i);
	DID(uext4_rename(dir, "fuzz-file", dir, "fuzz-renamed", NULL, 0));
	DID(uext4_rename(dir, "fuzz-dir", root, "fuzz-moved", NULL, 0));
	DID(uext4_rename(root, "fuzz-moved", dir, "fuzz-dir", NULL, 0));
	DID(uext4_unlink(dir, NULL, "fuzz-renamed"));
	DID(uext4_unlink(dir, NULL, "fuzz-link"));
	DID(uext4_unlink(dir, NULL, "fuzz-symlink"));
	DID(uext4_rmdir(dir, NULL, "fuzz-dir"));
	DID(uext4_inode_sync(dir, false));
}

/* Changes and then deletes what the image itself holds. */
static void change_old(struct run *run)
{
	static const char *const names[] = {
		"plain", "deep", "xattr", "acl", "fast", "slow", "char", "linear/short", "victim"};
	struct uext4_inode *i;

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		if (DID(uext4_resolve(run->fs, NULL, names[k], UEXT4_NOFOLLOW, NULL, &i)))
			continue;
		if (!(run->flags & EXERCISE_QUICK) || k == 1 || k == 2)
			change_file(run, i);
		uext4_inode_put(i);
		DID(uext4_unlinkat(run->fs, NULL, names[k], 0, NULL));
	}
	DID(uext4_unlinkat(run->fs, NULL, "linear", AT_REMOVEDIR, NULL));
}

static void change(struct run *run)
{
	for (unsigned k = 0; k < run->dirs; k++)
		change_dir(run, run->dir[k]);
	change_old(run);
	DID(uext4_sync(run->fs));
}

static void inside(struct run *run)
{
	struct uext4_inode *root;
	struct uext4_statfs s;

	DID(uext4_statfs(run->fs, &s));
	if (DID(uext4_root(run->fs, &root)))
		return;
	visit(run, root, 0);
	if (!(run->flags & EXERCISE_RO) && run->dirs)
		change(run);
	for (unsigned k = 0; k < run->dirs; k++)
		uext4_inode_put(run->dir[k]);
	uext4_inode_put(root);
}

void exercise(struct image *img, unsigned flags, struct report *out)
{
	struct uext4_options opt = {.size = sizeof(opt),
		.read_only = flags & EXERCISE_RO,
		.cache_bytes = 8 << 20,
		.log = note_log,
		.log_arg = out};
	struct run *run = calloc(1, sizeof(*run));

	memset(out, 0, sizeof(*out));
	run->report = out;
	run->flags = flags;
	out->open_err = image_open(img, &opt, &run->fs);
	if (!out->open_err) {
		inside(run);
		out->close_err = uext4_close(run->fs);
	}
	free(run);
}
