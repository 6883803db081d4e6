/* Reachability and link counts. */
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/dirent_format.h"

enum { LINK_MAX_DIR = 65000, LINKS_KEPT_MAX = 0xffff };

#define tell(c, ino, ...) check_found(c, CHECK_LINKS, ino, 0, __VA_ARGS__)

static void check_parent(struct check *c, const struct dir *d)
{
	if (d->ino == EXT4_ROOT_INO) {
		if (d->parent != EXT4_ROOT_INO)
			tell(c, d->ino, "\"..\" of the root leads to inode %u", d->parent);
	} else if (d->named && d->parent != d->named) {
		tell(c, d->ino, "its \"..\" leads to inode %u, but it is in directory %u",
			d->parent, d->named);
	}
}

/* Up to the root, or to what an earlier call has seen; its own mark means a circle. */
static void check_circle(struct check *c, struct dir *d, u32 mark)
{
	ino_nr ino = d->ino;

	while (d && !d->mark && d->ino != EXT4_ROOT_INO) {
		d->mark = mark;
		d = d->named ? check_find_dir(c, d->named) : NULL;
	}
	if (d && d->mark == mark)
		tell(c, ino, "the way from it to the root is a circle through directory %u",
			d->ino);
}

static void check_dirs(struct check *c)
{
	if (!check_find_dir(c, EXT4_ROOT_INO))
		tell(c, EXT4_ROOT_INO, "there is no root directory");
	for (u32 k = 0; k < c->dir_count; k++)
		check_parent(c, &c->dirs[k]);
	for (u32 k = 0; k < c->dir_count; k++)
		check_circle(c, &c->dirs[k], k + 1);
}

static void check_value(struct check *c, ino_nr ino, const struct fact *f)
{
	if (f->found == 0)
		tell(c, ino, "it holds an attribute's value, and no attribute uses it");
	else if (f->links && min_of(f->found, (u32)LINKS_KEPT_MAX) != f->links)
		tell(c, ino, "it holds an attribute's value and counts %u users, but has %u",
			f->links, f->found);
}

/* Does any directory have a name for it? The root needs none; "." is no name. */
static bool has_name(struct check *c, ino_nr ino, const struct fact *f)
{
	const struct dir *d;

	if (f->type != EXT4_FT_DIR || ino == EXT4_ROOT_INO)
		return f->found > 0;
	d = check_find_dir(c, ino);
	return d && d->named;
}

static void check_links(struct check *c, ino_nr ino, const struct fact *f)
{
	u32 expected = f->found;

	if (fact_is_deleted(f)) {
		if (f->found)
			tell(c, ino, "it is to be deleted, but has %u names", f->found);
		return;
	}
	if (!has_name(c, ino, f)) {
		tell(c, ino, "no name leads to it");
		return;
	}
	if (f->type == EXT4_FT_DIR && expected > LINK_MAX_DIR)
		expected = 1;
	if (f->links != expected)
		tell(c, ino, "it counts %u links, but has %u", f->links, expected);
}

static void count_type(struct check *c, const struct fact *f)
{
	c->res->inodes_used++;
	if (f->type == EXT4_FT_REG)
		c->res->files++;
	else if (f->type == EXT4_FT_LNK)
		c->res->links++;
	else if (f->type != EXT4_FT_DIR)
		c->res->others++;
}

static void check_group(struct check *c, group_nr g)
{
	ino_nr first = g * c->sb.inodes_per_group + 1;
	u32 n = check_group_inodes(c, g);

	for (ino_nr ino = first; ino < first + n; ino++) {
		const struct fact *f = &c->facts[ino - 1];

		if (!(f->flags & FACT_USED))
			continue;
		count_type(c, f);
		if (f->flags & FACT_HIDDEN)
			continue;
		if (f->flags & FACT_VALUE)
			check_value(c, ino, f);
		else
			check_links(c, ino, f);
	}
}

void check_tree(struct check *c)
{
	check_dirs(c);
	for (group_nr g = 0; g < c->sb.group_count; g++)
		check_group(c, g);
}
