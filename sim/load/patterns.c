/* Each pattern draws its steps as it goes. */
#include "sim/load/patterns.h"

#include "base/util.h"

#include <linux/falloc.h>
#include <linux/fs.h>

static u32 below(struct churner *c, u32 n)
{
	return (u32)rng_below(&c->player.rng, n);
}

static const char *any_name(struct churner *c)
{
	return c->ground->name[below(c, CHURN_BIG)][below(c, c->ground->names)];
}

static const char *any_file(struct churner *c)
{
	return c->ground->file[below(c, CHURN_FILES)];
}

static void step(struct churner *c, struct step s)
{
	player_step(&c->player, &s);
	if (!c->sync_one_in || below(c, c->sync_one_in))
		return;
	if (below(c, 3))
		player_step(&c->player, &(struct step){.type = "sync"});
	else
		player_step(&c->player, &(struct step){.type = "fsync", .at = any_file(c)});
}

static void fill(struct churner *c, unsigned times)
{
	static const char *const types[] = {
		"create", "create", "create", "mkdir", "mkdir", "symlink", "link"};

	for (unsigned k = 0; k < times; k++) {
		const char *type = types[below(c, array_len(types))], *name = any_name(c);

		if (type[0] == 'l')
			step(c, (struct step){.type = type, .at = any_file(c), .to = name});
		else
			step(c, (struct step){.type = type, .at = name});
	}
}

static void empty(struct churner *c, unsigned times)
{
	for (unsigned k = 0; k < times; k++) {
		const char *name = any_name(c);

		step(c, (struct step){.type = "unlink", .at = name});
		step(c, (struct step){.type = "rmdir", .at = name});
		if (below(c, 4) == 0)
			step(c, (struct step){.type = "rmdir",
					.at = c->ground->dir[below(c, CHURN_BIG - 1)]});
	}
}

/* Every second thread goes the other way. */
static void move(struct churner *c, unsigned times)
{
	for (unsigned k = 0; k < times; k++) {
		const char *name[2] = {any_name(c), any_name(c)};
		bool back = c->player.thread % 2;

		step(c, (struct step){.type = "rename",
				.at = name[back],
				.to = name[!back],
				.flags = below(c, 8) ? 0 : RENAME_EXCHANGE});
	}
}

/* Pieces with holes between them: an extent each. */
static void scatter(struct churner *c, unsigned times)
{
	const char *file = any_file(c);
	u64 from = below(c, 4) * (u64)c->ground->block_size;

	for (unsigned k = 0; k < times; k++)
		step(c, (struct step){.type = "write",
				.at = file,
				.offset = from + 2 * k * (u64)c->ground->block_size,
				.len = 1 + below(c, c->ground->block_size)});
}

static void cut(struct churner *c, unsigned times)
{
	u32 most = 2 * times * c->ground->block_size;

	for (unsigned k = 0; k < times; k += 8) {
		step(c, (struct step){.type = "truncate",
				.at = any_file(c),
				.len = below(c, 2) ? below(c, most) : 0});
		step(c, (struct step){.type = "punch",
				.at = any_file(c),
				.offset = below(c, most),
				.len = 1 + below(c, most)});
	}
}

/* What is behind moves up and down. */
static void shift(struct churner *c, unsigned times)
{
	for (unsigned k = 0; k < times / 2; k++)
		step(c, (struct step){.type = below(c, 2) ? "collapse" : "insert",
				.at = any_file(c),
				.offset = below(c, 30) * (u64)c->ground->block_size,
				.len = below(c, 3000)});
}

static void duplicate(struct churner *c, unsigned times)
{
	for (unsigned k = 0; k < times / 4; k++)
		step(c, (struct step){.type = "copy",
				.at = any_file(c),
				.to = any_file(c),
				.offset = below(c, 40 * c->ground->block_size),
				.len = 1 + below(c, 20 * c->ground->block_size),
				.flags = below(c, 2)});
}

static void submit(struct churner *c, unsigned times)
{
	for (unsigned k = 0; k < times / 4; k++)
		step(c, (struct step){.type = "queue",
				.at = any_file(c),
				.offset = below(c, 40 * c->ground->block_size),
				.len = 1 + below(c, 4 * c->ground->block_size),
				.flags = below(c, 3) ? 0 : OP_DSYNC});
}

static void look(struct churner *c, unsigned times)
{
	for (unsigned k = 0; k < times; k++) {
		step(c, (struct step){.type = "stat", .at = any_name(c)});
		step(c, (struct step){.type = "read", .at = any_file(c), .len = 3000});
	}
}

/* Blocks that were a directory's become a file's, and a directory's again. */
static void recycle(struct churner *c, unsigned times)
{
	const char *name = any_name(c), *file = any_file(c);

	for (unsigned k = 0; k < times / 4; k++) {
		step(c, (struct step){.type = "mkdir", .at = name});
		step(c, (struct step){.type = "rmdir", .at = name});
		step(c, (struct step){.type = "write",
				.at = file,
				.offset = below(c, 40) * (u64)c->ground->block_size,
				.len = c->ground->block_size});
		step(c, (struct step){.type = "truncate", .at = file, .len = 0});
	}
}

static void tag(struct churner *c, unsigned times)
{
	for (unsigned k = 0; k < times / 4; k++) {
		step(c, (struct step){
				.type = "setxattr", .at = any_name(c), .offset = below(c, 120)});
		step(c, (struct step){.type = "removexattr", .at = any_name(c)});
	}
}

const struct pattern patterns[] = {
	{"fill", fill},
	{"fill", fill},
	{"empty", empty},
	{"move", move},
	{"scatter", scatter},
	{"cut", cut},
	{"look", look},
	{"recycle", recycle},
	{"tag", tag},
	{"shift", shift},
	{"duplicate", duplicate},
	{"submit", submit},
};
const unsigned pattern_count = array_len(patterns);
