/*
 * The table is made of sets: the hash of key and name gives the set, which has room for a few
 * names. Whole names are compared, so that equal hashes cost a place and no more. Long names are
 * not kept.
 */
#include "dir/name_cache.h"
#include "base/hash.h"
#include "base/mutant.h"
#include "dir/dir_priv.h"
#include "os/mem.h"

#include <string.h>

#define SHARDS 64
#define WAYS 4
#define WORDS 6 /* of the longest name kept */

/* Read without a lock, so each field is atomic; they change under the shard's lock. */
struct name_entry {
	u32 seq; /* odd while the rest changes */
	ino_nr ino;
	u64 key;	 /* inode.name_key of the directory; 0 = unused */
	u64 name[WORDS]; /* behind the name zeros, to the end of the next word */
};
_Static_assert(sizeof(struct name_entry) == 64, "a cache line");

struct name_set {
	struct name_entry way[WAYS];
};

struct name_shard {
	struct os_mutex lock; /* rank CACHE */
	u32 turn;	      /* lock; the way that is overwritten next */
};

struct name_cache {
	u64 last_key; /* atomic */
	u32 count;    /* of sets; a power of two; immutable */
	struct name_set *set;
	void *memory; /* set's, before it was aligned */
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
	c->memory = os_calloc((size_t)c->count + 1, sizeof(*c->set));
	if (!c->memory) {
		os_free(c);
		return NULL;
	}
	c->set = (struct name_set *)round_up_to(
		(u64)(uintptr_t)c->memory, sizeof(struct name_entry));
	for (unsigned k = 0; k < SHARDS; k++)
		os_mutex_init(&c->shard[k].lock, RANK_CACHE, "name cache");
	return c;
}

void name_cache_destroy(struct name_cache *c)
{
	for (unsigned k = 0; k < SHARDS; k++)
		os_mutex_fini(&c->shard[k].lock);
	os_free(c->memory);
	os_free(c);
}

/* What is looked for, and where. */
struct wanted {
	u64 key;
	u32 words;
	u32 first; /* the way to begin with */
	struct name_set *set;
	struct name_shard *shard;
	u64 name[WORDS + 1]; /* zeros behind it */
};

/* False: such a name is never kept. */
static bool wanted_init(struct wanted *w, struct name_cache *c, u64 key, struct name name)
{
	u64 h = key;
	u32 n;

	if (!key || !name.len || name.len > WORDS * sizeof(u64))
		return false;
	w->key = key;
	w->words = (name.len + 7) / 8;
	w->name[w->words - 1] = 0;
	w->name[w->words] = 0;
	memcpy(w->name, name.s, name.len);
	for (u32 k = 0; k < w->words; k++)
		h = hash_u64(h ^ w->name[k]);
	n = (u32)h & (c->count - 1);
	w->set = &c->set[n];
	w->shard = &c->shard[n % SHARDS];
	w->first = (u32)(h >> 32);
	return true;
}

static struct name_entry *way_of(const struct wanted *w, u32 k)
{
	return &w->set->way[(w->first + k) % WAYS];
}

static bool is_wanted(const struct name_entry *e, const struct wanted *w)
{
	if (atomic_load_acq(&e->key) != w->key)
		return false;
	for (u32 k = 0; k < w->words; k++)
		if (atomic_load_acq(&e->name[k]) != w->name[k])
			return false;
	return w->words == WORDS || atomic_load_acq(&e->name[w->words]) == 0;
}

/* All loads are in order, so what was read belongs together if seq is as it was. */
bool name_cache_find(struct inode *dir, struct name name, struct name_found *out)
{
	struct wanted w;

	if (!wanted_init(&w, dir->volume->dirs->names, atomic_load_relaxed(&dir->name_key), name))
		return false;
	for (u32 k = 0; k < WAYS; k++) {
		const struct name_entry *e = way_of(&w, k);

		out->seq = &e->seq;
		out->at = atomic_load_acq(&e->seq);
		if (!is_wanted(e, &w))
			continue;
		out->ino = atomic_load_acq(&e->ino);
		return out->at % 2 == 0 && name_still_found(out);
	}
	return false;
}

static struct name_entry *find_locked(const struct wanted *w)
{
	for (u32 k = 0; k < WAYS; k++)
		if (is_wanted(way_of(w, k), w))
			return way_of(w, k);
	return NULL;
}

static struct name_entry *room_locked(const struct wanted *w)
{
	for (u32 k = 0; k < WAYS; k++)
		if (!way_of(w, k)->key)
			return way_of(w, k);
	return &w->set->way[w->shard->turn++ % WAYS];
}

/* Each store comes after the one before it for whoever reads. */
static void set_locked(struct name_entry *e, const struct wanted *w, ino_nr ino)
{
	u32 seq = e->seq;

	atomic_store_rel(&e->seq, seq + 1);
	atomic_store_rel(&e->key, w->key);
	atomic_store_rel(&e->ino, ino);
	for (u32 k = 0; k < min_of(w->words + 1, (u32)WORDS); k++)
		atomic_store_rel(&e->name[k], w->name[k]);
	atomic_store_rel(&e->seq, seq + 2);
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

void name_cache_enter(struct inode *dir, struct name name, ino_nr ino)
{
	struct name_cache *c = dir->volume->dirs->names;
	struct name_entry *e;
	struct wanted w;

	if (!wanted_init(&w, c, key_made(c, dir), name))
		return;
	os_mutex_lock(&w.shard->lock);
	e = find_locked(&w);
	set_locked(e ? e : room_locked(&w), &w, ino);
	os_mutex_unlock(&w.shard->lock);
}

void name_cache_drop(struct inode *dir, struct name name)
{
	u64 key = atomic_load_relaxed(&dir->name_key);
	struct name_entry *e;
	struct wanted w;

	if (!wanted_init(&w, dir->volume->dirs->names, key, name) || MUTANT(NAME_KEPT))
		return;
	os_mutex_lock(&w.shard->lock);
	e = find_locked(&w);
	if (e) {
		atomic_store_rel(&e->key, 0ull);
		atomic_store_rel(&e->seq, e->seq + 2);
	}
	os_mutex_unlock(&w.shard->lock);
}
