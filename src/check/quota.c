/*
 * Quota files (disk/quota_format.h): is the tree sound, and does it say what the scan of inodes has
 * found? A file's 1 KiB blocks are told apart by two bits each, so that none is visited twice as a
 * node or is a node and data; circles end there.
 */
#include "base/bits.h"
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/quota.h"
#include "os/mem.h"

enum { TOLD_MAX = 8, DATA = QUOTA_DEPTH };
_Static_assert((int)NODES_MAX > (int)DATA, "a buffer for each level");

struct quota {
	struct scratch *s;
	struct check *c;
	int type;
	ino_nr ino;
	u32 blocks;		  /* of the header */
	u8 *nodes, *data;	  /* bit per block: it is one */
	pblk_t loaded[NODES_MAX]; /* in s->node; 0: nothing */
	u64 ids, entries;	  /* that the tree leads to; that are in use */
	u32 told, damage;	  /* problems; with TOLD_MAX of the tree, its walk ends */
};

static const char *const names[QUOTA_TYPES] = {"user", "group", "project"};

#define tell_damage(q, ...)                                                                        \
	do {                                                                                       \
		(q)->damage++;                                                                     \
		check_found((q)->c, CHECK_QUOTA, (q)->ino, 0, __VA_ARGS__);                        \
	} while (0)
/* There may be very many. */
#define tell_different(q, ...)                                                                     \
	do {                                                                                       \
		if ((q)->told++ < TOLD_MAX)                                                        \
			check_compared((q)->c, CHECK_QUOTA, (q)->ino, 0, __VA_ARGS__);             \
	} while (0)

/* --- reading --- */

/* 0: a hole. */
static pblk_t map_of(const struct quota *q, lblk_t lblk)
{
	const struct scratch *s = q->s;
	u32 low = 0, high = s->run_count;

	while (low < high) {
		u32 mid = (low + high) / 2;
		const struct run *r = &s->runs[mid];

		if (lblk < r->lblk)
			high = mid;
		else if (lblk - r->lblk >= r->len)
			low = mid + 1;
		else
			return r->pblk + (lblk - r->lblk);
	}
	return 0;
}

/* Block n of the file, in the buffer of the level; NULL: it is told why not. */
static const void *load(struct quota *q, u32 n, unsigned level)
{
	u32 per_block = q->c->sb.block_size / QUOTA_BLOCK_SIZE;
	pblk_t pblk = map_of(q, n / per_block);

	if (pblk == 0) {
		tell_damage(q, "block %u of the %s quota file is a hole", n, names[q->type]);
		return NULL;
	}
	if (q->loaded[level] != pblk) {
		q->loaded[level] = 0;
		if (check_read(q->c, pblk, 1, q->s->node[level], q->ino)) {
			q->damage++;
			return NULL;
		}
		q->loaded[level] = pblk;
	}
	return q->s->node[level] + (size_t)(n % per_block) * QUOTA_BLOCK_SIZE;
}

/* --- comparing --- */

static void compare(struct quota *q, const struct quota_entry *e)
{
	u32 id = le32_to_cpu(e->dqb_id);
	u64 space = le64_to_cpu(e->dqb_curspace), inodes = le64_to_cpu(e->dqb_curinodes);
	struct owner *o = check_find_owner(q->c, q->type, id);
	u64 real_space = o ? o->sectors * 512 : 0, real_inodes = o ? o->inodes : 0;

	if (o)
		o->met = true;
	else if (q->c->owners_dropped[q->type])
		return;
	if (space != real_space || inodes != real_inodes)
		tell_different(q,
			"%s %u has %llu bytes and %llu inodes by its quota, but %llu and %llu",
			names[q->type], id, (unsigned long long)space, (unsigned long long)inodes,
			(unsigned long long)real_space, (unsigned long long)real_inodes);
}

static void compare_missing(struct quota *q)
{
	const struct check *c = q->c;

	for (u32 k = 0; c->owner_table && k < 1u << c->owner_bits; k++) {
		const struct owner *o = &c->owner_table[k];

		if (o->inodes && o->type == q->type && !o->met)
			tell_different(
				q, "%s %u has files, but no quota entry", names[q->type], o->id);
	}
	if (c->owners_dropped[q->type])
		check_noted(q->c, CHECK_QUOTA, q->ino, 0,
			"there are too many owners: not all quotas were compared");
}

/* --- the tree --- */

/* Counts what is in use in a data block, once. */
static void take_data(struct quota *q, u32 n, const void *block)
{
	const struct quota_block *h = block;
	u32 used = 0;

	if (bit_test(q->data, n))
		return;
	bit_set(q->data, n);
	for (u32 k = 0; k < QUOTA_ENTRIES; k++)
		used += quota_entry_get(block, k) != NULL;
	q->entries += used;
	if (le16_to_cpu(h->dqdh_entries) != used)
		tell_damage(q, "block %u of the %s quota file counts %u entries, but has %u", n,
			names[q->type], le16_to_cpu(h->dqdh_entries), used);
}

static void walk_data(struct quota *q, u32 n, u32 id)
{
	const void *block = load(q, n, DATA);
	const struct quota_entry *e;

	if (!block)
		return;
	take_data(q, n, block);
	e = quota_entry_find(block, id);
	if (!e) {
		tell_damage(q, "the %s quota of %u should be in block %u, but is not",
			names[q->type], id, n);
		return;
	}
	q->ids++;
	compare(q, e);
}

/* May the tree go there? What was a node already was not to be met again. */
static bool may_visit(struct quota *q, u32 n, unsigned level)
{
	if (n > QUOTA_ROOT && n < q->blocks && !bit_test(q->nodes, n) &&
		(level == DATA || !bit_test(q->data, n)))
		return true;
	tell_damage(q, "the tree of the %s quota file leads to block %u, which can't be",
		names[q->type], n);
	return false;
}

/* id: of the way here; of its lower bytes nothing is known yet. */
static void walk_node(struct quota *q, u32 n, unsigned level, u32 id)
{
	const u32 step = 1u << 8 * (QUOTA_DEPTH - 1 - level);
	const void *node = load(q, n, level);

	bit_set(q->nodes, n);
	for (u32 k = 0; node && k < QUOTA_POINTERS && q->damage < TOLD_MAX; k++, id += step) {
		u32 to = quota_node_get(node, level, id);

		if (!to || !may_visit(q, to, level + 1))
			continue;
		if (level + 1 == DATA)
			walk_data(q, to, id);
		else
			walk_node(q, to, level + 1, id);
	}
}

/* --- free room --- */

/* A list begins in the header: of blocks in no use, or of data blocks with room. */
static void walk_free(struct quota *q, u32 first, bool data)
{
	u32 n = first, left = q->blocks;

	while (n) {
		const struct quota_block *h = NULL;
		bool fits = n > QUOTA_ROOT && n < q->blocks && left-- && !bit_test(q->nodes, n) &&
			    bit_test(q->data, n) == data;

		if (!fits) {
			tell_damage(q, "the %s quota file has block %u on its list of %s",
				names[q->type], n, data ? "data blocks with room" : "free blocks");
			return;
		}
		h = load(q, n, DATA);
		if (!h)
			return;
		n = le32_to_cpu(h->dqdh_next_free);
	}
}

/* --- the file --- */

static void walk(struct quota *q, u32 free_block, u32 free_entry)
{
	u64 bytes = q->blocks / 8 + 1;

	q->nodes = check_alloc(q->c, bytes, 1);
	q->data = check_alloc(q->c, bytes, 1);
	if (!q->nodes || !q->data)
		return;
	walk_node(q, QUOTA_ROOT, 0, 0);
	if (!q->damage && q->entries != q->ids)
		tell_damage(q, "the %s quota file has %llu entries, but its tree leads to %llu",
			names[q->type], (unsigned long long)q->entries, (unsigned long long)q->ids);
	if (q->damage)
		return;
	compare_missing(q);
	walk_free(q, free_block, false);
	walk_free(q, free_entry, true);
}

/* Neither more than it maps nor more than the device has: what is kept of it is in proportion. */
static bool size_fits(const struct quota *q, u64 size)
{
	const struct super_info *sb = &q->c->sb;
	u64 blocks = 0;

	for (u32 k = 0; k < q->s->run_count; k++)
		blocks += q->s->runs[k].len;
	return size <= min_of(blocks, sb->blocks_count) * sb->block_size;
}

static void check_file(struct quota *q, u64 size)
{
	const struct quota_header *h;
	const char *why;

	if (!size_fits(q, size)) {
		tell_damage(q, "the %s quota file has holes, or its size is behind its blocks",
			names[q->type]);
		return;
	}
	h = load(q, 0, 0);
	if (!h)
		return;
	if (quota_header_verify(h, (unsigned)q->type, size, &why)) {
		tell_damage(q, "the header of the %s quota file: %s", names[q->type], why);
		return;
	}
	q->blocks = le32_to_cpu(h->dqi_blocks);
	walk(q, le32_to_cpu(h->dqi_free_blk), le32_to_cpu(h->dqi_free_entry));
}

void check_quota(struct scratch *s, u32 type)
{
	struct check *c = s->c;
	struct quota q = {.s = s, .c = c, .type = (int)type, .ino = c->sb.quota_inum[type]};
	struct inode_fields f;
	struct walk w = {.s = s, .ino = q.ino};

	if (!q.ino)
		return;
	if (!check_walk_hidden(&w, &f)) {
		check_compared(c, CHECK_QUOTA, q.ino, 0, "the %s quota file is no regular file",
			names[type]);
		return;
	}
	if (!w.damaged)
		check_file(&q, f.size);
	if (q.told > TOLD_MAX)
		check_noted(c, CHECK_QUOTA, q.ino, 0, "%u more %ss have a quota that differs",
			q.told - TOLD_MAX, names[type]);
	os_free(q.nodes);
	os_free(q.data);
}
