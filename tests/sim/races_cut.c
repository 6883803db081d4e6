/* Races of what cuts files and punches them with commits, writers and readers. */
#include "race.h"

/* --- IO-77: a commit is about to write the data that it promised, and a truncate drops it --- */

static void job_commit(struct job *j)
{
	race_commit(j->r);
	j->result = 0;
}

static void io_77(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job c = {.r = r}, t = {.r = r, .file = f, .len = r->variant ? 1500 : 0};

	race_put(f, 0, 8 * K, 'd'); /* has its place at once; the transaction lists it */
	sim_gate_close("ordered_write", NULL);
	job_start(&c, "commit", job_commit);
	sim_gate_wait("ordered_write");
	job_start(&t, "truncate", job_truncate);
	race_others_run();
	sim_gate_open("ordered_write");
	EXPECT(job_join(&c) == 0 && job_join(&t) == 0);
	EXPECT(race_size(f) == t.len);
	race_promise(r, 0);
	uext4_file_close(f);
}

static int look_77(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;

	if (race_find(fs, "f", 'd', &f))
		return race_due(r, 0, s) ? race_wrong(s, "the file is lost") : 0;
	return f.others ? race_wrong(s, "a stale byte") : 0;
}

/* --- IO-96: a truncate lets nobody go on with blocks that it takes: a reader, writeback --- */

static void job_look(struct job *j)
{
	static u8 data[8 * K];
	s64 n = uext4_pread(j->file, data, sizeof(data), 0);

	EXPECT(n == 8 * K || n == 1500);
	for (s64 k = 0; k < n; k++)
		EXPECT(data[k] == 'd' || (k >= 1500 && data[k] == 0));
	j->result = 0;
}

static void io_96(struct race_run *r)
{
	const char *gate = r->variant ? "write_round" : "fill_read";
	struct uext4_file *f = race_open(r, "f", O_RDWR);
	struct job t = {.r = r, .file = f, .len = 1500}, o = t;

	race_put(f, 0, 8 * K, 'd');
	if (r->variant == 0) {
		MUST(uext4_fsync(f));
		MUST(iofile_invalidate_range(&race_inode(f)->io, 0, UINT64_MAX));
	}
	sim_gate_close(gate, "other");
	job_start(&o, "other", r->variant ? job_fsync : job_look);
	sim_gate_wait(gate);
	job_start(&t, "truncate", job_truncate);
	race_others_run();
	EXPECT(!t.done);
	sim_gate_open(gate);
	EXPECT(job_join(&t) == 0 && job_join(&o) == 0);
	MUST(uext4_ftruncate(f, 8 * K));
	race_see(f, 0, 1500, 'd', 'd');
	race_see(f, 1500, 8 * K - 1500, 0, 0);
	uext4_file_close(f);
}

/* --- IO-120: two write parts of one block directly, which a third empties meanwhile --- */

static void io_120(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);
	struct job a = {.r = r, .file = f, .len = 512, .value = 'a'}, b = a;
	struct job p = {.r = r, .file = f, .mode = FALLOC_FL_KEEP_SIZE, .len = 4 * K};
	bool after = r->variant == 0;

	p.mode |= r->variant == 2 ? FALLOC_FL_ZERO_RANGE : FALLOC_FL_PUNCH_HOLE;
	b.pos = 512;
	b.value = 'b';
	race_put(f, 0, 8 * K, 'o');
	MUST(uext4_fsync(f));
	if (after) { /* no overwrites any more, when the lock is theirs */
		sim_gate_close("punch", "empty");
		job_start(&p, "empty", job_fallocate);
		sim_gate_wait("punch");
	}
	job_start(&a, "a", job_write);
	job_start(&b, "b", job_write);
	if (after) {
		race_others_run();
		EXPECT(!a.done && !b.done);
		sim_gate_open("punch");
	} else {
		job_start(&p, "empty", job_fallocate);
	}
	EXPECT(job_join(&a) == 512 && job_join(&b) == 512 && job_join(&p) == 0);
	race_see(f, 0, 512, 'a', after ? 'a' : 0);
	race_see(f, 512, 512, 'b', after ? 'b' : 0);
	race_see(f, K, 3 * K, 0, 0);
	race_see(f, 4 * K, 4 * K, 'o', 'o');
	uext4_file_close(f);
}

static const struct race race_77 = {.name = "IO_77_truncate_against_commit",
	.body = io_77,
	.look = look_77,
	.mke2fs = "-O ^extent,^64bit",
	.variants = 2,
	.nodelalloc = true};
static const struct race race_96 = {
	.name = "IO_96_truncate_against_reader_and_writeback", .body = io_96, .variants = 2};
static const struct race race_120 = {.name = "IO_120_unaligned_overwrite_against_punch",
	.body = io_120,
	.variants = 3,
	.seeds = 12};

const struct race *const races_cut[] = {&race_77, &race_96, &race_120, NULL};
