/* Many threads at once: nothing handed out twice, sums exact when they are done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "model.h"
#include "os/atomic.h"
#include "os/thread.h"

enum { THREADS = 4, ROUNDS = 600, KEEP = 64 };

struct worker {
	struct fixture *f;
	u8 *owned; /* one byte per block, set atomically: who took it */
	u32 seed;
	int bad;
	struct alloc_result kept[KEEP];
	ino_nr inos[KEEP];
};

static u32 next(struct worker *w, u32 n)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % n;
}

static void own(struct worker *w, const struct alloc_result *r)
{
	for (u32 i = 0; i < r->len; i++)
		if (atomic_xchg(&w->owned[r->pblk + i], 1) != 0)
			atomic_add(&w->bad, 1);
}

static void disown(struct worker *w, const struct alloc_result *r)
{
	for (u32 i = 0; i < r->len; i++)
		if (atomic_xchg(&w->owned[r->pblk + i], 0) != 1)
			atomic_add(&w->bad, 1);
}

static void replace_blocks(struct worker *w, struct prealloc *pa, u32 lblk)
{
	struct alloc_result *slot = &w->kept[next(w, KEEP)];
	struct alloc_request req = {.lblk = lblk,
		.file_blocks = lblk,
		.len = 1 + next(w, 40),
		.pa = next(w, 4) ? pa : NULL,
		.flags = next(w, 5) ? 0 : SPACE_METADATA};
	struct handle h;
	int err = 0;

	if (handle_start(w->f->v.journal, &h, 64, 64)) {
		w->bad++;
		return;
	}
	if (slot->len) {
		disown(w, slot);
		err = space_free(&h, &w->f->v, 12, slot->pblk, slot->len, req.flags);
		slot->len = 0;
	}
	if (!err)
		err = space_alloc(&h, &w->f->v, &req, slot);
	if (err) {
		slot->len = 0;
		w->bad += err != -ENOSPC;
	} else {
		own(w, slot);
	}
	w->bad += handle_stop(&h) != 0;
	if (err == -ENOSPC) {
		unsigned attempts = 0;

		space_retry(&w->f->v, &attempts);
	}
}

static void replace_inode(struct worker *w)
{
	ino_nr *slot = &w->inos[next(w, KEEP)];
	struct inode_alloc_request req = {.parent = 2};
	struct handle h;
	int err;

	if (handle_start(w->f->v.journal, &h, 2 * SPACE_INODE_CREDITS, 0)) {
		w->bad++;
		return;
	}
	if (*slot) {
		err = space_inode_free(&h, &w->f->v, *slot, false);
		*slot = 0;
	} else {
		err = space_inode_alloc(&h, &w->f->v, &req, slot);
	}
	w->bad += err != 0;
	w->bad += handle_stop(&h) != 0;
}

static void churn(void *arg)
{
	struct worker *w = arg;
	struct prealloc pa;
	u32 lblk = 0;

	prealloc_init(&pa);
	for (u32 i = 0; i < ROUNDS; i++) {
		replace_blocks(w, &pa, lblk += 40);
		if (i % 3 == 0)
			replace_inode(w);
		if (i % 200 == 199 && journal_commit_all(w->f->v.journal, NULL))
			w->bad++;
		if (w->kept[i % KEEP].len && space_range_check(&w->f->v, 12, w->kept[i % KEEP].pblk,
						     w->kept[i % KEEP].len))
			w->bad++;
	}
	prealloc_discard(&w->f->v, &pa);
}

static void give_back(struct worker *w)
{
	struct handle h;

	for (u32 i = 0; i < KEEP; i++) {
		fixture_start(w->f, &h, 16, 0);
		if (w->kept[i].len)
			assert_int_equal(
				space_free(&h, &w->f->v, 12, w->kept[i].pblk, w->kept[i].len, 0),
				0);
		if (w->inos[i])
			assert_int_equal(space_inode_free(&h, &w->f->v, w->inos[i], false), 0);
		fixture_stop(&h);
	}
}

static void run(u64 bytes, const char *options)
{
	struct fixture f;
	struct worker *w = calloc(THREADS, sizeof(*w));
	struct os_thread *t[THREADS];
	struct space_counts before, after;
	u8 *owned;

	fixture_make(&f, bytes, options);
	fixture_mount(&f, 0);
	space_counts(&f.v, &before);
	owned = calloc(1, f.v.sb.blocks_count);
	for (u32 i = 0; i < THREADS; i++) {
		w[i].f = &f;
		w[i].owned = owned;
		w[i].seed = i + 1;
		assert_int_equal(os_thread_create(&t[i], "churn", churn, &w[i]), 0);
	}
	for (u32 i = 0; i < THREADS; i++)
		os_thread_join(t[i]);
	for (u32 i = 0; i < THREADS; i++) {
		assert_int_equal(w[i].bad, 0);
		give_back(&w[i]);
	}
	space_counts(&f.v, &after);
	assert_int_equal(after.free_blocks, before.free_blocks);
	assert_int_equal(after.free_inodes, before.free_inodes);
	assert_int_equal(after.claimed, 0);
	fixture_unmount(&f);
	assert_int_equal(f.errors, 0);
	fixture_fsck(&f);
	fixture_remove(&f);
	free(owned);
	free(w);
}

static void test_threads_with_journal(void **unused)
{
	run(128 << 20, "-b 4096");
}

static void test_threads_small_groups(void **unused)
{
	run(40 << 20, "-b 1024 -g 512");
}

static void test_threads_without_journal(void **unused)
{
	run(64 << 20, "-b 1024 -O ^has_journal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads_with_journal),
		cmocka_unit_test(test_threads_small_groups),
		cmocka_unit_test(test_threads_without_journal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
