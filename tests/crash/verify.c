/* Reads a recovered subtree as text and finds it among the states of the model. */
#include "verify.h"
#include "workload.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOUND_MAX = 400 };

struct found {
	char path[300], line[400];
	uint32_t uid;
	unsigned char *data; /* regular files; owned */
	uint64_t ino, size;
};

struct reader {
	struct uext4_fs *fs;
	struct found *list;
	size_t count;
	struct verdict *v;
};

struct names {
	char name[FOUND_MAX][80];
	size_t count;
};

static bool keep_name(void *arg, const struct uext4_dirent *e)
{
	struct names *n = arg;

	bool dots = e->name[0] == '.' && e->name_len <= 2; /* no file has such a name */

	if (!dots && n->count < FOUND_MAX)
		snprintf(
			n->name[n->count++], sizeof(n->name[0]), "%.*s", (int)e->name_len, e->name);
	return true;
}

static bool failed(struct reader *r, const char *what, const char *path, int64_t err)
{
	if (err >= 0)
		return false;
	snprintf(r->v->why, sizeof(r->v->why), "%s %s: %s", what, path, strerror((int)-err));
	return true;
}

static bool read_data(struct reader *r, struct uext4_inode *i, struct found *f)
{
	struct uext4_file *file;
	ssize_t n;

	if (f->size > 2 * FILE_MAX)
		return !failed(r, "size of", f->path, -EFBIG);
	f->data = malloc(f->size + 1);
	if (failed(r, "open", f->path, uext4_file_open(i, NULL, O_RDONLY | O_NOATIME, &file)))
		return false;
	n = uext4_pread(file, f->data, f->size, 0);
	uext4_file_close(file);
	if (n >= 0 && (uint64_t)n != f->size)
		n = -ENODATA;
	return !failed(r, "read", f->path, n);
}

/* The version that the attribute user.v holds; UINT32_MAX if it is none that was ever set. */
static uint32_t xattr_version(struct uext4_inode *i)
{
	char value[XATTR_MAX + 1];
	ssize_t n = uext4_getxattr(i, NULL, "user.v", value, sizeof(value));
	uint32_t version;

	if (n == -ENODATA)
		return 0;
	version = (unsigned char)value[0];
	if (n < 0 || (uint32_t)n != xattr_len(version))
		return UINT32_MAX;
	for (ssize_t k = 0; k < n; k++)
		if ((unsigned char)value[k] != version)
			return UINT32_MAX;
	return version;
}

static bool read_dir(struct reader *r, struct uext4_inode *dir, const char *path);

static bool read_inode(struct reader *r, struct uext4_inode *i, const char *path)
{
	struct found *f = &r->list[r->count++];
	struct uext4_stat st;
	char target[64] = "";
	uint32_t version;

	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "%s", path);
	if (failed(r, "stat", path, uext4_stat(i, &st)))
		return false;
	f->uid = st.uid;
	f->size = st.size;
	f->ino = st.ino;
	if (S_ISREG(st.mode) && !read_data(r, i, f))
		return false;
	if (S_ISLNK(st.mode) &&
		failed(r, "readlink", path, uext4_readlink(i, target, sizeof(target) - 1)))
		return false;
	version = S_ISREG(st.mode) || S_ISDIR(st.mode) ? xattr_version(i) : 0;
	model_line(f->line, sizeof(f->line), path, st.uid, st.mode, st.links, version, target);
	return !S_ISDIR(st.mode) || read_dir(r, i, path);
}

static bool read_dir(struct reader *r, struct uext4_inode *dir, const char *path)
{
	struct names *names = calloc(1, sizeof(*names));
	bool ok = !failed(r, "readdir", path, uext4_readdir(dir, NULL, 0, keep_name, names));

	for (size_t k = 0; ok && k < names->count; k++) {
		struct uext4_inode *i;
		char child[300];

		snprintf(child, sizeof(child), "%s%s%s", path, *path ? "/" : "", names->name[k]);
		if (r->count == FOUND_MAX)
			ok = !failed(r, "too many names below", path, -EOVERFLOW);
		else
			ok = !failed(
				r, "lookup", child, uext4_lookup(dir, NULL, names->name[k], &i));
		if (ok) {
			ok = read_inode(r, i, child);
			uext4_inode_put(i);
		}
	}
	free(names);
	return ok;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->path, ((const struct found *)b)->path);
}

static char *text_of(struct reader *r)
{
	char *text = malloc(64 + r->count * sizeof(r->list->line)), *p = text;

	qsort(r->list, r->count, sizeof(*r->list), by_path);
	*p = 0;
	for (size_t k = 0; k < r->count; k++)
		p = stpcpy(p, r->list[k].line);
	return text;
}

static uint32_t ack_before(const struct ack *acks, size_t count, size_t at)
{
	uint32_t op = 0;

	for (size_t k = 0; k < count && acks[k].pos <= at; k++)
		op = acks[k].op > op ? acks[k].op : op;
	return op;
}

/* The first line that differs between the recovered text and the model's. */
static void tell_difference(char *why, size_t size, const char *got, const char *want)
{
	size_t k = 0, g, w;

	while (got[k] && got[k] == want[k])
		k++;
	while (k > 0 && got[k - 1] != '\n')
		k--;
	g = strcspn(got + k, "\n");
	w = strcspn(want + k, "\n");
	snprintf(why + strlen(why), size - strlen(why), "  recovered: %.*s\n  model:     %.*s\n",
		(int)g, got + k, (int)w, want + k);
}

/* Where on the device the illegal byte lies, so that its writes can be listed. */
static void tell_place(const struct reader *r, const struct found *f)
{
	char *why = r->v->why;
	struct uext4_inode *i;
	struct uext4_extent e;
	uint64_t at;

	snprintf(why + strlen(why), sizeof(r->v->why) - strlen(why), " (%s)", f->path);
	if (sscanf(why, "file %*u: byte %" SCNu64, &at) != 1 ||
		uext4_inode_get(r->fs, f->ino, &i) < 0)
		return;
	if (uext4_extents(i, at, &e, 1) == 1 && e.offset <= at)
		r->v->device = e.physical + (at - e.offset);
	uext4_inode_put(i);
}

static bool check_data(
	const struct reader *r, const struct model *m, size_t at, uint32_t step, uint32_t last)
{
	for (size_t k = 0; k < r->count; k++) {
		const struct found *f = &r->list[k];
		const struct mnode *n = m->nodes;
		uint32_t safe;

		while (n && n->id != f->uid)
			n = n->next;
		if (!n || !f->data)
			continue;
		safe = ack_before(n->acks, n->ack_count, at);
		for (size_t j = 0; j < n->replaced_count; j++) /* DR-19 */
			if (n->replaced[j] <= step && n->replaced[j] > safe)
				safe = n->replaced[j];
		if (!node_content_legal(
			    n, f->data, f->size, safe, last, r->v->why, sizeof(r->v->why))) {
			tell_place(r, f);
			return false;
		}
	}
	return true;
}

static bool check_prefix(struct reader *r, const struct model *m, size_t at)
{
	uint32_t low = ack_before(m->acks, m->ack_count, at), high = 0, step;
	char *text = text_of(r);
	bool ok = true;

	while (high + 1 < m->step_count && m->steps[high + 1].begin < at)
		high++;
	for (step = low; step <= high; step++)
		if (strcmp(text, m->steps[step].text) == 0)
			break;
	if (step > high) {
		snprintf(r->v->why, sizeof(r->v->why),
			"thread %u: the tree is no state of operations %u..%u\n", m->thread, low,
			high);
		for (uint32_t k = 0; k < m->step_count; k++)
			if (strcmp(text, m->steps[k].text) == 0)
				snprintf(r->v->why + strlen(r->v->why),
					sizeof(r->v->why) - strlen(r->v->why),
					"  it is that of operation %u\n", k);
		tell_difference(r->v->why, sizeof(r->v->why), text, m->steps[high].text);
		ok = false;
	}
	free(text);
	return ok && check_data(r, m, at, step, high);
}

bool verify_thread(struct uext4_fs *fs, const struct model *m, size_t at, struct verdict *v)
{
	struct reader r = {.fs = fs, .v = v};
	struct uext4_inode *dir;
	bool ok;

	if (failed(&r, "resolve", thread_dir(m->thread),
		    uext4_resolve(fs, NULL, thread_dir(m->thread), 0, NULL, &dir)))
		return false;
	r.list = calloc(FOUND_MAX, sizeof(*r.list));
	ok = read_dir(&r, dir, "") && check_prefix(&r, m, at);
	for (size_t k = 0; k < r.count; k++)
		free(r.list[k].data);
	free(r.list);
	uext4_inode_put(dir);
	return ok;
}
