/* A room for tests of the direct I/O engine: a file whose map is a table, on a device that can
 * fail. */
#ifndef TESTS_IOMAP_DIRECT_ROOM_H
#define TESTS_IOMAP_DIRECT_ROOM_H

#include "fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "iomap/direct.h"

#define BS 2048u
#define SECTOR 512u
#define BLOCKS 96u
#define BYTES (BS * BLOCKS)

struct room {
	u8 a[BYTES] __attribute__((aligned(4096)));
	u8 b[BYTES] __attribute__((aligned(4096)));
	u8 model[BYTES];
	struct fake f;
};

extern u64 stop_at; /* file position from which begin says -ENOTBLK; 0 = never */
extern int written_err;
extern unsigned written_calls;

struct room *room_up(void);
void room_down(struct room *r);

u8 *block_data(struct fake *f, u64 k);
/* Each block of the file at another place, backwards: no two are neighbours on the device. */
void place(struct fake *f, u64 k, enum fake_state state);
ssize_t transfer(struct fake *f, u32 request, u64 pos, const struct iovec *iov, unsigned count);
ssize_t direct_write(struct fake *f, u64 pos, void *data, u64 len);
ssize_t direct_read(struct fake *f, u64 pos, void *data, u64 len);
void expect(const u8 *p, u64 len, u8 value);

#endif
