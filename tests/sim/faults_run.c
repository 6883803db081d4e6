/* One call, again and again, while one thing after the other fails; and what is left of it. */
#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/open_dev.h"
#include "base/trace.h"
#include "base/util.h"
#include "disk/super_format.h"
#include "sim/disk/failing.h"
#include "sim/explore/recover.h"

enum { NTH_MAX = 3000, FSCK_EVERY = 97 };

struct trial {
	const struct call *call;
	struct failing failing; /* nth 0: nothing fails */
	bool skip;		/* the call, to see what is there before it */
	u64 hits;
	s64 expected; /* the result when nothing fails */
	s64 result;
	bool stopped; /* the file system, after it */
	struct stage stage;
	struct sim_disk *disk;
	struct shot *seen; /* when nothing fails: what is there afterwards */
};

/* What may be found. */
static struct shot base, before, after, got;

/* --- the stage --- */

static void note(void *arg, enum uext4_log_level level, const char *message)
{
	struct stage *s = arg;

	if (getenv("UEXT4_SIM_LOG"))
		fprintf(stderr, "log %d: %s\n", level, message);
	if (level == UEXT4_LOG_ERROR && !s->error[0])
		snprintf(s->error, sizeof(s->error), "%s", message);
	s->lost |= level == UEXT4_LOG_ERROR && strstr(message, "is lost");
}

struct uext4_options fault_options(struct stage *s)
{
	/* Else a write error of new data shows what was there before, as in Linux (JB-21). */
	return (struct uext4_options){.size = sizeof(struct uext4_options),
		.commit_interval_ms = 3600000,
		.cache_bytes = 4 << 20,
		.data_err_abort = true,
		.log = note,
		.log_arg = s};
}

static void must(s64 err, const char *what)
{
	if (err < 0)
		sim_fail("%s: %s", what, strerror((int)-err));
}

static void handles_get(struct stage *s)
{
	must(uext4_root(s->fs, &s->root), "root");
	must(uext4_resolve(s->fs, NULL, "/dir", 0, NULL, &s->dir), "dir");
	must(uext4_resolve(s->fs, NULL, "/acl", 0, NULL, &s->acl), "acl");
	must(uext4_resolve(s->fs, NULL, "/long", UEXT4_NOFOLLOW, NULL, &s->link), "link");
	must(uext4_openat(s->fs, NULL, "/file", O_RDWR, 0, NULL, &s->file), "file");
	must(uext4_openat(s->fs, NULL, "/other", O_RDWR, 0, NULL, &s->other), "other");
	must(uext4_openat(s->fs, NULL, "/direct", O_RDWR | O_DIRECT, 0, NULL, &s->direct),
		"direct");
}

static void handles_put(struct stage *s)
{
	struct uext4_inode **inodes[] = {&s->root, &s->dir, &s->acl, &s->link, &s->made};
	struct uext4_file **files[] = {&s->file, &s->other, &s->direct, &s->opened};

	uext4_queue_destroy(s->queue);
	s->queue = NULL;
	for (unsigned k = 0; k < array_len(files); k++) {
		uext4_file_close(*files[k]);
		*files[k] = NULL;
	}
	for (unsigned k = 0; k < array_len(inodes); k++) {
		uext4_inode_put(*inodes[k]);
		*inodes[k] = NULL;
	}
}

static void stage_set(struct trial *t)
{
	struct stage *s = &t->stage;
	struct uext4_options o = fault_options(s);
	struct dev *dev;

	must(dev_fault_create(sim_disk_dev(t->disk), false, &s->fault), "fault device");
	if (t->call->flags & CALL_OPENS)
		return;
	/* The mount owns what it closes; the faults are asked about later. */
	must(dev_partition_create(s->fault, true, 0, 0, &dev), "device");
	must(api_open_dev(dev, &o, &s->fs), "mount");
	handles_get(s);
	if (t->call->prepare)
		t->call->prepare(s, t->call);
	if (t->call->flags & CALL_CLOSES)
		handles_put(s);
}

/* --- judging --- */

static const char *judge_whole(const struct shot *const *legal, unsigned count)
{
	const char *wrong = NULL;

	for (unsigned k = 0; k < count; k++) {
		wrong = shot_differs(&got, &legal[k], 1, false);
		if (!wrong)
			return NULL;
	}
	return wrong;
}

/* NULL, or why what was got may not be. lost: what was not synced may be gone, as was told. */
static const char *judge(const struct trial *t, bool lost)
{
	const struct shot *const all[] = {&after, &before, &base};
	unsigned flags = t->call->flags;
	bool done = t->result == t->expected && !(flags & CALL_SILENT && t->hits);

	if (done && (!lost || flags & CALL_SYNCS))
		return shot_differs(&got, all, 1, false);
	if (flags & CALL_WHOLE)
		return lost ? judge_whole(all, 3) : judge_whole(all + 1, 1);
	return shot_differs(&got, all, lost ? 3 : 2, t->stage.lost || flags & CALL_ZEROS);
}

static bool result_is_legal(const struct trial *t)
{
	if (t->result == t->expected)
		return true;
	if (t->result >= 0)
		return t->expected > 0 && t->result < t->expected;
	if (t->failing.kind == FAIL_MEMORY && t->result == -ENOMEM)
		return true;
	return t->result == -EIO || t->result == -EROFS;
}

/* It still works. */
static int try_it(struct uext4_fs *fs)
{
	static const char data[3000] = "x";
	struct uext4_file *f;
	int err = uext4_openat(fs, NULL, "tried", O_RDWR | O_CREAT | O_EXCL, 0644, NULL, &f);
	ssize_t n;

	if (err)
		return err;
	n = uext4_pwrite(f, data, sizeof(data), 0);
	err = n < 0 ? (int)n : uext4_fsync(f);
	uext4_file_close(f);
	return err ? err : uext4_unlinkat(fs, NULL, "tried", 0, NULL);
}

static void look_live(struct trial *t)
{
	struct uext4_fs *fs = t->stage.fs;
	const char *wrong;

	if (uext4_is_read_only(fs) && uext4_remount(fs, false))
		t->stopped = true;
	if (t->stopped) {
		if (try_it(fs) == 0)
			sim_fail("it goes on after it has stopped");
		return;
	}
	must(shot_take(fs, &got), "looking at it");
	if (t->seen)
		*t->seen = got;
	wrong = t->seen ? NULL : judge(t, t->stage.lost);
	if (wrong)
		sim_fail("%s", wrong);
	must(try_it(fs), "trying it");
	if (t->stage.error[0] && t->failing.kind == FAIL_MEMORY)
		sim_fail("an error without an end: %s", t->stage.error);
}

static void play(void *arg)
{
	struct trial *t = arg;
	struct stage *s = &t->stage;
	int err = 0;

	stage_set(t);
	if (t->failing.nth)
		must(failing_arm(&t->failing, s->fault), "fault rule");
	t->result = t->skip ? 0 : t->call->run(s, t->call);
	t->hits = failing_disarm(&t->failing, s->fault);
	if (t->failing.nth && !result_is_legal(t))
		sim_fail("it gave %lld, not %lld", (long long)t->result, (long long)t->expected);
	t->stopped = t->call->flags & CALL_STOPS && !t->skip;
	if (s->fs)
		look_live(t);
	else
		t->stopped = t->result < 0;
	handles_put(s);
	if (s->fs)
		err = uext4_close(s->fs);
	if (err == -EBUSY || (err && !t->stopped && !s->lost))
		sim_fail("unmount gave %d", err);
	dev_close(s->fault);
}

/* --- afterwards --- */

static int look_again(void *arg, struct uext4_fs *fs, struct explore_state *state)
{
	const struct trial *t = arg;
	const char *wrong;
	int err = shot_take(fs, &got);

	if (!err && t->seen) {
		*t->seen = got;
		return 0;
	}
	wrong = err ? strerror(-err) : judge(t, t->stopped || t->stage.lost);
	if (wrong)
		snprintf(state->why, sizeof(state->why), "recovered: %s", wrong);
	return wrong ? -EUCLEAN : 0;
}

/* A mount does not finish deletions on what has errors; e2fsck has to come first (OR-5). */
static bool has_errors(struct sim_disk *disk)
{
	struct ext4_super super;

	sim_pages_read(sim_disk_pages(disk), 1024, &super, sizeof(super));
	return le16_to_cpu(super.s_state) & EXT4_STATE_ERROR;
}

/* OC-2: e2fsck has nothing to say, once -fy has forgotten the errors; but offers (OC-5). */
static bool e2fsck(const struct trial *t, bool forget)
{
	char path[] = "/tmp/uext4-faults-XXXXXX", fix[60], command[300];
	int fd = mkstemp(path), status;

	close(fd);
	snprintf(fix, sizeof(fix), "e2fsck -fy %s", path);
	status = sim_pages_store(sim_disk_pages(t->disk), path);
	snprintf(command, sizeof(command),
		"%s >/dev/null 2>&1; test $? -lt 2 || exit; out=$(e2fsck -fn %s 2>&1) && "
		"! echo \"$out\" | grep -vE 'Optimize[?] no' | "
		"grep -E '[?] no|WARNING|differences|wrong'",
		forget ? fix : ":", path);
	if (!status)
		status = system(command);
	unlink(path);
	return status == 0;
}

/* A mount's shot of what is left, then the checker. */
static int recover(struct trial *t, struct explore_state *state)
{
	struct explore_fs look = {.look = look_again, .arg = t};
	int err = explore_fs_ops.recover(&look, t->disk, state);

	if (t->stopped)
		look.no_check = has_errors(t->disk);
	return err ? err : explore_fs_ops.check(&look, t->disk, state);
}

static void host_fill(struct trial *t, char *path, const struct sim_pages *image)
{
	int fd = mkstemp(path);

	if (fd < 0 || sim_pages_store(image, path))
		exit(1);
	close(fd);
	t->stage.host = path;
}

/* The device was the file; now it is the disk. */
static void host_drain(struct trial *t)
{
	struct sim_pages image;

	if (sim_pages_load(&image, t->stage.host))
		exit(1);
	unlink(t->stage.host);
	sim_disk_destroy(t->disk);
	t->disk = sim_disk_create(&image, NULL);
	sim_pages_fini(&image);
}

static void say(const struct trial *t, const char *what)
{
	printf("# %s (%s), %s %llu%s: gave %lld%s, %s: %s\n", t->call->function, t->call->variant,
		fail_kind_names[t->failing.kind], (unsigned long long)t->failing.nth,
		t->failing.for_ever ? " on" : "", (long long)t->result,
		t->stopped ? " and stopped" : "", t->stage.error, what);
}

/* False, and a word, if something is wrong. */
static bool run(struct trial *t)
{
	const struct sim_pages *image =
		t->call->flags & CALL_UNCLEAN ? &fault_unclean : &fault_clean;
	struct sim_config config = {.seed = 1, .quiet = true, .steps_max = 2000000};
	char path[] = "/tmp/uext4-faults-XXXXXX";
	static struct sim_report report;
	static u64 runs;
	struct explore_state state = {0};
	bool good;

	t->stage = (struct stage){0};
	t->hits = 0;
	t->stopped = false;
	t->disk = sim_disk_create(image, &(struct sim_disk_params){.choose = sim_choose});
	if (t->call->flags & CALL_HOST)
		host_fill(t, path, image);
	good = sim_run(&config, play, t, &report) == 0;
	if (!good)
		say(t, report.text);
	sim_report_fini(&report);
	if (t->stage.host)
		host_drain(t);
	if (!good)
		return false;
	good = recover(t, &state) == 0;
	if (!good)
		say(t, state.why);
	if (good && (t->failing.nth == 0 || ++runs % FSCK_EVERY == 0))
		good = e2fsck(t, has_errors(t->disk));
	sim_disk_destroy(t->disk);
	return good;
}

/* What there is before and after the call, and what it gives, when nothing fails. */
static bool run_well(const struct call *c, s64 *expected)
{
	static const struct call nothing = CALL("", "nothing", NULL, 0);
	struct trial first = {.call = &nothing, .skip = true, .seen = &base};
	struct trial without = {.call = c, .skip = true, .seen = &before};
	struct trial with = {.call = c, .seen = &after};
	bool good;

	good = run(&first) && (c->flags & CALL_QUEUED || run(&without)) && run(&with);
	if (c->flags & CALL_UNCLEAN)
		base = before;
	if (c->flags & CALL_QUEUED)
		before = base;
	*expected = with.result;
	return good;
}

static bool count_to_failure(const struct call *c, unsigned step)
{
	struct trial t = {.call = c};

	if (!run_well(c, &t.expected))
		return false;
	for (unsigned k = 0; k < 2 * FAIL_KINDS; k++) {
		t.failing = (struct failing){.kind = k / 2, .for_ever = k % 2};
		for (t.failing.nth = 1, t.hits = 1; t.hits; t.failing.nth += step)
			if (t.failing.nth > NTH_MAX || !run(&t))
				return false;
	}
	return true;
}

/* In a process of its own: a run that fails leaves its world broken. */
bool fault_passes(const struct call *c, unsigned step)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	fault_hook = failing_hook;
	pid = fork();
	if (pid == 0)
		exit(count_to_failure(c, step) ? 0 : 1); /* sanitizers look for leaks at its end */
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}
