/* uext4 put. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int copy_init(struct copy *copy, struct cli *cli, const char *what)
{
	copy->cli = cli;
	copy->root = geteuid() == 0;
	copy->buf = malloc(COPY_BYTES);
	progress_start(&copy->progress, what);
	return copy->buf ? 0 : -ENOMEM;
}

static bool put_option(void *arg, int letter, const char *value)
{
	struct copy *copy = arg;

	if (letter == 'o')
		return owner_parse(value, &copy->owner);
	copy->recursive = true;
	return true;
}

static void put_stdin(struct copy *copy, const char *path)
{
	struct cli *cli = copy->cli;
	struct uext4_setattr set = {.valid = (copy->owner.set_uid ? UEXT4_SET_UID : 0) |
					     (copy->owner.set_gid ? UEXT4_SET_GID : 0),
		.uid = copy->owner.uid,
		.gid = copy->owner.gid};
	struct uext4_file *file = NULL;
	int err =
		uext4_openat(cli->fs, NULL, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, NULL, &file);

	if (!err && set.valid)
		err = uext4_setattr(uext4_file_inode(file), NULL, &set);
	if (!err)
		err = put_data(copy, STDIN_FILENO, uext4_file_inode(file));
	uext4_file_close(file);
	if (err)
		cli_fail(cli, path, err);
}

/*
 * Copies one operand to the entry that path names. A link that is given by name is followed unless
 * whole trees are copied.
 */
static void put_as(struct copy *copy, const char *source, const char *path)
{
	struct uext4_inode *dir;
	char name[256];
	char *real;

	if (!strcmp(source, "-")) {
		put_stdin(copy, path);
		return;
	}
	if (cli_resolve_parent(copy->cli, path, &dir, name))
		return;
	real = copy->recursive ? NULL : realpath(source, NULL);
	put_entry(copy, AT_FDCWD, real ? real : source, source, dir, name);
	free(real);
	uext4_inode_put(dir);
}

/* "SOURCE/." has no name of its own: its contents go right into the directory. */
static void put_contents(struct copy *copy, const char *source, const char *path)
{
	int fd = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct uext4_inode *dir;

	if (fd < 0) {
		cli_fail(copy->cli, source, -errno);
		return;
	}
	if (!cli_resolve(copy->cli, path, 0, &dir)) {
		put_entry(copy, fd, ".", source, dir, ".");
		uext4_inode_put(dir);
	}
	close(fd);
}

static void put_into(struct copy *copy, const char *source, const char *dir)
{
	char name[256];
	char *path;

	path_base(source, name, sizeof(name));
	if (!name[0]) {
		put_contents(copy, source, dir);
		return;
	}
	path = path_join(dir, name);
	if (path)
		put_as(copy, source, path);
	else
		cli_fail(copy->cli, source, -ENOMEM);
	free(path);
}

static void release(void *inode)
{
	uext4_inode_put(inode);
}

int cmd_put(struct cli *cli, int argc, char **argv)
{
	static const struct option long_options[] = {{"owner", required_argument, NULL, 'o'}, {0}};
	struct copy copy = {0};
	struct uext4_stat st;
	const char *to;
	bool into;
	int code = cli_options(cli, argc, argv, "ro:", long_options, put_option, &copy);

	if (code < 0 && copy_init(&copy, cli, "put") < 0)
		code = cli_fail(cli, "memory", -ENOMEM);
	if (code < 0)
		code = cli_open(cli, true, 3, 0);
	if (code >= 0)
		goto out;
	to = cli->argv[cli->argc - 1];
	into = !uext4_statat(cli->fs, NULL, to, 0, NULL, &st) && S_ISDIR(st.mode);
	if (!into && cli->argc > 2)
		cli_fail(cli, to, -ENOTDIR);
	for (int k = 0; k < cli->argc - 1 && (into || cli->argc == 2); k++) {
		if (into)
			put_into(&copy, cli->argv[k], to);
		else
			put_as(&copy, cli->argv[k], to);
	}
	progress_end(&copy.progress);
	links_fini(&copy.links, release);
	code = cli_close(cli);
out:
	free(copy.buf);
	return code;
}
