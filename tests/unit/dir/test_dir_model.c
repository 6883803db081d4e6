/*
 * Random name operations of every kind against a model in memory, result by
 * result, then tree against tree, before and after a new mount (DR-1..18).
 */
#include "dir/dir_test.h"

#include <stdio.h>

#define NODES_MAX 4000
#define DIRS_MAX 24

struct entry {
	u64 key; /* of the name */
	u32 node;
};

struct node {
	bool used, dir;
	u32 links, parent; /* parent: of directories */
	u64 ino;
	struct entry *entry;
	u32 count, cap;
};

struct model {
	struct dir_test t;
	struct rng r;
	struct node node[NODES_MAX];
	u32 names, len_max;
	u32 dirs[DIRS_MAX], dir_count; /* nodes */
};

static struct entry *find(struct model *m, u32 dir, u64 key)
{
	struct node *d = &m->node[dir];

	for (u32 k = 0; k < d->count; k++)
		if (d->entry[k].key == key)
			return &d->entry[k];
	return NULL;
}

static void add(struct model *m, u32 dir, u64 key, u32 node)
{
	struct node *d = &m->node[dir];

	if (d->count == d->cap) {
		d->cap = d->cap ? 2 * d->cap : 64;
		d->entry = realloc(d->entry, d->cap * sizeof(*d->entry));
		assert_non_null(d->entry);
	}
	d->entry[d->count++] = (struct entry){key, node};
}

static void drop(struct model *m, u32 dir, u64 key)
{
	*find(m, dir, key) = m->node[dir].entry[m->node[dir].count - 1];
	m->node[dir].count--;
}

static u32 node_new(struct model *m, bool dir)
{
	u32 k = 1;

	while (k < NODES_MAX && m->node[k].used)
		k++;
	assert_true(k < NODES_MAX);
	m->node[k] = (struct node){.used = true, .dir = dir, .links = dir ? 2 : 1};
	return k;
}

static void dir_listed(struct model *m, u32 node, bool now)
{
	if (now) {
		m->dirs[m->dir_count++] = node;
		return;
	}
	for (u32 k = 0; k < m->dir_count; k++)
		if (m->dirs[k] == node)
			m->dirs[k] = m->dirs[--m->dir_count];
}

static void unref(struct model *m, u32 node)
{
	struct node *n = &m->node[node];

	n->links = n->dir ? 0 : n->links - 1;
	if (n->links)
		return;
	if (n->dir)
		dir_listed(m, node, false);
	free(n->entry);
	*n = (struct node){0};
}

static bool above(struct model *m, u32 ancestor, u32 dir)
{
	for (;; dir = m->node[dir].parent) {
		if (dir == ancestor)
			return true;
		if (dir == 0)
			return false;
	}
}

static struct uext4_inode *open_node(struct model *m, u32 node)
{
	struct uext4_inode *i = NULL;

	assert_int_equal(uext4_inode_get(m->t.fs, m->node[node].ino, &i), 0);
	return i;
}

/* --- what each operation should do --- */

static int want_create(struct model *m, u32 dir, u64 key)
{
	return find(m, dir, key) ? -EEXIST : 0;
}

static int want_remove(struct model *m, u32 dir, u64 key, bool want_dir)
{
	struct entry *e = find(m, dir, key);

	if (!e)
		return -ENOENT;
	if (want_dir != m->node[e->node].dir)
		return want_dir ? -ENOTDIR : -EISDIR;
	return want_dir && m->node[e->node].count ? -ENOTEMPTY : 0;
}

static int want_rename(
	struct model *m, u32 from_dir, u64 from, u32 to_dir, u64 to, u32 flags, bool *nothing)
{
	struct entry *s = find(m, from_dir, from), *t = find(m, to_dir, to);
	bool swap = flags & RENAME_F_EXCHANGE;

	*nothing = false;
	if (!s)
		return -ENOENT;
	if (t && flags & RENAME_F_NOREPLACE)
		return -EEXIST;
	if (!t && swap)
		return -ENOENT;
	if (m->node[s->node].dir && above(m, s->node, to_dir))
		return -EINVAL;
	if (t && m->node[t->node].dir && above(m, t->node, from_dir))
		return swap ? -EINVAL : -ENOTEMPTY;
	*nothing = t && t->node == s->node;
	if (*nothing || !t || swap)
		return 0;
	if (m->node[s->node].dir != m->node[t->node].dir)
		return m->node[s->node].dir ? -ENOTDIR : -EISDIR;
	return m->node[t->node].count ? -ENOTEMPTY : 0;
}

static void reparent(struct model *m, u32 node, u32 from, u32 to)
{
	if (!m->node[node].dir)
		return;
	m->node[node].parent = to;
	m->node[from].links--;
	m->node[to].links++;
}

static void do_exchange(struct model *m, u32 from_dir, u64 from, u32 to_dir, u64 to)
{
	struct entry *s = find(m, from_dir, from), *t = find(m, to_dir, to);
	u32 a = s->node, b = t->node;

	s->node = b;
	t->node = a;
	reparent(m, a, from_dir, to_dir);
	reparent(m, b, to_dir, from_dir);
}

static void do_move(struct model *m, u32 from_dir, u64 from, u32 to_dir, u64 to)
{
	u32 node = find(m, from_dir, from)->node;
	struct entry *t = find(m, to_dir, to);

	if (t) {
		u32 old = t->node;

		if (m->node[old].dir)
			m->node[to_dir].links--;
		drop(m, to_dir, to);
		unref(m, old);
	}
	drop(m, from_dir, from);
	add(m, to_dir, to, node);
	reparent(m, node, from_dir, to_dir);
}

/* --- operations --- */

static u32 any_dir(struct model *m)
{
	return rng_below(&m->r, 2) ? m->dirs[0] : m->dirs[rng_below(&m->r, m->dir_count)];
}

static u64 any_key(struct model *m)
{
	return rng_below(&m->r, m->names);
}

static u64 number_of(struct uext4_inode *dir, const char *name)
{
	u64 ino = 0;

	assert_int_equal(dt_lookup(dir, name, &ino), 0);
	return ino;
}

static void enter(struct model *m, u32 dir, u64 key, bool is_dir, u64 ino)
{
	u32 node = node_new(m, is_dir);

	m->node[node].ino = ino;
	m->node[node].parent = dir;
	add(m, dir, key, node);
	if (is_dir) {
		m->node[dir].links++;
		dir_listed(m, node, true);
	}
}

static void op_create(struct model *m, u32 kind)
{
	static const u32 modes[] = {S_IFREG, S_IFIFO, S_IFCHR};
	bool dir = kind == 0 && m->dir_count < DIRS_MAX;
	u32 d = any_dir(m);
	u64 key = any_key(m);
	struct uext4_inode *i = open_node(m, d);
	char name[256], target[256];
	int err, want = want_create(m, d, key);

	dt_name(key, m->len_max, name);
	dt_name(key + 1, m->len_max, target);
	if (kind == 1)
		err = uext4_symlink(i, NULL, name, target, NULL);
	else
		err = dt_create(i, name, (dir ? S_IFDIR : modes[kind % 3]) | 0644, NULL);
	assert_int_equal(err, want);
	if (!err)
		enter(m, d, key, dir, number_of(i, name));
	uext4_inode_put(i);
}

static void op_link(struct model *m)
{
	u32 from = any_dir(m), to = any_dir(m), node;
	u64 key = any_key(m);
	struct uext4_inode *dir, *i;
	char name[256];
	int want;

	if (m->node[from].count == 0)
		return;
	node = m->node[from].entry[rng_below(&m->r, m->node[from].count)].node;
	want = find(m, to, key) ? -EEXIST : m->node[node].dir ? -EPERM : 0;
	dt_name(key, m->len_max, name);
	dir = open_node(m, to);
	i = open_node(m, node);
	assert_int_equal(uext4_link(i, NULL, dir, name), want);
	if (want == 0) {
		add(m, to, key, node);
		m->node[node].links++;
	}
	uext4_inode_put(i);
	uext4_inode_put(dir);
}

static void op_remove(struct model *m, bool want_dir)
{
	u32 d = any_dir(m);
	u64 key = any_key(m);
	struct uext4_inode *i = open_node(m, d);
	int want = want_remove(m, d, key, want_dir);
	char name[256];

	dt_name(key, m->len_max, name);
	assert_int_equal((want_dir ? uext4_rmdir : uext4_unlink)(i, NULL, name), want);
	if (want == 0) {
		u32 node = find(m, d, key)->node;

		m->node[d].links -= m->node[node].dir;
		drop(m, d, key);
		unref(m, node);
	}
	uext4_inode_put(i);
}

static void op_rename(struct model *m)
{
	static const u32 kinds[] = {0, 0, 0, RENAME_F_NOREPLACE, RENAME_F_EXCHANGE,
		RENAME_F_EXCHANGE, RENAME_F_WHITEOUT, RENAME_F_WHITEOUT | RENAME_F_NOREPLACE};
	u32 from_dir = any_dir(m), to_dir = any_dir(m), flags = kinds[rng_below(&m->r, 8)];
	u64 from = any_key(m), to = any_key(m);
	struct uext4_inode *a = open_node(m, from_dir), *b = open_node(m, to_dir);
	bool nothing;
	int want = want_rename(m, from_dir, from, to_dir, to, flags, &nothing);
	char from_name[256], to_name[256];

	dt_name(from, m->len_max, from_name);
	dt_name(to, m->len_max, to_name);
	assert_int_equal(uext4_rename(a, from_name, b, to_name, NULL, flags), want);
	if (want == 0 && !nothing) {
		if (flags & RENAME_F_EXCHANGE)
			do_exchange(m, from_dir, from, to_dir, to);
		else
			do_move(m, from_dir, from, to_dir, to);
		if (flags & RENAME_F_WHITEOUT)
			enter(m, from_dir, from, false, number_of(a, from_name));
	}
	uext4_inode_put(a);
	uext4_inode_put(b);
}

static void step(struct model *m, bool growing)
{
	u32 k = (u32)rng_below(&m->r, 100);

	if (k < (growing ? 55u : 20u))
		op_create(m, (u32)rng_below(&m->r, 12));
	else if (k < 62)
		op_link(m);
	else if (k < 75)
		op_rename(m);
	else if (k < 80)
		op_remove(m, true);
	else
		op_remove(m, false);
}

/* --- comparing --- */

static void check_dir(struct model *m, u32 node, u32 batch)
{
	struct uext4_inode *dir = open_node(m, node);
	struct node *n = &m->node[node];
	struct dt_names list;
	u64 parent = 0;
	char name[256];

	assert_int_equal(dt_links(dir), n->links);
	dt_list(dir, batch, &list);
	assert_int_equal(list.count, n->count + 2);
	assert_string_equal(list.name[0], ".");
	assert_string_equal(list.name[1], "..");
	assert_int_equal(dt_lookup(dir, "..", &parent), 0);
	assert_int_equal(parent, m->node[n->parent].ino);
	for (u32 k = 2; k < list.count; k++) {
		struct entry *e = find(m, node, strtoull(strndupa(list.name[k], 8), NULL, 16));

		assert_non_null(e);
		dt_name(e->key, m->len_max, name);
		assert_string_equal(list.name[k], name);
		assert_int_equal(list.ino[k], m->node[e->node].ino);
		assert_int_equal(number_of(dir, name), m->node[e->node].ino);
	}
	dt_names_free(&list);
	uext4_inode_put(dir);
}

static void check_all(struct model *m)
{
	for (u32 k = 0; k < m->dir_count; k++)
		check_dir(m, m->dirs[k], k % 2 ? 3 : 1000);
	for (u32 k = 1; k < NODES_MAX; k++)
		if (m->node[k].used && !m->node[k].dir) {
			struct uext4_inode *i = open_node(m, k);

			assert_int_equal(dt_links(i), m->node[k].links);
			uext4_inode_put(i);
		}
}

struct config {
	const char *options, *tune; /* tune: a command on the image before the first mount */
	u32 names, steps, len_max;
};

static void model_start(struct model *m, const struct config *c)
{
	dt_make(&m->t, 24 << 20, c->options);
	if (c->tune)
		free(fixture_run(&m->t.f, c->tune));
	dt_up(&m->t);
	rng_init(&m->r, c->names + c->steps);
	m->names = c->names;
	m->len_max = c->len_max;
	m->node[0] = (struct node){.used = true, .dir = true, .links = 2};
	m->dirs[m->dir_count++] = 0;
	uext4_inode_put(dt_mkdir(m->t.root, "model"));
	assert_int_equal(dt_lookup(m->t.root, "model", &m->node[0].ino), 0);
	m->node[0].parent = NODES_MAX - 1; /* the root of the file system */
	m->node[NODES_MAX - 1].ino = UEXT4_ROOT_INO;
}

static void run_model(void **state)
{
	const struct config *c = *state;
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	model_start(m, c);
	for (u32 round = 0; round < 2; round++) {
		for (u32 k = 0; k < c->steps; k++)
			step(m, k < c->steps / 2);
		check_all(m);
		dt_down(&m->t);
		fixture_fsck(&m->t.f);
		dt_up(&m->t);
		check_all(m);
	}
	dt_end(&m->t);
	for (u32 k = 0; k < NODES_MAX; k++)
		free(m->node[k].entry);
	free(m);
}

#define TUNE_UNSIGNED "debugfs -w -R 'ssv flags 2' %s"

int main(void)
{
	static const struct config configs[] = {
		{"-b 1024 -N 8000", NULL, 700, 4000, 255},
		{"-b 1024 -N 8000", TUNE_UNSIGNED, 700, 4001, 255},
		{"-b 1024 -N 8000", "tune2fs -E hash_alg=tea %s", 700, 4002, 60},
		{"-b 1024 -N 8000", "tune2fs -E hash_alg=legacy %s", 700, 4003, 255},
		{"-b 1024 -N 8000",
			"tune2fs -E hash_alg=legacy %1$s && debugfs -w -R 'ssv flags 2' %1$s", 700,
			4004, 40},
		{"-b 1024 -N 8000 -O ^dir_index", NULL, 300, 3000, 255},
		{"-b 1024 -N 8000 -O ^metadata_csum,^filetype", NULL, 700, 3000, 255},
		{"-b 1024 -N 8000 -O ^extent,^64bit,^metadata_csum", NULL, 700, 3000, 255},
		{"-b 1024 -N 8000 -O ^has_journal", NULL, 700, 3000, 255},
		{"-b 1024 -N 8000 -J size=1 -O orphan_file,ea_inode", NULL, 700, 3000, 255},
		{"-b 2048 -N 8000", NULL, 900, 4000, 255},
		{"-b 4096 -N 8000 -J size=4", NULL, 900, 5000, 255},
	};
	struct CMUnitTest tests[array_len(configs) + 1];
	static char names[array_len(configs)][200];
	static const struct config big = {
		"-b 65536 -N 4000 -O ^has_journal", NULL, 1800, 6000, 255};

	for (u32 k = 0; k < array_len(configs); k++) {
		snprintf(names[k], sizeof(names[k]), "DR-1..18 model: %s %s", configs[k].options,
			configs[k].tune ? configs[k].tune : "");
		tests[k] = (struct CMUnitTest){.name = names[k],
			.test_func = run_model,
			.initial_state = (void *)&configs[k]};
	}
	tests[array_len(configs)] = (struct CMUnitTest){.name = "DR-1 model with blocks of 64 KiB",
		.test_func = run_model,
		.initial_state = (void *)&big};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
