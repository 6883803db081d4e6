/* uext4 rm. */
#include "cli.h"
#include "entries.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct rm {
	bool recursive, force;
};

static bool rm_option(void *arg, int letter, const char *value)
{
	struct rm *rm = arg;

	rm->recursive |= letter == 'r' || letter == 'R';
	rm->force |= letter == 'f';
	return true;
}

static void rm_entry(struct cli *cli, const struct rm *rm, struct uext4_inode *dir,
	const char *name, const char *path);

static void rm_below(
	struct cli *cli, const struct rm *rm, struct uext4_inode *dir, const char *path)
{
	struct entries entries;
	struct level level;
	int err;

	if (!level_enter(cli, &level, dir, path))
		return;
	err = entries_read(dir, false, &entries);
	if (err)
		cli_fail(cli, path, err);
	for (size_t k = 0; k < entries.count; k++) {
		char *below = path_join(path, entries.list[k].name);

		rm_entry(cli, rm, dir, entries.list[k].name, below ? below : path);
		free(below);
	}
	entries_free(&entries);
	level_leave(cli);
}

static void rm_entry(struct cli *cli, const struct rm *rm, struct uext4_inode *dir,
	const char *name, const char *path)
{
	struct uext4_inode *inode = NULL;
	struct uext4_stat st;
	int err = uext4_lookup(dir, NULL, name, &inode);

	if (!err)
		err = uext4_stat(inode, &st);
	if (!err && S_ISDIR(st.mode)) {
		if (rm->recursive)
			rm_below(cli, rm, inode, path);
		err = rm->recursive ? uext4_rmdir(dir, NULL, name) : -EISDIR;
	} else if (!err) {
		err = uext4_unlink(dir, NULL, name);
	}
	uext4_inode_put(inode);
	if (err && !(err == -ENOENT && rm->force))
		cli_fail(cli, path, err);
}

static void rm_path(struct cli *cli, const struct rm *rm, const char *path)
{
	struct uext4_inode *dir;
	char name[256];
	int err = uext4_resolve_parent(cli->fs, NULL, path, NULL, &dir, name);

	if (err == -ENOENT && rm->force)
		return;
	if (err) {
		cli_fail(cli, path, err == -EEXIST ? -EBUSY : err); /* the root */
		return;
	}
	rm_entry(cli, rm, dir, name, path);
	uext4_inode_put(dir);
}

int cmd_rm(struct cli *cli, int argc, char **argv)
{
	struct rm rm = {0};
	int code = cli_options(cli, argc, argv, "rRf", NULL, rm_option, &rm);

	if (code < 0)
		code = cli_open(cli, true, 2, 0);
	if (code >= 0)
		return code;
	for (int k = 0; k < cli->argc; k++)
		rm_path(cli, &rm, cli->argv[k]);
	return cli_close(cli);
}
