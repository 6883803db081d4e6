/* How far a long copy is, for a person who watches. */
#include "cli.h"

#include <time.h>
#include <unistd.h>

enum { FIRST_MS = 1000, EVERY_MS = 200 };

static long ms_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - then->tv_sec) * 1000 + (now.tv_nsec - then->tv_nsec) / 1000000;
}

void progress_start(struct progress *p, const char *what)
{
	*p = (struct progress){.what = what, .on = isatty(STDERR_FILENO)};
	clock_gettime(CLOCK_MONOTONIC, &p->shown);
	p->shown.tv_sec += (FIRST_MS - EVERY_MS) / 1000;
}

void progress_add(struct progress *p, uint64_t files, uint64_t bytes)
{
	p->files += files;
	p->bytes += bytes;
	if (!p->on || ms_since(&p->shown) < EVERY_MS)
		return;
	clock_gettime(CLOCK_MONOTONIC, &p->shown);
	fprintf(stderr, "\r%s: %llu files, %llu MiB ", p->what, (unsigned long long)p->files,
		(unsigned long long)(p->bytes >> 20));
}

void progress_end(struct progress *p)
{
	if (p->on)
		fprintf(stderr, "\r\033[K");
}
