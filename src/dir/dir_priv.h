/*
 * Inside the dir room: blocks, entries, the hash index.
 *
 * A directory is linear (entries in blocks 0..n) or indexed (block 0 is the
 * root of a tree of hashes whose leaves are linear blocks). dir.h gives the
 * locks: everything here runs under the directory's inode lock, exclusive
 * where it changes something.
 */
#ifndef DIR_DIR_PRIV_H
#define DIR_DIR_PRIV_H

#include "dir/dir.h"
#include "disk/dirent.h"
#include "disk/dirhash.h"
#include "os/assert.h"
#include "os/atomic.h"

enum { NAME_HIT, NAME_MISS };

struct dir_room {
	struct os_mutex rename_lock;		   /* rank RENAME: moves between directories */
	struct name_cache *names;		   /* immutable */
	struct tally lookups;			   /* NAME_HIT, NAME_MISS */
	void (*replace_hook)(struct inode *moved); /* set before service starts */
};

static inline u32 dir_block_size(const struct inode *dir)
{
	return dir->volume->sb.block_size;
}

static inline lblk_t dir_block_count(const struct inode *dir)
{
	return (lblk_t)(inode_size(dir) / dir_block_size(dir));
}

static inline bool dir_is_indexed(const struct inode *dir)
{
	return dir->f.flags & EXT4_INDEX_FL && super_has_dir_index(&dir->volume->sb);
}

/* --- block.c: directory blocks as buffers --- */

extern const struct buf_type dir_leaf_type, dir_root_type, dir_node_type;
/* Looks like a node, whatever is wrong with the rest: it holds no names. To be read only. */
extern const struct buf_type dir_nameless_type;
struct buf_ctx dir_ctx(const struct inode *dir);
int dir_block_read(struct inode *dir, lblk_t lblk, const struct buf_type *type, struct buf **out);
/* Adds a block at the end, in h: zeroed, write access included. Sizes grow with it. */
int dir_block_append(struct handle *h, struct inode *dir, const struct buf_type *type,
	struct buf **out, lblk_t *lblk);
u32 dir_block_append_credits(const struct inode *dir);
/* Reports damage of a directory block. Returns -EUCLEAN. */
int dir_corrupt(struct inode *dir, lblk_t lblk, const char *what);

/* --- leaf.c: entries of one block --- */

struct dir_slot {
	struct buf *b; /* one reference; NULL = none */
	lblk_t lblk;
	u32 offset; /* of the entry */
	u32 prev;   /* of the entry before it in the block; == offset for the first */
};

void slot_put(struct dir_slot *s);
struct ext4_dirent *slot_entry(const struct dir_slot *s);
/* End of the space for entries: the block less its checksum tail. */
u32 leaf_end(const struct inode *dir);
u32 entry_len(const struct inode *dir, const struct ext4_dirent *e);
void entry_set_len(const struct inode *dir, struct ext4_dirent *e, u32 len);
bool entry_is(const struct ext4_dirent *e, const char *name);
/* 0 and a slot without reference, or -ENOENT. */
int leaf_find(struct inode *dir, struct buf *b, struct name name, struct dir_slot *out);
/* -ENOSPC when the name does not fit; nothing is changed then. */
int leaf_insert(
	struct handle *h, struct inode *dir, struct buf *b, struct name name, ino_nr ino, u8 type);
/* An empty leaf: one unused entry and the tail. */
void leaf_format(struct inode *dir, struct buf *b);

/* --- index.c: the tree of hashes --- */

enum { DX_LEVELS_MAX = 3 };

struct dx_frame {
	struct buf *b;
	lblk_t lblk;
	struct ext4_dx_entry *entries; /* entry 0 carries limit and count */
	u32 at;			       /* the child that is followed */
};

struct dx_path {
	struct dx_frame frame[DX_LEVELS_MAX];
	u32 depth;  /* frames in use, >= 1 */
	u8 version; /* effective hash version, signedness included (DR-5) */
	u32 hash;   /* what was looked for */
	u32 steps;  /* from leaf to leaf since dx_open */
};

u32 frame_count(const struct dx_frame *f);
u32 frame_limit(const struct dx_frame *f);
u32 frame_hash(const struct dx_frame *f, u32 at);
lblk_t frame_block(const struct dx_frame *f, u32 at);
int dx_name_hash(struct inode *dir, u8 version, struct name name, struct dirhash *out);
/* Version to hash with in this directory: the root's (or the default), with the sign (DR-5). */
u8 dx_version(const struct inode *dir, u8 stored);
/* Root only: opens the path with frame 0; the caller then descends. */
int dx_open(struct inode *dir, struct dx_path *p);
/* Follows p->hash down to the parent of the leaf. */
int dx_descend(struct inode *dir, struct dx_path *p);
int dx_probe(struct inode *dir, struct name name, struct dx_path *p);
lblk_t dx_leaf(const struct dx_path *p);
/* Moves to the next leaf: 1, 0 at the end, or an error. *hash is its lowest hash. */
int dx_next(struct inode *dir, struct dx_path *p, u32 *hash);
void dx_put(struct dx_path *p);

/*
 * DR-7: the nodes name each block of the directory once, and none outside: 0 or an error, reported.
 * Reads no leaf.
 */
int dx_check(struct inode *dir);
/* index_change.c */
int dx_insert(struct handle *h, struct inode *dir, struct name name, ino_nr ino, u8 type);
/* Turns a full one-block directory into an indexed one (DR-11). */
int dx_make_indexed(struct handle *h, struct inode *dir);
/* index_split.c: adds {hash, block} behind the followed child of the bottom frame, which has room.
 */
int dx_add_child(struct handle *h, struct dx_frame *f, u32 hash, lblk_t block);
int dx_split_leaf(struct handle *h, struct inode *dir, struct dx_path *p);

/* --- entries.c: lookup and change by name, whatever the format --- */

/* -ENOENT or the slot; the caller puts it. */
int dir_find(struct inode *dir, struct name name, struct dir_slot *out);
/* The same in one block. */
int dir_find_in_block(struct inode *dir, lblk_t lblk, struct name name, struct dir_slot *out);
int dir_add(struct handle *h, struct inode *dir, struct name name, ino_nr ino, u8 type);
u32 dir_add_credits(const struct inode *dir);
int dir_remove(struct handle *h, struct inode *dir, const struct dir_slot *s);
int dir_replace(struct handle *h, struct inode *dir, const struct dir_slot *s, ino_nr ino, u8 type);
enum { DIR_REMOVE_CREDITS = 1 };
/* First block of a new directory. */
int dir_make_empty(struct handle *h, struct inode *dir, ino_nr parent);
/* Before a move: ".." of dir is what it must be. dir->lock held. */
int dir_parent_check(struct inode *dir, ino_nr parent);
int dir_set_parent(struct handle *h, struct inode *dir, ino_nr parent);
int dir_check_empty(struct inode *dir);
u8 dir_type_of(const struct inode *i);

/* --- despite.c: what the leaves hold although the index is damaged (DR-12) --- */
int dir_find_despite_index(struct inode *dir, struct name name, struct dir_slot *out);
/* 1 names may lie in the block, and *out is its buffer; 0 none can; or an error: unreadable.
 * *next: the block to go on with. */
int dir_block_despite_index(struct inode *dir, lblk_t lblk, struct buf **out, lblk_t *next);
/* 0, or why names are missing from what the leaves gave. */
int dir_unread_despite_index(struct inode *dir);

/* --- inline.c: directories in the inode, read-only service (MD-26) --- */
int inline_find(struct inode *dir, struct name name, ino_nr *ino, u8 *type);
int inline_iterate(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg);
ino_nr inline_parent(struct inode *dir);

/* --- name.c: what the operations share --- */
bool name_is_dots(struct name n);
/* Our own hash of it, not of the format. */
u32 name_spread(struct name n);
/* Write permission, live directory, not read-only; under dir->lock. */
int dir_change_check(struct inode *dir, const struct cred *cred);
/* May the entry of victim be removed from dir? Directory or not as want_dir says. */
int dir_victim_check(
	struct inode *dir, struct inode *victim, const struct cred *cred, bool want_dir);
/* Before blocks are added to dir: may they come from the reserved ones? */
void dir_spend_as(struct inode *dir, const struct cred *cred);
void dir_touched(struct inode *dir);
/* Drops one link of a file in h; the last one puts it on the orphan record (DR-16). */
int drop_link(struct handle *h, struct inode *i);
int drop_dir(struct handle *h, struct inode *i);
/*
 * The result of the later steps of an operation whose first step has changed something: what
 * failed half-way (I/O, memory, damage) must never commit, so its transaction is given up.
 */
int half_done(struct handle *h, int err);

#endif
