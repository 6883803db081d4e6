/* The contents of one directory: blocks, entries, names. */
#include "base/err.h"
#include "base/hash.h"
#include "base/util.h"
#include "check/check_priv.h"
#include "disk/dirent.h"
#include "os/atomic.h"
#include "os/mem.h"

#include <string.h>

enum { TABLE_MIN = 256, TOLD_MAX = 16 };

/* A directory on its way through the checks. */
struct dir_walk {
	struct scratch *s;
	struct check *c;
	struct dir *d;
	lblk_t at;    /* block */
	u32 dots;     /* of "." and ".." how many were seen */
	bool indexed; /* it has an index that can be followed */
	bool hashed;  /* and hashes that can be computed */
	u32 levels;
	u8 hash;
	u32 told;
};

#define tell_by(how, w, ...)                                                                       \
	do {                                                                                       \
		if ((w)->told++ < TOLD_MAX)                                                        \
			how((w)->c, CHECK_DIR, (w)->d->ino, 0, __VA_ARGS__);                       \
	} while (0)
#define tell(w, ...) tell_by(check_found, w, __VA_ARGS__)

#define NAME(e) (e)->name_len, (e)->name

struct dir *check_find_dir(struct check *c, ino_nr ino)
{
	u32 low = 0, high = c->dir_count;

	while (low < high) {
		u32 mid = low + (high - low) / 2;

		if (c->dirs[mid].ino == ino)
			return &c->dirs[mid];
		if (c->dirs[mid].ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* --- equal names --- */

static u64 name_hash(const struct ext4_dirent *e)
{
	u64 h = e->name_len, word;

	for (u32 at = 0; at < e->name_len; at += sizeof(word)) {
		word = 0;
		memcpy(&word, e->name + at, min_of(sizeof(word), (size_t)e->name_len - at));
		h = hash_u64(h ^ word) + at;
	}
	return h ? h : 1;
}

static u64 *name_slot(const struct scratch *s, u64 h)
{
	u32 at = (u32)h & (s->table_size - 1);

	while (s->table[at] && s->table[at] != h)
		at = (at + 1) & (s->table_size - 1);
	return &s->table[at];
}

/* An empty table of `size` slots; what it held before goes to *old for the caller to free. */
static int table_resize(struct scratch *s, u32 size, u64 **old)
{
	u64 *table;

	*old = s->table;
	if (size <= s->table_max) {
		*old = NULL;
		s->table_size = size;
		memset(s->table, 0, size * sizeof(*table));
		return 0;
	}
	table = check_alloc(s->c, size, sizeof(*table));
	if (!table)
		return ERR(ENOMEM);
	s->table = table;
	s->table_size = s->table_max = size;
	return 0;
}

static int names_begin(struct scratch *s)
{
	u64 *old;
	int err = table_resize(s, TABLE_MIN, &old);

	if (!err)
		os_free(old);
	s->name_count = 0;
	return err;
}

static int names_grow(struct scratch *s)
{
	u32 size = s->table_size;
	u64 *from = s->table, *copy = NULL, *old;
	int err;

	if (s->name_count < size / 2)
		return 0;
	if (size * 2 <= s->table_max) { /* it grows where it is */
		copy = os_alloc(size * sizeof(*copy));
		if (!copy)
			return ERR(ENOMEM);
		memcpy(copy, from, size * sizeof(*copy));
		from = copy;
	}
	err = table_resize(s, size * 2, &old);
	for (u32 k = 0; !err && k < size; k++)
		if (from[k])
			*name_slot(s, from[k]) = from[k];
	os_free(copy);
	if (!err)
		os_free(old);
	return err;
}

static void take_name(struct dir_walk *w, const struct ext4_dirent *e)
{
	struct scratch *s = w->s;
	u64 h = name_hash(e), *slot;

	if (names_grow(s)) {
		check_stop(w->c, ERR(ENOMEM));
		return;
	}
	slot = name_slot(s, h);
	if (*slot)
		tell(w, "it has the name %.*s twice", NAME(e));
	else
		s->name_count++;
	*slot = h;
}

/* --- entries --- */

static bool is_name(const struct ext4_dirent *e, const char *name)
{
	return e->name_len == strlen(name) && memcmp(e->name, name, e->name_len) == 0;
}

static bool is_dots(const struct ext4_dirent *e)
{
	return is_name(e, ".") || is_name(e, "..");
}

static bool in_range(const struct dir_walk *w, ino_nr ino)
{
	return ino && ino <= w->c->sb.inodes_count;
}

static void check_type(struct dir_walk *w, const struct ext4_dirent *e)
{
	const struct fact *f = &w->c->facts[le32_to_cpu(e->inode) - 1];
	u8 expected = super_has_filetype(&w->c->sb) ? f->type : EXT4_FT_UNKNOWN;

	if (f->flags & FACT_USED && !(f->flags & FACT_BAD) && e->file_type != expected)
		tell(w, "the entry %.*s says type %u, and inode %u is of type %u", NAME(e),
			e->file_type, le32_to_cpu(e->inode), expected);
}

static void name_dir(struct dir_walk *w, const struct ext4_dirent *e)
{
	struct dir *child = check_find_dir(w->c, le32_to_cpu(e->inode));
	ino_nr none = 0;

	if (child && !atomic_cas(&child->named, &none, w->d->ino))
		tell(w, "the entry %.*s is a second name of directory %u", NAME(e), child->ino);
}

static void count_name(struct dir_walk *w, ino_nr ino)
{
	atomic_add_relaxed(&w->c->facts[ino - 1].found, 1);
}

static void check_target(struct dir_walk *w, const struct ext4_dirent *e)
{
	ino_nr ino = le32_to_cpu(e->inode);
	const struct fact *f = &w->c->facts[ino - 1];

	if (ino == EXT4_ROOT_INO || ino == w->d->ino) {
		tell(w, "the entry %.*s leads to %s", NAME(e),
			ino == EXT4_ROOT_INO ? "the root" : "its own directory");
	} else if (check_is_hidden(w->c, ino) || f->flags & FACT_VALUE) {
		tell(w, "the entry %.*s leads to the reserved inode %u", NAME(e), ino);
	} else if (!(f->flags & FACT_USED)) {
		tell_by(check_compared, w, "the entry %.*s leads to the unused inode %u", NAME(e),
			ino);
	} else {
		count_name(w, ino);
		check_type(w, e);
		if (f->type == EXT4_FT_DIR)
			name_dir(w, e);
	}
}

static void check_entry(struct dir_walk *w, const struct ext4_dirent *e)
{
	bool bad_char = memchr(e->name, 0, e->name_len) || memchr(e->name, '/', e->name_len);

	if (!in_range(w, le32_to_cpu(e->inode))) {
		tell(w, "the entry %.*s leads to inode %u, which can't be", NAME(e),
			le32_to_cpu(e->inode));
		return;
	}
	if (!e->name_len || (bad_char && !(w->d->flags & EXT4_ENCRYPT_FL)))
		tell(w, "in block %u, an entry of inode %u has an impossible name", w->at,
			le32_to_cpu(e->inode));
	if (is_dots(e))
		tell(w, "in block %u, there is another %.*s", w->at, NAME(e));
	check_target(w, e);
	take_name(w, e);
	if (w->indexed && w->hashed)
		dx_take_name(w->s, w->at, w->hash, e);
}

/* "." or "..", in their places. */
static void check_dots(struct dir_walk *w, const struct ext4_dirent *e)
{
	ino_nr ino = le32_to_cpu(e->inode);

	if (w->dots == 0 && ino != w->d->ino)
		tell(w, "its \".\" leads to inode %u", ino);
	if (w->dots == 0 && dirent_rec_len(e, w->c->sb.block_size) != EXT4_DIRENT_MIN)
		tell(w, "the entry \".\" is too large");
	if (e->name[e->name_len] != '\0')
		tell(w, "the entry \"%.*s\" has something behind its name", NAME(e));
	if (!in_range(w, ino)) {
		tell(w, "the entry \"%.*s\" leads to inode %u, which can't be", NAME(e), ino);
		return;
	}
	if (w->dots == 1)
		w->d->parent = ino;
	count_name(w, ino);
	check_type(w, e);
}

static void take_entry(struct dir_walk *w, const struct ext4_dirent *e, u32 nth)
{
	const char *expected = nth == 0 ? "." : "..";

	if (w->at == 0 && nth < 2 && !w->d->inline_data) {
		if (e->inode.raw && is_name(e, expected))
			check_dots(w, e);
		else
			tell(w, "its entry \"%s\" is missing", expected);
		w->dots++;
		if (e->inode.raw && is_name(e, expected))
			return;
	}
	if (e->inode.raw)
		check_entry(w, e);
}

static const char *check_shape(struct dir_walk *w, const struct ext4_dirent *e, u32 left)
{
	u32 len;

	if (left < EXT4_DIRENT_MIN)
		return "an entry does not fit";
	len = dirent_rec_len(e, w->c->sb.block_size);
	if (len < EXT4_DIRENT_MIN || len % 4 || len > left)
		return "an entry has an impossible length";
	if (len < dirent_need(e->name_len))
		return "an entry is too short for its name";
	return len < left && left - len < EXT4_DIRENT_MIN ? "an entry leaves too little" : NULL;
}

static void check_region(struct dir_walk *w, const u8 *region, u32 size)
{
	u32 nth = 0;

	for (u32 at = 0; at < size; nth++) {
		const struct ext4_dirent *e = (const void *)(region + at);
		const char *why = check_shape(w, e, size - at);

		if (why) {
			tell(w, "block %u, byte %u: %s", w->at, at, why);
			return;
		}
		take_entry(w, e, nth);
		at += dirent_rec_len(e, w->c->sb.block_size);
	}
}

/* --- blocks --- */

static void check_leaf(struct dir_walk *w, const u8 *block)
{
	if (!dir_leaf_csum_verify(&w->c->sb, w->d->seed, block))
		tell(w, "block %u: wrong checksum", w->at);
	check_region(w, block, dir_leaf_size(&w->c->sb));
}

static void check_index_block(struct dir_walk *w, const u8 *block, u32 offset)
{
	if (!dx_csum_verify(&w->c->sb, w->d->seed, block, offset))
		tell(w, "block %u of its index: wrong checksum", w->at);
}

static void check_block(struct dir_walk *w, const u8 *block)
{
	bool flagged = w->d->flags & EXT4_INDEX_FL && super_has_dir_index(&w->c->sb);

	if (w->at == 0 && flagged) {
		w->indexed = dx_take_root(w->s, w->d, block, &w->levels, &w->hash);
		if (w->indexed)
			check_index_block(w, block, EXT4_DX_ROOT_COUNT_OFFSET);
		check_region(w, block, w->c->sb.block_size);
	} else if (w->indexed && dx_take_node(w->s, w->d, w->at, block, w->levels)) {
		check_index_block(w, block, EXT4_DX_NODE_COUNT_OFFSET);
	} else {
		check_leaf(w, block);
	}
}

static void check_run(struct dir_walk *w, const struct run *r)
{
	u32 bs = w->c->sb.block_size;

	for (u32 done = 0; done < r->len;) {
		u32 n = min_of(r->len - done, w->s->window_blocks);
		bool failed = check_read(w->c, r->pblk + done, n, w->s->window, w->d->ino);

		for (u32 k = 0; k < n && !failed; k++) {
			w->at = r->lblk + done + k;
			check_block(w, w->s->window + (size_t)k * bs);
		}
		done += n;
	}
}

static u32 count_blocks(struct dir_walk *w)
{
	u32 next = 0;

	for (u32 k = 0; k < w->d->run_count; k++) {
		const struct run *r = &w->c->runs[w->d->first_run + k];

		if (r->lblk != next) {
			tell(w, "its block %u is missing", next);
			return 0;
		}
		next += r->len;
	}
	return next;
}

/* Without "." and "..": the parent, then the entries, in the inode and in an attribute. */
static void check_inline(struct dir_walk *w)
{
	const struct ext4_inode_disk *raw = (const void *)w->d->inline_data;
	struct le32 parent;
	const u8 *value;
	u32 size;

	memcpy(&parent, raw->i_block, sizeof(parent));
	w->d->parent = le32_to_cpu(parent);
	count_name(w, w->d->ino);
	if (in_range(w, w->d->parent))
		count_name(w, w->d->parent);
	check_region(w, raw->i_block + 4, EXT4_I_BLOCK_BYTES - 4);
	if (check_inline_data(&w->c->sb, raw, le16_to_cpu(raw->i_extra_isize), &value, &size))
		check_region(w, value, size);
}

void check_dir(struct scratch *s, u32 index)
{
	struct check *c = s->c;
	struct dir *d = &c->dirs[index];
	struct dir_walk w = {.s = s, .c = c, .d = d};
	u32 blocks;

	if (names_begin(s)) {
		check_stop(c, ERR(ENOMEM));
		return;
	}
	if (d->inline_data) {
		check_inline(&w);
		return;
	}
	blocks = count_blocks(&w);
	w.hashed = !(d->flags & (EXT4_ENCRYPT_FL | EXT4_CASEFOLD_FL));
	if (d->flags & EXT4_INDEX_FL && dx_begin(s, blocks)) {
		check_stop(c, ERR(ENOMEM));
		return;
	}
	for (u32 k = 0; k < d->run_count; k++)
		check_run(&w, &c->runs[d->first_run + k]);
	if (w.dots < 2)
		tell_by(check_compared, &w, "its entries \".\" and \"..\" are missing");
	if (w.indexed)
		dx_check_tree(s, d, w.levels, w.hashed);
}
