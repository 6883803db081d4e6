/* uext4 cat. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { CHUNK_BYTES = 1 << 20 };

static void cat(struct cli *cli, const char *path, char *buf)
{
	struct uext4_file *file;
	uint64_t offset = 0;
	ssize_t n;
	int err = uext4_openat(cli->fs, NULL, path, O_RDONLY, 0, NULL, &file);

	if (err) {
		cli_fail(cli, path, err);
		return;
	}
	while ((n = uext4_pread(file, buf, CHUNK_BYTES, offset)) > 0) {
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n) {
			n = -errno;
			path = "standard output";
			break;
		}
		offset += (uint64_t)n;
	}
	if (n < 0)
		cli_fail(cli, path, (int)n);
	uext4_file_close(file);
}

int cmd_cat(struct cli *cli, int argc, char **argv)
{
	int code = cli_options(cli, argc, argv, "", NULL, NULL, NULL);
	char *buf = malloc(CHUNK_BYTES);

	if (!buf)
		code = cli_fail(cli, "memory", -ENOMEM);
	if (code < 0)
		code = cli_open(cli, false, 2, 0);
	if (code >= 0)
		goto out;
	for (int k = 0; k < cli->argc; k++)
		cat(cli, cli->argv[k], buf);
	code = cli_close(cli);
out:
	free(buf);
	return code;
}
