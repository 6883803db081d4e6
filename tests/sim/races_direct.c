/* Races of direct writes with writeback, readers and each other. */
#include "race.h"

/* --- IO-29: writeback lifts the size on disk while an extending direct write is on its way --- */

static void io_29(struct race_run *r)
{
	struct uext4_file *cached = race_open(r, "f", O_RDWR),
			  *direct = race_open(r, "f", O_RDWR | O_DIRECT);
	struct job w = {.r = r, .file = direct, .pos = 4 * K, .len = 4 * K, .value = 'd'};

	race_put(cached, 16 * K, 4 * K, 'c');
	if (r->variant == 0) { /* writeback in the middle of the write */
		sim_gate_close("direct_started", "direct");
		job_start(&w, "direct", job_write);
		sim_gate_wait("direct_started");
		MUST(uext4_fsync(cached));
		race_promise(r, 0);
		sim_gate_open("direct_started");
	} else { /* at any time */
		job_start(&w, "direct", job_write);
		MUST(uext4_fsync(cached));
		race_promise(r, 0);
	}
	EXPECT(job_join(&w) == 4 * K);
	EXPECT(race_size(cached) == 20 * K);
	EXPECT(!orphans_pending(race_inode(cached)->volume));
	MUST(uext4_fsync(direct));
	race_promise(r, 1);
	race_see(cached, 0, 4 * K, 0, 0);
	race_see(cached, 4 * K, 4 * K, 'd', 'd');
	uext4_file_close(cached);
	uext4_file_close(direct);
}

static int look_29(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;

	if (race_find(fs, "f", 'c', &f))
		return race_due(r, 0, s) ? race_wrong(s, "the file is lost") : 0;
	if (race_due(r, 0, s) && (f.size != 20 * K || f.data[16 * K] != 'c'))
		return race_wrong(s, "what was synced is cut off");
	if (race_due(r, 1, s) && (f.data[4 * K] != 'd' || f.others != 4 * K))
		return race_wrong(s, "the direct write is lost");
	return f.others && f.data[f.at] != 'd' ? race_wrong(s, "a stale byte") : 0;
}

/* --- IO-41, IO-80: two writes into one unwritten block; one's padding is the other's data --- */

static void io_41(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);
	struct job a = {.r = r, .file = f, .pos = 0, .len = 512, .value = 'a'};
	struct job b = {.r = r, .file = f, .pos = 512, .len = 512, .value = 'b'};

	MUST(uext4_fallocate(f, 0, 0, 4 * K));
	if (r->variant < 2) {
		sim_gate_close("direct_started", r->variant ? "b" : "a");
		job_start(r->variant ? &b : &a, r->variant ? "b" : "a", job_write);
		sim_gate_wait("direct_started");
		job_start(r->variant ? &a : &b, r->variant ? "a" : "b", job_write);
		race_others_run();
		EXPECT(!(r->variant ? a : b).done);
		sim_gate_open("direct_started");
	} else {
		job_start(&a, "a", job_write);
		job_start(&b, "b", job_write);
	}
	EXPECT(job_join(&a) == 512 && job_join(&b) == 512);
	race_see(f, 0, 512, 'a', 'a');
	race_see(f, 512, 512, 'b', 'b');
	race_see(f, K, 3 * K, 0, 0); /* IO-49 */
	uext4_file_close(f);
}

/* --- IO-49: around what was written there are zeros, when others may look and after a cut --- */

static void io_49(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);

	MUST(uext4_fallocate(f, 0, 0, 8 * K));
	race_put(f, 512, 512, 'd');
	race_put(f, 4 * K, 512, 'd');
	MUST(uext4_fdatasync(f));
	race_promise(r, 0);
	race_see(f, 0, 512, 0, 0);
	race_see(f, 512, 512, 'd', 'd');
	race_see(f, K, 3 * K, 0, 0);
	race_see(f, 4 * K + 512, 512, 0, 0);
	uext4_file_close(f);
}

static int look_49(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;

	if (race_find(fs, "f", 'd', &f))
		return race_due(r, 0, s) ? race_wrong(s, "the file is lost") : 0;
	if (f.others)
		return race_wrong(s, "a stale byte");
	if (race_due(r, 0, s) && f.zeros != 7 * K)
		return race_wrong(s, "synced data is lost");
	return 0;
}

/* --- IO-28: inside the size that is seen, beyond the one on disk --- */

static void io_28(struct race_run *r)
{
	struct uext4_file *cached = race_open(r, "f", O_RDWR),
			  *plain = race_open(r, "f", O_RDWR | O_DIRECT),
			  *direct = race_open(r, "f", O_RDWR | O_DIRECT | O_DSYNC);

	race_put(cached, 28 * K, 4 * K, 'c'); /* delayed: nothing on disk */
	EXPECT(race_write(plain, 20 * K, 4 * K, 'p', 0) == 4 * K);
	race_commit(r);
	race_put(direct, 20 * K, 4 * K, 'd');
	race_promise(r, 0);
	if (r->variant)
		MUST(uext4_fsync(cached));
	race_see(cached, 20 * K, 4 * K, 'd', 'd');
	uext4_file_close(cached);
	uext4_file_close(plain);
	uext4_file_close(direct);
}

static int look_28(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;

	if (race_find(fs, "f", 'd', &f))
		return race_due(r, 0, s) ? race_wrong(s, "the file is lost") : 0;
	if (f.others && f.data[f.at] != 'c' && f.data[f.at] != 'p')
		return race_wrong(s, "a stale byte");
	if (race_due(r, 0, s) && (f.size < 24 * K || f.data[20 * K] != 'd'))
		return race_wrong(s, "what O_DSYNC promised is lost");
	return 0;
}

/* --- IO-38: two who append; one takes the better lock late --- */

static void io_38(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT | O_APPEND);
	struct job a = {.r = r, .file = f, .len = K, .value = 'a'}, b = a;
	u8 first = 'b';

	b.value = 'b';
	race_put(f, 0, K, 'x');
	if (r->variant == 0) {
		sim_gate_close("direct_upgrade", "a");
		job_start(&a, "a", job_write);
		sim_gate_wait("direct_upgrade");
		job_start(&b, "b", job_write);
		EXPECT(job_join(&b) == K);
		sim_gate_open("direct_upgrade");
	} else {
		job_start(&b, "b", job_write);
		job_start(&a, "a", job_write);
		EXPECT(job_join(&b) == K);
	}
	EXPECT(job_join(&a) == K);
	EXPECT(race_size(f) == 3 * K);
	if (r->variant) { /* either may have been first */
		struct uext4_file *look = race_open(r, "f", O_RDONLY);

		EXPECT(uext4_pread(look, &first, 1, K) == 1);
		uext4_file_close(look);
	}
	race_see(f, 0, K, 'x', 'x');
	race_see(f, K, K, first, first);
	race_see(f, 2 * K, K, (u8)('a' + 'b' - first), (u8)('a' + 'b' - first));
	uext4_file_close(f);
}

/* --- IO-50, IO-82: a page is filled between two steps of a direct write's end --- */

static void io_50(struct race_run *r)
{
	static const char *const gates[] = {
		"direct_started", "direct_written", "direct_converted", "direct_invalidated"};
	const char *gate = gates[r->variant % 4];
	struct uext4_file *cached = race_open(r, "f", O_RDWR),
			  *direct = race_open(r, "f", O_RDWR | O_DIRECT);
	struct job w = {.r = r, .file = direct, .pos = 0, .len = 4 * K, .value = 'd'};
	u8 old = r->variant < 4 ? 0 : 'o';

	MUST(uext4_fallocate(direct, 0, 0, 8 * K));
	if (old) {
		race_put(direct, 0, 4 * K, old);
		MUST(uext4_fsync(direct));
	}
	sim_gate_close(gate, "direct");
	job_start(&w, "direct", job_write);
	sim_gate_wait(gate);
	race_see(cached, 0, 4 * K, 'd', old); /* fills the page */
	sim_gate_open(gate);
	EXPECT(job_join(&w) == 4 * K);
	race_see(cached, 0, 4 * K, 'd', 'd');
	race_see(cached, 4 * K, 4 * K, 0, 0);
	uext4_file_close(cached);
	uext4_file_close(direct);
}

/*
 * --- IO-48: a dirty page of the range must not come after what was written directly ---
 * IO-72: the writer has its pages written while it holds the inode lock, which writeback leaves
 * alone.
 */

static void io_48(struct race_run *r)
{
	struct uext4_file *cached = race_open(r, "f", O_RDWR),
			  *direct = race_open(r, "f", O_RDWR | O_DIRECT);

	if (r->variant == 2) /* a hole inside */
		MUST(uext4_ftruncate(cached, 16 * K));
	else
		race_put(cached, 0, 8 * K, 'o');
	if (r->variant == 1)
		MUST(uext4_fsync(cached));
	race_put(cached, 0, 8 * K, 'c');
	race_put(direct, 0, 4 * K, 'd');
	MUST(uext4_fsync(cached));
	race_see(cached, 0, 4 * K, 'd', 'd');
	race_see(direct, 0, 4 * K, 'd', 'd');
	race_see(direct, 4 * K, 4 * K, 'c', 'c');
	uext4_file_close(cached);
	uext4_file_close(direct);
}

/* --- IO-53: the device fails in the middle segment --- */

static void io_53(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);
	struct dev_fault_rule rule = {.ops = 1u << DEV_WRITE, .len = 512, .error = EIO};

	MUST(uext4_fallocate(f, 0, 0, 12 * K));
	race_put(f, 4 * K, 4 * K, 'o'); /* unwritten, written, unwritten */
	MUST(uext4_fsync(f));
	race_promise(r, 0);
	rule.offset = race_place(f, 5 * K);
	MUST(dev_fault_add(r->fault, &rule));
	EXPECT(race_write(f, 0, 12 * K, 'd', 0) == -EIO);
	dev_fault_clear(r->fault);
	race_see(f, 0, 4 * K, 0, 0);
	race_see(f, 4 * K, 4 * K, 'd', 'o');
	race_see(f, 8 * K, 4 * K, 0, 0);
	EXPECT(race_size(f) == 12 * K);
	race_promise(r, 1);
	uext4_file_close(f);
}

static int look_53(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	int err = race_find(fs, "f", 'o', &f);

	if (race_due(r, 0, s) && (err || f.size != 12 * K || f.zeros != 8 * K))
		return race_wrong(s, "a failed write was converted");
	return !err && f.others && f.data[f.at] != 'd' ? race_wrong(s, "a stale byte") : 0;
}

/* --- IO-54: what O_DSYNC may leave out, by what was there --- */

static void io_54(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);

	MUST(uext4_fallocate(f, 0, 0, 4 * K));
	MUST(uext4_fsync(f));
	if (r->variant > 0) /* written, and perhaps not yet committed to be so */
		race_put(f, 0, 4 * K, 'o');
	if (r->variant > 1)
		MUST(uext4_fsync(f));
	EXPECT(race_write(f, 0, 4 * K, 'd', UEXT4_RWF_DSYNC) == 4 * K);
	race_promise(r, 0);
	uext4_file_close(f);
}

static int look_54(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	int err = race_find(fs, "f", 'd', &f);

	if (race_due(r, 0, s) && (err || f.size != 4 * K || f.zeros || f.others))
		return race_wrong(s, "what O_DSYNC promised is lost");
	return !err && f.others && f.data[f.at] != 'o' ? race_wrong(s, "a stale byte") : 0;
}

/* --- IO-27, IO-42, IO-59: who reads up to the size finds data --- */

static void io_59(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_APPEND | (r->variant ? O_DIRECT : 0)),
			  *reader = race_open(r, "f", O_RDONLY);
	struct job a = {.r = r, .file = f, .len = 4 * K, .value = 'd'};

	for (unsigned k = 0; k < 3; k++) {
		job_start(&a, "append", job_write);
		do {
			u64 size = race_size(reader);

			EXPECT(size == k * 4 * K || size == (k + 1) * 4 * K || !r->variant);
			if (size)
				race_see(reader, 0, size, 'd', 'd');
			sim_yield("reader");
		} while (!a.done);
		EXPECT(job_join(&a) == 4 * K);
		if (r->variant)
			race_commit(r);
	}
	uext4_file_close(f);
	uext4_file_close(reader);
}

/* Nothing is synced: a prefix of what was appended. With direct writes no size comes before its
 * data (IO-27). */
static int look_59(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;

	if (race_find(fs, "f", 'd', &f))
		return 0;
	if (f.others || (f.zeros && r->variant))
		return race_wrong(s, f.others ? "a stale byte" : "a size without its data");
	return 0;
}

static const struct race race_29 = {.name = "IO_29_writeback_against_extending_write",
	.body = io_29,
	.look = look_29,
	.block_size = 4 * K,
	.variants = 2};
static const struct race race_41 = {
	.name = "IO_41_two_writes_in_one_block", .body = io_41, .variants = 3, .seeds = 30};
static const struct race race_49 = {.name = "IO_49_zeros_around", .body = io_49, .look = look_49};
static const struct race race_28 = {.name = "IO_28_beyond_the_size_on_disk",
	.body = io_28,
	.look = look_28,
	.block_size = 4 * K,
	.variants = 2};
static const struct race race_38 = {.name = "IO_38_append_upgrade", .body = io_38, .variants = 2};
static const struct race race_50 = {
	.name = "IO_50_IO_82_page_filled_meanwhile", .body = io_50, .variants = 8};
static const struct race race_48 = {
	.name = "IO_48_dirty_page_in_range", .body = io_48, .variants = 3};
static const struct race race_53 = {
	.name = "IO_53_error_in_the_middle", .body = io_53, .look = look_53};
static const struct race race_54 = {
	.name = "IO_54_dsync", .body = io_54, .look = look_54, .variants = 3};
static const struct race race_59 = {
	.name = "IO_59_reader_of_a_growing_file", .body = io_59, .look = look_59, .variants = 2};

const struct race *const races_direct[] = {&race_29, &race_41, &race_49, &race_28, &race_38,
	&race_50, &race_48, &race_53, &race_54, &race_59, NULL};
