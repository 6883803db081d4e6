/* Threads, time, randomness and the end by os_bug, as the seam promises them. */
#include <string.h>

#include "base/err.h"
#include "base/trace.h"
#include "os/assert.h"
#include "os/clock.h"
#include "os/mem.h"
#include "os/thread.h"
#include "sim/os/sched.h"

#define CPUS 4
#define WALL_SECONDS 1700000000 /* os_clock_wall at os_clock_mono 0 */

/* The fault points are those of production. */
int os_thread_create(struct os_thread **out, const char *name, void (*fn)(void *), void *arg)
{
	struct fiber *f = os_zalloc(sizeof(*f));

	*out = (struct os_thread *)f;
	if (!f)
		return ERR(ENOMEM);
	if (FAULT("os_thread") || !sched_fiber_start(f, name, fn, arg)) {
		os_free(f);
		*out = NULL;
		return ERR(EAGAIN);
	}
	sched_point(POINT_THREAD, name);
	return 0;
}

void os_thread_join(struct os_thread *t)
{
	struct fiber *f = (struct fiber *)t;

	sched_point(POINT_THREAD, "join");
	while (!f->done)
		sched_block(WAIT_JOIN, f, f->name, NEVER);
	os_free(f);
}

u32 os_thread_self(void)
{
	return sched->current->id;
}

void os_yield(void)
{
	sched_give_way("os_yield");
}

unsigned os_cpu_count(void)
{
	return CPUS;
}

unsigned os_shard(unsigned n)
{
	return os_thread_self() % n;
}

u64 os_clock_mono(void)
{
	return sched->clock_ns;
}

struct os_time os_clock_wall(void)
{
	u64 ns = sched->clock_ns;

	return (struct os_time){
		.sec = (s64)(WALL_SECONDS + ns / NSEC_PER_SEC), .nsec = (u32)(ns % NSEC_PER_SEC)};
}

struct os_time os_clock_wall_coarse(void)
{
	return os_clock_wall();
}

void os_sleep_ns(u64 ns)
{
	sched_block(WAIT_SLEEP, NULL, "sleep", sched->clock_ns + ns);
}

void os_random_bytes(void *buf, size_t len)
{
	u8 *p = buf;

	while (len) {
		u64 v = os_random();
		size_t n = min_of(len, sizeof(v));

		memcpy(p, &v, n);
		p += n;
		len -= n;
	}
}

u64 os_random(void)
{
	return rng_u64(&sched->values);
}

void os_bug(const char *what, const char *file, int line)
{
	sched_end(SIM_BUG, "%s (%s:%d)", what, file, line);
}
