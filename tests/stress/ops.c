/* The operations, one at a time. */
#include "fsx.h"

#include <errno.h>
#include <linux/falloc.h>
#include <string.h>
#include <unistd.h>

/* The largest block: collapse and insert move whole blocks. */
#define BLOCK 4096u

struct range {
	u64 pos, len;
};

static u64 down_to(u64 n, u64 unit)
{
	return n - n % unit;
}

static u64 smaller(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* Mostly a few blocks; in multiples of unit. */
static struct range pick(struct fsx *x, u64 unit)
{
	u64 limit = fsx_below(x, 8) ? 9000 : 90000;
	struct range r = {down_to(fsx_below(x, x->o->bytes), unit), 1 + fsx_below(x, limit)};

	r.len = down_to(r.len + unit - 1, unit);
	r.len = smaller(r.len, x->o->bytes - r.pos);
	return r;
}

static bool pick_direct(struct fsx *x)
{
	unsigned mode = x->o->mode & (FSX_BUFFERED | FSX_DIRECT);

	if (mode == FSX_BUFFERED)
		return false;
	return mode == FSX_DIRECT || fsx_below(x, 2);
}

static void step_read(struct fsx *x, struct subject *s)
{
	bool direct = pick_direct(x);
	struct range r = pick(x, direct ? SECTOR : 1);
	u64 expect = r.pos < s->size ? smaller(r.len, s->size - r.pos) : 0;
	s64 n;

	fsx_note(x, "read%s %s %llu+%llu", direct ? " direct" : "", s->name,
		(unsigned long long)r.pos, (unsigned long long)r.len);
	n = x->host->read(fsx_handle(s, direct), x->buf, r.len, r.pos);
	if (n != (s64)expect)
		fsx_fail(x, "read gave %lld, not %llu", (long long)n, (unsigned long long)expect);
	model_compare(x, s, x->buf, expect, r.pos);
}

static void step_write(struct fsx *x, struct subject *s, bool append)
{
	bool direct = pick_direct(x);
	struct range r = pick(x, direct ? SECTOR : 1);
	struct subject other;
	s64 n;

	if (append) {
		r.pos = direct ? down_to(s->size, SECTOR) : s->size;
		r.len = smaller(r.len, x->o->bytes - r.pos);
		if (!r.len)
			return;
	}
	fsx_note(x, "write%s %s %llu+%llu, size %llu", direct ? " direct" : "", s->name,
		(unsigned long long)r.pos, (unsigned long long)r.len, (unsigned long long)s->size);
	fsx_fill(x, x->buf, r.len);
	n = x->host->write(fsx_handle(s, direct), x->buf, r.len, r.pos);
	if (n > (s64)r.len || (n >= 0 && n < (s64)r.len && !x->o->full))
		fsx_fail(x, "write gave %lld", (long long)n);
	if (!fsx_refused(x, n, "write"))
		model_write(s, x->buf, (u64)n, r.pos);
	if (n == (s64)r.len || !direct)
		return;
	other = doubt_begin(x, s);
	model_write(&other, x->buf, r.len, r.pos);
	doubt_end(x, s, &other);
}

static void step_truncate(struct fsx *x, struct subject *s)
{
	u64 size = fsx_below(x, x->o->bytes);
	int err;

	fsx_note(x, "truncate %s %llu, size %llu", s->name, (unsigned long long)size,
		(unsigned long long)s->size);
	err = x->host->truncate(s->file, size);
	if (err)
		fsx_fail(x, "truncate: %s", strerror(-err));
	model_resize(s, size);
}

/* What a success does to the model; collapse and insert have their own. */
static void apply_space(struct subject *s, int mode, const struct range *r)
{
	if (mode & ~FALLOC_FL_KEEP_SIZE)
		model_zero(s, r->pos, r->len);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && r->pos + r->len > s->size)
		model_resize(s, r->pos + r->len);
}

/* IO-101, IO-102, IO-105; false: this kind of file, or of mount, can't. */
static bool space(struct fsx *x, struct subject *s, int mode, const struct range *r)
{
	int err;

	fsx_note(x, "fallocate %x %s %llu+%llu, size %llu", (unsigned)mode, s->name,
		(unsigned long long)r->pos, (unsigned long long)r->len,
		(unsigned long long)s->size);
	err = x->host->fallocate(s->file, mode, r->pos, r->len);
	if (err == -EOPNOTSUPP && !(mode & FALLOC_FL_PUNCH_HOLE))
		return false;
	fsx_refused(x, err, "fallocate");
	return true;
}

static void step_space(struct fsx *x, struct subject *s, int mode)
{
	struct range r = pick(x, fsx_below(x, 3) ? 1 : BLOCK);
	u64 refused = x->refused;
	struct subject other;

	if (mode == FALLOC_FL_PUNCH_HOLE || fsx_below(x, 2))
		mode |= FALLOC_FL_KEEP_SIZE;
	if (!r.len || !space(x, s, mode, &r))
		return;
	if (x->refused == refused) {
		apply_space(s, mode, &r);
		return;
	}
	other = doubt_begin(x, s);
	apply_space(&other, mode, &r);
	doubt_end(x, s, &other);
}

/* IO-106, IO-107 */
static void step_shift(struct fsx *x, struct subject *s, int mode)
{
	bool insert = mode == FALLOC_FL_INSERT_RANGE;
	struct range r = {down_to(fsx_below(x, x->o->bytes), BLOCK), (1 + fsx_below(x, 5)) * BLOCK};
	u64 refused = x->refused;
	s64 size;

	if (insert ? r.pos >= s->size || s->size + r.len > x->o->bytes : r.pos + r.len >= s->size)
		return;
	if (!space(x, s, mode, &r))
		return;
	size = x->host->size(s->file);
	if (x->refused != refused && size == (s64)s->size)
		return;
	if (insert)
		model_insert(s, r.pos, r.len);
	else
		model_collapse(s, r.pos, r.len);
}

static void step_copy(struct fsx *x, struct subject *to)
{
	struct subject *from = &x->subjects[fsx_below(x, SUBJECTS)], other;
	struct range r = pick(x, 1);
	u64 at = fsx_below(x, x->o->bytes), expect;
	s64 n;

	if (fsx_below(x, 2)) {
		at = down_to(at, BLOCK);
		r.pos = down_to(r.pos, BLOCK);
	}
	r.len = smaller(r.len, x->o->bytes - at);
	if (from == to && r.pos < at + r.len && at < r.pos + r.len)
		return;
	expect = r.pos < from->size ? smaller(r.len, from->size - r.pos) : 0;
	fsx_note(x, "copy %s %llu+%llu to %s %llu, sizes %llu and %llu", from->name,
		(unsigned long long)r.pos, (unsigned long long)r.len, to->name,
		(unsigned long long)at, (unsigned long long)from->size,
		(unsigned long long)to->size);
	memcpy(x->buf, from->model + r.pos, expect);
	n = x->host->copy(from->file, r.pos, to->file, at, r.len);
	if (n > (s64)expect || (n >= 0 && n < (s64)expect && !x->o->full))
		fsx_fail(x, "copied %lld", (long long)n);
	if (!fsx_refused(x, n, "copy"))
		model_write(to, x->buf, (u64)n, at);
	if (n == (s64)expect)
		return;
	other = doubt_begin(x, to);
	model_write(&other, x->buf, expect, at);
	doubt_end(x, to, &other);
}

/* IO-123: nothing but zeros is called a hole. */
static void step_seek(struct fsx *x, struct subject *s)
{
	u64 pos = fsx_below(x, x->o->bytes), end;
	s64 data, hole;

	fsx_note(x, "seek %s %llu, size %llu", s->name, (unsigned long long)pos,
		(unsigned long long)s->size);
	data = x->host->seek(s->file, pos, SEEK_DATA);
	hole = x->host->seek(s->file, pos, SEEK_HOLE);
	if (pos >= s->size) {
		if (data != -ENXIO)
			fsx_fail(x, "SEEK_DATA behind the end gave %lld", (long long)data);
		return;
	}
	if ((data < (s64)pos && data != -ENXIO) || hole < (s64)pos || hole > (s64)s->size)
		fsx_fail(x, "SEEK_DATA %lld, SEEK_HOLE %lld", (long long)data, (long long)hole);
	end = data < 0 ? s->size : (u64)data;
	for (u64 k = pos; k < end; k++)
		if (s->model[k])
			fsx_fail(x, "byte %llu is %02x, but in a hole", (unsigned long long)k,
				s->model[k]);
}

static void step_sync(struct fsx *x, struct subject *s)
{
	bool data_only = fsx_below(x, 2);
	int err;

	fsx_note(x, "%s %s", data_only ? "fdatasync" : "fsync", s->name);
	err = x->host->sync(s->file, data_only);
	if (err)
		fsx_fail(x, "sync: %s", strerror(-err));
}

static void step_reopen(struct fsx *x)
{
	fsx_note(x, "reopen");
	fsx_close(x);
	fsx_open(x);
}

void fsx_step(struct fsx *x)
{
	struct subject *s = &x->subjects[fsx_below(x, 4) == 0];

	x->op++;
	x->done++;
	x->notes[x->op % NOTES][0] = 0;
	if (x->o->mode == FSX_ASYNC ? fsx_below(x, 3) != 0
				    : x->o->mode & FSX_ASYNC && fsx_below(x, 8) == 0) {
		fsx_batch(x, s);
		return;
	}
	switch (fsx_below(x, 24)) {
	case 0:
		step_truncate(x, s);
		break;
	case 1:
		step_sync(x, s);
		break;
	case 2:
		if (fsx_below(x, 4) == 0)
			step_reopen(x);
		break;
	case 3:
		step_seek(x, s);
		break;
	case 4:
		step_write(x, s, true);
		break;
	case 5 ... 9:
		step_write(x, s, false);
		break;
	case 10:
		step_space(x, s, 0);
		break;
	case 11 ... 12:
		step_space(x, s, FALLOC_FL_PUNCH_HOLE);
		break;
	case 13 ... 14:
		step_space(x, s, FALLOC_FL_ZERO_RANGE);
		break;
	case 15:
		step_shift(x, s, FALLOC_FL_COLLAPSE_RANGE);
		break;
	case 16:
		step_shift(x, s, FALLOC_FL_INSERT_RANGE);
		break;
	case 17 ... 18:
		step_copy(x, s);
		break;
	default:
		step_read(x, s);
	}
}

void fsx_check_all(struct fsx *x)
{
	for (unsigned k = 0; k < SUBJECTS; k++) {
		struct subject *s = &x->subjects[k];
		s64 n = x->host->read(s->file, x->buf, x->o->bytes, 0);

		if (n != (s64)s->size)
			fsx_fail(x, "%s has %lld bytes, not %llu", s->name, (long long)n,
				(unsigned long long)s->size);
		model_compare(x, s, x->buf, (u64)n, 0);
	}
}

void fsx_open(struct fsx *x)
{
	int err = x->o->mode & FSX_ASYNC ? x->host->queue_open(&x->queue) : 0;

	for (unsigned k = 0; k < SUBJECTS && !err; k++) {
		struct subject *s = &x->subjects[k];

		err = x->host->open(s->name, false, &s->file);
		if (!err)
			err = x->host->open(s->name, true, &s->direct);
	}
	if (err)
		fsx_fail(x, "open: %s", strerror(-err));
}

void fsx_close(struct fsx *x)
{
	for (unsigned k = 0; k < SUBJECTS; k++) {
		x->host->close(x->subjects[k].file);
		x->host->close(x->subjects[k].direct);
	}
	if (x->o->mode & FSX_ASYNC)
		x->host->queue_close(x->queue);
}
