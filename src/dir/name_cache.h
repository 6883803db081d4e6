/*
 * Names found or made lately: a bounded table in front of the directories' blocks.
 *
 * Invariant: a name in the table is in its directory and has that inode. It is entered under the
 * directory's lock, shared if it was found there, else when the whole operation is done; and
 * dropped under the exclusive one before the operation changes anything. What is not there is never
 * entered. So a name that is found at any moment, without a lock, was there at that moment. By the
 * time its number is put to use it may be another's: whoever has got the inode asks again.
 *
 * An entry belongs to one object of its directory in memory: with the object it is forgotten, and a
 * directory that gets the number later has another key. Nothing is allocated after the beginning;
 * a new name takes the place of an older one.
 */
#ifndef DIR_NAME_CACHE_H
#define DIR_NAME_CACHE_H

#include "dir/dir.h"
#include "os/atomic.h"

struct name_cache;
/* max_bytes: of the table, about. NULL: no memory. */
struct name_cache *name_cache_create(u64 max_bytes);
void name_cache_destroy(struct name_cache *c);

struct name_found {
	ino_nr ino;
	u32 at;
	const u32 *seq;
};
/* A reference to dir, no lock. */
bool name_cache_find(struct inode *dir, struct name name, struct name_found *out);
/* The entry has not changed since. */
static inline bool name_still_found(const struct name_found *f)
{
	return atomic_load_acq(f->seq) == f->at;
}
/* dir->lock held since the name was found, or exclusive since it was made. */
void name_cache_enter(struct inode *dir, struct name name, ino_nr ino);
/* dir->lock held exclusive. */
void name_cache_drop(struct inode *dir, struct name name);

#endif
