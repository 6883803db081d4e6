#include "dir/hostile.h"

static u64 block_offset(struct dir_test *t, const char *dir, u32 lblk)
{
	char command[64], *out, *at;
	u64 pblk;

	snprintf(command, sizeof(command), "bmap %s %u", dir, lblk);
	out = dt_debugfs(t, command, false);
	at = strstr(out, "\n"); /* behind the banner */
	pblk = strtoull(at ? at + 1 : out, NULL, 10);
	free(out);
	assert_true(pblk > 0);
	return pblk * BS;
}

void hostile_make(struct hostile *h, const char *options)
{
	struct uext4_inode *l, *d;
	char name[256];

	dt_make(&h->t, 8 << 20, options);
	dt_up(&h->t);
	l = dt_mkdir(h->t.root, "l");
	d = dt_mkdir(h->t.root, "d");
	assert_int_equal(dt_create(l, "alpha", S_IFIFO, NULL), 0);
	assert_int_equal(dt_create(l, "beta", S_IFIFO, NULL), 0);
	assert_int_equal(dt_create(l, "gamma", S_IFIFO, NULL), 0);
	for (u32 k = 0; k < NAMES; k++) {
		dt_name(k, 60, name);
		assert_int_equal(dt_create(d, name, S_IFIFO, NULL), 0);
	}
	uext4_inode_put(l);
	uext4_inode_put(d);
	h->sb = h->t.v->sb;
	dt_down(&h->t);
	h->t.expect_errors = true;
}

void hostile_choose(struct hostile *h, const char *dir, u32 lblk)
{
	struct uext4_inode *i;

	dt_up(&h->t);
	i = dt_get(&h->t, dir);
	h->seed = to_inode(i)->csum_seed;
	uext4_inode_put(i);
	dt_down(&h->t);
	h->offset = block_offset(&h->t, dir, lblk);
	fixture_peek(&h->t.f, h->offset, h->block, BS);
}

bool give_all(void *arg, const struct uext4_dirent *e)
{
	return true;
}

void hostile_down(struct hostile *h, const u8 *planted)
{
	u8 now[BS];

	dt_down(&h->t);
	fixture_peek(&h->t.f, h->offset, now, BS);
	assert_memory_equal(now, planted, BS);
}

void hostile_lookup_all(struct uext4_inode *d, int want)
{
	char name[256];

	for (u32 k = 0; k < NAMES; k++) {
		dt_name(k, 60, name);
		assert_int_equal(dt_lookup(d, name, NULL), want);
	}
}
