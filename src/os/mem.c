/* Plain memory, with the fault point "os_alloc". */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "os/mem.h"

void *os_alloc(size_t size)
{
	void *p = FAULT("os_alloc") ? NULL : malloc(size ? size : 1);

#ifdef UEXT4_DEBUG
	if (p)
		memset(p, 0xa5, size); /* whoever relies on zeros shall notice */
#endif
	return p;
}

void *os_zalloc(size_t size)
{
	return os_calloc(1, size);
}

void *os_calloc(size_t n, size_t size)
{
	size_t total;

	if (FAULT("os_alloc") || __builtin_mul_overflow(n, size, &total))
		return NULL;
	return calloc(1, total ? total : 1);
}

void *os_realloc(void *p, size_t size)
{
	return FAULT("os_alloc") ? NULL : realloc(p, size ? size : 1);
}

void os_free(void *p)
{
	free(p);
}

char *os_strdup(const char *s)
{
	return os_strndup(s, strlen(s));
}

char *os_strndup(const char *s, size_t len)
{
	size_t used = strnlen(s, len);
	char *copy = os_alloc(used + 1);

	if (copy) {
		memcpy(copy, s, used);
		copy[used] = '\0';
	}
	return copy;
}
