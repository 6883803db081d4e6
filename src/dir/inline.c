/*
 * Directories that live in the inode (MD-26), for read-only service: 4 bytes
 * of parent number, entries in the rest of i_block, and a second region of
 * entries in the attribute system.data.
 */
#include "base/err.h"
#include "dir/dir_priv.h"
#include "os/mem.h"

#include <string.h>

#define HEAD_BYTES 4u
#define TAIL_MAX 65536u

struct inline_dir {
	u8 *data; /* both regions, one after the other */
	u32 first, total;
};

static int inline_load(struct inode *dir, struct inline_dir *out)
{
	u32 first = sizeof(dir->f.i_block) - HEAD_BYTES;
	ssize_t n = xattr_get(dir, "system.data", NULL, 0);

	if (n == -ENODATA)
		n = 0;
	if (n < 0 || n > (ssize_t)TAIL_MAX)
		return n < 0 ? (int)n : dir_corrupt(dir, 0, "too much inline data");
	out->data = os_alloc(first + (size_t)n);
	if (!out->data)
		return ERR(ENOMEM);
	out->first = first;
	out->total = first + (u32)n;
	memcpy(out->data, dir->f.i_block + HEAD_BYTES, first);
	if (n > 0)
		n = xattr_get(dir, "system.data", out->data + first, (size_t)n);
	if (n >= 0)
		return 0;
	os_free(out->data);
	return (int)n;
}

/* The entry at *at, which moves on; NULL at the end or (err set) at a bad one. */
static const struct ext4_dirent *inline_next(
	struct inode *dir, const struct inline_dir *d, u32 *at, int *err)
{
	while (*at < d->total) {
		bool second = *at >= d->first;
		u32 start = second ? d->first : 0, end = second ? d->total : d->first;
		const struct ext4_dirent *e = (const struct ext4_dirent *)(d->data + *at);
		const char *why;

		if (dirent_verify(
			    &dir->volume->sb, d->data + start, end - start, *at - start, &why)) {
			*err = dir_corrupt(dir, 0, why);
			return NULL;
		}
		*at += entry_len(dir, e);
		if (le32_to_cpu(e->inode))
			return e;
	}
	return NULL;
}

int inline_find(struct inode *dir, struct name name, ino_nr *ino, u8 *type)
{
	const struct ext4_dirent *e;
	struct inline_dir d;
	u32 at = 0;
	int err = inline_load(dir, &d), found = -ENOENT;

	if (err)
		return err;
	while (found && (e = inline_next(dir, &d, &at, &err)) != NULL) {
		if (e->name_len != name.len || memcmp(e->name, name.s, name.len) != 0)
			continue;
		*ino = le32_to_cpu(e->inode);
		*type = e->file_type;
		found = 0;
	}
	os_free(d.data);
	return err ? err : found;
}

ino_nr inline_parent(struct inode *dir)
{
	struct le32 parent;

	memcpy(&parent, dir->f.i_block, sizeof(parent));
	return le32_to_cpu(parent);
}

/* Cookies: 0 ".", 1 "..", then 2 + offset behind the last entry given. */
int inline_iterate(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	static const char *const dots[] = {".", ".."};
	const ino_nr dot_inos[] = {dir->ino, inline_parent(dir)};
	const struct ext4_dirent *e;
	struct inline_dir d;
	u32 at = 0;
	int err;

	for (; *cookie < 2; ++*cookie)
		if (!emit(arg, (struct name){dots[*cookie], (u32)*cookie + 1}, dot_inos[*cookie],
			    EXT4_FT_DIR, *cookie + 1))
			return 0;
	err = inline_load(dir, &d);
	if (err)
		return err;
	while ((e = inline_next(dir, &d, &at, &err)) != NULL) {
		if (at + 2 <= *cookie)
			continue;
		if (!emit(arg, (struct name){e->name, e->name_len}, le32_to_cpu(e->inode),
			    e->file_type, at + 2))
			break;
		*cookie = at + 2;
	}
	os_free(d.data);
	return err;
}
