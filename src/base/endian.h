/*
 * On-disk integers as one-member structs, so that raw arithmetic on them does
 * not compile. ext4 is little-endian, jbd2 big-endian.
 */
#ifndef BASE_ENDIAN_H
#define BASE_ENDIAN_H

#include "base/types.h"

struct le16 {
	u16 raw;
} __attribute__((packed));
struct le32 {
	u32 raw;
} __attribute__((packed));
struct le64 {
	u64 raw;
} __attribute__((packed));
struct be16 {
	u16 raw;
} __attribute__((packed));
struct be32 {
	u32 raw;
} __attribute__((packed));
struct be64 {
	u64 raw;
} __attribute__((packed));

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ENDIAN_LE(bits, x) (x)
#define ENDIAN_BE(bits, x) __builtin_bswap##bits(x)
#else
#define ENDIAN_LE(bits, x) __builtin_bswap##bits(x)
#define ENDIAN_BE(bits, x) (x)
#endif

#define ENDIAN_DEFINE(kind, order, bits)                                                           \
	static inline u##bits kind##bits##_to_cpu(struct kind##bits v)                             \
	{                                                                                          \
		return (u##bits)order(bits, v.raw);                                                \
	}                                                                                          \
	static inline struct kind##bits cpu_to_##kind##bits(u##bits v)                             \
	{                                                                                          \
		return (struct kind##bits){(u##bits)order(bits, v)};                               \
	}

ENDIAN_DEFINE(le, ENDIAN_LE, 16)
ENDIAN_DEFINE(le, ENDIAN_LE, 32)
ENDIAN_DEFINE(le, ENDIAN_LE, 64)
ENDIAN_DEFINE(be, ENDIAN_BE, 16)
ENDIAN_DEFINE(be, ENDIAN_BE, 32)
ENDIAN_DEFINE(be, ENDIAN_BE, 64)

#endif
