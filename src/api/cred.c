/* Credentials and names as callers give them. */
#include "api/api_priv.h"
#include "base/err.h"

#include <string.h>

struct cred cred_from(const struct uext4_cred *c)
{
	if (!c)
		return (struct cred){.privileged = true};
	return (struct cred){.uid = c->uid,
		.gid = c->gid,
		.groups = c->groups,
		.group_count = (u32)c->group_count,
		.check = !c->trusted,
		.privileged = c->privileged || c->uid == 0};
}

int name_check(const char *s, struct name *out)
{
	size_t len = s ? strlen(s) : 0;

	if (len == 0)
		return ERR(ENOENT);
	if (len > 255)
		return ERR(ENAMETOOLONG);
	if (memchr(s, '/', len))
		return ERR(EINVAL);
	*out = (struct name){s, (u32)len};
	return 0;
}

int api_check(const struct inode *i)
{
	return volume_check(i->volume);
}
