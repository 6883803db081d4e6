/* uext4 ls. Owners are numbers: names belong to the system in the image, not to this one. */
#include "cli.h"
#include "entries.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

struct ls {
	bool all, long_form, recursive, directory, inode_numbers;
	bool many; /* headings are needed */
	bool any;  /* something was printed */
	struct json_object *json;
};

static bool ls_option(void *arg, int letter, const char *value)
{
	struct ls *ls = arg;

	ls->all |= letter == 'a';
	ls->long_form |= letter == 'l';
	ls->recursive |= letter == 'R';
	ls->directory |= letter == 'd';
	ls->inode_numbers |= letter == 'i';
	return true;
}

static void print_long(const struct uext4_stat *st)
{
	char mode[11], when[32] = "?", size[32];
	struct tm tm;

	mode_string(st->mode, mode);
	if (localtime_r(&st->mtime.tv_sec, &tm))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M", &tm);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		snprintf(size, sizeof(size), "%u, %u", st->rdev_major, st->rdev_minor);
	else
		snprintf(size, sizeof(size), "%llu", (unsigned long long)st->size);
	printf("%s %3u %5u %5u %10s %s ", mode, st->links, st->uid, st->gid, size, when);
}

static void add_json(
	struct ls *ls, const struct uext4_stat *st, const char *path, const char *target)
{
	struct json_object *to = json_stat(st);

	json_add_name(to, "path", path);
	if (target)
		json_add_name(to, "target", target);
	json_object_array_add(ls->json, to);
}

static void show(struct cli *cli, struct ls *ls, struct uext4_inode *inode, const char *path,
	const char *name)
{
	struct uext4_stat st;
	char *target = NULL;
	int err = uext4_stat(inode, &st), link_err = 0;

	if (!err && S_ISLNK(st.mode) && (ls->long_form || cli->json)) {
		target = symlink_read(inode, &link_err);
		if (!target)
			err = link_err;
	}
	if (err) {
		cli_fail(cli, path, err);
		return;
	}
	if (cli->json) {
		add_json(ls, &st, path, target);
	} else {
		if (ls->inode_numbers)
			printf("%7llu ", (unsigned long long)st.ino);
		if (ls->long_form)
			print_long(&st);
		print_name(stdout, name);
		if (target) {
			printf(" -> ");
			print_name(stdout, target);
		}
		putchar('\n');
	}
	ls->any = true;
	free(target);
}

static void list(struct cli *cli, struct ls *ls, struct uext4_inode *dir, const char *path);

static bool wanted(const struct ls *ls, const char *name)
{
	return ls->all || name[0] != '.';
}

/* fn for each wanted entry, loaded. */
static void each(struct cli *cli, struct ls *ls, struct uext4_inode *dir, const char *path,
	const struct entries *entries, bool descend)
{
	for (size_t k = 0; k < entries->count; k++) {
		const char *name = entries->list[k].name;
		struct uext4_inode *inode = NULL;
		struct uext4_stat st;
		char *below;
		int err;

		if (!wanted(ls, name) || (descend && is_dot(name)))
			continue;
		below = path_join(path, name);
		err = uext4_lookup(dir, NULL, name, &inode);
		if (err)
			cli_fail(cli, below ? below : name, err);
		else if (!descend)
			show(cli, ls, inode, below ? below : name, name);
		else if (!uext4_stat(inode, &st) && S_ISDIR(st.mode))
			list(cli, ls, inode, below ? below : name);
		uext4_inode_put(inode);
		free(below);
	}
}

static void list(struct cli *cli, struct ls *ls, struct uext4_inode *dir, const char *path)
{
	struct entries entries;
	struct level level;
	int err;

	if (!level_enter(cli, &level, dir, path))
		return;
	err = entries_read(dir, ls->all && !cli->json, &entries);
	if (err) {
		cli_fail(cli, path, err);
		goto out;
	}
	if ((ls->many || ls->recursive) && !cli->json) {
		if (ls->any)
			putchar('\n');
		print_name(stdout, path);
		puts(":");
		ls->any = true;
	}
	each(cli, ls, dir, path, &entries, false);
	if (ls->recursive)
		each(cli, ls, dir, path, &entries, true);
	entries_free(&entries);
out:
	level_leave(cli);
}

static void ls_path(struct cli *cli, struct ls *ls, const char *path)
{
	struct uext4_inode *inode;
	struct uext4_stat st;
	unsigned flags = ls->long_form || ls->directory || cli->json ? UEXT4_NOFOLLOW : 0;
	int err;

	if (cli_resolve(cli, path, flags, &inode))
		return;
	err = uext4_stat(inode, &st);
	if (err)
		cli_fail(cli, path, err);
	else if (S_ISDIR(st.mode) && !ls->directory)
		list(cli, ls, inode, path);
	else
		show(cli, ls, inode, path, path);
	uext4_inode_put(inode);
}

int cmd_ls(struct cli *cli, int argc, char **argv)
{
	struct ls ls = {0};
	int code = cli_options(cli, argc, argv, "alRdi", NULL, ls_option, &ls);

	if (code < 0)
		code = cli_open(cli, false, 1, 0);
	if (code >= 0)
		return code;
	ls.many = cli->argc > 1;
	if (cli->json)
		ls.json = json_object_new_array();
	for (int k = 0; k < cli->argc; k++)
		ls_path(cli, &ls, cli->argv[k]);
	if (cli->argc == 0)
		ls_path(cli, &ls, "/");
	if (cli->json)
		json_print(ls.json);
	return cli_close(cli);
}
