/*
 * What a power cut may leave on the medium.
 *
 * A cursor walks a history. At a position each sector that was written and
 * not yet settled has a list of contents: the durable one, then each version
 * since. One choice per sector (one for all of `whole`) is a crash state. A write
 * in flight counts as a version; one with PREFLUSH only in states in which
 * what was complete when it was submitted is durable.
 *
 * The states of a cut have numbers. All of them when they are at most
 * `exhaustive`; else those of enum sim_state_kind, in its order. A number
 * always means the same state, and its hash is known without building it.
 */
#ifndef SIM_DISK_STATES_H
#define SIM_DISK_STATES_H

#include "sim/disk/history.h"

struct sim_states_params {
	u64 seed;
	u64 exhaustive;		       /* 0 = 1024 */
	u32 samples;		       /* 0 = 64 */
	u64 whole_offset, whole_bytes; /* sectors that a cut never tears (a superblock) */
};

enum sim_state_kind {
	SIM_NOTHING,
	SIM_EVERYTHING,
	SIM_PREFIX,  /* per write: it and those before it */
	SIM_DROPPED, /* per write: all others */
	SIM_ALONE,   /* per write */
	SIM_TORN,    /* SIM_TORN_VARIANTS per write: part of its sectors, and all others */
	SIM_SAMPLE,
	SIM_STATE_KINDS
};
#define SIM_TORN_VARIANTS 6u

struct sim_cut {
	u64 count; /* states */
	bool exhaustive;
	u32 way, writes;
};

struct sim_cursor {
	const struct sim_history *history;
	struct sim_states_params params;
	size_t position;
	struct sim_pages durable;
	u64 durable_hash;
	struct sim_work *work; /* private */
};

/* base_hash names the contents of the history's base. */
void sim_cursor_init(struct sim_cursor *c, const struct sim_history *h, u64 base_hash,
	const struct sim_states_params *params);
void sim_cursor_fini(struct sim_cursor *c);
void sim_cursor_advance(struct sim_cursor *c, size_t position); /* forwards only */

/* A cut at the cursor's position has one way, and one more per PREFLUSH in flight: it is done. */
u32 sim_cursor_ways(const struct sim_cursor *c);
/* Lists the states of one way; they are good until the next cut or advance. */
void sim_cut_make(struct sim_cursor *c, u32 way, struct sim_cut *out);
/* For cuts that are not exhaustive; write in [0, cut->writes), the one submitted last is the last.
 */
u64 sim_cut_number(const struct sim_cut *cut, enum sim_state_kind kind, u32 write, u32 variant);
/* Chooses state `number` and gives its hash. */
u64 sim_cut_choose(struct sim_cursor *c, const struct sim_cut *cut, u64 number);
/* The state that was chosen last, as an image of its own. */
void sim_cut_build(const struct sim_cursor *c, struct sim_pages *out);

#endif
