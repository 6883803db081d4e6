/* Full names of attributes, and the index that stands for their prefix on disk. */
#include "base/err.h"
#include "inode/xattr_priv.h"

#include <string.h>

static const struct prefix {
	u8 index;
	bool whole; /* the name ends here */
	const char *text;
} prefixes[] = {
	{EXT4_XATTR_INDEX_USER, false, "user."},
	{EXT4_XATTR_INDEX_TRUSTED, false, "trusted."},
	{EXT4_XATTR_INDEX_SECURITY, false, "security."},
	{EXT4_XATTR_INDEX_ACL_ACCESS, true, "system.posix_acl_access"},
	{EXT4_XATTR_INDEX_ACL_DEFAULT, true, "system.posix_acl_default"},
};

static bool is_off(const struct volume *v, u8 index)
{
	u32 flags = atomic_load_relaxed(&v->flags);

	if (index == EXT4_XATTR_INDEX_USER)
		return flags & VOLUME_NO_XATTR_USER;
	if (index == EXT4_XATTR_INDEX_ACL_ACCESS || index == EXT4_XATTR_INDEX_ACL_DEFAULT)
		return flags & VOLUME_NO_ACL;
	return false;
}

int xattr_name_parse(const struct volume *v, const char *name, u8 *index, const char **rest)
{
	if (strcmp(name, "system.data") == 0) { /* for the engine itself: inline data */
		*index = EXT4_XATTR_INDEX_SYSTEM;
		*rest = "data";
		return 0;
	}
	for (unsigned k = 0; k < array_len(prefixes); k++) {
		const struct prefix *p = &prefixes[k];

		if (strncmp(name, p->text, strlen(p->text)) != 0)
			continue;
		*index = p->index;
		*rest = name + strlen(p->text);
		if (is_off(v, p->index) || (p->whole && **rest))
			return ERR(EOPNOTSUPP);
		if (!p->whole && !**rest)
			return ERR(EINVAL);
		return strlen(*rest) > EXT4_XATTR_NAME_MAX ? ERR(ERANGE) : 0;
	}
	return ERR(EOPNOTSUPP);
}

const char *xattr_name_prefix(const struct volume *v, const struct cred *c, u8 index)
{
	if (is_off(v, index) || (index == EXT4_XATTR_INDEX_TRUSTED && !c->privileged))
		return NULL;
	for (unsigned k = 0; k < array_len(prefixes); k++)
		if (prefixes[k].index == index)
			return prefixes[k].text;
	return NULL;
}
