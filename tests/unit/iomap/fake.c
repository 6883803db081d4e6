#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "dev/devices.h"
#include "os/atomic.h"

static struct fake *fake_of(struct iofile *io)
{
	return container_of(io, struct fake, io);
}

static u8 *device_at(struct fake *f, u32 device_block)
{
	return (u8 *)dev_mem_data(f->memory) + (u64)device_block * f->o.block_size;
}

static u32 block_take(struct fake *f)
{
	for (u32 k = 0; k < f->o.device_blocks; k++) {
		u32 b = (f->next + k) % f->o.device_blocks;

		if (f->used[b])
			continue;
		f->used[b] = true;
		f->next = b + 1;
		memset(device_at(f, b), POISON, f->o.block_size);
		return b;
	}
	abort();
}

static bool joins(const struct fake *f, u64 first, u64 next)
{
	const struct fake_block *a = &f->map[first], *b = &f->map[next];

	if (f->o.one_block || a->state != b->state)
		return false;
	return a->state < FAKE_UNWRITTEN || b->device_block == a->device_block + (next - first);
}

/* The mapping at pos, from its own first block on. */
static void map_report(struct fake *f, u64 pos, struct iomap *m)
{
	static const enum iomap_type types[] = {
		IOMAP_HOLE, IOMAP_DELALLOC, IOMAP_UNWRITTEN, IOMAP_MAPPED};
	u64 first = pos / f->o.block_size, end = first + 1;

	assert_true(first < f->o.file_blocks);
	while (end < f->o.file_blocks && joins(f, first, end))
		end++;
	*m = (struct iomap){.offset = first * f->o.block_size,
		.length = (end - first) * f->o.block_size,
		.addr = (u64)f->map[first].device_block * f->o.block_size,
		.type = types[f->map[first].state],
		.cookie = atomic_load_acq(&f->cookie)};
}

static int read_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *m)
{
	struct fake *f = fake_of(io);

	os_mutex_lock(&f->map_lock);
	map_report(f, pos, m);
	os_mutex_unlock(&f->map_lock);
	return 0;
}

/* Blocks of one state at pos get the state of written (or reserved) data. */
static void allocate(struct fake *f, u64 pos, u64 len, struct iomap *m, enum fake_state to)
{
	u64 first = pos / f->o.block_size, end = div_up(pos + len, f->o.block_size), k = first;
	enum fake_state from = f->map[first].state;
	bool take = from < FAKE_UNWRITTEN && to >= FAKE_UNWRITTEN;

	do {
		if (take)
			f->map[k].device_block = block_take(f);
		f->map[k].state = to;
		if (k > first && !joins(f, k - 1, k)) { /* the next mapping's */
			if (take)
				f->used[f->map[k].device_block] = false;
			f->map[k].state = from;
			break;
		}
	} while (++k < end && f->map[k].state == from);
	end = k; /* the caller takes all of it for new */
	atomic_add(&f->cookie, 1);
	map_report(f, pos, m);
	end = min_of(end * f->o.block_size, m->offset + m->length);
	m->length = end - m->offset;
}

static int write_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *m)
{
	struct fake *f = fake_of(io);
	enum fake_state state;

	os_mutex_lock(&f->map_lock);
	state = f->map[pos / f->o.block_size].state;
	if (request & IOMAP_ZERO || state == FAKE_WRITTEN || state == FAKE_DELAYED) {
		map_report(f, pos, m);
	} else if (f->o.delayed && state == FAKE_HOLE) {
		allocate(f, pos, len, m, FAKE_DELAYED);
		m->flags |= IOMAP_NEW;
	} else {
		allocate(f, pos, len, m, FAKE_WRITTEN);
		m->flags |= IOMAP_NEW;
	}
	os_mutex_unlock(&f->map_lock);
	if (f->on_begin && m->flags & IOMAP_NEW)
		f->on_begin(f, pos, len);
	return 0;
}

static void blocks_free(struct fake *f, u64 from)
{
	os_mutex_lock(&f->map_lock);
	for (u64 k = from; k < f->o.file_blocks; k++) {
		if (f->map[k].state >= FAKE_UNWRITTEN) {
			memset(device_at(f, f->map[k].device_block), POISON, f->o.block_size);
			f->used[f->map[k].device_block] = false;
		}
		f->map[k] = (struct fake_block){0};
	}
	atomic_add(&f->cookie, 1);
	os_mutex_unlock(&f->map_lock);
}

static int write_end(struct iofile *io, u64 pos, u64 len, s64 done, u32 request, struct iomap *m)
{
	struct fake *f = fake_of(io);
	u64 size = atomic_load_acq(&f->size);

	if (request & IOMAP_ZERO)
		return 0;
	if (f->on_end)
		f->on_end(f);
	if (done > 0 && pos + (u64)done > size)
		atomic_store_rel(&f->size, pos + (u64)done);
	else if (done <= 0 && pos + len > size)
		blocks_free(f, div_up(size, f->o.block_size));
	return 0;
}

static int writeback_begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *m)
{
	struct fake *f = fake_of(io);
	int err = f->on_place ? f->on_place(f) : 0;

	if (err)
		return err;
	os_mutex_lock(&f->map_lock);
	if (f->map[pos / f->o.block_size].state == FAKE_DELAYED)
		allocate(f, pos, len, m, FAKE_WRITTEN);
	else
		map_report(f, pos, m);
	os_mutex_unlock(&f->map_lock);
	return 0;
}

static bool writeback_retry(struct iofile *io, int err, unsigned *attempts)
{
	struct fake *f = fake_of(io);

	if (f->on_retry)
		f->on_retry(f);
	return f->on_retry != NULL;
}

static u64 io_cookie(struct iofile *io)
{
	return atomic_load_acq(&fake_of(io)->cookie);
}

static u64 io_size(struct iofile *io)
{
	struct fake *f = fake_of(io);

	return f->on_size ? f->on_size(f) : atomic_load_acq(&f->size);
}

static bool io_get(struct iofile *io)
{
	return !atomic_load_acq(&fake_of(io)->dying);
}

static void io_put(struct iofile *io)
{
}

static void io_lock_fill(struct iofile *io)
{
	os_rwsem_lock_shared(&fake_of(io)->invalidate);
}

static void io_unlock_fill(struct iofile *io)
{
	os_rwsem_unlock_shared(&fake_of(io)->invalidate);
}

static const struct iomap_ops read_ops = {.begin = read_begin};
static const struct iomap_ops write_ops = {.begin = write_begin, .end = write_end};
static const struct iomap_ops writeback_ops = {.begin = writeback_begin};
static const struct iofile_ops fake_ops = {
	.read = &read_ops,
	.write = &write_ops,
	.writeback = &writeback_ops,
	.writeback_retry = writeback_retry,
	.cookie = io_cookie,
	.size = io_size,
	.get = io_get,
	.put = io_put,
	.lock_fill = io_lock_fill,
	.unlock_fill = io_unlock_fill,
};

void fake_init(struct fake *f, const struct fake_options *o)
{
	struct page_cache_params p = {
		.block_size = o->block_size, .max_bytes = o->max_bytes, .expire_ms = o->expire_ms};

	*f = (struct fake){.o = *o};
	os_rwsem_init(&f->lock, RANK_INODE, "fake inode");
	os_rwsem_init(&f->invalidate, RANK_INVALIDATE, "fake invalidate");
	os_mutex_init(&f->map_lock, RANK_FILEMAP, "fake map");
	f->map = calloc(o->file_blocks, sizeof(*f->map));
	f->used = calloc(o->device_blocks, sizeof(*f->used));
	assert_int_equal(dev_mem_create((u64)o->device_blocks * o->block_size, 512, &f->memory), 0);
	memset(dev_mem_data(f->memory), POISON, (size_t)o->device_blocks * o->block_size);
	f->dev = f->memory;
	if (o->fault)
		assert_int_equal(dev_fault_create(f->memory, true, &f->dev), 0);
	p.dev = f->dev;
	assert_int_equal(page_cache_create(&p, &f->pages), 0);
	iofile_init(&f->io, f->pages, &fake_ops);
}

void fake_fini(struct fake *f)
{
	atomic_store_rel(&f->dying, true);
	page_cache_quiesce(f->pages);
	page_cache_resume(f->pages);
	/* The flusher may be at the file: with get refused, one more round lets go of it. */
	assert_true(page_cache_sync(f->pages) <= 0);
	iofile_fini(&f->io);
	page_cache_destroy(f->pages);
	if (f->dev != f->memory)
		dev_close(f->dev);
	dev_close(f->memory);
	free(f->map);
	free(f->used);
}

int fake_zero(struct fake *f, u64 pos, u64 len)
{
	int err;

	os_rwsem_lock(&f->lock);
	err = iofile_zero(&f->io, pos, len, &write_ops);
	os_rwsem_unlock(&f->lock);
	return err;
}

static int zero_tail(struct fake *f, u64 size)
{
	u64 rest = size % f->o.block_size;

	return rest ? iofile_zero(&f->io, size, f->o.block_size - rest, &write_ops) : 0;
}

ssize_t fake_write(struct fake *f, u64 pos, const void *data, u64 len)
{
	struct iovec iov = {(void *)data, len};
	ssize_t n = 0;

	os_rwsem_lock(&f->lock);
	if (pos > f->size)
		n = zero_tail(f, f->size);
	if (!n)
		n = iofile_write(&f->io, pos, &iov, 1);
	os_rwsem_unlock(&f->lock);
	return n;
}

ssize_t fake_read(struct fake *f, u64 pos, void *data, u64 len)
{
	struct iovec iov[2] = {{data, len / 3}, {(u8 *)data + len / 3, len - len / 3}};

	return iofile_read(&f->io, pos, iov, 2, false);
}

int fake_truncate(struct fake *f, u64 size)
{
	u64 old;
	int err;

	os_rwsem_lock(&f->lock);
	old = atomic_load_acq(&f->size);
	err = zero_tail(f, min_of(size, old));
	if (!err && size >= old) {
		atomic_store_rel(&f->size, size);
	} else if (!err) {
		os_rwsem_lock(&f->invalidate);
		atomic_store_rel(&f->size, size);
		iofile_drop_range(&f->io, size, UINT64_MAX);
		blocks_free(f, div_up(size, f->o.block_size));
		os_rwsem_unlock(&f->invalidate);
	}
	os_rwsem_unlock(&f->lock);
	return err;
}

void fake_reserve(struct fake *f, u64 pos, u64 len)
{
	os_rwsem_lock(&f->lock);
	os_mutex_lock(&f->map_lock);
	for (u64 k = pos / f->o.block_size; k < div_up(pos + len, f->o.block_size); k++)
		if (f->map[k].state == FAKE_HOLE)
			f->map[k] = (struct fake_block){FAKE_UNWRITTEN, block_take(f)};
	atomic_add(&f->cookie, 1);
	os_mutex_unlock(&f->map_lock);
	os_rwsem_unlock(&f->lock);
}

int fake_sync(struct fake *f)
{
	return iofile_write_range(&f->io, 0, UINT64_MAX, true);
}

void fake_device_read(struct fake *f, u8 *out, u64 len)
{
	u32 bs = f->o.block_size;

	for (u64 k = 0; k * bs < len; k++) {
		u64 n = min_of((u64)bs, len - k * bs);

		if (f->map[k].state == FAKE_WRITTEN)
			memcpy(out + k * bs, device_at(f, f->map[k].device_block), n);
		else
			memset(out + k * bs, 0, n);
	}
}
