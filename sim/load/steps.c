/* What each step does, and the table of them. */
#include "sim/load/steps.h"

#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <linux/falloc.h>
#include <linux/fs.h>

struct spot {
	struct ref dir;
	const char *name;
};

/* The directory of a place, and the name in it. */
static bool spot_open(struct player *p, const char *place, struct spot *out)
{
	const char *slash = strchr(place, '/');
	char dir[NAME_LEN + 1];
	struct ref root;

	if (!player_root(p, &root))
		return false;
	if (!slash) {
		*out = (struct spot){root, place};
		return true;
	}
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - place), place);
	out->name = slash + 1;
	if (call_lookup(p, &root, dir, &out->dir)) {
		ref_put(&root);
		return false;
	}
	ref_put(&root);
	if (S_ISDIR(out->dir.mode))
		return true;
	ref_put(&out->dir);
	return false;
}

static bool file_open(struct player *p, const char *place, struct ref *out)
{
	struct spot s;
	bool found;

	if (strcmp(place, "/") == 0)
		return player_root(p, out);
	if (!spot_open(p, place, &s))
		return false;
	found = call_lookup(p, &s.dir, s.name, out) == 0;
	ref_put(&s.dir);
	return found;
}

static bool regular_open(struct player *p, const char *place, struct ref *out)
{
	if (!file_open(p, place, out))
		return false;
	if (S_ISREG(out->mode))
		return true;
	ref_put(out);
	return false;
}

static void make(struct player *p, const struct step *s, u16 mode)
{
	struct ref made = {0};
	struct spot at;

	if (!spot_open(p, s->at, &at))
		return;
	call_create(p, &at.dir, at.name, mode, &made);
	ref_put(&made);
	ref_put(&at.dir);
}

static void step_create(struct player *p, const struct step *s)
{
	make(p, s, S_IFREG | 0644);
}

static void step_mkdir(struct player *p, const struct step *s)
{
	make(p, s, S_IFDIR | 0755);
}

static void step_symlink(struct player *p, const struct step *s)
{
	make(p, s, S_IFLNK | 0777);
}

static void step_mkfifo(struct player *p, const struct step *s)
{
	make(p, s, S_IFIFO | 0600);
}

/* The file stays open, and may be written, without a name. */
static void hold(struct player *p, struct ref *file)
{
	struct ref *h = &p->held[rng_below(&p->rng, array_len(p->held))];

	ref_put(h);
	*h = *file;
}

static void step_tmpfile(struct player *p, const struct step *s)
{
	struct ref made = {0};
	struct spot at;

	if (!spot_open(p, s->at, &at))
		return;
	if (call_tmpfile(p, &at.dir, &made) == 0) {
		call_write(p, &made, s->offset, s->len, 0);
		if (s->flags)
			call_link(p, &made, &at.dir, at.name);
		hold(p, &made);
	}
	ref_put(&at.dir);
}

static void step_link(struct player *p, const struct step *s)
{
	struct ref file;
	struct spot to;

	if (!file_open(p, s->at, &file))
		return;
	if (spot_open(p, s->to, &to)) {
		call_link(p, &file, &to.dir, to.name);
		ref_put(&to.dir);
	}
	ref_put(&file);
}

static void step_unlink(struct player *p, const struct step *s)
{
	struct spot at;

	if (!spot_open(p, s->at, &at))
		return;
	call_unlink(p, &at.dir, at.name, false);
	ref_put(&at.dir);
}

static void step_rmdir(struct player *p, const struct step *s)
{
	struct spot at;

	if (!spot_open(p, s->at, &at))
		return;
	call_unlink(p, &at.dir, at.name, true);
	ref_put(&at.dir);
}

static void step_rename(struct player *p, const struct step *s)
{
	struct spot at, to;

	if (!spot_open(p, s->at, &at))
		return;
	if (spot_open(p, s->to, &to)) {
		call_rename(p, &at.dir, at.name, &to.dir, to.name, s->flags);
		ref_put(&to.dir);
	}
	ref_put(&at.dir);
}

static void step_write(struct player *p, const struct step *s)
{
	u32 flags = s->flags;
	struct ref file;

	if (!regular_open(p, s->at, &file))
		return;
	if (flags & OP_NOWAIT) /* not through the cache */
		flags |= OP_DIRECT;
	if (flags & OP_DIRECT) /* where an append goes may not be a multiple of a sector */
		flags &= ~(u32)OP_APPEND;
	call_write(p, &file, s->offset, s->len, flags);
	ref_put(&file);
}

static void step_truncate(struct player *p, const struct step *s)
{
	struct ref file;

	if (!regular_open(p, s->at, &file))
		return;
	call_truncate(p, &file, s->len);
	ref_put(&file);
}

static void fallocate_file(struct player *p, const struct step *s, u32 mode)
{
	struct ref file;

	if (!regular_open(p, s->at, &file))
		return;
	call_fallocate(p, &file, mode, s->offset, s->len);
	ref_put(&file);
}

static void step_allocate(struct player *p, const struct step *s)
{
	fallocate_file(p, s, s->flags);
}

static void step_punch(struct player *p, const struct step *s)
{
	fallocate_file(p, s, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static void step_zero(struct player *p, const struct step *s)
{
	fallocate_file(p, s, FALLOC_FL_ZERO_RANGE | s->flags);
}

/* By whole blocks, of which files here have few. */
static void shift_file(struct player *p, const struct step *s, u32 mode)
{
	struct uext4_statfs st;
	struct ref file;

	if (!regular_open(p, s->at, &file))
		return;
	if (uext4_statfs(p->world->fs, &st) == 0)
		call_fallocate(p, &file, mode, round_down_to(s->offset, st.block_size),
			st.block_size * (1 + s->len / 1024 % 3));
	ref_put(&file);
}

static void step_collapse(struct player *p, const struct step *s)
{
	shift_file(p, s, FALLOC_FL_COLLAPSE_RANGE);
}

static void step_insert(struct player *p, const struct step *s)
{
	shift_file(p, s, FALLOC_FL_INSERT_RANGE);
}

/* To the same place, or to the beginning. */
static void step_copy(struct player *p, const struct step *s)
{
	struct ref from, to;

	if (!regular_open(p, s->at, &from))
		return;
	if (regular_open(p, s->to, &to)) {
		call_copy(p, &from, s->offset, &to, s->flags ? 0 : s->offset, s->len);
		ref_put(&to);
	}
	ref_put(&from);
}

/* A few requests around the range, of which its numbers say what they are. */
static void step_queue(struct player *p, const struct step *s)
{
	static const u32 modes[] = {0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE};
	static const enum op_kind kinds[] = {OP_WRITE, OP_WRITE, OP_WRITE, OP_READ, OP_READ,
		OP_FALLOCATE, OP_FSYNC, OP_FDATASYNC};
	struct op calls[BATCH_MAX];
	struct ref file;
	struct rng rng;
	unsigned count;

	if (!regular_open(p, s->at, &file))
		return;
	rng_init(&rng, s->offset * 1000003 + s->len);
	count = 2 + (unsigned)rng_below(&rng, BATCH_MAX - 1);
	for (unsigned k = 0; k < count; k++) {
		struct op *c = &calls[k];

		*c = (struct op){.kind = kinds[rng_below(&rng, array_len(kinds))],
			.offset = s->offset + 512 * rng_below(&rng, 8),
			.len = 1 + rng_below(&rng, s->len),
			.flags = rng_below(&rng, 4) ? s->flags | OP_DIRECT : OP_DSYNC};
		if (c->kind == OP_FALLOCATE)
			c->flags = modes[rng_below(&rng, array_len(modes))];
	}
	call_batch(p, &file, calls, count);
	ref_put(&file);
}

static void step_trim(struct player *p, const struct step *s)
{
	call_trim(p);
}

static void step_read(struct player *p, const struct step *s)
{
	struct ref file;

	if (!regular_open(p, s->at, &file))
		return;
	call_read(p, &file, s->offset, s->len, s->flags);
	ref_put(&file);
}

static void step_chmod(struct player *p, const struct step *s)
{
	struct ref file;

	if (!file_open(p, s->at, &file))
		return;
	if (!S_ISLNK(file.mode))
		call_chmod(p, &file, 0600 | (s->offset & 077));
	ref_put(&file);
}

static bool takes_attributes(const struct ref *file)
{
	return S_ISREG(file->mode) || S_ISDIR(file->mode);
}

static void step_setxattr(struct player *p, const struct step *s)
{
	struct ref file;

	if (!file_open(p, s->at, &file))
		return;
	if (takes_attributes(&file))
		call_setxattr(p, &file, (u16)(1 + s->offset % 120));
	ref_put(&file);
}

static void step_removexattr(struct player *p, const struct step *s)
{
	struct ref file;

	if (!file_open(p, s->at, &file))
		return;
	if (takes_attributes(&file))
		call_setxattr(p, &file, 0);
	ref_put(&file);
}

static void step_stat(struct player *p, const struct step *s)
{
	struct ref file;

	if (!file_open(p, s->at, &file))
		return;
	call_stat(p, &file);
	if (takes_attributes(&file))
		call_getxattr(p, &file);
	ref_put(&file);
}

static void sync_file(struct player *p, const struct step *s, enum op_kind kind)
{
	struct ref file;

	if (!file_open(p, s->at, &file))
		return;
	call_sync(p, &file, kind);
	ref_put(&file);
}

static void step_fsync(struct player *p, const struct step *s)
{
	sync_file(p, s, OP_FSYNC);
}

static void step_fdatasync(struct player *p, const struct step *s)
{
	sync_file(p, s, OP_FDATASYNC);
}

static void step_sync(struct player *p, const struct step *s)
{
	call_sync(p, NULL, OP_SYNC);
}

/* Opens a file for the steps on held files, and removes its name. */
static void step_orphan(struct player *p, const struct step *s)
{
	struct ref file;
	struct spot at;

	if (!regular_open(p, s->at, &file))
		return;
	if (spot_open(p, s->at, &at)) {
		call_unlink(p, &at.dir, at.name, false);
		ref_put(&at.dir);
	}
	hold(p, &file);
}

static void step_held(struct player *p, const struct step *s)
{
	struct ref *h = &p->held[rng_below(&p->rng, array_len(p->held))];

	if (!h->inode)
		return;
	switch (s->len % 4) {
	case 0:
		ref_put(h);
		return;
	case 1:
		call_truncate(p, h, s->offset);
		return;
	case 2:
		call_read(p, h, 0, s->len, 0);
		return;
	default:
		call_write(p, h, s->offset, s->len, 0);
	}
}

const struct step_type step_types[] = {
	/* name, function, weight, uses, flags */
	{"create", step_create, 18, USES_AT, 0},
	{"mkdir", step_mkdir, 5, USES_AT, 0},
	{"symlink", step_symlink, 3, USES_AT, 0},
	{"mkfifo", step_mkfifo, 1, USES_AT, 0},
	{"tmpfile", step_tmpfile, 3, USES_AT | USES_RANGE, 1},
	{"link", step_link, 6, USES_AT | USES_TO, 0},
	{"unlink", step_unlink, 10, USES_AT, 0},
	{"rmdir", step_rmdir, 3, USES_AT, 0},
	{"rename", step_rename, 12, USES_AT | USES_TO, RENAME_NOREPLACE | RENAME_EXCHANGE},
	{"write", step_write, 24, USES_AT | USES_RANGE,
		OP_APPEND | OP_DSYNC | OP_DIRECT | OP_NOWAIT},
	{"allocate", step_allocate, 4, USES_AT | USES_RANGE, FALLOC_FL_KEEP_SIZE},
	{"punch", step_punch, 4, USES_AT | USES_RANGE, 0},
	{"zero", step_zero, 3, USES_AT | USES_RANGE, FALLOC_FL_KEEP_SIZE},
	{"collapse", step_collapse, 4, USES_AT | USES_RANGE, 0},
	{"insert", step_insert, 4, USES_AT | USES_RANGE, 0},
	{"truncate", step_truncate, 8, USES_AT | USES_SIZE, 0},
	{"copy", step_copy, 5, USES_AT | USES_TO | USES_RANGE, 1},
	{"queue", step_queue, 8, USES_AT | USES_RANGE, OP_DSYNC},
	{"read", step_read, 8, USES_AT | USES_RANGE, OP_DIRECT | OP_NOWAIT},
	{"chmod", step_chmod, 3, USES_AT | USES_RANGE, 0},
	{"setxattr", step_setxattr, 5, USES_AT | USES_RANGE, 0},
	{"removexattr", step_removexattr, 2, USES_AT, 0},
	{"stat", step_stat, 4, USES_AT, 0},
	{"fsync", step_fsync, 6, USES_AT, 0},
	{"fdatasync", step_fdatasync, 4, USES_AT, 0},
	{"sync", step_sync, 2, 0, 0},
	{"trim", step_trim, 1, 0, 0},
	{"orphan", step_orphan, 4, USES_AT, 0},
	{"held", step_held, 4, USES_RANGE, 0},
};
const unsigned step_type_count = array_len(step_types);

static const struct step_type *type_of(const struct step *s)
{
	for (unsigned k = 0; k < step_type_count; k++)
		if (strcmp(step_types[k].name, s->type) == 0)
			return &step_types[k];
	return NULL;
}

void player_step(struct player *p, const struct step *s)
{
	type_of(s)->run(p, s);
}

void step_print(const struct step *s, char *out, size_t size)
{
	unsigned uses = type_of(s)->uses;
	size_t n = (size_t)snprintf(out, size, "%s", s->type);

	if (uses & USES_AT)
		n += (size_t)snprintf(out + n, size - n, " %s", s->at);
	if (uses & USES_TO)
		n += (size_t)snprintf(out + n, size - n, " %s", s->to);
	if (uses & USES_RANGE)
		n += (size_t)snprintf(out + n, size - n, " %" PRIu64, s->offset);
	if (uses & (USES_RANGE | USES_SIZE))
		n += (size_t)snprintf(out + n, size - n, " %" PRIu64, s->len);
	if (s->flags)
		snprintf(out + n, size - n, " flags %u", s->flags);
}

void player_end(struct player *p)
{
	for (unsigned k = 0; k < array_len(p->held); k++)
		ref_put(&p->held[k]);
}
