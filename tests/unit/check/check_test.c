#include "check_test.h"

#include <errno.h>
#include <unistd.h>

#include "disk/dirent.h"

/* plain, short: the same file; big: more extents than fit the inode; dir/sub; link, long; node. */
static const char tree[] = "head -c 9000 /dev/zero | tr '\\0' x >$D/tree/plain\n"
			   "ln $D/tree/plain $D/tree/short\n"
			   "mkdir -p $D/tree/dir/sub $D/tree/other\n"
			   "echo abc >$D/tree/dir/file\n"
			   "ln -s plain $D/tree/link\n"
			   "ln -s $(printf %0100d 0) $D/tree/long\n"
			   "mknod $D/tree/node p\n"
			   "for k in 1 3 5 7 9 11 13 15 17 19 21 23; do "
			   "echo x | dd of=$D/tree/big bs=4096 seek=$k conv=notrunc; done";

void world_make(struct world *w, const char *mkfs_args, const char *size)
{
	char command[400];

	memset(w, 0, sizeof(*w));
	image_make(&w->im, mkfs_args, size);
	image_run(&w->im, tree, 0);
	snprintf(command, sizeof(command), "mke2fs -q -F -E lazy_itable_init=0 %s -d $D/tree $I %s",
		mkfs_args, size);
	image_run(&w->im, command, 0);
	if (strstr(mkfs_args, "quota"))
		world_count(w);
	else
		world_adopt(w);
}

void world_adopt(struct world *w)
{
	free(w->pristine);
	image_open(&w->im);
	w->pristine = image_read(&w->im, 0, w->im.size);
}

void world_count(struct world *w)
{
	image_run(&w->im, "e2fsck -fy $I || [ $? = 1 ]", 0);
	world_adopt(w);
}

void world_restore(struct world *w)
{
	FILE *f = fopen(w->im.path, "r+");

	assert_non_null(f);
	assert_int_equal(fwrite(w->pristine, 1, w->im.size, f), w->im.size);
	fclose(f);
	image_open(&w->im);
}

void world_remove(struct world *w)
{
	free(w->pristine);
	image_remove(&w->im);
}

struct dev *world_dev(struct world *w)
{
	FILE *f = fopen(w->im.path, "r");
	struct dev *dev;

	assert_non_null(f);
	assert_int_equal(dev_mem_create(w->im.size, 512, &dev), 0);
	assert_int_equal(fread(dev_mem_data(dev), 1, w->im.size, f), w->im.size);
	fclose(f);
	return dev;
}

static void take_problem(void *arg, const struct check_problem *p)
{
	struct world *w = arg;
	size_t len = strlen(w->said);

	assert_true(p->text[0] && p->advice[0]);
	snprintf(w->said + len, sizeof(w->said) - len, "%s%s: inode %u %s: %s\n",
		p->note ? "note " : "", check_kind_name(p->kind), p->ino, p->path ? p->path : "",
		p->text);
}

int world_check(struct world *w, const struct check_options *opt)
{
	struct check_options o = opt ? *opt : (struct check_options){0};
	struct dev *dev = world_dev(w), *guard;
	const struct dev_fault_rule writes = {
		.ops = 1u << DEV_WRITE | 1u << DEV_DISCARD | 1u << DEV_WRITE_ZEROES, .error = EIO};
	int err;

	o.problem = take_problem;
	o.arg = w;
	w->said[0] = '\0';
	assert_int_equal(dev_fault_create(dev, false, &guard), 0);
	assert_int_equal(dev_fault_add(guard, &writes), 0);
	err = check_device(guard, &o, &w->result);
	assert_int_equal(dev_fault_hits(guard), 0); /* it never writes */
	dev_close(guard);
	return err;
}

void world_sound(struct world *w)
{
	assert_int_equal(world_check(w, NULL), 0);
	if (w->result.problems)
		fail_msg("a sound image: %s", w->said);
}

void world_finds(struct world *w, const char *kind, const char *text)
{
	char *line, *save, copy[sizeof(w->said)];

	assert_int_equal(world_check(w, &(struct check_options){.paths = true}), 0);
	strcpy(copy, w->said);
	for (line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, kind, strlen(kind)) == 0 && strstr(line, text))
			return;
	fail_msg("not found: %s ... %s in:\n%s", kind, text, w->said);
}

void world_write(struct world *w, u64 offset, const void *data, size_t len)
{
	FILE *f = fopen(w->im.path, "r+");

	assert_non_null(f);
	assert_int_equal(fseek(f, (long)offset, SEEK_SET), 0);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

void world_poke_dir(struct world *w, const char *path, lblk_t lblk, u32 offset, const void *bytes,
	u32 len, enum dir_seal seal)
{
	struct image *im = &w->im;
	ino_nr ino = image_lookup(im, path);
	struct ext4_inode_disk *raw = image_inode(im, ino);
	u32 seed = inode_csum_seed(&im->sb, ino, inode_raw_generation(raw));
	pblk_t pblk = image_map(im, ino, lblk);
	u8 *block = image_block(im, pblk);

	memcpy(block + offset, bytes, len);
	if (seal == SEAL_LEAF)
		dir_leaf_csum_set(&im->sb, seed, block);
	else
		dx_csum_set(&im->sb, seed, block, EXT4_DX_ROOT_COUNT_OFFSET);
	world_write(w, pblk * im->sb.block_size, block, im->sb.block_size);
	free(block);
	free(raw);
}
