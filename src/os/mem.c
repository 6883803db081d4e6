/* Plain and page memory, with the fault point "os_alloc". */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/trace.h"
#include "os/mem.h"

#define PAGE_ALIGN 4096

void *os_alloc(size_t size)
{
	return FAULT("os_alloc") ? NULL : malloc(size ? size : 1);
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

void *os_alloc_pages(size_t size)
{
	if (FAULT("os_alloc") || size > SIZE_MAX - PAGE_ALIGN)
		return NULL;
	size = (size_t)round_up_to(size ? size : 1, PAGE_ALIGN);
	return aligned_alloc(PAGE_ALIGN, size);
}

void os_free_pages(void *p, size_t size)
{
	free(p);
}
