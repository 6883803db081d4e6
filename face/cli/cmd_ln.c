/* uext4 ln. */
#include "cli.h"

#include <errno.h>

struct ln {
	bool symbolic, force;
};

static bool ln_option(void *arg, int letter, const char *value)
{
	struct ln *ln = arg;

	ln->symbolic |= letter == 's';
	ln->force |= letter == 'f';
	return true;
}

static int make(struct cli *cli, const struct ln *ln, const char *target, const char *path)
{
	return ln->symbolic ? uext4_symlinkat(cli->fs, target, NULL, path, NULL)
			    : uext4_linkat(cli->fs, NULL, target, NULL, path, NULL);
}

/* Removing PATH must not remove the last name of what it is to become. */
static bool is_same_file(struct cli *cli, const char *target, const char *path)
{
	struct uext4_stat a, b;

	return !uext4_statat(cli->fs, NULL, target, UEXT4_NOFOLLOW, NULL, &a) &&
	       !uext4_statat(cli->fs, NULL, path, UEXT4_NOFOLLOW, NULL, &b) && a.ino == b.ino;
}

static int replace(struct cli *cli, const struct ln *ln, const char *target, const char *path)
{
	int err;

	if (!ln->symbolic && is_same_file(cli, target, path))
		return cli_fail_text(cli, path, "it is the same file already");
	err = uext4_unlinkat(cli->fs, NULL, path, 0, NULL);
	if (!err)
		err = make(cli, ln, target, path);
	return err ? cli_fail(cli, path, err) : 0;
}

static void link_to(struct cli *cli, const struct ln *ln, const char *target, const char *path)
{
	struct uext4_inode *inode = NULL;
	int err;

	if (!ln->symbolic && cli_resolve(cli, target, UEXT4_NOFOLLOW, &inode))
		return;
	uext4_inode_put(inode);
	err = make(cli, ln, target, path);
	if (err == -EEXIST && ln->force)
		replace(cli, ln, target, path);
	else if (err)
		cli_fail(cli, path, err);
}

int cmd_ln(struct cli *cli, int argc, char **argv)
{
	struct ln ln = {0};
	int code = cli_options(cli, argc, argv, "sf", NULL, ln_option, &ln);

	if (code < 0)
		code = cli_open(cli, true, 3, 3);
	if (code >= 0)
		return code;
	link_to(cli, &ln, cli->argv[0], cli->argv[1]);
	return cli_close(cli);
}
