/* What every room asks of the volume: its superblock, its state, and where errors go. */
#include "journal/volume.h"
#include "base/err.h"
#include "os/assert.h"
#include "os/atomic.h"

#include <stdio.h>

#define SUPER_OFFSET 1024

struct ext4_super *volume_super(struct volume *v)
{
	ASSERT(v->super_buf);
	return (struct ext4_super *)(v->super_buf->data + SUPER_OFFSET % v->sb.block_size);
}

int volume_check(const struct volume *v)
{
	return atomic_load_acq(&v->flags) & VOLUME_SHUTDOWN ? ERR(EIO) : 0;
}

static int check_change(const struct volume *v, u32 read_only)
{
	u32 flags = atomic_load_acq(&v->flags);

	if (flags & VOLUME_SHUTDOWN)
		return ERR(EIO);
	if (flags & read_only || (v->journal && journal_aborted(v->journal)))
		return ERR(EROFS);
	return 0;
}

int volume_check_write(const struct volume *v)
{
	return check_change(v, VOLUME_READ_ONLY | VOLUME_DRAINING);
}

int volume_check_finish(const struct volume *v)
{
	return check_change(v, VOLUME_READ_ONLY);
}

int volume_error(struct volume *v, int err, ino_nr ino, pblk_t pblk, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (ino && pblk)
		log_msg(&v->log, LOG_ERROR, "inode %u, block %llu: %s", ino,
			(unsigned long long)pblk, text);
	else if (ino)
		log_msg(&v->log, LOG_ERROR, "inode %u: %s", ino, text);
	else if (pblk)
		log_msg(&v->log, LOG_ERROR, "block %llu: %s", (unsigned long long)pblk, text);
	else
		log_msg(&v->log, LOG_ERROR, "%s", text);
	if (v->ops && v->ops->error)
		v->ops->error(v, ino, pblk, text);
	return err;
}
