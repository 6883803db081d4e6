/*
 * Reading a directory (DR-13). Linear ones go by byte offset; indexed ones by
 * hash, so that splits between two calls neither repeat nor skip a name. A
 * one-block directory that may become indexed goes by hash from the start.
 *
 * Cookie in hash order: 0 ".", 1 "..", then 3 + code of an entry; the code is
 * 31 bits of hash, 20 of the minor hash, 12 of rank among equals. It continues
 * at the first entry whose value is not below it. The highest hash has no entries: its values are
 * offsets, in units of 4, in a directory whose damaged index is left aside (DR-12).
 */
#include "base/err.h"
#include "dir/dir_priv.h"
#include "os/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CODE_BASE 3u
#define DESPITE_BASE (0x7fffffffull << 32 | 0x100) /* above each value of the hash order */
#define DESPITE_SHIFT 2
#define RANK_BITS 12
#define RANK_MAX ((1u << RANK_BITS) - 1)

struct found {
	u64 code; /* without rank while collected, with it after sorting */
	const struct ext4_dirent *e;
};

struct found_list {
	struct found *item;
	u32 count, cap;
	struct buf **held; /* blocks that the items point into */
	u32 held_count, held_cap;
};

static int grow(void **array, u32 *cap, size_t size)
{
	u32 more = *cap ? 2 * *cap : 64;
	void *p = os_realloc(*array, more * size);

	if (!p)
		return ERR(ENOMEM);
	*array = p;
	*cap = more;
	return 0;
}

static void list_free(struct found_list *l)
{
	for (u32 k = 0; k < l->held_count; k++)
		buf_put(l->held[k]);
	os_free(l->held);
	os_free(l->item);
}

/*
 * The legacy hash has no minor one. Something of the name must tell its equals apart: their
 * ranks shift when one of them goes (DR-13).
 */
static u64 code_of(const struct dirhash *h, struct name n)
{
	u32 minor = h->minor ? h->minor : name_spread(n);

	return (u64)(h->hash >> 1) << 32 | (u64)(minor >> RANK_BITS) << RANK_BITS;
}

static int collect(struct inode *dir, struct buf *b, u8 version, struct found_list *l)
{
	u32 end = leaf_end(dir);

	for (u32 at = 0; at < end;) {
		const struct ext4_dirent *e = (const struct ext4_dirent *)(b->data + at);
		struct name n = {e->name, e->name_len};
		struct dirhash hash;
		int err;

		at += entry_len(dir, e);
		if (!le32_to_cpu(e->inode) || name_is_dots(n))
			continue;
		err = l->count == l->cap ? grow((void **)&l->item, &l->cap, sizeof(*l->item)) : 0;
		if (!err)
			err = dx_name_hash(dir, version, n, &hash);
		if (err)
			return err;
		l->item[l->count++] = (struct found){code_of(&hash, n), e};
	}
	return 0;
}

/* The list keeps the block until it is freed. */
static int collect_block(struct inode *dir, lblk_t lblk, u8 version, struct found_list *l)
{
	struct buf *b;
	int err = l->held_count == l->held_cap
			  ? grow((void **)&l->held, &l->held_cap, sizeof(*l->held))
			  : 0;

	if (!err)
		err = dir_block_read(dir, lblk, &dir_leaf_type, &b);
	if (err)
		return err;
	l->held[l->held_count++] = b;
	return collect(dir, b, version, l);
}

static int by_code(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	int order;

	if (x->code != y->code)
		return x->code < y->code ? -1 : 1;
	order = memcmp(x->e->name, y->e->name, min_of(x->e->name_len, y->e->name_len));
	return order ? order : (int)x->e->name_len - (int)y->e->name_len;
}

static void rank(struct found_list *l)
{
	u32 equal = 0;
	u64 code = UINT64_MAX;

	if (l->count)
		qsort(l->item, l->count, sizeof(*l->item), by_code);
	for (u32 k = 0; k < l->count; k++) {
		equal = l->item[k].code == code ? min_of(equal + 1, RANK_MAX) : 0;
		code = l->item[k].code;
		l->item[k].code |= equal;
	}
}

static u8 emit_type(const struct inode *dir, const struct ext4_dirent *e)
{
	return super_has_filetype(&dir->volume->sb) ? e->file_type : EXT4_FT_UNKNOWN;
}

/* False: the receiver is full. */
static bool emit_list(
	struct inode *dir, struct found_list *l, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	rank(l);
	for (u32 k = 0; k < l->count; k++) {
		const struct ext4_dirent *e = l->item[k].e;
		u64 value = l->item[k].code + CODE_BASE;

		if (value < *cookie)
			continue;
		if (!emit(arg, (struct name){e->name, e->name_len}, le32_to_cpu(e->inode),
			    emit_type(dir, e), value + 1))
			return false;
		*cookie = value + 1;
	}
	return true;
}

static bool emit_dots(struct inode *dir, ino_nr parent, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	if (*cookie == 0) {
		if (!emit(arg, (struct name){".", 1}, dir->ino, EXT4_FT_DIR, 1))
			return false;
		*cookie = 1;
	}
	if (*cookie == 1) {
		if (!emit(arg, (struct name){"..", 2}, parent, EXT4_FT_DIR, 2))
			return false;
		*cookie = 2;
	}
	return true;
}

/* Leaves that share a hash are one unit: their names must be ranked together. */
static int next_run(struct inode *dir, struct dx_path *p, struct found_list *l, bool *end)
{
	for (;;) {
		u32 hash;
		int err = collect_block(dir, dx_leaf(p), p->version, l);

		if (!err)
			err = dx_next(dir, p, &hash);
		if (err < 0)
			return err;
		*end = err == 0;
		if (*end || !(hash & 1))
			return 0;
	}
}

static int iterate_indexed(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	struct dx_path p;
	bool end = false, room = true;
	int err = dx_open(dir, &p);

	if (err)
		return err;
	p.hash = *cookie <= CODE_BASE ? 0 : (u32)((*cookie - CODE_BASE) >> 32) << 1;
	err = dx_descend(dir, &p);
	if (err)
		return err;
	while (!err && !end && room) {
		struct found_list l = {0};

		err = next_run(dir, &p, &l, &end);
		if (!err)
			room = emit_list(dir, &l, cookie, emit, arg);
		list_free(&l);
	}
	dx_put(&p);
	return err;
}

static int iterate_one_block(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	struct found_list l = {0};
	u8 version = dx_version(dir, dir->volume->sb.def_hash_version);
	int err = collect_block(dir, 0, version, &l);

	if (!err)
		emit_list(dir, &l, cookie, emit, arg);
	list_free(&l);
	return err;
}

/* How a linear walk tells offsets by cookies. */
struct by_offset {
	u64 base;
	u32 shift;
	bool despite_index;
};

static u64 cookie_at(const struct by_offset *o, u64 offset)
{
	return o->base + (offset >> o->shift);
}

/* Entries of one block at or behind *cookie. False: the receiver is full. */
static bool emit_block(struct inode *dir, const struct by_offset *o, struct buf *b, lblk_t lblk,
	u64 *cookie, dir_emit_fn *emit, void *arg)
{
	u64 base = (u64)lblk * dir_block_size(dir);
	u32 end = leaf_end(dir);

	for (u32 at = 0; at < end;) {
		const struct ext4_dirent *e = (const struct ext4_dirent *)(b->data + at);
		u64 here = cookie_at(o, base + at);

		at += entry_len(dir, e);
		if (here < *cookie || !le32_to_cpu(e->inode))
			continue;
		if (!emit(arg, (struct name){e->name, e->name_len}, le32_to_cpu(e->inode),
			    emit_type(dir, e), cookie_at(o, base + at)))
			return false;
		*cookie = cookie_at(o, base + at);
	}
	return true;
}

/* 1 and its buffer; 0: there is nothing to be had from it; or an error. */
static int open_block(
	struct inode *dir, const struct by_offset *o, lblk_t lblk, struct buf **b, lblk_t *next)
{
	int r;

	*next = lblk + 1;
	if (!o->despite_index) {
		r = dir_block_read(dir, lblk, &dir_leaf_type, b);
		return r ? r : 1;
	}
	r = dir_block_despite_index(dir, lblk, b, next);
	return r == -EUCLEAN || r == -EBADMSG ? 0 : r;
}

static int iterate_by_offset(
	struct inode *dir, const struct by_offset *o, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	u32 bs = dir_block_size(dir);
	lblk_t count = dir_block_count(dir);
	u64 from = ((*cookie - o->base) << o->shift) / bs;
	bool room = true;

	for (lblk_t lblk = (lblk_t)min_of(from, (u64)count), next; room && lblk < count;
		lblk = next) {
		struct buf *b;
		int r = open_block(dir, o, lblk, &b, &next);

		if (r < 0)
			return r;
		if (r > 0) {
			room = emit_block(dir, o, b, lblk, cookie, emit, arg);
			buf_put(b);
		}
		if (room)
			*cookie = cookie_at(o, (u64)next * bs);
	}
	return room && o->despite_index ? dir_unread_despite_index(dir) : 0;
}

static int iterate_linear(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	return iterate_by_offset(dir, &(struct by_offset){0}, cookie, emit, arg);
}

static int iterate_despite_index(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	const struct by_offset o = {DESPITE_BASE, DESPITE_SHIFT, true};

	if (inode_size(dir) >> DESPITE_SHIFT > UINT32_MAX - 0x100)
		return ERR(EUCLEAN); /* its offsets are no cookies */
	if (*cookie < DESPITE_BASE) {
		log_msg(&dir->volume->log, LOG_WARNING,
			"inode %u: the index of this directory is damaged; its names are listed "
			"block by block; run e2fsck",
			dir->ino);
		*cookie = cookie_at(&o, dir_block_size(dir)); /* the first block has no names */
	}
	return iterate_by_offset(dir, &o, cookie, emit, arg);
}

/* The index is judged as a whole before the first name, so that none is given twice. */
static int iterate_hashed(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	int err = *cookie < CODE_BASE ? dx_check(dir) : 0;

	if (err == -EUCLEAN || *cookie >= DESPITE_BASE)
		return iterate_despite_index(dir, cookie, emit, arg);
	return err ? err : iterate_indexed(dir, cookie, emit, arg);
}

static bool by_hash_order(const struct inode *dir)
{
	const struct super_info *sb = &dir->volume->sb;

	if (!super_has_dir_index(sb) || dir->f.flags & EXT4_CASEFOLD_FL ||
		sb->def_hash_version > EXT4_HASH_TEA)
		return false;
	return dir_is_indexed(dir) || dir_block_count(dir) == 1;
}

static int iterate_locked(
	struct inode *dir, ino_nr parent, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	if (dir->f.flags & EXT4_INLINE_DATA_FL)
		return inline_iterate(dir, cookie, emit, arg);
	if (dir_block_count(dir) == 0)
		return dir_corrupt(dir, 0, "the directory is empty of blocks");
	if (!by_hash_order(dir))
		return iterate_linear(dir, cookie, emit, arg);
	if (!emit_dots(dir, parent, cookie, emit, arg))
		return 0;
	if (dir_is_indexed(dir))
		return iterate_hashed(dir, cookie, emit, arg);
	return iterate_one_block(dir, cookie, emit, arg);
}

int dir_iterate(struct inode *dir, u64 *cookie, dir_emit_fn *emit, void *arg)
{
	ino_nr parent = 0;
	int err = volume_check(dir->volume);

	if (!err && dir->f.flags & EXT4_ENCRYPT_FL)
		err = ERR(ENOKEY);
	if (!err && *cookie <= 1) {
		err = dir_parent(dir, &parent);
		if (err == -EUCLEAN && dir_is_indexed(dir)) {
			parent = dir->ino; /* unknown, but the names behind it are not (DR-12) */
			err = 0;
		}
	}
	if (err)
		return err;
	os_rwsem_lock_shared(&dir->lock);
	if (dir->f.links == 0)
		err = -ENOENT;
	else
		err = iterate_locked(dir, parent, cookie, emit, arg);
	os_rwsem_unlock_shared(&dir->lock);
	return err;
}

static bool stop_at_name(void *arg, struct name name, ino_nr ino, u8 type, u64 next_cookie)
{
	*(bool *)arg = name_is_dots(name);
	return name_is_dots(name);
}

/* A damaged directory counts as not empty, also by its index alone (DR-16). */
int dir_check_empty(struct inode *dir)
{
	u64 cookie = 0;
	bool only_dots = true;
	int err = iterate_locked(dir, dir->ino, &cookie, stop_at_name, &only_dots);

	if (cookie >= DESPITE_BASE)
		only_dots = false;
	if (err == -ENOMEM || err == -EIO)
		return err;
	return err == 0 && only_dots ? 0 : ERR(ENOTEMPTY);
}
