/*
 * Seeded threads that work on few files at once. The run number decides all: the
 * file system, how many threads and names, the steps and the schedule. The threads
 * meet after each round, where all that is there is read and compared.
 */
#include "sim/load/load.h"
#include "sim/load/steps.h"

#include "os/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/fs.h>

enum { PLACES_MAX = 90, ROUND_STEPS = 4 };

#define MODERN "metadata_csum,orphan_file"
#define PLAIN "^metadata_csum,^64bit,^orphan_file"

struct scene {
	struct base base;
	unsigned threads, rounds, names;
	u32 file_max;
	bool long_names; /* many entries, so that the directories get an index */
};

static struct scene scenes[] = {
	{.base = {.name = "1k", .kib = 3072, .mke2fs = "-b 1024 -N 256 -J size=1 -O " MODERN},
		.threads = 3,
		.rounds = 5,
		.names = 5,
		.file_max = 20000},
	{.base = {.name = "few",
		 .kib = 2112,
		 .mke2fs = "-b 1024 -N 256 -J size=1 -O " MODERN,
		 .discard = true},
		.threads = 2,
		.rounds = 8,
		.names = 2,
		.file_max = 6000},
	{.base = {.name = "full",
		 .kib = 2112,
		 .mke2fs = "-b 1024 -N 3200 -m 0 -J size=1 -O " PLAIN},
		.threads = 3,
		.rounds = 6,
		.names = 5,
		.file_max = 60000},
	{.base = {.name = "inodes", .kib = 2112, .mke2fs = "-b 1024 -N 24 -J size=1 -O " MODERN},
		.threads = 3,
		.rounds = 6,
		.names = 12,
		.file_max = 5000},
	{.base = {.name = "big-dir", .kib = 3072, .mke2fs = "-b 1024 -N 256 -J size=1 -O " MODERN},
		.threads = 3,
		.rounds = 6,
		.names = 40,
		.file_max = 3000,
		.long_names = true},
	{.base = {.name = "4k", .kib = 8640, .mke2fs = "-b 4096 -N 256 -J size=4 -O " MODERN},
		.threads = 4,
		.rounds = 4,
		.names = 5,
		.file_max = 30000},
	{.base = {.name = "nocsum", .kib = 3072, .mke2fs = "-b 1024 -N 256 -J size=1 -O " PLAIN},
		.threads = 3,
		.rounds = 5,
		.names = 6,
		.file_max = 20000},
	{.base = {.name = "ext3",
		 .kib = 3072,
		 .mke2fs = "-b 1024 -N 256 -J size=1 -O ^extents,^flex_bg,^uninit_bg," PLAIN},
		.threads = 3,
		.rounds = 5,
		.names = 5,
		.file_max = 20000},
	{.base = {.name = "nojournal",
		 .kib = 2112,
		 .mke2fs = "-b 1024 -N 256 -O ^has_journal,metadata_csum",
		 .lossy = true},
		.threads = 3,
		.rounds = 6,
		.names = 5,
		.file_max = 20000},
};

struct show {
	struct scene *scene;
	struct world *world;
	u64 seed;
	char place[PLACES_MAX][NAME_LEN + 8];
	unsigned places;
	struct actor {
		struct player player;
		struct show *show;
		unsigned steps;
	} actor[THREADS_MAX];
};

static u32 below(struct rng *rng, u32 n)
{
	return (u32)rng_below(rng, n);
}

static void places_make(struct show *s)
{
	static const char *const dirs[] = {"", "A/", "B/"};
	unsigned pad = s->scene->long_names ? 180 : 0;

	for (unsigned k = 0; k < s->scene->names && s->places + 3 < PLACES_MAX; k++)
		for (unsigned d = 0; d < (s->scene->long_names ? 2 : 3); d++)
			snprintf(s->place[s->places++], sizeof(s->place[0]), "%sn%0*u", dirs[d],
				(int)pad, k);
	snprintf(s->place[s->places++], sizeof(s->place[0]), "A");
	snprintf(s->place[s->places++], sizeof(s->place[0]), "B");
}

static void prepare(struct world *w)
{
	static const struct step before[] = {{"mkdir", "A", NULL, 0, 0, 0},
		{"mkdir", "B", NULL, 0, 0, 0}, {"create", "n0", NULL, 0, 0, 0},
		{"write", "n0", NULL, 0, 2000, 0}, {"create", "A/n1", NULL, 0, 0, 0},
		{"sync", NULL, NULL, 0, 0, 0}};
	struct player p = {.world = w, .alone = true};

	for (unsigned k = 0; k < array_len(before); k++)
		player_step(&p, &before[k]);
}

static const struct step_type *draw_type(struct rng *rng)
{
	unsigned total = 0, k = 0, at;

	for (unsigned j = 0; j < step_type_count; j++)
		total += step_types[j].weight;
	for (at = below(rng, total); at >= step_types[k].weight; k++)
		at -= step_types[k].weight;
	return &step_types[k];
}

static u32 draw_flag(struct rng *rng, u32 flags)
{
	u32 flag = 1u << below(rng, 4);

	return below(rng, 2) ? flags & flag : 0;
}

static u64 draw_size(struct rng *rng, u32 most)
{
	switch (below(rng, 4)) {
	case 0:
		return 1024 * (u64)below(rng, most / 1024 + 1);
	case 1:
		return below(rng, 200);
	default:
		return below(rng, most);
	}
}

static void draw_step(struct show *s, struct rng *rng, struct step *out)
{
	const struct step_type *type = draw_type(rng);
	u32 most = s->scene->file_max;

	*out = (struct step){.type = type->name,
		.at = s->place[below(rng, s->places)],
		.to = s->place[below(rng, s->places)],
		.offset = draw_size(rng, most),
		.flags = draw_flag(rng, type->flags)};
	if (type->uses & USES_RANGE)
		out->len = 1 + draw_size(rng, below(rng, 3) ? 3000 : most);
	if (type->uses & USES_SIZE)
		out->len = below(rng, 3) ? draw_size(rng, most) : 0;
	if (strcmp(type->name, "fsync") == 0 && below(rng, 5) == 0)
		out->at = "/";
}

static void act(void *arg)
{
	struct actor *a = arg;
	struct step step;

	for (unsigned k = 0; k < a->steps; k++) {
		draw_step(a->show, &a->player.rng, &step);
		player_step(&a->player, &step);
	}
}

static void one_round(struct show *s, struct rng *rng)
{
	struct os_thread *thread[THREADS_MAX];
	unsigned threads = 1 + below(rng, s->scene->threads);

	for (unsigned k = 0; k < threads; k++) {
		struct actor *a = &s->actor[k];

		a->player.alone = threads == 1;
		a->steps = 1 + below(rng, ROUND_STEPS);
		if (os_thread_create(&thread[k], "actor", act, a))
			world_fail(s->world, "a thread", -ENOMEM);
	}
	for (unsigned k = 0; k < threads; k++)
		os_thread_join(thread[k]);
	world_settle(s->world);
}

static void random_body(struct world *w, void *arg)
{
	struct show *s = arg;
	struct rng rng;

	s->world = w;
	rng_init(&rng, s->seed);
	world_mount(w);
	for (u8 k = 0; k < THREADS_MAX; k++) {
		s->actor[k].show = s;
		s->actor[k].player = (struct player){.world = w, .thread = k};
		rng_init(&s->actor[k].player.rng, rng_u64(&rng));
	}
	for (unsigned k = 0; k < s->scene->rounds; k++)
		one_round(s, &rng);
	for (unsigned k = 0; k < THREADS_MAX; k++)
		player_end(&s->actor[k].player);
	world_unmount(w);
}

static struct scene *scene_of(const struct load_config *c, u64 number)
{
	return &scenes[(c->seed + number) % array_len(scenes)];
}

static u64 random_count(const struct load_config *c)
{
	return UINT64_MAX;
}

static void random_describe(const struct load_config *c, u64 number, char *out, size_t size)
{
	const struct scene *s = scene_of(c, number);

	snprintf(out, size, "%s, up to %u threads, %s", s->base.name, s->threads,
		number / array_len(scenes) % 2 ? "priorities" : "random");
}

static bool random_run(const struct load_config *c, u64 number, struct load_stats *stats,
	struct load_failure *failure)
{
	struct scene *scene = scene_of(c, number);
	static struct show show;
	struct load_run run = {.config = c,
		.base = &scene->base,
		.seed = c->seed * 1000003 + number,
		.strategy = number / array_len(scenes) % 2 ? SIM_PCT : SIM_RANDOM,
		.body = random_body,
		.arg = &show};

	base_make(&scene->base, prepare);
	memset(&show, 0, sizeof(show));
	show.scene = scene;
	show.seed = run.seed;
	places_make(&show);
	return load_run(&run, stats, failure);
}

const struct load load_random = {"random", random_count, random_run, random_describe};
