/*
 * Bounded memory of the status caches of a volume: maps stand in a ring, the
 * shrinker passes over them and drops ranges nobody looked up since its last
 * pass. Delayed ranges stay (IO-20).
 */
#include "map/map_priv.h"
#include "os/mem.h"

enum {
	SCAN_MAX = 512,			 /* entries looked at per visit of a map */
	CACHE_ENTRIES_DEFAULT = 1 << 18, /* about 16 MiB */
};

int map_cache_create(struct volume *v, u64 max_entries)
{
	struct map_cache *c = os_zalloc(sizeof(*c));

	if (!c)
		return ERR(ENOMEM);
	os_mutex_init(&c->lock, RANK_CACHE, "map_cache");
	list_init(&c->maps);
	c->max_entries = max_entries ? max_entries : CACHE_ENTRIES_DEFAULT;
	v->maps = c;
	return 0;
}

void map_cache_destroy(struct volume *v)
{
	struct map_cache *c = v->maps;

	if (!c)
		return;
	BUG_ON(!list_empty(&c->maps));
	os_mutex_fini(&c->lock);
	os_free(c);
	v->maps = NULL;
}

u64 map_cache_entries(struct volume *v)
{
	return v->maps ? atomic_load_relaxed(&v->maps->entries) : 0;
}

void status_listed(struct filemap *fm)
{
	struct status_cache *sc = &fm->status;

	ASSERT(os_rwsem_held(&sc->lock));
	sc->listed = true;
	if (!sc->cache)
		return;
	os_mutex_lock(&sc->cache->lock);
	list_add_tail(&sc->cache->maps, &sc->shrink_node);
	sc->cache->count++;
	os_mutex_unlock(&sc->cache->lock);
}

void status_unlist(struct filemap *fm)
{
	struct map_cache *c = fm->status.cache;

	if (!c)
		return;
	os_mutex_lock(&c->lock);
	if (!list_empty(&fm->status.shrink_node)) {
		list_del(&fm->status.shrink_node);
		c->count--;
	}
	os_mutex_unlock(&c->lock);
}

/* First entry at or after lblk. */
static struct rb_node *scan_start(struct status_cache *sc, lblk_t lblk)
{
	struct rb_node *n = sc->root.node, *found = NULL;

	while (n) {
		if (rb_entry(n, struct status_entry, node)->lblk >= lblk) {
			found = n;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return found ? found : rb_first(&sc->root);
}

/* Returns how many entries went or lost their second chance; no more go than down to target. */
static u32 scan_locked(struct status_cache *sc, u64 target)
{
	struct rb_node *n = scan_start(sc, sc->shrink_pos), *next;
	u32 work = 0, left;

	for (left = SCAN_MAX; n && left > 0; n = next, left--) {
		struct status_entry *e = rb_entry(n, struct status_entry, node);

		next = rb_next(n);
		if (e->state == MAP_DELAYED)
			continue;
		work++;
		if (atomic_load_relaxed(&sc->cache->entries) <= target)
			break;
		if (atomic_load_relaxed(&e->referenced))
			atomic_store_relaxed(&e->referenced, 0);
		else
			status_erase_locked(sc, e);
	}
	sc->shrink_pos = n ? rb_entry(n, struct status_entry, node)->lblk : 0;
	return work;
}

/* The maps stay alive: status_unlist waits for c->lock. */
static void shrink_locked(struct map_cache *c, u64 target)
{
	u32 idle = 0; /* visits in a row that found nothing to do */

	while (atomic_load_relaxed(&c->entries) > target && idle <= c->count) {
		struct status_cache *sc = list_first(&c->maps, struct status_cache, shrink_node);

		if (list_empty(&c->maps))
			return;
		list_move_tail(&c->maps, &sc->shrink_node);
		idle++;
		/* Against the order status -> cache, so never waiting. */
		if (!os_rwsem_trylock(&sc->lock))
			continue;
		if (scan_locked(sc, target) > 0)
			idle = 0;
		os_rwsem_unlock(&sc->lock);
	}
}

void map_shrink(struct volume *v, u64 target)
{
	struct map_cache *c = v->maps;

	if (!c)
		return;
	os_mutex_lock(&c->lock);
	shrink_locked(c, target);
	os_mutex_unlock(&c->lock);
}

void status_shrink_excess(struct volume *v)
{
	struct map_cache *c = v->maps;

	if (!c || atomic_load_relaxed(&c->entries) <= c->max_entries)
		return;
	if (!os_mutex_trylock(&c->lock))
		return; /* somebody is at it */
	shrink_locked(c, c->max_entries - c->max_entries / 8);
	os_mutex_unlock(&c->lock);
}
