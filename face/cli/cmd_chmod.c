/* uext4 chmod. */
#include "cli.h"
#include "entries.h"

#include <errno.h>
#include <sys/stat.h>

struct chmod {
	bool recursive;
	const char *mode;
	uint32_t umask;
};

static bool chmod_option(void *arg, int letter, const char *value)
{
	((struct chmod *)arg)->recursive = true;
	return true;
}

/* Links have no mode of their own; those given by name were followed. */
static void change(struct cli *cli, struct uext4_inode *inode, const char *path, void *arg)
{
	const struct chmod *c = arg;
	struct uext4_setattr set = {.valid = UEXT4_SET_MODE};
	struct uext4_stat st;
	int err = uext4_stat(inode, &st);

	if (!err && S_ISLNK(st.mode))
		return;
	if (!err) {
		set.mode = (uint32_t)mode_parse(c->mode, st.mode, c->umask) & 07777;
		err = uext4_setattr(inode, NULL, &set);
	}
	if (err)
		cli_fail(cli, path, err);
}

int cmd_chmod(struct cli *cli, int argc, char **argv)
{
	struct chmod c = {0};
	struct uext4_inode *inode;
	int code = cli_options(cli, argc, argv, "+R", NULL, chmod_option, &c);

	if (code < 0 && cli->argc > 1 && mode_parse(cli->argv[1], 0, 0) < 0)
		code = cli_usage_of(cli, cli->argv[1], "the mode makes no sense");
	if (code < 0)
		code = cli_open(cli, true, 3, 0);
	if (code >= 0)
		return code;
	c.mode = cli->argv[0];
	c.umask = umask(0);
	umask((mode_t)c.umask);
	for (int k = 1; k < cli->argc; k++) {
		const char *path = cli->argv[k];

		if (cli_resolve(cli, path, 0, &inode))
			continue;
		if (c.recursive)
			walk(cli, inode, path, change, &c);
		else
			change(cli, inode, path, &c);
		uext4_inode_put(inode);
	}
	return cli_close(cli);
}
