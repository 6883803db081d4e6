/* uext4 xattr. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_BYTES_MAX = 65536 }; /* XATTR_SIZE_MAX, and XATTR_LIST_MAX */
enum { NAME_BYTES_MAX = 512 };	  /* more than a prefix and 255 bytes */

struct xattr {
	unsigned flags; /* of resolving */
	char *buf;	/* VALUE_BYTES_MAX */
	struct json_object *json;
};

static bool xattr_option(void *arg, int letter, const char *value)
{
	((struct xattr *)arg)->flags = UEXT4_NOFOLLOW;
	return true;
}

static void print_value(const char *value, size_t len)
{
	bool text = true;

	for (size_t k = 0; k < len; k++)
		text = text && isprint((unsigned char)value[k]) && value[k] != '"';
	if (text) {
		printf("\"%.*s\"", (int)len, value);
		return;
	}
	printf("0x");
	for (size_t k = 0; k < len; k++)
		printf("%02x", (unsigned char)value[k]);
}

static int list_names(struct xattr *x, struct uext4_inode *inode, const char *names, size_t len,
	struct json_object *to)
{
	for (const char *name = names; name < names + len; name += strlen(name) + 1) {
		ssize_t n = uext4_getxattr(inode, NULL, name, x->buf, VALUE_BYTES_MAX);
		char shown[3 * NAME_BYTES_MAX + 1];

		if (n < 0)
			return (int)n;
		if (to) {
			json_text(name, shown);
			json_object_object_add(to, shown, json_hex(x->buf, (size_t)n));
			continue;
		}
		print_name(stdout, name);
		putchar('=');
		print_value(x->buf, (size_t)n);
		putchar('\n');
	}
	return 0;
}

static int list(struct xattr *x, struct uext4_inode *inode, const char *path)
{
	char *names = malloc(VALUE_BYTES_MAX);
	ssize_t len = names ? uext4_listxattr(inode, NULL, names, VALUE_BYTES_MAX) : -ENOMEM;
	struct json_object *to = NULL, *values = NULL;
	int err = len < 0 ? (int)len : 0;

	if (!err && x->json) {
		to = json_object_new_object();
		values = json_object_new_object();
		json_add_name(to, "path", path);
		json_object_object_add(to, "values_hex", values);
		json_object_array_add(x->json, to);
	}
	if (!err)
		err = list_names(x, inode, names, (size_t)len, values);
	free(names);
	return err;
}

static int get(struct xattr *x, struct uext4_inode *inode, const char *path, const char *name)
{
	ssize_t n = uext4_getxattr(inode, NULL, name, x->buf, VALUE_BYTES_MAX);
	struct json_object *to;

	if (n < 0)
		return (int)n;
	if (!x->json)
		return fwrite(x->buf, 1, (size_t)n, stdout) == (size_t)n ? 0 : -errno;
	to = json_object_new_object();
	json_add_name(to, "path", path);
	json_add_name(to, "name", name);
	json_object_object_add(to, "value_hex", json_hex(x->buf, (size_t)n));
	json_object_array_add(x->json, to);
	return 0;
}

/* 0x... as bytes, all else as it stands. The length, or -EINVAL. */
static ssize_t parse_value(const char *text, char *out)
{
	size_t len = strlen(text);

	if (strncmp(text, "0x", 2)) {
		if (len > VALUE_BYTES_MAX)
			return -E2BIG;
		memcpy(out, text, len);
		return (ssize_t)len;
	}
	if (len % 2 || len / 2 - 1 > VALUE_BYTES_MAX ||
		text[2 + strspn(text + 2, "0123456789abcdefABCDEF")])
		return -EINVAL;
	for (size_t k = 2; k < len; k += 2)
		sscanf(text + k, "%2hhx", (unsigned char *)out + k / 2 - 1);
	return (ssize_t)len / 2 - 1;
}

static int set(struct xattr *x, struct uext4_inode *inode, const char *name, const char *value)
{
	ssize_t len = parse_value(value, x->buf);

	return len < 0 ? (int)len : uext4_setxattr(inode, NULL, name, x->buf, (size_t)len, 0);
}

/* One path; argv holds the words after it. */
static void act(struct cli *cli, struct xattr *x, const char *verb, const char *path, char **words)
{
	struct uext4_inode *inode;
	int err;

	if (cli_resolve(cli, path, x->flags, &inode))
		return;
	if (!strcmp(verb, "list"))
		err = list(x, inode, path);
	else if (!strcmp(verb, "get"))
		err = get(x, inode, path, words[0]);
	else if (!strcmp(verb, "set"))
		err = set(x, inode, words[0], words[1]);
	else
		err = uext4_removexattr(inode, NULL, words[0]);
	if (err)
		cli_fail(cli, path, err);
	uext4_inode_put(inode);
}

/* Words that each verb takes, IMAGE and the verb included; 0 for max: any number. */
static const struct {
	const char *name;
	bool writes;
	int min, max;
} verbs[] = {
	{"list", false, 3, 0}, {"get", false, 4, 4}, {"set", true, 5, 5}, {"remove", true, 4, 4}};

static int open_for_verb(struct cli *cli)
{
	for (size_t k = 0; cli->argc > 1 && k < sizeof(verbs) / sizeof(verbs[0]); k++)
		if (!strcmp(cli->argv[1], verbs[k].name))
			return cli_open(cli, verbs[k].writes, verbs[k].min, verbs[k].max);
	return cli_usage(cli, "after IMAGE, list, get, set or remove is needed");
}

int cmd_xattr(struct cli *cli, int argc, char **argv)
{
	struct xattr x = {.buf = malloc(VALUE_BYTES_MAX)};
	bool all;
	int code = cli_options(cli, argc, argv, "h", NULL, xattr_option, &x);

	if (!x.buf)
		code = cli_fail(cli, "memory", -ENOMEM);
	if (code < 0)
		code = open_for_verb(cli);
	if (code >= 0)
		goto out;
	if (cli->json)
		x.json = json_object_new_array();
	all = !strcmp(cli->argv[0], "list");
	for (int k = 1; k < (all ? cli->argc : 2); k++) {
		if (all && !x.json && cli->argc > 2) {
			print_name(stdout, cli->argv[k]);
			puts(":");
		}
		act(cli, &x, cli->argv[0], cli->argv[k], cli->argv + k + 1);
	}
	if (x.json)
		json_print(x.json);
	code = cli_close(cli);
out:
	free(x.buf);
	return code;
}
