/* What a file or block device can do, and which way of I/O fits it. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "dev/file_priv.h"
#include "os/mem.h"

#define IMAGE_BLOCK_BYTES 512 /* so that images of any block size fit */
#define PAGE 4096

/* A partition has its attributes in the directory above. */
static bool sysfs_read(u64 devno, const char *attr, char *out, size_t size)
{
	static const char *const where[] = {"", "../"};
	char path[128];

	for (unsigned i = 0; i < array_len(where); i++) {
		FILE *file;
		bool ok;

		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/%s", major(devno),
			minor(devno), where[i], attr);
		file = fopen(path, "re");
		if (!file)
			continue;
		ok = fgets(out, (int)size, file) != NULL;
		fclose(file);
		return ok;
	}
	return false;
}

static int probe_block(struct file_dev *f, u64 devno)
{
	struct dev_info *info = &f->dev.info;
	char text[64];
	int sector = 0;

	if (ioctl(f->fd, BLKGETSIZE64, &info->size) != 0 || ioctl(f->fd, BLKSSZGET, &sector) != 0)
		return ERR(errno);
	if (!is_pow2((u64)sector) || sector < 512) {
		log_msg(f->dev.log, LOG_ERROR, "%s: unusable sector size %d", f->dev.path, sector);
		return ERR(EINVAL);
	}
	info->block_size = (u32)sector;
	info->volatile_cache = !f->direct ||
			       !sysfs_read(devno, "write_cache", text, sizeof(text)) ||
			       strncmp(text, "write through", 13) != 0;
	info->can_discard = sysfs_read(devno, "discard_max_bytes", text, sizeof(text)) &&
			    strtoull(text, NULL, 10) > 0;
	info->can_write_zeroes = true;
	return 0;
}

/* Punching behind the end changes nothing that can be read, but tells whether it works. */
static bool punch_works(struct file_dev *f, u64 file_bytes)
{
	u64 at = round_up_to(file_bytes, PAGE) + PAGE;

	return !f->dev.info.read_only &&
	       fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, PAGE) == 0;
}

static void probe_image(struct file_dev *f, u64 file_bytes)
{
	struct dev_info *info = &f->dev.info;

	info->size = round_down_to(file_bytes, IMAGE_BLOCK_BYTES);
	info->block_size = IMAGE_BLOCK_BYTES;
	info->volatile_cache = true;
	info->can_discard = info->can_write_zeroes = punch_works(f, file_bytes);
}

/* Alignment that the kernel asks for; 0 = it does not do direct I/O here. */
static void direct_alignment(const struct file_dev *f, u32 block_size, u32 *mem, u32 *offset)
{
	*mem = *offset = block_size; /* a guess that direct_works checks, for old kernels */
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
		(sx.stx_mask & STATX_DIOALIGN)) {
		*mem = sx.stx_dio_mem_align;
		*offset = sx.stx_dio_offset_align;
	}
#endif
}

/* Some file systems take the flag and refuse the read. */
static bool direct_works(const struct file_dev *f, u32 block_size)
{
	void *mem = os_alloc_pages(PAGE);
	ssize_t n = -1;

	if (!mem)
		return false;
	do
		n = pread(f->fd, mem, block_size, 0);
	while (n < 0 && errno == EINTR);
	os_free_pages(mem, PAGE);
	return n >= 0 || errno != EINVAL;
}

static bool fd_set_direct(const struct file_dev *f, bool on)
{
	int flags = fcntl(f->fd, F_GETFL);

	return flags >= 0 && fcntl(f->fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

/*
 * Direct I/O when every request that info allows is aligned enough for it.
 * Mixing both ways, request by request, would make each direct write throw
 * away page cache that buffered requests filled, and wait for it.
 *
 * Why direct also for images: the engine has its own page cache. Measured on
 * ext4 over virtio, 4 KiB at random places, 32 in flight: cold reads 101k/s
 * for 23 % of a core direct, 62k/s for 44 % buffered; writes with a flush after
 * each 32, 65k/s and 56k/s. Only writes that nobody flushes are faster buffered.
 */
static void choose_direct(struct file_dev *f, u32 block_size)
{
	u32 mem, offset;

	direct_alignment(f, block_size, &mem, &offset);
	if (!mem || !offset || !is_pow2(mem) || mem > block_size || offset > block_size ||
		block_size % offset)
		return;
	if (!fd_set_direct(f, true))
		return;
	if (!direct_works(f, block_size)) {
		fd_set_direct(f, false);
		return;
	}
	f->direct = true;
	f->dev.info.mem_align = mem;
}

int file_probe(struct file_dev *f, bool allow_direct)
{
	struct stat st;
	int sector = IMAGE_BLOCK_BYTES;

	if (fstat(f->fd, &st) != 0)
		return ERR(errno);
	if (f->block_device != !!S_ISBLK(st.st_mode))
		return ERR(EAGAIN); /* replaced since it was looked at */
	f->dev.info.mem_align = 1;
	f->dev.info.can_fua = true;
	if (f->block_device && ioctl(f->fd, BLKSSZGET, &sector) != 0)
		return ERR(errno);
	if (allow_direct)
		choose_direct(f, (u32)sector);
	if (f->block_device)
		return probe_block(f, st.st_rdev);
	probe_image(f, (u64)st.st_size);
	return 0;
}
