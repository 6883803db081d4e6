/* The journal superblock: JB-30, JB-34..37, RC-4. */
#include "disk/jbd2.h"

#include <string.h>

#include "base/crc.h"
#include "base/err.h"
#include "base/util.h"

#define INCOMPAT_KNOWN                                                                             \
	((u32)(JBD2_FEATURE_INCOMPAT_REVOKE | JBD2_FEATURE_INCOMPAT_64BIT |                        \
		JBD2_FEATURE_INCOMPAT_ASYNC_COMMIT | JBD2_FEATURE_INCOMPAT_CSUM_V2 |               \
		JBD2_FEATURE_INCOMPAT_CSUM_V3 | JBD2_FEATURE_INCOMPAT_FAST_COMMIT))
#define INCOMPAT_CSUM_V23 ((u32)(JBD2_FEATURE_INCOMPAT_CSUM_V2 | JBD2_FEATURE_INCOMPAT_CSUM_V3))

enum jbd2_csum jbd2_csum_kind(u32 compat, u32 incompat)
{
	if (incompat & JBD2_FEATURE_INCOMPAT_CSUM_V3)
		return JBD2_CSUM_V3;
	if (incompat & JBD2_FEATURE_INCOMPAT_CSUM_V2)
		return JBD2_CSUM_V2;
	return compat & JBD2_FEATURE_COMPAT_CHECKSUM ? JBD2_CSUM_V1 : JBD2_CSUM_NONE;
}

u32 jbd2_csum_seed(const u8 uuid[16])
{
	return crc32c(~0u, uuid, 16);
}

static bool is_v2(const struct jbd2_super *s)
{
	return be32_to_cpu(s->s_header.h_blocktype) == JBD2_SUPER_V2;
}

static u32 incompat_of(const struct jbd2_super *s)
{
	return is_v2(s) ? be32_to_cpu(s->s_feature_incompat) : 0;
}

static u32 csum_of(const struct jbd2_super *s)
{
	const u32 at = offsetof(struct jbd2_super, s_checksum), zero = 0;
	u32 crc = crc32c(crc32c(~0u, s, at), &zero, sizeof(zero));

	return crc32c(crc, (const u8 *)s + at + sizeof(zero), sizeof(*s) - at - sizeof(zero));
}

void jbd2_super_csum_set(struct jbd2_super *s)
{
	if (incompat_of(s) & INCOMPAT_CSUM_V23)
		s->s_checksum = cpu_to_be32(csum_of(s));
}

bool jbd2_super_csum_ok(const struct jbd2_super *s)
{
	return !(incompat_of(s) & INCOMPAT_CSUM_V23) || be32_to_cpu(s->s_checksum) == csum_of(s);
}

static void decode_fields(const struct jbd2_super *s, struct jbd2_info *out)
{
	*out = (struct jbd2_info){
		.maxlen = be32_to_cpu(s->s_maxlen),
		.first = be32_to_cpu(s->s_first),
		.sequence = be32_to_cpu(s->s_sequence),
		.start = be32_to_cpu(s->s_start),
		.error = (s32)be32_to_cpu(s->s_errno),
		.nr_users = 1,
	};
	out->end = out->maxlen;
	if (!is_v2(s))
		return;
	out->compat = be32_to_cpu(s->s_feature_compat);
	out->incompat = be32_to_cpu(s->s_feature_incompat);
	out->ro_compat = be32_to_cpu(s->s_feature_ro_compat);
	out->csum = jbd2_csum_kind(out->compat, out->incompat);
	out->csum_seed = jbd2_csum_seed(s->s_uuid);
	out->nr_users = be32_to_cpu(s->s_nr_users);
	if (out->incompat & JBD2_FEATURE_INCOMPAT_FAST_COMMIT) {
		out->fc_blocks = be32_to_cpu(s->s_num_fc_blks);
		if (out->fc_blocks == 0)
			out->fc_blocks = JBD2_DEFAULT_FC_BLOCKS;
	}
}

static const char *check_features(const struct jbd2_super *s, const struct jbd2_info *i)
{
	u32 v23 = i->incompat & INCOMPAT_CSUM_V23;

	if (v23 == INCOMPAT_CSUM_V23 || (v23 && i->compat & JBD2_FEATURE_COMPAT_CHECKSUM))
		return "the journal has two kinds of checksums";
	if (v23 && s->s_checksum_type != JBD2_CHECKSUM_CRC32C)
		return "the journal has an unknown kind of checksum";
	return NULL;
}

/* Also places the ring and the fast-commit area; JB-36: one block stays unused between them. */
static const char *check_geometry(
	const struct jbd2_super *s, u32 block_size, u64 log_blocks, struct jbd2_info *i)
{
	if (be32_to_cpu(s->s_blocksize) != block_size)
		return "the journal has another block size";
	if (i->maxlen < JBD2_MIN_BLOCKS)
		return "the journal is too short";
	if (i->maxlen > log_blocks)
		return "the journal is longer than its file";
	if (i->fc_blocks) {
		if ((u64)i->fc_blocks + JBD2_MIN_BLOCKS > i->maxlen)
			return "the fast-commit area leaves no journal";
		i->end = i->maxlen - i->fc_blocks;
		i->fc_first = i->end + 1;
		i->fc_blocks--;
	}
	if (i->first == 0 || i->first >= i->end)
		return "the journal's first block is outside the journal";
	if (i->start && (i->start < i->first || i->start >= i->end))
		return "the journal starts outside the journal";
	return NULL;
}

int jbd2_super_decode(const struct jbd2_super *s, u32 block_size, u64 log_blocks,
	struct jbd2_info *out, const char **why)
{
	u32 type = be32_to_cpu(s->s_header.h_blocktype);

	*why = NULL;
	if (be32_to_cpu(s->s_header.h_magic) != JBD2_MAGIC ||
		(type != JBD2_SUPER_V1 && type != JBD2_SUPER_V2)) {
		*why = "no journal superblock";
		return ERR(EUCLEAN);
	}
	decode_fields(s, out);
	if (out->incompat & ~INCOMPAT_KNOWN || out->ro_compat) {
		*why = "the journal uses features that are unknown here";
		return ERR(EOPNOTSUPP);
	}
	*why = check_features(s, out);
	if (!*why && !jbd2_super_csum_ok(s)) {
		*why = "wrong checksum of the journal superblock";
		return ERR(EBADMSG);
	}
	if (!*why)
		*why = check_geometry(s, block_size, log_blocks, out);
	return *why ? ERR(EUCLEAN) : 0;
}
