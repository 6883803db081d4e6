/* Sorting the words after -o into those for the file system and those for FUSE. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum kind {
	IGNORED, /* what other tools understand, or what is so anyway */
	PASSED,	 /* for libfuse or the kernel */
	FLAG,	 /* sets the bool at offset */
	CLEARED, /* clears it */
	SPECIAL, /* handled by apply_special */
	VALUE,	 /* NAME=..., handled by apply_value */
	PASSED_VALUE,
	REFUSED, /* we know what it means and can't do it */
};

struct option_spec {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *why; /* REFUSED */
};

#define AT(member) offsetof(struct mount_options, member)

static const struct option_spec specs[] = {
	{"defaults", IGNORED, 0, NULL},
	{"auto", IGNORED, 0, NULL},
	{"noauto", IGNORED, 0, NULL},
	{"user", IGNORED, 0, NULL},
	{"users", IGNORED, 0, NULL},
	{"nouser", IGNORED, 0, NULL},
	{"owner", IGNORED, 0, NULL},
	{"group", IGNORED, 0, NULL},
	{"_netdev", IGNORED, 0, NULL},
	{"nofail", IGNORED, 0, NULL},
	{"delalloc", CLEARED, AT(fs.nodelalloc), NULL},
	{"nodelalloc", FLAG, AT(fs.nodelalloc), NULL},
	{"init_itable", CLEARED, AT(fs.noinit_itable), NULL},
	{"noinit_itable", FLAG, AT(fs.noinit_itable), NULL},
	{"nolazytime", IGNORED, 0, NULL},
	{"default_permissions", IGNORED, 0, NULL},
	{"diratime", CLEARED, AT(fs.nodiratime), NULL},
	{"nodiratime", FLAG, AT(fs.nodiratime), NULL},
	{"noacl", FLAG, AT(fs.no_acl), NULL},
	{"acl", CLEARED, AT(fs.no_acl), NULL},
	{"fakeroot", FLAG, AT(fakeroot), NULL},
	{"nouser_xattr", FLAG, AT(fs.no_user_xattr), NULL},
	{"user_xattr", CLEARED, AT(fs.no_user_xattr), NULL},
	{"nobarrier", FLAG, AT(fs.no_barrier), NULL},
	{"barrier", CLEARED, AT(fs.no_barrier), NULL},
	{"grpid", FLAG, AT(fs.grpid), NULL},
	{"bsdgroups", FLAG, AT(fs.grpid), NULL},
	{"nogrpid", CLEARED, AT(fs.grpid), NULL},
	{"sysvgroups", CLEARED, AT(fs.grpid), NULL},
	{"no_direct_io", FLAG, AT(fs.no_direct_io), NULL},
	{"no_io_uring", FLAG, AT(fs.no_io_uring), NULL},
	{"discard", FLAG, AT(fs.discard), NULL},
	{"nodiscard", CLEARED, AT(fs.discard), NULL},
	{"debug", FLAG, AT(debug), NULL},
	{"clone_fd", FLAG, AT(clone_fd), NULL},
	{"stats", FLAG, AT(stats), NULL},
	{"ro", SPECIAL, 0, NULL},
	{"rw", SPECIAL, 0, NULL},
	{"noload", SPECIAL, 0, NULL},
	{"norecovery", SPECIAL, 0, NULL},
	{"atime", SPECIAL, 0, NULL},
	{"noatime", SPECIAL, 0, NULL},
	{"relatime", SPECIAL, 0, NULL},
	{"strictatime", SPECIAL, 0, NULL},
	{"norelatime", SPECIAL, 0, NULL},
	{"nostrictatime", SPECIAL, 0, NULL},
	{"offset", VALUE, 0, NULL},
	{"sizelimit", VALUE, 0, NULL},
	{"sb", VALUE, 0, NULL},
	{"errors", VALUE, 0, NULL},
	{"commit", VALUE, 0, NULL},
	{"data", VALUE, 0, NULL},
	{"data_err", VALUE, 0, NULL},
	{"barrier", VALUE, 0, NULL},
	{"uid", VALUE, 0, NULL},
	{"gid", VALUE, 0, NULL},
	{"cache_size", VALUE, 0, NULL},
	{"max_threads", VALUE, 0, NULL},
	{"journal_path", VALUE, 0, NULL},
	{"comment", VALUE, 0, NULL},
	{"suid", PASSED, 0, NULL},
	{"nosuid", PASSED, 0, NULL},
	{"dev", PASSED, 0, NULL},
	{"nodev", PASSED, 0, NULL},
	{"exec", PASSED, 0, NULL},
	{"noexec", PASSED, 0, NULL},
	{"sync", PASSED, 0, NULL},
	{"async", PASSED, 0, NULL},
	{"dirsync", PASSED, 0, NULL},
	{"allow_other", PASSED, 0, NULL},
	{"allow_root", PASSED, 0, NULL},
	{"auto_unmount", PASSED, 0, NULL},
	{"async_read", PASSED, 0, NULL},
	{"sync_read", PASSED, 0, NULL},
	{"writeback_cache", PASSED, 0, NULL},
	{"no_writeback_cache", PASSED, 0, NULL},
	{"async_dio", PASSED, 0, NULL},
	{"no_async_dio", PASSED, 0, NULL},
	{"fsname", PASSED_VALUE, 0, NULL},
	{"subtype", PASSED_VALUE, 0, NULL},
	{"max_read", PASSED_VALUE, 0, NULL},
	{"max_write", PASSED_VALUE, 0, NULL},
	{"max_readahead", PASSED_VALUE, 0, NULL},
	{"max_background", PASSED_VALUE, 0, NULL},
	{"congestion_threshold", PASSED_VALUE, 0, NULL},
	{"readdirplus", PASSED_VALUE, 0, NULL},
	{"context", PASSED_VALUE, 0, NULL},
	{"fscontext", PASSED_VALUE, 0, NULL},
	{"defcontext", PASSED_VALUE, 0, NULL},
	{"rootcontext", PASSED_VALUE, 0, NULL},
	{"lazytime", REFUSED, 0, "times are always written"},
	{"remount", REFUSED, 0, "unmount and mount again"},
};

bool mount_options_pass(struct mount_options *o, const char *name, const char *value)
{
	char *word = NULL;
	bool ok;

	if (asprintf(&word, "-o%s%s%s", name, value ? "=" : "", value ? value : "") < 0)
		return false;
	ok = fuse_opt_add_arg(&o->fuse, word) == 0;
	free(word);
	return ok;
}

/* A number, perhaps with K, M, G or T (powers of 1024). */
static bool parse_number(const char *text, uint64_t max, uint64_t *out)
{
	static const char units[] = "KMGT";
	char *end;
	uint64_t n;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 0);
	for (const char *unit = units; *end && *unit; unit++) {
		if (n > UINT64_MAX / 1024)
			return false;
		n *= 1024;
		if (*end == *unit || *end == *unit + 'a' - 'A') {
			end++;
			break;
		}
	}
	if (errno || *end || n > max)
		return false;
	*out = n;
	return true;
}

static void apply_special(struct mount_options *o, const char *name)
{
	if (!strcmp(name, "ro"))
		o->fs.read_only = true;
	else if (!strcmp(name, "rw"))
		o->fs.read_only = false;
	else if (!strcmp(name, "noload") || !strcmp(name, "norecovery"))
		o->fs.no_recovery = true;
	else if (!strcmp(name, "noatime"))
		o->fs.atime = UEXT4_NOATIME;
	else if (!strcmp(name, "strictatime"))
		o->fs.atime = UEXT4_STRICTATIME;
	else
		o->fs.atime = UEXT4_RELATIME;
}

/* Options whose value is one of a few words. NULL, or what is wrong. */
static const char *apply_choice(struct mount_options *o, const char *name, const char *value)
{
	if (!strcmp(name, "errors")) {
		if (!strcmp(value, "continue"))
			o->fs.errors = UEXT4_ERRORS_CONTINUE;
		else if (!strcmp(value, "remount-ro"))
			o->fs.errors = UEXT4_ERRORS_RO;
		else if (!strcmp(value, "panic"))
			o->fs.errors = UEXT4_ERRORS_STOP;
		else
			return "it is continue, remount-ro or panic";
	} else if (!strcmp(name, "data")) {
		if (strcmp(value, "ordered"))
			return "only data=ordered is supported";
	} else {
		o->fs.data_err_abort = !strcmp(value, "abort");
		if (!o->fs.data_err_abort && strcmp(value, "ignore"))
			return "it is abort or ignore";
	}
	return NULL;
}

/* Options whose value is a number. NULL, or what is wrong. */
static const char *apply_number(struct mount_options *o, const char *name, const char *value)
{
	bool small = !strcmp(name, "uid") || !strcmp(name, "gid") || !strcmp(name, "max_threads") ||
		     !strcmp(name, "barrier");
	uint64_t n;

	if (!strcmp(name, "commit") ? !parse_number(value, UINT32_MAX / 1000, &n)
				    : !parse_number(value, small ? UINT32_MAX - 1 : INT64_MAX, &n))
		return "its value is not a number that makes sense";
	if (!strcmp(name, "offset"))
		o->fs.offset = n;
	else if (!strcmp(name, "sizelimit"))
		o->fs.length = n;
	else if (!strcmp(name, "sb"))
		o->fs.superblock = n;
	else if (!strcmp(name, "commit"))
		o->fs.commit_interval_ms = (uint32_t)n * 1000;
	else if (!strcmp(name, "barrier"))
		o->fs.no_barrier = n == 0;
	else if (!strcmp(name, "cache_size"))
		o->fs.cache_bytes = n;
	else if (!strcmp(name, "max_threads"))
		o->max_threads = (unsigned)n;
	else if (!strcmp(name, "uid"))
		o->set_uid = true, o->uid = (uint32_t)n;
	else
		o->set_gid = true, o->gid = (uint32_t)n;
	return NULL;
}

static const char *apply_value(struct mount_options *o, const char *name, const char *value)
{
	if (!strcmp(name, "comment"))
		return NULL;
	if (!strcmp(name, "journal_path")) {
		if (!realpath(value, o->journal_path))
			return strerror(errno);
		o->fs.journal_path = o->journal_path;
		return NULL;
	}
	if (!strcmp(name, "errors") || !strcmp(name, "data") || !strcmp(name, "data_err"))
		return apply_choice(o, name, value);
	return apply_number(o, name, value);
}

static const struct option_spec *spec_find(const char *name, bool with_value)
{
	for (size_t k = 0; k < sizeof(specs) / sizeof(specs[0]); k++) {
		bool wants = specs[k].kind == VALUE || specs[k].kind == PASSED_VALUE;

		if (!strcmp(specs[k].name, name) &&
			(wants == with_value || specs[k].kind == IGNORED))
			return &specs[k];
	}
	return NULL;
}

static const char *apply(struct mount_options *o, const struct option_spec *spec, const char *value)
{
	bool *flag = (bool *)((char *)o + spec->offset);

	switch (spec->kind) {
	case IGNORED:
		return NULL;
	case FLAG:
	case CLEARED:
		*flag = spec->kind == FLAG;
		return NULL;
	case SPECIAL:
		apply_special(o, spec->name);
		return NULL;
	case VALUE:
		return apply_value(o, spec->name, value);
	case REFUSED:
		return spec->why;
	default:
		o->has_fsname |= !strcmp(spec->name, "fsname");
		o->has_subtype |= !strcmp(spec->name, "subtype");
		return mount_options_pass(o, spec->name, value) ? NULL : "out of memory";
	}
}

/* One word of -o, which is taken apart. 0, or an exit code after a message. */
static int parse_word(struct mount_options *o, char *word)
{
	char *value = strchr(word, '=');
	const struct option_spec *spec;
	const char *wrong;

	if (!*word || !strncmp(word, "x-", 2))
		return 0;
	if (value)
		*value++ = '\0';
	spec = spec_find(word, value != NULL);
	if (!spec && o->sloppy)
		return 0;
	if (spec)
		wrong = apply(o, spec, value);
	else if (spec_find(word, value == NULL))
		wrong = value ? "it takes no value" : "it needs a value";
	else
		wrong = "there is no such option";
	if (!wrong)
		return 0;
	fprintf(stderr, "uext4: mount: option %s%s%s: %s\n", word, value ? "=" : "",
		value ? value : "", wrong);
	return 2;
}

/* Words are separated by commas; "\," is part of a word and FUSE undoes it. */
static int parse_list(struct mount_options *o, const char *list)
{
	char *copy = strdup(list), *word = copy;
	int code = copy ? 0 : 1;

	while (!code && word) {
		char *end = word;

		while (*end && *end != ',')
			end += *end == '\\' && end[1] ? 2 : 1;
		if (*end)
			*end++ = '\0';
		else
			end = NULL;
		code = parse_word(o, word);
		word = end;
	}
	free(copy);
	return code;
}

/* Flags of `uext4 mount`, and what mount(8) means by the same letters. False: unknown. */
static bool parse_flag(struct mount_options *o, char flag)
{
	switch (flag) {
	case 'f':
		*(o->helper ? &o->fake : &o->foreground) = true;
		return true;
	case 's':
		*(o->helper ? &o->sloppy : &o->single_thread) = true;
		return true;
	case 'd':
		o->debug = true;
		return true;
	case 'r':
		o->fs.read_only = true;
		return true;
	case 'w':
		o->fs.read_only = false;
		return true;
	case 'n':
	case 'v':
		return o->helper;
	case 'h':
		o->help = true;
		return true;
	case 'V':
		o->version = true;
		return true;
	default:
		return false;
	}
}

static int usage_error(const char *what, const char *arg)
{
	fprintf(stderr, "uext4: mount: %s%s\nTry 'uext4 mount --help'.\n", what, arg);
	return 2;
}

/* One argument; *k moves on if it takes the next one as its value. */
static int parse_argument(struct mount_options *o, int argc, char **argv, int *k, const char **list)
{
	const char *arg = argv[*k];

	if (!strcmp(arg, "--help"))
		return o->help = true, 0;
	if (!strcmp(arg, "--version"))
		return o->version = true, 0;
	if (!strcmp(arg, "--read-only"))
		return o->fs.read_only = true, 0;
	if (arg[0] != '-' || !arg[1]) {
		if (o->dir)
			return usage_error("one argument too many: ", arg);
		*(o->image ? &o->dir : &o->image) = arg;
		return 0;
	}
	for (const char *f = arg + 1; *f; f++) {
		if (*f == 'o' || (o->helper && (*f == 't' || *f == 'N'))) {
			const char *value = f[1] ? f + 1 : *k + 1 < argc ? argv[++*k] : NULL;

			if (!value)
				return usage_error("a value is missing after ", arg);
			if (*f == 'o')
				*list = value;
			return 0;
		}
		if (!parse_flag(o, *f))
			return usage_error("there is no flag ", arg);
	}
	return 0;
}

int mount_options_parse(struct mount_options *o, int argc, char **argv, bool helper)
{
	int code = 0;

	*o = (struct mount_options){.helper = helper,
		.fs = {.size = sizeof(o->fs), .read_only_fallback = true, .log = report_log}};
	if (fuse_opt_add_arg(&o->fuse, "uext4") < 0)
		return 1;
	for (int k = 1; k < argc && helper; k++) /* it decides how -o is read */
		o->sloppy |= !strcmp(argv[k], "-s");
	for (int k = 1; k < argc && !code; k++) {
		const char *list = NULL;

		code = parse_argument(o, argc, argv, &k, &list);
		if (!code && list)
			code = parse_list(o, list);
	}
	if (code || o->help || o->version)
		return code;
	if (!o->dir)
		return usage_error("an image and a directory are needed", "");
	o->fs.read_only |= o->fs.no_recovery || o->fs.superblock;
	return 0;
}

void mount_options_fini(struct mount_options *o)
{
	fuse_opt_free_args(&o->fuse);
}
