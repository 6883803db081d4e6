/* Pairs of names with one hash, found by sorting the hashes of many. */
#include "sim/load/twins.h"

#include "base/util.h"
#include "disk/dirhash.h"
#include "sim/disk/mkfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIED = 400000 };

/* The number comes first: names that differ early are soon told apart. */
static void name_of(u32 number, char out[TWIN_LEN + 1])
{
	snprintf(out, TWIN_LEN + 1, "%06u%0*u", number, TWIN_LEN - 6, 0);
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

/* In order of the hash, which is in the upper half. */
static u64 *sorted(void)
{
	u64 *all = malloc(TRIED * sizeof(*all));
	u32 seed[4];
	char name[TWIN_LEN + 1];
	struct dirhash h;

	if (!all)
		abort();
	sim_mkfs_hash_seed(seed);
	for (u32 k = 0; k < TRIED; k++) {
		name_of(k, name);
		if (dirhash_compute(EXT4_HASH_HALF_MD4, seed, name, TWIN_LEN, &h))
			abort();
		all[k] = (u64)h.hash << 32 | k;
	}
	qsort(all, TRIED, sizeof(*all), by_value);
	return all;
}

void twins_make(char (*out)[TWIN_LEN + 1], unsigned count)
{
	u64 *all = sorted();
	unsigned n = 0;

	for (u32 k = 1; k < TRIED && n + 1 < count; k++)
		if (all[k] >> 32 == all[k - 1] >> 32) {
			name_of((u32)all[k - 1], out[n++]);
			name_of((u32)all[k], out[n++]);
		}
	for (u32 k = 0; n < count; k++)
		name_of(TRIED + k, out[n++]);
	free(all);
}
