/* uext4 info: the superblock. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static void uuid_string(const uint8_t uuid[16], char out[37])
{
	char *to = out;

	for (int k = 0; k < 16; k++)
		to += sprintf(
			to, "%s%02x", k == 4 || k == 6 || k == 8 || k == 10 ? "-" : "", uuid[k]);
}

typedef void feature_fn(void *arg, const char *name);

static void each_feature(const struct uext4_info *info, feature_fn *fn, void *arg)
{
	const uint32_t words[3] = {
		info->feature_compat, info->feature_incompat, info->feature_ro_compat};

	for (int word = 0; word < 3; word++) {
		for (uint32_t bit = 1; bit; bit <<= 1) {
			const char *name = uext4_feature_name(word, bit);
			char number[32];

			if (!(words[word] & bit))
				continue;
			snprintf(number, sizeof(number), "%c%x", "CIR"[word], bit);
			fn(arg, name ? name : number);
		}
	}
}

static void feature_print(void *arg, const char *name)
{
	printf(" %s", name);
}

static void feature_add(void *arg, const char *name)
{
	json_object_array_add(arg, json_object_new_string(name));
}

static void print_time(const char *what, int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;
	char text[40] = "never";

	if (seconds && localtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm);
	printf("%-18s%s\n", what, text);
}

static void print_number(const char *what, uint64_t n)
{
	printf("%-18s%llu\n", what, (unsigned long long)n);
}

static const char *state_text(const struct uext4_info *i)
{
	if (i->state & 2)
		return "has errors";
	return i->needed_recovery ? "journal needs replay" : i->state & 1 ? "clean" : "not clean";
}

static void print_text(const struct uext4_info *i, const char *uuid)
{
	printf("%-18s%s\n%-18s", "UUID:", uuid, "Label:");
	print_name(stdout, i->label);
	printf("\n%-18s", "Last mounted on:");
	print_name(stdout, i->last_mounted);
	printf("\n%-18s%s\n%-17s", "State:", state_text(i), "Features:");
	each_feature(i, feature_print, NULL);
	putchar('\n');
	print_number("Block size:", i->block_size);
	print_number("Blocks:", i->blocks);
	print_number("Free blocks:", i->free_blocks);
	print_number("Reserved blocks:", i->reserved_blocks);
	print_number("Inode size:", i->inode_size);
	print_number("Inodes:", i->inodes);
	print_number("Free inodes:", i->free_inodes);
	print_number("Groups:", i->group_count);
	print_number("Blocks per group:", i->blocks_per_group);
	print_number("Inodes per group:", i->inodes_per_group);
	print_number("Journal blocks:", i->journal_blocks);
	print_number("Mounts:", i->mount_count);
	print_number("Errors:", i->error_count);
	print_time("Created:", i->created);
	print_time("Mounted:", i->mounted);
	print_time("Written:", i->written);
	print_time("Checked:", i->checked);
}

static void add_numbers(struct json_object *to, const struct uext4_info *i)
{
	json_add_uint(to, "block_size", i->block_size);
	json_add_uint(to, "blocks", i->blocks);
	json_add_uint(to, "free_blocks", i->free_blocks);
	json_add_uint(to, "reserved_blocks", i->reserved_blocks);
	json_add_uint(to, "inode_size", i->inode_size);
	json_add_uint(to, "inodes", i->inodes);
	json_add_uint(to, "free_inodes", i->free_inodes);
	json_add_uint(to, "groups", i->group_count);
	json_add_uint(to, "blocks_per_group", i->blocks_per_group);
	json_add_uint(to, "inodes_per_group", i->inodes_per_group);
	json_add_uint(to, "descriptor_size", i->desc_size);
	json_add_uint(to, "first_inode", i->first_inode);
	json_add_uint(to, "journal_inode", i->journal_inode);
	json_add_uint(to, "journal_blocks", i->journal_blocks);
	json_add_uint(to, "mounts", i->mount_count);
	json_add_uint(to, "errors", i->error_count);
	json_object_object_add(to, "created", json_object_new_int64(i->created));
	json_object_object_add(to, "mounted", json_object_new_int64(i->mounted));
	json_object_object_add(to, "written", json_object_new_int64(i->written));
	json_object_object_add(to, "checked", json_object_new_int64(i->checked));
}

static void print_json(const struct uext4_info *i, const char *uuid)
{
	struct json_object *to = json_object_new_object(), *features = json_object_new_array();

	json_object_object_add(to, "uuid", json_object_new_string(uuid));
	json_add_name(to, "label", i->label);
	json_add_name(to, "last_mounted", i->last_mounted);
	json_object_object_add(
		to, "clean", json_object_new_boolean((i->state & 3) == 1 && !i->needed_recovery));
	json_object_object_add(to, "needs_recovery", json_object_new_boolean(i->needed_recovery));
	each_feature(i, feature_add, features);
	json_object_object_add(to, "features", features);
	add_numbers(to, i);
	json_print(to);
}

int cmd_info(struct cli *cli, int argc, char **argv)
{
	struct uext4_info info;
	char uuid[37];
	int code = cli_options(cli, argc, argv, "", NULL, NULL, NULL), err;

	if (code < 0)
		code = cli_open(cli, false, 1, 1);
	if (code >= 0)
		return code;
	err = uext4_info(cli->fs, &info);
	if (err) {
		cli_fail(cli, cli->image, err);
		return cli_close(cli);
	}
	uuid_string(info.uuid, uuid);
	if (cli->json)
		print_json(&info, uuid);
	else
		print_text(&info, uuid);
	return cli_close(cli);
}
