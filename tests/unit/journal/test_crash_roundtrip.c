/*
 * Several threads, power cuts, several lives of one image.
 *
 * Blocks come in groups: an index block says what each of its slots is - a
 * metadata block with a value, file data with a value, or free - and which
 * operation changed it last. An operation changes one or two groups in one
 * handle. Slots are freed, overwritten as file data behind the journal's back
 * once the freeing is durable, and become metadata again.
 *
 * After a cut and recovery: the groups are the state of all operations up to
 * some transaction (JB-1), at least the newest acknowledged one; every slot
 * holds what its index says. Data that was durable before the index named it
 * is never overwritten by a replay (JB-15). Then the next life begins from one
 * of the cuts, with what the last one left in the log (JB-31).
 */
#include "power.h"

#include "base/util.h"
#include "os/atomic.h"
#include "os/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 3
#define GROUPS 6
#define SLOTS 4
#define OPS_MAX 4096
#define CUTS 60

enum slot_kind { SLOT_META, SLOT_DATA, SLOT_FREE };

/* What an index block holds. */
struct index {
	u64 op;
	u64 kind[SLOTS], value[SLOTS];
};

struct op {
	tid_nr tid;
	bool changed; /* an index names it; else no image can tell whether it is there */
	size_t acked; /* stream length when a commit of it was acknowledged */
};

struct group {
	struct os_mutex lock; /* rank GROUP */
	bool busy;	      /* lock; a slot is between free and data */
	u64 ops[OPS_MAX];     /* lock; in order; [0] is from before this life */
	u32 count;
};

static struct {
	struct fixture f;
	struct power p;
	struct group group[GROUPS];
	struct op ops[OPS_MAX]; /* [0]: before this life */
	u64 first_op;		/* number of ops[0]; numbers go on over the lives */
	u64 next_op;		/* atomic */
	u32 per_thread;
} w;

struct worker {
	struct os_thread *t;
	u64 seed;
};

static u32 rnd(u64 *seed, u32 n)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(*seed >> 40) % n;
}

static pblk_t index_block(u32 g)
{
	return FX_META + (pblk_t)g * (SLOTS + 1);
}

static pblk_t slot_block(u32 g, u32 slot)
{
	return index_block(g) + 1 + slot;
}

static struct op *op_of(u64 number)
{
	if (number <= w.first_op)
		return &w.ops[0];
	assert_true(number - w.first_op < OPS_MAX);
	return &w.ops[number - w.first_op];
}

/* --- operations --- */

static void set_index(struct handle *h, u32 g, u64 op, u32 slot, enum slot_kind kind, u64 value)
{
	struct index *ix;
	struct buf *b;

	assert_int_equal(buf_read(w.f.cache, index_block(g), &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(buf_write_access(h, b), 0);
	ix = (struct index *)b->data;
	ix->op = op;
	op_of(op)->changed = true;
	ix->kind[slot] = kind;
	ix->value[slot] = value;
	assert_int_equal(buf_dirty(h, b), 0);
	buf_put(b);
	w.group[g].ops[w.group[g].count++] = op;
}

static void write_meta(struct handle *h, pblk_t pblk, u64 value)
{
	struct buf *b;

	assert_int_equal(buf_read(w.f.cache, pblk, &fx_type, &fx_ctx, &b), 0);
	assert_int_equal(buf_write_access(h, b), 0);
	fx_fill(b->data, pblk, value);
	assert_int_equal(buf_dirty(h, b), 0);
	buf_put(b);
}

/* JB-9: the block may be on the forget list of an older transaction. */
static void create_meta(struct handle *h, pblk_t pblk, u64 value)
{
	struct buf *b;

	assert_int_equal(buf_create(h, w.f.cache, pblk, &fx_type, &fx_ctx, &b), 0);
	fx_fill(b->data, pblk, value);
	assert_int_equal(buf_dirty(h, b), 0);
	buf_put(b);
}

static enum slot_kind kind_of(u32 g, u32 slot)
{
	struct buf *b;
	enum slot_kind kind;

	assert_int_equal(buf_read(w.f.cache, index_block(g), &fx_type, &fx_ctx, &b), 0);
	kind = (enum slot_kind)((struct index *)b->data)->kind[slot];
	buf_put(b);
	return kind;
}

/* One group's part of an operation; true: the slot was freed and is the caller's. */
static bool change_group(struct handle *h, u64 *seed, u32 g, u64 op, u32 slot)
{
	pblk_t pblk = slot_block(g, slot);

	if (kind_of(g, slot) != SLOT_META) {
		create_meta(h, pblk, op);
		set_index(h, g, op, slot, SLOT_META, op);
		return false;
	}
	switch (w.group[g].busy ? 0 : rnd(seed, 4)) {
	case 0:
	case 1:
		write_meta(h, pblk, op);
		set_index(h, g, op, slot, SLOT_META, op);
		return false;
	case 2: /* freed and taken again at once */
		assert_int_equal(journal_forget(h, w.f.cache, pblk, NULL), 0);
		create_meta(h, pblk, op);
		set_index(h, g, op, slot, SLOT_META, op);
		return false;
	default:
		assert_int_equal(journal_forget(h, w.f.cache, pblk, NULL), 0);
		set_index(h, g, op, slot, SLOT_FREE, 0);
		w.group[g].busy = true;
		return true;
	}
}

static void ack(u64 op)
{
	assert_int_equal(journal_commit(w.f.j, op_of(op)->tid, NULL), 0);
	op_of(op)->acked = power_now(&w.p);
}

static u64 begin_op(struct handle *h)
{
	u64 op = atomic_add(&w.next_op, 1);

	*op_of(op) = (struct op){.tid = handle_tid(h), .acked = SIZE_MAX};
	return op;
}

/* The freed slot becomes file data: only when the freeing is durable (JB-15, AL-4). */
static void write_data(u32 g, u32 slot, u64 freed_by)
{
	pblk_t pblk = slot_block(g, slot);
	u8 data[FX_BLOCK_SIZE] = {0};
	struct handle h;
	u64 op;

	ack(freed_by);
	bcache_invalidate(w.f.cache, pblk, 1);
	fx_fill(data, pblk, ~freed_by);
	assert_int_equal(dev_write(w.f.dev, pblk * FX_BLOCK_SIZE, data, sizeof(data), 0), 0);
	assert_int_equal(dev_flush(w.f.dev), 0);
	assert_int_equal(handle_start(w.f.j, &h, 1, 0), 0);
	os_mutex_lock(&w.group[g].lock);
	op = begin_op(&h);
	set_index(&h, g, op, slot, SLOT_DATA, ~freed_by);
	w.group[g].busy = false;
	os_mutex_unlock(&w.group[g].lock);
	assert_int_equal(handle_stop(&h), 0);
}

static void one_op(u64 *seed)
{
	u32 a = rnd(seed, GROUPS), b = rnd(seed, GROUPS), low = min_of(a, b), high = max_of(a, b);
	u32 slot = rnd(seed, SLOTS), slot2 = rnd(seed, SLOTS);
	bool freed = false, freed2 = false;
	struct handle h;
	u64 op;

	assert_int_equal(handle_start(w.f.j, &h, 4, 2), 0);
	os_mutex_lock_nested(&w.group[low].lock, 0);
	if (high != low)
		os_mutex_lock_nested(&w.group[high].lock, 1);
	op = begin_op(&h);
	/* A slot between free and data belongs to whoever freed it. */
	if (kind_of(low, slot) != SLOT_FREE)
		freed = change_group(&h, seed, low, op, slot);
	if (high != low && kind_of(high, slot2) != SLOT_FREE)
		freed2 = change_group(&h, seed, high, op, slot2);
	if (high != low)
		os_mutex_unlock(&w.group[high].lock);
	os_mutex_unlock(&w.group[low].lock);
	assert_int_equal(handle_stop(&h), 0);
	if (freed)
		write_data(low, slot, op);
	if (freed2)
		write_data(high, slot2, op);
	if (rnd(seed, 10) == 0 && op_of(op)->changed)
		ack(op);
	if (rnd(seed, 60) == 0)
		assert_int_equal(journal_flush(w.f.j), 0);
}

static void work(void *arg)
{
	struct worker *me = arg;
	u32 i;

	for (i = 0; i < w.per_thread; i++)
		one_op(&me->seed);
}

/* --- checks --- */

static const struct index *index_at(const u8 *image, u32 g)
{
	return (const void *)(image + index_block(g) * FX_BLOCK_SIZE);
}

static void check_slot(const u8 *image, u32 g, u32 slot)
{
	const struct index *ix = index_at(image, g);
	const u8 *data = image + slot_block(g, slot) * FX_BLOCK_SIZE;
	u8 want[FX_BLOCK_SIZE] = {0};

	if (ix->kind[slot] == SLOT_FREE || (ix->kind[slot] == SLOT_META && !ix->value[slot]))
		return;
	fx_fill(want, slot_block(g, slot), ix->value[slot]);
	if (memcmp(data, want, FX_BLOCK_SIZE - 4) != 0)
		fail_msg("group %u slot %u, %s: not the contents of %llx", g, slot,
			ix->kind[slot] == SLOT_META ? "metadata" : "data",
			(unsigned long long)ix->value[slot]);
}

/* Newest operation of group g in a transaction up to tid. */
static u64 newest(u32 g, tid_nr tid)
{
	const struct group *gr = &w.group[g];
	u32 i = gr->count;

	while (i--)
		if ((s32)(tid - op_of(gr->ops[i])->tid) >= 0)
			return gr->ops[i];
	fail();
	return 0;
}

static void check_image(const u8 *image, size_t cut)
{
	tid_nr tid = 0;
	u64 i;
	u32 g, s;

	for (g = 0; g < GROUPS; g++)
		tid = max_of(tid, op_of(index_at(image, g)->op)->tid);
	for (g = 0; g < GROUPS; g++) {
		if (index_at(image, g)->op != newest(g, tid))
			fail_msg("cut %zu: group %u has operation %llu, but transaction %u is "
				 "there",
				cut, g, (unsigned long long)index_at(image, g)->op, tid);
		for (s = 0; s < SLOTS; s++)
			check_slot(image, g, s);
	}
	for (i = w.first_op + 1; i <= w.next_op; i++)
		if (op_of(i)->acked <= cut && op_of(i)->tid > tid)
			fail_msg("cut %zu: transaction %u was acknowledged, %u is there", cut,
				op_of(i)->tid, tid);
}

static struct fixture_options life_options;

/* Formats nothing: f gets the state of a cut. */
static void restore(struct fixture *f, size_t cut, u64 choice)
{
	fx_format(f, &life_options);
	power_cut(&w.p, 0, cut, choice, dev_mem_data(f->mem));
	if (life_options.external)
		power_cut(&w.p, 1, cut, choice + 1000, dev_mem_data(f->log_mem));
}

static void check_cut(size_t cut, u64 choice)
{
	struct fixture f;

	restore(&f, cut, choice);
	assert_int_equal(fx_attach(&f, false), 0);
	if (journal_is_dirty(f.j))
		assert_int_equal(journal_recover(f.j, f.dev, true), 0);
	check_image(dev_mem_data(f.mem), cut);
	fx_close(&f);
}

/* --- lives --- */

static void begin_life(void)
{
	struct buf *b;
	u32 g;

	assert_int_equal(fx_attach(&w.f, true), 0);
	w.first_op = w.next_op;
	w.ops[0] = (struct op){.acked = SIZE_MAX};
	for (g = 0; g < GROUPS; g++) {
		assert_int_equal(buf_read(w.f.cache, index_block(g), &fx_type, &fx_ctx, &b), 0);
		w.group[g].ops[0] = ((struct index *)b->data)->op;
		buf_put(b);
		w.group[g].count = 1;
		w.group[g].busy = false;
	}
}

/* Slots that a crash left free become metadata. */
static void take_free_slots(void)
{
	struct handle h;
	u32 g, s;
	u64 op;

	for (g = 0; g < GROUPS; g++) {
		assert_int_equal(handle_start(w.f.j, &h, SLOTS + 1, 0), 0);
		op = begin_op(&h);
		for (s = 0; s < SLOTS; s++)
			if (kind_of(g, s) == SLOT_FREE) {
				create_meta(&h, slot_block(g, s), op);
				set_index(&h, g, op, s, SLOT_META, op);
			}
		assert_int_equal(handle_stop(&h), 0);
	}
}

static void live(u64 seed)
{
	struct worker workers[THREADS];
	u32 i;

	begin_life();
	take_free_slots();
	for (i = 0; i < THREADS; i++) {
		workers[i].seed = seed * 31 + i;
		assert_int_equal(os_thread_create(&workers[i].t, "life", work, &workers[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		os_thread_join(workers[i].t);
	assert_int_equal(fx_detach(&w.f), 0);
}

static void check_life(u64 seed)
{
	size_t cut;
	u32 i;

	/* The recovery that the life began with. */
	for (cut = 0; cut < min_of((size_t)CUTS, w.p.count); cut++)
		check_cut(cut, 0);
	for (i = 0; i < CUTS; i++) {
		cut = i == 0 ? w.p.count : (size_t)rnd(&seed, (u32)w.p.count + 1);
		check_cut(cut, 0);
		check_cut(cut, 1);
		check_cut(cut, 2 + i);
	}
}

/* The next life begins at some cut of this one. */
static void next_life(u64 seed)
{
	struct fixture next;

	restore(&next, w.p.count / 4 + rnd(&seed, (u32)w.p.count / 2), rnd(&seed, 100));
	fx_close(&w.f);
	power_free(&w.p);
	w.f = next;
}

static void lives(const struct fixture_options *opt, u32 count, u32 per_thread)
{
	u32 i;

	life_options = *opt;
	w.per_thread = per_thread;
	w.next_op = 0;
	for (i = 0; i < GROUPS; i++)
		os_mutex_init(&w.group[i].lock, RANK_GROUP, "group");
	fx_format(&w.f, opt);
	for (i = 0; i < count; i++) {
		power_on(&w.p, &w.f);
		live(i + 1);
		power_off(&w.p, &w.f);
		check_life(i + 1);
		next_life(i + 1);
	}
	fx_close(&w.f);
}

static void test_v3_tiny_ring(void **state)
{
	lives(
		&(struct fixture_options){
			.ring = 64, .incompat = 0x12, .csum = true, .is_64bit = true},
		4, 120);
}

static void test_no_checksums(void **state)
{
	lives(&(struct fixture_options){.ring = 128}, 3, 150);
}

static void test_JB_23_external(void **state)
{
	lives(&(struct fixture_options){.ring = 96, .csum = true, .external = true}, 4, 120);
}

static void test_JB_30_sequence_wrap(void **state)
{
	lives(&(struct fixture_options){.sequence = 0xfffffff8, .ring = 100, .split_log = true}, 3,
		80);
}

static void test_whole_log(void **state)
{
	lives(&(struct fixture_options){.csum = true}, 2, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v3_tiny_ring),
		cmocka_unit_test(test_no_checksums),
		cmocka_unit_test(test_JB_23_external),
		cmocka_unit_test(test_JB_30_sequence_wrap),
		cmocka_unit_test(test_whole_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
