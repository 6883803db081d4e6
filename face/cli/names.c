/* Names, paths and modes as text. */
#include "cli.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void print_name(FILE *out, const char *name)
{
	bool terminal = isatty(fileno(out));

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;

		if (!terminal) {
			putc(c, out);
		} else if (c == 0xc2 && (unsigned char)name[1] >> 5 == 4) {
			putc('?', out); /* U+0080 to U+009F */
			name++;
		} else {
			putc(c < ' ' || c == 0x7f ? '?' : c, out);
		}
	}
}

char *path_join(const char *dir, const char *name)
{
	size_t len = strlen(dir);
	char *path = NULL;

	if (asprintf(&path, "%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}

bool is_dot(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

void path_base(const char *path, char *out, size_t size)
{
	size_t end = strlen(path), begin;

	while (end && path[end - 1] == '/')
		end--;
	begin = end;
	while (begin && path[begin - 1] != '/')
		begin--;
	if (end - begin >= size)
		end = begin + size - 1;
	memcpy(out, path + begin, end - begin);
	out[end - begin] = '\0';
	if (is_dot(out))
		out[0] = '\0';
}

const char *type_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "symlink";
	case S_IFCHR:
		return "character device";
	case S_IFBLK:
		return "block device";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "unknown";
	}
}

static char type_letter(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return '-';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	default:
		return '?';
	}
}

void mode_string(uint32_t mode, char out[11])
{
	static const struct {
		uint32_t bit;
		int at;
		char both, alone; /* with and without the execute bit there */
	} special[] = {{S_ISUID, 3, 's', 'S'}, {S_ISGID, 6, 's', 'S'}, {S_ISVTX, 9, 't', 'T'}};

	out[0] = type_letter(mode);
	for (int k = 0; k < 9; k++)
		out[k + 1] = mode & 0400 >> k ? "rwx"[k % 3] : '-';
	for (int k = 0; k < 3; k++)
		if (mode & special[k].bit)
			out[special[k].at] =
				out[special[k].at] == 'x' ? special[k].both : special[k].alone;
	out[10] = '\0';
}
