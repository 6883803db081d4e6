/*
 * The entries of one leaf. Its verifier has accepted the block, so the chain
 * of rec_len is sound; what changes here keeps it so.
 */
#include "base/err.h"
#include "dir/dir_priv.h"
#include "dir/name_cache.h"

#include <string.h>

void slot_put(struct dir_slot *s)
{
	buf_put(s->b);
	s->b = NULL;
}

static struct ext4_dirent *entry_at(const struct buf *b, u32 offset)
{
	return (struct ext4_dirent *)(b->data + offset);
}

struct ext4_dirent *slot_entry(const struct dir_slot *s)
{
	return entry_at(s->b, s->offset);
}

u32 leaf_end(const struct inode *dir)
{
	return dir_leaf_size(&dir->volume->sb);
}

u32 entry_len(const struct inode *dir, const struct ext4_dirent *e)
{
	return dirent_rec_len(e, dir_block_size(dir));
}

void entry_set_len(const struct inode *dir, struct ext4_dirent *e, u32 len)
{
	dirent_set_rec_len(e, len, dir_block_size(dir));
}

bool entry_is(const struct ext4_dirent *e, const char *name)
{
	size_t len = strlen(name);

	return e->name_len == len && memcmp(e->name, name, len) == 0;
}

/*
 * What is looked for, and its last eight bytes as they lie in memory: names of one directory differ
 * in their ends more often than in their beginnings.
 */
struct sought {
	struct name name;
	u64 tail, mask; /* the mask hides what stands before a shorter name */
};

static struct sought seek(struct name name)
{
	struct sought n = {.name = name};
	u32 len = min_of(name.len, (u32)sizeof(n.tail)), before = sizeof(n.tail) - len;

	memcpy((u8 *)&n.tail + before, name.s + name.len - len, len);
	memset((u8 *)&n.mask + before, 0xff, len);
	return n;
}

/* The eight bytes that end with the name lie in the entry: its head is as long. */
static bool entry_has_name(const struct ext4_dirent *e, const struct sought *n)
{
	u64 tail;

	_Static_assert(EXT4_DIRENT_HEAD >= sizeof(tail), "");
	if (e->name_len != n->name.len)
		return false;
	memcpy(&tail, (const u8 *)e + EXT4_DIRENT_HEAD + n->name.len - sizeof(tail), sizeof(tail));
	return ((tail ^ n->tail) & n->mask) == 0 && memcmp(e->name, n->name.s, n->name.len) == 0;
}

int leaf_find(struct inode *dir, struct buf *b, struct name name, struct dir_slot *out)
{
	u32 end = leaf_end(dir), bs = dir_block_size(dir), prev = 0, len;
	const struct sought n = seek(name);

	for (u32 at = 0; name.len && at < end; at += len) {
		const struct ext4_dirent *e = entry_at(b, at);

		len = dirent_rec_len(e, bs);
		if (entry_has_name(e, &n) && le32_to_cpu(e->inode)) {
			*out = (struct dir_slot){.b = b, .offset = at, .prev = prev};
			return 0;
		}
		prev = at;
	}
	return -ENOENT;
}

static u32 entry_used(const struct ext4_dirent *e)
{
	return le32_to_cpu(e->inode) ? dirent_need(e->name_len) : 0;
}

/* Most entries are too short whatever their name is. */
static bool has_room(const struct ext4_dirent *e, u32 len, u32 need)
{
	if (!le32_to_cpu(e->inode))
		return len >= need;
	return len >= need + EXT4_DIRENT_MIN && len - dirent_need(e->name_len) >= need;
}

/* Offset of the first entry with room behind its own name; end when there is none. */
static u32 find_room(struct inode *dir, struct buf *b, u32 need)
{
	u32 end = leaf_end(dir), bs = dir_block_size(dir), at = 0, len;

	for (; at < end; at += len) {
		len = dirent_rec_len(entry_at(b, at), bs);
		if (has_room(entry_at(b, at), len, need))
			break;
	}
	return at;
}

static void entry_fill(
	const struct inode *dir, struct ext4_dirent *e, struct name name, ino_nr ino, u8 type)
{
	e->inode = cpu_to_le32(ino);
	e->name_len = (u8)name.len;
	e->file_type = super_has_filetype(&dir->volume->sb) ? type : 0;
	memcpy(e->name, name.s, name.len);
	memset(e->name + name.len, 0, dirent_need(name.len) - EXT4_DIRENT_HEAD - name.len);
}

int leaf_insert(
	struct handle *h, struct inode *dir, struct buf *b, struct name name, ino_nr ino, u8 type)
{
	u32 at = find_room(dir, b, dirent_need(name.len)), used, len;
	struct ext4_dirent *e;
	int err;

	if (at >= leaf_end(dir))
		return -ENOSPC;
	err = buf_write_access(h, b);
	if (err)
		return err;
	e = entry_at(b, at);
	used = entry_used(e);
	len = entry_len(dir, e);
	if (used) {
		entry_set_len(dir, e, used);
		e = entry_at(b, at + used);
		entry_set_len(dir, e, len - used);
	}
	entry_fill(dir, e, name, ino, type);
	return buf_dirty(h, b);
}

void leaf_format(struct inode *dir, struct buf *b)
{
	struct ext4_dirent *e = entry_at(b, 0);

	memset(b->data, 0, dir_block_size(dir));
	entry_set_len(dir, e, leaf_end(dir));
	dir_leaf_tail_init(&dir->volume->sb, b->data);
}

static struct name entry_name(const struct ext4_dirent *e)
{
	return (struct name){e->name, e->name_len};
}

/* DR-3: the entry before it takes over the space; the name's bytes do not stay behind. */
int dir_remove(struct handle *h, struct inode *dir, const struct dir_slot *s)
{
	struct ext4_dirent *e = slot_entry(s), *prev = entry_at(s->b, s->prev);
	u32 len = entry_len(dir, e);
	int err;

	name_cache_drop(dir, entry_name(e));
	err = buf_write_access(h, s->b);
	if (err)
		return err;
	memset(e->name, 0, e->name_len);
	if (prev != e) {
		entry_set_len(dir, prev, entry_len(dir, prev) + len);
		memset(e, 0, EXT4_DIRENT_HEAD);
	} else {
		e->inode = cpu_to_le32(0);
		e->name_len = 0;
		e->file_type = 0;
	}
	return buf_dirty(h, s->b);
}

int dir_replace(struct handle *h, struct inode *dir, const struct dir_slot *s, ino_nr ino, u8 type)
{
	struct ext4_dirent *e = slot_entry(s);
	int err;

	name_cache_drop(dir, entry_name(e));
	err = buf_write_access(h, s->b);
	if (err)
		return err;
	e->inode = cpu_to_le32(ino);
	if (super_has_filetype(&dir->volume->sb))
		e->file_type = type;
	return buf_dirty(h, s->b);
}
