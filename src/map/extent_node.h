/*
 * One node of an extent tree in memory: access to its entries, which are 12
 * bytes each and begin with their key in leaves and index nodes alike. The
 * node was verified; the caller has write access where it changes anything.
 */
#ifndef MAP_EXTENT_NODE_H
#define MAP_EXTENT_NODE_H

#include "disk/extent.h"

#define EXTENT_WRITTEN_MAX ((u32)EXT4_EXTENT_LEN_MAX) /* blocks per extent (IO-8) */
#define EXTENT_UNWRITTEN_MAX ((u32)EXT4_EXTENT_UNWRITTEN_MAX)

u32 node_count(const void *node);
u32 node_max(const void *node);
u32 node_depth(const void *node);
lblk_t node_key(const void *node, u32 i);
struct extent_entry node_extent(const void *node, u32 i);
pblk_t node_child(const void *node, u32 i);

/* Replaces `remove` entries at `at` by `add` ones whose contents the caller then sets. */
void node_resize(void *node, u32 at, u32 remove, u32 add);
void node_copy(void *to, u32 to_at, const void *from, u32 from_at, u32 count);
void node_set_key(void *node, u32 i, lblk_t key);
void node_set_extent(void *node, u32 i, const struct extent_entry *e);
void node_set_index(void *node, u32 i, lblk_t key, pblk_t child);

#endif
