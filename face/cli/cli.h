/*
 * The command line. Each command is one function in cmd_NAME.c, listed in main.c, and acts as root
 * on the image: what it may do is decided by who may open the image.
 *
 * Messages: "uext4: command: object: why". Exit codes: 0 all done, 1 something failed, 2 misuse.
 */
#ifndef FACE_CLI_CLI_H
#define FACE_CLI_CLI_H

#include <getopt.h>
#include <json.h>
#include <stdio.h>
#include <uext4.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct level;

struct cli {
	const char *command;
	const char *synopsis; /* of the command, for --help */
	const char *image;
	bool json;
	struct uext4_options options;
	struct uext4_fs *fs;
	bool failed;		   /* an error was told */
	const struct level *level; /* the directory that is being walked */
	int argc;		   /* operands after the image */
	char **argv;
};

struct command {
	const char *name;
	int (*run)(struct cli *cli, int argc, char **argv);
	const char *summary;
	const char *synopsis; /* operands and options, a line each */
};

/* --- cli.c --- */

/* "uext4: command: object: why"; remembers that something failed. Returns EXIT_FAILED. */
int cli_fail(struct cli *cli, const char *object, int err);
int cli_fail_text(struct cli *cli, const char *object, const char *why);
int cli_usage(struct cli *cli, const char *why);
/* The same about a word of the command line. Both return EXIT_USAGE. */
int cli_usage_of(struct cli *cli, const char *word, const char *why);
const char *cli_reason(int err);

/*
 * Reads the options of a command: letters as for getopt, besides --offset, --read-only, --json and
 * --help; option is called for each letter, and returns false when its value makes no sense.
 * Afterwards the operands are in cli->argv. Returns -1 to go on, or an exit code.
 */
typedef bool cli_option_fn(void *arg, int letter, const char *value);
int cli_options(struct cli *cli, int argc, char **argv, const char *letters,
	const struct option *long_options, cli_option_fn *option, void *arg);

/* Opens the image that the first operand names, and drops that operand. -1 to go on, or an exit
 * code. */
int cli_open(struct cli *cli, bool write, int operands_min, int operands_max);
/* Closes; the exit code of the command. */
int cli_close(struct cli *cli);

/* 0, or EXIT_FAILED after a message. */
int cli_resolve(struct cli *cli, const char *path, unsigned flags, struct uext4_inode **out);
int cli_resolve_parent(struct cli *cli, const char *path, struct uext4_inode **dir, char *name);

bool parse_uint(const char *text, uint64_t max, uint64_t *out);

/* --- names.c --- */

/* Control characters, those of two bytes in UTF-8 included, become '?' when the output is a
 * terminal. */
void print_name(FILE *out, const char *name);
/* DIR/NAME, allocated; NULL without memory. */
char *path_join(const char *dir, const char *name);
/* The last component; "" for "/", "." or "..", which name no entry to make. */
void path_base(const char *path, char *out, size_t size);
bool is_dot(const char *name);
/* "drwxr-xr-x" and a NUL. */
void mode_string(uint32_t mode, char out[11]);
const char *type_name(uint32_t mode);

/* --- mode.c --- */

/* Octal, or symbolic as in chmod(1). The new mode of a file with mode, or -EINVAL. */
int mode_parse(const char *text, uint32_t mode, uint32_t umask);

/* --- json.c --- */

void json_print(struct json_object *value); /* and frees it */
/* A name is bytes: one that is not UTF-8 is shown with U+FFFD, and exactly as KEY_hex. */
void json_add_name(struct json_object *to, const char *key, const char *name);
/* The same as a text; shown has room for 3 bytes per byte and a NUL. False if it is not exact. */
bool json_text(const char *name, char *shown);
struct json_object *json_hex(const char *bytes, size_t len);
void json_add_uint(struct json_object *to, const char *key, uint64_t value);
void json_add_time(struct json_object *to, const char *key, struct timespec time);
struct json_object *json_stat(const struct uext4_stat *st);

/* --- fiemap.c --- */

/* Prints the extents, or adds them to the array. 0 or -errno. */
int fiemap_each(struct uext4_inode *inode, struct json_object *json);

/* --- progress.c --- */

struct progress {
	const char *what;
	bool on; /* a person watches */
	uint64_t files, bytes;
	struct timespec shown;
};
void progress_start(struct progress *p, const char *what);
void progress_add(struct progress *p, uint64_t files, uint64_t bytes);
void progress_end(struct progress *p);

/* --- commands --- */

int cmd_check(struct cli *cli, int argc, char **argv);
int cmd_info(struct cli *cli, int argc, char **argv);
int cmd_ls(struct cli *cli, int argc, char **argv);
int cmd_cat(struct cli *cli, int argc, char **argv);
int cmd_stat(struct cli *cli, int argc, char **argv);
int cmd_get(struct cli *cli, int argc, char **argv);
int cmd_put(struct cli *cli, int argc, char **argv);
int cmd_mkdir(struct cli *cli, int argc, char **argv);
int cmd_rm(struct cli *cli, int argc, char **argv);
int cmd_mv(struct cli *cli, int argc, char **argv);
int cmd_ln(struct cli *cli, int argc, char **argv);
int cmd_chmod(struct cli *cli, int argc, char **argv);
int cmd_chown(struct cli *cli, int argc, char **argv);
int cmd_xattr(struct cli *cli, int argc, char **argv);
int cmd_map(struct cli *cli, int argc, char **argv);
int cmd_trim(struct cli *cli, int argc, char **argv);
int cmd_umount(struct cli *cli, int argc, char **argv);

#endif
