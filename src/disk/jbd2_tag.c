/* Descriptor tags: JB-13, RC-9. */
#include <string.h>

#include "base/util.h"
#include "disk/jbd2.h"

enum { UUID_SIZE = 16 };

static bool has(u32 incompat, u32 feature)
{
	return (incompat & feature) != 0;
}

u32 jbd2_tag_size(u32 incompat)
{
	u32 size = 8;

	if (has(incompat, JBD2_FEATURE_INCOMPAT_CSUM_V3))
		return sizeof(struct jbd2_tag_v3);
	if (has(incompat, JBD2_FEATURE_INCOMPAT_64BIT))
		size += 4;
	if (has(incompat, JBD2_FEATURE_INCOMPAT_CSUM_V2))
		size += 2;
	return size;
}

u32 jbd2_tail_size(u32 incompat)
{
	return has(incompat, JBD2_FEATURE_INCOMPAT_CSUM_V2 | JBD2_FEATURE_INCOMPAT_CSUM_V3)
		       ? sizeof(struct jbd2_block_tail)
		       : 0;
}

u32 jbd2_record_size(u32 incompat)
{
	return has(incompat, JBD2_FEATURE_INCOMPAT_64BIT) ? 8 : 4;
}

/* Like Linux, a tag is added only where one with a uuid would fit as well. */
static u32 room_needed(u32 incompat)
{
	return jbd2_tag_size(incompat) + UUID_SIZE + jbd2_tail_size(incompat);
}

u32 jbd2_tags_per_block(u32 block_size, u32 incompat)
{
	u32 first_end = (u32)sizeof(struct jbd2_header) + jbd2_tag_size(incompat) + UUID_SIZE;

	return 1 + (block_size - first_end - UUID_SIZE - jbd2_tail_size(incompat)) /
			   jbd2_tag_size(incompat);
}

static void tag_read(const u8 *p, u32 incompat, struct jbd2_tag *out)
{
	const struct jbd2_tag_v3 *v3 = (const void *)p;
	const struct jbd2_tag_old *old = (const void *)p;

	*out = (struct jbd2_tag){.blocknr = be32_to_cpu(old->t_blocknr)};
	if (has(incompat, JBD2_FEATURE_INCOMPAT_CSUM_V3)) {
		out->flags = be32_to_cpu(v3->t_flags);
		out->checksum = be32_to_cpu(v3->t_checksum);
		out->checksum_mask = ~0u;
		if (has(incompat, JBD2_FEATURE_INCOMPAT_64BIT))
			out->blocknr |= (u64)be32_to_cpu(v3->t_blocknr_high) << 32;
		return;
	}
	out->flags = be16_to_cpu(old->t_flags);
	if (has(incompat, JBD2_FEATURE_INCOMPAT_CSUM_V2)) {
		out->checksum = be16_to_cpu(old->t_checksum);
		out->checksum_mask = 0xffff;
	}
	if (has(incompat, JBD2_FEATURE_INCOMPAT_64BIT))
		out->blocknr |= (u64)be32_to_cpu(old->t_blocknr_high) << 32;
}

static void tag_write(u8 *p, u32 incompat, const struct jbd2_tag *tag)
{
	struct jbd2_tag_v3 *v3 = (void *)p;
	struct jbd2_tag_old *old = (void *)p;

	memset(p, 0, jbd2_tag_size(incompat));
	old->t_blocknr = cpu_to_be32((u32)tag->blocknr);
	if (has(incompat, JBD2_FEATURE_INCOMPAT_CSUM_V3)) {
		v3->t_flags = cpu_to_be32(tag->flags);
		v3->t_checksum = cpu_to_be32(tag->checksum);
		if (has(incompat, JBD2_FEATURE_INCOMPAT_64BIT))
			v3->t_blocknr_high = cpu_to_be32((u32)(tag->blocknr >> 32));
		return;
	}
	old->t_flags = cpu_to_be16((u16)tag->flags);
	if (has(incompat, JBD2_FEATURE_INCOMPAT_CSUM_V2))
		old->t_checksum = cpu_to_be16((u16)tag->checksum);
	if (has(incompat, JBD2_FEATURE_INCOMPAT_64BIT))
		old->t_blocknr_high = cpu_to_be32((u32)(tag->blocknr >> 32));
}

void jbd2_tag_iter_init(struct jbd2_tag_iter *it, const void *block, u32 block_size, u32 incompat)
{
	*it = (struct jbd2_tag_iter){
		.block = block,
		.offset = sizeof(struct jbd2_header),
		.end = block_size - jbd2_tail_size(incompat),
		.incompat = incompat,
	};
}

bool jbd2_tag_next(struct jbd2_tag_iter *it, struct jbd2_tag *out)
{
	u32 size = jbd2_tag_size(it->incompat);

	if (it->offset > it->end || it->end - it->offset < size)
		return false;
	tag_read(it->block + it->offset, it->incompat, out);
	it->offset += size;
	if (!(out->flags & JBD2_FLAG_SAME_UUID))
		it->offset += UUID_SIZE;
	if (out->flags & JBD2_FLAG_LAST)
		it->offset = it->end;
	return true;
}

bool jbd2_tag_put(
	void *block, u32 block_size, u32 incompat, u32 *offset, const struct jbd2_tag *tag)
{
	u32 size = jbd2_tag_size(incompat), at = *offset;
	struct jbd2_tag t = *tag;

	t.flags &= ~(u32)(JBD2_FLAG_SAME_UUID | JBD2_FLAG_LAST);
	if (at == 0) {
		at = sizeof(struct jbd2_header);
		memset((u8 *)block + at + size, 0, UUID_SIZE);
		*offset = at + size + UUID_SIZE;
	} else {
		if (at + room_needed(incompat) > block_size)
			return false;
		t.flags |= JBD2_FLAG_SAME_UUID;
		*offset = at + size;
	}
	tag_write((u8 *)block + at, incompat, &t);
	return true;
}

void jbd2_tag_finish(void *block, u32 incompat, u32 offset)
{
	u32 size = jbd2_tag_size(incompat), first_end = sizeof(struct jbd2_header) + size;
	u8 *p = (u8 *)block + offset - size;
	struct jbd2_tag t;

	if (offset == first_end + UUID_SIZE)
		p = (u8 *)block + sizeof(struct jbd2_header);
	tag_read(p, incompat, &t);
	t.flags |= JBD2_FLAG_LAST;
	tag_write(p, incompat, &t);
}
