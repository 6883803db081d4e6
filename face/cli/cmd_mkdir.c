/* uext4 mkdir. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct mkdir {
	bool parents;
	bool mode_given;
	uint32_t mode;
};

static bool mkdir_option(void *arg, int letter, const char *value)
{
	struct mkdir *m = arg;
	int mode;

	if (letter == 'p') {
		m->parents = true;
		return true;
	}
	mode = mode_parse(value, S_IFDIR | 0777, 0);
	m->mode_given = mode >= 0;
	m->mode = (uint32_t)mode & 07777;
	return mode >= 0;
}

static bool is_directory(struct cli *cli, const char *path)
{
	struct uext4_stat st;

	return !uext4_statat(cli->fs, NULL, path, 0, NULL, &st) && S_ISDIR(st.mode);
}

/* -m means exactly that mode, whatever the directory's default ACL says. */
static int make(struct cli *cli, const struct mkdir *m, const char *path)
{
	struct uext4_setattr set = {.valid = UEXT4_SET_MODE, .mode = m->mode};
	struct uext4_inode *inode;
	int err = uext4_mkdirat(cli->fs, NULL, path, m->mode_given ? m->mode : 0755, NULL);

	if (err || !m->mode_given)
		return err;
	err = uext4_resolve(cli->fs, NULL, path, 0, NULL, &inode);
	if (err)
		return err;
	err = uext4_setattr(inode, NULL, &set);
	uext4_inode_put(inode);
	return err;
}

/* Every prefix of path, the last one with the mode asked for. */
static void make_parents(struct cli *cli, const struct mkdir *m, const char *path)
{
	const struct mkdir plain = {.parents = true};
	char *copy = strdup(path);
	int err = copy ? 0 : -ENOMEM;

	for (char *at = copy; !err && at && *at;) {
		char *slash, kept;

		at += strspn(at, "/");
		slash = at + strcspn(at, "/");
		kept = *slash;
		*slash = '\0';
		if (*at && !is_directory(cli, copy))
			err = make(cli, slash[kept ? 1 : 0] ? &plain : m, copy);
		if (err)
			cli_fail(cli, copy, err);
		*slash = kept;
		at = slash;
	}
	free(copy);
}

int cmd_mkdir(struct cli *cli, int argc, char **argv)
{
	struct mkdir m = {0};
	int code = cli_options(cli, argc, argv, "pm:", NULL, mkdir_option, &m), err;

	if (code < 0)
		code = cli_open(cli, true, 2, 0);
	if (code >= 0)
		return code;
	for (int k = 0; k < cli->argc; k++) {
		if (m.parents) {
			make_parents(cli, &m, cli->argv[k]);
			continue;
		}
		err = make(cli, &m, cli->argv[k]);
		if (err)
			cli_fail(cli, cli->argv[k], err);
	}
	return cli_close(cli);
}
