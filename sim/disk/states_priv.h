/* What the two halves of states.h share: the walk (states.c) and the cut (cut.c). */
#ifndef SIM_DISK_STATES_PRIV_H
#define SIM_DISK_STATES_PRIV_H

#include "base/hash.h"
#include "sim/disk/states.h"

struct sim_numbers {
	u32 *at;
	u32 count, room;
};

/* One write's part in a unit. */
struct sim_version {
	u32 unit;
	u32 write;	  /* index of sim_work.writes */
	u32 sector, span; /* those of its request */
	u64 delta;	  /* what choosing it adds to the hash */
};

/* What is chosen at once: a sector, or the range that is never torn. */
struct sim_unit {
	u64 sector;
	u32 first; /* index of its first version; they lie one after the other */
	u32 count;
	u32 low;    /* first legal choice; 0 is what is durable, n the nth version */
	u32 choice; /* the one chosen last */
};

struct sim_work {
	u64 *sector_hash;   /* of what is durable; 0 = not known yet */
	size_t *settled_at; /* per sector: 1 + the event that completed the durable version */
	u32 *unit_of;	    /* per sector: index + 1; all 0 but while a cut is made */
	struct sim_numbers done, flying; /* requests not settled: in order of completion, of
					    submission */
	/* The cut. */
	struct sim_numbers writes; /* requests: done, then flying */
	bool *kept;		   /* per write */
	u32 kept_room;
	struct sim_unit *units;
	u32 unit_count, unit_room;
	struct sim_version *versions, *unsorted;
	u32 version_count, version_room;
};

void sim_numbers_add(struct sim_numbers *n, u32 number);

/* A sector's share of an image's hash: shares are added up. */
static inline u64 sim_share(u64 sector, u64 content_hash)
{
	return hash_u64(content_hash + sector * 0x9e3779b97f4a7c15ull);
}

/* The hash of a sector's durable contents. */
u64 sim_durable_hash(struct sim_cursor *c, u64 sector);

#endif
