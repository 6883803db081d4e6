/*
 * The system zone against descriptors that load on demand: a check first loads
 * the descriptors of the flex groups it touches, where mke2fs puts the metadata
 * of all their groups. Small file systems have everything loaded at mount, so
 * there any placement is known.
 */
#include "space/space_priv.h"

#include "os/atomic.h"

/* Log of the true flex group size, not clipped. */
static u32 flex_size_log(const struct space *sp)
{
	return super_has_flex_bg(sp->sb) ? sp->sb->log_groups_per_flex : 0;
}

static bool all_loaded(const struct space *sp)
{
	return atomic_load_acq(&sp->gdt_loaded) == sp->gdt_count;
}

int gdt_load_flex(struct space *sp, group_nr nr)
{
	u32 log = flex_size_log(sp);
	u64 first, end;
	struct gdt_block *gb;
	int err;

	if (likely(all_loaded(sp)))
		return 0;
	first = log > 31 ? 0 : (u64)nr >> log << log;
	end = log > 31 ? sp->group_count : min_of(first + (1ull << log), (u64)sp->group_count);
	for (u64 i = first / sp->descs_per_block; i * sp->descs_per_block < end; i++) {
		err = gdt_load(sp, (u32)i, &gb);
		if (err)
			return err;
	}
	return 0;
}

int zone_load_range(struct space *sp, pblk_t pblk, u64 len)
{
	u32 step = 1u << min_of(flex_size_log(sp), 16u);
	group_nr last;
	int err;

	if (likely(all_loaded(sp)))
		return 0;
	last = block_group(sp, pblk + len - 1);
	for (u64 nr = block_group(sp, pblk) / step * step; nr <= last; nr += step) {
		err = gdt_load_flex(sp, (group_nr)nr);
		if (err)
			return err;
	}
	return 0;
}

bool zone_hits(struct space *sp, pblk_t pblk, u64 len, ino_nr owner)
{
	return range_meets_copies(sp, pblk, len) || zone_overlaps(&sp->zone, pblk, len, owner);
}

int space_range_check(struct volume *v, ino_nr owner, pblk_t pblk, u64 len)
{
	struct space *sp = v->space;
	int err;

	if (!range_in_device(sp, pblk, len))
		return -EUCLEAN;
	err = zone_load_range(sp, pblk, len);
	if (err)
		return err;
	return zone_hits(sp, pblk, len, owner) ? -EUCLEAN : 0;
}

int space_add_system_range(struct volume *v, pblk_t pblk, u32 len, ino_nr owner)
{
	struct space *sp = v->space;
	struct zone_spares spare = {NULL};
	int err;

	if (!range_in_device(sp, pblk, len) || range_meets_copies(sp, pblk, len))
		return volume_error(
			v, ERR(EUCLEAN), owner, pblk, "system inode maps a block it can't own");
	err = zone_load_range(sp, pblk, len);
	if (!err)
		err = zone_reserve(&spare, 1);
	if (!err)
		err = zone_add(&sp->zone, &spare, pblk, len, owner);
	zone_spares_free(&spare);
	if (err == -EUCLEAN)
		return volume_error(v, err, owner, pblk, "system inode overlaps other metadata");
	if (!err)
		sp->overhead += len;
	return err;
}
