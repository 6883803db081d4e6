/*
 * The status cache of one map, and the bound on the memory of all of a volume.
 * Its entries and how they are used are private to the room (map/status.c).
 */
#ifndef MAP_STATUS_CACHE_H
#define MAP_STATUS_CACHE_H

#include "base/list.h"
#include "base/rbtree.h"
#include "os/lock.h"

struct volume;
struct map_cache;

struct status_cache {
	struct rb_root root;	 /* lock */
	struct os_rwsem lock;	 /* rank STATUS */
	u32 count;		 /* lock */
	lblk_t shrink_pos;	 /* lock: where the shrinker goes on */
	bool listed;		 /* lock */
	struct map_cache *cache; /* immutable; NULL: nobody shrinks this map */
	struct list shrink_node; /* lock: map_cache's */
	struct rb_node *spares;	 /* fm->lock exclusive: entries for changes that must not fail */
	u32 spare_count;	 /* fm->lock exclusive */
};

/* Bounds the memory of the volume's status caches: before its first filemap_init. 0 = default. */
int map_cache_create(struct volume *v, u64 max_entries);
void map_cache_destroy(struct volume *v); /* after the last filemap_fini */
u64 map_cache_entries(struct volume *v);
/* Shrinks status caches of the volume to about target entries; delayed blocks stay. */
void map_shrink(struct volume *v, u64 target);

#endif
