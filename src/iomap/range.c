/* Dropping, invalidating and asking about ranges of a file's cache. */
#include "base/err.h"
#include "iomap/folio.h"

#include <string.h>

/* The part of f in [start, end) loses its cached state; bytes of blocks cut in two become zero. */
static void forget_part(struct folio *f, u64 start, u64 end)
{
	u64 inside = folio_mask_inside(f, start, end);
	u64 edges = folio_mask_touched(f, start, end) & ~inside & f->uptodate;

	if (edges) {
		u64 from = max_of(start, f->pos), to = min_of(end, f->pos + f->size);

		memset(f->data + (from - f->pos), 0, to - from);
	}
	f->uptodate &= ~inside;
	f->fresh &= ~inside;
	folio_set_clean(f, inside);
}

void iofile_drop_range(struct iofile *io, u64 start, u64 end)
{
	struct folio *f;
	u64 pos = start;

	while ((f = folio_next(io, pos, end, false)) != NULL) {
		pos = f->pos + f->size;
		folio_lock(f);
		folio_wait_flags(f, FOLIO_READING | FOLIO_WRITEBACK);
		if (!(f->flags & FOLIO_GONE)) {
			if (start <= f->pos && end >= f->pos + f->size)
				folio_remove(f);
			else
				forget_part(f, start, end);
		}
		os_mutex_unlock(&f->lock);
		folio_put(f);
	}
}

int iofile_invalidate_range(struct iofile *io, u64 start, u64 end)
{
	struct folio *f;
	u64 pos = start;
	int err = 0;

	while ((f = folio_next(io, pos, end, false)) != NULL) {
		pos = f->pos + f->size;
		folio_lock(f);
		folio_wait_flags(f, FOLIO_READING | FOLIO_WRITEBACK);
		if (f->flags & FOLIO_GONE)
			;
		else if (f->dirty || f->flags & FOLIO_WRITING)
			err = -EBUSY;
		else
			folio_remove(f);
		os_mutex_unlock(&f->lock);
		folio_put(f);
	}
	return err;
}

bool iofile_has_data(struct iofile *io, u64 start, u64 end, u64 *first)
{
	u32 bs = io->cache->p.block_size;
	struct folio *f;
	u64 pos = start;
	bool found = false;

	while (!found && (f = folio_next(io, pos, end, false)) != NULL) {
		u64 mask;

		pos = f->pos + f->size;
		folio_lock(f);
		mask = f->flags & FOLIO_GONE
			       ? 0
			       : (f->dirty | f->uptodate) & folio_mask_touched(f, start, end);
		if (mask) {
			*first = max_of(start, f->pos + (u64)__builtin_ctzll(mask) * bs);
			found = true;
		}
		os_mutex_unlock(&f->lock);
		folio_put(f);
	}
	return found;
}
