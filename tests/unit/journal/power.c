#include "power.h"

#include <stdlib.h>
#include <string.h>

#define BYTES ((size_t)FX_BLOCKS * FX_BLOCK_SIZE)
#define SECTOR 512u

static struct power_entry *add_locked(struct power *p, u8 dev)
{
	if (p->count == p->room) {
		p->room = p->room ? p->room * 2 : 1024;
		p->e = realloc(p->e, p->room * sizeof(*p->e));
	}
	p->e[p->count] = (struct power_entry){.dev = dev};
	return &p->e[p->count++];
}

static int power_read(void *arg, u64 offset, void *buf, size_t len)
{
	struct power_side *s = arg;

	os_mutex_lock(&s->p->lock);
	memcpy(buf, s->mem + offset, len);
	os_mutex_unlock(&s->p->lock);
	return 0;
}

static int power_write(void *arg, u64 offset, const void *buf, size_t len)
{
	struct power_side *s = arg;
	struct power_entry *e;

	os_mutex_lock(&s->p->lock);
	memcpy(s->mem + offset, buf, len);
	e = add_locked(s->p, s->id);
	e->offset = offset;
	e->len = len;
	e->data = malloc(len);
	memcpy(e->data, buf, len);
	os_mutex_unlock(&s->p->lock);
	return 0;
}

static int power_flush(void *arg)
{
	struct power_side *s = arg;
	struct power_entry *e;
	size_t covers = power_now(s->p);

	os_mutex_lock(&s->p->lock);
	e = add_locked(s->p, s->id);
	e->flush = true;
	e->covers = covers;
	os_mutex_unlock(&s->p->lock);
	return 0;
}

static void attach_side(struct power *p, u8 id, struct dev *mem, struct dev **dev)
{
	struct power_side *s = &p->side[id];
	struct dev_user_ops ops = {.read = power_read,
		.write = power_write,
		.flush = power_flush,
		.size = BYTES,
		.block_size = SECTOR};

	*s = (struct power_side){p, id, dev_mem_data(mem), *dev};
	p->base[id] = malloc(BYTES);
	memcpy(p->base[id], s->mem, BYTES);
	assert_int_equal(dev_user_create(&ops, s, dev), 0);
	p->sides++;
}

void power_on(struct power *p, struct fixture *f)
{
	memset(p, 0, sizeof(*p));
	os_mutex_init(&p->lock, RANK_LEAF, "power");
	attach_side(p, 0, f->mem, &f->dev);
	if (f->opt.external)
		attach_side(p, 1, f->log_mem, &f->log_dev);
}

void power_off(struct power *p, struct fixture *f)
{
	dev_close(f->dev);
	f->dev = p->side[0].old;
	if (p->sides == 1)
		return;
	dev_close(f->log_dev);
	f->log_dev = p->side[1].old;
}

void power_free(struct power *p)
{
	size_t i;

	for (i = 0; i < p->count; i++)
		free(p->e[i].data);
	free(p->e);
	free(p->base[0]);
	free(p->base[1]);
}

size_t power_now(struct power *p)
{
	size_t count;

	os_mutex_lock(&p->lock);
	count = p->count;
	os_mutex_unlock(&p->lock);
	return count;
}

static u64 next_random(u64 *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static void put_uncertain(const struct power_entry *e, u64 choice, u64 *state, u8 *image)
{
	u64 mode = choice == 1 ? 0 : next_random(state) % 3, at;

	if (choice == 0)
		return;
	for (at = 0; at < e->len; at += SECTOR)
		if (mode == 0 || (mode == 1 && next_random(state) & 1))
			memcpy(image + e->offset + at, e->data + at, SECTOR);
}

void power_cut(const struct power *p, u32 side, size_t cut, u64 choice, u8 *image)
{
	u64 state = choice * 77 + cut + side;
	size_t durable = 0, i;

	for (i = 0; i < cut; i++)
		if (p->e[i].flush && p->e[i].dev == side && p->e[i].covers > durable)
			durable = p->e[i].covers;
	memcpy(image, p->base[side], BYTES);
	for (i = 0; i < cut; i++) {
		const struct power_entry *e = &p->e[i];

		if (e->flush || e->dev != side)
			continue;
		if (i < durable)
			memcpy(image + e->offset, e->data, e->len);
		else
			put_uncertain(e, choice, &state, image);
	}
}
