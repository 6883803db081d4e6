/*
 * Names found or made lately: a bounded table in front of the directories' blocks.
 *
 * Invariant: a name in the table is in its directory and has that inode. It is entered under the
 * directory's lock, shared at least, and dropped under the exclusive one before the block changes;
 * so whoever looks under the lock sees no name that is gone. What is not there is never entered.
 *
 * An entry belongs to one object of its directory in memory: with the object it is forgotten, and a
 * directory that gets the number later has another key. Nothing is allocated after the beginning;
 * a new name takes the place of an older one.
 */
#ifndef DIR_NAME_CACHE_H
#define DIR_NAME_CACHE_H

#include "dir/dir.h"

struct name_cache;
/* max_bytes: of the table, about. NULL: no memory. */
struct name_cache *name_cache_create(u64 max_bytes);
void name_cache_destroy(struct name_cache *c);

/* dir->lock held. */
bool name_cache_find(struct inode *dir, struct name name, ino_nr *ino);
/* dir->lock held since the name was found, or exclusive since it was made. */
void name_cache_enter(struct inode *dir, struct name name, ino_nr ino);
/* dir->lock held exclusive. */
void name_cache_drop(struct inode *dir, struct name name);

#endif
