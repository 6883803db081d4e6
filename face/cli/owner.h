/* USER:GROUP. */
#ifndef FACE_CLI_OWNER_H
#define FACE_CLI_OWNER_H

#include "cli.h"

struct owner {
	bool set_uid, set_gid;
	uint32_t uid, gid;
};

/* USER, USER:GROUP or :GROUP; false if there is no such user or group. */
bool owner_parse(const char *text, struct owner *owner);

#endif
