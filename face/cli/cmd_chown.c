/* uext4 chown. */
#include "cli.h"
#include "entries.h"
#include "owner.h"

struct chown {
	bool recursive, no_follow;
	struct owner owner;
};

static bool chown_option(void *arg, int letter, const char *value)
{
	struct chown *c = arg;

	c->recursive |= letter == 'R';
	c->no_follow |= letter == 'h';
	return true;
}

static void change(struct cli *cli, struct uext4_inode *inode, const char *path, void *arg)
{
	const struct owner *o = &((struct chown *)arg)->owner;
	struct uext4_setattr set = {
		.valid = (o->set_uid ? UEXT4_SET_UID : 0) | (o->set_gid ? UEXT4_SET_GID : 0),
		.uid = o->uid,
		.gid = o->gid};
	int err = uext4_setattr(inode, NULL, &set);

	if (err)
		cli_fail(cli, path, err);
}

int cmd_chown(struct cli *cli, int argc, char **argv)
{
	struct chown c = {0};
	struct uext4_inode *inode;
	int code = cli_options(cli, argc, argv, "Rh", NULL, chown_option, &c);

	if (code < 0 && cli->argc > 1 && !owner_parse(cli->argv[1], &c.owner))
		code = cli_usage_of(cli, cli->argv[1], "there is no such user or group");
	if (code < 0)
		code = cli_open(cli, true, 3, 0);
	if (code >= 0)
		return code;
	for (int k = 1; k < cli->argc; k++) {
		const char *path = cli->argv[k];
		bool link_itself = c.no_follow || c.recursive;

		if (cli_resolve(cli, path, link_itself ? UEXT4_NOFOLLOW : 0, &inode))
			continue;
		if (c.recursive)
			walk(cli, inode, path, change, &c);
		else
			change(cli, inode, path, &c);
		uext4_inode_put(inode);
	}
	return cli_close(cli);
}
