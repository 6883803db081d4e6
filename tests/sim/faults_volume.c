/* Count to failure: opening, closing, checking, and what concerns all of a file system. */
#include "faults.h"

#include <stdio.h>

#include "base/util.h"

/* --- a device of the caller's --- */

static int host_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	return dev_read(arg, offset, buf, len);
}

static int host_write(void *arg, uint64_t offset, const void *buf, size_t len)
{
	return dev_write(arg, offset, buf, len, 0);
}

static int host_flush(void *arg)
{
	return dev_flush(arg);
}

static int host_discard(void *arg, uint64_t offset, uint64_t len)
{
	return dev_discard(arg, offset, len);
}

static struct uext4_device_ops device(struct stage *s)
{
	return (struct uext4_device_ops){.size = sizeof(struct uext4_device_ops),
		.read = host_read,
		.write = host_write,
		.flush = host_flush,
		.discard = host_discard,
		.device_bytes = s->fault->info.size,
		.block_size = s->fault->info.block_size};
}

/* --- opening and closing --- */

static s64 run_open_device(struct stage *s, const struct call *c)
{
	struct uext4_options o = fault_options(s);

	o.read_only = c->mode;
	s->ops = device(s);
	return uext4_open_device(&s->ops, s->fault, &o, &s->fs);
}

static s64 run_open_path(struct stage *s, const struct call *c)
{
	struct uext4_options o = fault_options(s);

	o.read_only = c->mode;
	o.no_direct_io = true;
	return uext4_open(s->host, &o, &s->fs);
}

static void change(struct stage *s, const struct call *c)
{
	char buf[6 * K];

	memset(buf, 'n', sizeof(buf));
	if (uext4_pwrite(s->file, buf, sizeof(buf), 3 * K) != sizeof(buf) ||
		uext4_mkdirat(s->fs, NULL, "/dir/before", 0755, NULL) ||
		uext4_unlinkat(s->fs, NULL, "/dir/sub/deep", 0, NULL))
		sim_fail("nothing to write");
}

static s64 run_close(struct stage *s, const struct call *c)
{
	int err = uext4_close(s->fs);

	if (err != -EBUSY)
		s->fs = NULL;
	return err;
}

static s64 run_remount(struct stage *s, const struct call *c)
{
	return uext4_remount(s->fs, c->mode);
}

static void make_read_only(struct stage *s, const struct call *c)
{
	change(s, c);
	if (uext4_remount(s->fs, true))
		sim_fail("it can't be made read-only");
}

static s64 run_sync(struct stage *s, const struct call *c)
{
	return uext4_sync(s->fs);
}

static s64 run_trim(struct stage *s, const struct call *c)
{
	uint64_t bytes;

	return uext4_trim(s->fs, 0, 1 << 30, 0, &bytes);
}

static s64 run_shutdown(struct stage *s, const struct call *c)
{
	return uext4_shutdown(s->fs, (enum uext4_shutdown)c->mode);
}

/* --- asking --- */

static s64 run_statfs(struct stage *s, const struct call *c)
{
	struct uext4_statfs st;

	return uext4_statfs(s->fs, &st);
}

static s64 run_info(struct stage *s, const struct call *c)
{
	struct uext4_info info;

	return uext4_info(s->fs, &info);
}

static s64 run_stats(struct stage *s, const struct call *c)
{
	struct uext4_stats stats;

	return uext4_stats(s->fs, &stats);
}

/* Nothing is wrong: what it can't read it must not take for damage. */
static void hear(void *arg, const struct uext4_check_problem *p)
{
	if (!p->note && strcmp(p->kind, "read") != 0)
		sim_fail("cried wolf: %s: inode %llu, block %llu: %s", p->kind,
			(unsigned long long)p->inode, (unsigned long long)p->block, p->text);
}

static s64 verdict(int err, const struct uext4_check_result *r)
{
	if (!err && (r->problems != 0) != r->incomplete)
		sim_fail("%llu problems, and %s", (unsigned long long)r->problems,
			r->incomplete ? "incomplete" : "complete");
	return err || !r->incomplete ? err : -EIO;
}

static s64 run_check_device(struct stage *s, const struct call *c)
{
	struct uext4_check_options o = {.size = sizeof(o), .problem = hear, .paths = true};
	struct uext4_device_ops ops = device(s);
	struct uext4_check_result r = {0};

	return verdict(uext4_check_device(&ops, s->fault, &o, &r), &r);
}

static s64 run_check_path(struct stage *s, const struct call *c)
{
	struct uext4_check_options o = {.size = sizeof(o), .problem = hear, .no_direct_io = true};
	struct uext4_check_result r = {0};

	return verdict(uext4_check(s->host, &o, &r), &r);
}

const struct call faults_volume[] = {
	CALL("uext4_open", "", run_open_path, CALL_OPENS | CALL_HOST),
	CALL("uext4_open", "after a crash", run_open_path, CALL_OPENS | CALL_HOST | CALL_UNCLEAN),
	CALL("uext4_open", "after a crash, read-only", run_open_path,
		CALL_OPENS | CALL_HOST | CALL_UNCLEAN, .mode = true),
	CALL("uext4_open_device", "", run_open_device, CALL_OPENS),
	CALL("uext4_open_device", "after a crash", run_open_device, CALL_OPENS | CALL_UNCLEAN),
	CALL("uext4_open_device", "after a crash, read-only", run_open_device,
		CALL_OPENS | CALL_UNCLEAN, .mode = true),
	CALL("uext4_close", "", run_close, CALL_CLOSES | CALL_SYNCS, .prepare = change),
	CALL("uext4_remount", "read-only", run_remount, CALL_SYNCS, .prepare = change,
		.mode = true),
	CALL("uext4_remount", "read-write", run_remount, 0, .prepare = make_read_only),
	CALL("uext4_sync", "", run_sync, CALL_SYNCS, .prepare = change),
	CALL("uext4_trim", "", run_trim, CALL_READS, .prepare = change),
	CALL("uext4_shutdown", "after a sync", run_shutdown, CALL_SYNCS | CALL_STOPS,
		.prepare = change, .mode = UEXT4_SHUTDOWN_SYNC),
	CALL("uext4_shutdown", "after a commit", run_shutdown, CALL_STOPS, .prepare = change,
		.mode = UEXT4_SHUTDOWN_LOGFLUSH),
	CALL("uext4_shutdown", "at once", run_shutdown, CALL_STOPS, .prepare = change,
		.mode = UEXT4_SHUTDOWN_NOLOGFLUSH),
	CALL("uext4_statfs", "", run_statfs, CALL_READS),
	CALL("uext4_info", "", run_info, CALL_READS),
	CALL("uext4_stats", "", run_stats, CALL_READS),
	CALL("uext4_check", "", run_check_path, CALL_OPENS | CALL_HOST),
	CALL("uext4_check", "after a crash", run_check_path, CALL_OPENS | CALL_HOST | CALL_UNCLEAN),
	CALL("uext4_check_device", "", run_check_device, CALL_OPENS),
	CALL("uext4_check_device", "after a crash", run_check_device, CALL_OPENS | CALL_UNCLEAN),
	{0},
};

const struct no_call faults_none[] = {
	{"uext4_version", "a constant"},
	{"uext4_feature_name", "looks into a constant table"},
	{"uext4_is_read_only", "reads a flag"},
	{"uext4_inode_hold", "counts"},
	{"uext4_inode_number", "reads a number"},
	{"uext4_inode_generation", "reads a number"},
	{"uext4_file_inode", "gives a pointer"},
	{"uext4_queue_is_serial", "reads a flag"},
	{0},
};
