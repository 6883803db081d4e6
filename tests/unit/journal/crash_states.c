#include "crash_states.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR 512u

static u64 next_random(u64 *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

/* Entry of the completion of the write or zeroing that stands at submit; count if there is none. */
static size_t completion(const struct dev_record_entry *e, size_t cut, size_t submit)
{
	size_t i;

	if (e[submit].kind == DEV_REC_ZERO)
		return submit;
	for (i = submit + 1; i < cut; i++)
		if (e[i].kind == DEV_REC_WRITE && e[i].data == e[submit].data)
			return i;
	return cut;
}

static bool is_certain(const struct dev_record_entry *e, size_t cut, size_t done)
{
	size_t i;

	if (done >= cut)
		return false;
	if (e[done].flags & DEV_FUA)
		return true;
	for (i = done + 1; i < cut; i++)
		if ((e[i].kind == DEV_REC_FLUSH || e[i].flags & DEV_PREFLUSH) &&
			e[i].kind != DEV_REC_SUBMIT_WRITE && done < e[i].covers)
			return true;
	return false;
}

static void put(const struct dev_record_entry *e, u64 at, u64 len, u8 *image)
{
	if (e->data)
		memcpy(image + e->offset + at, (const u8 *)e->data + at, len);
	else
		memset(image + e->offset + at, 0, len);
}

u32 crash_apply(const struct dev_record_entry *e, size_t count, size_t cut, u64 choice, u8 *image)
{
	u64 state = choice, at;
	u32 uncertain = 0;
	size_t i;

	for (i = 0; i < cut && i < count; i++) {
		bool all = choice == CRASH_ALL;
		u64 mode;

		if (e[i].kind != DEV_REC_SUBMIT_WRITE && e[i].kind != DEV_REC_ZERO)
			continue;
		if (is_certain(e, cut, completion(e, cut, i)))
			all = true;
		else
			uncertain++;
		if (all) {
			put(&e[i], 0, e[i].len, image);
			continue;
		}
		if (choice == CRASH_NONE)
			continue;
		/* Whole, nothing, or sector by sector. */
		mode = next_random(&state) % 3;
		for (at = 0; at < e[i].len; at += SECTOR)
			if (mode == 0 || (mode == 1 && next_random(&state) & 1))
				put(&e[i], at, SECTOR, image);
	}
	return uncertain;
}
