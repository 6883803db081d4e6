/* Every kind of metadata block, and its bytes flipped in several ways. */
#ifndef FUZZ_REGIONS_H
#define FUZZ_REGIONS_H

#include "poke.h"

enum { FLIPS = 4 }; /* ways to flip a byte */

struct region {
	enum object what;
	enum node owner;
};
extern const struct region regions[];
extern const unsigned region_count;

/* Flips of the region; 0: this image has none. */
unsigned flip_count(struct image *img, const struct region *r);
/* The nth, at a place of the region that was found before; the byte that is there then. */
u8 flip_at(
	struct image *img, const struct region *r, const struct place *p, unsigned nth, bool seal);
/*
 * Does the nth, and names it; seal: makes the checksum valid again. False: it would change
 * nothing.
 */
bool flip_apply(struct image *img, const struct region *r, unsigned nth, bool seal, char *name,
	size_t size);

#endif
