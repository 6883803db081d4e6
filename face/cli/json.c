/* Output for programs. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

void json_print(struct json_object *value)
{
	puts(json_object_to_json_string_ext(
		value, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(value);
}

/* The length of the UTF-8 character at s, or 0. */
static int utf8_length(const unsigned char *s)
{
	int len = s[0] < 0x80	    ? 1
		  : s[0] >> 5 == 6  ? 2
		  : s[0] >> 4 == 14 ? 3
		  : s[0] >> 3 == 30 ? 4
				    : 0;
	uint32_t c = len ? s[0] & (len == 1 ? 0x7f : 0x7f >> len) : 0;

	for (int k = 1; k < len; k++) {
		if (s[k] >> 6 != 2)
			return 0;
		c = c << 6 | (s[k] & 0x3f);
	}
	if (len > 1 && c < (len == 2 ? 0x80u : len == 3 ? 0x800u : 0x10000u))
		return 0;
	return c > 0x10ffff || c >> 11 == 0x1b ? 0 : len;
}

static void add_hex(struct json_object *to, const char *key, const char *s)
{
	size_t len = strlen(s);
	char hex_key[64];

	snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
	json_object_object_add(to, hex_key, json_hex(s, len));
}

struct json_object *json_hex(const char *bytes, size_t len)
{
	char *hex = malloc(2 * len + 1);
	struct json_object *value;

	if (!hex)
		return NULL;
	for (size_t k = 0; k < len; k++)
		sprintf(hex + 2 * k, "%02x", (unsigned char)bytes[k]);
	value = json_object_new_string_len(hex, (int)(2 * len));
	free(hex);
	return value;
}

bool json_text(const char *name, char *shown)
{
	const unsigned char *s = (const unsigned char *)name;
	bool exact = true;

	while (*s) {
		int len = utf8_length(s);
		size_t bytes = len ? (size_t)len : 3;

		memcpy(shown, len ? (const char *)s : "\xef\xbf\xbd", bytes);
		shown += bytes;
		exact = exact && len;
		s += len ? len : 1;
	}
	*shown = '\0';
	return exact;
}

void json_add_name(struct json_object *to, const char *key, const char *name)
{
	char *shown = malloc(3 * strlen(name) + 1);
	bool exact;

	if (!shown)
		return;
	exact = json_text(name, shown);
	json_object_object_add(to, key, json_object_new_string(shown));
	if (!exact)
		add_hex(to, key, name);
	free(shown);
}

void json_add_uint(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

void json_add_time(struct json_object *to, const char *key, struct timespec time)
{
	bool negative = time.tv_sec < 0;
	long long sec = negative ? -(long long)time.tv_sec : (long long)time.tv_sec;
	long nsec = time.tv_nsec;
	char text[40];

	if (negative && nsec) { /* nanoseconds count forward, decimals away from zero */
		sec--;
		nsec = 1000000000 - nsec;
	}
	snprintf(text, sizeof(text), "%s%lld.%09ld", negative ? "-" : "", sec, nsec);
	json_object_object_add(to, key, json_object_new_double_s((double)time.tv_sec, text));
}

struct json_object *json_stat(const struct uext4_stat *st)
{
	struct json_object *to = json_object_new_object();
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", st->mode & 07777);
	json_add_uint(to, "inode", st->ino);
	json_object_object_add(to, "type", json_object_new_string(type_name(st->mode)));
	json_object_object_add(to, "mode", json_object_new_string(mode));
	json_add_uint(to, "links", st->links);
	json_add_uint(to, "uid", st->uid);
	json_add_uint(to, "gid", st->gid);
	json_add_uint(to, "size", st->size);
	json_add_uint(to, "blocks", st->blocks);
	json_add_uint(to, "block_size", st->block_size);
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode)) {
		json_add_uint(to, "major", st->rdev_major);
		json_add_uint(to, "minor", st->rdev_minor);
	}
	json_add_uint(to, "generation", st->generation);
	json_add_uint(to, "flags", st->flags);
	json_add_uint(to, "project", st->project);
	json_add_time(to, "accessed", st->atime);
	json_add_time(to, "modified", st->mtime);
	json_add_time(to, "changed", st->ctime);
	json_add_time(to, "created", st->btime);
	return to;
}
