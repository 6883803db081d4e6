/* uext4/fs.h: opening, closing, asking. */
#include "api/api_priv.h"
#include "base/err.h"
#include "dev/devices.h"
#include "disk/features.h"
#include "os/mem.h"

#include <string.h>

#define UEXT4_VERSION "0.1.0"

const char *uext4_version(void)
{
	return UEXT4_VERSION;
}

static void log_forward(void *arg, enum log_level level, const char *message)
{
	struct uext4_fs *fs = arg;

	if (fs->log)
		fs->log(fs->log_arg, (enum uext4_log_level)level, message);
}

/* Callers built against an older, shorter struct leave the tail zero. */
static int options_normalise(const struct uext4_options *opt, struct uext4_options *out)
{
	*out = (struct uext4_options){.size = sizeof(*out)};
	if (!opt)
		return 0;
	if (opt->size == 0 || opt->size > sizeof(*out))
		return ERR(EINVAL);
	memcpy(out, opt, opt->size);
	out->size = sizeof(*out);
	return 0;
}

static struct fs_options options_for_mount(const struct uext4_options *o, struct log_sink log)
{
	return (struct fs_options){
		.read_only = o->read_only || o->superblock,
		.no_recovery = o->no_recovery,
		.no_barrier = o->no_barrier,
		.data_err_abort = o->data_err_abort,
		.no_acl = o->no_acl,
		.no_user_xattr = o->no_user_xattr,
		.grpid = o->grpid,
		.nodiratime = o->nodiratime,
		.discard = o->discard,
		.nodelalloc = o->nodelalloc,
		.noinit_itable = o->noinit_itable,
		.errors = (enum fs_errors)o->errors,
		.atime = (enum fs_atime)o->atime,
		.superblock = o->superblock,
		.commit_interval_ms = o->commit_interval_ms,
		.cache_bytes = o->cache_bytes,
		.log = log,
	};
}

static int file_device_open(const char *path, const struct uext4_options *o, bool read_only,
	const struct log_sink *log, struct dev **out)
{
	struct dev_file_options opt = {
		.read_only = read_only,
		.no_direct = o->no_direct_io,
		.no_uring = o->no_io_uring,
		.log = log,
	};

	return dev_file_open(path, &opt, out);
}

static int window_apply(struct dev **dev, const struct uext4_options *o)
{
	struct dev *part;
	int err;

	if (o->offset == 0 && o->length == 0)
		return 0;
	err = dev_partition_create(*dev, false, o->offset, o->length, &part);
	if (err)
		return err;
	*dev = part;
	return 0;
}

/* Takes dev in every case. */
static int mount_on(struct uext4_fs *fs, struct dev *dev, const struct uext4_options *o)
{
	struct fs_options mo = options_for_mount(o, (struct log_sink){log_forward, fs});
	int err = window_apply(&dev, o);

	if (err)
		goto out_dev;
	if (o->journal_path) {
		err = file_device_open(o->journal_path, o, o->read_only, &mo.log, &mo.journal_dev);
		if (err)
			goto out_dev;
	}
	err = fs_mount(dev, &mo, &fs->fs);
	if (!err)
		return 0;
	dev_close(mo.journal_dev);
out_dev:
	dev_close(dev);
	return err;
}

static int fs_alloc(const struct uext4_options *o, const char *path, struct uext4_fs **out)
{
	struct uext4_fs *fs = os_zalloc(sizeof(*fs));

	if (!fs)
		return ERR(ENOMEM);
	fs->log = o->log;
	fs->log_arg = o->log_arg;
	if (path) {
		fs->path = os_strdup(path);
		if (!fs->path) {
			os_free(fs);
			return ERR(ENOMEM);
		}
	}
	*out = fs;
	return 0;
}

static void fs_free(struct uext4_fs *fs)
{
	os_free(fs->path);
	os_free(fs);
}

static int open_end(struct uext4_fs *fs, int err, struct uext4_fs **out)
{
	if (err)
		fs_free(fs);
	else
		*out = fs;
	return err;
}

static bool means_unwritable(int err)
{
	return err == -EROFS || err == -EACCES || err == -EPERM;
}

int uext4_open(const char *path, const struct uext4_options *opt, struct uext4_fs **out)
{
	struct uext4_options o;
	struct uext4_fs *fs;
	struct log_sink log;
	struct dev *dev;
	int err = options_normalise(opt, &o);

	if (err)
		return err;
	err = fs_alloc(&o, path, &fs);
	if (err)
		return err;
	log = (struct log_sink){log_forward, fs};
	err = file_device_open(path, &o, o.read_only, &log, &dev);
	if (means_unwritable(err) && !o.read_only && o.read_only_fallback) {
		log_msg(&log, LOG_WARNING, "%s: can't be written, opening it read-only", path);
		o.read_only = true;
		err = file_device_open(path, &o, true, &log, &dev);
	}
	if (!err)
		err = mount_on(fs, dev, &o);
	return open_end(fs, err, out);
}

int uext4_open_device(const struct uext4_device_ops *ops, void *arg,
	const struct uext4_options *opt, struct uext4_fs **out)
{
	struct uext4_options o;
	struct dev_user_ops dev_ops;
	struct uext4_fs *fs;
	struct dev *dev;
	int err = options_normalise(opt, &o);

	if (err)
		return err;
	if (ops->size != sizeof(*ops) || !ops->read || (!ops->read_only && !ops->write))
		return ERR(EINVAL);
	err = fs_alloc(&o, NULL, &fs);
	if (err)
		return err;
	dev_ops = (struct dev_user_ops){
		.read = ops->read,
		.write = ops->write,
		.flush = ops->flush,
		.discard = ops->discard,
		.size = ops->device_bytes,
		.block_size = ops->block_size,
		.read_only = ops->read_only,
	};
	o.read_only |= ops->read_only;
	err = dev_user_create(&dev_ops, arg, &dev);
	if (!err)
		err = mount_on(fs, dev, &o);
	return open_end(fs, err, out);
}

int api_open_dev(struct dev *dev, const struct uext4_options *opt, struct uext4_fs **out)
{
	struct uext4_options o;
	struct uext4_fs *fs;
	int err = options_normalise(opt, &o);

	if (!err)
		err = fs_alloc(&o, NULL, &fs);
	if (err) {
		dev_close(dev);
		return err;
	}
	return open_end(fs, mount_on(fs, dev, &o), out);
}

int uext4_close(struct uext4_fs *fs)
{
	int err = atomic_load_acq(&fs->queues) ? ERR(EBUSY) : fs_unmount(fs->fs);

	if (err != -EBUSY)
		fs_free(fs);
	return err;
}

bool uext4_is_read_only(const struct uext4_fs *fs)
{
	return volume_check_write(&fs->fs->volume) != 0;
}

int uext4_remount(struct uext4_fs *fs, bool read_only)
{
	return fs_remount(fs->fs, read_only);
}

int uext4_sync(struct uext4_fs *fs)
{
	return fs_sync(fs->fs);
}

int uext4_trim(
	struct uext4_fs *fs, uint64_t offset, uint64_t len, uint64_t min_len, uint64_t *trimmed)
{
	return fs_trim(fs->fs, offset, len, min_len, trimmed);
}

int uext4_shutdown(struct uext4_fs *fs, enum uext4_shutdown how)
{
	return fs_shutdown(fs->fs, (enum fs_shutdown)how);
}

int uext4_statfs(struct uext4_fs *fs, struct uext4_statfs *out)
{
	const struct super_info *sb = &fs->fs->volume.sb;
	struct fs_counts c;
	int err = volume_check(&fs->fs->volume);

	if (err)
		return err;
	fs_statfs(fs->fs, &c);
	*out = (struct uext4_statfs){
		.blocks = c.blocks,
		.blocks_free = c.free_blocks,
		.blocks_available = c.available_blocks,
		.inodes = c.inodes,
		.inodes_free = c.free_inodes,
		.block_size = sb->block_size,
		.name_max = 255,
	};
	for (unsigned i = 0; i < 16; i++)
		out->fsid ^= (u64)sb->uuid[i] << (8 * (i % 8));
	return 0;
}

const char *uext4_feature_name(int word, uint32_t bit)
{
	return feature_name(word, bit);
}
