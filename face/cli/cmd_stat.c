/* uext4 stat. */
#include "cli.h"
#include "entries.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static bool stat_option(void *arg, int letter, const char *value)
{
	*(bool *)arg = true;
	return true;
}

static void print_time(const char *what, struct timespec t)
{
	struct tm tm;
	char text[40] = "?", zone[10] = "";

	if (localtime_r(&t.tv_sec, &tm)) {
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
		strftime(zone, sizeof(zone), "%z", &tm);
	}
	printf("%-12s%s.%09ld %s\n", what, text, t.tv_nsec, zone);
}

static void print_text(const struct uext4_stat *st, const char *path, const char *target)
{
	char mode[11];

	mode_string(st->mode, mode);
	printf("%-12s", "Path:");
	print_name(stdout, path);
	if (target) {
		printf(" -> ");
		print_name(stdout, target);
	}
	printf("\n%-12s%s\n", "Type:", type_name(st->mode));
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		printf("%-12s%u, %u\n", "Device:", st->rdev_major, st->rdev_minor);
	printf("%-12s%llu\n", "Size:", (unsigned long long)st->size);
	printf("%-12s%llu of 512 bytes\n", "Blocks:", (unsigned long long)st->blocks);
	printf("%-12s%llu, generation %u\n", "Inode:", (unsigned long long)st->ino, st->generation);
	printf("%-12s%u\n", "Links:", st->links);
	printf("%-12s%04o %s\n", "Mode:", st->mode & 07777, mode);
	printf("%-12s%u:%u\n", "Owner:", st->uid, st->gid);
	printf("%-12s0x%x\n", "Flags:", st->flags);
	print_time("Accessed:", st->atime);
	print_time("Modified:", st->mtime);
	print_time("Changed:", st->ctime);
	print_time("Created:", st->btime);
}

static void show(struct cli *cli, const char *path, unsigned flags, struct json_object *json)
{
	struct uext4_inode *inode;
	struct uext4_stat st;
	char *target = NULL;
	int err, link_err = 0;

	if (cli_resolve(cli, path, flags, &inode))
		return;
	err = uext4_stat(inode, &st);
	if (!err && S_ISLNK(st.mode)) {
		target = symlink_read(inode, &link_err);
		if (!target)
			err = link_err;
	}
	if (err) {
		cli_fail(cli, path, err);
	} else if (json) {
		struct json_object *to = json_stat(&st);

		json_add_name(to, "path", path);
		if (target)
			json_add_name(to, "target", target);
		json_object_array_add(json, to);
	} else {
		print_text(&st, path, target);
	}
	free(target);
	uext4_inode_put(inode);
}

int cmd_stat(struct cli *cli, int argc, char **argv)
{
	bool follow = false;
	struct json_object *json = NULL;
	int code = cli_options(cli, argc, argv, "L", NULL, stat_option, &follow);

	if (code < 0)
		code = cli_open(cli, false, 2, 0);
	if (code >= 0)
		return code;
	if (cli->json)
		json = json_object_new_array();
	for (int k = 0; k < cli->argc; k++) {
		if (k && !json)
			putchar('\n');
		show(cli, cli->argv[k], follow ? 0 : UEXT4_NOFOLLOW, json);
	}
	if (json)
		json_print(json);
	return cli_close(cli);
}
