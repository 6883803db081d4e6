/* Images to begin with: made by mke2fs on poison, and filled through a first mount. */
#include "base/mutant.h"
#include "sim/disk/mkfs.h"
#include "sim/load/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const struct base *b, const char *what, int err)
{
	fprintf(stderr, "uext4-sim: base %s: %s: %s\n", b->name, what, strerror(-err));
	exit(2);
}

static struct oracle *first_oracle(struct world *w)
{
	struct uext4_inode *root;
	struct uext4_stat st;

	if (uext4_root(w->fs, &root) || uext4_stat(root, &st))
		die(w->base, "the root", -EIO);
	uext4_inode_put(root);
	return oracle_create((u16)st.links, (u16)st.mode);
}

static void make(struct base *b, world_prepare_fn *prepare)
{
	struct sim_pages image;
	struct world w;
	int err = sim_mkfs(&b->image, (u64)b->kib << 10, b->mke2fs);

	if (err)
		die(b, "mke2fs", err);
	world_create(&w, b, NULL);
	world_mount(&w);
	w.oracle = first_oracle(&w);
	if (prepare)
		prepare(&w);
	world_settle(&w);
	world_unmount(&w);
	sim_pages_clone(&image, sim_disk_pages(w.disk));
	sim_pages_fini(&b->image);
	b->image = image;
	b->oracle = w.oracle;
	b->oracle->lossy = b->lossy;
	w.oracle = NULL;
	world_destroy(&w);
	b->ready = true;
}

/* Without the planted bug: it is for the runs. */
void base_make(struct base *b, world_prepare_fn *prepare)
{
	enum mutant active = mutant_active;

	mutant_active = MUTANT_NONE;
	if (!b->ready)
		make(b, prepare);
	mutant_active = active;
}

void base_free(struct base *b)
{
	if (!b->ready)
		return;
	sim_pages_fini(&b->image);
	oracle_destroy(b->oracle);
	b->ready = false;
}
