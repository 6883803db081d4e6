/*
 * The log's blocks: superblock checks, tags, checksums, escaping. Pure
 * functions. `incompat` is the journal's own feature word, which decides the
 * layout of tags and revoke records; the checksum seed J is jbd2_csum_seed().
 */
#ifndef DISK_JBD2_H
#define DISK_JBD2_H

#include "disk/jbd2_format.h"

enum jbd2_csum { JBD2_CSUM_NONE, JBD2_CSUM_V1, JBD2_CSUM_V2, JBD2_CSUM_V3 };

/* The journal superblock, decoded. Feature words are 0 for version 1. */
struct jbd2_info {
	u32 compat, incompat, ro_compat;
	enum jbd2_csum csum;
	u32 csum_seed;		 /* J */
	u32 maxlen;		 /* log blocks, the superblock included */
	u32 first, end;		 /* the ring: blocks [first, end) */
	u32 fc_first, fc_blocks; /* fast-commit area behind it, with that feature */
	u32 sequence, start;	 /* start 0: empty */
	s32 error;		 /* stored negative errno or 0 */
	u32 nr_users;
};

/*
 * JB-34..37, RC-4. log_blocks: blocks that the journal inode or device really
 * has. -EUCLEAN, -EBADMSG, or -EOPNOTSUPP for features unknown here.
 */
int jbd2_super_decode(const struct jbd2_super *s, u32 block_size, u64 log_blocks,
	struct jbd2_info *out, const char **why);
/* Only with csum v2/v3; else no-op and true. */
void jbd2_super_csum_set(struct jbd2_super *s);
bool jbd2_super_csum_ok(const struct jbd2_super *s);
enum jbd2_csum jbd2_csum_kind(u32 compat, u32 incompat);
u32 jbd2_csum_seed(const u8 uuid[16]);

/* Is this a log block header with this transaction id? Returns its type, or 0. */
u32 jbd2_header_type(const void *block, u32 sequence);
void jbd2_header_set(void *block, u32 type, u32 sequence);

/* --- tags of a descriptor (JB-13) --- */
struct jbd2_tag {
	u64 blocknr;
	u32 flags;	   /* JBD2_FLAG_* */
	u32 checksum;	   /* v3: 32 bits, v2: low 16, else 0 */
	u32 checksum_mask; /* which bits of it exist; set by jbd2_tag_next() */
};

u32 jbd2_tag_size(u32 incompat);
u32 jbd2_tail_size(u32 incompat);   /* checksum at the end of descriptors and revoke blocks */
u32 jbd2_record_size(u32 incompat); /* of a revoke record */
/* Tags that fit one descriptor, as written by jbd2_tag_put. */
u32 jbd2_tags_per_block(u32 block_size, u32 incompat);

struct jbd2_tag_iter {
	const u8 *block;
	u32 offset, end;
	u32 incompat;
};
void jbd2_tag_iter_init(struct jbd2_tag_iter *it, const void *block, u32 block_size, u32 incompat);
/* False behind the last tag, or where the block ends. */
bool jbd2_tag_next(struct jbd2_tag_iter *it, struct jbd2_tag *out);

/*
 * Writes one tag at *offset (start with 0) and moves it; false if the block is
 * full. SAME_UUID is managed here. After the last, jbd2_tag_finish.
 */
bool jbd2_tag_put(
	void *block, u32 block_size, u32 incompat, u32 *offset, const struct jbd2_tag *tag);
/* Flags the last tag written as the last of the block. */
void jbd2_tag_finish(void *block, u32 incompat, u32 offset);

/* --- checksums --- */
/* Of a block as stored in the log, i.e. escaped. */
u32 jbd2_tag_csum(u32 seed, u32 sequence, const void *data, u32 block_size);
/* For a tag that jbd2_tag_next() gave; true without csum v2/v3. */
bool jbd2_tag_csum_ok(
	u32 seed, u32 sequence, const void *data, u32 block_size, const struct jbd2_tag *tag);
/* Descriptor and revoke blocks; only with csum v2/v3. */
void jbd2_tail_csum_set(u32 seed, void *block, u32 block_size);
bool jbd2_tail_csum_ok(u32 seed, const void *block, u32 block_size);
/* Commit blocks, v2/v3. */
void jbd2_commit_csum_set(u32 seed, void *block, u32 block_size);
bool jbd2_commit_csum_ok(u32 seed, const void *block, u32 block_size);
/* RC-6: the commit header is good if the rest of the block is taken as zeros. */
bool jbd2_commit_csum_partial_ok(u32 seed, const void *block, u32 block_size);

/* --- escaping (JB-12) --- */
bool jbd2_must_escape(const void *data);
void jbd2_escape(void *data);
void jbd2_unescape(void *data);

#endif
