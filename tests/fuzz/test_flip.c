/*
 * Every byte of every kind of metadata block, flipped in several ways, with
 * the checksum left as it was or made valid again: the engine refuses or
 * contains it; it never crashes, hangs or asks for absurd memory.
 *
 * test_flip [STEP]: takes every STEPth byte; 1 is everything.
 */
#include "campaign.h"
#include "exercise.h"
#include "regions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct job {
	struct image img;
	const struct region *region;
	bool seal;
	u32 step;
};

static void judge(struct job *job, const struct report *r, struct verdict *v)
{
	bool damage = r->seen[117] || r->seen[74];

	if (r->first_odd)
		snprintf(v->why, sizeof(v->why), "errno %d from %.100s\n%s", r->first_odd,
			r->odd_call, r->log);
	else if (r->open_err && !r->log[0])
		snprintf(v->why, sizeof(v->why), "refused with %d without a message", -r->open_err);
	else if (damage && !r->says_what_to_do)
		snprintf(v->why, sizeof(v->why), "no message names e2fsck:\n%s", r->log);
	else if (job->img.outside)
		snprintf(v->why, sizeof(v->why), "a request went beyond the device\n%s", r->log);
}

static void one(void *arg, unsigned n, struct verdict *v)
{
	struct job *job = arg;
	struct image *img = &job->img;
	struct report r;

	img->outside = false;
	if (!flip_apply(img, job->region, n * job->step, job->seal, v->name, sizeof(v->name)))
		return;
	exercise(img, EXERCISE_QUICK, &r);
	judge(job, &r, v);
	image_restore(img);
}

static void run_regions(struct job *job)
{
	for (unsigned k = 0; k < region_count; k++) {
		char title[100];
		unsigned flips;

		job->region = &regions[k];
		flips = flip_count(&job->img, job->region);
		if (!flips)
			continue;
		snprintf(title, sizeof(title), "%s, %s%s", base_names[job->img.base],
			object_names[regions[k].what], job->seal ? ", checksum valid" : "");
		campaign(title, flips / job->step, one, job);
	}
}

int main(int argc, char **argv)
{
	static const enum base bases[] = {BASE_1K, BASE_PLAIN, BASE_EXT3};
	static struct job job;

	job.step = argc > 1 ? (u32)atoi(argv[1]) : 1;
	if (!job.step)
		job.step = 1;
	for (size_t k = 0; k < array_len(bases); k++) {
		image_build(&job.img, bases[k]);
		job.seal = false;
		run_regions(&job);
		job.seal = super_has_metadata_csum(&job.img.sb);
		if (job.seal)
			run_regions(&job);
		image_free(&job.img);
	}
	return campaign_finish();
}
