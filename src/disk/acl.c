/* POSIX ACLs: the compact form on disk, the form users see (XA-7). */
#include "disk/acl.h"

#include <string.h>

#include "base/err.h"

#define NO_ID 0xffffffffu

struct acl_item {
	u32 tag, perm, id;
};

/* What has been seen of a list so far. */
struct acl_check {
	u32 last_tag;
	u32 seen; /* tags */
	bool bad;
};

static bool has_id(u32 tag)
{
	return tag == ACL_TAG_USER || tag == ACL_TAG_GROUP;
}

static bool known_tag(u32 tag)
{
	const u32 all = ACL_TAG_USER_OBJ | ACL_TAG_USER | ACL_TAG_GROUP_OBJ | ACL_TAG_GROUP |
			ACL_TAG_MASK | ACL_TAG_OTHER;

	return tag && (tag & (tag - 1)) == 0 && (tag & ~all) == 0;
}

/* The order of tags is that of their values; users and groups come in any order among themselves.
 */
static void check_item(struct acl_check *c, const struct acl_item *i)
{
	if (!known_tag(i->tag) || i->perm & ~7u || i->tag < c->last_tag ||
		(i->tag == c->last_tag && !has_id(i->tag)) || (has_id(i->tag) && i->id == NO_ID))
		c->bad = true;
	c->seen |= i->tag;
	c->last_tag = i->tag;
}

static bool check_done(const struct acl_check *c)
{
	const u32 objects = ACL_TAG_USER_OBJ | ACL_TAG_GROUP_OBJ | ACL_TAG_OTHER;

	if (c->bad || (c->seen & objects) != objects)
		return false;
	return c->seen & ACL_TAG_MASK || !(c->seen & (ACL_TAG_USER | ACL_TAG_GROUP));
}

/* Output that only counts where there is no buffer. */
struct sink {
	u8 *p;
	size_t len;
};

static void emit(struct sink *s, const void *data, size_t len)
{
	if (s->p)
		memcpy(s->p + s->len, data, len);
	s->len += len;
}

static void emit_user(struct sink *s, const struct acl_item *i)
{
	const struct posix_acl_xattr_entry e = {cpu_to_le16((u16)i->tag), cpu_to_le16((u16)i->perm),
		cpu_to_le32(has_id(i->tag) ? i->id : NO_ID)};

	emit(s, &e, sizeof(e));
}

static void emit_disk(struct sink *s, const struct acl_item *i)
{
	const struct ext4_acl_entry e = {
		cpu_to_le16((u16)i->tag), cpu_to_le16((u16)i->perm), cpu_to_le32(i->id)};

	emit(s, &e, has_id(i->tag) ? sizeof(e) : sizeof(struct ext4_acl_entry_short));
}

/* Reads an item of `size` bytes (4: no id); false if the list ends inside it. */
static bool take(const u8 **p, const u8 *end, size_t size, struct acl_item *out)
{
	struct ext4_acl_entry e = {0};

	if ((size_t)(end - *p) < size)
		return false;
	memcpy(&e, *p, size);
	*p += size;
	*out = (struct acl_item){le16_to_cpu(e.e_tag), le16_to_cpu(e.e_perm), le32_to_cpu(e.e_id)};
	return true;
}

static size_t disk_item_size(const u8 *p, const u8 *end)
{
	struct le16 tag = {0};

	if ((size_t)(end - p) >= sizeof(tag))
		memcpy(&tag, p, sizeof(tag));
	return has_id(le16_to_cpu(tag)) ? sizeof(struct ext4_acl_entry)
					: sizeof(struct ext4_acl_entry_short);
}

/* One walk: checks, and emits in the other form. False: malformed. */
static bool convert(const u8 *p, const u8 *end, bool from_disk, struct sink *out)
{
	struct acl_check c = {0};
	u32 count = 0;

	while (p < end) {
		struct acl_item i;
		size_t size = from_disk ? disk_item_size(p, end) : sizeof(struct ext4_acl_entry);

		if (count++ == ACL_ENTRIES_MAX || !take(&p, end, size, &i))
			return false;
		if (!has_id(i.tag))
			i.id = 0;
		check_item(&c, &i);
		if (from_disk)
			emit_user(out, &i);
		else
			emit_disk(out, &i);
	}
	return check_done(&c);
}

static bool version_is(const void *value, size_t size, u32 version)
{
	struct le32 v;

	if (size < sizeof(v))
		return false;
	memcpy(&v, value, sizeof(v));
	return le32_to_cpu(v) == version;
}

static int translate(const void *in, size_t size, bool from_disk, void *out, size_t out_size)
{
	const struct le32 version =
		cpu_to_le32(from_disk ? POSIX_ACL_XATTR_VERSION : EXT4_ACL_VERSION);
	const u8 *items = (const u8 *)in + sizeof(version), *end = (const u8 *)in + size;
	struct sink count = {.len = sizeof(version)}, sink = {.p = out};

	if (!convert(items, end, from_disk, &count))
		return from_disk ? ERR(EUCLEAN) : ERR(EINVAL);
	if (!out)
		return (int)count.len;
	if (count.len > out_size)
		return ERR(ERANGE);
	emit(&sink, &version, sizeof(version));
	convert(items, end, from_disk, &sink);
	return (int)sink.len;
}

int acl_from_disk(const void *disk, size_t size, void *out, size_t out_size)
{
	if (!version_is(disk, size, EXT4_ACL_VERSION))
		return ERR(EUCLEAN);
	return translate(disk, size, true, out, out_size);
}

int acl_to_disk(const void *user, size_t size, void *out, size_t out_size)
{
	if (!version_is(user, size, POSIX_ACL_XATTR_VERSION))
		return size < sizeof(struct posix_acl_xattr_header) ? ERR(EINVAL) : ERR(EOPNOTSUPP);
	if (size == sizeof(struct posix_acl_xattr_header))
		return 0;
	return translate(user, size, false, out, out_size);
}
