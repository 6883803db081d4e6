/*
 * Devices that lose power together: the journal fixture's devices, recorded in
 * one common order, so that a crash of two devices (external log) is one point
 * in time. FUA arrives here as a write and a flush.
 */
#ifndef TESTS_POWER_H
#define TESTS_POWER_H

#include "journal_fixture.h"
#include "os/lock.h"

struct power_entry {
	u8 dev; /* 0 = file system, 1 = log */
	bool flush;
	u64 offset, len;
	size_t covers; /* flush: entries of its device before this index are durable */
	u8 *data;
};

struct power;

struct power_side {
	struct power *p;
	u8 id;
	u8 *mem;
	struct dev *old; /* what the fixture had */
};

struct power {
	struct os_mutex lock;
	struct power_entry *e; /* lock: lock */
	size_t count, room;    /* lock: lock */
	struct power_side side[2];
	u32 sides;
	u8 *base[2]; /* contents before the first entry */
};

/* Puts the recorder under f's device(s); f is formatted and not attached. */
void power_on(struct power *p, struct fixture *f);
/* Gives f its devices back. */
void power_off(struct power *p, struct fixture *f);
void power_free(struct power *p);
/* Entries so far; any thread. */
size_t power_now(struct power *p);
/*
 * Contents of side after the first cut entries: what is durable, and of the
 * rest nothing (choice 0), all (1), or by seed whole writes and single sectors.
 */
void power_cut(const struct power *p, u32 side, size_t cut, u64 choice, u8 *image);

#endif
