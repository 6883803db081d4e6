/* Races of buffered I/O: sizes, the end of file, promises of space, pages and holes. */
#include "race.h"

/* --- IO-79, IO-80: zeros behind the end, however it grows, after a cut as well; none before --- */

static void io_79(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);

	race_put(f, 0, 4 * K, 'o');
	MUST(uext4_fsync(f));
	race_promise(r, 0);
	MUST(uext4_ftruncate(f, 100));
	if (r->variant == 0)
		MUST(uext4_ftruncate(f, 2 * K + 100));
	else if (r->variant == 1)
		race_put(f, 2 * K, 100, 'n');
	else
		MUST(uext4_fallocate(f, 0, 0, 2 * K + 100));
	race_see(f, 0, 100, 'o', 'o');
	race_see(f, 100, 2 * K - 100, 0, 0);
	race_commit(r);
	race_promise(r, 1);
	MUST(uext4_fsync(f));
	race_promise(r, 2);
	race_see(f, 100, 2 * K - 100, 0, 0);
	uext4_file_close(f);
}

static int look_79(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	int err = race_find(fs, "f", 'o', &f);

	if (race_due(r, 0, s) && (err || f.size < 100 || f.data[99] != 'o'))
		return race_wrong(s, "synced data is lost");
	if (race_due(r, 2, s) && f.size != 2 * K + 100)
		return race_wrong(s, "a synced size is lost");
	if (err || f.size == 4 * K || f.size < 101)
		return 0;
	for (u64 k = 100; k < min_of((u64)f.size, (u64)2 * K); k++)
		if (f.data[k])
			return race_wrong(s, "what was cut off is back");
	return 0;
}

/* --- IO-25, IO-26: the size on disk goes no further than what is there --- */

static void io_25(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR),
			  *direct = race_open(r, "f", O_RDONLY | O_DIRECT);

	for (u64 at = 0; at < 16 * K; at += 4 * K) /* a folio each */
		race_put(f, at, 4 * K, 'o');
	race_see(direct, 0, 4 * K, 'o', 'o'); /* writes this part back */
	race_commit(r);
	race_promise(r, 0);
	uext4_file_close(f);
	uext4_file_close(direct);
}

static int look_25(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	int err = race_find(fs, "f", 'o', &f);

	if (!err && (f.others || f.zeros))
		return race_wrong(s, f.others ? "a stale byte" : "a size without its data");
	return race_due(r, 0, s) && (err || f.size < 4 * K) ? race_wrong(s, "data is lost") : 0;
}

/* --- IO-23: promised once, given back once --- */

static s64 claimed(struct race_run *r)
{
	struct space_counts c;

	space_counts(&r->fs->fs->volume, &c);
	return (s64)c.claimed;
}

static void io_23(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job t = {.r = r, .file = f, .len = 6 * K};
	struct job a = {.r = r, .file = f, .pos = 2 * K, .len = 8 * K};

	race_put(f, 0, 16 * K, 'o');
	EXPECT(claimed(r) == 16);
	if (r->variant) {
		job_start(&t, "truncate", job_truncate);
		job_start(&a, "allocate", job_fallocate);
		EXPECT(job_join(&t) == 0 && job_join(&a) == 0);
		EXPECT(claimed(r) <= 6);
	} else {
		MUST(uext4_ftruncate(f, 6 * K));
		EXPECT(claimed(r) == 6);
	}
	uext4_file_close(f);
}

/* --- IO-71, IO-45: space is refused at the write, never later; what is being freed counts --- */

static void io_71(struct race_run *r)
{
	struct uext4_file *f;

	race_fill(r, "z", 'z');
	f = race_open(r, "z", O_RDWR);
	EXPECT(uext4_fsync(f) == 0);
	EXPECT(claimed(r) == 0);
	uext4_file_close(f);
	f = race_open(r, "z", O_RDWR | O_DIRECT);
	for (u64 at = 0; at < race_size(f); at += 64 * K)
		race_see(f, at, min_of(64 * K, race_size(f) - at), 'z', 'z');
	EXPECT(race_write(f, race_size(f), 64 * K, 'z', 0) == -ENOSPC);
	uext4_file_close(f);
	MUST(uext4_unlinkat(r->fs, NULL, "z", 0, NULL)); /* not committed */
	f = race_open(r, "new", O_RDWR | (r->variant ? O_DIRECT : 0));
	for (u64 at = 0; at < 512 * K; at += 64 * K)
		race_put(f, at, 64 * K, 'n');
	uext4_file_close(f);
}

/* --- IO-71: with nodelalloc the place comes with the write --- */

static void io_71_at_once(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct uext4_extent e;

	race_put(f, 0, 8 * K, 'o');
	EXPECT(uext4_extents(uext4_file_inode(f), 0, &e, 1) == 1);
	EXPECT(e.state == UEXT4_EXTENT_UNWRITTEN && e.length == 8 * K);
	EXPECT(claimed(r) == 0);
	uext4_file_close(f);
}

/* --- IO-64: a writer is throttled before the cache is full of what is dirty --- */

static void io_64_throttle(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct uext4_stats s;

	for (u64 at = 0; at < 6 * K * K; at += 64 * K) {
		race_put(f, at, 64 * K, 'o');
		MUST(uext4_stats(r->fs, &s));
		EXPECT(s.dirty_bytes <= 2 * K * K); /* of a cache of 8 MiB */
	}
	uext4_file_close(f);
}

/* --- IO-81: a page is filled while the hole is being punched --- */

static void job_see(struct job *j)
{
	race_see(j->file, j->pos, j->len, j->value, 0);
	j->result = 0;
}

static void io_81(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT),
			  *reader = race_open(r, "f", O_RDONLY);
	struct job p = {.r = r,
		.file = f,
		.mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		.len = 8 * K};
	struct job s = {.r = r, .file = reader, .len = 8 * K, .value = 'a'};

	race_put(f, 0, 16 * K, 'a');
	sim_gate_close("punch", "punch");
	job_start(&p, "punch", job_fallocate);
	sim_gate_wait("punch"); /* the cache is empty, the blocks are still there */
	job_start(&s, "reader", job_see);
	race_others_run();
	sim_gate_open("punch");
	EXPECT(job_join(&p) == 0 && job_join(&s) == 0);
	race_see(reader, 0, 8 * K, 0, 0);
	race_see(reader, 8 * K, 8 * K, 'a', 'a');
	uext4_file_close(f);
	uext4_file_close(reader);
}

/* --- IO-1, IO-66: unwritten blocks read as zeros, beside what is written into them --- */

static void io_1(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);

	MUST(uext4_fallocate(f, 0, 0, 16 * K));
	race_see(f, 0, 16 * K, 0, 0);
	race_put(f, 4 * K + 10, 100, 'd');
	race_put(f, 8 * K + 10, 2 * K, 'd');
	race_see(f, 4 * K, 10, 0, 0);
	MUST(uext4_fsync(f));
	race_promise(r, 0);
	uext4_file_close(f);
	f = race_open(r, "f", O_RDONLY | O_DIRECT);
	race_see(f, 4 * K + 512, 3 * K, 0, 0);
	race_see(f, 11 * K, 5 * K, 0, 0);
	uext4_file_close(f);
}

static int look_1(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	int err = race_find(fs, "f", 'd', &f);

	if (!err && f.others)
		return race_wrong(s, "a stale byte");
	if (race_due(r, 0, s) && (err || f.zeros != 16 * K - 2 * K - 100))
		return race_wrong(s, "synced data is lost");
	return 0;
}

/* --- IO-85: what takes the place of another file is not empty after a cut --- */

static void io_85(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);

	race_put(f, 0, 4 * K, 'o');
	MUST(uext4_fsync(f));
	race_promise(r, 0);
	uext4_file_close(f);
	f = race_open(r, r->variant ? "f" : "new", O_RDWR | (r->variant ? O_TRUNC : 0));
	race_put(f, 0, 4 * K, 'n');
	uext4_file_close(f);
	if (r->variant == 0)
		MUST(uext4_renameat(r->fs, NULL, "new", NULL, "f", 0, NULL));
	race_commit(r);
	race_promise(r, 1);
}

static int look_85(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	int err = race_find(fs, "f", 'n', &f);

	if (race_due(r, 0, s) && !r->variant && (err || f.size != 4 * K || f.zeros))
		return race_wrong(s, "neither the old file nor the new");
	if (race_due(r, 1, s) && (err || f.size != 4 * K || f.zeros || f.others))
		return race_wrong(s, "the new content is lost");
	return 0;
}

/* --- IO-75: an inode with delayed data is dropped while there is no memory --- */

static void job_relief(struct job *j)
{
	os_sleep_ns(5 * NSEC_PER_MSEC);
	race_fault(NULL);
	j->result = 0;
}

static void io_75(struct race_run *r)
{
	struct volume *v = &r->fs->fs->volume;
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job relief = {.r = r};

	race_put(f, 0, 4 * K, 'o');
	uext4_file_close(f);
	race_commit(r);
	if (r->variant == 0)
		job_start(&relief, "relief", job_relief);
	race_fault("os_alloc");
	icache_shrink(v, 0);
	race_fault(NULL);
	if (r->variant == 0)
		EXPECT(job_join(&relief) == 0);
	EXPECT(!r->error[0] == (r->variant == 0)); /* told, if there was no help */
	EXPECT(uext4_sync(r->fs) == (r->variant ? -ENOMEM : 0));
	f = race_open(r, "f", O_RDWR);
	EXPECT(race_size(f) == (r->variant ? 0 : 4 * K));
	if (race_size(f))
		race_see(f, 0, 4 * K, 'o', 'o');
	uext4_file_close(f);
}

static const struct race race_79 = {.name = "IO_79_behind_the_end_of_file",
	.body = io_79,
	.look = look_79,
	.block_size = 4 * K,
	.variants = 3};
static const struct race race_25 = {.name = "IO_25_size_on_disk", .body = io_25, .look = look_25};
static const struct race race_23 = {.name = "IO_23_promised_once", .body = io_23, .variants = 2};
static const struct race race_71 = {
	.name = "IO_71_IO_45_full_file_system", .body = io_71, .variants = 2, .seeds = 2};
static const struct race race_81 = {.name = "IO_81_page_filled_while_punching", .body = io_81};
static const struct race race_1 = {.name = "IO_1_unwritten_blocks", .body = io_1, .look = look_1};
static const struct race race_85 = {
	.name = "IO_85_replaced_file", .body = io_85, .look = look_85, .variants = 2};

static const struct race race_75 = {
	.name = "IO_75_dropped_without_memory", .body = io_75, .variants = 2, .loses_data = true};

static const struct race race_71_at_once = {
	.name = "IO_71_nodelalloc", .body = io_71_at_once, .nodelalloc = true};
static const struct race race_64_throttle = {
	.name = "IO_64_throttled_writer", .body = io_64_throttle, .block_size = 4 * K, .seeds = 2};

const struct race *const races_cache[] = {&race_71_at_once, &race_64_throttle, &race_75, &race_79,
	&race_25, &race_23, &race_71, &race_81, &race_1, &race_85, NULL};
