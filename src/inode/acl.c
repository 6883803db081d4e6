/*
 * POSIX ACLs in memory, and the permission check. The access ACL of an inode
 * is cached: readers publish it with xattr_lock shared, a change drops it with
 * the lock exclusive.
 */
#include "inode/acl_priv.h"
#include "base/err.h"
#include "os/mem.h"

#include <sys/stat.h>

#define USER_HEAD sizeof(struct posix_acl_xattr_header)
#define USER_ENTRY sizeof(struct posix_acl_xattr_entry)

void acl_cache_drop(struct inode *i)
{
	os_free(atomic_xchg(&i->acl_cache, NULL));
}

/* user is well-formed: acl_from_disk made it, or acl_to_disk accepted it. */
static int parse(const u8 *user, size_t size, struct acl **out)
{
	u32 count = (u32)((size - USER_HEAD) / USER_ENTRY);
	struct acl *a = os_alloc(sizeof(*a) + count * sizeof(a->entry[0]));

	if (!a)
		return ERR(ENOMEM);
	a->count = count;
	for (u32 k = 0; k < count; k++) {
		const struct posix_acl_xattr_entry *e =
			(const void *)(user + USER_HEAD + k * USER_ENTRY);

		a->entry[k] = (struct acl_entry){.tag = le16_to_cpu(e->e_tag),
			.perm = le16_to_cpu(e->e_perm),
			.id = le32_to_cpu(e->e_id)};
	}
	*out = a;
	return 0;
}

int acl_from_user(const void *user, size_t size, struct acl **out)
{
	int n = acl_to_disk(user, size, NULL, 0);

	*out = NULL;
	if (n <= 0)
		return n;
	return parse(user, size, out);
}

int acl_pack(const struct acl *a, void **disk, size_t *size)
{
	size_t user_size = USER_HEAD + a->count * USER_ENTRY;
	u8 *user = os_zalloc(user_size);
	void *to = NULL;
	int n = ERR(ENOMEM);

	if (!user)
		return n;
	((struct posix_acl_xattr_header *)user)->a_version = cpu_to_le32(POSIX_ACL_XATTR_VERSION);
	for (u32 k = 0; k < a->count; k++)
		*(struct posix_acl_xattr_entry *)(user + USER_HEAD + k * USER_ENTRY) =
			(struct posix_acl_xattr_entry){.e_tag = cpu_to_le16(a->entry[k].tag),
				.e_perm = cpu_to_le16(a->entry[k].perm),
				.e_id = cpu_to_le32(a->entry[k].id)};
	to = os_alloc(user_size); /* the form on disk is never longer */
	if (to)
		n = acl_to_disk(user, user_size, to, user_size);
	os_free(user);
	if (n < 0) {
		os_free(to);
		return n;
	}
	*disk = to;
	*size = (size_t)n;
	return 0;
}

static int convert(struct inode *i, const void *disk, size_t size, struct acl **out)
{
	int n = acl_from_disk(disk, size, NULL, 0);
	u8 *user;

	if (n < 0)
		return volume_error(i->volume, n, i->ino, 0, "malformed ACL; run e2fsck");
	user = os_alloc((size_t)n);
	if (!user)
		return ERR(ENOMEM);
	n = acl_from_disk(disk, size, user, (size_t)n);
	if (n >= 0)
		n = (size_t)n <= USER_HEAD ? 0 : parse(user, (size_t)n, out);
	os_free(user);
	return n;
}

int acl_load_locked(struct inode *i, u8 index, struct acl **out)
{
	ssize_t size = xattr_get_locked(i, index, "", NULL, 0), n;
	void *disk;
	int err;

	*out = NULL;
	if (size <= 0)
		return size == -ENODATA ? 0 : (int)size;
	disk = os_alloc((size_t)size);
	if (!disk)
		return ERR(ENOMEM);
	n = xattr_get_locked(i, index, "", disk, (size_t)size);
	err = n < 0 ? (int)n : convert(i, disk, (size_t)n, out);
	os_free(disk);
	return err;
}

static int load_cache_locked(struct inode *i, const struct acl **out)
{
	struct acl *fresh;
	void *old = NULL;
	int err = acl_load_locked(i, EXT4_XATTR_INDEX_ACL_ACCESS, &fresh);

	if (err)
		return err;
	if (!fresh)
		fresh = os_zalloc(sizeof(*fresh));
	if (!fresh)
		return ERR(ENOMEM);
	if (!atomic_cas(&i->acl_cache, &old, fresh)) {
		os_free(fresh);
		fresh = old;
	}
	*out = fresh;
	return 0;
}

static bool names(const struct acl_entry *e, const struct inode *i, const struct cred *c)
{
	switch (e->tag) {
	case ACL_TAG_USER:
		return e->id == c->uid;
	case ACL_TAG_GROUP_OBJ:
		return cred_in_group(c, i->f.gid);
	case ACL_TAG_GROUP:
		return cred_in_group(c, e->id);
	default:
		return false;
	}
}

static const struct acl_entry *entry_of(const struct acl *a, u16 tag)
{
	for (u32 k = 0; k < a->count; k++)
		if (a->entry[k].tag == tag)
			return &a->entry[k];
	return NULL;
}

/* Entries stand in the order of the decision: owner, users, groups, mask, other. */
static int decide(const struct acl *a, const struct inode *i, const struct cred *c, u32 want)
{
	const struct acl_entry *mask = entry_of(a, ACL_TAG_MASK);
	u32 limit = mask ? mask->perm : 7;
	bool matched = false;

	if (c->uid == i->f.uid)
		return (a->entry[0].perm & want) == want ? 0 : -EACCES;
	for (u32 k = 0; k < a->count; k++) {
		const struct acl_entry *e = &a->entry[k];

		if (!names(e, i, c))
			continue;
		matched = true;
		if ((e->perm & limit & want) == want)
			return 0;
		if (e->tag == ACL_TAG_USER)
			return -EACCES;
	}
	if (matched)
		return -EACCES;
	return (a->entry[a->count - 1].perm & want) == want ? 0 : -EACCES;
}

int acl_permission(struct inode *i, const struct cred *c, u32 mask)
{
	const struct acl *a;
	int err = 0;

	if (atomic_load_relaxed(&i->volume->flags) & VOLUME_NO_ACL || inode_is(i, S_IFLNK))
		return -EAGAIN;
	os_rwsem_lock_shared(&i->xattr_lock);
	a = atomic_load_acq(&i->acl_cache);
	if (!a)
		err = load_cache_locked(i, &a);
	if (!err)
		err = a->count ? decide(a, i, c, mask) : -EAGAIN;
	os_rwsem_unlock_shared(&i->xattr_lock);
	return err;
}

void acl_apply_mode(struct acl *a, u32 mode)
{
	bool masked = entry_of(a, ACL_TAG_MASK) != NULL;

	for (u32 k = 0; k < a->count; k++) {
		struct acl_entry *e = &a->entry[k];

		if (e->tag == ACL_TAG_USER_OBJ)
			e->perm = mode >> 6 & 7;
		else if (e->tag == (masked ? ACL_TAG_MASK : ACL_TAG_GROUP_OBJ))
			e->perm = mode >> 3 & 7;
		else if (e->tag == ACL_TAG_OTHER)
			e->perm = mode & 7;
	}
}

u32 acl_mode(const struct acl *a, bool *exact)
{
	const struct acl_entry *mask = entry_of(a, ACL_TAG_MASK);
	u32 mode = 0;

	*exact = !mask;
	for (u32 k = 0; k < a->count; k++) {
		const struct acl_entry *e = &a->entry[k];

		if (e->tag == ACL_TAG_USER_OBJ)
			mode |= (u32)e->perm << 6;
		else if (e->tag == ACL_TAG_GROUP_OBJ)
			mode |= (u32)(mask ? mask->perm : e->perm) << 3;
		else if (e->tag == ACL_TAG_OTHER)
			mode |= e->perm;
		else
			*exact = false;
	}
	return mode;
}
