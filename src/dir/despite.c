/*
 * Directories whose index is damaged (DR-12): the leaves are read one by one. What lies in
 * a block that can't be read is neither said to be absent nor left out in silence.
 */
#include "base/err.h"
#include "dir/dir_priv.h"

/* A hole is one step, however far a damaged size stretches it. */
static lblk_t behind(struct inode *dir, lblk_t lblk)
{
	struct mapping m;
	int err = map_lookup(&dir->map, lblk, dir_block_count(dir) - lblk, &m);

	return err || m.state == MAP_WRITTEN ? lblk + 1 : lblk + m.len;
}

int dir_block_despite_index(struct inode *dir, lblk_t lblk, struct buf **out, lblk_t *next)
{
	int err = dir_block_read(dir, lblk, &dir_leaf_type, out);

	*next = err ? behind(dir, lblk) : lblk + 1;
	if (!err)
		return 1;
	if ((err != -EUCLEAN && err != -EBADMSG) ||
		dir_block_read(dir, lblk, &dir_nameless_type, out))
		return err;
	buf_put(*out);
	return 0;
}

/* A directory that was cut: the names behind its end are not absent, but out of reach. */
static int cut_off(struct inode *dir)
{
	struct mapping m;
	int err = map_lookup(&dir->map, dir_block_count(dir), 1, &m);

	return !err && m.state >= MAP_UNWRITTEN ? ERR(EUCLEAN) : err;
}

int dir_find_despite_index(struct inode *dir, struct name name, struct dir_slot *out)
{
	lblk_t count = dir_block_count(dir);
	int failed = cut_off(dir);

	for (lblk_t k = 1, next; k < count; k = next) {
		struct buf *b;
		int err = dir_block_despite_index(dir, k, &b, &next);

		if (err > 0) {
			buf_put(b);
			err = dir_find_in_block(dir, k, name, out);
			if (err == 0)
				return 0;
		}
		if (err < 0 && err != -ENOENT)
			failed = err;
	}
	return failed ? failed : -ENOENT;
}

int dir_unread_despite_index(struct inode *dir)
{
	lblk_t count = dir_block_count(dir);
	int failed = cut_off(dir);

	for (lblk_t k = 1, next; k < count; k = next) {
		struct buf *b;
		int err = dir_block_despite_index(dir, k, &b, &next);

		if (err > 0)
			buf_put(b);
		else if (err < 0)
			failed = err;
	}
	return failed;
}
