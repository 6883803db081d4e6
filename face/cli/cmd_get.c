/* uext4 get. */
#include "copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool get_option(void *arg, int letter, const char *value)
{
	((struct copy *)arg)->recursive = true;
	return true;
}

static void get_path(struct copy *copy, const char *path, const char *to)
{
	struct uext4_inode *inode;

	if (cli_resolve(copy->cli, path, copy->recursive ? UEXT4_NOFOLLOW : 0, &inode))
		return;
	get_entry(copy, inode, path, AT_FDCWD, to);
	uext4_inode_put(inode);
}

/* A link that the user names as the destination is followed; one that is just in the way is not. */
static void get_as(struct copy *copy, const char *path, const char *to)
{
	char *real = realpath(to, NULL);

	get_path(copy, path, real ? real : to);
	free(real);
}

/* "/" and "PATH/." have no name: their contents go right into the directory. */
static void get_into(struct copy *copy, const char *path, const char *dir)
{
	char name[256];
	char *to;

	path_base(path, name, sizeof(name));
	to = path_join(dir, name[0] ? name : ".");
	if (to)
		get_path(copy, path, to);
	else
		cli_fail(copy->cli, path, -ENOMEM);
	free(to);
}

int cmd_get(struct cli *cli, int argc, char **argv)
{
	struct copy copy = {0};
	struct stat st;
	const char *to;
	bool into;
	int code = cli_options(cli, argc, argv, "r", NULL, get_option, &copy);

	if (code < 0 && copy_init(&copy, cli, "get") < 0)
		code = cli_fail(cli, "memory", -ENOMEM);
	if (code < 0)
		code = cli_open(cli, false, 3, 0);
	if (code >= 0)
		goto out;
	to = cli->argv[cli->argc - 1];
	into = stat(to, &st) == 0 && S_ISDIR(st.st_mode);
	if (!into && cli->argc > 2)
		cli_fail(cli, to, -ENOTDIR);
	for (int k = 0; k < cli->argc - 1 && (into || cli->argc == 2); k++) {
		if (into)
			get_into(&copy, cli->argv[k], to);
		else
			get_as(&copy, cli->argv[k], to);
	}
	progress_end(&copy.progress);
	links_fini(&copy.links, free);
	code = cli_close(cli);
out:
	free(copy.buf);
	return code;
}
