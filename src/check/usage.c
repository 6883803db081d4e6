/*
 * What each owner has, for the comparison with the quota files: found by the scan of inodes.
 * As Linux and e2fsck count: the space is i_blocks; an attribute value in an inode of its own
 * is an inode of each file that has it, and its space is in the i_blocks of these; hidden inodes
 * count for nobody. A file that the next mount deletes counts until then.
 */
#include "base/err.h"
#include "base/hash.h"
#include "check/check_priv.h"
#include "disk/quota_format.h"
#include "os/mem.h"

enum { TABLE_BITS_MIN = 8, OWNERS_MAX = 1 << 19 };

static bool is_full(const struct check *c)
{
	return c->owner_count >= (c->opt->max_owners ? c->opt->max_owners : OWNERS_MAX);
}

static struct owner *slot_of(struct owner *table, u32 bits, int type, u32 id)
{
	u32 at = hash_slot((u64)type << 32 | id, bits);

	while (table[at].inodes && (table[at].id != id || table[at].type != type))
		at = (at + 1) & ((1u << bits) - 1);
	return &table[at];
}

/* Makes room for one more; a full table of the largest size stays as it is. */
static int grow_locked(struct check *c)
{
	u32 bits = c->owner_table ? c->owner_bits + 1 : TABLE_BITS_MIN;
	struct owner *table;

	if (c->owner_table && (c->owner_count < 1u << c->owner_bits >> 1 || is_full(c)))
		return 0;
	table = check_alloc(c, 1u << bits, sizeof(*table));
	if (!table)
		return ERR(ENOMEM);
	for (u32 k = 0; c->owner_table && k < 1u << c->owner_bits; k++) {
		const struct owner *o = &c->owner_table[k];

		if (o->inodes)
			*slot_of(table, bits, o->type, o->id) = *o;
	}
	os_free(c->owner_table);
	c->owner_table = table;
	c->owner_bits = bits;
	return 0;
}

static void count_locked(struct check *c, int type, u32 id, u64 sectors, u32 inodes)
{
	struct owner *o;

	if (grow_locked(c))
		return;
	o = slot_of(c->owner_table, c->owner_bits, type, id);
	if (!o->inodes) {
		if (is_full(c)) {
			c->owners_dropped[type] = true;
			return;
		}
		*o = (struct owner){.id = id, .type = (u8)type};
		c->owner_count++;
	}
	o->sectors += sectors;
	o->inodes += inodes;
}

void check_count_usage(struct check *c, const struct inode_fields *f, u32 values)
{
	const u32 id[QUOTA_TYPES] = {f->uid, f->gid, f->projid};

	os_mutex_lock(&c->lock);
	for (int type = 0; type < QUOTA_TYPES; type++)
		if (c->sb.quota_inum[type])
			count_locked(c, type, id[type], f->blocks, 1 + values);
	os_mutex_unlock(&c->lock);
}

struct owner *check_find_owner(const struct check *c, int type, u32 id)
{
	struct owner *o;

	if (!c->owner_table)
		return NULL;
	o = slot_of(c->owner_table, c->owner_bits, type, id);
	return o->inodes ? o : NULL;
}
