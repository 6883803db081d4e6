/* uext4: the one program. Finds the command and runs it. */
#include "cli.h"

#include <string.h>

#ifdef UEXT4_FUSE
#include "../fuse/mount.h"
#endif

static const struct command commands[] = {
	{"info", cmd_info, "show the superblock", "IMAGE\n  --json"},
	{"check", cmd_check, "look for damage; changes nothing",
		"[-t THREADS] [-m MIB] [-j DEVICE] IMAGE\n"
		"  -t, --threads THREADS  as many as it gains by\n"
		"  -m, --memory MIB       no more memory than that\n"
		"  -j, --journal DEVICE   where an external journal is\n"
		"  --json\n"
		"Exit codes are those of fsck: 0 sound, 4 damaged, 8 it could not be checked, 16 "
		"misuse."},
	{"ls", cmd_ls, "list directories",
		"[-alRdi] IMAGE [PATH...]\n"
		"  -a  entries that begin with a dot, too\n"
		"  -l  long: mode, links, owner, group, size, time\n"
		"  -R  all below\n"
		"  -d  directories themselves, not what is in them\n"
		"  -i  inode numbers\n"
		"  --json"},
	{"cat", cmd_cat, "write files to the standard output", "IMAGE PATH..."},
	{"stat", cmd_stat, "show the attributes of files",
		"[-L] IMAGE PATH...\n  -L  follow symbolic links\n  --json"},
	{"get", cmd_get, "copy files out of the image",
		"[-r] IMAGE PATH... DESTINATION\n"
		"  -r  directories, with all that is in them\n"
		"Keeps modes, times, holes, hard links, extended attributes, and, as root, owners "
		"and "
		"devices."},
	{"put", cmd_put, "copy files into the image",
		"[-r] [-o USER:GROUP] IMAGE SOURCE... DESTINATION\n"
		"  -r  directories, with all that is in them\n"
		"  -o, --owner USER:GROUP  instead of the owners of the sources\n"
		"SOURCE may be -, the standard input. Keeps what get keeps."},
	{"mkdir", cmd_mkdir, "make directories",
		"[-p] [-m MODE] IMAGE PATH...\n"
		"  -p       parents, too; no error if it is there\n"
		"  -m MODE  octal or symbolic (0755)"},
	{"rm", cmd_rm, "remove files",
		"[-rf] IMAGE PATH...\n"
		"  -r  directories, with all that is in them\n"
		"  -f  no error if it is not there"},
	{"mv", cmd_mv, "move or rename", "[-n] IMAGE SOURCE... DESTINATION\n  -n  replace nothing"},
	{"ln", cmd_ln, "make links", "[-sf] IMAGE TARGET PATH\n  -s  symbolic\n  -f  replace PATH"},
	{"chmod", cmd_chmod, "change modes",
		"[-R] IMAGE MODE PATH...\n  -R  all below\nMODE is octal or symbolic, as in "
		"chmod(1)."},
	{"chown", cmd_chown, "change owners",
		"[-Rh] IMAGE USER:GROUP PATH...\n"
		"  -R  all below\n"
		"  -h  symbolic links themselves\n"
		"Names are those of this machine; either may be left out."},
	{"xattr", cmd_xattr, "extended attributes",
		"[-h] IMAGE list PATH... | get PATH NAME | set PATH NAME VALUE | "
		"remove PATH NAME\n"
		"  -h  a symbolic link itself\n"
		"  --json (list, get)\n"
		"VALUE is text, or 0x... for bytes; get writes the bytes as they are."},
	{"map", cmd_map, "show where the blocks of files are",
		"[--fiemap] IMAGE PATH...\n"
		"  --fiemap  with the flags of ioctl FIEMAP\n"
		"  --json"},
	{"trim", cmd_trim, "give free blocks back to the device or the host",
		"[-s BYTES] [-l BYTES] [-m BYTES] IMAGE\n"
		"  -s, --start BYTES    where in the file system to begin\n"
		"  -l, --length BYTES   how much to look at; to the end\n"
		"  -m, --minimum BYTES  leave shorter pieces alone"},
	{"umount", cmd_umount, "unmount, and wait until the image is complete", "DIR"},
};
enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void help(FILE *out)
{
	fputs("Usage: uext4 COMMAND [OPTION...] IMAGE [PATH...]\n"
	      "Reads and changes ext4 file systems in images and block devices.\n\n",
		out);
	for (int k = 0; k < COMMAND_COUNT; k++)
		fprintf(out, "  %-8s%s\n", commands[k].name, commands[k].summary);
#ifdef UEXT4_FUSE
	fputs("  mount   make the file system visible in a directory (FUSE)\n", out);
#endif
	fputs("\nAll commands take --help, --offset BYTES (of a partition in IMAGE), --read-only.\n"
	      "uext4(1) has examples.\n",
		out);
}

static int run(const struct command *c, int argc, char **argv)
{
	struct cli cli = {.command = c->name,
		.synopsis = c->synopsis,
		.options = {.size = sizeof(cli.options)}};

	return c->run(&cli, argc, argv);
}

/* mount(8) calls its helpers by the name of the type. */
static bool is_mount_helper(const char *program)
{
	const char *slash = strrchr(program, '/');

	return strncmp(slash ? slash + 1 : program, "mount.", 6) == 0;
}

static int other(const char *name)
{
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(name, "--version") || !strcmp(name, "-V") || !strcmp(name, "version")) {
		printf("uext4 %s\n", uext4_version());
		return EXIT_OK;
	}
	fprintf(stderr, "uext4: there is no command %s\nTry 'uext4 --help'.\n", name);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int code = -1;

#ifdef UEXT4_FUSE
	if (argc > 0 && is_mount_helper(argv[0]))
		return mount_main(argc, argv, true);
	if (argc > 1 && !strcmp(argv[1], "mount"))
		return mount_main(argc - 1, argv + 1, false);
#else
	if ((argc > 0 && is_mount_helper(argv[0])) || (argc > 1 && !strcmp(argv[1], "mount"))) {
		fputs("uext4: mount: this program was built without FUSE\n", stderr);
		return EXIT_FAILED;
	}
#endif
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	for (int k = 0; k < COMMAND_COUNT && code < 0; k++)
		if (!strcmp(argv[1], commands[k].name))
			code = run(&commands[k], argc - 1, argv + 1);
	if (code < 0)
		code = other(argv[1]);
	if ((fflush(stdout) || ferror(stdout)) && code == EXIT_OK) {
		perror("uext4: standard output");
		code = EXIT_FAILED;
	}
	return code;
}
