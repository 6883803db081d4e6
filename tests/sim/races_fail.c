/* IO-62: the file system is shut down while somebody stands at each gate there is. */
#include "race.h"

static const char *const gates[] = {"iofile_write", "write_end", "write_open", "writeback_place",
	"map_create", "write_round", "writeback_convert", "direct_upgrade", "direct_started",
	"direct_written", "direct_converted", "direct_invalidated", "direct_ended", "txn_start",
	"commit_start", "ordered_write", "commit_log", "commit_logged", "commit_record",
	"commit_durable", "commit_end", "punch", "truncate", "fallocate_step", "collapse",
	"space_alloc", "space_free", "buf_write_access"};

/* Some of everything; each call succeeds until the end, and then fails. */
static void work(struct job *j)
{
	struct race_run *r = j->r;
	struct uext4_file *f = race_open(r, "f", O_RDWR), *d = race_open(r, "f", O_RDWR | O_DIRECT);
	bool synced;

	(void)race_write(f, 0, 8 * K, 'o', 0);
	synced = uext4_fsync(f) == 0;
	if (synced)
		race_promise(r, 0);
	(void)uext4_fallocate(f, 0, 8 * K, 8 * K);
	(void)race_write(d, 8 * K, 4 * K, 'd', 0);
	(void)race_write(d, 16 * K, 4 * K, 'd', 0);
	(void)race_write(f, 24 * K, 4 * K, 'c', 0);
	(void)uext4_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 9 * K, 2 * K);
	(void)uext4_fallocate(f, FALLOC_FL_COLLAPSE_RANGE, 12 * K, 4 * K);
	if (synced && uext4_fsync(f) == 0)
		race_promise(r, 1);
	(void)uext4_ftruncate(f, 10 * K - 100);
	(void)uext4_ftruncate(f, 30 * K);
	(void)uext4_fsync(f);
	uext4_file_close(f);
	uext4_file_close(d);
}

static void shut(struct job *j)
{
	struct race_run *r = j->r;

	r->gone = true;
	j->result = uext4_shutdown(
		r->fs, r->variant % 2 ? UEXT4_SHUTDOWN_NOLOGFLUSH : UEXT4_SHUTDOWN_LOGFLUSH);
}

static void io_62(struct race_run *r)
{
	const char *gate = gates[r->variant / 2];
	struct job w = {.r = r}, s = {.r = r};
	struct uext4_file *f = race_open(r, "f", O_RDWR);

	sim_gate_close(gate, NULL);
	job_start(&w, "work", work);
	while (!w.done && !sim_gate_parked(gate))
		race_others_run();
	EXPECT(sim_gate_parked(gate));
	job_start(&s, "shutdown", shut); /* may have to wait for who is parked */
	race_others_run();
	sim_gate_open(gate);
	(void)job_join(&s);
	(void)job_join(&w);
	EXPECT(race_write(f, 0, K, 'x', 0) == -EIO);
	EXPECT(uext4_fsync(f) == -EIO);
	EXPECT(uext4_fallocate(f, 0, 0, K) == -EIO);
	EXPECT(uext4_ftruncate(f, 0) == -EIO);
	uext4_file_close(f);
}

static int look_62(struct race_run *r, struct uext4_fs *fs, struct explore_state *s)
{
	static struct race_found f;

	if (race_find(fs, "f", 'o', &f))
		return race_due(r, 0, s) ? race_wrong(s, "the file is lost") : 0;
	for (s64 k = 0; k < f.size; k++)
		if (f.data[k] && !strchr("odc", f.data[k]))
			return race_wrong(s, "a stale byte");
	if (race_due(r, 0, s) &&
		(f.size < 8 * (s64)K || f.data[0] != 'o' || f.data[8 * K - 1] != 'o'))
		return race_wrong(s, "what was synced is lost");
	if (race_due(r, 1, s) && (f.size < 9 * (s64)K || f.data[8 * K] != 'd'))
		return race_wrong(s, "what was synced later is lost");
	return 0;
}

static const struct race race_62 = {.name = "IO_62_shutdown_at_every_gate",
	.body = io_62,
	.look = look_62,
	.variants = 2 * array_len(gates),
	.seeds = 1,
	.states = 10};

const struct race *const races_fail[] = {&race_62, NULL};
