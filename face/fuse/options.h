/* What a mount is asked to do: the options of mount(8), ext4(5) and FUSE. */
#ifndef FACE_FUSE_OPTIONS_H
#define FACE_FUSE_OPTIONS_H

#include <fuse_opt.h>
#include <uext4.h>

struct mount_options {
	const char *image, *dir;
	struct uext4_options fs;
	struct fuse_args fuse; /* what libfuse is to interpret */
	bool helper;	       /* called by mount(8) */
	bool sloppy, fake;     /* helper only: ignore unknown options; do nothing */
	bool foreground, debug, single_thread, help, version;
	bool set_uid, set_gid; /* shown owners */
	uint32_t uid, gid;
	bool fakeroot; /* no permission checks at all */
	bool clone_fd;
	bool stats; /* told at the end */
	unsigned max_threads;
	bool has_fsname, has_subtype;
	char journal_path[4096];
};

/* 0, or an exit code after a message. */
int mount_options_parse(struct mount_options *o, int argc, char **argv, bool helper);
void mount_options_fini(struct mount_options *o);
void mount_usage(void);

/* Adds NAME or NAME=VALUE to what libfuse gets; false without memory. */
bool mount_options_pass(struct mount_options *o, const char *name, const char *value);

#endif
