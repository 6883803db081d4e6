/*
 * Extent trees, private to the map room. All calls hold fm->lock: shared for
 * lookups, exclusive for changes.
 *
 * Every change of a leaf is a splice: some entries are replaced by at most
 * three new ones, which are merged with each other and with their neighbours
 * in the same leaf where IO-9 allows. A splice that lacks room asks for
 * extent_room first, which leaves a valid tree even when it fails half-way
 * (IO-18). Buffers get write access before the first byte changes.
 */
#ifndef MAP_EXTENT_TREE_H
#define MAP_EXTENT_TREE_H

#include "map/extent_node.h"
#include "map/map_priv.h"

struct extent_step {
	struct buf *buf; /* NULL: the root */
	void *node;
	u32 pos; /* the entry with the greatest key <= the wanted block, else 0 */
};

struct extent_path {
	u32 depth;   /* of the root; step[depth] is the leaf */
	bool before; /* the leaf has no entry at or before the wanted block */
	u64 start;   /* the leaf's share of the file: [start, end) */
	u64 end;
	struct extent_step step[MAP_DEPTH_MAX + 1];
};

struct extent_splice {
	u32 at, remove; /* entries of the leaf */
	u32 count;
	struct extent_entry add[3];
	bool separate; /* don't merge (IO-4, insert range) */
};

extern const struct buf_type extent_buf_type;

/* extent_path.c */
int extent_walk(struct filemap *fm, lblk_t lblk, struct extent_path *path);
int extent_root_verify(const struct volume *v, const void *root, const char **why);
void extent_release(struct extent_path *path);
static inline struct extent_step *extent_leaf(struct extent_path *path)
{
	return &path->step[path->depth];
}
/* Write access to the node of `level` and, if its first key may change, to the ancestors that
 * repeat it. */
int extent_access(struct handle *h, struct extent_path *path, u32 level, bool keys);
/* After the change of that node: marks it dirty, and repeats its first key upwards. */
int extent_commit(
	struct handle *h, struct filemap *fm, struct extent_path *path, u32 level, bool keys);
int extent_tree_check(struct filemap *fm, const struct extent_entry *e);
void extent_root_changed(struct filemap *fm);

/* extent_lookup.c */
int extent_lookup(struct filemap *fm, lblk_t lblk, struct mapping *out);
int extent_verify_all(struct filemap *fm);
struct mapping extent_mapping(const struct extent_entry *e);

/* extent_insert.c; extent_splice returns > 0 when the leaf lacks room. */
int extent_splice(struct handle *h, struct filemap *fm, struct extent_path *path,
	const struct extent_splice *s);
int extent_create(struct handle *h, struct filemap *fm, const struct goal *g, struct mapping *out);

/* extent_split.c */
/*
 * Makes `need` (1, 2) entries fit into the leaf of lblk. The path is walked anew; on errors it is
 * released.
 */
int extent_room(struct handle *h, struct filemap *fm, lblk_t lblk, u32 need, u32 create_flags,
	struct extent_path *path);
u32 extent_levels(const struct filemap *fm);
u32 extent_room_credits(const struct filemap *fm);
/* Unlinks and frees the leaf, and ancestors that held nothing else. Releases the path. */
int extent_drop_leaf(struct handle *h, struct filemap *fm, struct extent_path *path);
/* Pulls an only child of the root into it if it fits and credits allow (IO-9). */
int extent_fold(struct handle *h, struct filemap *fm);

/* extent_convert.c */
int extent_convert_written(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end);
int extent_convert_unwritten(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end);
u32 extent_convert_credits(const struct filemap *fm);

/* extent_remove.c */
int extent_remove(struct handle *h, struct filemap *fm, lblk_t from, lblk_t end);
u32 extent_remove_credits(const struct filemap *fm);

/* extent_shift.c */
int extent_shift_left(struct handle *h, struct filemap *fm, lblk_t from, u64 delta);
int extent_shift_right(struct handle *h, struct filemap *fm, lblk_t from, u64 delta);
u32 extent_shift_credits(const struct filemap *fm);

#endif
