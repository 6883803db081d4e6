#include "crash.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE_BYTES ((size_t)FX_BLOCKS * FX_BLOCK_SIZE)

void crash_begin(struct crash_log *c, struct dev *mem, struct dev *rec)
{
	memset(c, 0, sizeof(*c));
	c->base = malloc(IMAGE_BYTES);
	memcpy(c->base, dev_mem_data(mem), IMAGE_BYTES);
	dev_record_clear(rec);
}

void crash_end(struct crash_log *c, struct dev *rec)
{
	const struct dev_record_entry *e;
	size_t i;

	c->count = dev_record_entries(rec, &e);
	c->entries = calloc(c->count + 1, sizeof(*e));
	for (i = 0; i < c->count; i++) {
		c->entries[i] = e[i];
		if (!e[i].data)
			continue;
		c->entries[i].data = malloc(e[i].len);
		memcpy(c->entries[i].data, e[i].data, e[i].len);
	}
}

/* Entries before this index that completed are durable at cut n. */
static size_t durable_end(const struct crash_log *c, size_t n)
{
	size_t i, k;

	for (i = n; i-- > 0;) {
		const struct dev_record_entry *e = &c->entries[i];

		if (e->kind == DEV_REC_FLUSH)
			return i;
		if (e->kind != DEV_REC_WRITE || !(e->flags & DEV_PREFLUSH))
			continue;
		for (k = i; k-- > 0;) /* what had completed when it was submitted */
			if (c->entries[k].kind == DEV_REC_SUBMIT_WRITE &&
				c->entries[k].offset == e->offset)
				return k;
	}
	return 0;
}

void crash_image(const struct crash_log *c, size_t n, enum crash_kind kind, u32 seed, u8 *image)
{
	size_t safe = durable_end(c, n), i;

	memcpy(image, c->base, IMAGE_BYTES);
	for (i = 0; i < n; i++) {
		const struct dev_record_entry *e = &c->entries[i];
		bool keep = i < safe || e->flags & DEV_FUA || kind == CRASH_ALL_COMPLETED;

		seed = seed * 1664525 + 1013904223;
		if (kind == CRASH_RANDOM && (seed >> 16) % 2)
			keep = true;
		if (e->kind == DEV_REC_WRITE && keep)
			memcpy(image + e->offset, e->data, e->len);
	}
}

void crash_free(struct crash_log *c)
{
	size_t i;

	for (i = 0; i < c->count; i++)
		free(c->entries[i].data);
	free(c->entries);
	free(c->base);
}
