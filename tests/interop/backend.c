/* Choosing a backend by name. */
#include "backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct backend *backend_open(const char *spec)
{
	const struct backend *b = NULL;

	if (strncmp(spec, "posix:", 6) == 0)
		b = backend_posix(spec + 6);
	else if (strncmp(spec, "image:", 6) == 0)
		b = backend_image(spec + 6, false);
	else if (strncmp(spec, "image-ro:", 9) == 0)
		b = backend_image(spec + 9, true);
	if (!b) {
		fprintf(stderr, "%s: can't open (posix:DIR, image:FILE or image-ro:FILE)\n", spec);
		exit(2);
	}
	return b;
}
