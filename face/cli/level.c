/* Descending into directories, with an eye on images whose directories form a circle. */
#include "cli.h"
#include "entries.h"

/* Deeper trees than this would cost more stack than there may be. */
enum { DEPTH_MAX = 10000 };

bool level_enter(struct cli *cli, struct level *level, struct uext4_inode *dir, const char *path)
{
	*level = (struct level){.ino = uext4_inode_number(dir),
		.depth = cli->level ? cli->level->depth + 1 : 1,
		.above = cli->level};
	for (const struct level *l = level->above; l; l = l->above) {
		if (l->ino == level->ino) {
			cli_fail_text(cli, path, "the directory is below itself; run e2fsck");
			return false;
		}
	}
	if (level->depth > DEPTH_MAX) {
		cli_fail_text(cli, path, "too many directories below each other");
		return false;
	}
	cli->level = level;
	return true;
}

void level_leave(struct cli *cli)
{
	cli->level = cli->level->above;
}
