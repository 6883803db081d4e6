#include "image.h"

#include <unistd.h>

void image_run(struct image *im, const char *command, int allowed_rc_mask)
{
	char line[1024];
	int rc;

	snprintf(line, sizeof(line),
		"PATH=$PATH:/sbin:/usr/sbin; I=%s; D=%s; { %s; } >%s/log 2>&1 </dev/null", im->path,
		im->dir, command, im->dir);
	rc = system(line);
	rc = rc & 0xff ? 255 : rc >> 8;
	if (rc & ~allowed_rc_mask)
		fail_msg("\"%s\" gave %d, see %s/log", command, rc, im->dir);
}

FILE *image_pipe(struct image *im, const char *command)
{
	char line[1024];
	FILE *p;

	snprintf(line, sizeof(line), "PATH=$PATH:/sbin:/usr/sbin; I=%s; D=%s; { %s; } 2>/dev/null",
		im->path, im->dir, command);
	p = popen(line, "r");
	assert_non_null(p);
	return p;
}

void image_debugfs(struct image *im, const char *script)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/script", im->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(script, f);
	fclose(f);
	image_run(im, "debugfs -w -f $D/script $I", 0);
}

void image_make(struct image *im, const char *mkfs_args, const char *size)
{
	char command[512];

	memset(im, 0, sizeof(*im));
	strcpy(im->dir, "/tmp/uext4-disk-XXXXXX");
	assert_non_null(mkdtemp(im->dir));
	snprintf(im->path, sizeof(im->path), "%s/image", im->dir);
	snprintf(command, sizeof(command),
		"mkdir $D/tree; mke2fs -q -F -E lazy_itable_init=0 %s $I %s", mkfs_args, size);
	image_run(im, command, 0);
	image_open(im);
}

void image_open(struct image *im)
{
	const char *why = "";

	if (im->f)
		fclose(im->f);
	im->f = fopen(im->path, "r");
	assert_non_null(im->f);
	assert_int_equal(fseek(im->f, 0, SEEK_END), 0);
	im->size = (u64)ftell(im->f);
	assert_int_equal(fseek(im->f, EXT4_SUPER_OFFSET, SEEK_SET), 0);
	assert_int_equal(fread(&im->super, sizeof(im->super), 1, im->f), 1);
	if (super_decode(&im->super, im->size, &im->sb, &why))
		fail_msg("%s: %s", im->path, why);
}

void image_remove(struct image *im)
{
	char path[96];

	fclose(im->f);
	image_run(im, "rm -rf $D/tree $D/image $D/script", 0);
	strcpy(path, im->dir);
	strcat(path, "/log");
	unlink(path);
	rmdir(im->dir);
}

void *image_read(struct image *im, u64 offset, size_t len)
{
	void *p = malloc(len);

	assert_non_null(p);
	assert_int_equal(fseek(im->f, (long)offset, SEEK_SET), 0);
	assert_int_equal(fread(p, 1, len, im->f), len);
	return p;
}

void *image_block(struct image *im, pblk_t pblk)
{
	return image_read(im, pblk << im->sb.block_bits, im->sb.block_size);
}

struct ext4_group_desc *image_desc(struct image *im, group_nr group)
{
	const struct super_info *sb = &im->sb;
	pblk_t block = super_gdt_block(sb, group / sb->descs_per_block);

	return image_read(im,
		(block << sb->block_bits) + group % sb->descs_per_block * (u64)sb->desc_size,
		sb->desc_size);
}

struct ext4_inode_disk *image_inode(struct image *im, ino_nr ino)
{
	const struct super_info *sb = &im->sb;
	struct ext4_group_desc *d = image_desc(im, (ino - 1) / sb->inodes_per_group);
	u64 at = group_desc_inode_table(sb, d) << sb->block_bits;

	free(d);
	return image_read(
		im, at + (ino - 1) % sb->inodes_per_group * (u64)sb->inode_size, sb->inode_size);
}

ino_nr image_lookup(struct image *im, const char *path)
{
	char command[256], text[64] = "";
	unsigned ino = 0;
	FILE *p;

	snprintf(command, sizeof(command), "debugfs -R 'stat %s' $I", path);
	p = image_pipe(im, command);
	while (!ino && fscanf(p, "%63s", text) == 1)
		if (strcmp(text, "Inode:") == 0)
			assert_int_equal(fscanf(p, "%u", &ino), 1);
	while (fgetc(p) != EOF)
		;
	pclose(p);
	if (!ino)
		fail_msg("no %s in the image", path);
	return ino;
}

static u32 find_pos(const void *node, lblk_t lblk)
{
	const struct ext4_extent_header *h = node;
	u32 pos = 0;

	while (pos + 1 < le16_to_cpu(h->eh_entries) && extent_leaf_get(node, pos + 1).lblk <= lblk)
		pos++;
	return pos;
}

/* Down one level: the child that holds lblk, verified; frees the parent. */
static void *child_of(struct image *im, u32 seed, void *node, lblk_t lblk)
{
	u32 depth = le16_to_cpu(((struct ext4_extent_header *)node)->eh_depth);
	struct extent_bounds b = {.end = (u64)LBLK_MAX + 1};
	u32 pos = find_pos(node, lblk);
	const char *why;
	pblk_t child;
	lblk_t next;
	void *data;

	extent_index_get(node, pos, &b.first, &child);
	if (pos + 1 < le16_to_cpu(((struct ext4_extent_header *)node)->eh_entries)) {
		extent_index_get(node, pos + 1, &next, &child);
		b.end = next;
		extent_index_get(node, pos, &b.first, &child);
	}
	data = image_block(im, child);
	if (extent_node_verify(&im->sb, data, im->sb.block_size, (int)depth - 1, &b, &why))
		fail_msg("block %llu: %s", (unsigned long long)child, why);
	assert_true(extent_csum_verify(&im->sb, seed, data));
	free(node);
	return data;
}

pblk_t image_map(struct image *im, ino_nr ino, lblk_t lblk)
{
	struct ext4_inode_disk *raw = image_inode(im, ino);
	u32 seed = inode_csum_seed(&im->sb, ino, inode_raw_generation(raw));
	struct extent_entry e;
	const char *why;
	void *node;

	if (!(le32_to_cpu(raw->i_flags) & EXT4_EXTENTS_FL)) {
		pblk_t direct = lblk < 12 ? le32_to_cpu(raw->i_ptr[lblk]) : 0;

		free(raw);
		return direct;
	}
	node = malloc(sizeof(raw->i_block));
	memcpy(node, raw->i_block, sizeof(raw->i_block));
	free(raw);
	assert_int_equal(
		extent_node_verify(&im->sb, node, EXT4_I_BLOCK_BYTES, EXTENT_DEPTH_ANY, NULL, &why),
		0);
	while (((struct ext4_extent_header *)node)->eh_depth.raw)
		node = child_of(im, seed, node, lblk);
	e = extent_leaf_get(node, find_pos(node, lblk));
	if (((struct ext4_extent_header *)node)->eh_entries.raw == 0 || lblk < e.lblk ||
		lblk >= e.lblk + e.len)
		e.pblk = 0;
	else
		e.pblk += lblk - e.lblk;
	free(node);
	return e.pblk;
}

void flip_every_bit(void *data, u32 from, u32 to, bool (*ok)(void *arg), void *arg)
{
	u8 *p = data;

	assert_true(ok(arg));
	for (u32 bit = from * 8; bit < to * 8; bit++) {
		p[bit / 8] ^= (u8)(1u << bit % 8);
		if (ok(arg))
			fail_msg("bit %u of byte 0x%x changed unnoticed", bit % 8, bit / 8);
		p[bit / 8] ^= (u8)(1u << bit % 8);
	}
	assert_true(ok(arg));
}
