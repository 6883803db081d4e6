/*
 * The status cache of one map: a tree of disjoint ranges, merged with their
 * neighbours. Delayed ranges exist only here and are never dropped (IO-20).
 */
#include "map/map_priv.h"
#include "os/mem.h"
#include "os/thread.h"

/* One change splits a range and adds one; a third is left for map_undelay, which must not fail. */
enum { SPARES = 3 };

static struct status_entry *entry_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct status_entry, node) : NULL;
}

static struct status_entry *entry_next(struct status_entry *e)
{
	return entry_of(rb_next(&e->node));
}

static struct status_entry *entry_prev(struct status_entry *e)
{
	return entry_of(rb_prev(&e->node));
}

static u64 entry_end(const struct status_entry *e)
{
	return (u64)e->lblk + e->len;
}

/* First entry that ends after lblk. */
static struct status_entry *find_from(const struct status_cache *sc, lblk_t lblk)
{
	struct rb_node *n = sc->root.node;
	struct status_entry *found = NULL;

	while (n) {
		struct status_entry *e = entry_of(n);

		if (entry_end(e) > lblk) {
			found = e;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found;
}

static void entry_link(struct status_cache *sc, struct status_entry *e)
{
	struct rb_node **link = &sc->root.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = e->lblk < entry_of(parent)->lblk ? &parent->left : &parent->right;
	}
	rb_insert(&sc->root, parent, link, &e->node);
	sc->count++;
	if (sc->cache)
		atomic_add_relaxed(&sc->cache->entries, 1);
}

void status_erase_locked(struct status_cache *sc, struct status_entry *e)
{
	ASSERT(os_rwsem_held(&sc->lock));
	rb_erase(&sc->root, &e->node);
	sc->count--;
	if (sc->cache)
		atomic_sub(&sc->cache->entries, 1);
	os_free(e);
}

void status_init(struct filemap *fm)
{
	struct status_cache *sc = &fm->status;

	*sc = (struct status_cache){.cache = fm->volume->maps};
	os_rwsem_init(&sc->lock, RANK_STATUS, "status");
	list_init(&sc->shrink_node);
}

void status_fini(struct filemap *fm)
{
	struct status_cache *sc = &fm->status;
	struct rb_node *n;

	status_unlist(fm);
	os_rwsem_lock(&sc->lock);
	while ((n = rb_first(&sc->root)) != NULL) {
		ASSERT(entry_of(n)->state != MAP_DELAYED);
		status_erase_locked(sc, entry_of(n));
	}
	while ((n = sc->spares) != NULL) {
		sc->spares = n->parent;
		os_free(entry_of(n));
	}
	sc->spare_count = 0;
	os_rwsem_unlock(&sc->lock);
	os_rwsem_fini(&sc->lock);
}

int status_reserve(struct filemap *fm)
{
	struct status_cache *sc = &fm->status;

	ASSERT(os_rwsem_held(&fm->lock));
	while (sc->spare_count < SPARES) {
		struct status_entry *e = os_alloc(sizeof(*e));

		if (!e)
			return ERR(ENOMEM);
		e->node.parent = sc->spares;
		sc->spares = &e->node;
		sc->spare_count++;
	}
	return 0;
}

/* Never fails: the spares, and for a caller that can't fail the memory of others. */
static struct status_entry *spare_take(struct status_cache *sc)
{
	struct rb_node *n = sc->spares;
	struct status_entry *e;

	if (n) {
		sc->spares = n->parent;
		sc->spare_count--;
		return entry_of(n);
	}
	while (!(e = os_alloc(sizeof(*e))))
		os_yield();
	return e;
}

bool status_lookup(struct filemap *fm, lblk_t lblk, struct mapping *out)
{
	struct status_cache *sc = &fm->status;
	struct status_entry *e;
	bool found;

	os_rwsem_lock_shared(&sc->lock);
	e = find_from(sc, lblk);
	found = e && e->lblk <= lblk;
	if (found) {
		u32 skip = lblk - e->lblk;

		*out = (struct mapping){.lblk = lblk, .len = e->len - skip, .state = e->state};
		if (map_state_mapped(out->state))
			out->pblk = e->pblk + skip;
		if (!atomic_load_relaxed(&e->referenced))
			atomic_store_relaxed(&e->referenced, 1);
	}
	os_rwsem_unlock_shared(&sc->lock);
	return found;
}

static void entry_trim_head(struct status_entry *e, u32 blocks)
{
	e->lblk += blocks;
	e->len -= blocks;
	if (map_state_mapped(e->state))
		e->pblk += blocks;
}

enum carve { CARVE_ALL, CARVE_KEEP_DELAYED, CARVE_ONLY_DELAYED };

/* Cuts [from, end) out; returns how many delayed blocks went. */
static u32 carve(struct status_cache *sc, lblk_t from, u64 end, enum carve mode)
{
	struct status_entry *e, *next, *tail;
	u32 delayed = 0;

	for (e = find_from(sc, from); e && e->lblk < end; e = next) {
		u64 cut_from = max_of(e->lblk, from), cut_end = min_of(entry_end(e), end);

		next = entry_next(e);
		if (mode != CARVE_ALL && (e->state == MAP_DELAYED) == (mode == CARVE_KEEP_DELAYED))
			continue;
		if (e->state == MAP_DELAYED)
			delayed += (u32)(cut_end - cut_from);
		if (cut_end < entry_end(e) && cut_from > e->lblk) {
			tail = spare_take(sc);
			*tail = *e;
			entry_trim_head(tail, (u32)(cut_end - e->lblk));
			e->len = (u32)(cut_from - e->lblk);
			entry_link(sc, tail);
		} else if (cut_end < entry_end(e)) {
			entry_trim_head(e, (u32)(cut_end - e->lblk));
		} else if (cut_from > e->lblk) {
			e->len = (u32)(cut_from - e->lblk);
		} else {
			status_erase_locked(sc, e);
		}
	}
	return delayed;
}

static bool follows(const struct status_entry *a, const struct status_entry *b)
{
	if (a->state != b->state || entry_end(a) != b->lblk)
		return false;
	return !map_state_mapped(a->state) || a->pblk + a->len == b->pblk;
}

/* e's range is free in the cache. Returns the entry that now contains it. */
static struct status_entry *insert_merged(struct filemap *fm, struct status_entry *e)
{
	struct status_cache *sc = &fm->status;
	struct status_entry *prev, *next;

	entry_link(sc, e);
	if (!sc->listed)
		status_listed(fm);
	next = entry_next(e);
	if (next && follows(e, next)) {
		e->len += next->len;
		status_erase_locked(sc, next);
	}
	prev = entry_prev(e);
	if (prev && follows(prev, e)) {
		prev->len += e->len;
		status_erase_locked(sc, e);
		return prev;
	}
	return e;
}

/*
 * IO-2: only a hole becomes delayed; a mapped block changes between written and unwritten where it
 * lies, and goes elsewhere only after it was forgotten.
 */
static void assert_may_follow_locked(
	const struct status_cache *sc, lblk_t lblk, u64 end, pblk_t pblk, enum map_state state)
{
	struct status_entry *e;

	for (e = find_from(sc, lblk); e && e->lblk < end; e = entry_next(e)) {
		ASSERT(state != MAP_DELAYED || !map_state_mapped(e->state));
		ASSERT(!map_state_mapped(state) || !map_state_mapped(e->state) ||
			pblk - lblk == e->pblk - e->lblk);
	}
}

u32 status_set(struct filemap *fm, lblk_t lblk, u32 len, pblk_t pblk, enum map_state state)
{
	struct status_cache *sc = &fm->status;
	struct status_entry *e;
	u32 delayed;

	ASSERT(os_rwsem_held(&fm->lock));
	os_rwsem_lock(&sc->lock);
	assert_may_follow_locked(sc, lblk, (u64)lblk + len, pblk, state);
	delayed = carve(sc, lblk, (u64)lblk + len, CARVE_ALL);
	atomic_add_relaxed(&fm->delayed, (state == MAP_DELAYED ? (u64)len : 0) - delayed);
	e = spare_take(sc);
	*e = (struct status_entry){.lblk = lblk, .len = len, .state = (u8)state, .referenced = 1};
	e->pblk = map_state_mapped(state) ? pblk : 0;
	insert_merged(fm, e);
	os_rwsem_unlock(&sc->lock);
	return delayed;
}

static struct mapping entry_mapping(const struct status_entry *e)
{
	return (struct mapping){
		.lblk = e->lblk, .len = e->len, .pblk = e->pblk, .state = (enum map_state)e->state};
}

/* Clips *m to the gap around key; false when another thread filled it meanwhile: *m is what it
 * found. */
static bool clip_to_gap(const struct status_cache *sc, lblk_t key, struct mapping *m)
{
	struct status_entry *next = find_from(sc, key), *prev;
	u64 from = m->lblk, end = mapping_end(m);

	if (next && next->lblk <= key) {
		*m = entry_mapping(next);
		return false;
	}
	prev = next ? entry_prev(next) : entry_of(rb_last(&sc->root));
	if (prev)
		from = max_of(from, entry_end(prev));
	if (next)
		end = min_of(end, next->lblk);
	if (map_state_mapped(m->state))
		m->pblk += from - m->lblk;
	m->lblk = (lblk_t)from;
	m->len = (u32)(end - from);
	return true;
}

void status_fill(struct filemap *fm, lblk_t key, struct mapping *m)
{
	struct status_cache *sc = &fm->status;
	struct status_entry *e = os_alloc(sizeof(*e)); /* no memory: not cached, but clipped */

	ASSERT(os_rwsem_held_shared(&fm->lock));
	os_rwsem_lock(&sc->lock);
	if (clip_to_gap(sc, key, m) && e) {
		*e = (struct status_entry){
			.lblk = m->lblk, .len = m->len, .state = (u8)m->state, .pblk = m->pblk};
		*m = entry_mapping(insert_merged(fm, e));
		e = NULL;
	}
	os_rwsem_unlock(&sc->lock);
	os_free(e);
}

void status_forget(struct filemap *fm, lblk_t from, lblk_t end)
{
	ASSERT(os_rwsem_held(&fm->lock));
	os_rwsem_lock(&fm->status.lock);
	carve(&fm->status, from, end, CARVE_KEEP_DELAYED);
	os_rwsem_unlock(&fm->status.lock);
}

u32 status_undelay(struct filemap *fm, lblk_t from, lblk_t end)
{
	u32 delayed;

	ASSERT(os_rwsem_held(&fm->lock));
	os_rwsem_lock(&fm->status.lock);
	delayed = carve(&fm->status, from, end, CARVE_ONLY_DELAYED);
	atomic_add_relaxed(&fm->delayed, -(u64)delayed);
	os_rwsem_unlock(&fm->status.lock);
	return delayed;
}

bool status_has_delayed(struct filemap *fm, lblk_t from, lblk_t end)
{
	struct status_entry *e;
	bool found = false;

	os_rwsem_lock_shared(&fm->status.lock);
	for (e = find_from(&fm->status, from); e && e->lblk < end && !found; e = entry_next(e))
		found = e->state == MAP_DELAYED;
	os_rwsem_unlock_shared(&fm->status.lock);
	return found;
}

/* One piece of a cached range against the tree; *len = how much of it agrees. */
static int piece_verify(struct filemap *fm, const struct mapping *c, u32 *len)
{
	struct mapping t;
	enum map_state want = c->state == MAP_DELAYED ? MAP_HOLE : c->state;
	int err = tree_lookup(fm, c->lblk, &t);

	if (err)
		return err;
	if (t.state != want)
		return ERR(EUCLEAN);
	if (map_state_mapped(want) && t.pblk + (c->lblk - t.lblk) != c->pblk)
		return ERR(EUCLEAN);
	*len = (u32)(min_of(mapping_end(&t), mapping_end(c)) - c->lblk);
	return 0;
}

int status_verify(struct filemap *fm)
{
	struct rb_node *n;
	int err = 0;

	os_rwsem_lock_shared(&fm->status.lock);
	for (n = rb_first(&fm->status.root); n && !err; n = rb_next(n)) {
		struct status_entry *e = entry_of(n);
		struct mapping c = {
			.lblk = e->lblk, .len = e->len, .pblk = e->pblk, .state = e->state};
		u32 len = 0;

		while (!err && c.len > 0) {
			err = piece_verify(fm, &c, &len);
			c.lblk += len;
			c.len -= len;
			if (map_state_mapped(c.state))
				c.pblk += len;
		}
	}
	os_rwsem_unlock_shared(&fm->status.lock);
	return err;
}
