/*
 * The iomap ops tables of regular files: what a read and a buffered write
 * need to know of the file map.
 *
 * In an extent file a buffered write opens no handle while it copies: a hole
 * is made delayed, or unwritten where space is short or by option; found
 * unwritten blocks count as new (IO-66). The size that readers see grows with
 * the bytes; the rest is writeback's (file_writeback.c).
 *
 * An indirect file has no unwritten blocks. The write allocates in a handle
 * that begin() opens and end() closes (i->write_handle; the inode lock is
 * exclusive): written blocks, ordered before the commit (JB-20).
 */
#include "base/err.h"
#include "base/mutant.h"
#include "base/trace.h"
#include "fs/fs_priv.h"
#include "os/assert.h"

/* One handle covers at most this much: keeps transactions small and the copy interruptible. */
#define WRITE_BYTES_MAX (4u << 20)

void iomap_from_mapping(const struct inode *i, const struct mapping *m, struct iomap *out)
{
	u32 bs = i->volume->sb.block_size;
	static const enum iomap_type types[] = {
		[MAP_HOLE] = IOMAP_HOLE,
		[MAP_DELAYED] = IOMAP_DELALLOC,
		[MAP_UNWRITTEN] = IOMAP_UNWRITTEN,
		[MAP_WRITTEN] = IOMAP_MAPPED,
	};

	*out = (struct iomap){.offset = (u64)m->lblk * bs,
		.length = (u64)m->len * bs,
		.addr = m->state >= MAP_UNWRITTEN ? m->pblk * bs : 0,
		.type = MUTANT(UNWRITTEN_READ) && m->state == MAP_UNWRITTEN ? IOMAP_MAPPED
									    : types[m->state],
		.flags = (m->fresh ? IOMAP_NEW : 0) | (i->map.extents ? 0 : IOMAP_MERGED),
		.cookie = m->cookie};
}

static lblk_t block_at(const struct inode *i, u64 pos)
{
	return (lblk_t)(pos / i->volume->sb.block_size);
}

/* Blocks touched by [pos, pos+len). */
static u32 blocks_in(const struct inode *i, u64 pos, u64 len)
{
	u32 bs = i->volume->sb.block_size;
	u64 n = div_up(pos + len, bs) - pos / bs;

	return (u32)min_of(n, (u64)LBLK_MAX - block_at(i, pos) + 1);
}

int file_lookup_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *map)
{
	struct inode *i = inode_of_io(io);
	struct mapping m;
	int err = map_lookup(&i->map, block_at(i, pos), blocks_in(i, pos, len), &m);

	if (!err)
		iomap_from_mapping(i, &m, map);
	return err;
}

const struct iomap_ops file_read_ops = {.begin = file_lookup_begin};

static bool extends(const struct inode *i, u64 pos, u64 len)
{
	return pos + len > inode_size(i);
}

static u32 write_credits(const struct inode *i, u32 blocks)
{
	return map_create_credits(&i->map, blocks) + FILE_GROW_CREDITS + ORPHAN_CREDITS;
}

/* Opens i->write_handle with blocks at pos allocated in it, trying anew where a commit frees some.
 */
static int write_allocate(struct inode *i, u64 pos, u64 len, u32 create_flags, struct mapping *m)
{
	u32 blocks = blocks_in(i, pos, len), credits = write_credits(i, blocks);
	struct handle *h = &i->write_handle;
	unsigned attempts = 0;
	int err, stop_err;

	do {
		err = handle_start(i->volume->journal, h, credits, 0);
		if (err)
			return err;
		err = map_create(h, &i->map, block_at(i, pos), blocks, create_flags, m);
		if (!err)
			return 0;
		stop_err = handle_stop(h);
		if (stop_err)
			return stop_err;
	} while (err == -ENOSPC && space_retry(i->volume, &attempts));
	return err;
}

static int write_begin_handle(struct inode *i, u64 pos, u64 len, struct iomap *map)
{
	struct mapping m;
	int err = write_allocate(i, pos, len, 0, &m);

	if (err)
		return err;
	iomap_from_mapping(i, &m, map);
	map->priv = &i->write_handle;
	return 0;
}

/*
 * IO-71: promised now, placed by writeback. Near the end of space, where the tree blocks that
 * writeback will need begin to count, the place is found at once.
 */
static int take_hole(struct inode *i, u64 pos, struct mapping *m)
{
	u32 flags = atomic_load_relaxed(&i->map.alloc_flags) & SPACE_ROOT;
	int err = ERR(ENOSPC);

	if ((!volume_fs(i->volume)->options.nodelalloc || MUTANT(DELAYED_ANYWAY)) &&
		(space_roomy(i->volume, m->len, flags) || MUTANT(DELAYED_NOT_COUNTED)))
		err = inode_delay(i, m->lblk, m->len);
	if (!err) {
		m->state = MAP_DELAYED;
		m->fresh = true;
		m->cookie = atomic_load_acq(&i->map.cookie);
	}
	if (err != -ENOSPC)
		return err;
	err = write_allocate(
		i, pos, (u64)m->len * i->volume->sb.block_size, MAP_CREATE_UNWRITTEN, m);
	return err ? err : handle_end(&i->write_handle, 0);
}

static int extent_write_begin(struct inode *i, u64 pos, u64 len, struct iomap *map)
{
	struct mapping m;
	int err = map_lookup(&i->map, block_at(i, pos), blocks_in(i, pos, len), &m);

	if (!err && m.state == MAP_HOLE)
		err = take_hole(i, pos, &m);
	if (!err)
		iomap_from_mapping(i, &m, map);
	return err;
}

/* IO-33: what this write took and then did not fill is given back. */
static int extent_write_end(struct inode *i, u64 pos, u64 tried, s64 done, const struct iomap *map)
{
	u64 from = done > 0 ? round_up_to(pos + (u64)done, i->volume->sb.block_size) : pos;
	u64 end = map->offset + map->length;

	if (done >= (s64)tried || !(map->flags & IOMAP_NEW) || MUTANT(SHORT_COPY_KEPT))
		return 0;
	if (map->type == IOMAP_DELALLOC) {
		inode_undelay(i, block_at(i, from), block_at(i, end));
		return 0;
	}
	return end > inode_size(i) ? inode_truncate_blocks(i) : 0;
}

/* A plain overwrite of written blocks needs no handle at all. */
static int write_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *map)
{
	struct inode *i = inode_of_io(io);
	struct mapping m;
	int err;

	ASSERT(os_rwsem_held(&i->lock));
	len = min_of(len, WRITE_BYTES_MAX);
	if (request & IOMAP_ZERO)
		return file_lookup_begin(io, pos, len, request, map);
	if (i->map.extents)
		return extent_write_begin(i, pos, len, map);
	if (!extends(i, pos, len)) {
		err = map_lookup(&i->map, block_at(i, pos), blocks_in(i, pos, len), &m);
		if (err)
			return err;
		if (m.state == MAP_WRITTEN) {
			iomap_from_mapping(i, &m, map);
			return 0;
		}
	}
	return write_begin_handle(i, pos, len, map);
}

/* New blocks hold data, or zeros where the copy ended early (IO-65), before the commit shows them.
 */
static int order_new(struct handle *h, struct inode *i, u64 pos, u64 len, const struct iomap *map)
{
	u32 bs = i->volume->sb.block_size;

	if (!(map->flags & IOMAP_NEW))
		return 0;
	return journal_order_data(h, &i->ordered, max_of(map->offset, round_down_to(pos, bs)),
		min_of(map->offset + map->length, round_up_to(pos + len, bs)));
}

/* IO-33: blocks allocated past the end that got no data are cut off; the record makes a crash
 * harmless. */
static int write_failed(
	struct handle *h, struct inode *i, u64 pos, u64 len, const struct iomap *map)
{
	int err = order_new(h, i, pos, len, map);

	if (!err && extends(i, pos, len))
		err = orphan_add(h, i);
	err = handle_end(h, err);
	if (!err && extends(i, pos, len))
		err = inode_truncate_blocks(i);
	return err;
}

static int write_finish(
	struct handle *h, struct inode *i, u64 pos, u64 tried, u64 done, const struct iomap *map)
{
	int err = order_new(h, i, pos, tried, map);

	if (!err && pos + done > inode_size(i))
		err = file_order_tail(h, i, inode_size(i));
	if (!err && pos + done > inode_size(i))
		err = file_grow(h, i, pos + done);
	return handle_end(h, err);
}

static int write_end(struct iofile *io, u64 pos, u64 len, s64 done, u32 request, struct iomap *map)
{
	struct inode *i = inode_of_io(io);
	struct handle *h = map->priv;
	u64 mapped_end = map->offset + map->length;
	u64 tried = min_of(len, mapped_end - pos);
	bool cut_short = done < (s64)tried && map->flags & IOMAP_NEW;
	int err = 0;

	TRACE("write_end", i->ino, pos);
	if (request & IOMAP_ZERO)
		return 0;
	if (i->map.extents)
		return extent_write_end(i, pos, tried, done, map);
	if (!h)
		return 0;
	if (done <= 0)
		return write_failed(h, i, pos, tried, map);
	err = write_finish(h, i, pos, tried, (u64)done, map);
	if (!err && cut_short && mapped_end > inode_size(i))
		err = inode_truncate_blocks(i);
	return err;
}

const struct iomap_ops file_write_ops = {.begin = write_begin, .end = write_end};
