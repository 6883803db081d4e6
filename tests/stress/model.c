/* What must be in the files. */
#include "fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fsx_note(struct fsx *x, const char *format, ...)
{
	char *line = x->notes[x->op % NOTES];
	int n = snprintf(line, sizeof(x->notes[0]), "%llu ", (unsigned long long)x->op);
	va_list args;

	va_start(args, format);
	vsnprintf(line + n, sizeof(x->notes[0]) - (size_t)n, format, args);
	va_end(args);
	if (x->o->verbose)
		fprintf(stderr, "%u: %s\n", x->thread, line);
}

void fsx_fail(struct fsx *x, const char *format, ...)
{
	va_list args;

	flockfile(stdout);
	for (u64 k = x->op >= NOTES ? x->op - NOTES + 1 : 0; k <= x->op; k++)
		if (x->notes[k % NOTES][0])
			printf("%s\n", x->notes[k % NOTES]);
	printf("fsx: seed %llu, thread %u, operation %llu: ", (unsigned long long)x->o->seed,
		x->thread, (unsigned long long)x->op);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

bool fsx_refused(struct fsx *x, s64 err, const char *what)
{
	if (err >= 0)
		return false;
	if (err != -ENOSPC || !x->o->full)
		fsx_fail(x, "%s: %s", what, strerror((int)-err));
	x->refused++;
	return true;
}

u64 fsx_below(struct fsx *x, u64 n)
{
	return rng_below(&x->rng, n);
}

/* No byte is 0, so that nothing written looks like a hole. */
void fsx_fill(struct fsx *x, u8 *buf, u64 len)
{
	for (u64 k = 0; k < len; k += 8) {
		u64 bytes = rng_u64(&x->rng) | 0x0101010101010101ull;

		memcpy(buf + k, &bytes, len - k < 8 ? len - k : 8);
	}
}

void *fsx_handle(const struct subject *s, bool direct)
{
	return direct ? s->direct : s->file;
}

void model_write(struct subject *s, const u8 *buf, u64 len, u64 pos)
{
	memcpy(s->model + pos, buf, len);
	if (len && pos + len > s->size)
		s->size = pos + len;
}

void model_zero(struct subject *s, u64 pos, u64 len)
{
	if (pos < s->size)
		memset(s->model + pos, 0, len < s->size - pos ? len : s->size - pos);
}

void model_resize(struct subject *s, u64 size)
{
	if (size < s->size)
		memset(s->model + size, 0, s->size - size);
	s->size = size;
}

void model_collapse(struct subject *s, u64 pos, u64 len)
{
	memmove(s->model + pos, s->model + pos + len, s->size - pos - len);
	model_resize(s, s->size - len);
}

void model_insert(struct subject *s, u64 pos, u64 len)
{
	memmove(s->model + pos + len, s->model + pos, s->size - pos);
	memset(s->model + pos, 0, len);
	s->size += len;
}

void model_compare(struct fsx *x, const struct subject *s, const u8 *got, u64 len, u64 pos)
{
	u64 k = 0;

	if (memcmp(got, s->model + pos, len) == 0)
		return;
	while (got[k] == s->model[pos + k])
		k++;
	fsx_fail(x, "%s: byte %llu of %llu is %02x, not %02x (read from %llu)", s->name,
		(unsigned long long)(pos + k), (unsigned long long)s->size, got[k],
		s->model[pos + k], (unsigned long long)pos);
}

struct subject doubt_begin(struct fsx *x, const struct subject *s)
{
	struct subject other = *s;

	other.model = x->doubt;
	memcpy(x->doubt, s->model, x->o->bytes);
	return other;
}

void doubt_end(struct fsx *x, struct subject *s, const struct subject *other)
{
	u64 low = s->size < other->size ? s->size : other->size;
	u64 high = s->size < other->size ? other->size : s->size;
	s64 size = x->host->size(s->file), n = x->host->read(s->file, x->found, x->o->bytes, 0);

	if (size < 0 || n != size || (u64)size < low || (u64)size > high)
		fsx_fail(x, "%s: %lld bytes, %lld could be read, between %llu and %llu expected",
			s->name, (long long)size, (long long)n, (unsigned long long)low,
			(unsigned long long)high);
	for (u64 k = 0; k < (u64)size; k++)
		if (x->found[k] != s->model[k] && x->found[k] != other->model[k])
			fsx_fail(x, "%s: byte %llu is %02x, neither %02x nor %02x", s->name,
				(unsigned long long)k, x->found[k], s->model[k], other->model[k]);
	memset(s->model, 0, x->o->bytes);
	memcpy(s->model, x->found, (u64)size);
	s->size = (u64)size;
}

void fsx_init(struct fsx *x, const struct host *host, const struct fsx_options *o, unsigned thread)
{
	*x = (struct fsx){.host = host, .o = o, .thread = thread};
	rng_init(&x->rng, o->seed * 1000 + thread);
	x->buf = aligned_alloc(4096, o->bytes * BATCH_MAX);
	x->doubt = malloc(o->bytes);
	x->found = malloc(o->bytes);
	for (unsigned k = 0; k < SUBJECTS; k++) {
		snprintf(x->subjects[k].name, sizeof(x->subjects[k].name), "f%u.%u", thread, k);
		x->subjects[k].model = calloc(1, o->bytes);
	}
}

static void store_model(struct fsx *x, const struct subject *s)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", x->o->model_dir, s->name);
	f = fopen(path, "w");
	if (!f || fwrite(s->model, 1, s->size, f) != s->size || fclose(f))
		fsx_fail(x, "%s: %s", path, strerror(errno));
}

void fsx_fini(struct fsx *x)
{
	for (unsigned k = 0; k < SUBJECTS; k++) {
		if (x->o->model_dir)
			store_model(x, &x->subjects[k]);
		free(x->subjects[k].model);
	}
	free(x->buf);
	free(x->doubt);
	free(x->found);
}
