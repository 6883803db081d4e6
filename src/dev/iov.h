/* Scatter lists as one run of bytes. */
#ifndef DEV_IOV_H
#define DEV_IOV_H

#include "base/types.h"

#include <sys/uio.h>

/* Copies or zeroes len bytes, starting `skip` bytes into the segments. */
void iov_copy_out(const struct iovec *iov, u64 skip, void *to, u64 len); /* segments -> memory */
void iov_copy_in(const struct iovec *iov, u64 skip, const void *from, u64 len);
void iov_zero(const struct iovec *iov, u64 skip, u64 len);
/* The part from skip on as segments: at most max of them and len bytes. Returns their number. */
unsigned iov_slice(const struct iovec *iov, unsigned count, u64 skip, u64 len, struct iovec *out,
	unsigned max);

/* Zeros to write from; aligned for every device. */
#define IOV_ZEROES_BYTES 65536u
extern const u8 iov_zeroes[IOV_ZEROES_BYTES];

#endif
