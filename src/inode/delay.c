/* Delayed blocks and the space promised to them go together (IO-23). */
#include "inode/inode_priv.h"
#include "base/mutant.h"

int inode_delay(struct inode *i, lblk_t lblk, u32 len)
{
	u32 flags = atomic_load_relaxed(&i->map.alloc_flags) & SPACE_ROOT, delayed;
	int err = space_claim(i->volume, len, flags);

	if (err)
		return err;
	err = map_delay(&i->map, lblk, len, &delayed);
	space_unclaim(i->volume, len - delayed);
	if (err && delayed)
		inode_undelay(i, lblk, lblk + len);
	return err;
}

void inode_undelay(struct inode *i, lblk_t from, lblk_t end)
{
	u32 blocks = atomic_load_acq(&i->map.delayed) ? map_undelay(&i->map, from, end) : 0;

	if (MUTANT(CLAIM_KEPT))
		return;
	space_unclaim(i->volume, MUTANT(CLAIM_RELEASED_TWICE) ? 2 * blocks : blocks);
}
