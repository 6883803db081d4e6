/*
 * Operations are drawn so that they should succeed; a full file system is the
 * only excuse. Each operation that changes names or attributes is one step of the model.
 */
#include "workload_priv.h"

#include "dev/devices.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

enum { NAMES = 24, DIRS = 5, ENTRIES_MAX = 150 };

static unsigned char buffers[THREADS_MAX][FILE_MAX];

const char *thread_dir(unsigned thread)
{
	static const char *const names[THREADS_MAX] = {"t0", "t1", "t2", "t3"};

	return names[thread];
}

const char *full(struct worker *w, const char *path, char *buf)
{
	snprintf(buf, 256, "%s/%s", thread_dir(w->model.thread), path);
	return buf;
}

/* 0 if the call succeeded; a full file system is no failure but changes nothing. */
bool done(struct call *c, const char *what, const char *path, int64_t r)
{
	struct worker *w = c->w;

	if (r >= 0)
		return true;
	if (r != -ENOSPC && !w->failure[0])
		snprintf(w->failure, sizeof(w->failure), "thread %u op %u: %s %s: %s",
			w->model.thread, c->op, what, path, strerror((int)-r));
	return false;
}

struct mentry *pick(struct worker *w, uint32_t type, bool any)
{
	struct model *m = &w->model;

	for (unsigned tries = 0; m->entry_count && tries < 20; tries++) {
		struct mentry *e = &m->entries[below(w, (uint32_t)m->entry_count)];

		if (any || (e->node->mode & S_IFMT) == type)
			return e;
	}
	return NULL;
}

static bool new_path(struct worker *w, char *out, char kind)
{
	struct mentry *d = below(w, 3) ? pick(w, S_IFDIR, false) : NULL;
	uint32_t k = below(w, NAMES);
	char name[80];

	if (k % 6 == 5)
		snprintf(name, sizeof(name), "%c%u-%050u", kind, k, k);
	else
		snprintf(name, sizeof(name), "%c%u", kind, k);
	if (d && strlen(d->path) > 60)
		d = NULL;
	snprintf(out, 160, "%s%s%s", d ? d->path : "", d ? "/" : "", name);
	return !model_find(&w->model, out) && w->model.entry_count < ENTRIES_MAX;
}

static void op_create(struct call *c)
{
	static const uint32_t types[] = {
		S_IFREG, S_IFREG, S_IFREG, S_IFDIR, S_IFLNK, S_IFREG, S_IFIFO};
	struct worker *w = c->w;
	uint32_t type = types[below(w, 7)], id = w->next_id, mode = type | 0644;
	struct uext4_cred cred = {.uid = id, .trusted = true, .privileged = true};
	struct uext4_create req = {.mode = mode};
	struct uext4_inode *i = NULL;
	char path[256], name[160], target[64] = "";
	struct mnode *n;
	int r;

	if (!new_path(w, name, S_ISDIR(type) ? 'd' : 'f'))
		return;
	full(w, name, path);
	snprintf(target, sizeof(target), "%s", S_ISLNK(type) ? "somewhere/else" : "");
	r = S_ISLNK(type) ? uext4_symlinkat(w->fs, target, NULL, path, &cred)
			  : uext4_mknodat(w->fs, NULL, path, &cred, &req, &i);
	uext4_inode_put(i);
	if (!done(c, "create", path, r))
		return;
	n = model_node(&w->model, id, S_ISLNK(type) ? S_IFLNK | 0777 : mode);
	snprintf(n->target, sizeof(n->target), "%s", target);
	model_add(&w->model, name, n);
	w->next_id++;
	c->changed = true;
}

static void write_node(struct call *c, struct uext4_file *f, struct mnode *n)
{
	struct worker *w = c->w;
	unsigned char *buf = buffers[w->model.thread];
	uint32_t len = below(w, 4) ? 1 + below(w, 6000) : 1 + below(w, 60000);
	uint64_t at = below(w, 3) ? n->size : below(w, 8) ? below(w, 40000) : below(w, FILE_MAX);
	ssize_t r;

	if (at >= FILE_MAX)
		at = below(w, 1000);
	if (at + len > FILE_MAX)
		len = (uint32_t)(FILE_MAX - at);
	for (uint32_t k = 0; k < len; k++)
		buf[k] = pattern(n->id, c->op, at + k);
	r = uext4_pwrite(f, buf, len, at);
	if (!done(c, "write", "", r) || r == 0)
		return;
	node_event(n, (struct event){.op = c->op,
			      .offset = at,
			      .end = at + (uint64_t)r,
			      .size = at + (uint64_t)r > n->size ? at + (uint64_t)r : n->size});
}

static void op_write(struct call *c)
{
	struct worker *w = c->w;
	struct mentry *e = pick(w, S_IFREG, false);
	struct uext4_file *f;
	char path[256];

	if (!e)
		return;
	full(w, e->path, path);
	if (!done(c, "open", path, uext4_openat(w->fs, NULL, path, O_RDWR, 0, NULL, &f)))
		return;
	write_node(c, f, e->node);
	uext4_file_close(f);
}

static void op_truncate(struct call *c)
{
	struct worker *w = c->w;
	struct mentry *e = pick(w, S_IFREG, false);
	struct uext4_file *f;
	struct mnode *n;
	char path[256];
	uint64_t size;

	if (!e)
		return;
	n = e->node;
	size = below(w, 3) ? below(w, (uint32_t)n->size + 1) : below(w, 2) * below(w, FILE_MAX);
	full(w, e->path, path);
	if (!done(c, "open", path, uext4_openat(w->fs, NULL, path, O_RDWR, 0, NULL, &f)))
		return;
	if (done(c, "truncate", path, uext4_ftruncate(f, size)))
		node_event(n, (struct event){.op = c->op,
				      .kind = EVENT_TRUNCATE,
				      .offset = n->size,
				      .end = size,
				      .size = size});
	uext4_file_close(f);
}

/* What a sync call that has returned promises: the data, and all that was done to the inode. */
static void op_fsync(struct call *c)
{
	struct worker *w = c->w;
	struct mentry *e = pick(w, S_IFREG, below(w, 4) == 0);
	bool data_only = below(w, 3) == 0;
	struct uext4_inode *i;
	char path[256];
	size_t pos;

	if (!e)
		return;
	full(w, e->path, path);
	if (!done(c, "resolve", path, uext4_resolve(w->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &i)))
		return;
	if (done(c, "fsync", path, uext4_inode_sync(i, data_only))) {
		pos = dev_record_count(w->record);
		node_ack(e->node, c->op, pos);
		model_ack(&w->model, data_only ? e->node->create_op : e->node->meta_op, pos);
	}
	uext4_inode_put(i);
}

static void op_sync(struct call *c)
{
	struct worker *w = c->w;
	size_t pos;

	if (below(w, 4) || !done(c, "sync", "", uext4_sync(w->fs)))
		return;
	pos = dev_record_count(w->record);
	for (struct mnode *n = w->model.nodes; n; n = n->next)
		node_ack(n, c->op, pos);
	model_ack(&w->model, c->op, pos);
}

static void hold(struct worker *w, struct uext4_inode *i, struct mnode *n)
{
	struct held *h = &w->held[below(w, HELD_MAX)];

	uext4_inode_put(h->inode);
	*h = (struct held){i, n};
}

static void op_unlink(struct call *c)
{
	struct worker *w = c->w;
	struct mentry *e = pick(w, 0, true);
	struct uext4_inode *i = NULL;
	char path[256];
	bool dir;
	int r;

	if (!e)
		return;
	dir = S_ISDIR(e->node->mode);
	full(w, e->path, path);
	if (below(w, 2) && S_ISREG(e->node->mode) &&
		uext4_resolve(w->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &i) < 0)
		return;
	r = uext4_unlinkat(w->fs, NULL, path, dir ? AT_REMOVEDIR : 0, NULL);
	if (dir && !model_empty(&w->model, e->path)) {
		if (r != -ENOTEMPTY)
			done(c, "rmdir of a full directory", path, -EPROTO);
		return;
	}
	if (done(c, "unlink", path, r)) {
		if (i)
			hold(w, i, e->node);
		i = NULL;
		model_remove(&w->model, e);
		c->changed = true;
	}
	uext4_inode_put(i);
}

static void op_held(struct call *c)
{
	struct worker *w = c->w;
	struct held *h = &w->held[below(w, HELD_MAX)];
	struct uext4_file *f;

	if (!h->inode)
		return;
	if (below(w, 3) == 0) {
		uext4_inode_put(h->inode);
		h->inode = NULL;
		return;
	}
	if (!done(c, "open", "held", uext4_file_open(h->inode, NULL, O_RDWR, &f)))
		return;
	write_node(c, f, h->node);
	uext4_file_close(f);
}

/* O_TMPFILE; a later op_link_tmp may name it. */
static void op_tmpfile(struct call *c)
{
	struct worker *w = c->w;
	struct uext4_cred cred = {.uid = w->next_id, .trusted = true, .privileged = true};
	struct uext4_create req = {.mode = S_IFREG | 0644};
	struct uext4_inode *dir, *i;
	char name[160], path[256];
	struct mnode *n;

	if (!new_path(w, name, 'f'))
		return;
	if (!done(c, "resolve", "",
		    uext4_resolve(w->fs, NULL, thread_dir(w->model.thread), 0, NULL, &dir)))
		return;
	if (!done(c, "tmpfile", "", uext4_tmpfile(dir, &cred, &req, &i))) {
		uext4_inode_put(dir);
		return;
	}
	n = model_node(&w->model, w->next_id++, S_IFREG | 0644);
	if (below(w, 2)) {
		char last[256];
		struct uext4_inode *parent;

		full(w, name, path);
		if (done(c, "parent", path,
			    uext4_resolve_parent(w->fs, NULL, path, NULL, &parent, last))) {
			if (done(c, "link", path, uext4_link(i, NULL, parent, last))) {
				model_add(&w->model, name, n);
				c->changed = true;
			}
			uext4_inode_put(parent);
		}
		uext4_inode_put(i);
	} else {
		hold(w, i, n);
	}
	uext4_inode_put(dir);
}

static void op_link(struct call *c)
{
	struct worker *w = c->w;
	struct mentry *e = pick(w, S_IFREG, false);
	char from[256], to[256], name[160];

	if (!e || !new_path(w, name, 'f'))
		return;
	full(w, e->path, from);
	full(w, name, to);
	if (!done(c, "link", to, uext4_linkat(w->fs, NULL, from, NULL, to, NULL)))
		return;
	model_add(&w->model, name, e->node);
	c->changed = true;
}

static bool is_inside(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == 0);
}

static void rename_new(struct call *c, struct mentry *e)
{
	struct worker *w = c->w;
	char from[256], to[256], name[160];

	if (!new_path(w, name, S_ISDIR(e->node->mode) ? 'd' : 'f') || is_inside(name, e->path) ||
		!model_can_move(&w->model, e, name))
		return;
	full(w, e->path, from);
	full(w, name, to);
	if (!done(c, "rename", to, uext4_renameat(w->fs, NULL, from, NULL, to, 0, NULL)))
		return;
	model_move(&w->model, e, name);
	c->changed = true;
}

static void exchange(struct worker *w, struct mentry *e, struct mentry *o)
{
	char a[160], b[160];

	snprintf(a, sizeof(a), "%s", e->path);
	snprintf(b, sizeof(b), "%s", o->path);
	model_move(&w->model, e, "\1");
	model_move(&w->model, o, a);
	model_move(&w->model, e, b);
}

/* Over another name, or both names exchanged. */
static void rename_over(struct call *c, struct mentry *e, struct mentry *o)
{
	struct worker *w = c->w;
	bool dir = S_ISDIR(e->node->mode), swap = below(w, 3) == 0;
	char from[256], to[256], name[160];

	if (e->node == o->node || is_inside(o->path, e->path) || is_inside(e->path, o->path))
		return;
	if (!swap && (dir != S_ISDIR(o->node->mode) || (dir && !model_empty(&w->model, o->path))))
		return;
	if (!model_can_move(&w->model, e, o->path) || !model_can_move(&w->model, o, e->path))
		return;
	full(w, e->path, from);
	full(w, o->path, to);
	snprintf(name, sizeof(name), "%s", o->path);
	if (!done(c, "rename over", to,
		    uext4_renameat(w->fs, NULL, from, NULL, to, swap ? 2 : 0, NULL)))
		return;
	c->changed = true;
	if (swap) {
		exchange(w, e, o);
		return;
	}
	if (S_ISREG(e->node->mode))
		node_replaced(e->node, c->op);
	snprintf(from, sizeof(from), "%s", e->path);
	model_remove(&w->model, o);
	model_move(&w->model, model_find(&w->model, from), name);
}

static void op_rename(struct call *c)
{
	struct worker *w = c->w;
	struct mentry *e = pick(w, 0, true), *o = pick(w, 0, true);

	if (!e || !o)
		return;
	if (below(w, 2))
		rename_new(c, e);
	else
		rename_over(c, e, o);
}

static void op_attr(struct call *c)
{
	struct worker *w = c->w;
	struct mentry *e = pick(w, 0, true);
	uint32_t mode = 0600 | below(w, 0100), version = 1 + below(w, 200);
	struct uext4_setattr attr = {.valid = UEXT4_SET_MODE, .mode = mode};
	struct uext4_inode *i;
	char path[256], value[XATTR_MAX];
	bool xattr;
	int r;

	if (!e || S_ISLNK(e->node->mode))
		return;
	xattr = below(w, 2) && (S_ISREG(e->node->mode) || S_ISDIR(e->node->mode));
	full(w, e->path, path);
	if (!done(c, "resolve", path, uext4_resolve(w->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &i)))
		return;
	memset(value, (int)version, sizeof(value));
	r = xattr ? uext4_setxattr(i, NULL, "user.v", value, xattr_len(version), 0)
		  : uext4_setattr(i, NULL, &attr);
	uext4_inode_put(i);
	if (!done(c, "attribute", path, r))
		return;
	if (xattr)
		e->node->xattr = version;
	else
		e->node->mode = (e->node->mode & S_IFMT) | mode;
	e->node->meta_op = c->op;
	c->changed = true;
}

static const struct {
	void (*run)(struct call *c);
	unsigned weight;
} ops[] = {{op_create, 22}, {op_write, 30}, {op_truncate, 8}, {op_fsync, 8}, {op_sync, 3},
	{op_unlink, 12}, {op_held, 5}, {op_tmpfile, 4}, {op_link, 5}, {op_rename, 12}, {op_attr, 8},
	{op_space, 16}};

static void one_op(struct worker *w)
{
	struct call c = {.w = w, .op = (uint32_t)w->model.step_count};
	unsigned total = 0, at, k = 0;

	for (unsigned j = 0; j < sizeof(ops) / sizeof(*ops); j++)
		total += ops[j].weight;
	at = below(w, total);
	while (at >= ops[k].weight)
		at -= ops[k++].weight;
	c.begin = dev_record_count(w->record);
	ops[k].run(&c);
	model_step(&w->model, c.changed, c.begin, dev_record_count(w->record));
}

void workload_begin(struct worker *w, unsigned thread, uint64_t seed, unsigned count)
{
	w->ops = count;
	w->next_id = 1 + 100000 * (thread + 1);
	rng_init(&w->rng, seed);
	model_init(&w->model, thread);
}

void workload_run(void *worker)
{
	struct worker *w = worker;

	for (unsigned k = 0; k < w->ops && !w->failure[0]; k++)
		one_op(w);
}

void workload_end(struct worker *w)
{
	for (unsigned k = 0; k < HELD_MAX; k++)
		uext4_inode_put(w->held[k].inode);
}
