/*
 * A simulated disk of 512-byte sectors.
 *
 * A request is in flight from its submission until a reap takes it; which ones
 * a reap takes, and in which order, `choose` decides. A write takes effect when
 * it completes. Where overlapping writes are in flight together the one that
 * completes last wins. Between two flushes all that was written is in a
 * volatile cache; sim/disk/states.h says what a power cut leaves of it.
 *
 * Errors: put dev_fault_create on top of sim_disk_dev. All of one disk belongs
 * to one OS thread.
 */
#ifndef SIM_DISK_DISK_H
#define SIM_DISK_DISK_H

#include "dev/dev.h"
#include "sim/disk/history.h"

struct sim_disk_params {
	u32 block_size;	    /* logical; 0 = 512 */
	bool write_through; /* no volatile cache: completed is durable */
	bool no_fua;	    /* FUA is done by a flush behind the write */
	bool no_discard;
	bool record;	    /* keep the history */
	bool lies_on_flush; /* says that it has flushed, and has not */
	bool lies_on_fua;
	u64 latency_ns;	 /* of virtual time; each request takes one to two times as long */
	u64 space_pages; /* writes that would use more pages of 4 KiB get ENOSPC; 0 = no bound */
	/* A number in [0, n); NULL: always 0, and everything completes in order at once. With it
	 * other threads may run between submission and completion. */
	u32 (*choose)(u32 n);
};

struct sim_disk;

/* image is cloned. params may be NULL. */
struct sim_disk *sim_disk_create(
	const struct sim_pages *image, const struct sim_disk_params *params);
void sim_disk_destroy(struct sim_disk *d); /* all its devices are closed */
/* A device on the disk, for a mount to own and close; NULL without memory. Any number of them. */
struct dev *sim_disk_dev(struct sim_disk *d);

/* Everything from now on fails with EIO, what is in flight too. */
void sim_disk_disconnect(struct sim_disk *d);

/* What a read gives now. */
const struct sim_pages *sim_disk_pages(const struct sim_disk *d);
/* NULL unless recording. */
const struct sim_history *sim_disk_history(const struct sim_disk *d);
/* Events so far: "acknowledged at position p" means that a cut at p or later must keep it. */
size_t sim_disk_position(const struct sim_disk *d);

#endif
