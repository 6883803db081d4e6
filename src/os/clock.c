/* Time and randomness. */
#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "os/assert.h"
#include "os/clock.h"

u64 os_clock_mono(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

static struct os_time wall(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (struct os_time){.sec = ts.tv_sec, .nsec = (u32)ts.tv_nsec};
}

struct os_time os_clock_wall(void)
{
	return wall(CLOCK_REALTIME);
}

struct os_time os_clock_wall_coarse(void)
{
	return wall(CLOCK_REALTIME_COARSE);
}

void os_sleep_ns(u64 ns)
{
	u64 until = os_clock_mono() + ns;
	struct timespec ts = {
		.tv_sec = (time_t)(until / NSEC_PER_SEC),
		.tv_nsec = (long)(until % NSEC_PER_SEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

void os_random_bytes(void *buf, size_t len)
{
	u8 *p = buf;

	while (len) {
		ssize_t n = getrandom(p, len, 0);

		BUG_ON(n < 0 && errno != EINTR);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

/* A system call for many numbers, not for each. */
u64 os_random(void)
{
	static __thread u64 pool[32];
	static __thread unsigned left;

	if (!left) {
		os_random_bytes(pool, sizeof(pool));
		left = 32;
	}
	return pool[--left];
}
