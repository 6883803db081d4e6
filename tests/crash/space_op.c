/* Allocating, punching, zeroing, collapsing and inserting (IO-101..108). */
#include "workload_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>

enum { UNIT = 4096 }; /* a multiple of every block size */

/* A range for the mode; false if the file has none. */
static bool range_draw(struct worker *w, int mode, uint64_t size, struct event *e)
{
	uint64_t len = 1 + below(w, below(w, 4) ? 9000 : 50000);

	e->offset = below(w, (uint32_t)size + 20000);
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE) || below(w, 2)) {
		e->offset -= e->offset % UNIT;
		len += UNIT - len % UNIT;
	}
	e->end = e->offset + len;
	if (mode & FALLOC_FL_COLLAPSE_RANGE)
		return e->end < size;
	if (mode & FALLOC_FL_INSERT_RANGE)
		return e->offset < size && size + len <= FILE_MAX;
	return e->end <= FILE_MAX;
}

/* What a success makes of the range as drawn. */
static void event_of(int mode, uint64_t size, struct event *e)
{
	uint64_t len = e->end - e->offset;

	e->size = size;
	if (mode & FALLOC_FL_COLLAPSE_RANGE) {
		e->kind = EVENT_COLLAPSE;
		e->size -= len;
		return;
	}
	if (mode & FALLOC_FL_INSERT_RANGE) {
		e->kind = EVENT_INSERT;
		e->size += len;
		return;
	}
	e->kind = EVENT_ZERO;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && e->end > size)
		e->size = e->end;
	if (!(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		e->offset = e->end; /* plain allocation changes no byte */
}

/* How far a call without space came is not known: the file starts anew. */
static void start_anew(struct call *c, struct uext4_file *f, struct mnode *n)
{
	if (done(c, "truncate", "", uext4_ftruncate(f, 0)))
		node_event(
			n, (struct event){.op = c->op, .kind = EVENT_TRUNCATE, .offset = n->size});
}

void op_space(struct call *c)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_COLLAPSE_RANGE,
		FALLOC_FL_INSERT_RANGE};
	struct worker *w = c->w;
	struct mentry *m = pick(w, S_IFREG, false);
	int mode = modes[below(w, 7)], err;
	struct event e = {.op = c->op};
	struct uext4_file *f;
	char path[256];

	if (!m || !range_draw(w, mode, m->node->size, &e))
		return;
	full(w, m->path, path);
	if (!done(c, "open", path, uext4_openat(w->fs, NULL, path, O_RDWR, 0, NULL, &f)))
		return;
	err = uext4_fallocate(f, mode, e.offset, e.end - e.offset);
	event_of(mode, m->node->size, &e);
	if (err == -ENOSPC)
		start_anew(c, f, m->node);
	else if (err != -EOPNOTSUPP && done(c, "fallocate", path, err)) /* ext3 only punches */
		node_event(m->node, e);
	uext4_file_close(f);
}
