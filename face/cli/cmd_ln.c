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

int cmd_ln(struct cli *cli, int argc, char **argv)
{
	struct ln ln = {0};
	const char *target, *path;
	int code = cli_options(cli, argc, argv, "sf", NULL, ln_option, &ln), err;

	if (code < 0)
		code = cli_open(cli, true, 3, 3);
	if (code >= 0)
		return code;
	target = cli->argv[0];
	path = cli->argv[1];
	err = make(cli, &ln, target, path);
	if (err == -EEXIST && ln.force) {
		err = uext4_unlinkat(cli->fs, NULL, path, 0, NULL);
		if (!err)
			err = make(cli, &ln, target, path);
	}
	if (err)
		cli_fail(cli, path, err);
	return cli_close(cli);
}
