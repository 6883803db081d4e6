/*
 * POSIX ACLs. On disk (the value of attributes of index 2 and 3): a version,
 * then entries of 4 bytes, or of 8 when they name a user or group. To users
 * (system.posix_acl_access): version 2, entries of 8 bytes always.
 */
#ifndef DISK_ACL_FORMAT_H
#define DISK_ACL_FORMAT_H

#include "base/endian.h"

enum { EXT4_ACL_VERSION = 1, POSIX_ACL_XATTR_VERSION = 2 };

enum { /* e_tag, the same in both */
	ACL_TAG_USER_OBJ = 0x01,
	ACL_TAG_USER = 0x02, /* has an id */
	ACL_TAG_GROUP_OBJ = 0x04,
	ACL_TAG_GROUP = 0x08, /* has an id */
	ACL_TAG_MASK = 0x10,
	ACL_TAG_OTHER = 0x20,
};

struct ext4_acl_header {
	struct le32 a_version; /* 0 EXT4_ACL_VERSION */
} __attribute__((packed));

struct ext4_acl_entry_short {
	struct le16 e_tag;  /* 0 */
	struct le16 e_perm; /* 2 4 read, 2 write, 1 execute */
} __attribute__((packed));

struct ext4_acl_entry {
	struct le16 e_tag;  /* 0 */
	struct le16 e_perm; /* 2 */
	struct le32 e_id;   /* 4 */
} __attribute__((packed));

struct posix_acl_xattr_header {
	struct le32 a_version; /* 0 POSIX_ACL_XATTR_VERSION */
} __attribute__((packed));

struct posix_acl_xattr_entry {
	struct le16 e_tag;  /* 0 */
	struct le16 e_perm; /* 2 */
	struct le32 e_id;   /* 4 ~0 where the tag has none */
} __attribute__((packed));

#endif
