/* Time and randomness. In the simulator both come from the seed. */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include "base/types.h"

#define NSEC_PER_SEC 1000000000ull
#define NSEC_PER_MSEC 1000000ull

struct os_time {
	s64 sec;
	u32 nsec;
};

u64 os_clock_mono(void);		   /* ns, monotonic */
struct os_time os_clock_wall(void);	   /* UTC */
struct os_time os_clock_wall_coarse(void); /* cheaper, tick resolution; for inode times */
void os_sleep_ns(u64 ns);
u64 os_random(void); /* unpredictable; for generations, uuids, mmp */
void os_random_bytes(void *buf, size_t len);

#endif
