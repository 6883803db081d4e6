#include "race.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/trace.h"
#include "sim/disk/mkfs.h"

#define MKE2FS "-I 256 -N 64 -O ^resize_inode"

static void note(void *arg, enum uext4_log_level level, const char *message)
{
	struct race_run *r = arg;

	if (level == UEXT4_LOG_ERROR && !r->error[0])
		snprintf(r->error, sizeof(r->error), "%s", message);
}

static void mount(struct race_run *r)
{
	struct uext4_options opt = {.size = sizeof(opt),
		.commit_interval_ms = 3600000,
		.cache_bytes = 8 << 20,
		.nodelalloc = r->race->nodelalloc,
		.log = note,
		.log_arg = r};

	MUST(dev_fault_create(sim_disk_dev(r->disk), false, &r->fault));
	MUST(api_open_dev(r->fault, &opt, &r->fs));
}

static void settle(struct race_run *r)
{
	struct volume *v = &r->fs->fs->volume;
	struct space_counts c;

	MUST(uext4_sync(r->fs));
	space_counts(v, &c);
	if (c.claimed)
		sim_fail("%lld blocks are still promised", (long long)c.claimed);
	if (orphans_pending(v))
		sim_fail("an orphan is left");
}

static void run(void *arg)
{
	struct race_run *r = arg;
	int err;

	mount(r);
	r->race->body(r);
	if (!r->gone)
		settle(r);
	err = uext4_close(r->fs);
	if (err == -EBUSY || (err && !r->gone))
		sim_fail("unmount gave %d", err);
	if (r->error[0] && !r->gone && !r->race->loses_data)
		sim_fail("message: %s", r->error);
}

static int look(void *arg, struct uext4_fs *fs, struct explore_state *s)
{
	struct race_run *r = arg;

	return r->race->look ? r->race->look(r, fs, s) : 0;
}

static u64 promise(void *arg, size_t position)
{
	const struct race_run *r = arg;
	u64 kept = 0;

	for (unsigned k = 0; k < PROMISES; k++)
		kept |= (u64)(r->promised[k] && position >= r->promised[k]) << k;
	return kept;
}

/* The disk as the run has left it, then as a cut at any moment would have. */
static int judge(struct race_run *r, struct explore_state *s)
{
	struct explore_fs fs = {.look = look, .promise = promise, .arg = r};
	struct explore_config config = {.ops = &explore_fs_ops,
		.arg = &fs,
		.states = explore_fs_states(r->seed),
		.budget = r->race->states ? r->race->states : 60};
	int err;

	s->position = sim_disk_position(r->disk);
	err = explore_fs_ops.recover(&fs, r->disk, s);
	if (!err)
		err = explore_fs_ops.check(&fs, r->disk, s);
	config.states.samples = 8;
	if (err || !r->race->look)
		return err;
	return explore(sim_disk_history(r->disk), &config, NULL, s);
}

static struct {
	const char *point;
	u64 left;
} failing;

static bool fails(const char *point)
{
	if (!failing.point || strcmp(point, failing.point) != 0)
		return false;
	if (failing.left == 0)
		return true;
	failing.left--;
	return false;
}

static bool run_once(struct race_run *r, const struct sim_pages *image, bool quiet)
{
	struct sim_disk_params params = {.choose = sim_choose, .record = true};
	struct sim_config config = {
		.seed = r->seed, .punctual = true, .quiet = true, .atomics = r->race->atomics};
	static struct sim_report report;
	struct explore_state s = {0};
	bool good;

	fault_hook = fails;
	r->disk = sim_disk_create(image, &params);
	good = sim_run(&config, run, r, &report) == 0;
	if (!good && !quiet)
		printf("# %s, variant %u, seed %llu: %s\n", r->race->name, r->variant,
			(unsigned long long)r->seed, report.text);
	sim_report_fini(&report);
	if (!good)
		return false;
	good = judge(r, &s) == 0;
	if (!good && !quiet)
		printf("# %s, variant %u, seed %llu, state %s: %s\n", r->race->name, r->variant,
			(unsigned long long)r->seed, s.name, s.why);
	sim_disk_destroy(r->disk);
	return good;
}

static bool run_all(const struct race *race, bool quiet)
{
	unsigned bs = race->block_size ? race->block_size : K;
	unsigned variants = race->variants ? race->variants : 1;
	unsigned seeds = race->seeds ? race->seeds : 6;
	struct sim_pages image;
	char options[200];
	bool good = true;

	/* A log has at least 1024 blocks. */
	snprintf(options, sizeof(options), "-b %u -J size=%u %s %s", bs, bs / 1024,
		race->mke2fs ? race->mke2fs : "", MKE2FS);
	if (sim_mkfs(&image, bs * 3072ull, options))
		return false;
	for (unsigned k = 0; k < variants * seeds && good; k++) {
		struct race_run r = {.race = race, .variant = k % variants, .seed = 1 + k};

		good = run_once(&r, &image, quiet);
	}
	sim_pages_fini(&image);
	return good;
}

/* In a process of its own: a run that fails leaves its world broken. */
bool race_passes(const struct race *race, enum mutant mutant, bool quiet)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		mutant_active = mutant;
		status = run_all(race, quiet) ? 0 : 1;
		fflush(stdout);
		_exit(status);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

/* --- for bodies --- */

struct uext4_file *race_open(struct race_run *r, const char *name, int flags)
{
	struct uext4_file *f = NULL;

	MUST(uext4_openat(r->fs, NULL, name, flags | O_CREAT, 0644, NULL, &f));
	return f;
}

static u8 *buffer(u64 len)
{
	u8 *buf = aligned_alloc(4096, round_up_to(len, 4096));

	if (!buf)
		sim_fail("no memory");
	return buf;
}

s64 race_write(struct uext4_file *f, u64 pos, u64 len, u8 value, unsigned rwf)
{
	u8 *buf = buffer(len);
	struct iovec iov = {buf, len};
	s64 n;

	memset(buf, value, len);
	n = uext4_pwritev2(f, &iov, 1, pos, rwf);
	free(buf);
	return n;
}

void race_put(struct uext4_file *f, u64 pos, u64 len, u8 value)
{
	s64 n = race_write(f, pos, len, value, 0);

	if (n != (s64)len)
		sim_fail("a write of %llu bytes gave %lld", (unsigned long long)len, (long long)n);
}

void race_see(struct uext4_file *f, u64 pos, u64 len, u8 value, u8 or)
{
	u8 *buf = buffer(len);
	s64 n = uext4_pread(f, buf, len, pos);

	if (n != (s64)len)
		sim_fail("a read of %llu bytes gave %lld", (unsigned long long)len, (long long)n);
	for (u64 k = 0; k < len; k++)
		if (buf[k] != value && buf[k] != or)
			sim_fail("byte %llu is %02x, not %02x or %02x",
				(unsigned long long)(pos + k), buf[k], value, or);
	free(buf);
}

struct inode *race_inode(struct uext4_file *f)
{
	return to_inode(uext4_file_inode(f));
}

u64 race_size(struct uext4_file *f)
{
	struct uext4_stat st;

	MUST(uext4_stat(uext4_file_inode(f), &st));
	return st.size;
}

u64 race_place(struct uext4_file *f, u64 pos)
{
	struct uext4_extent e;

	EXPECT(uext4_extents(uext4_file_inode(f), pos, &e, 1) == 1 && e.offset <= pos);
	return e.physical + (pos - e.offset);
}

void race_fill(struct race_run *r, const char *name, u8 value)
{
	struct uext4_file *f = race_open(r, name, O_RDWR);
	u64 pos = race_size(f), step = 64 * K;

	for (; step >= K; step /= 4)
		for (s64 n = 1; n > 0; pos += n > 0 ? (u64)n : 0) {
			n = race_write(f, pos, step, value, 0);
			EXPECT(pos < 16 * K * K); /* more than there is */
		}
	uext4_file_close(f);
}

void race_commit(struct race_run *r)
{
	bool flushed;

	MUST(journal_commit_all(r->fs->fs->volume.journal, &flushed));
}

void race_others_run(void)
{
	os_sleep_ns(10 * NSEC_PER_MSEC);
}

void race_fault_after(const char *point, u64 after)
{
	failing.point = point;
	failing.left = after;
}

void race_fault(const char *point)
{
	race_fault_after(point, 0);
}

void race_promise(struct race_run *r, unsigned k)
{
	r->promised[k] = sim_disk_position(r->disk);
}

/* --- for looks --- */

int race_find(struct uext4_fs *fs, const char *name, u8 value, struct race_found *out)
{
	struct uext4_file *f;
	struct uext4_stat st;
	int err = uext4_openat(fs, NULL, name, O_RDONLY, 0, NULL, &f);

	if (err)
		return err;
	out->zeros = out->others = out->at = 0;
	MUST(uext4_stat(uext4_file_inode(f), &st));
	out->size = (s64)st.size;
	EXPECT(st.size <= sizeof(out->data));
	EXPECT(uext4_pread(f, out->data, sizeof(out->data), 0) == out->size);
	uext4_file_close(f);
	for (u64 k = 0; k < st.size; k++) {
		out->zeros += out->data[k] == 0;
		if (out->data[k] && out->data[k] != value && !out->others++)
			out->at = k;
	}
	return 0;
}

bool race_due(const struct race_run *r, unsigned k, const struct explore_state *s)
{
	return r->promised[k] && s->position >= r->promised[k];
}

int race_wrong(struct explore_state *s, const char *what)
{
	snprintf(s->why, sizeof(s->why), "%s", what);
	return -EUCLEAN;
}

/* --- jobs --- */

static void job_main(void *arg)
{
	struct job *j = arg;

	j->fn(j);
	j->done = true;
}

void job_start(struct job *j, const char *name, void (*fn)(struct job *))
{
	j->done = false;
	j->fn = fn;
	MUST(os_thread_create(&j->thread, name, job_main, j));
}

s64 job_join(struct job *j)
{
	os_thread_join(j->thread);
	return j->result;
}

void job_write(struct job *j)
{
	j->result = race_write(j->file, j->pos, j->len, j->value, j->rwf);
}

void job_fsync(struct job *j)
{
	j->result = uext4_fsync(j->file);
}

void job_fdatasync(struct job *j)
{
	j->result = uext4_fdatasync(j->file);
}

void job_sync(struct job *j)
{
	j->result = uext4_sync(j->r->fs);
}

void job_truncate(struct job *j)
{
	j->result = uext4_ftruncate(j->file, j->len);
}

void job_fallocate(struct job *j)
{
	j->result = uext4_fallocate(j->file, j->mode, j->pos, j->len);
}
