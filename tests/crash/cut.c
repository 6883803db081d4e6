/* Builds what may be on the medium after a power cut. */
#include "cut.h"

#include <stdlib.h>
#include <string.h>

enum {
	SUPER_OFFSET = 1024, /* torn, nobody finds the log that could mend it */
	SUPER_BYTES = 1024,
	DISCARDED = 0xa5, /* POISON of model.h: what a device gives back is its own affair */
};

/* data[k]: what names request k in the log. */
static u32 request_of(const struct sim_history *h, const void *const *data, const void *wanted)
{
	u32 k = h->request_count;

	while (k > 0 && data[k - 1] != wanted)
		k--;
	if (!k)
		abort();
	return k - 1;
}

static u32 submit(struct sim_history *h, const struct dev_record_entry *e)
{
	struct sim_request r = {.sector = e->offset / SIM_SECTOR,
		.count = (u32)(e->len / SIM_SECTOR),
		.flags = e->flags,
		.content = e->kind == DEV_REC_ZERO ? SIM_ZEROES : SIM_DATA};

	if (e->kind != DEV_REC_ZERO)
		r.data = sim_alloc(e->len);
	if (e->kind == DEV_REC_DISCARD)
		memset(r.data, DISCARDED, e->len);
	else if (r.data)
		memcpy(r.data, e->data, e->len);
	return sim_history_submit(h, &r);
}

static void convert(struct cutter *c, const struct dev_record_entry *entries, size_t n)
{
	struct sim_history *h = &c->history;
	const void **data = sim_alloc(n * sizeof(*data));

	for (size_t k = 0; k < n; k++) {
		const struct dev_record_entry *e = &entries[k];

		c->position[k] = h->count;
		switch (e->kind) {
		case DEV_REC_SUBMIT_WRITE:
			data[h->request_count] = e->data;
			submit(h, e);
			break;
		case DEV_REC_WRITE:
			sim_history_complete(h, request_of(h, data, e->data));
			break;
		case DEV_REC_ZERO:
		case DEV_REC_DISCARD:
			data[h->request_count] = NULL;
			sim_history_complete(h, submit(h, e));
			break;
		case DEV_REC_FLUSH:
			sim_history_flush(h, c->position[e->covers]);
			break;
		}
	}
	c->position[n] = h->count;
	free(data);
}

void cutter_init(
	struct cutter *c, const void *start, u64 size, const struct dev_record_entry *e, size_t n)
{
	struct sim_states_params params = {
		.whole_offset = SUPER_OFFSET, .whole_bytes = SUPER_BYTES};
	struct sim_pages base;

	c->position = sim_alloc((n + 1) * sizeof(c->position[0]));
	sim_pages_init(&base, size);
	sim_pages_write(&base, 0, start, size);
	sim_history_init(&c->history, &base);
	sim_pages_fini(&base);
	convert(c, e, n);
	sim_cursor_init(&c->cursor, &c->history, 0, &params);
}

void cutter_fini(struct cutter *c)
{
	sim_cursor_fini(&c->cursor);
	sim_history_fini(&c->history);
	free(c->position);
}

void cutter_build(struct cutter *c, size_t at, struct rng *rng, u8 *out)
{
	struct sim_pages image;
	struct sim_cut cut;

	sim_cursor_advance(&c->cursor, c->position[at]);
	sim_cut_make(&c->cursor, (u32)rng_below(rng, sim_cursor_ways(&c->cursor)), &cut);
	sim_cut_choose(&c->cursor, &cut, rng_below(rng, cut.count));
	sim_cut_build(&c->cursor, &image);
	sim_pages_read(&image, 0, out, image.size);
	sim_pages_fini(&image);
}
