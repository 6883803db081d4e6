/* Rows of mounting: seconds until a fresh sparse image of a size is usable, and gone again. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void sparse_image(const char *path, u64 bytes)
{
	if (run_command("truncate -s %llu '%s' && mke2fs -q -F -t ext4 -E lazy_itable_init=1,"
			"lazy_journal_init=1,nodiscard '%s'",
		    (unsigned long long)bytes, path, path) != 0)
		die("mount", path, 5);
}

/* Milliseconds. The image lies beside the target's own and replaces it for the time of the row. */
void row_mount(const struct row *r, struct target *t, double *out)
{
	struct target other = *t;

	snprintf(other.image, sizeof(other.image), "%s/sparse.img", settings.work_dir);
	snprintf(other.root, sizeof(other.root), "%s/sparse.mnt", settings.work_dir);
	(void)run_command("mkdir -p '%s'", other.root);
	if (access(other.image, F_OK) < 0)
		sparse_image(other.image, r->image_bytes);
	target_up(&other);
	out[0] = other.mount_seconds * 1000;
	target_down(&other);
	rmdir(other.root);
}

void row_images_remove(void)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/sparse.img", settings.work_dir);
	unlink(path);
}
