/* Conversions that find no space, and copies that end early. */
#include "race.h"

/* --- IO-14, IO-15: conversion never fails for space --- */

static void io_14(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);
	u64 blocks = r->variant ? 8 : 120;

	MUST(uext4_fallocate(f, 0, 0, blocks * K));
	race_fill(r, "z", 'z');
	MUST(uext4_sync(r->fs));
	if (r->variant)
		race_fault("map_alloc_tree"); /* not even the reserve: zeroes around (IO-15) */
	for (u64 k = 1; k < blocks; k += 2)
		race_put(f, k * K, K, 'd');
	for (u64 k = 0; k < blocks; k++)
		race_see(f, k * K, K, k % 2 ? 'd' : 0, k % 2 ? 'd' : 0);
	race_fault(NULL);
	MUST(uext4_fdatasync(f));
	race_promise(r, 0);
	uext4_file_close(f);
	MUST(uext4_unlinkat(r->fs, NULL, "z", 0, NULL));
}

static int look_14(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	u64 blocks = r->variant ? 8 : 120, upto;

	if (race_find(fs, "f", 'd', &f))
		return race_due(r, 0, s) ? race_wrong(s, "the file is lost") : 0;
	if (f.others)
		return race_wrong(s, "a stale byte");
	upto = min_of(blocks * K, (u64)sizeof(f.data));
	for (u64 k = 0; k < upto && race_due(r, 0, s); k++)
		if (f.data[k] != (k / K % 2 ? 'd' : 0))
			return race_wrong(s, "synced data is lost");
	return 0;
}

/* --- IO-30, IO-33, IO-64, IO-65: the copy ends in the middle; sizes count what was copied --- */

static void io_64(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	const s64 done[] = {-EFAULT, 4 * K, r->race->mke2fs ? 8 * K : 12 * K};
	bool inside = r->variant % 2;
	u64 end;
	s64 n;

	/* A hole inside the file, or behind its end; the copy's parts are 4, 8 and 4 KiB, or in an
	 * indirect file, whose mapping ends, 4, 4, 4 and 4. */
	MUST(uext4_ftruncate(f, inside ? 24 * K : 0));
	race_fault_after("copy", r->variant / 2);
	n = race_write(f, 4 * K, 16 * K, 'd', 0);
	race_fault(NULL);
	EXPECT(n == done[r->variant / 2]);
	end = 4 * K + (n > 0 ? (u64)n : 0);
	EXPECT(race_size(f) == (inside ? 24 * K : n > 0 ? end : 0));
	if (n > 0)
		race_see(f, 4 * K, (u64)n, 'd', 'd');
	if (inside)
		race_see(f, end, 24 * K - end, 0, 0);
	race_commit(r);
	MUST(uext4_fsync(f));
	race_promise(r, 0);
	if (inside)
		race_see(f, end, 24 * K - end, 0, 0);
	uext4_file_close(f);
}

static int look_64(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;

	if (race_find(fs, "f", 'd', &f))
		return race_due(r, 0, s) ? race_wrong(s, "the file is lost") : 0;
	return f.others ? race_wrong(s, "a stale byte") : 0;
}

/* --- a copy makes its target longer at the end of a hole, while others write behind --- */

static void job_copy(struct job *j)
{
	struct uext4_file *from = race_open(j->r, "from", O_RDWR);

	MUST(uext4_ftruncate(from, j->len));
	j->result = uext4_copy_file_range(from, 0, j->file, 0, j->len);
	uext4_file_close(from);
}

static void copy_meets_write(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job c = {.r = r, .file = f, .len = 8 * K};

	sim_gate_close("copy_grow", NULL);
	job_start(&c, "copy", job_copy);
	sim_gate_wait("copy_grow");
	race_put(f, 8 * K, K, 'd');
	sim_gate_open("copy_grow");
	EXPECT(job_join(&c) == 8 * K);
	EXPECT(race_size(f) == 9 * K);
	race_see(f, 0, 8 * K, 0, 0);
	race_see(f, 8 * K, K, 'd', 'd');
	uext4_file_close(f);
}

static const struct race race_14 = {.name = "IO_14_IO_15_no_space_at_conversion",
	.body = io_14,
	.look = look_14,
	.variants = 2,
	.seeds = 2,
	.states = 30};
static const struct race race_64 = {
	.name = "IO_64_IO_33_short_copy", .body = io_64, .look = look_64, .variants = 6};
static const struct race race_65 = {.name = "IO_65_short_copy_indirect",
	.body = io_64,
	.look = look_64,
	.mke2fs = "-O ^extent,^64bit",
	.variants = 6};
static const struct race race_64_alloc = {.name = "IO_64_short_copy_nodelalloc",
	.body = io_64,
	.look = look_64,
	.variants = 6,
	.nodelalloc = true};
static const struct race race_copy = {.name = "copy_meets_write", .body = copy_meets_write};

const struct race *const races_space[] = {
	&race_14, &race_64, &race_65, &race_64_alloc, &race_copy, NULL};
