#include "dir/dir_test.h"

#include "os/atomic.h"

static void on_log(void *arg, enum uext4_log_level level, const char *message)
{
	struct dir_test *t = arg;

	if (level != UEXT4_LOG_ERROR)
		return;
	atomic_add(&t->errors, 1);
	if (!t->expect_errors)
		fprintf(stderr, "log: %s\n", message);
}

void dt_make(struct dir_test *t, u64 bytes, const char *mke2fs_options)
{
	*t = (struct dir_test){0};
	fixture_make(&t->f, bytes, mke2fs_options);
}

void dt_up(struct dir_test *t)
{
	struct uext4_options o = {.size = sizeof(o),
		.no_direct_io = true,
		.no_barrier = true,
		.errors = UEXT4_ERRORS_CONTINUE,
		.nodelalloc = t->nodelalloc,
		.cache_bytes = t->cache_bytes,
		.log = on_log,
		.log_arg = t};

	t->errors = 0;
	assert_int_equal(uext4_open(t->f.path, &o, &t->fs), 0);
	assert_int_equal(uext4_root(t->fs, &t->root), 0);
	t->v = &t->fs->fs->volume;
}

void dt_down(struct dir_test *t)
{
	uext4_inode_put(t->root);
	assert_int_equal(uext4_close(t->fs), 0);
	t->fs = NULL;
	if (!t->expect_errors)
		assert_int_equal(t->errors, 0);
}

void dt_end(struct dir_test *t)
{
	dt_down(t);
	fixture_fsck(&t->f);
	fixture_remove(&t->f);
}

char *dt_debugfs(struct dir_test *t, const char *command, bool write)
{
	char line[400];

	snprintf(line, sizeof(line), "debugfs %s -R '%s' %%s", write ? "-w" : "", command);
	return fixture_run(&t->f, line);
}

struct uext4_inode *dt_get(struct dir_test *t, const char *path)
{
	struct uext4_inode *i = NULL;

	assert_int_equal(uext4_resolve(t->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &i), 0);
	return i;
}

int dt_create(struct uext4_inode *dir, const char *name, u32 mode, struct uext4_inode **out)
{
	struct uext4_create req = {.mode = mode};

	return uext4_create(dir, NULL, name, &req, out);
}

struct uext4_inode *dt_mkdir(struct uext4_inode *dir, const char *name)
{
	struct uext4_inode *i = NULL;

	assert_int_equal(dt_create(dir, name, S_IFDIR | 0755, &i), 0);
	return i;
}

/* The cache of names and the blocks must say the same; the blocks last, as they enter the name. */
int dt_lookup(struct uext4_inode *dir, const char *name, u64 *ino)
{
	const struct cred any = {0};
	struct uext4_inode *i;
	ino_nr in_blocks = 0;
	u8 type;
	int err = uext4_lookup(dir, NULL, name, &i);
	int blocks_err = dir_lookup((struct inode *)dir, &any,
		(struct name){name, (u32)strlen(name)}, &in_blocks, &type);

	if (err) {
		assert_true(blocks_err == err || (blocks_err == 0 && err != -ENOENT));
		return err;
	}
	assert_int_equal(blocks_err, 0);
	assert_int_equal(uext4_inode_number(i), in_blocks);
	if (ino)
		*ino = in_blocks;
	uext4_inode_put(i);
	return 0;
}

u32 dt_links(struct uext4_inode *i)
{
	struct uext4_stat st;

	assert_int_equal(uext4_stat(i, &st), 0);
	return st.links;
}

struct batch {
	struct dt_names *out;
	u32 left;
	u64 cookie;
};

static bool take(void *arg, const struct uext4_dirent *e)
{
	struct batch *b = arg;
	struct dt_names *n = b->out;

	if (b->left == 0)
		return false;
	b->left--;
	b->cookie = e->next_cookie;
	if (n->count == n->cap) {
		n->cap = n->cap ? 2 * n->cap : 256;
		n->name = realloc(n->name, n->cap * sizeof(*n->name));
		n->ino = realloc(n->ino, n->cap * sizeof(*n->ino));
		assert_true(n->name && n->ino);
	}
	memcpy(n->name[n->count], e->name, e->name_len);
	n->name[n->count][e->name_len] = 0;
	n->ino[n->count++] = e->ino;
	return true;
}

int dt_readdir(struct uext4_inode *dir, u32 batch, u64 *cookie, struct dt_names *out)
{
	struct batch b = {.out = out, .left = batch, .cookie = *cookie};
	int err = uext4_readdir(dir, NULL, *cookie, take, &b);

	*cookie = b.cookie;
	return err ? err : (int)(batch - b.left);
}

void dt_list(struct uext4_inode *dir, u32 batch, struct dt_names *out)
{
	u64 cookie = 0;
	int n;

	*out = (struct dt_names){0};
	do {
		n = dt_readdir(dir, batch, &cookie, out);
		assert_true(n >= 0);
	} while (n > 0);
}

void dt_names_free(struct dt_names *n)
{
	free(n->name);
	free(n->ino);
}

void dt_name(u64 n, u32 len_max, char out[256])
{
	struct rng r;
	u32 len;

	rng_init(&r, n * 0x9e3779b97f4a7c15ull + 1);
	len = rng_below(&r, 4) ? 8 + (u32)rng_below(&r, 24) : 8 + (u32)rng_below(&r, len_max - 7);
	snprintf(out, 9, "%08llx", (unsigned long long)n);
	for (u32 k = 8; k < len; k++) {
		do
			out[k] = (char)(1 + rng_below(&r, 255));
		while (out[k] == '/');
	}
	out[len] = 0;
}
