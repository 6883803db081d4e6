/* USER:GROUP as chown(1) takes it; names are looked up on this machine. */
#include "owner.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static bool parse_id(const char *text, uint32_t *id)
{
	uint64_t n;

	while (text[0] == '0' && text[1] >= '0' && text[1] <= '9')
		text++; /* decimal, as chown(1) has it */
	if (!parse_uint(text, UINT32_MAX - 1, &n))
		return false;
	*id = (uint32_t)n;
	return true;
}

static bool parse_user(const char *text, struct owner *o)
{
	const struct passwd *user;

	o->set_uid = true;
	if (parse_id(text, &o->uid))
		return true;
	user = getpwnam(text);
	if (user)
		o->uid = user->pw_uid;
	return user;
}

static bool parse_group(const char *text, struct owner *o)
{
	const struct group *group;

	o->set_gid = true;
	if (parse_id(text, &o->gid))
		return true;
	group = getgrnam(text);
	if (group)
		o->gid = group->gr_gid;
	return group;
}

bool owner_parse(const char *text, struct owner *o)
{
	char user[256];
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	*o = (struct owner){0};
	if (len >= sizeof(user))
		return false;
	memcpy(user, text, len);
	user[len] = '\0';
	if (user[0] && !parse_user(user, o))
		return false;
	if (colon && colon[1] && !parse_group(colon + 1, o))
		return false;
	return o->set_uid || o->set_gid;
}
