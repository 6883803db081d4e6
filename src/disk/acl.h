/*
 * POSIX ACLs between the compact form on disk (version 1, XA-7) and the value
 * users see as system.posix_acl_access/_default (version 2). Pure functions.
 */
#ifndef DISK_ACL_H
#define DISK_ACL_H

#include "disk/acl_format.h"

enum { ACL_ENTRIES_MAX = 8191 }; /* what a 64 KiB attribute of version 2 can hold */

/*
 * Each returns the bytes of the other form, and writes them if out_size is
 * large enough (-ERANGE; out NULL: only the size). -EUCLEAN (from disk) or
 * -EINVAL (from the user): not a well-formed ACL: unknown tags or permission
 * bits, wrong order, not exactly one of each object, a mask missing.
 * An empty list is well-formed from the user and yields 0: remove the ACL.
 */
int acl_from_disk(const void *disk, size_t size, void *out, size_t out_size);
int acl_to_disk(const void *user, size_t size, void *out, size_t out_size);

#endif
