/*
 * One bad field with valid checksums: opening is refused or the damage is
 * contained, as the rules say, with a message that helps; e2fsck finds nothing
 * afterwards that it did not find before.
 */
#include "campaign.h"
#include "cases.h"
#include "exercise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Damage is told where it is met, but not for each block of a size that lies. */
enum { MESSAGES_MAX = 3000 };

struct job {
	struct image img;
	const struct poke_case *cases[400];
	unsigned count;
};

static void complain(struct verdict *v, const char *what, const struct report *r)
{
	size_t len = strlen(v->why);

	snprintf(v->why + len, sizeof(v->why) - len, "%s\n%s", what, r->log);
}

static bool unlike(int expected, int got)
{
	return expected != ANY && got != -expected;
}

static void judge(struct image *img, const struct report *r, int open_err, struct verdict *v)
{
	char text[200];

	if (unlike(open_err, r->open_err)) {
		snprintf(text, sizeof(text), "opening gave %d, not %d", -r->open_err, open_err);
		complain(v, text, r);
	}
	if (r->open_err && (!r->logged_error || !r->log[0]))
		complain(v, "refused without a message", r);
	if (r->first_odd) {
		snprintf(text, sizeof(text), "errno %d from %.150s", r->first_odd, r->odd_call);
		complain(v, text, r);
	}
	if (r->messages > MESSAGES_MAX)
		complain(v, "more messages than a log can bear", r);
	if (img->outside)
		complain(v, "a request went beyond the device", r);
}

static void judge_found(const struct report *r, int found, struct verdict *v)
{
	bool damage = r->seen[117] || r->seen[74]; /* EUCLEAN, EBADMSG */

	if (r->open_err)
		return;
	if (found > 0 && !r->seen[found] && !(found == 117 && r->seen[74]))
		complain(v, "the damage was not found", r);
	if (found == 0 && damage)
		complain(v, "damage was found where there is none", r);
	if (damage && !r->says_what_to_do)
		complain(v, "damage was met without a message that names e2fsck", r);
}

static bool applied(struct image *img, const struct poke_case *c)
{
	image_restore(img);
	img->outside = false;
	for (int k = 0; k < 2 && c->poke[k].what != OBJ_NONE; k++)
		if (!poke_apply(img, &c->poke[k]))
			return false;
	return true;
}

/* After a refusal nothing differs. */
static void compare_refused(struct job *job, const u8 *before, struct verdict *v)
{
	struct image *img = &job->img;
	u32 bs = img->sb.block_size;

	for (u64 at = 0; at < img->size; at += bs) {
		if (memcmp(img->work + at, before + at, bs) == 0)
			continue;
		snprintf(v->why + strlen(v->why), 200, "block %llu was written though refused\n",
			(unsigned long long)(at / bs));
		return;
	}
}

/*
 * What follows from damage that was met and left alone: a deleted file whose
 * blocks can't be freed stays an orphan, a group that can't be trusted keeps
 * what was freed. Blocks used but free are never among it. A file stays an
 * orphan with a size below its blocks only if its truncation said that it failed.
 */
static bool is_consequence(const char *line, const struct report *r)
{
	static const char *const kinds[] = {"Deleted inode ", "Inode bitmap differences: -",
		"Block bitmap differences: -", "Orphan file  block  is not clean.", "Clear? no",
		"Failed to initialize orphan file.", "Recreate? no", "Fix? no", "Unattached inode ",
		"Connect to ", "Extended attribute block  ", "Free blocks count wrong",
		"Inode  was part of the orphaned", "Inode  ref count", "Problem in HTREE ",
		"Free inodes count wrong", "Inodes that were part of", "\t", "Directory inode ",
		"Salvage? no", "efsck: aborted"};

	if (strncmp(line, "Inode , i_size is ", 18) == 0)
		return r->truncation_failed;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (strncmp(line, kinds[k], strlen(kinds[k])) == 0 && !strchr(line, '+'))
			return true;
	return false;
}

static void compare_fsck(struct image *img, const char *before, bool damage, const struct report *r,
	struct verdict *v)
{
	char *after = image_fsck(img), *save, needle[1100];

	for (char *line = strtok_r(after, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		size_t len = strlen(v->why);

		snprintf(needle, sizeof(needle), "\n%.1000s\n", line);
		if (damage && is_consequence(line, r))
			continue;
		if (!strstr(before, needle) && len + 300 < sizeof(v->why))
			snprintf(v->why + len, 300, "new complaint: %s\n", line);
	}
	free(after);
}

/*
 * Where a bad pointer leads to the superblock, e2fsck takes its times for what should be there:
 * what it complains about must not depend on the second in which the test ran.
 */
static void take_times_back(struct image *img, const u8 *before)
{
	static const u32 times[] = {0x2c, 0x30, 0x198, 0x1cc}; /* mount, write, errors */
	struct place super = place_find(img, OBJ_SUPER, NODE_ROOT);

	if (!super_csum_verify((const void *)super.at))
		return;
	for (size_t k = 0; k < sizeof(times) / sizeof(times[0]); k++)
		memcpy(super.at + times[k], before + EXT4_SUPER_OFFSET + times[k], 4);
	place_seal(img, OBJ_SUPER, &super);
}

static void read_write(struct job *job, const struct poke_case *c, struct verdict *v)
{
	struct image *img = &job->img;
	u8 *before = malloc(img->size);
	char *kinds = NULL;
	struct report r;

	memcpy(before, img->work, img->size);
	if (c->rw == 0 || c->rw == ANY)
		kinds = image_fsck(img);
	exercise(img, 0, &r);
	judge(img, &r, c->rw, v);
	judge_found(&r, c->found, v);
	if (r.open_err) {
		compare_refused(job, before, v);
	} else if (kinds) {
		take_times_back(img, before);
		compare_fsck(img, kinds, r.says_what_to_do || c->found != 0, &r, v);
	}
	free(kinds);
	free(before);
}

static void one(void *arg, unsigned n, struct verdict *v)
{
	struct job *job = arg;
	const struct poke_case *c = job->cases[n];
	struct image *img = &job->img;
	struct report r;

	snprintf(v->name, sizeof(v->name), "%s on %s", c->name, base_names[img->base]);
	if (!applied(img, c))
		return;
	read_write(job, c, v);
	applied(img, c);
	exercise(img, EXERCISE_RO, &r);
	judge(img, &r, c->ro, v);
	image_restore(img);
}

static void run_list(struct job *job, const struct case_list *list)
{
	char title[100];

	job->count = 0;
	for (unsigned k = 0; k < list->count; k++)
		if (list->cases[k].bases & 1u << job->img.base)
			job->cases[job->count++] = &list->cases[k];
	snprintf(title, sizeof(title), "%s, %s", base_names[job->img.base], list->name);
	campaign(title, job->count, one, job);
}

/* MD-2..4: what opening gives with one more feature bit; ANY where it depends on the rest. */
static void expect_feature(int word, u32 bit, struct poke_case *c)
{
	/* among the known: bigalloc, which is judged with extents first */
	const u32 compat = 0x1e3f, incompat = 0x67d6, read_incompat = 0x38000, ro_compat = 0x1067f;

	c->rw = c->ro = ANY;
	if (word == 0 && !(bit & compat)) {
		c->rw = c->ro = 0;
	} else if (word == 1 && bit == 8) {
		c->rw = c->ro = 117;
	} else if (word == 1 && bit & read_incompat) {
		c->rw = 30;
		c->ro = 0;
	} else if (word == 1 && !(bit & incompat)) {
		c->rw = c->ro = 95;
	} else if (word == 2 && !(bit & ro_compat)) {
		c->rw = 30;
		c->ro = ANY;
	}
}

static void feature(void *arg, unsigned n, struct verdict *v)
{
	struct job *job = arg;
	u32 bit = 1u << n % 32;
	char name[40];
	struct poke_case c = {.name = name,
		.poke = {{.what = OBJ_SUPER,
			.offset = 0x5c + n / 32 * 4,
			.len = 4,
			.value = bit,
			.set = true}},
		.found = ANY};

	image_restore(&job->img);
	if (poke_read(job->img.work + EXT4_SUPER_OFFSET + 0x5c + n / 32 * 4, 4, false) & bit)
		return;
	snprintf(name, sizeof(name), "feature word %u bit 0x%x", n / 32, bit);
	expect_feature((int)(n / 32), bit, &c);
	job->cases[0] = &c;
	one(arg, 0, v);
}

/* An image without damage passes the exercise without any error message. */
static void sound(void *arg, unsigned n, struct verdict *v)
{
	static const struct poke_case c = {.name = "no damage"};

	((struct job *)arg)->cases[0] = &c;
	one(arg, 0, v);
}

int main(int argc, char **argv)
{
	static const struct case_list *const lists[] = {
		&case_super, &case_inodes, &case_maps, &case_dirs, &case_rest};
	static struct job job;

	for (int base = 0; base < BASE_QUOTA; base++) {
		if (argc > 1 && strcmp(argv[1], base_names[base]) != 0)
			continue;
		image_build(&job.img, (enum base)base);
		campaign(base_names[base], 1, sound, &job);
		campaign("features", 96, feature, &job);
		for (size_t k = 0; k < sizeof(lists) / sizeof(lists[0]); k++)
			run_list(&job, lists[k]);
		image_free(&job.img);
	}
	return campaign_finish();
}
