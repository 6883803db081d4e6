/* One inode: its fields by themselves, and against what it maps. */
#include "base/crc.h"
#include "base/err.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/dirent.h"
#include "disk/extent.h"
#include "disk/xattr_format.h"
#include "os/mem.h"

#include <string.h>
#include <sys/stat.h>

/* One inode on its way through the checks. */
struct subject {
	struct scratch *s;
	struct check *c;
	ino_nr ino;
	const struct ext4_inode_disk *raw;
	struct inode_fields f;
	struct fact *fact;
	u32 seed;
	struct attr_use attrs; /* that count to it */
};

#define tell(j, ...) check_found((j)->c, CHECK_INODE, (j)->ino, 0, __VA_ARGS__)

bool check_is_hidden(const struct check *c, ino_nr ino)
{
	const struct super_info *sb = &c->sb;

	return (ino < sb->first_ino && ino != EXT4_ROOT_INO) || ino == sb->journal_inum ||
	       ino == sb->quota_inum[0] || ino == sb->quota_inum[1] || ino == sb->quota_inum[2] ||
	       ino == sb->orphan_file_inum;
}

/* --- fields --- */

static void check_zero_fields(struct subject *j)
{
	const struct ext4_inode_disk *raw = j->raw;
	const struct super_info *sb = &j->c->sb;

	if (raw->i_faddr.raw)
		tell(j, "its fragment address is not zero");
	if (raw->i_blocks_hi.raw && !super_has_huge_file(sb))
		tell(j, "its block count has a high half without the huge_file feature");
	if (raw->i_file_acl_hi.raw && !super_has_64bit(sb))
		tell(j, "its attribute block has a high half without the 64bit feature");
	if (S_ISDIR(j->f.mode) && raw->i_size_hi.raw && !super_has_largedir(sb))
		tell(j, "the size of a directory has a high half without the large_dir feature");
	if (j->f.file_acl && !super_has_ext_attr(sb) && !check_is_hidden(j->c, j->ino))
		tell(j, "it has an attribute block without the ext_attr feature");
}

static bool is_special(u32 mode)
{
	return S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
}

static bool looks_like_extents(const struct super_info *sb, const struct inode_fields *f)
{
	const struct ext4_extent_header *h = (const void *)f->i_block;
	const char *why;

	return le16_to_cpu(h->eh_max) == EXT4_EXTENT_ROOT_MAX &&
	       !extent_node_verify(sb, h, EXT4_I_BLOCK_BYTES, EXTENT_DEPTH_ANY, NULL, &why);
}

static void check_flags(struct subject *j)
{
	const struct super_info *sb = &j->c->sb;
	u32 flags = j->f.flags, mode = j->f.mode;

	if (flags & EXT4_INDEX_FL && !S_ISDIR(mode))
		tell(j, "it has the flag of an indexed directory, but is none");
	if (flags & EXT4_INDEX_FL && S_ISDIR(mode) && !super_has_dir_index(sb))
		tell(j, "it is an indexed directory without the dir_index feature");
	if (flags & EXT4_CASEFOLD_FL && !S_ISDIR(mode))
		tell(j, "it has the casefold flag, but is no directory");
	if (flags & EXT4_IMAGIC_FL && !(sb->feature_compat & EXT4_FEATURE_COMPAT_IMAGIC_INODES))
		tell(j, "it has the imagic flag without that feature");
	if (flags & EXT4_HUGE_FILE_FL && !super_has_huge_file(sb))
		tell(j, "it has the flag of a huge file without that feature");
	if ((is_special(mode) || S_ISLNK(mode)) && flags & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL))
		tell(j, "a special file is immutable or append-only");
	if (!(flags & (EXT4_EXTENTS_FL | EXT4_INLINE_DATA_FL)) && super_has_extents(sb) &&
		(S_ISREG(mode) || S_ISDIR(mode)) && looks_like_extents(sb, &j->f))
		tell(j, "it has an extent tree, but not the flag for it");
}

static void check_deletion(struct subject *j)
{
	if (!j->f.dtime || j->fact->flags & FACT_ORPHAN)
		return;
	if (j->f.dtime <= j->c->sb.inodes_count)
		tell(j,
			"it is in use, and its deletion time %u looks like a link of a lost orphan "
			"list",
			j->f.dtime);
	else
		tell(j, "it is in use, but has a deletion time");
}

static void check_fields(struct subject *j)
{
	const char *why = "";

	if (inode_fields_verify(&j->c->sb, &j->f, &why))
		tell(j, "%s", why);
	check_zero_fields(j);
	check_flags(j);
	check_deletion(j);
}

/* --- what is in i_block --- */

static bool zeros(const u8 *p, u32 from, u32 to)
{
	while (from < to && p[from] == 0)
		from++;
	return from == to;
}

static bool counts_only_attrs(const struct subject *j)
{
	return j->attrs.unread || j->f.blocks == j->attrs.blocks * (j->c->sb.block_size / 512);
}

/* Device numbers take two words; pipes and sockets none. */
static void check_special(struct subject *j)
{
	bool device = S_ISCHR(j->f.mode) || S_ISBLK(j->f.mode);

	if (j->f.size)
		tell(j, "a special file has a size");
	if (j->f.flags & (EXT4_EXTENTS_FL | EXT4_INDEX_FL | EXT4_INLINE_DATA_FL))
		tell(j, "a special file has the flags of data");
	else if (!zeros(j->f.i_block, device ? 12 : 0, EXT4_I_BLOCK_BYTES))
		tell(j, "a special file has blocks");
	if (!counts_only_attrs(j))
		tell(j, "a special file counts %llu sectors", (unsigned long long)j->f.blocks);
}

static void check_text(struct subject *j, const u8 *text, u32 room)
{
	u64 len = strnlen((const char *)text, room);

	if (j->f.flags & EXT4_ENCRYPT_FL || fact_is_deleted(j->fact))
		return;
	if (j->f.size == 0 || j->f.size >= room || len != j->f.size)
		tell(j, "the symbolic link has %llu bytes, and its size says %llu",
			(unsigned long long)len, (unsigned long long)j->f.size);
}

static void check_link_block(struct subject *j)
{
	const struct scratch *s = j->s;
	const struct run *r = s->runs;

	if (fact_is_deleted(j->fact))
		return;
	if (s->run_count != 1 || r->lblk != 0 || r->len != 1) {
		tell(j, "a symbolic link has not exactly one block");
		return;
	}
	if (j->f.flags & EXT4_ENCRYPT_FL)
		return;
	if (!check_read(j->c, r->pblk, 1, s->block, j->ino))
		check_text(j, s->block, j->c->sb.block_size);
}

static bool is_fast_link(const struct subject *j)
{
	return S_ISLNK(j->f.mode) && !(j->f.flags & EXT4_EXTENTS_FL) &&
	       j->f.size < EXT4_I_BLOCK_BYTES && counts_only_attrs(j);
}

/* --- sizes --- */

static void check_file_size(struct subject *j, const struct walk *w)
{
	u64 bs = j->c->sb.block_size;

	if (w->damaged || j->fact->flags & FACT_ORPHAN || j->f.flags & EXT4_VERITY_FL)
		return;
	if (w->last_written >= 0 && j->f.size <= (u64)w->last_written * bs)
		check_found(j->c, CHECK_MAP, j->ino, 0,
			"its size is %llu, but block %lld of it has data",
			(unsigned long long)j->f.size, (long long)w->last_written);
}

static void check_dir_size(struct subject *j, const struct walk *w)
{
	u64 bs = j->c->sb.block_size;

	if (w->damaged || fact_is_deleted(j->fact))
		return;
	if (j->f.size % bs || j->f.size / bs != (u64)(w->last + 1))
		check_found(j->c, CHECK_MAP, j->ino, 0,
			"the directory has %lld blocks, but a size of %llu", (long long)w->last + 1,
			(unsigned long long)j->f.size);
}

static void check_sectors(struct subject *j, const struct walk *w)
{
	u64 own = (w->blocks + j->attrs.blocks) * (j->c->sb.block_size / 512);

	if (!w->damaged && !j->attrs.unread && j->f.blocks != own)
		check_found(j->c, CHECK_MAP, j->ino, 0, "it counts %llu sectors, but owns %llu",
			(unsigned long long)j->f.blocks, (unsigned long long)own);
}

/* --- directories --- */

static void add_runs_locked(struct check *c, struct scratch *s, struct dir *d)
{
	d->first_run = c->run_count;
	for (u32 k = 0; k < s->run_count; k++) {
		if (check_grow(c, (void **)&c->runs, &c->run_max, c->run_count, sizeof(*c->runs))) {
			c->err = ERR(ENOMEM);
			return;
		}
		c->runs[c->run_count++] = s->runs[k];
		d->run_count++;
	}
}

static void add_dir(struct subject *j)
{
	struct check *c = j->c;
	struct dir d = {.ino = j->ino,
		.blocks = (u32)min_of(j->f.size >> c->sb.block_bits, (u64)LBLK_MAX),
		.seed = j->seed,
		.flags = j->f.flags};

	if (c->owners)
		return;
	if (j->f.flags & EXT4_INLINE_DATA_FL) {
		d.inline_data = os_alloc(c->sb.inode_size);
		if (d.inline_data)
			memcpy(d.inline_data, j->raw, c->sb.inode_size);
	}
	os_mutex_lock(&c->lock);
	add_runs_locked(c, j->s, &d);
	if (check_grow(c, (void **)&c->dirs, &c->dir_max, c->dir_count, sizeof(d)))
		c->err = ERR(ENOMEM);
	else
		c->dirs[c->dir_count++] = d;
	os_mutex_unlock(&c->lock);
}

/* --- putting it together --- */

static void check_inline(struct subject *j)
{
	const u8 *value;
	u32 size;

	j->s->run_count = 0;
	if (!check_inline_data(&j->c->sb, j->raw, j->f.extra_isize, &value, &size))
		tell(j, "it has inline data, but no system.data attribute");
	else if (j->f.size > EXT4_I_BLOCK_BYTES + (u64)size)
		tell(j, "its inline data has %u bytes, and its size says %llu",
			EXT4_I_BLOCK_BYTES + size, (unsigned long long)j->f.size);
}

/* XA-6: its checksum is where others keep their access time. */
static void check_value(struct subject *j)
{
	const struct scratch *s = j->s;
	u32 bs = j->c->sb.block_size, crc = j->c->sb.csum_seed;
	u64 left = j->f.size;

	if (j->fact->links == 0 || left > EXT4_XATTR_VALUE_MAX) /* older than checksums; told */
		return;
	for (u32 k = 0; k < s->run_count && left; k++) {
		for (u32 b = 0; b < s->runs[k].len && left; b++) {
			u32 n = (u32)min_of(left, (u64)bs);

			if (check_read(j->c, s->runs[k].pblk + b, 1, s->block, j->ino))
				return;
			crc = crc32c(crc, s->block, n);
			left -= n;
		}
	}
	if (left || crc != le32_to_cpu(j->raw->i_atime))
		check_found(j->c, CHECK_ATTR, j->ino, 0,
			"the attribute value in it does not have its checksum");
}

/* Of inode 1, which has no mode. */
static void check_bad_blocks(struct subject *j)
{
	struct walk w = {.s = j->s, .f = &j->f, .ino = j->ino, .seed = j->seed};

	check_walk_map(&w);
	check_sectors(j, &w);
}

static void check_mapped(struct subject *j)
{
	bool is_value = j->f.flags & EXT4_EA_INODE_FL;
	struct walk w = {.s = j->s,
		.f = &j->f,
		.ino = j->ino,
		.seed = j->seed,
		.runs = !S_ISREG(j->f.mode) || is_value};

	check_walk_map(&w);
	check_sectors(j, &w);
	if (is_value && !w.damaged)
		check_value(j);
	if (S_ISREG(j->f.mode))
		check_file_size(j, &w);
	else if (S_ISDIR(j->f.mode))
		check_dir_size(j, &w);
	else if (!w.damaged)
		check_link_block(j);
}

static void check_content(struct subject *j)
{
	if (is_special(j->f.mode))
		check_special(j);
	else if (j->f.flags & EXT4_INLINE_DATA_FL)
		check_inline(j);
	else if (j->ino == EXT4_RESIZE_INO && super_has_resize_inode(&j->c->sb))
		check_resize_inode(j->s, j->ino, &j->f);
	else if (is_fast_link(j))
		check_text(j, j->f.i_block, EXT4_I_BLOCK_BYTES);
	else
		check_mapped(j);
}

static void check_reserved(struct subject *j)
{
	u32 mode = j->f.mode;

	if (j->ino == EXT4_ROOT_INO && !S_ISDIR(mode))
		tell(j, "the root is no directory");
	else if (check_is_hidden(j->c, j->ino) && mode && !S_ISREG(mode) &&
		 j->ino != EXT4_UNDEL_DIR_INO)
		tell(j, "a reserved inode is no regular file");
	if ((j->ino == EXT4_USR_QUOTA_INO || j->ino == EXT4_GRP_QUOTA_INO) &&
		(mode || j->f.blocks) && j->ino != j->c->sb.quota_inum[j->ino - EXT4_USR_QUOTA_INO])
		tell(j, "it is a quota file, but the superblock knows none there");
}

/* XA-6: an EA inode counts its users where others keep their change time. */
static u16 stored_links(const struct subject *j)
{
	u64 users = (u64)le32_to_cpu(j->raw->i_ctime) << 32 | le32_to_cpu(j->raw->i_version_lo);

	if (!(j->f.flags & EXT4_EA_INODE_FL))
		return (u16)j->f.links;
	return (u16)min_of(users, 0xffffull);
}

static void remember(struct subject *j)
{
	struct check *c = j->c;
	u32 index = (j->ino - 1) % c->sb.inodes_per_group;

	j->fact->flags |= FACT_USED;
	if (check_is_hidden(c, j->ino))
		j->fact->flags |= FACT_HIDDEN;
	if (j->f.flags & EXT4_EA_INODE_FL)
		j->fact->flags |= FACT_VALUE;
	j->fact->type = dirent_type_of_mode(j->f.mode);
	j->fact->links = stored_links(j);
	c->inode_map[(u64)((j->ino - 1) / c->sb.inodes_per_group) * c->map_bytes + index / 8] |=
		(u8)(1u << index % 8);
}

static void check_used(struct subject *j)
{
	const char *why = "";

	if (!inode_csum_verify(&j->c->sb, j->seed, j->raw))
		tell(j, "wrong checksum");
	if (inode_unpack(&j->c->sb, j->raw, &j->f, &why)) {
		tell(j, "%s", why);
		return;
	}
	check_reserved(j);
	if (j->ino == EXT4_BAD_INO && !j->f.mode)
		check_bad_blocks(j);
	/* Most reserved inodes are empty: a mode only comes with content. */
	if (!j->f.mode && j->ino < j->c->sb.first_ino && j->ino != EXT4_ROOT_INO &&
		!(j->ino == EXT4_RESIZE_INO && super_has_resize_inode(&j->c->sb)))
		return;
	check_fields(j);
	check_xattrs(j->s, j->ino, j->raw, &j->f, &j->attrs);
	if (dirent_type_of_mode(j->f.mode) == EXT4_FT_UNKNOWN)
		j->fact->flags |= FACT_BAD;
	else
		check_content(j);
	if (S_ISDIR(j->f.mode) && !fact_is_deleted(j->fact))
		add_dir(j);
	if (super_has_quota(&j->c->sb) && !j->c->owners &&
		!(j->fact->flags & (FACT_HIDDEN | FACT_VALUE)))
		check_count_usage(j->c, &j->f, j->attrs.values);
}

void check_inode(struct scratch *s, ino_nr ino, const struct ext4_inode_disk *raw)
{
	struct check *c = s->c;
	struct subject j = {.s = s, .c = c, .ino = ino, .raw = raw, .fact = &c->facts[ino - 1]};
	bool reserved = ino < c->sb.first_ino;

	if (!raw->i_links_count.raw && !reserved && !(j.fact->flags & FACT_ORPHAN)) {
		if (raw->i_mode.raw && !raw->i_dtime.raw)
			check_compared(
				c, CHECK_INODE, ino, 0, "it was deleted, but has no deletion time");
		return;
	}
	j.seed = inode_csum_seed(&c->sb, ino, inode_raw_generation(raw));
	j.f.mode = le16_to_cpu(raw->i_mode);
	j.f.links = le16_to_cpu(raw->i_links_count);
	j.f.flags = le32_to_cpu(raw->i_flags);
	if (!c->owners)
		remember(&j);
	check_used(&j);
}
