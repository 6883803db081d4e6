/* uext4 map --fiemap: extents with the flags of ioctl FIEMAP. */
#include "cli.h"

#include <linux/fiemap.h>

enum { BATCH = 64 };

static const struct {
	uint32_t flag;
	const char *name;
} flags[] = {
	{FIEMAP_EXTENT_LAST, "last"},
	{FIEMAP_EXTENT_UNKNOWN, "unknown"},
	{FIEMAP_EXTENT_DELALLOC, "delalloc"},
	{FIEMAP_EXTENT_NOT_ALIGNED, "not_aligned"},
	{FIEMAP_EXTENT_DATA_INLINE, "inline"},
	{FIEMAP_EXTENT_UNWRITTEN, "unwritten"},
	{FIEMAP_EXTENT_MERGED, "merged"},
};
enum { FLAG_COUNT = sizeof(flags) / sizeof(flags[0]) };

static void print_extent(const struct uext4_fiemap_extent *e)
{
	const char *before = "  ";

	printf("%14llu %16llu %14llu", (unsigned long long)e->logical,
		(unsigned long long)e->physical, (unsigned long long)e->length);
	for (int k = 0; k < FLAG_COUNT; k++) {
		if (!(e->flags & flags[k].flag))
			continue;
		printf("%s%s", before, flags[k].name);
		before = ",";
	}
	putchar('\n');
}

static void add_extent(struct json_object *to, const struct uext4_fiemap_extent *e)
{
	struct json_object *extent = json_object_new_object(), *names = json_object_new_array();

	json_add_uint(extent, "logical", e->logical);
	json_add_uint(extent, "physical", e->physical);
	json_add_uint(extent, "length", e->length);
	for (int k = 0; k < FLAG_COUNT; k++)
		if (e->flags & flags[k].flag)
			json_object_array_add(names, json_object_new_string(flags[k].name));
	json_object_object_add(extent, "flags", names);
	json_object_array_add(to, extent);
}

int fiemap_each(struct uext4_inode *inode, struct json_object *json)
{
	struct uext4_fiemap_extent extents[BATCH];
	uint64_t start = 0;
	int n;

	while ((n = uext4_fiemap(inode, start, UINT64_MAX, 0, extents, BATCH)) > 0) {
		for (int k = 0; k < n; k++) {
			if (json)
				add_extent(json, &extents[k]);
			else
				print_extent(&extents[k]);
		}
		if (extents[n - 1].flags & FIEMAP_EXTENT_LAST)
			return 0;
		start = extents[n - 1].logical + extents[n - 1].length;
	}
	return n;
}
