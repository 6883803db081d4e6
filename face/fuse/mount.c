/*
 * A mount from beginning to end: open the image, mount, serve, unmount, close.
 *
 * Signals that end the server reach only the thread that waits for the loop: the others, those of
 * the library included, inherit a mask that blocks them.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "../cli/image_lock.h"
#include "direct.h"
#include "options.h"
#include "report.h"
#include "server.h"

/* Someone who just unmounted may still be writing the last blocks. */
enum { BUSY_WAIT_MS = 5000 };

enum { THREADS_DEFAULT = 32 };

static int fail(const char *object, const char *why)
{
	report(UEXT4_LOG_ERROR, "mount: %s: %s", object, why);
	return 1;
}

/* Says what to do when FUSE can't work here. */
static int fuse_check(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno == ENOENT)
		return fail("/dev/fuse",
			"not there; load the module with 'modprobe fuse', or, in a container, "
			"start it with --device /dev/fuse");
	if (errno == EACCES || errno == EPERM)
		return fail("/dev/fuse",
			"you may not open it; as root: 'chmod 666 /dev/fuse', or, in a container, "
			"start it with --device /dev/fuse");
	if (errno == ENODEV || errno == ENXIO)
		return fail("/dev/fuse", "the kernel has no FUSE; load it with 'modprobe fuse'");
	return fail("/dev/fuse", strerror(errno));
}

static int dead_mount(const char *dir)
{
	return fail(dir, "a mount whose server has died is there; run 'uext4 umount' on it first");
}

static int paths_check(const struct mount_options *o)
{
	struct statvfs served;
	struct stat st;

	if (stat(o->image, &st) < 0)
		return fail(o->image, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return fail(o->image, "neither a file nor a block device");
	if (stat(o->dir, &st) < 0)
		return errno == ENOTCONN ? dead_mount(o->dir) : fail(o->dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return fail(o->dir, "not a directory");
	if (statvfs(o->dir, &served) < 0 && errno == ENOTCONN)
		return dead_mount(o->dir);
	return 0;
}

static int open_image(struct server *s, const char *image)
{
	const struct uext4_options *want = &s->options->fs;
	int err;

	image_lock_wait(image, !want->read_only, BUSY_WAIT_MS);
	err = uext4_open(image, want, &s->fs);
	if (err)
		return fail(image, report_reason(err));
	err = uext4_root(s->fs, &s->root);
	if (err) {
		uext4_close(s->fs);
		return fail(image, report_reason(err));
	}
	if (uext4_is_read_only(s->fs) && !want->read_only)
		report(UEXT4_LOG_WARNING, "mount: %s: can't be written; mounted read-only", image);
	return 0;
}

/* Commas and backslashes would end the option. */
static bool pass_fsname(struct mount_options *o, const char *image)
{
	char name[2 * PATH_MAX + 1], *out = name;

	for (; *image && out < name + sizeof(name) - 2; image++) {
		if (*image == ',' || *image == '\\')
			*out++ = '\\';
		*out++ = *image;
	}
	*out = '\0';
	return mount_options_pass(o, "fsname", name);
}

static bool pass_defaults(struct mount_options *o, const struct server *s, const char *image)
{
	bool ok = o->has_fsname || pass_fsname(o, image);

	ok = ok && (o->has_subtype || mount_options_pass(o, "subtype", "uext4"));
	if (!o->fakeroot)
		ok = ok && mount_options_pass(o, "default_permissions", NULL);
	if (uext4_is_read_only(s->fs))
		ok = ok && mount_options_pass(o, "ro", NULL);
	if (o->fs.atime == UEXT4_NOATIME)
		ok = ok && mount_options_pass(o, "noatime", NULL);
	if (o->debug)
		ok = ok && fuse_opt_add_arg(&o->fuse, "-d") == 0;
	return ok;
}

static void signals_block(bool block)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int loop(struct server *s)
{
	const struct mount_options *o = s->options;
	struct fuse_loop_config *config;
	int err;

	if (o->single_thread)
		return fuse_session_loop(s->session);
	config = fuse_loop_cfg_create();
	if (!config)
		return -ENOMEM;
	fuse_loop_cfg_set_clone_fd(config, o->clone_fd);
	fuse_loop_cfg_set_max_threads(config, o->max_threads ? o->max_threads : THREADS_DEFAULT);
	s->direct = direct_create(s->fs);
	err = fuse_session_loop_mt(s->session, config);
	direct_destroy(s->direct);
	fuse_loop_cfg_destroy(config);
	return err;
}

/* From the mount to the unmount. An exit code. */
static int serve(struct server *s, const char *dir)
{
	int err, code = 0;

	if (fuse_set_signal_handlers(s->session) < 0)
		return fail(dir, "can't handle signals");
	if (fuse_session_mount(s->session, dir) < 0) {
		fuse_remove_signal_handlers(s->session);
		return fail(dir, "can't be mounted on; ordinary users need fusermount3 "
				 "(package fuse3) and must own the directory");
	}
	/* A clone of the device would be read past the watch. */
	if (!s->options->clone_fd && init_watch(s) < 0)
		report(UEXT4_LOG_WARNING, "mount: %s: direct writes go one at a time", dir);
	background_release(0);
	signals_block(false);
	err = loop(s);
	signals_block(true);
	if (err < 0)
		code = fail(dir, strerror(-err));
	fuse_session_unmount(s->session);
	fuse_remove_signal_handlers(s->session);
	return code;
}

static int close_image(struct server *s, const char *image)
{
	int err;

	handles_close_all(s);
	nodes_forget_all(s);
	uext4_inode_put(s->root);
	if (s->options->stats)
		stats_report(s, image);
	err = uext4_close(s->fs);
	return err ? fail(image, report_reason(err)) : 0;
}

/* The session around serve: libfuse takes its options out of o->fuse. */
static int run_session(struct server *s, struct mount_options *o, const char *image)
{
	char dir[PATH_MAX];
	int code;

	if (!realpath(o->dir, dir))
		return fail(o->dir, strerror(errno));
	if (!pass_defaults(o, s, image))
		return fail(dir, strerror(ENOMEM));
	s->conn_options = fuse_parse_conn_info_opts(&o->fuse);
	if (!s->conn_options)
		return fail(dir, "FUSE does not take its options");
	s->session = fuse_session_new(&o->fuse, &server_ops, sizeof(server_ops), s);
	if (s->session) {
		code = serve(s, dir);
		fuse_session_destroy(s->session);
	} else {
		code = fail(dir, "FUSE does not take its options");
	}
	free(s->conn_options);
	return code;
}

static int run(struct mount_options *o)
{
	struct server *s = aligned_alloc(64, (sizeof(*s) + 63) / 64 * 64);
	char image[PATH_MAX];
	int code, close_code;

	if (!s)
		return fail(o->image, strerror(ENOMEM));
	memset(s, 0, sizeof(*s));
	s->options = o;
	signals_block(true);
	if (nodes_init(s) < 0)
		code = fail(o->image, strerror(ENOMEM));
	else if (!realpath(o->image, image))
		code = fail(o->image, strerror(errno));
	else
		code = open_image(s, image);
	if (!code) {
		code = run_session(s, o, image);
		close_code = close_image(s, image);
		code = code ? code : close_code;
	}
	nodes_fini(s);
	free(s);
	return code;
}

int mount_main(int argc, char **argv, bool helper)
{
	struct mount_options o;
	int code = mount_options_parse(&o, argc, argv, helper), err;

	if (code)
		goto out;
	if (o.help) {
		mount_usage();
		goto out;
	}
	if (o.version) {
		printf("uext4 %s, FUSE library %s\n", uext4_version(), fuse_pkgversion());
		goto out;
	}
	if (o.fake)
		goto out;
	code = paths_check(&o);
	if (!code)
		code = fuse_check();
	if (code)
		goto out;
	if (!o.foreground && !o.debug) {
		err = background_detach();
		if (err)
			code = fail(o.image, strerror(-err));
	}
	if (!code)
		code = run(&o);
	background_release(code);
out:
	mount_options_fini(&o);
	return code;
}
