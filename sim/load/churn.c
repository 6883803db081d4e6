/*
 * Long runs on full structures: directories with names that share hashes, which split and shrink;
 * logs that come round; files in many pieces; blocks and inodes that are used again at once. The
 * run number decides all. Between phases everything is read and compared, and perhaps mounted anew.
 */
#include "sim/load/load.h"
#include "sim/load/patterns.h"

#include "os/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MODERN "metadata_csum,orphan_file"
#define PLAIN "^metadata_csum,^64bit,^orphan_file"

enum { PHASES_MAX = 4, CHURNERS_MAX = 3, TIMES_MAX = 40 };

static struct scene {
	struct base base;
	u32 block_size;
} scenes[] = {
	{{.name = "1k", .kib = 4096, .mke2fs = "-b 1024 -N 512 -J size=1 -O " MODERN}, 1024},
	{{.name = "short of memory",
		 .kib = 4096,
		 .cache_kib = 128,
		 .mke2fs = "-b 1024 -N 512 -J size=1 -O " MODERN},
		1024},
	{{.name = "ext3",
		 .kib = 4096,
		 .cache_kib = 128,
		 .mke2fs = "-b 1024 -N 512 -J size=1 -O ^extents,^flex_bg,^uninit_bg," PLAIN},
		1024},
	{{.name = "full",
		 .kib = 2112,
		 .cache_kib = 512,
		 .mke2fs = "-b 1024 -N 3300 -m 0 -J size=1 -O " MODERN},
		1024},
	{{.name = "4k",
		 .kib = 10240,
		 .mke2fs = "-b 4096 -N 512 -J size=4 -O " MODERN,
		 .discard = true},
		4096},
};

struct churn {
	struct scene *scene;
	struct load_run *run;
	struct ground ground;
	struct churner churner[CHURNERS_MAX];
	struct errand {
		struct churner *churner;
		const struct pattern *pattern[3];
		unsigned times[3], count;
	} errand[CHURNERS_MAX];
};

static void ground_make(struct ground *g, const struct scene *s)
{
	static const char *const files[CHURN_FILES] = {"foo", "D/bar", "E/baz", "qux"};
	static const char *const dirs[CHURN_BIG] = {"D", "E", ""};
	static char twins[CHURN_NAMES][TWIN_LEN + 1];

	if (!twins[0][0])
		twins_make(twins, CHURN_NAMES);
	for (unsigned d = 0; d < CHURN_BIG; d++)
		for (unsigned k = 0; k < CHURN_NAMES; k++)
			snprintf(g->name[d][k], sizeof(g->name[d][k]), "%s%s%.*s", dirs[d],
				dirs[d][0] ? "/" : "", TWIN_LEN, twins[k]);
	memcpy(g->dir, dirs, sizeof(dirs));
	memcpy(g->file, files, sizeof(files));
	g->block_size = s->block_size;
}

static void prepare(struct world *w)
{
	struct player p = {.world = w, .alone = true};
	static const char *const files[CHURN_FILES] = {"foo", "D/bar", "E/baz", "qux"};

	player_step(&p, &(struct step){.type = "mkdir", .at = "D"});
	player_step(&p, &(struct step){.type = "mkdir", .at = "E"});
	for (unsigned k = 0; k < CHURN_FILES; k++)
		player_step(&p, &(struct step){.type = "create", .at = files[k]});
	for (u64 k = 0; k < 40; k++) /* turn by turn, so that each is in pieces */
		for (unsigned f = 0; f < CHURN_FILES; f++)
			player_step(&p, &(struct step){.type = "write",
						.at = files[f],
						.offset = 1024 * k,
						.len = 1024,
						.flags = OP_DSYNC});
	player_step(&p, &(struct step){.type = "sync"});
}

static void run_errand(void *arg)
{
	struct errand *e = arg;

	for (unsigned k = 0; k < e->count; k++)
		e->pattern[k]->run(e->churner, e->times[k]);
}

static void errand_draw(struct errand *e, struct rng *rng)
{
	e->count = 1 + (unsigned)rng_below(rng, array_len(e->pattern));
	for (unsigned k = 0; k < e->count; k++) {
		e->pattern[k] = &patterns[rng_below(rng, pattern_count)];
		e->times[k] = 4 + (unsigned)rng_below(rng, TIMES_MAX);
	}
}

static void phase(struct churn *c, struct world *w, struct rng *rng)
{
	static const unsigned syncs[] = {0, 2, 4, 10};
	struct os_thread *thread[CHURNERS_MAX];
	unsigned threads = 1 + (unsigned)rng_below(rng, CHURNERS_MAX);
	unsigned sync_one_in = syncs[rng_below(rng, array_len(syncs))];
	bool chorus = rng_below(rng, 3) == 0; /* all do the same at once */
	struct rng part = *rng;

	for (unsigned k = 0; k < threads; k++) {
		c->churner[k].player.alone = threads == 1;
		c->churner[k].sync_one_in = sync_one_in;
		c->errand[k].churner = &c->churner[k];
		if (chorus)
			*rng = c->churner[k].player.rng = part;
		errand_draw(&c->errand[k], rng);
		if (os_thread_create(&thread[k], "churner", run_errand, &c->errand[k]))
			world_fail(w, "a thread", -ENOMEM);
	}
	for (unsigned k = 0; k < threads; k++)
		os_thread_join(thread[k]);
	world_settle(w);
}

static void mount_again(struct churn *c, struct world *w)
{
	for (unsigned k = 0; k < CHURNERS_MAX; k++)
		player_end(&c->churner[k].player);
	world_unmount(w);
	world_mount(w);
}

static void churn_body(struct world *w, void *arg)
{
	struct churn *c = arg;
	struct rng rng;
	unsigned phases, from;

	rng_init(&rng, c->run->seed);
	c->ground.names = 20 + (unsigned)rng_below(&rng, CHURN_NAMES - 20 + 1);
	for (u8 k = 0; k < CHURNERS_MAX; k++) {
		c->churner[k] =
			(struct churner){.ground = &c->ground, .player = {.world = w, .thread = k}};
		rng_init(&c->churner[k].player.rng, rng_u64(&rng));
	}
	phases = 1 + (unsigned)rng_below(&rng, PHASES_MAX);
	from = (unsigned)rng_below(&rng, phases);
	world_mount(w);
	for (unsigned k = 0; k < phases; k++) {
		if (k == from)
			c->run->explore_from = sim_disk_position(w->disk);
		phase(c, w, &rng);
		if (rng_below(&rng, 3) == 0)
			mount_again(c, w);
	}
	for (unsigned k = 0; k < CHURNERS_MAX; k++)
		player_end(&c->churner[k].player);
	world_unmount(w);
}

static struct scene *scene_of(const struct load_config *c, u64 number)
{
	return &scenes[(c->seed + number) % array_len(scenes)];
}

static u64 churn_count(const struct load_config *c)
{
	return UINT64_MAX;
}

static void churn_describe(const struct load_config *c, u64 number, char *out, size_t size)
{
	snprintf(out, size, "%s, up to %u threads, %s", scene_of(c, number)->base.name,
		CHURNERS_MAX, number / array_len(scenes) % 2 ? "priorities" : "random");
}

static bool churn_run(const struct load_config *c, u64 number, struct load_stats *stats,
	struct load_failure *failure)
{
	static struct churn churn;
	struct load_run run = {.config = c,
		.base = &scene_of(c, number)->base,
		.seed = c->seed * 1000003 + number,
		.strategy = number / array_len(scenes) % 2 ? SIM_PCT : SIM_RANDOM,
		.body = churn_body,
		.arg = &churn};

	base_make(run.base, prepare);
	memset(&churn, 0, sizeof(churn));
	churn.scene = scene_of(c, number);
	churn.run = &run;
	ground_make(&churn.ground, churn.scene);
	return load_run(&run, stats, failure);
}

const struct load load_churn = {"churn", churn_count, churn_run, churn_describe};
