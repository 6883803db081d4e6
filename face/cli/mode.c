/* Modes as chmod(1) takes them. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { USER = 04700, GROUP = 02070, OTHER = 00007, ALL = 07777, STICKY = 01000 };

static uint32_t parse_who(const char **text)
{
	uint32_t who = 0;

	for (;; (*text)++) {
		if (**text == 'u')
			who |= USER;
		else if (**text == 'g')
			who |= GROUP;
		else if (**text == 'o')
			who |= OTHER;
		else if (**text == 'a')
			who |= ALL;
		else
			return who;
	}
}

/* Copies the bits of one class to all three. */
static uint32_t spread(uint32_t bits)
{
	bits &= 7;
	return bits << 6 | bits << 3 | bits;
}

/* The permission letters, or one class to copy from, as bits for everyone. */
static uint32_t parse_permissions(const char **text, uint32_t mode)
{
	bool any_x = (mode & S_IFMT) == S_IFDIR || mode & 0111;
	uint32_t bits = 0;

	switch (**text) {
	case 'u':
		return (*text)++, spread(mode >> 6);
	case 'g':
		return (*text)++, spread(mode >> 3);
	case 'o':
		return (*text)++, spread(mode);
	}
	for (; **text && strchr("rwxXst", **text); (*text)++) {
		switch (**text) {
		case 'r':
			bits |= 0444;
			break;
		case 'w':
			bits |= 0222;
			break;
		case 'x':
			bits |= 0111;
			break;
		case 'X':
			bits |= any_x ? 0111 : 0;
			break;
		case 's':
			bits |= 06000;
			break;
		default:
			bits |= STICKY;
		}
	}
	return bits;
}

/* One clause: who, then one or more of operator and permissions. */
static bool apply_clause(const char **text, uint32_t *mode, uint32_t umask)
{
	uint32_t who = parse_who(text);
	uint32_t reach = who ? who : ALL & ~umask;

	if (!**text || !strchr("+-=", **text))
		return false;
	while (**text && strchr("+-=", **text)) {
		char op = *(*text)++;
		uint32_t bits = parse_permissions(text, *mode);

		/* The sticky bit goes with "a" and with no class. */
		bits &= reach | (who ? 0 : STICKY);
		if (op == '=')
			*mode &= ~((who ? who : (uint32_t)ALL) & 07777) |
				 ((*mode & S_IFMT) == S_IFDIR ? 06000 : 0);
		if (op == '-')
			*mode &= ~bits;
		else
			*mode |= bits;
	}
	return true;
}

static int parse_octal(const char *text, uint32_t mode)
{
	char *end;
	unsigned long bits = strtoul(text, &end, 8);

	if (*end || bits > 07777)
		return -EINVAL;
	return (int)((mode & S_IFMT) | bits);
}

int mode_parse(const char *text, uint32_t mode, uint32_t umask)
{
	if (*text >= '0' && *text <= '7')
		return parse_octal(text, mode);
	do {
		if (!apply_clause(&text, &mode, umask))
			return -EINVAL;
	} while (*text == ',' && text++);
	return *text ? -EINVAL : (int)mode;
}
