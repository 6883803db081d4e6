/* The steps of a check, and what they share: reading, memory, threads. */
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "dev/devices.h"
#include "disk/quota_format.h"
#include "os/atomic.h"
#include "os/mem.h"
#include "os/thread.h"

#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 16, PROGRESS_EVERY = 16 };
#define WINDOW_SMALL (64u << 10)
#define WINDOW_LARGE (1u << 20)
#define THREADS_FROM (64ull << 20) /* bytes of inode tables */

/* --- memory --- */

static int count_memory(struct check *c, u64 bytes)
{
	u64 all = atomic_add_relaxed(&c->res->memory, bytes);

	return c->opt->max_memory && all > c->opt->max_memory ? ERR(ENOMEM) : 0;
}

void *check_alloc(struct check *c, u64 n, u64 size)
{
	void *p = count_memory(c, n * size) ? NULL : os_calloc(n, size);

	if (!p && !c->err)
		c->err = ERR(ENOMEM);
	return p;
}

int check_grow(struct check *c, void **items, u32 *max, u32 count, size_t size)
{
	u32 new_max = *max ? *max * 2 : 64;
	void *more;

	if (count < *max)
		return 0;
	if (count_memory(c, (new_max - *max) * (u64)size))
		return ERR(ENOMEM);
	more = os_realloc(*items, new_max * size);
	if (!more)
		return ERR(ENOMEM);
	*items = more;
	*max = new_max;
	return 0;
}

int check_scratch_init(struct scratch *s, struct check *c)
{
	u32 bs = c->sb.block_size;
	u64 table = (u64)c->sb.itable_blocks * c->sb.group_count * bs;
	u32 window = max_of(table > THREADS_FROM ? WINDOW_LARGE : WINDOW_SMALL, bs);

	*s = (struct scratch){.c = c, .window_blocks = window / bs};
	s->pages_size = (size_t)window + (NODES_MAX + 1) * (size_t)bs;
	if (count_memory(c, s->pages_size))
		return ERR(ENOMEM);
	s->pages = os_alloc_pages(s->pages_size);
	if (!s->pages)
		return ERR(ENOMEM);
	s->window = s->pages;
	for (u32 k = 0; k < NODES_MAX; k++)
		s->node[k] = s->pages + window + (size_t)k * bs;
	s->block = s->pages + window + (size_t)NODES_MAX * bs;
	return 0;
}

void check_scratch_fini(struct scratch *s)
{
	if (s->pages)
		os_free_pages(s->pages, s->pages_size);
	os_free(s->runs);
	os_free(s->table);
	os_free(s->dx);
	os_free(s->dx_entries);
}

/* --- reading --- */

int check_read(struct check *c, pblk_t pblk, u32 count, void *buf, ino_nr ino)
{
	u32 bs = c->sb.block_size;
	int err = dev_read(c->dev, pblk * bs, buf, (size_t)count * bs);

	if (!err)
		return 0;
	check_found(c, CHECK_IO, ino, pblk, "blocks %llu-%llu can't be read: %s",
		(unsigned long long)pblk, (unsigned long long)(pblk + count - 1), strerror(-err));
	return err;
}

/* --- threads --- */

struct job {
	struct check *c;
	const char *step;
	u32 count;
	u32 next; /* atomic */
	void (*fn)(struct scratch *s, u32 index);
};

struct worker {
	struct os_work work;
	struct job *job;
};

static void job_run(struct job *j)
{
	struct scratch s;
	u32 index;

	if (check_scratch_init(&s, j->c)) {
		check_stop(j->c, ERR(ENOMEM));
		return;
	}
	while ((index = atomic_add(&j->next, 1) - 1) < j->count && !check_stopped(j->c)) {
		j->fn(&s, index);
		if (index % PROGRESS_EVERY == 0)
			check_progress(j->c, j->step, index, j->count);
	}
	check_scratch_fini(&s);
}

static void worker_run(struct os_work *w)
{
	job_run(((struct worker *)w)->job);
}

static unsigned thread_count(const struct check *c, bool large)
{
	unsigned n = c->opt->threads;

	if (!n)
		n = large ? min_of(os_cpu_count(), (unsigned)THREADS_MAX) : 1;
	return min_of(n, (unsigned)THREADS_MAX);
}

void check_each(struct check *c, const char *step, u32 count, bool large,
	void (*fn)(struct scratch *s, u32 index))
{
	struct job job = {.c = c, .step = step, .count = count, .fn = fn};
	struct worker workers[THREADS_MAX];
	unsigned n = min_of(thread_count(c, large), max_of(count, 1u));
	struct os_workqueue *wq;

	if (n <= 1 || os_workqueue_create(&wq, "check", n)) {
		job_run(&job);
		return;
	}
	for (unsigned k = 0; k < n; k++) {
		workers[k].job = &job;
		os_work_init(&workers[k].work, worker_run);
		os_work_queue(wq, &workers[k].work);
	}
	os_workqueue_destroy(wq);
}

/* --- the steps --- */

static int tables_alloc(struct check *c)
{
	const struct super_info *sb = &c->sb;
	u64 clusters = div_up(sb->blocks_count, sb->blocks_per_cluster);

	c->map_bytes = (sb->inodes_per_group + 7) / 8;
	c->used = check_alloc(c, clusters / 64 + 1, sizeof(u64));
	c->facts = check_alloc(c, sb->inodes_count, sizeof(*c->facts));
	c->inode_map = check_alloc(c, sb->group_count, c->map_bytes);
	return c->used && c->facts && c->inode_map ? 0 : ERR(ENOMEM);
}

static bool is_large(const struct check *c)
{
	return (u64)c->sb.itable_blocks * c->sb.group_count * c->sb.block_size > THREADS_FROM;
}

static int compare_dirs(const void *a, const void *b)
{
	const struct dir *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* Several threads found them in any order. */
static void sort_dirs(struct check *c)
{
	for (u32 k = 1; k < c->dir_count; k++) {
		if (c->dirs[k - 1].ino > c->dirs[k].ino) {
			qsort(c->dirs, c->dir_count, sizeof(*c->dirs), compare_dirs);
			return;
		}
	}
}

/* Who uses the blocks that are used twice: everything is walked again. */
static void name_owners(struct check *c)
{
	u64 before = c->res->problems;

	c->owners = true;
	for (group_nr g = 0; g < c->sb.group_count; g++)
		check_claim_group(c, g);
	check_each(c, "Shared blocks", c->sb.group_count, false, check_scan_group);
	c->owners = false;
	if (c->res->problems == before)
		check_found(c, CHECK_SHARED, 0, 0, "a file uses blocks of its own twice");
}

static void check_all(struct check *c, struct scratch *s)
{
	bool large = is_large(c);

	check_super(c, s);
	check_groups(c);
	check_orphans(c, s);
	check_each(c, "Inodes", c->sb.group_count, large, check_scan_group);
	if (check_stopped(c))
		return;
	check_xattr_refs(c);
	if (c->twice)
		name_owners(c);
	sort_dirs(c);
	check_each(c, "Directories", c->dir_count, large, check_dir);
	check_tree(c);
	check_each(c, "Bitmaps", c->sb.group_count, large, check_bitmaps);
	check_counts(c);
	if (super_has_quota(&c->sb))
		check_each(c, "Quotas", QUOTA_TYPES, large, check_quota);
	if (c->saved_count)
		check_find_paths(c, s);
}

static void summarise(struct check *c)
{
	c->res->blocks_total = c->sb.blocks_count;
	c->res->inodes_total = c->sb.inodes_count;
	c->res->directories = c->dir_count;
}

/* From the superblock to the descriptors, with the log replayed. */
static int begin(struct check *c, struct scratch *s)
{
	int err = check_scratch_init(s, c);

	if (!err)
		err = check_load_groups(c);
	if (err)
		return err;
	c->res->unclean = super_has_recover(&c->sb) || !(c->sb.state & EXT4_STATE_VALID);
	if (super_has_journal(&c->sb))
		err = check_journal(c, s);
	if (!err)
		err = tables_alloc(c);
	return err;
}

static int run(struct check *c)
{
	struct scratch s = {0};
	int err = check_read_super(c);

	if (!err)
		err = begin(c, &s);
	if (!err)
		check_all(c, &s);
	if (check_stopped(c))
		err = c->err;
	check_deliver_saved(c);
	summarise(c);
	check_scratch_fini(&s);
	return err > 0 ? 0 : err; /* > 0: told, and there is no going on */
}

static void cleanup(struct check *c)
{
	for (u32 k = 0; k < c->dir_count; k++) {
		os_free(c->dirs[k].inline_data);
		os_free(c->dirs[k].name);
	}
	os_free(c->dirs);
	os_free(c->runs);
	os_free(c->xblocks);
	os_free(c->owner_table);
	os_free(c->facts);
	os_free(c->inode_map);
	os_free(c->used);
	os_free(c->twice);
	os_free(c->gdt);
	os_free(c->group_bad);
	dev_close(c->overlay);
	os_mutex_fini(&c->xattr_lock);
	os_mutex_fini(&c->lock);
}

int check_device(struct dev *dev, const struct check_options *opt, struct check_result *out)
{
	static const struct check_options none;
	struct check c = {.dev = dev, .opt = opt ? opt : &none, .res = out};
	int err;

	*out = (struct check_result){0};
	os_mutex_init(&c.xattr_lock, RANK_XATTR, "check_xattr");
	os_mutex_init(&c.lock, RANK_LEAF, "check");
	err = run(&c);
	cleanup(&c);
	return err;
}
