/* Races of requests in flight with fsync, close, unlink, truncate and its like. */
#include "race.h"

#include <stdlib.h>

struct flight {
	struct uext4_queue *q;
	u8 *buf;
	u64 len;
};

static void takeoff(
	struct race_run *r, struct flight *t, struct uext4_file *f, bool write, u64 pos, u64 len)
{
	struct uext4_request req = {
		.op = write ? UEXT4_OP_WRITE : UEXT4_OP_READ, .file = f, .offset = pos, .len = len};

	t->len = len;
	t->buf = req.buf = aligned_alloc(4096, round_up_to(len, 4096));
	memset(t->buf, write ? 'd' : 1, len);
	MUST(uext4_queue_create(r->fs, NULL, &t->q));
	EXPECT(uext4_queue_submit(t->q, &req, 1) == 1);
}

static bool landed(struct flight *t)
{
	struct uext4_completion c = {.result = -1};

	if (uext4_queue_reap(t->q, &c, 1, 1, 0) != 1)
		return false;
	EXPECT(c.result == (s64)t->len);
	return true;
}

static void landing(struct flight *t)
{
	while (!landed(t))
		race_others_run();
}

static void flight_end(struct flight *t)
{
	uext4_queue_destroy(t->q);
	free(t->buf);
}

/* --- IO-41: the same as in races_direct.c, by requests --- */

static void io_41_async(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);
	struct flight a, b;

	MUST(uext4_fallocate(f, 0, 0, 4 * K));
	if (r->variant)
		sim_gate_close("direct_started", NULL);
	takeoff(r, &a, f, true, 0, 512);
	takeoff(r, &b, f, true, 512, 512);
	if (r->variant) {
		sim_gate_wait("direct_started");
		race_others_run();
		sim_gate_open("direct_started");
	}
	landing(&b);
	landing(&a);
	race_see(f, 0, K, 'd', 'd');
	race_see(f, K, 3 * K, 0, 0);
	flight_end(&a);
	flight_end(&b);
	uext4_file_close(f);
}

/* --- IO-55: no completion before the conversion; what was seen complete is covered by a sync ---
 */

static void io_55(struct race_run *r)
{
	static const char *const gates[] = {"direct_written", "direct_converted", "direct_ended"};
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);
	struct job s = {.r = r, .file = f};
	struct flight t;

	MUST(uext4_fallocate(f, 0, 0, 8 * K));
	for (u64 k = 2; k < 8; k++) /* more extents than the inode has room for (IO-24) */
		MUST(uext4_fallocate(f, 0, k * 8 * K, K));
	MUST(uext4_fsync(f));
	sim_gate_close(gates[r->variant % 3], NULL);
	takeoff(r, &t, f, true, 0, 4 * K);
	while (!sim_gate_parked(gates[r->variant % 3]))
		EXPECT(!landed(&t));
	job_start(&s, "sync", job_fdatasync); /* need not wait for what is not complete */
	EXPECT(job_join(&s) == 0);
	EXPECT(!landed(&t));
	sim_gate_open(gates[r->variant % 3]);
	landing(&t);
	MUST(r->variant < 3	 ? uext4_fdatasync(f)
		: r->variant < 6 ? uext4_fsync(f)
				 : uext4_sync(r->fs));
	race_promise(r, 0);
	race_see(f, 0, 4 * K, 'd', 'd');
	flight_end(&t);
	uext4_file_close(f);
}

static int look_55(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;
	int err = race_find(fs, "f", 'd', &f);

	if (!err && f.others)
		return race_wrong(s, "a stale byte");
	if (race_due(r, 0, s) && (err || f.size != 57 * K || f.zeros != 53 * K))
		return race_wrong(s, "what was complete before the sync is lost");
	return 0;
}

/* --- IO-51: closed and unlinked while the conversion waits in a worker --- */

static void io_51(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);
	struct flight t;

	MUST(uext4_fallocate(f, 0, 0, 8 * K));
	sim_gate_close("direct_written", NULL);
	takeoff(r, &t, f, true, 0, 4 * K);
	while (!sim_gate_parked("direct_written"))
		EXPECT(!landed(&t));
	uext4_file_close(f);
	if (r->variant % 2)
		MUST(uext4_unlinkat(r->fs, NULL, "f", 0, NULL));
	MUST(uext4_sync(r->fs));
	EXPECT(uext4_close(r->fs) == -EBUSY);
	sim_gate_open("direct_written");
	if (r->variant / 2)
		landing(&t);
	flight_end(&t); /* or with what nobody has reaped */
	if (r->variant % 2)
		return;
	f = race_open(r, "f", O_RDONLY);
	race_see(f, 0, 4 * K, 'd', 'd');
	uext4_file_close(f);
}

/* --- IO-58, IO-51, IO-96, IO-106: blocks don't go, nor move, while a transfer is in flight --- */

static void change(struct job *j)
{
	struct race_run *r = j->r;

	j->result = j->mode < 0 ? uext4_ftruncate(j->file, 0)
				: uext4_fallocate(j->file, j->mode, 0, 8 * K);
	if (j->result)
		return;
	MUST(uext4_sync(r->fs)); /* from here on the blocks may be anybody's */
	race_fill(r, "z", 'z');
	MUST(uext4_sync(r->fs));
}

static const int modes[] = {-1, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
	FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_ZERO_RANGE, FALLOC_FL_INSERT_RANGE};

static void io_58(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT), *z;
	struct job j = {.r = r, .file = f, .mode = modes[r->variant % 5]};
	bool write = r->variant >= 5;
	struct flight t;

	race_put(f, 0, 16 * K, 'a');
	MUST(uext4_fsync(f));
	takeoff(r, &t, f, write, 0, 8 * K);
	job_start(&j, "change", change);
	if (r->seed % 2)
		race_others_run();
	landing(&t);
	EXPECT(job_join(&j) == 0);
	for (u64 k = 0; !write && k < 8 * K; k++)
		if (t.buf[k] != 'a')
			sim_fail("the read has %02x at %llu", t.buf[k], (unsigned long long)k);
	z = race_open(r, "z", O_RDONLY | O_DIRECT);
	race_see(z, 0, race_size(z), 'z', 'z');
	uext4_file_close(z);
	flight_end(&t);
	uext4_file_close(f);
}

/*
 * --- IO-136: who waits for one file's transfers may give another's to the device, and see to a
 * part of them; the rest is left to who reaps that queue, and sleeps ---
 */

struct reaping {
	struct job j;
	struct flight t;
};

static void reap_one(struct job *j)
{
	struct reaping *g = container_of(j, struct reaping, j);
	struct uext4_completion c = {.result = -1};

	EXPECT(uext4_queue_reap(g->t.q, &c, 1, 1, (j->mode ? -1 : 3600 * (s64)NSEC_PER_SEC)) == 1);
	EXPECT(c.result == (s64)g->t.len);
}

static void io_136(struct race_run *r)
{
	struct uext4_file *f = race_open(r, "f", O_RDWR | O_DIRECT);
	struct uext4_file *x = race_open(r, "x", O_RDWR | O_DIRECT);
	struct reaping g = {.j = {.r = r, .mode = (int)r->variant}};
	struct job change = {.r = r, .file = x};
	struct flight t;

	race_put(f, K, K, 'a'); /* a hole, and then what is elsewhere: two transfers */
	race_put(x, 0, K, 'a');
	MUST(uext4_fsync(f));
	sim_gate_close("direct_started", "queue");
	takeoff(r, &g.t, f, true, 0, 2 * K);
	sim_gate_wait("direct_started");
	job_start(&g.j, "reap", reap_one);
	race_others_run(); /* it waits for the worker that waits here */
	takeoff(r, &t, x, false, 0, K);
	sim_gate_close("dio_wait", NULL);
	job_start(&change, "change", job_truncate);
	sim_gate_wait("dio_wait");
	sim_gate_open("dio_wait");
	sim_gate_open("direct_started");
	EXPECT(job_join(&change) == 0);
	job_join(&g.j);
	landing(&t);
	race_see(f, 0, 2 * K, 'd', 'd');
	flight_end(&t);
	flight_end(&g.t);
	uext4_file_close(x);
	uext4_file_close(f);
}

static const struct race race_41 = {
	.name = "IO_41_two_requests_in_one_block", .body = io_41_async, .variants = 2};
static const struct race race_55 = {.name = "IO_55_completion_against_fsync",
	.body = io_55,
	.look = look_55,
	.variants = 9,
	.seeds = 2};
static const struct race race_51 = {
	.name = "IO_51_completion_against_close_and_unlink", .body = io_51, .variants = 4};
static const struct race race_58 = {.name = "IO_58_IO_106_transfer_against_truncate_and_its_like",
	.body = io_58,
	.variants = 10,
	.seeds = 4};

static const struct race race_136 = {
	.name = "IO_136_help_against_reap", .body = io_136, .variants = 2, .seeds = 100};

const struct race *const races_queue[] = {&race_41, &race_55, &race_51, &race_58, &race_136, NULL};
