#include "sim/disk/poison.h"

#include <string.h>

enum { MAGIC = 4, GENERATION = 4, SECTOR = 8 }; /* bytes of a cell */

static const u8 magic[MAGIC] = {0xbd, 0x9f, 0xe5, 0x8b};

/* Seven bits in each byte, the least first. */
static void put(u8 *to, unsigned bytes, u64 value)
{
	for (unsigned i = 0; i < bytes; i++, value >>= 7)
		to[i] = (u8)(0x80 | (value & 0x7f));
}

static bool get(const u8 *from, unsigned bytes, u64 *value)
{
	*value = 0;
	for (unsigned i = bytes; i-- > 0;) {
		if (!sim_poison_byte(from[i]))
			return false;
		*value = *value << 7 | (from[i] & 0x7f);
	}
	return true;
}

void sim_poison_fill(u64 sector, u32 generation, void *out)
{
	u8 *cell = out;

	memcpy(cell, magic, MAGIC);
	put(cell + MAGIC, GENERATION, generation);
	put(cell + MAGIC + GENERATION, SECTOR, sector);
	for (unsigned at = SIM_POISON_CELL; at < SIM_SECTOR; at += SIM_POISON_CELL)
		memcpy(cell + at, cell, SIM_POISON_CELL);
}

bool sim_poison_recognise(const void *buf, size_t len, struct sim_poison *out)
{
	const u8 *p = buf;
	u64 generation;

	for (size_t at = 0; at + SIM_POISON_CELL <= len; at++) {
		const u8 *cell = p + at;

		if (cell[0] != magic[0] || memcmp(cell, magic, MAGIC) != 0 ||
			!get(cell + MAGIC, GENERATION, &generation) ||
			!get(cell + MAGIC + GENERATION, SECTOR, &out->sector))
			continue;
		out->generation = (u32)generation;
		out->at = at;
		return true;
	}
	return false;
}
