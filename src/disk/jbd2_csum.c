/* Log block headers, checksums and escaping: JB-12, RC-6. */
#include <string.h>

#include "base/crc.h"
#include "base/util.h"
#include "disk/jbd2.h"

u32 jbd2_header_type(const void *block, u32 sequence)
{
	const struct jbd2_header *h = block;

	if (be32_to_cpu(h->h_magic) != JBD2_MAGIC || be32_to_cpu(h->h_sequence) != sequence)
		return 0;
	return be32_to_cpu(h->h_blocktype);
}

void jbd2_header_set(void *block, u32 type, u32 sequence)
{
	*(struct jbd2_header *)block = (struct jbd2_header){
		.h_magic = cpu_to_be32(JBD2_MAGIC),
		.h_blocktype = cpu_to_be32(type),
		.h_sequence = cpu_to_be32(sequence),
	};
}

u32 jbd2_tag_csum(u32 seed, u32 sequence, const void *data, u32 block_size)
{
	const struct be32 nr = cpu_to_be32(sequence);

	return crc32c(crc32c(seed, &nr, sizeof(nr)), data, block_size);
}

bool jbd2_tag_csum_ok(
	u32 seed, u32 sequence, const void *data, u32 block_size, const struct jbd2_tag *tag)
{
	u32 mask = tag->checksum_mask;

	return !mask ||
	       ((jbd2_tag_csum(seed, sequence, data, block_size) ^ tag->checksum) & mask) == 0;
}

/* The whole block with four zero bytes at `at`. */
static u32 csum_around(u32 seed, const void *block, u32 block_size, u32 at)
{
	const u32 zero = 0;
	u32 crc = crc32c(crc32c(seed, block, at), &zero, sizeof(zero));

	at += sizeof(zero);
	return crc32c(crc, (const u8 *)block + at, block_size - at);
}

static u32 tail_offset(u32 block_size)
{
	return block_size - (u32)sizeof(struct jbd2_block_tail);
}

void jbd2_tail_csum_set(u32 seed, void *block, u32 block_size)
{
	struct jbd2_block_tail *t = (void *)((u8 *)block + tail_offset(block_size));

	t->t_checksum = cpu_to_be32(csum_around(seed, block, block_size, tail_offset(block_size)));
}

bool jbd2_tail_csum_ok(u32 seed, const void *block, u32 block_size)
{
	const struct jbd2_block_tail *t =
		(const void *)((const u8 *)block + tail_offset(block_size));

	return be32_to_cpu(t->t_checksum) ==
	       csum_around(seed, block, block_size, tail_offset(block_size));
}

enum { COMMIT_CSUM_OFFSET = offsetof(struct jbd2_commit, c_chksum) };

void jbd2_commit_csum_set(u32 seed, void *block, u32 block_size)
{
	struct jbd2_commit *c = block;

	c->c_chksum[0] = cpu_to_be32(csum_around(seed, block, block_size, COMMIT_CSUM_OFFSET));
}

bool jbd2_commit_csum_ok(u32 seed, const void *block, u32 block_size)
{
	const struct jbd2_commit *c = block;

	return be32_to_cpu(c->c_chksum[0]) ==
	       csum_around(seed, block, block_size, COMMIT_CSUM_OFFSET);
}

bool jbd2_commit_csum_partial_ok(u32 seed, const void *block, u32 block_size)
{
	static const u8 zeros[1024];
	const struct jbd2_commit *c = block;
	u32 at = sizeof(*c), crc = csum_around(seed, block, at, COMMIT_CSUM_OFFSET);

	while (at < block_size) {
		u32 len = min_of(block_size - at, (u32)sizeof(zeros));

		crc = crc32c(crc, zeros, len);
		at += len;
	}
	return be32_to_cpu(c->c_chksum[0]) == crc;
}

bool jbd2_must_escape(const void *data)
{
	return be32_to_cpu(*(const struct be32 *)data) == JBD2_MAGIC;
}

void jbd2_escape(void *data)
{
	memset(data, 0, sizeof(struct be32));
}

void jbd2_unescape(void *data)
{
	*(struct be32 *)data = cpu_to_be32(JBD2_MAGIC);
}
