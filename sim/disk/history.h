/*
 * What a simulated disk was asked to make durable, in order. A position is the
 * number of events so far; "at position p" means that the power goes when the
 * first p events have happened.
 */
#ifndef SIM_DISK_HISTORY_H
#define SIM_DISK_HISTORY_H

#include "sim/disk/pages.h"

enum sim_event_kind { SIM_EVENT_SUBMIT, SIM_EVENT_COMPLETE, SIM_EVENT_FLUSH };

struct sim_event {
	enum sim_event_kind kind;
	u32 request;   /* SUBMIT, COMPLETE: index */
	size_t covers; /* FLUSH: the position when it was submitted */
};

enum sim_content { SIM_DATA, SIM_ZEROES, SIM_POISONED };

#define SIM_NEVER SIZE_MAX

/* A write, write-zeroes or discard. */
struct sim_request {
	u64 sector;
	u32 count; /* sectors */
	u32 flags; /* DEV_FUA, DEV_PREFLUSH */
	enum sim_content content;
	u32 generation;		     /* SIM_POISONED */
	size_t submitted, completed; /* the event's index; SIM_NEVER: not completed */
	u8 *data;		     /* SIM_DATA: owned */
	u64 *hashes;		     /* one per sector, owned */
};

struct sim_history {
	struct sim_pages base; /* before the first event */
	struct sim_event *events;
	size_t count, room;
	struct sim_request *requests;
	u32 request_count, request_room;
};

void sim_history_init(struct sim_history *h, const struct sim_pages *base); /* clones base */
void sim_history_fini(struct sim_history *h);

/* Gives the request's number; takes over data, which sim_alloc gave. */
u32 sim_history_submit(struct sim_history *h, const struct sim_request *r);
void sim_history_complete(struct sim_history *h, u32 request);
void sim_history_flush(struct sim_history *h, size_t covers);

/* The hash of one sector's bytes. */
u64 sim_sector_hash(const void *data);
/* Writes one sector of a request to an image. */
void sim_request_apply(const struct sim_request *r, u32 sector, struct sim_pages *to);
/* Does this event narrow what a power cut may leave? */
bool sim_event_settles(const struct sim_history *h, size_t at);

#endif
