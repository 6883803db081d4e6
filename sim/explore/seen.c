#include "sim/explore/seen.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "sim/disk/pages.h"

void seen_fini(struct seen *s)
{
	free(s->slot);
	*s = (struct seen){0};
}

static bool insert(struct seen *s, u64 hash)
{
	size_t mask = ((size_t)1 << s->bits) - 1, at = hash_slot(hash, s->bits);

	for (; s->slot[at]; at = (at + 1) & mask)
		if (s->slot[at] == hash)
			return false;
	s->slot[at] = hash;
	s->count++;
	return true;
}

static void grow(struct seen *s)
{
	struct seen old = *s;

	s->bits = old.bits ? old.bits + 1 : 10;
	s->count = 0;
	s->slot = sim_alloc(sizeof(u64) << s->bits);
	memset(s->slot, 0, sizeof(u64) << s->bits);
	for (size_t i = 0; old.bits && i < (size_t)1 << old.bits; i++)
		if (old.slot[i])
			insert(s, old.slot[i]);
	free(old.slot);
}

bool seen_add(struct seen *s, u64 hash)
{
	if (!s->bits || s->count >= (size_t)1 << (s->bits - 1))
		grow(s);
	return insert(s, hash ? hash : 1);
}
