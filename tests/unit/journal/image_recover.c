#include "image_recover.h"

#include "base/err.h"
#include "base/util.h"
#include "dev/devices.h"
#include "disk/super.h"
#include "journal/journal.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int sh(const char *fmt, ...)
{
	char command[4096];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

bool oracles_available(void)
{
	return geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0 &&
	       sh("for t in mke2fs debugfs e2fsck dumpe2fs mount losetup; do command -v $t "
		  ">/dev/null || exit 1; done") == 0;
}

static int load_super(struct dev *dev, struct ext4_super *raw, struct super_info *sb)
{
	const char *why;
	int err = dev_read(dev, EXT4_SUPER_OFFSET, raw, sizeof(*raw));

	return err ? err : super_decode(raw, dev->info.size, sb, &why);
}

/* One item of debugfs' list: "(first-last):place-end", "(block):place", or "(IND):place". */
static bool parse_run(const char *item, struct journal_run *run)
{
	unsigned first, last;
	unsigned long long place;

	if (sscanf(item, "(%u-%u):%llu", &first, &last, &place) != 3) {
		if (sscanf(item, "(%u):%llu", &first, &place) != 2)
			return false;
		last = first;
	}
	*run = (struct journal_run){first, last - first + 1, place};
	return true;
}

/* The journal inode's blocks, as debugfs lists them. */
static u32 list_runs(const char *path, struct journal_run **runs)
{
	char command[512], item[128];
	struct journal_run run;
	u32 count = 0;
	FILE *f;

	*runs = NULL;
	snprintf(command, sizeof(command), "debugfs -R 'stat <8>' %s 2>/dev/null", path);
	f = popen(command, "r");
	while (f && fscanf(f, "%127s", item) == 1) {
		if (!parse_run(item, &run))
			continue;
		*runs = realloc(*runs, (count + 1) * sizeof(**runs));
		(*runs)[count++] = run;
	}
	if (f)
		pclose(f);
	return count;
}

static void keep_message(void *arg, enum log_level level, const char *message)
{
	struct image_recovery *out = arg;

	if (getenv("LB_LOG"))
		fprintf(stderr, "log %d: %s\n", level, message);
	if (level == LOG_ERROR && !out->message[0])
		snprintf(out->message, sizeof(out->message), "%s", message);
}

static int recover_on(struct journal_params *p, struct image_recovery *out)
{
	struct bcache_params cp = {.dev = p->fs_dev,
		.sb = p->sb,
		.block_size = p->sb->block_size,
		.max_bytes = 1 << 20,
		.log = p->log};
	struct journal *j;
	int err = bcache_create(&cp, &p->bcache);

	if (err)
		return err;
	err = journal_open(p, &j);
	if (!err) {
		out->was_dirty = journal_is_dirty(j);
		err = journal_recover(j, p->fs_dev, true);
		journal_destroy(j);
	}
	bcache_destroy(p->bcache);
	return err;
}

static int recover_devs(
	const char *path, struct dev *dev, struct dev *log_dev, struct image_recovery *out)
{
	const struct log_sink sink = {keep_message, out};
	struct journal_run external, *runs = NULL;
	struct journal_params p = {.fs_dev = dev, .log_dev = dev, .log = &sink};
	struct ext4_super raw;
	struct super_info sb;
	int err = load_super(dev, &raw, &sb);

	if (err)
		return err;
	p.sb = &sb;
	if (log_dev) {
		u32 skip = sb.block_size == 1024 ? 2 : 1;

		external = (struct journal_run){
			skip, (u32)(log_dev->info.size / sb.block_size) - skip, skip};
		p.log_dev = log_dev;
		p.runs = &external;
		p.run_count = 1;
	} else {
		p.run_count = list_runs(path, &runs);
		p.runs = runs;
	}
	err = recover_on(&p, out);
	free(runs);
	return err;
}

int image_recover(const char *path, const char *log_path, struct image_recovery *out)
{
	struct dev *dev, *log_dev = NULL;
	int err = dev_file_open(path, &(struct dev_file_options){0}, &dev);

	memset(out, 0, sizeof(*out));
	if (err)
		return err;
	if (log_path)
		err = dev_file_open(log_path, &(struct dev_file_options){0}, &log_dev);
	if (!err)
		err = recover_devs(path, dev, log_dev, out);
	dev_close(log_dev);
	dev_close(dev);
	return err;
}

static u8 *read_image(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	u8 *data;
	size_t at = 0;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	data = malloc((size_t)st.st_size);
	while (data && at < (size_t)st.st_size) {
		ssize_t n = read(fd, data + at, (size_t)st.st_size - at);

		if (n <= 0)
			break;
		at += (size_t)n;
	}
	close(fd);
	*size = at;
	return data;
}

static void blank(u8 *image, const struct journal_run *runs, u32 count, u32 block_size)
{
	u32 i;

	memset(image + EXT4_SUPER_OFFSET, 0, EXT4_SUPER_SIZE);
	for (i = 0; i < count; i++)
		memset(image + runs[i].pblk * block_size, 0, (size_t)runs[i].len * block_size);
}

s64 image_compare(const char *a, const char *b)
{
	struct journal_run *runs;
	u32 count = list_runs(a, &runs), bs;
	size_t size_a = 0, size_b = 0, i;
	u8 *x = read_image(a, &size_a), *y = read_image(b, &size_b);
	s64 diff = -1;

	if (!x || !y || size_a != size_b)
		return 0;
	bs = 1024u << x[EXT4_SUPER_OFFSET + 0x18];
	blank(x, runs, count, bs);
	blank(y, runs, count, bs);
	for (i = 0; i < size_a / bs && diff < 0; i++)
		if (memcmp(x + i * bs, y + i * bs, bs) != 0)
			diff = (s64)i;
	free(x);
	free(y);
	free(runs);
	return diff;
}

/* Byte position of a log block in the image; 0 if there is none. */
static u64 log_position(const char *path, int fd, u32 log_block)
{
	struct journal_run *runs;
	u32 count = list_runs(path, &runs), i;
	u8 log_bs = 0;
	u64 at = 0;

	if (pread(fd, &log_bs, 1, EXT4_SUPER_OFFSET + 0x18) != 1)
		count = 0;
	for (i = 0; i < count; i++)
		if (log_block - runs[i].lblk < runs[i].len)
			at = (runs[i].pblk + log_block - runs[i].lblk) << (10 + log_bs);
	free(runs);
	return at;
}

void image_poke_log(const char *path, u32 log_block, u32 offset, u8 bits)
{
	int fd = open(path, O_RDWR);
	u64 at = log_position(path, fd, log_block) + offset;
	u8 byte = 0;

	if (pread(fd, &byte, 1, (off_t)at) != 1)
		abort();
	byte ^= bits;
	if (pwrite(fd, &byte, 1, (off_t)at) != 1)
		abort();
	close(fd);
}

u32 image_log_field(const char *path, u32 offset)
{
	int fd = open(path, O_RDONLY);
	u8 b[4] = {0};

	if (pread(fd, b, 4, (off_t)(log_position(path, fd, 0) + offset)) != 4)
		abort();
	close(fd);
	return (u32)b[0] << 24 | (u32)b[1] << 16 | (u32)b[2] << 8 | b[3];
}
