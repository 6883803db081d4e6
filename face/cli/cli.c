/* What all commands share: options, messages, the image. */
#include "cli.h"
#include "image_lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *cli_reason(int err)
{
	switch (err) {
	case -EUCLEAN:
		return "the file system is corrupt there; run e2fsck";
	case -EBADMSG:
		return "a checksum does not match; run e2fsck";
	default:
		return strerror(-err);
	}
}

int cli_fail_text(struct cli *cli, const char *object, const char *why)
{
	fflush(stdout);
	fprintf(stderr, "uext4: %s: ", cli->command);
	if (isatty(STDERR_FILENO))
		print_name(stderr, object);
	else
		fputs(object, stderr);
	fprintf(stderr, ": %s\n", why);
	cli->failed = true;
	return EXIT_FAILED;
}

int cli_fail(struct cli *cli, const char *object, int err)
{
	return cli_fail_text(cli, object, cli_reason(err));
}

int cli_usage_of(struct cli *cli, const char *word, const char *why)
{
	fprintf(stderr, "uext4: %s: %s: %s\nTry 'uext4 %s --help'.\n", cli->command, word, why,
		cli->command);
	return EXIT_USAGE;
}

int cli_usage(struct cli *cli, const char *why)
{
	fprintf(stderr, "uext4: %s: %s\nTry 'uext4 %s --help'.\n", cli->command, why, cli->command);
	return EXIT_USAGE;
}

static void help(const struct cli *cli)
{
	printf("Usage: uext4 %s %s\n"
	       "  --offset BYTES  where the file system starts in IMAGE\n"
	       "  --read-only     refuse to change anything\n"
	       "  --help\n",
		cli->command, cli->synopsis);
}

bool parse_uint(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	return !errno && !*end && *out <= max;
}

enum { OPT_OFFSET = 256, OPT_READ_ONLY, OPT_JSON, OPT_HELP, LONG_COUNT_MAX = 16 };

static const struct option common_options[] = {
	{"offset", required_argument, NULL, OPT_OFFSET},
	{"read-only", no_argument, NULL, OPT_READ_ONLY},
	{"json", no_argument, NULL, OPT_JSON},
	{"help", no_argument, NULL, OPT_HELP},
};
enum { COMMON_COUNT = sizeof(common_options) / sizeof(common_options[0]) };

/* What getopt did not take: a letter, which may stand among others, or a long option. */
static const char *bad_option(char **argv, char word[3])
{
	if (optopt <= 0 || optopt > 0x7e)
		return argv[optind - 1];
	word[0] = '-';
	word[1] = (char)optopt;
	word[2] = '\0';
	return word;
}

/* -1 to go on, or an exit code. */
static int take_option(struct cli *cli, int letter, char **argv, cli_option_fn *option, void *arg)
{
	char word[3];

	switch (letter) {
	case OPT_OFFSET:
		if (!parse_uint(optarg, INT64_MAX, &cli->options.offset))
			return cli_usage_of(cli, optarg, "the offset is not a number");
		return -1;
	case OPT_READ_ONLY:
		cli->options.read_only = true;
		return -1;
	case OPT_JSON:
		if (!strstr(cli->synopsis, "--json"))
			return cli_usage(cli, "it has no JSON output");
		cli->json = true;
		return -1;
	case OPT_HELP:
		help(cli);
		return EXIT_OK;
	case '?':
	case ':':
		return cli_usage_of(cli, bad_option(argv, word),
			"there is no such option, or its value is missing");
	default:
		return option && option(arg, letter, optarg)
			       ? -1
			       : cli_usage_of(cli, optarg, "the value makes no sense");
	}
}

int cli_options(struct cli *cli, int argc, char **argv, const char *letters,
	const struct option *long_options, cli_option_fn *option, void *arg)
{
	struct option all[LONG_COUNT_MAX] = {{0}};
	int letter, code = -1, count = 0;

	for (; long_options && long_options->name; long_options++)
		all[count++] = *long_options;
	memcpy(all + count, common_options, sizeof(common_options));
	opterr = 0;
	optind = 1;
	while (code < 0 && (letter = getopt_long(argc, argv, letters, all, NULL)) != -1)
		code = take_option(cli, letter, argv, option, arg);
	cli->argc = argc - optind;
	cli->argv = argv + optind;
	return code;
}

/* A program that just ended may still hold its image for a moment. */
enum { BUSY_WAIT_MS = 2000 };

static void log_message(void *arg, enum uext4_log_level level, const char *message)
{
	if (level <= UEXT4_LOG_WARNING)
		fprintf(stderr, "uext4: %s\n", message);
}

int cli_open(struct cli *cli, bool write, int operands_min, int operands_max)
{
	int err;

	if (cli->argc < operands_min)
		return cli_usage(cli, "operands are missing");
	if (operands_max && cli->argc > operands_max)
		return cli_usage(cli, "there are too many operands");
	if (write && cli->options.read_only)
		return cli_usage(cli, "it can't work read-only");
	cli->options.read_only = !write;
	cli->options.log = log_message;
	cli->image = cli->argv[0];
	image_lock_wait(cli->image, write, BUSY_WAIT_MS);
	err = uext4_open(cli->image, &cli->options, &cli->fs);
	if (err == -EINVAL)
		return cli_fail_text(cli, cli->image, "there is no ext4 file system to be opened");
	if (err)
		return cli_fail(cli, cli->image, err);
	cli->argc--;
	cli->argv++;
	return -1;
}

int cli_close(struct cli *cli)
{
	int err = uext4_close(cli->fs);

	if (err)
		cli_fail(cli, cli->image, err);
	return cli->failed ? EXIT_FAILED : EXIT_OK;
}

int cli_resolve(struct cli *cli, const char *path, unsigned flags, struct uext4_inode **out)
{
	int err = uext4_resolve(cli->fs, NULL, path, flags, NULL, out);

	return err ? cli_fail(cli, path, err) : 0;
}

int cli_resolve_parent(struct cli *cli, const char *path, struct uext4_inode **dir, char *name)
{
	int err = uext4_resolve_parent(cli->fs, NULL, path, NULL, dir, name);

	return err ? cli_fail(cli, path, err) : 0;
}
