/* Small arithmetic and compile-time helpers. No state. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include "base/types.h"

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define array_len(a) (sizeof(a) / sizeof((a)[0]))
/* Each argument is evaluated once. */
#define min_of(a, b)                                                                               \
	({                                                                                         \
		__auto_type a_ = (a);                                                              \
		__auto_type b_ = (b);                                                              \
		a_ < b_ ? a_ : b_;                                                                 \
	})
#define max_of(a, b)                                                                               \
	({                                                                                         \
		__auto_type a_ = (a);                                                              \
		__auto_type b_ = (b);                                                              \
		a_ > b_ ? a_ : b_;                                                                 \
	})

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

static inline u64 div_up(u64 n, u64 d)
{
	return n / d + (n % d != 0);
}

static inline u64 round_up_to(u64 n, u64 to)
{
	return div_up(n, to) * to;
}

static inline u64 round_down_to(u64 n, u64 to)
{
	return n - n % to;
}

static inline bool is_pow2(u64 n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

#endif
