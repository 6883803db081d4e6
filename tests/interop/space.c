/*
 * space SPEC BLOCK_SIZE: does each mode of fallocate(2) to many ranges of files that begin the
 * same, and prints what came of it: the error, size and blocks, and where data and holes are. Two
 * backends must print the same.
 */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct backend *b;
static uint64_t bs;
static unsigned files;

#define KEEP FALLOC_FL_KEEP_SIZE
#define PAGE 4096

static const int modes[] = {0, KEEP, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_PUNCH_HOLE | KEEP,
	FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | KEEP, FALLOC_FL_COLLAPSE_RANGE,
	FALLOC_FL_COLLAPSE_RANGE | KEEP, FALLOC_FL_INSERT_RANGE, FALLOC_FL_INSERT_RANGE | KEEP,
	FALLOC_FL_INSERT_RANGE | FALLOC_FL_COLLAPSE_RANGE, 0x04, 0x4000};

/* In blocks and bytes; the file has 10 blocks and 100 bytes, and 4 more blocks behind its end. */
struct range {
	int64_t block, byte, len_blocks, len_bytes;
};
static const struct range ranges[] = {{0, 0, 1, 0}, {1, 0, 2, 0}, {1, 1, 2, 3}, {2, 10, 0, 20},
	{9, 0, 1, 0}, {9, 0, 2, 0}, {10, 0, 1, 0}, {10, 50, 0, 50}, {10, 50, 4, 0}, {11, 0, 2, 0},
	{12, 7, 1, 0}, {20, 0, 3, 0}, {20, 5, 3, 9}, {0, 0, 40, 0}, {0, 0, 0, 0}, {0, -1, 1, 0},
	{1, 0, -1, 0}, {1ll << 40, 0, 1, 0}, {0xffffffffll, 0, 1, 0}, {0xfffffffell, 1, 1, 0}};

static void make(const char *path)
{
	static char data[11 * 4096];

	memset(data, 'a', sizeof(data));
	b->create(path, S_IFREG | 0644, 0, 0);
	b->write(path, data, 10 * bs + 100, 0, true);
	b->fallocate(path, KEEP, 11 * bs, 4 * bs);
}

/*
 * Linux caches whole pages and calls data what is unwritten in them beside written blocks: so data
 * and holes are compared where a block is a page, up to the last written block.
 */
static void show(const char *path)
{
	struct node n;
	int64_t at = 0;

	b->sync();
	if (b->stat(path, &n) < 0)
		return;
	printf(" size %" PRIu64 " blocks %" PRIu64, n.size, n.blocks);
	for (int whence = SEEK_DATA; bs == PAGE && at >= 0 && at < (int64_t)n.size;
		whence = whence == SEEK_DATA ? SEEK_HOLE : SEEK_DATA) {
		at = b->seek(path, (uint64_t)at, whence);
		if (at >= (int64_t)(10 * bs))
			break;
		printf(" %" PRId64, at);
	}
}

static void one(int mode, const struct range *r)
{
	char path[16];
	int err;

	sprintf(path, "f%u", files++);
	make(path);
	err = b->fallocate(path, mode, (uint64_t)(r->block * (int64_t)bs + r->byte),
		(uint64_t)(r->len_blocks * (int64_t)bs + r->len_bytes));
	printf("mode %x at %" PRId64 "+%" PRId64 " len %" PRId64 "+%" PRId64 ": %d", mode, r->block,
		r->byte, r->len_blocks, r->len_bytes, err);
	show(path);
	b->truncate(path, 10 * bs + 100);
	show(path);
	b->truncate(path, 0);
	show(path);
	putchar('\n');
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: space SPEC BLOCK_SIZE\n");
		return 2;
	}
	b = backend_open(argv[1]);
	bs = strtoull(argv[2], NULL, 0);
	for (size_t m = 0; m < sizeof(modes) / sizeof(*modes); m++)
		for (size_t k = 0; k < sizeof(ranges) / sizeof(*ranges); k++)
			one(modes[m], &ranges[k]);
	return b->close() < 0;
}
