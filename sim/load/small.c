/* A file system with few files, and what can be done to it. */
#include "sim/load/small.h"

#include <linux/falloc.h>
#include <linux/fs.h>

static struct base bases[] = {
	{.name = "1k",
		.kib = 2112,
		.mke2fs = "-b 1024 -N 48 -J size=1 -O metadata_csum,orphan_file"},
	{.name = "nocsum",
		.kib = 2112,
		.mke2fs = "-b 1024 -N 48 -J size=1 -O ^metadata_csum,^64bit,^orphan_file"},
};

static const struct step before[] = {
	{"create", "foo", NULL, 0, 0, 0},
	{"write", "foo", NULL, 0, 2500, 0},
	{"mkdir", "A", NULL, 0, 0, 0},
	{"create", "A/bar", NULL, 0, 0, 0},
	{"write", "A/bar", NULL, 0, 1024, 0},
	{"setxattr", "A/bar", NULL, 1, 0, 0},
	{"mkdir", "B", NULL, 0, 0, 0},
	{"sync", NULL, NULL, 0, 0, 0},
};

/* A new operation takes one line for each way in which it is to be tried. */
const struct step small_choices[] = {
	{"create", "new", NULL, 0, 0, 0},
	{"create", "A/new", NULL, 0, 0, 0},
	{"mkdir", "new", NULL, 0, 0, 0},
	{"mkdir", "B/new", NULL, 0, 0, 0},
	{"symlink", "new", NULL, 0, 0, 0},
	{"tmpfile", "B/new", NULL, 0, 3000, 1},
	{"write", "new", NULL, 0, 1500, 0},
	{"write", "foo", NULL, 0, 1024, 0},
	{"write", "foo", NULL, 700, 900, 0},
	{"write", "foo", NULL, 5000, 2000, 0},
	{"write", "foo", NULL, 1000, 1000, OP_DSYNC},
	{"write", "foo", NULL, 0, 1800, OP_APPEND},
	{"write", "A/bar", NULL, 0, 3000, OP_APPEND},
	{"write", "foo", NULL, 512, 1024, OP_DIRECT},
	{"write", "foo", NULL, 2048, 2048, OP_DIRECT},
	{"write", "A/bar", NULL, 4096, 1024, OP_DIRECT | OP_DSYNC},
	{"allocate", "foo", NULL, 2000, 3000, 0},
	{"allocate", "A/bar", NULL, 1024, 2048, FALLOC_FL_KEEP_SIZE},
	{"punch", "foo", NULL, 500, 1700, 0},
	{"zero", "foo", NULL, 1024, 3000, 0},
	{"collapse", "foo", NULL, 0, 0, 0},
	{"collapse", "foo", NULL, 1024, 0, 0},
	{"insert", "foo", NULL, 1024, 1024, 0},
	{"insert", "A/bar", NULL, 0, 0, 0},
	{"copy", "foo", "A/bar", 300, 2000, 0},
	{"copy", "A/bar", "foo", 0, 1024, 0},
	{"copy", "foo", "foo", 1500, 1000, 1},
	{"copy", "foo", "new", 1024, 1476, 1},
	{"queue", "foo", NULL, 0, 1500, 0},
	{"queue", "foo", NULL, 1024, 2048, 0},
	{"queue", "A/bar", NULL, 512, 3000, OP_DSYNC},
	/* OR-4: what is cut off is on the orphan record before it is freed */
	{"truncate", "foo", NULL, 0, 0, 0},
	{"truncate", "foo", NULL, 0, 1300, 0},
	{"truncate", "foo", NULL, 0, 6000, 0},
	{"truncate", "A/bar", NULL, 0, 0, 0},
	{"link", "foo", "new", 0, 0, 0},
	{"link", "foo", "A/new", 0, 0, 0},
	{"link", "A/bar", "new", 0, 0, 0},
	{"unlink", "foo", NULL, 0, 0, 0},
	{"unlink", "A/bar", NULL, 0, 0, 0},
	{"unlink", "new", NULL, 0, 0, 0},
	{"orphan", "A/bar", NULL, 0, 0, 0},
	{"rename", "foo", "new", 0, 0, 0},
	{"rename", "foo", "A/bar", 0, 0, 0},
	{"rename", "A/bar", "foo", 0, 0, 0},
	{"rename", "A/bar", "B/new", 0, 0, 0},
	{"rename", "A", "B", 0, 0, 0},
	{"rename", "A", "B/new", 0, 0, 0},
	{"rename", "foo", "A/bar", 0, 0, RENAME_EXCHANGE},
	{"rename", "new", "foo", 0, 0, 0},
	{"rmdir", "B", NULL, 0, 0, 0},
	{"rmdir", "new", NULL, 0, 0, 0},
	{"setxattr", "foo", NULL, 2, 0, 0},
	{"setxattr", "A/bar", NULL, 3, 0, 0},
	{"removexattr", "A/bar", NULL, 0, 0, 0},
	{"chmod", "foo", NULL, 5, 0, 0},
	{"fsync", "foo", NULL, 0, 0, 0},
	{"fsync", "A/bar", NULL, 0, 0, 0},
	{"fsync", "new", NULL, 0, 0, 0},
	{"fsync", "A", NULL, 0, 0, 0},
	{"fdatasync", "foo", NULL, 0, 0, 0},
	{"fdatasync", "A/bar", NULL, 0, 0, 0},
	{"sync", NULL, NULL, 0, 0, 0},
	{"trim", NULL, NULL, 0, 0, 0},
	{"read", "foo", NULL, 0, 3000, OP_NOWAIT},
};
const unsigned small_choice_count = array_len(small_choices);

static void prepare(struct world *w)
{
	struct player p = {.world = w, .alone = true};

	for (unsigned k = 0; k < array_len(before); k++)
		player_step(&p, &before[k]);
}

struct load_run small_run(const struct load_config *c, u64 number,
	void (*body)(struct world *w, void *arg), void *arg)
{
	struct base *b = &bases[(number + c->seed) % array_len(bases)];

	base_make(b, prepare);
	return (struct load_run){.config = c,
		.base = b,
		.seed = c->seed * 1000003 + number,
		.body = body,
		.arg = arg};
}
