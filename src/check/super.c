/* The superblock and its copies. */
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/mmp.h"
#include "disk/inode_format.h"

#include <string.h>

int check_read_super(struct check *c)
{
	const char *why = "";
	char text[256];
	int err;

	if (c->dev->info.size < EXT4_SUPER_OFFSET + EXT4_SUPER_SIZE)
		return ERR(EINVAL);
	err = dev_read(c->dev, EXT4_SUPER_OFFSET, &c->raw, sizeof(c->raw));
	if (err) {
		check_found(c, CHECK_IO, 0, 0, "the superblock can't be read");
		return err;
	}
	err = super_decode(&c->raw, c->dev->info.size, &c->sb, &why);
	if (err == -EINVAL)
		return err;
	if (err) {
		check_found(c, CHECK_SUPER, 0, 0,
			"the superblock is damaged: %s; nothing else was checked", why);
		c->res->incomplete = true;
		return 1;
	}
	err = super_check_features(&c->sb, false, text, sizeof(text));
	if (err)
		check_found(c, CHECK_SUPER, 0, 0, "%s", text);
	return err;
}

static void check_journal_fields(struct check *c)
{
	u32 inum = le32_to_cpu(c->raw.s_journal_inum);
	static const u8 none[16];

	if ((inum || !super_has_journal(&c->sb)) && memcmp(c->raw.s_journal_uuid, none, 16) != 0)
		check_found(c, CHECK_SUPER, 0, 0,
			"the superblock names another device's journal, which it does not use");
	if (super_has_journal(&c->sb))
		return;
	if (super_has_recover(&c->sb))
		check_found(c, CHECK_SUPER, 0, 0,
			"the superblock says that the log must be replayed, but there is none");
	if (inum)
		check_found(c, CHECK_SUPER, 0, 0,
			"the superblock names journal inode %u without the has_journal feature",
			inum);
}

/* Features that no one here knows, and those of which more is checked elsewhere than here. */
static void check_features(struct check *c)
{
	const u32 words[3] = {
		c->sb.feature_compat, c->sb.feature_incompat, c->sb.feature_ro_compat};
	const bool unverified[3] = {
		super_has_verity(&c->sb), super_has_encrypt(&c->sb), super_has_casefold(&c->sb)};
	static const char *const what[3] = {"the hash trees of verity files",
		"encrypted names and contents", "the hashes of case-insensitive names"};

	for (int w = 0; w < 3; w++)
		for (u32 bit = 1; bit; bit <<= 1)
			if (words[w] & bit && !feature_name((enum feature_set)w, bit))
				check_found(c, CHECK_SUPER, 0, 0,
					"feature %c%x is unknown: what it changes was not checked",
					"CIR"[w], bit);
	if (c->sb.rev > EXT4_REV_DYNAMIC)
		check_found(c, CHECK_SUPER, 0, 0,
			"revision %u is unknown: what it changes was not checked", c->sb.rev);
	for (int k = 0; k < 3; k++)
		if (unverified[k])
			check_noted(c, CHECK_SUPER, 0, 0, "not checked: %s", what[k]);
}

static bool quota_inode_ok(const struct check *c, int type, u32 ino)
{
	if (type < 2)
		return ino == 0 || ino == (u32)EXT4_USR_QUOTA_INO + (u32)type;
	return ino == 0 || (super_has_project(&c->sb) && ino <= c->sb.inodes_count);
}

static void check_quota_inodes(struct check *c)
{
	const u32 ino[3] = {le32_to_cpu(c->raw.s_usr_quota_inum),
		le32_to_cpu(c->raw.s_grp_quota_inum), le32_to_cpu(c->raw.s_prj_quota_inum)};

	for (int k = 0; k < 3; k++)
		if (!quota_inode_ok(c, k, ino[k]))
			check_found(c, CHECK_SUPER, 0, 0, "inode %u can't be a quota file", ino[k]);
}

static void check_state(struct check *c)
{
	u32 count = le32_to_cpu(c->raw.s_error_count);
	const char *func = c->raw.s_last_error_func;

	if (c->sb.state & EXT4_STATE_ERROR)
		check_noted(c, CHECK_SUPER, 0, 0,
			"errors were recorded: %u, the last on inode %u, block %llu, in %.*s",
			count, le32_to_cpu(c->raw.s_last_error_ino),
			(unsigned long long)le64_to_cpu(c->raw.s_last_error_block),
			(int)strnlen(func, sizeof(c->raw.s_last_error_func)), func);
}

/* Each copy says where it is; what never changes must be the same. */
static void check_backup(struct check *c, group_nr g, const struct ext4_super *s)
{
	pblk_t pblk = super_group_first_block(&c->sb, g);
	const char *why = NULL;

	if (le16_to_cpu(s->s_magic) != EXT4_SUPER_MAGIC)
		why = "has no magic number";
	else if (!super_csum_verify(s))
		why = "has a wrong checksum";
	else if (s->s_log_block_size.raw != c->raw.s_log_block_size.raw ||
		 s->s_blocks_per_group.raw != c->raw.s_blocks_per_group.raw ||
		 s->s_inodes_per_group.raw != c->raw.s_inodes_per_group.raw ||
		 s->s_inode_size.raw != c->raw.s_inode_size.raw)
		why = "has another geometry";
	if (why)
		check_noted(
			c, CHECK_SUPER, 0, pblk, "the superblock's copy in group %u %s", g, why);
}

static void check_backups(struct check *c, struct scratch *s)
{
	for (group_nr g = 1; g < c->sb.group_count; g++) {
		if (!super_group_has_super(&c->sb, g))
			continue;
		if (!check_read(c, super_group_first_block(&c->sb, g), 1, s->block, 0))
			check_backup(c, g, (const void *)s->block);
	}
}

static void check_mmp(struct check *c, struct scratch *s)
{
	const char *why = "";
	u32 seq;

	if (check_read(c, c->sb.mmp_block, 1, s->block, 0))
		return;
	if (mmp_verify(&c->sb, (const void *)s->block, &why)) {
		check_found(
			c, CHECK_SUPER, 0, c->sb.mmp_block, "the MMP block is damaged: %s", why);
		return;
	}
	seq = le32_to_cpu(((const struct ext4_mmp *)s->block)->mmp_seq);
	if (seq != EXT4_MMP_SEQ_CLEAN)
		check_noted(c, CHECK_SUPER, 0, c->sb.mmp_block,
			"the MMP block says that someone uses the file system; what was found may "
			"be "
			"his work in progress");
}

void check_super(struct check *c, struct scratch *s)
{
	u64 reserved = le32_to_cpu(c->raw.s_r_blocks_count_lo);

	if (super_has_64bit(&c->sb))
		reserved |= (u64)le32_to_cpu(c->raw.s_r_blocks_count_hi) << 32;
	if (reserved > c->sb.blocks_count / 2)
		check_found(c, CHECK_SUPER, 0, 0, "more than half of the blocks are reserved");
	if ((le16_to_cpu(c->raw.s_min_extra_isize) | le16_to_cpu(c->raw.s_want_extra_isize)) % 4)
		check_found(c, CHECK_SUPER, 0, 0,
			"the sizes of extra inode fields are no multiples of 4");
	check_features(c);
	check_journal_fields(c);
	check_quota_inodes(c);
	check_state(c);
	check_backups(c, s);
	if (super_has_mmp(&c->sb))
		check_mmp(c, s);
}
