/* Scatter lists as one run of bytes. */
#include <string.h>

#include "base/util.h"
#include "dev/dev_driver.h"

const u8 iov_zeroes[IOV_ZEROES_BYTES] __attribute__((aligned(4096)));

enum direction { TO_MEMORY, FROM_MEMORY, ZERO };

static void iov_walk(const struct iovec *iov, u64 skip, u8 *mem, u64 len, enum direction dir)
{
	for (; len; iov++) {
		size_t n;
		u8 *at;

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		n = (size_t)min_of((u64)iov->iov_len - skip, len);
		at = (u8 *)iov->iov_base + skip;
		if (dir == TO_MEMORY)
			memcpy(mem, at, n);
		else if (dir == FROM_MEMORY)
			memcpy(at, mem, n);
		else
			memset(at, 0, n);
		if (dir != ZERO)
			mem += n;
		len -= n;
		skip = 0;
	}
}

void iov_copy_out(const struct iovec *iov, u64 skip, void *to, u64 len)
{
	iov_walk(iov, skip, to, len, TO_MEMORY);
}

void iov_copy_in(const struct iovec *iov, u64 skip, const void *from, u64 len)
{
	iov_walk(iov, skip, (u8 *)from, len, FROM_MEMORY);
}

void iov_zero(const struct iovec *iov, u64 skip, u64 len)
{
	iov_walk(iov, skip, NULL, len, ZERO);
}

unsigned iov_slice(
	const struct iovec *iov, unsigned count, u64 skip, u64 len, struct iovec *out, unsigned max)
{
	unsigned n = 0;

	for (; count && n < max && len; iov++, count--) {
		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		out[n].iov_base = (u8 *)iov->iov_base + skip;
		out[n].iov_len = (size_t)min_of((u64)iov->iov_len - skip, len);
		len -= out[n++].iov_len;
		skip = 0;
	}
	return n;
}
