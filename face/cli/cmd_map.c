/* uext4 map: where the bytes of a file are on the device. */
#include "cli.h"

enum { BATCH = 64 };

static const char *const states[] = {
	[UEXT4_EXTENT_WRITTEN] = "written",
	[UEXT4_EXTENT_UNWRITTEN] = "unwritten",
	[UEXT4_EXTENT_DELAYED] = "delayed",
};

static void print_extent(const struct uext4_extent *e)
{
	printf("%14llu %16llu %14llu  %s\n", (unsigned long long)e->offset,
		(unsigned long long)e->physical, (unsigned long long)e->length, states[e->state]);
}

static void add_extent(struct json_object *to, const struct uext4_extent *e)
{
	struct json_object *extent = json_object_new_object();

	json_add_uint(extent, "offset", e->offset);
	json_add_uint(extent, "physical", e->physical);
	json_add_uint(extent, "length", e->length);
	json_object_object_add(extent, "state", json_object_new_string(states[e->state]));
	json_object_array_add(to, extent);
}

/* A negative errno, or 0. */
static int each_extent(struct uext4_inode *inode, struct json_object *json)
{
	struct uext4_extent extents[BATCH];
	uint64_t offset = 0;
	int n;

	while ((n = uext4_extents(inode, offset, extents, BATCH)) > 0) {
		for (int k = 0; k < n; k++) {
			if (json)
				add_extent(json, &extents[k]);
			else
				print_extent(&extents[k]);
		}
		offset = extents[n - 1].offset + extents[n - 1].length;
	}
	return n;
}

static void map(struct cli *cli, const char *path, bool fiemap, struct json_object *json)
{
	struct json_object *extents = NULL, *to;
	struct uext4_inode *inode;
	int err;

	if (cli_resolve(cli, path, 0, &inode))
		return;
	if (json) {
		extents = json_object_new_array();
		to = json_object_new_object();
		json_add_name(to, "path", path);
		json_object_object_add(to, "extents", extents);
		json_object_array_add(json, to);
	} else {
		print_name(stdout, path);
		printf(":\n%14s %16s %14s  %s\n", "offset", "physical", "length",
			fiemap ? "flags" : "state");
	}
	err = fiemap ? fiemap_each(inode, extents) : each_extent(inode, extents);
	if (err)
		cli_fail(cli, path, err);
	uext4_inode_put(inode);
}

static bool map_option(void *arg, int letter, const char *value)
{
	*(bool *)arg = true;
	return letter == 'f';
}

int cmd_map(struct cli *cli, int argc, char **argv)
{
	static const struct option long_options[] = {{"fiemap", no_argument, NULL, 'f'}, {0}};
	struct json_object *json = NULL;
	bool fiemap = false;
	int code = cli_options(cli, argc, argv, "", long_options, map_option, &fiemap);

	if (code < 0)
		code = cli_open(cli, false, 2, 0);
	if (code >= 0)
		return code;
	if (cli->json)
		json = json_object_new_array();
	for (int k = 0; k < cli->argc; k++)
		map(cli, cli->argv[k], fiemap, json);
	if (json)
		json_print(json);
	return cli_close(cli);
}
