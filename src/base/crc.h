/*
 * Checksums of the format. crc32c is reflected Castagnoli without final
 * inversion (seed ~0 by convention of the callers); crc16 is poly A001,
 * reflected, used by uninit_bg; crc32_be is the big-endian CRC of jbd2 v1.
 * Uses ISA-L when built with it, else tables. Thread-safe, no state.
 */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include "base/types.h"

u32 crc32c(u32 crc, const void *data, size_t len);
u16 crc16(u16 crc, const void *data, size_t len);
u32 crc32_be(u32 crc, const void *data, size_t len);

#endif
