/*
 * Crash states from the recorded stream of a device: everything completed, only
 * what is durable, or durable plus a random part of the rest.
 */
#ifndef TESTS_CRASH_H
#define TESTS_CRASH_H

#include "journal_fixture.h"

enum crash_kind { CRASH_ALL_COMPLETED, CRASH_ONLY_DURABLE, CRASH_RANDOM };

struct crash_log {
	u8 *base; /* image before the first entry */
	struct dev_record_entry *entries;
	size_t count;
};

/* Starts recording from the state that mem holds now. */
void crash_begin(struct crash_log *c, struct dev *mem, struct dev *rec);
/* Takes the stream. */
void crash_end(struct crash_log *c, struct dev *rec);
/* The image after the first n entries and a power cut. */
void crash_image(const struct crash_log *c, size_t n, enum crash_kind kind, u32 seed, u8 *image);
void crash_free(struct crash_log *c);

#endif
