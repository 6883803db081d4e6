/*
 * Every byte of every kind of metadata block, flipped in several ways, with
 * the checksum left as it was or made valid again: the engine refuses or
 * contains it; it never crashes, hangs or asks for absurd memory.
 *
 * test_flip [STEP]: takes every STEPth byte; 1 is everything.
 */
#include "campaign.h"
#include "exercise.h"
#include "poke.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct region {
	enum object what;
	enum node owner;
};

static const struct region regions[] = {
	{OBJ_SUPER, NODE_ROOT},
	{OBJ_GROUP, NODE_ROOT},
	{OBJ_BLOCK_BITMAP, NODE_ROOT},
	{OBJ_INODE_BITMAP, NODE_ROOT},
	{OBJ_JSUPER, NODE_ROOT},
	{OBJ_JINODE, NODE_ROOT},
	{OBJ_ORPHAN_INODE, NODE_ROOT},
	{OBJ_ORPHAN, NODE_ROOT},
	{OBJ_INODE, NODE_ROOT},
	{OBJ_INODE, NODE_XATTR},
	{OBJ_INODE, NODE_DEEP},
	{OBJ_EXTENT, NODE_DEEP},
	{OBJ_EXTENT2, NODE_DEEP},
	{OBJ_INDIRECT, NODE_DEEP},
	{OBJ_LEAF, NODE_LINEAR},
	{OBJ_DX_ROOT, NODE_INDEX},
	{OBJ_DX_NODE, NODE_INDEX},
	{OBJ_LEAF, NODE_INDEX},
	{OBJ_XATTR, NODE_XATTR},
};

enum { FLIPS = 4 };

struct job {
	struct image img;
	const struct region *region;
	bool seal;
	u32 step;
};

static u8 flipped(u8 old, u32 kind)
{
	switch (kind) {
	case 0:
		return old ^ 0x01;
	case 1:
		return old ^ 0x80;
	case 2:
		return 0x00;
	default:
		return 0xff;
	}
}

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

/* Case n: byte n / FLIPS of the region. */
static void one(void *arg, unsigned n, struct verdict *v)
{
	struct job *job = arg;
	struct image *img = &job->img;
	u32 at = n * job->step / FLIPS, kind = n * job->step % FLIPS;
	struct place p = place_find(img, job->region->what, job->region->owner);
	u8 value = flipped(p.at[at], kind);
	struct report r;

	snprintf(v->name, sizeof(v->name), "byte 0x%x of %s: %02x -> %02x", at,
		object_names[job->region->what], p.at[at], value);
	if (p.at[at] == value)
		return;
	img->outside = false;
	p.at[at] = value;
	if (job->seal)
		place_seal(img, job->region->what, &p);
	image_touch(img, p.at, p.len);
	exercise(img, EXERCISE_QUICK, &r);
	judge(job, &r, v);
	image_restore(img);
}

static void run_regions(struct job *job)
{
	for (size_t k = 0; k < array_len(regions); k++) {
		char title[100];
		struct place p;

		job->region = &regions[k];
		p = place_find(&job->img, regions[k].what, regions[k].owner);
		if (!p.at)
			continue;
		snprintf(title, sizeof(title), "%s, %s%s", base_names[job->img.base],
			object_names[regions[k].what], job->seal ? ", checksum valid" : "");
		campaign(title, p.len * FLIPS / job->step, one, job);
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
