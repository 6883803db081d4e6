/* Races of the sync family with writeback: what was acknowledged is there (law 2). */
#include "race.h"

/* --- IO-94: a writer gives blocks back that it could not place, while another syncs --- */

static void io_94(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job a = {.r = r, .file = f}, b = a;

	race_put(f, 0, 8 * K, 'o');
	MUST(uext4_fsync(f));
	race_put(f, 0, 4 * K, 'n'); /* needs no place: the writer opens no handle */
	sim_gate_close("write_open", "a");
	job_start(&a, "a", job_fsync);
	sim_gate_wait("write_open");
	race_put(f, 8 * K, 4 * K, 'n'); /* but this does */
	sim_gate_close("write_round", "a");
	sim_gate_open("write_open");
	sim_gate_wait("write_round");
	sim_gate_close("write_rounded", "a"); /* it tries again, but not before the end */
	job_start(&b, "b", r->variant ? job_sync : job_fsync);
	race_others_run();
	EXPECT(!b.done);
	sim_gate_open("write_round");
	EXPECT(job_join(&b) == 0);
	race_promise(r, 0);
	sim_gate_open("write_rounded");
	EXPECT(job_join(&a) == 0);
	uext4_file_close(f);
}

static int look_94(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	int err = race_find(fs, "f", 'n', &f);

	if (!err && f.others && f.data[f.at] != 'o')
		return race_wrong(s, "a stale byte");
	if (race_due(r, 0, s) && (err || f.size != 12 * K || f.zeros || f.others != 4 * K))
		return race_wrong(s, "what was synced is lost");
	return 0;
}

/* Another syncs while a writer stands at the gate; if it need not wait, then it must be true. */
static void sync_meanwhile(struct race_run *r, struct job *b, const char *gate, bool all)
{
	job_start(b, "b", all ? job_sync : job_fsync);
	race_others_run();
	if (b->done) {
		EXPECT(job_join(b) == 0);
		race_promise(r, 0);
	}
	sim_gate_open(gate);
	if (!r->promised[0]) {
		EXPECT(job_join(b) == 0);
		race_promise(r, 0);
	}
}

/* --- IO-94: a folio is about to be given back, and not yet --- */

static void io_94_returned(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job a = {.r = r, .file = f}, b = a;

	race_put(f, 0, 8 * K, 'o');
	MUST(uext4_fsync(f));
	race_put(f, 0, 4 * K, 'n');
	sim_gate_close("write_open", "a");
	job_start(&a, "a", job_fsync);
	sim_gate_wait("write_open");
	race_put(f, 8 * K, 4 * K, 'n');
	sim_gate_close("write_returned", "a");
	sim_gate_close("write_rounded", "a");
	sim_gate_open("write_open");
	sim_gate_wait("write_returned");
	sync_meanwhile(r, &b, "write_returned", r->variant);
	sim_gate_open("write_rounded");
	EXPECT(job_join(&a) == 0);
	uext4_file_close(f);
}

/* --- IO-94: a folio is about to be claimed, and not yet --- */

static void io_94_claimed(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job a = {.r = r, .file = f}, b = a;

	race_put(f, 0, 8 * K, 'o');
	race_put(f, 8 * K, 4 * K, 'n');
	MUST(uext4_fsync(f));
	race_put(f, 0, 4 * K, 'n');
	sim_gate_close("write_claim", "a");
	job_start(&a, "a", job_fsync);
	sim_gate_wait("write_claim");
	sync_meanwhile(r, &b, "write_claim", r->variant);
	EXPECT(job_join(&a) == 0);
	uext4_file_close(f);
}

/* --- IO-94: the flusher takes a file off its list while another has all its folios --- */

static void io_94_list(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job a = {.r = r, .file = f}, b = a;

	race_put(f, 0, 12 * K, 'o');
	MUST(uext4_fsync(f));
	race_put(f, 0, 4 * K, 'n');
	race_put(f, 8 * K, 4 * K, 'n');
	sim_gate_close("write_round", "a");
	job_start(&a, "a", job_fsync);
	sim_gate_wait("write_round");
	os_sleep_ns(60 * NSEC_PER_SEC); /* the flusher passes by */
	sync_meanwhile(r, &b, "write_round", true);
	EXPECT(job_join(&a) == 0);
	uext4_file_close(f);
}

/* --- IO-94: without a script, at every atomic operation --- */

static void io_94_free(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job a = {.r = r, .file = f}, b = a;

	race_put(f, 0, 8 * K, 'o');
	MUST(uext4_fsync(f));
	race_put(f, 0, 4 * K, 'n');
	job_start(&a, "a", job_fsync);
	race_put(f, 8 * K, 4 * K, 'n');
	job_start(&b, "b", r->variant ? job_sync : job_fsync);
	EXPECT(job_join(&b) == 0);
	race_promise(r, 0);
	EXPECT(job_join(&a) == 0);
	uext4_file_close(f);
}

/* --- IO-88, IO-95: an overwrite changes no metadata; all ranges of it are durable --- */

static void io_88(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | (r->variant ? O_DIRECT : 0));

	race_put(f, 0, 12 * K, 'o');
	MUST(uext4_fsync(f));
	race_put(f, 0, 4 * K, 'n');
	race_put(f, 8 * K, 4 * K, 'n');
	MUST(uext4_fdatasync(f));
	race_promise(r, 0);
	uext4_file_close(f);
}

/* --- IO-87: a new file, by fsync alone --- */

static void io_87(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR), *g = race_open(r, "g", O_RDWR);

	race_put(g, 0, 4 * K, 'o');
	race_put(f, 0, 4 * K, 'n');
	race_put(f, 4 * K, 4 * K, 'o');
	race_put(f, 8 * K, 4 * K, 'n');
	MUST(r->variant ? uext4_fdatasync(f) : uext4_fsync(f));
	race_promise(r, 0);
	uext4_file_close(f);
	uext4_file_close(g);
}

/* --- IO-91: a write error that the flusher met is told by each file once, and by the volume --- */

static void io_91(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR), *g = race_open(r, "f", O_RDWR), *late;
	struct dev_fault_rule rule = {.ops = 1u << DEV_WRITE, .len = 4 * K, .error = EIO};

	race_put(f, 0, 4 * K, 'o');
	MUST(uext4_fsync(f));
	race_put(f, 0, 4 * K, 'n');
	rule.offset = race_place(f, 0);
	MUST(dev_fault_add(r->fault, &rule));
	os_sleep_ns(60 * NSEC_PER_SEC);
	EXPECT(dev_fault_hits(r->fault) == 1);
	dev_fault_clear(r->fault);
	late = race_open(r, "f", O_RDWR);
	EXPECT(uext4_fsync(f) == -EIO);
	EXPECT(uext4_fsync(f) == 0);
	EXPECT(uext4_fdatasync(g) == -EIO);
	EXPECT(uext4_fsync(g) == 0);
	EXPECT(uext4_fsync(late) == 0);
	EXPECT(uext4_sync(r->fs) == -EIO);
	EXPECT(uext4_sync(r->fs) == 0);
	uext4_file_close(f);
	uext4_file_close(g);
	uext4_file_close(late);
}

static const struct race race_94 = {.name = "IO_94_blocks_given_back",
	.body = io_94,
	.look = look_94,
	.block_size = 4 * K,
	.variants = 2};
static const struct race race_94_returned = {.name = "IO_94_given_back_is_dirty",
	.body = io_94_returned,
	.look = look_94,
	.block_size = 4 * K,
	.variants = 2};
static const struct race race_94_claimed = {.name = "IO_94_claimed_is_counted",
	.body = io_94_claimed,
	.look = look_94,
	.block_size = 4 * K,
	.variants = 2};
static const struct race race_94_list = {.name = "IO_94_file_off_the_list",
	.body = io_94_list,
	.look = look_94,
	.block_size = 4 * K};
static const struct race race_94_free = {.name = "IO_94_two_syncs",
	.body = io_94_free,
	.look = look_94,
	.block_size = 4 * K,
	.variants = 2,
	.seeds = 20,
	.atomics = true};
static const struct race race_88 = {
	.name = "IO_88_overwrite", .body = io_88, .look = look_94, .variants = 2};
static const struct race race_87 = {
	.name = "IO_87_new_file", .body = io_87, .look = look_94, .variants = 2};
static const struct race race_91 = {.name = "IO_91_told_once", .body = io_91, .loses_data = true};

const struct race *const races_sync[] = {&race_94, &race_94_returned, &race_94_claimed,
	&race_94_list, &race_94_free, &race_88, &race_87, &race_91, NULL};
