/*
 * What no one wrote. A simulated medium is filled with cells of 16 bytes that
 * name their sector and generation: 0 from the start, one more with each
 * discard. Every byte of a cell has its top bit set, so that a workload that
 * writes bytes below 0x80 knows each single stale byte for what it is; a
 * whole cell, at any offset, tells where it comes from.
 */
#ifndef SIM_DISK_POISON_H
#define SIM_DISK_POISON_H

#include "base/types.h"

#define SIM_SECTOR 512u
#define SIM_POISON_CELL 16u

struct sim_poison {
	u64 sector;
	u32 generation;
	size_t at; /* where in the buffer its first cell begins */
};

static inline bool sim_poison_byte(u8 byte)
{
	return byte >= 0x80;
}

/* The contents of one sector; generation < 2^28. */
void sim_poison_fill(u64 sector, u32 generation, void *out);
/* Finds the first whole cell in a buffer. */
bool sim_poison_recognise(const void *buf, size_t len, struct sim_poison *out);

#endif
