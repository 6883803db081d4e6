/*
 * Reading data that lives in the inode (MD-26): the first 60 bytes in i_block,
 * the rest in the attribute system.data. Such images are served read-only.
 */
#include "base/err.h"
#include "fs/fs_priv.h"
#include "os/mem.h"

#include <string.h>

#define INLINE_HEAD 60u
#define INLINE_MAX 65536u

static int inline_load(struct inode *i, u8 *data, u64 size)
{
	ssize_t n;

	memcpy(data, i->f.i_block, min_of(size, (u64)INLINE_HEAD));
	if (size <= INLINE_HEAD)
		return 0;
	n = xattr_get(i, "system.data", data + INLINE_HEAD, size - INLINE_HEAD);
	if (n == (ssize_t)(size - INLINE_HEAD))
		return 0;
	return volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
		"inline data is shorter than the file; run e2fsck");
}

static ssize_t copy_out(
	const u8 *data, u64 len, u64 pos, const struct iovec *iov, unsigned iov_count)
{
	u64 at = pos;

	for (unsigned k = 0; k < iov_count && at < len; k++) {
		size_t n = min_of(iov[k].iov_len, (size_t)(len - at));

		memcpy(iov[k].iov_base, data + at, n);
		at += n;
	}
	return (ssize_t)(at - min_of(pos, at));
}

ssize_t file_read_inline(struct inode *i, u64 pos, const struct iovec *iov, unsigned iov_count)
{
	u64 size = inode_size(i);
	ssize_t n;
	u8 *data;

	if (size > INLINE_MAX)
		return volume_error(i->volume, ERR(EUCLEAN), i->ino, 0,
			"inline data larger than an inode can hold; run e2fsck");
	if (pos >= size)
		return 0;
	data = os_alloc(size);
	if (!data)
		return ERR(ENOMEM);
	n = inline_load(i, data, size);
	if (!n)
		n = copy_out(data, size, pos, iov, iov_count);
	os_free(data);
	return n;
}
