#include "sim/disk/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "dev/dev.h"

void sim_history_init(struct sim_history *h, const struct sim_pages *base)
{
	*h = (struct sim_history){0};
	sim_pages_clone(&h->base, base);
}

void sim_history_fini(struct sim_history *h)
{
	for (u32 i = 0; i < h->request_count; i++) {
		free(h->requests[i].data);
		free(h->requests[i].hashes);
	}
	free(h->requests);
	free(h->events);
	sim_pages_fini(&h->base);
	*h = (struct sim_history){0};
}

/* Two chains of multiplications, so that the second does not wait for the first. */
u64 sim_sector_hash(const void *data)
{
	const u64 odd = 0x9e3779b97f4a7c15ull, other = 0xc2b2ae3d27d4eb4full;
	u64 a = odd, b = other, word[2];

	for (u32 at = 0; at < SIM_SECTOR; at += sizeof(word)) {
		memcpy(word, (const u8 *)data + at, sizeof(word));
		a = (a ^ word[0]) * odd;
		b = (b ^ word[1]) * other;
		a ^= a >> 29;
		b ^= b >> 31;
	}
	return (a ^ b << 23 ^ b >> 41) * odd;
}

static void event_add(struct sim_history *h, struct sim_event e)
{
	if (h->count == h->room) {
		h->room = max_of(h->room * 2, (size_t)64);
		h->events = sim_realloc(h->events, h->room * sizeof(*h->events));
	}
	h->events[h->count++] = e;
}

static const u8 *sector_bytes(const struct sim_request *r, u32 sector, u8 *buf)
{
	switch (r->content) {
	case SIM_DATA:
		return r->data + (size_t)sector * SIM_SECTOR;
	case SIM_ZEROES:
		memset(buf, 0, SIM_SECTOR);
		break;
	case SIM_POISONED:
		sim_poison_fill(r->sector + sector, r->generation, buf);
		break;
	}
	return buf;
}

u32 sim_history_submit(struct sim_history *h, const struct sim_request *r)
{
	struct sim_request *own;
	u8 buf[SIM_SECTOR];

	if (h->request_count == h->request_room) {
		h->request_room = max_of(h->request_room * 2, 32u);
		h->requests = sim_realloc(h->requests, h->request_room * sizeof(*h->requests));
	}
	own = &h->requests[h->request_count];
	*own = *r;
	own->submitted = h->count;
	own->completed = SIM_NEVER;
	own->hashes = sim_alloc(r->count * sizeof(u64));
	for (u32 s = 0; s < r->count; s++)
		own->hashes[s] = sim_sector_hash(sector_bytes(own, s, buf));
	event_add(h, (struct sim_event){.kind = SIM_EVENT_SUBMIT, .request = h->request_count});
	return h->request_count++;
}

void sim_history_complete(struct sim_history *h, u32 request)
{
	h->requests[request].completed = h->count;
	event_add(h, (struct sim_event){.kind = SIM_EVENT_COMPLETE, .request = request});
}

void sim_history_flush(struct sim_history *h, size_t covers)
{
	event_add(h, (struct sim_event){.kind = SIM_EVENT_FLUSH, .covers = covers});
}

void sim_request_apply(const struct sim_request *r, u32 sector, struct sim_pages *to)
{
	u8 buf[SIM_SECTOR];

	sim_pages_write(
		to, (r->sector + sector) * SIM_SECTOR, sector_bytes(r, sector, buf), SIM_SECTOR);
}

bool sim_event_settles(const struct sim_history *h, size_t at)
{
	const struct sim_event *e = &h->events[at];

	return e->kind == SIM_EVENT_FLUSH ||
	       (e->kind == SIM_EVENT_COMPLETE && h->requests[e->request].flags != 0);
}
