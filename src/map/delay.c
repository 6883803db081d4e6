/* Delayed blocks: promised to dirty data, and nowhere but in the status cache (IO-20, IO-23). */
#include "map/map_priv.h"

/* What lblk's state is, with the lock held: a hole, clipped to what is known, or anything else. */
static int delay_piece(struct filemap *fm, lblk_t lblk, u32 len, u32 *piece, bool *delayed)
{
	struct mapping m;
	int err = status_reserve(fm);

	if (!err)
		err = map_lookup_locked(fm, lblk, &m);
	if (err)
		return err;
	*piece = (u32)min_of(mapping_end(&m) - lblk, (u64)len);
	*delayed = m.state == MAP_HOLE;
	if (*delayed)
		status_set(fm, lblk, *piece, 0, MAP_DELAYED);
	return 0;
}

int map_delay(struct filemap *fm, lblk_t lblk, u32 len, u32 *newly_delayed)
{
	u32 piece = 0;
	bool delayed;
	int err = 0;

	*newly_delayed = 0;
	if ((u64)lblk + len > LBLK_END)
		return ERR(EFBIG);
	if (!fm->extents && (u64)lblk + len > filemap_reach(fm))
		return ERR(EFBIG);
	os_rwsem_lock(&fm->lock);
	for (; len > 0; lblk += piece, len -= piece) {
		err = delay_piece(fm, lblk, len, &piece, &delayed);
		if (err)
			break;
		if (delayed)
			*newly_delayed += piece;
	}
	if (*newly_delayed)
		filemap_changed(fm);
	os_rwsem_unlock(&fm->lock);
	return err;
}

u32 map_undelay(struct filemap *fm, lblk_t from, lblk_t end)
{
	u32 delayed;

	if (from >= end)
		return 0;
	os_rwsem_lock(&fm->lock);
	(void)status_reserve(fm); /* without memory for a split it waits for some */
	delayed = status_undelay(fm, from, end);
	if (delayed)
		filemap_changed(fm);
	os_rwsem_unlock(&fm->lock);
	return delayed;
}
