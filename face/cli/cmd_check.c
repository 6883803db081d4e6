/* uext4 check: what is wrong with a file system. Its exit codes are those of fsck(8). */
#include "cli.h"
#include "image_lock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FSCK_SOUND = 0, FSCK_ERRORS = 4, FSCK_FAILED = 8, FSCK_USAGE = 16 };
enum { BUSY_WAIT_MS = 2000, KINDS_MAX = 32 };

struct check {
	struct cli *cli;
	struct uext4_check_options options;
	struct uext4_check_result result;
	struct json_object *problems;
	bool watched; /* a person sees the progress */
	struct {
		const char *kind, *advice;
	} kinds[KINDS_MAX]; /* what was found: both texts are static in the library */
	int kind_count;
};

static void print_problem(const struct uext4_check_problem *p)
{
	fputs(p->note ? "note: " : "", stdout);
	printf("%s", p->kind);
	if (p->inode)
		printf(", inode %llu", (unsigned long long)p->inode);
	if (p->path) {
		fputs(" (", stdout);
		print_name(stdout, p->path);
		fputs(")", stdout);
	}
	fputs(": ", stdout);
	print_name(stdout, p->text);
	putchar('\n');
}

static void add_problem(struct json_object *to, const struct uext4_check_problem *p)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "kind", json_object_new_string(p->kind));
	json_object_object_add(o, "note", json_object_new_boolean(p->note));
	if (p->inode)
		json_add_uint(o, "inode", p->inode);
	if (p->block)
		json_add_uint(o, "block", p->block);
	if (p->path)
		json_add_name(o, "path", p->path);
	json_add_name(o, "text", p->text);
	json_add_name(o, "advice", p->advice);
	json_object_array_add(to, o);
}

static void remember_kind(struct check *check, const struct uext4_check_problem *p)
{
	int k = 0;

	while (k < check->kind_count && strcmp(check->kinds[k].kind, p->kind) != 0)
		k++;
	if (p->note || k < check->kind_count || k == KINDS_MAX)
		return;
	check->kinds[k].kind = p->kind;
	check->kinds[k].advice = p->advice;
	check->kind_count++;
}

static void take_problem(void *arg, const struct uext4_check_problem *p)
{
	struct check *check = arg;

	if (check->watched)
		fputs("\r\033[K", stderr);
	remember_kind(check, p);
	if (check->cli->json)
		add_problem(check->problems, p);
	else
		print_problem(p);
}

static void show_progress(void *arg, const char *step, uint64_t done, uint64_t total)
{
	if (total)
		fprintf(stderr, "\r\033[K%s: %llu %%", step,
			(unsigned long long)(done * 100 / total));
}

static void log_message(void *arg, enum uext4_log_level level, const char *message)
{
	if (level <= UEXT4_LOG_WARNING)
		fprintf(stderr, "uext4: %s\n", message);
}

/* --- the result --- */

static void print_result(const struct check *check)
{
	const struct uext4_check_result *r = &check->result;

	if (r->replayed)
		puts("The journal was replayed in memory: this is what a mount would find.");
	if (r->orphans)
		printf("%u files are still to be deleted or cut; the next mount does that.\n",
			r->orphans);
	printf("%llu of %llu inodes and %llu of %llu blocks in use: %llu directories, %llu files, "
	       "%llu symbolic links, %llu others\n",
		(unsigned long long)r->inodes_used, (unsigned long long)r->inodes,
		(unsigned long long)r->blocks_used, (unsigned long long)r->blocks,
		(unsigned long long)r->directories, (unsigned long long)r->files,
		(unsigned long long)r->symlinks, (unsigned long long)r->others);
	if (!r->problems) {
		printf("%s: no problems\n", check->cli->image);
		return;
	}
	printf("%s: %llu problems\n", check->cli->image, (unsigned long long)r->problems);
	for (int k = 0; k < check->kind_count; k++)
		printf("  %s: %s\n", check->kinds[k].kind, check->kinds[k].advice);
}

static void print_result_json(struct check *check)
{
	const struct uext4_check_result *r = &check->result;
	struct json_object *to = json_object_new_object();

	json_object_object_add(to, "clean", json_object_new_boolean(r->problems == 0));
	json_add_uint(to, "problem_count", r->problems);
	json_add_uint(to, "note_count", r->notes);
	json_object_object_add(to, "unmounted", json_object_new_boolean(!r->unclean));
	json_object_object_add(to, "replayed", json_object_new_boolean(r->replayed));
	json_object_object_add(to, "complete", json_object_new_boolean(!r->incomplete));
	json_add_uint(to, "orphans", r->orphans);
	json_add_uint(to, "inodes", r->inodes);
	json_add_uint(to, "inodes_used", r->inodes_used);
	json_add_uint(to, "blocks", r->blocks);
	json_add_uint(to, "blocks_used", r->blocks_used);
	json_add_uint(to, "directories", r->directories);
	json_add_uint(to, "files", r->files);
	json_add_uint(to, "symlinks", r->symlinks);
	json_add_uint(to, "others", r->others);
	json_add_uint(to, "memory", r->memory);
	json_object_object_add(to, "problems", json_object_get(check->problems));
	json_print(to);
}

static bool take_option(void *arg, int letter, const char *value)
{
	struct check *check = arg;
	uint64_t n;

	if (letter == 'j') {
		check->options.journal_path = value;
		return true;
	}
	if (!parse_uint(value, letter == 't' ? 1024 : UINT64_MAX >> 20, &n) || !n)
		return false;
	if (letter == 't')
		check->options.threads = (unsigned)n;
	else
		check->options.max_memory = n << 20;
	return true;
}

static int run(struct check *check)
{
	struct cli *cli = check->cli;
	int err;

	cli->image = cli->argv[0];
	check->options.offset = cli->options.offset;
	check->problems = json_object_new_array();
	image_lock_wait(cli->image, false, BUSY_WAIT_MS);
	err = uext4_check(cli->image, &check->options, &check->result);
	if (check->watched)
		fputs("\r\033[K", stderr);
	if (!err && cli->json)
		print_result_json(check);
	else if (!err)
		print_result(check);
	json_object_put(check->problems);
	if (err == -EINVAL)
		cli_fail_text(cli, cli->image, "there is no ext4 file system to be checked");
	else if (err == -EOPNOTSUPP)
		cli_fail_text(cli, cli->image, "it has features that are unknown here; use e2fsck");
	else if (err)
		cli_fail(cli, cli->image, err);
	return err ? FSCK_FAILED : check->result.problems ? FSCK_ERRORS : FSCK_SOUND;
}

int cmd_check(struct cli *cli, int argc, char **argv)
{
	static const struct option long_options[] = {
		{"threads", required_argument, NULL, 't'},
		{"memory", required_argument, NULL, 'm'},
		{"journal", required_argument, NULL, 'j'},
		{NULL, 0, NULL, 0},
	};
	struct check check = {.cli = cli,
		.options = {.size = sizeof(check.options),
			.problem = take_problem,
			.log = log_message,
			.paths = true,
			.arg = &check}};
	int code = cli_options(cli, argc, argv, "t:m:j:", long_options, take_option, &check);

	if (code >= 0)
		return code == EXIT_USAGE ? FSCK_USAGE : code;
	if (cli->argc != 1) {
		cli_usage(cli, "it takes one image");
		return FSCK_USAGE;
	}
	check.watched = isatty(STDERR_FILENO);
	if (check.watched)
		check.options.progress = show_progress;
	return run(&check);
}
