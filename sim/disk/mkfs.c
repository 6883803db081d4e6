#include "sim/disk/mkfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXED "-U 7a7f1de0-0000-4000-8000-000000000002"

void sim_mkfs_hash_seed(u32 seed[4])
{
	static const u32 words[4] = {0xe01d7f7a, 0x00400000, 0x00000080, 0x01000000};

	memcpy(seed, words, sizeof(words));
}

int sim_mkfs(struct sim_pages *out, u64 bytes, const char *mke2fs_options)
{
	char path[] = "/tmp/uext4-sim-XXXXXX", command[1024];
	struct sim_pages poison;
	int fd = mkstemp(path), err;

	if (fd < 0)
		return -errno;
	close(fd);
	sim_pages_init(&poison, bytes);
	err = sim_pages_store(&poison, path);
	sim_pages_fini(&poison);
	snprintf(command, sizeof(command),
		"E2FSPROGS_FAKE_TIME=1700000000 mke2fs -q -F -t ext4 " FIXED
		" -E " SIM_MKFS_EXTENDED " %s %s",
		mke2fs_options, path);
	if (!err && system(command) != 0) {
		fprintf(stderr, "%s failed\n", command);
		err = -EIO;
	}
	if (!err)
		err = sim_pages_load(out, path);
	unlink(path);
	return err;
}
