/* Batches: requests on one file that are in flight together, in ranges apart from each other. */
#include "fsx.h"

#include <errno.h>
#include <linux/falloc.h>
#include <string.h>

static bool overlaps(const struct request *list, unsigned count, u64 pos, u64 len)
{
	for (unsigned k = 0; k < count; k++)
		if (list[k].op != REQUEST_SYNC && pos < list[k].pos + list[k].len &&
			list[k].pos < pos + len)
			return true;
	return false;
}

static enum request_op pick_op(struct fsx *x)
{
	static const u8 ops[] = {REQUEST_READ, REQUEST_READ, REQUEST_READ, REQUEST_WRITE,
		REQUEST_WRITE, REQUEST_WRITE, REQUEST_WRITE, REQUEST_WRITE, REQUEST_SYNC,
		REQUEST_FALLOCATE};

	return ops[fsx_below(x, sizeof(ops))];
}

static int pick_space(struct fsx *x)
{
	static const int modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};

	return modes[fsx_below(x, sizeof(modes) / sizeof(modes[0]))];
}

/* Sectors are the unit of all, so that direct and cached requests never share one. */
static bool pick_request(
	struct fsx *x, struct subject *s, bool direct, struct request *list, unsigned count)
{
	u64 limit = fsx_below(x, 6) ? 12 : 120;
	struct request r = {.op = pick_op(x), .direct = direct};

	r.pos = fsx_below(x, x->o->bytes / SECTOR) * SECTOR;
	r.len = (1 + fsx_below(x, limit)) * SECTOR;
	if (r.pos + r.len > x->o->bytes || overlaps(list, count, r.pos, r.len))
		return false;
	r.buf = x->buf + count * x->o->bytes;
	r.mode = pick_space(x);
	if (r.op == REQUEST_READ && x->host->coherent)
		r.direct = fsx_below(x, 2);
	if (r.op == REQUEST_WRITE)
		fsx_fill(x, r.buf, r.len);
	r.file = fsx_handle(s, r.direct);
	list[count] = r;
	return true;
}

static void apply(struct subject *s, const struct request *r, u64 done)
{
	if (r->op == REQUEST_WRITE) {
		model_write(s, r->buf, done, r->pos);
	} else if (r->op == REQUEST_FALLOCATE) {
		if (r->mode & ~FALLOC_FL_KEEP_SIZE)
			model_zero(s, r->pos, r->len);
		if (!(r->mode & FALLOC_FL_KEEP_SIZE) && r->pos + r->len > s->size)
			model_resize(s, r->pos + r->len);
	}
}

/* Did it do all it was asked to? What it did goes into the model. */
static bool settle(struct fsx *x, struct subject *s, const struct request *r)
{
	static const char *const names[] = {"read", "write", "sync", "fallocate"};

	if (r->op == REQUEST_FALLOCATE && r->result == -EOPNOTSUPP &&
		!(r->mode & FALLOC_FL_PUNCH_HOLE))
		return true;
	if (r->op == REQUEST_SYNC && r->result)
		fsx_fail(x, "sync in a batch: %s", strerror((int)-r->result));
	if (fsx_refused(x, r->result, names[r->op]))
		return false;
	apply(s, r, (u64)r->result);
	if (r->op != REQUEST_WRITE || r->result == (s64)r->len)
		return true;
	if (!x->o->full || r->result > (s64)r->len)
		fsx_fail(x, "a write in a batch at %llu gave %lld", (unsigned long long)r->pos,
			(long long)r->result);
	return false;
}

static void settle_all(struct fsx *x, struct subject *s, const struct request *list, unsigned count)
{
	bool failed[BATCH_MAX], any = false;
	struct subject other;

	for (unsigned k = 0; k < count; k++) {
		failed[k] = list[k].op != REQUEST_READ && !settle(x, s, &list[k]);
		any = any || failed[k];
	}
	if (!any)
		return;
	other = doubt_begin(x, s);
	for (unsigned k = 0; k < count; k++)
		if (failed[k])
			apply(&other, &list[k], list[k].len);
	doubt_end(x, s, &other);
}

static u64 bytes_at(u64 size, const struct request *r)
{
	if (r->pos >= size)
		return 0;
	return r->len < size - r->pos ? r->len : size - r->pos;
}

/* The others may have made the file longer before or after the read. */
static void check_read(
	struct fsx *x, const struct subject *s, u64 old_size, const struct request *r)
{
	u64 least = bytes_at(old_size, r), most = bytes_at(s->size, r);

	if (r->result < (s64)least || r->result > (s64)most)
		fsx_fail(x, "a read in a batch at %llu gave %lld, not %llu to %llu",
			(unsigned long long)r->pos, (long long)r->result, (unsigned long long)least,
			(unsigned long long)most);
	model_compare(x, s, r->buf, (u64)r->result, r->pos);
}

void fsx_batch(struct fsx *x, struct subject *s)
{
	unsigned count = 0, tries = 1 + (unsigned)fsx_below(x, BATCH_MAX);
	bool direct = fsx_below(x, 2);
	struct request list[BATCH_MAX];
	u64 old_size = s->size;
	int err;

	while (tries--)
		count += pick_request(x, s, direct, list, count);
	fsx_note(x, "batch of %u%s %s, size %llu", count, direct ? ", direct" : "", s->name,
		(unsigned long long)s->size);
	err = count ? x->host->batch(x->queue, list, count) : 0;
	if (err)
		fsx_fail(x, "batch: %s", strerror(-err));
	x->done += count;
	settle_all(x, s, list, count);
	for (unsigned k = 0; k < count; k++)
		if (list[k].op == REQUEST_READ)
			check_read(x, s, old_size, &list[k]);
}
