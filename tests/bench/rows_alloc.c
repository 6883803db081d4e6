/* Allocation by the library: chunks to several files in turns, and the extents that come of it. */
#include "images.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <uext4.h>

#define CHUNK (16 * KIB)
#define FILES 16u
#define PASSES 8u
#define TURNS 128u
#define TURNS_SCARCE 32u /* all that fits where one per cent is free */

static struct uext4_file *file_new(struct uext4_fs *fs, const char *name)
{
	struct uext4_file *f;

	image_check(name, uext4_openat(fs, NULL, name, O_RDWR | O_CREAT, 0644, NULL, &f));
	return f;
}

static void fill_up(struct uext4_fs *fs, u32 percent)
{
	struct uext4_statfs st;
	struct uext4_file *f = file_new(fs, "ballast");
	u64 used, wanted;

	image_check("statfs", uext4_statfs(fs, &st));
	used = (st.blocks - st.blocks_free) * st.block_size;
	wanted = st.blocks * st.block_size / 100 * percent;
	if (wanted > used)
		image_check("fallocate", uext4_fallocate(f, 0, 0, wanted - used));
	uext4_file_close(f);
}

static double extents_of(struct uext4_file *f)
{
	int n = uext4_fiemap(uext4_file_inode(f), 0, UINT64_MAX, 0, NULL, 0);

	image_check("fiemap", n);
	return n;
}

/* Once: seconds, and extents in all files together. */
static double alloc_pass(struct uext4_fs *fs, u32 turns, double *extents)
{
	struct uext4_file *f[FILES];
	double begin, seconds;
	char name[32];

	for (u32 k = 0; k < FILES; k++) {
		snprintf(name, sizeof(name), "f%u", k);
		f[k] = file_new(fs, name);
	}
	begin = now();
	for (u32 at = 0; at < turns; at++)
		for (u32 k = 0; k < FILES; k++)
			image_check("fallocate", uext4_fallocate(f[k], 0, at * CHUNK, CHUNK));
	seconds = now() - begin;
	for (u32 k = 0; k < FILES; k++) {
		*extents += extents_of(f[k]);
		uext4_file_close(f[k]);
		snprintf(name, sizeof(name), "f%u", k);
		image_check(name, uext4_unlinkat(fs, NULL, name, 0, NULL));
	}
	image_check("sync", uext4_sync(fs));
	return seconds;
}

/* Chunks a second, and extents per file. */
void row_alloc(const struct row *r, struct target *t, double *out)
{
	const char *path = image_is_shared() ? image_path(IMAGE_SHARED)
					     : image_make(IMAGE_SHARED, r->image_bytes, "");
	struct uext4_fs *fs = image_open(path, 0);
	u32 turns = r->full_percent == 99 ? TURNS_SCARCE : TURNS;
	double seconds = 0, extents = 0;

	fill_up(fs, r->full_percent);
	for (u32 k = 0; k < PASSES; k++)
		seconds += alloc_pass(fs, turns, &extents);
	image_check("close", uext4_close(fs));
	out[0] = PASSES * turns * FILES / seconds;
	out[1] = extents / FILES / PASSES;
}
