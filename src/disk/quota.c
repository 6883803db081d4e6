/* Blocks of a quota file: what they hold, and whether it can be. */
#include "disk/quota.h"

#include <string.h>

#include "base/err.h"
#include "base/util.h"

_Static_assert(
	sizeof(struct quota_block) + QUOTA_ENTRIES * sizeof(struct quota_entry) <= QUOTA_BLOCK_SIZE,
	"the entries fit");

static const u32 magic[QUOTA_TYPES] = {QUOTA_MAGIC_USER, QUOTA_MAGIC_GROUP, QUOTA_MAGIC_PROJECT};

int quota_header_verify(const struct quota_header *h, unsigned type, u64 size, const char **why)
{
	u32 blocks = le32_to_cpu(h->dqi_blocks);

	*why = NULL;
	if (le32_to_cpu(h->dqh_magic) != magic[type])
		*why = "no magic number of its kind";
	else if (le32_to_cpu(h->dqh_version) != QUOTA_VERSION)
		*why = "unknown version";
	else if (blocks <= QUOTA_ROOT || blocks > size / QUOTA_BLOCK_SIZE)
		*why = "impossible number of blocks";
	else if (max_of(le32_to_cpu(h->dqi_free_blk), le32_to_cpu(h->dqi_free_entry)) >= blocks)
		*why = "a list of free room begins behind its end";
	return *why ? ERR(EUCLEAN) : 0;
}

u32 quota_node_get(const void *node, unsigned level, u32 id)
{
	const struct le32 *p = node;

	return le32_to_cpu(p[id >> 8 * (QUOTA_DEPTH - 1 - level) & 0xff]);
}

const struct quota_entry *quota_entry_get(const void *block, u32 k)
{
	static const struct quota_entry none;
	const struct quota_entry *e =
		(const void *)((const u8 *)block + sizeof(struct quota_block));

	return memcmp(&e[k], &none, sizeof(none)) ? &e[k] : NULL;
}

const struct quota_entry *quota_entry_find(const void *block, u32 id)
{
	for (u32 k = 0; k < QUOTA_ENTRIES; k++) {
		const struct quota_entry *e = quota_entry_get(block, k);

		if (e && le32_to_cpu(e->dqb_id) == id)
			return e;
	}
	return NULL;
}
