/*
 * Scalar types shared by every room.
 *
 * lblk_t counts blocks inside one file, pblk_t blocks of the device; both are
 * in units of the file system block size. Bytes are u64 and say so by name.
 */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef u32 lblk_t;   /* logical block of a file */
typedef u64 pblk_t;   /* physical block of the device */
typedef u32 ino_nr;   /* inode number, 1-based */
typedef u32 group_nr; /* block group number */
typedef u32 tid_nr;   /* journal transaction id, compared by signed difference */

#define LBLK_MAX 0xfffffffeu /* highest legal logical block (IO-12) */

#endif
