/* uext4 trim: what is free goes back to the device. */
#include "cli.h"

struct range {
	uint64_t start, len, min;
};

static bool trim_option(void *arg, int letter, const char *value)
{
	struct range *r = arg;

	switch (letter) {
	case 's':
		return parse_uint(value, INT64_MAX, &r->start);
	case 'l':
		return parse_uint(value, UINT64_MAX, &r->len);
	case 'm':
		return parse_uint(value, INT64_MAX, &r->min);
	default:
		return false;
	}
}

int cmd_trim(struct cli *cli, int argc, char **argv)
{
	static const struct option long_options[] = {{"start", required_argument, NULL, 's'},
		{"length", required_argument, NULL, 'l'}, {"minimum", required_argument, NULL, 'm'},
		{0}};
	struct range r = {.len = UINT64_MAX};
	uint64_t bytes;
	int code = cli_options(cli, argc, argv, "s:l:m:", long_options, trim_option, &r), err;

	if (code < 0)
		code = cli_open(cli, true, 1, 1);
	if (code >= 0)
		return code;
	err = uext4_trim(cli->fs, r.start, r.len, r.min, &bytes);
	if (err)
		cli_fail(cli, cli->image, err);
	else
		printf("%llu bytes trimmed\n", (unsigned long long)bytes);
	return cli_close(cli);
}
