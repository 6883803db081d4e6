/* uext4/check.h. */
#include <uext4/check.h>

#include "base/err.h"
#include "check/check.h"
#include "dev/devices.h"

#include <string.h>

struct call {
	struct uext4_check_options o;
	struct log_sink log;
};

static void log_forward(void *arg, enum log_level level, const char *message)
{
	const struct call *call = arg;

	if (call->o.log)
		call->o.log(call->o.log_arg, (enum uext4_log_level)level, message);
}

static void problem_forward(void *arg, const struct check_problem *p)
{
	const struct call *call = arg;
	const struct uext4_check_problem out = {
		.kind = check_kind_name(p->kind),
		.note = p->note,
		.inode = p->ino,
		.block = p->pblk,
		.path = p->path,
		.text = p->text,
		.advice = p->advice,
	};

	call->o.problem(call->o.arg, &out);
}

static void progress_forward(void *arg, const char *step, u64 done, u64 total)
{
	const struct call *call = arg;

	call->o.progress(call->o.arg, step, done, total);
}

/* Callers built against an older, shorter struct leave the tail zero. */
static int call_init(struct call *call, const struct uext4_check_options *opt)
{
	*call = (struct call){.log = {log_forward, call}};
	if (!opt)
		return 0;
	if (opt->size == 0 || opt->size > sizeof(call->o))
		return ERR(EINVAL);
	memcpy(&call->o, opt, opt->size);
	return 0;
}

static int file_open(struct call *call, const char *path, struct dev **out)
{
	const struct dev_file_options opt = {
		.read_only = true, .no_direct = call->o.no_direct_io, .log = &call->log};

	return dev_file_open(path, &opt, out);
}

static int check_window(struct call *call, struct dev *dev, struct dev *journal_dev,
	struct uext4_check_result *result)
{
	const struct check_options opt = {
		.problem = call->o.problem ? problem_forward : NULL,
		.progress = call->o.progress ? progress_forward : NULL,
		.arg = call,
		.paths = call->o.paths,
		.threads = call->o.threads,
		.max_memory = call->o.max_memory,
		.journal_dev = journal_dev,
		.log = &call->log,
	};
	struct check_result r;
	int err = check_device(dev, &opt, &r);

	*result = (struct uext4_check_result){
		.problems = r.problems,
		.notes = r.notes,
		.unclean = r.unclean,
		.replayed = r.replayed,
		.incomplete = r.incomplete,
		.orphans = r.orphans,
		.inodes = r.inodes_total,
		.inodes_used = r.inodes_used,
		.blocks = r.blocks_total,
		.blocks_used = r.blocks_used,
		.directories = r.directories,
		.files = r.files,
		.symlinks = r.links,
		.others = r.others,
		.memory = r.memory,
	};
	return err;
}

/* Takes dev in every case. */
static int check_on(struct call *call, struct dev *dev, struct uext4_check_result *result)
{
	struct dev *journal_dev = NULL, *part;
	int err = 0;

	if (call->o.offset || call->o.length) {
		err = dev_partition_create(dev, false, call->o.offset, call->o.length, &part);
		if (err)
			goto out;
		dev = part;
	}
	if (call->o.journal_path)
		err = file_open(call, call->o.journal_path, &journal_dev);
	if (!err)
		err = check_window(call, dev, journal_dev, result);
	dev_close(journal_dev);
out:
	dev_close(dev);
	return err;
}

int uext4_check(
	const char *path, const struct uext4_check_options *opt, struct uext4_check_result *result)
{
	struct call call;
	struct dev *dev;
	int err = call_init(&call, opt);

	*result = (struct uext4_check_result){0};
	if (!err)
		err = file_open(&call, path, &dev);
	return err ? err : check_on(&call, dev, result);
}

int uext4_check_device(const struct uext4_device_ops *ops, void *arg,
	const struct uext4_check_options *opt, struct uext4_check_result *result)
{
	const struct dev_user_ops dev_ops = {
		.read = ops->read,
		.size = ops->device_bytes,
		.block_size = ops->block_size,
		.read_only = true,
	};
	struct call call;
	struct dev *dev;
	int err = call_init(&call, opt);

	*result = (struct uext4_check_result){0};
	if (!err && (ops->size != sizeof(*ops) || !ops->read))
		err = ERR(EINVAL);
	if (!err)
		err = dev_user_create(&dev_ops, arg, &dev);
	return err ? err : check_on(&call, dev, result);
}
