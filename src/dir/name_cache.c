/*
 * The table is made of sets: the hash of key and name gives the set, which has room for a few
 * names. Whole names are compared, so that equal hashes cost a place and no more. Long names are
 * not kept.
 */
#include "dir/name_cache.h"
#include "base/mutant.h"
#include "dir/dir_priv.h"
#include "os/mem.h"

#include <string.h>

#define SHARDS 64
#define WAYS 4

struct name_entry {
	u64 key; /* inode.name_key of the directory; 0 = unused */
	ino_nr ino;
	u8 len;
	char name[51];
};
_Static_assert(sizeof(struct name_entry) == 64, "a cache line");

struct name_set {
	struct name_entry way[WAYS]; /* lock: the shard's */
};

struct name_shard {
	_Alignas(64) struct os_mutex lock; /* rank CACHE */
	u32 turn;			   /* lock; the way that is overwritten next */
	u64 hits, misses;		   /* lock */
};

struct name_cache {
	u64 last_key; /* atomic */
	u32 count;    /* of sets; a power of two; immutable */
	struct name_set *set;
	struct name_shard shard[SHARDS];
};

struct name_cache *name_cache_create(u64 max_bytes)
{
	struct name_cache *c = os_zalloc(sizeof(*c));

	if (!c)
		return NULL;
	c->count = SHARDS;
	while ((u64)c->count * 2 * sizeof(struct name_set) <= max_bytes && c->count < 1u << 24)
		c->count *= 2;
	c->set = os_calloc(c->count, sizeof(*c->set));
	if (!c->set) {
		os_free(c);
		return NULL;
	}
	for (unsigned k = 0; k < SHARDS; k++)
		os_mutex_init(&c->shard[k].lock, RANK_CACHE, "name cache");
	return c;
}

void name_cache_destroy(struct name_cache *c)
{
	for (unsigned k = 0; k < SHARDS; k++)
		os_mutex_fini(&c->shard[k].lock);
	os_free(c->set);
	os_free(c);
}

static bool is_kept(struct name name)
{
	return name.len && name.len <= sizeof(((struct name_entry *)0)->name);
}

struct place {
	struct name_set *set;
	struct name_shard *shard;
	u64 key;
};

static struct place place_of(struct name_cache *c, u64 key, struct name name)
{
	u64 h = name_hash(key, name);
	u32 n = (u32)h & (c->count - 1);

	return (struct place){&c->set[n], &c->shard[n % SHARDS], key};
}

static struct name_entry *find_locked(const struct place *p, struct name name)
{
	for (unsigned k = 0; k < WAYS; k++) {
		struct name_entry *e = &p->set->way[k];

		if (e->key == p->key && e->len == name.len &&
			memcmp(e->name, name.s, name.len) == 0)
			return e;
	}
	return NULL;
}

bool name_cache_find(struct inode *dir, struct name name, ino_nr *ino)
{
	struct name_cache *c = dir->volume->dirs->names;
	u64 key = atomic_load_relaxed(&dir->name_key);
	struct name_entry *e;
	struct place p;

	if (!key || !is_kept(name))
		return false;
	p = place_of(c, key, name);
	os_mutex_lock(&p.shard->lock);
	e = find_locked(&p, name);
	if (e)
		*ino = e->ino;
	*(e ? &p.shard->hits : &p.shard->misses) += 1;
	os_mutex_unlock(&p.shard->lock);
	return e;
}

/* Of those who hold the lock shared one gives the key. */
static u64 key_made(struct name_cache *c, struct inode *dir)
{
	u64 key = atomic_load_relaxed(&dir->name_key), fresh;

	if (key)
		return key;
	fresh = atomic_add(&c->last_key, 1);
	return atomic_cas(&dir->name_key, &key, fresh) ? fresh : key;
}

static struct name_entry *room_locked(const struct place *p)
{
	for (unsigned k = 0; k < WAYS; k++)
		if (!p->set->way[k].key)
			return &p->set->way[k];
	return &p->set->way[p->shard->turn++ % WAYS];
}

void name_cache_enter(struct inode *dir, struct name name, ino_nr ino)
{
	struct name_cache *c = dir->volume->dirs->names;
	struct name_entry *e;
	struct place p;

	if (!is_kept(name))
		return;
	p = place_of(c, key_made(c, dir), name);
	os_mutex_lock(&p.shard->lock);
	e = find_locked(&p, name);
	if (!e)
		e = room_locked(&p);
	e->key = p.key;
	e->ino = ino;
	e->len = (u8)name.len;
	memcpy(e->name, name.s, name.len);
	os_mutex_unlock(&p.shard->lock);
}

void name_cache_drop(struct inode *dir, struct name name)
{
	struct name_cache *c = dir->volume->dirs->names;
	u64 key = atomic_load_relaxed(&dir->name_key);
	struct name_entry *e;
	struct place p;

	if (!key || !is_kept(name) || MUTANT(NAME_KEPT))
		return;
	p = place_of(c, key, name);
	os_mutex_lock(&p.shard->lock);
	e = find_locked(&p, name);
	if (e)
		e->key = 0;
	os_mutex_unlock(&p.shard->lock);
}

void name_cache_stats(const struct volume *v, u64 *hits, u64 *misses)
{
	struct name_cache *c = v->dirs->names;

	*hits = *misses = 0;
	for (unsigned k = 0; k < SHARDS; k++) {
		struct name_shard *s = &c->shard[k];

		os_mutex_lock(&s->lock);
		*hits += s->hits;
		*misses += s->misses;
		os_mutex_unlock(&s->lock);
	}
}
