#include "direct_room.h"

#include "dev/devices.h"
#include "os/atomic.h"

static const struct fake_options shape = {.block_size = BS,
	.max_bytes = 1 << 20,
	.expire_ms = 1000000,
	.file_blocks = BLOCKS,
	.device_blocks = 4 * BLOCKS,
	.fault = true};

u64 stop_at;
int written_err;
unsigned written_calls;

u8 *block_data(struct fake *f, u64 k)
{
	return (u8 *)dev_mem_data(f->memory) + (u64)f->map[k].device_block * BS;
}

void place(struct fake *f, u64 k, enum fake_state state)
{
	u32 at = f->o.device_blocks - 1 - 2 * (u32)k;

	while (f->used[at])
		at = (at + 1) % f->o.device_blocks;
	f->map[k] = (struct fake_block){state, at};
	f->used[at] = true;
	memset(block_data(f, k), state == FAKE_WRITTEN ? (int)(k % 100) : (int)POISON, BS);
	atomic_add(&f->cookie, 1);
}

static int begin(struct iofile *io, u64 pos, u64 len, u32 request, struct iomap *m)
{
	struct fake *f = container_of(io, struct fake, io);
	static const enum iomap_type types[] = {
		IOMAP_HOLE, IOMAP_DELALLOC, IOMAP_UNWRITTEN, IOMAP_MAPPED};
	u64 k = pos / BS;

	assert_true(request & IOMAP_DIRECT);
	assert_non_null(m->priv);
	if (stop_at && pos >= stop_at)
		return -ENOTBLK;
	if (request & IOMAP_WRITE && f->map[k].state == FAKE_HOLE)
		place(f, k, FAKE_UNWRITTEN);
	*m = (struct iomap){.offset = k * BS,
		.length = BS,
		.addr = (u64)f->map[k].device_block * BS,
		.type = types[f->map[k].state],
		.cookie = atomic_load_acq(&f->cookie)};
	return 0;
}

static int written(struct direct_io *d, u64 bytes, int err)
{
	struct fake *f = container_of(d->io, struct fake, io);

	written_calls++;
	if (err)
		return 0;
	if (written_err)
		return written_err;
	for (u64 k = d->pos / BS; k < div_up(d->pos + bytes, BS); k++)
		f->map[k].state = FAKE_WRITTEN;
	atomic_add(&f->cookie, 1);
	if (d->pos + bytes > f->size)
		atomic_store_rel(&f->size, d->pos + bytes);
	return 0;
}

static const struct direct_ops ops = {.map = {.begin = begin}, .written = written};

ssize_t transfer(struct fake *f, u32 request, u64 pos, const struct iovec *iov, unsigned count)
{
	struct direct_io d = {.io = &f->io,
		.ops = &ops,
		.pos = pos,
		.iov = iov,
		.iov_count = count,
		.request = request};
	struct direct_sync s;
	ssize_t n;

	for (unsigned k = 0; k < count; k++)
		d.len += iov[k].iov_len;
	direct_sync_init(&s, f->dev);
	os_rwsem_lock(&f->lock);
	if (direct_start(&d, &s.batch))
		direct_sync_wait(&s);
	else
		assert_int_equal(s.batch.count, 0);
	n = direct_finish(&d);
	os_rwsem_unlock(&f->lock);
	return n;
}

ssize_t direct_write(struct fake *f, u64 pos, void *data, u64 len)
{
	return transfer(f, IOMAP_WRITE, pos, &(struct iovec){data, len}, 1);
}

ssize_t direct_read(struct fake *f, u64 pos, void *data, u64 len)
{
	return transfer(f, 0, pos, &(struct iovec){data, len}, 1);
}

struct room *room_up(void)
{
	struct room *r = aligned_alloc(4096, round_up_to(sizeof(*r), 4096));

	memset(r, 0, sizeof(*r));
	fake_init(&r->f, &shape);
	stop_at = 0;
	written_err = 0;
	written_calls = 0;
	return r;
}

void room_down(struct room *r)
{
	fake_fini(&r->f);
	free(r);
}

void expect(const u8 *p, u64 len, u8 value)
{
	for (u64 k = 0; k < len; k++)
		if (p[k] != value)
			fail_msg("byte %llu is %02x, not %02x", (unsigned long long)k, p[k], value);
}
