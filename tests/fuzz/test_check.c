/*
 * The checker against e2fsck: on images with one bad field or one flipped
 * byte, whatever e2fsck complains about, the checker finds a problem, too; and
 * it finds none in the images themselves.
 *
 * test_check BASE [STEP]: every STEPth case; 1 is everything.
 */
#include "campaign.h"
#include "cases.h"
#include "regions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/util.h"

enum { RANDOM_FLIPS = 8, RANDOM_CASES = 5000, REGIONS_MAX = 32 };

struct job {
	struct image img;
	const struct region *region;
	const struct poke_case *cases[400];
	struct place places[REGIONS_MAX]; /* in the sound image */
	unsigned count, step;
	bool seal;
};

/* What the checker said, for the message when it was too little. */
static void take_problem(void *arg, const struct uext4_check_problem *p)
{
	struct verdict *v = arg;
	size_t len = strlen(v->why);

	if (len + 400 < sizeof(v->why))
		snprintf(v->why + len, sizeof(v->why) - len, "%s: %s%s\n", p->kind, p->text,
			p->note ? " (note)" : "");
}

static bool check_finds(struct image *img, struct verdict *v)
{
	struct uext4_check_options opt = {.size = sizeof(opt), .problem = take_problem, .arg = v};
	struct uext4_check_result r;
	int err = image_check(img, &opt, &r);

	if (err && err != -EINVAL && err != -EOPNOTSUPP && err != -ENXIO)
		snprintf(v->why, sizeof(v->why), "the check gave %d\n", -err);
	return err || r.problems;
}

/* Where e2fsck's complaint is none about the image. */
static bool is_excused(const char *kinds)
{
	static const char *const excuses[] = {
		"is in the future",    /* it trusts the clock; the checker does not */
		"Error writing block", /* it tries to write, though told not to */
	};

	for (size_t k = 0; k < array_len(excuses); k++)
		if (strstr(kinds, excuses[k]))
			return true;
	return false;
}

/* Both look at what is in work; v->why is left empty when the checker is as good. */
static void compare(struct image *img, struct verdict *v)
{
	bool finds = check_finds(img, v);
	char *kinds = image_fsck(img), said[1000];

	snprintf(said, sizeof(said), "%.900s", v->why);
	v->why[0] = '\0';
	if (img->outside)
		snprintf(v->why, sizeof(v->why), "a request went beyond the device\n");
	else if (kinds[1] && !finds && !is_excused(kinds))
		snprintf(v->why, sizeof(v->why), "e2fsck alone complains:%.1500s%s", kinds, said);
	free(kinds);
}

static void flip_one(void *arg, unsigned n, struct verdict *v)
{
	struct job *job = arg;
	struct image *img = &job->img;

	img->outside = false;
	if (flip_apply(img, job->region, n * job->step, job->seal, v->name, sizeof(v->name)))
		compare(img, v);
	image_restore(img);
}

static void poke_one(void *arg, unsigned n, struct verdict *v)
{
	struct job *job = arg;
	const struct poke_case *c = job->cases[n];
	struct image *img = &job->img;
	bool done = true;

	img->outside = false;
	snprintf(v->name, sizeof(v->name), "%s", c->name);
	for (int k = 0; k < 2 && c->poke[k].what != OBJ_NONE; k++)
		done = done && poke_apply(img, &c->poke[k]);
	if (done)
		compare(img, v);
	image_restore(img);
}

static void run_pokes(struct job *job)
{
	static const struct case_list *const lists[] = {
		&case_super, &case_inodes, &case_maps, &case_dirs, &case_rest};

	job->count = 0;
	for (size_t l = 0; l < array_len(lists); l++)
		for (unsigned k = 0; k < lists[l]->count; k++)
			if (lists[l]->cases[k].bases & 1u << job->img.base)
				job->cases[job->count++] = &lists[l]->cases[k];
	campaign("bad fields", job->count, poke_one, job);
}

/* All else in the image with quotas is as in that with 1 KiB blocks. */
static bool is_new(const struct job *job)
{
	const enum object what = job->region->what;

	return job->img.base != BASE_QUOTA || what == OBJ_SUPER || what == OBJ_INODE ||
	       what >= OBJ_QUOTA_INODE;
}

static void run_flips(struct job *job)
{
	for (unsigned k = 0; k < region_count; k++) {
		char title[100];
		unsigned flips;

		job->region = &regions[k];
		flips = flip_count(&job->img, job->region);
		if (!flips || !is_new(job))
			continue;
		snprintf(title, sizeof(title), "%s%s", object_names[regions[k].what],
			job->seal ? ", checksum valid" : "");
		campaign(title, (flips + job->step - 1) / job->step, flip_one, job);
	}
}

/* Several bytes at once, anywhere: whatever comes of it, the checker ends and tells it. */
static void random_one(void *arg, unsigned n, struct verdict *v)
{
	struct job *job = arg;
	struct image *img = &job->img;
	struct uext4_check_options opt = {
		.size = sizeof(opt), .paths = true, .max_memory = 64 << 20};
	struct uext4_check_result r;
	struct rng rng;

	rng_init(&rng, n + 1);
	img->outside = false;
	snprintf(v->name, sizeof(v->name), "seed %u", n + 1);
	for (u64 k = rng_below(&rng, RANDOM_FLIPS) + 1; k; k--) {
		u64 which = rng_below(&rng, region_count);
		const struct place *p = &job->places[which];

		if (p->at)
			flip_at(img, &regions[which], p, (unsigned)rng_below(&rng, p->len * FLIPS),
				rng_below(&rng, 4));
	}
	image_check(img, &opt, &r);
	if (img->outside)
		snprintf(v->why, sizeof(v->why), "a request went beyond the device\n");
	image_restore(img);
}

static void sound(void *arg, unsigned n, struct verdict *v)
{
	struct job *job = arg;

	snprintf(v->name, sizeof(v->name), "no damage");
	check_finds(&job->img, v);
}

int main(int argc, char **argv)
{
	static struct job job;

	job.step = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	for (int base = 0; base < BASE_COUNT; base++) {
		if (argc > 1 && strcmp(argv[1], base_names[base]) != 0)
			continue;
		image_build(&job.img, (enum base)base);
		campaign(base_names[base], 1, sound, &job);
		run_pokes(&job);
		for (unsigned k = 0; k < region_count; k++)
			job.places[k] = place_find(&job.img, regions[k].what, regions[k].owner);
		campaign("random damage", RANDOM_CASES, random_one, &job);
		job.seal = super_has_metadata_csum(&job.img.sb);
		run_flips(&job);
		if (job.seal) { /* a wrong checksum hides what else is wrong: fewer of these */
			job.seal = false;
			job.step *= 8;
			run_flips(&job);
			job.step /= 8;
		}
		image_free(&job.img);
	}
	return campaign_finish();
}
