/* Blocks of a quota file. Pure functions. */
#ifndef DISK_QUOTA_H
#define DISK_QUOTA_H

#include "base/types.h"
#include "disk/quota_format.h"

/* Magic, version, and that its numbers fit each other and a file of `size` bytes: -EUCLEAN. */
int quota_header_verify(const struct quota_header *h, unsigned type, u64 size, const char **why);

/* The block that a node names for the id; level 0 is the root. */
u32 quota_node_get(const void *node, unsigned level, u32 id);

/* Entry k of a data block; NULL: it is not in use. */
const struct quota_entry *quota_entry_get(const void *block, u32 k);
/* The entry of an id, or NULL. */
const struct quota_entry *quota_entry_find(const void *block, u32 id);

#endif
