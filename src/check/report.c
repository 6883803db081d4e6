/* Telling what was found. */
#include "base/util.h"
#include "check/paths.h"
#include "os/atomic.h"
#include "os/mem.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 300, SAVED_LIMIT = 10000 };

static const struct {
	const char *name, *advice;
} kinds[CHECK_KINDS] = {
	[CHECK_SUPER] = {"superblock", "e2fsck repairs it; if it can't be read, try a backup (-b)"},
	[CHECK_JOURNAL] = {"journal", "e2fsck can clear the log; what it holds is lost then"},
	[CHECK_GROUP] = {"group", "e2fsck repairs it"},
	[CHECK_INODE] = {"inode", "e2fsck corrects or clears the inode; copy its data first"},
	[CHECK_MAP] = {"map", "e2fsck drops what it can't follow; copy the file's data first"},
	[CHECK_SHARED] = {"shared", "copy these files first; e2fsck gives each its own copy"},
	[CHECK_ATTR] = {"attribute", "e2fsck drops the attributes that are damaged"},
	[CHECK_DIR] = {"directory", "e2fsck corrects the directory; files may end in lost+found"},
	[CHECK_INDEX] = {"index", "e2fsck -D builds the index anew; no name is lost"},
	[CHECK_LINKS] = {"links", "e2fsck corrects the count, or moves the file to lost+found"},
	[CHECK_ORPHAN] = {"orphan", "e2fsck clears it"},
	[CHECK_BITMAP] = {"bitmap", "don't write to it before e2fsck has corrected the bitmap"},
	[CHECK_COUNT] = {"count", "e2fsck corrects it"},
	[CHECK_QUOTA] = {"quota", "e2fsck counts anew"},
	[CHECK_IO] = {"read", "copy the device to a sound one, then check the copy"},
};

const char *check_kind_name(enum check_kind kind)
{
	return kinds[kind].name;
}

/* Keeps a problem until its path is known; false: it can't be kept. Caller holds the lock. */
static bool save_locked(struct check *c, const struct check_problem *p)
{
	struct saved *s;

	if (c->saved_count >= SAVED_LIMIT ||
		check_grow(c, (void **)&c->saved, &c->saved_max, c->saved_count, sizeof(*s)))
		return false;
	s = &c->saved[c->saved_count];
	*s = (struct saved){.p = *p, .text = os_strdup(p->text)};
	if (!s->text)
		return false;
	s->p.text = s->text;
	c->saved_count++;
	return true;
}

static void deliver_locked(struct check *c, const struct check_problem *p)
{
	if (p->note)
		c->res->notes++;
	else
		c->res->problems++;
	if (!c->opt->problem || (c->opt->paths && p->ino && save_locked(c, p)))
		return;
	c->opt->problem(c->opt->arg, p);
}

/* Of these kinds each compares one part with others: see check_compared. */
static void doubt(struct check *c, struct check_problem *p)
{
	static const u32 compared = 1 << CHECK_LINKS | 1 << CHECK_BITMAP | 1 << CHECK_COUNT |
				    1 << CHECK_ORPHAN | 1 << CHECK_INDEX;

	if (p->kind == CHECK_IO) {
		atomic_store_relaxed(&c->unread, true);
		atomic_store_relaxed(&c->res->incomplete, true);
	}
	p->note |= compared & 1u << p->kind && atomic_load_relaxed(&c->unread);
}

static void tell(struct check *c, struct check_problem *p, const char *fmt, va_list ap)
{
	char text[TEXT_MAX];

	doubt(c, p);
	if (check_stopped(c) || (c->owners && p->kind != CHECK_SHARED))
		return; /* what it could not remember is no damage */
	text[0] = '\0';
	if (c->opt->problem)
		vsnprintf(text, sizeof(text), fmt, ap);
	p->text = text;
	p->advice = kinds[p->kind].advice;
	os_mutex_lock(&c->lock);
	deliver_locked(c, p);
	os_mutex_unlock(&c->lock);
}

void check_found(
	struct check *c, enum check_kind kind, ino_nr ino, pblk_t pblk, const char *fmt, ...)
{
	struct check_problem p = {.kind = kind, .ino = ino, .pblk = pblk};
	va_list ap;

	va_start(ap, fmt);
	tell(c, &p, fmt, ap);
	va_end(ap);
}

void check_noted(
	struct check *c, enum check_kind kind, ino_nr ino, pblk_t pblk, const char *fmt, ...)
{
	struct check_problem p = {.kind = kind, .note = true, .ino = ino, .pblk = pblk};
	va_list ap;

	va_start(ap, fmt);
	tell(c, &p, fmt, ap);
	va_end(ap);
}

void check_deliver_saved(struct check *c)
{
	for (u32 k = 0; k < c->saved_count; k++) {
		struct saved *s = &c->saved[k];

		s->p.path = s->path;
		c->opt->problem(c->opt->arg, &s->p);
		os_free(s->text);
		os_free(s->path);
	}
	os_free(c->saved);
	c->saved = NULL;
	c->saved_count = c->saved_max = 0;
}

void check_stop(struct check *c, int err)
{
	os_mutex_lock(&c->lock);
	if (!c->err)
		c->err = err;
	os_mutex_unlock(&c->lock);
}

bool check_stopped(struct check *c)
{
	return atomic_load_relaxed(&c->err) != 0;
}

void check_progress(struct check *c, const char *step, u64 done, u64 total)
{
	if (!c->opt->progress)
		return;
	os_mutex_lock(&c->lock);
	c->opt->progress(c->opt->arg, step, done, total);
	os_mutex_unlock(&c->lock);
}
