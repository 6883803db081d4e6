/* uext4 mv. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool mv_option(void *arg, int letter, const char *value)
{
	*(unsigned *)arg = RENAME_NOREPLACE;
	return true;
}

static void move(struct cli *cli, const char *from, const char *to, unsigned flags)
{
	int err = uext4_renameat(cli->fs, NULL, from, NULL, to, flags, NULL);
	char *both = NULL;

	if (err && asprintf(&both, "%s to %s", from, to) < 0)
		both = NULL;
	if (err)
		cli_fail(cli, both ? both : from, err);
	free(both);
}

static void move_into(struct cli *cli, const char *from, const char *dir, unsigned flags)
{
	char name[256];
	char *to;

	path_base(from, name, sizeof(name));
	to = name[0] ? path_join(dir, name) : NULL;
	if (to)
		move(cli, from, to, flags);
	else
		cli_fail(cli, from, name[0] ? -ENOMEM : -EINVAL);
	free(to);
}

int cmd_mv(struct cli *cli, int argc, char **argv)
{
	unsigned flags = 0;
	struct uext4_stat st;
	const char *to;
	bool into;
	int code = cli_options(cli, argc, argv, "n", NULL, mv_option, &flags);

	if (code < 0)
		code = cli_open(cli, true, 3, 0);
	if (code >= 0)
		return code;
	to = cli->argv[cli->argc - 1];
	into = !uext4_statat(cli->fs, NULL, to, 0, NULL, &st) && S_ISDIR(st.mode);
	if (!into && cli->argc > 2) {
		cli_fail(cli, to, -ENOTDIR);
		return cli_close(cli);
	}
	for (int k = 0; k < cli->argc - 1; k++) {
		if (into)
			move_into(cli, cli->argv[k], to, flags);
		else
			move(cli, cli->argv[k], to, flags);
	}
	return cli_close(cli);
}
