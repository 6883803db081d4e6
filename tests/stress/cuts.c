/*
 * cuts IMAGE LOG OUT SEED COUNT FIRST: COUNT times, what IMAGE may hold after a power cut somewhere
 * behind the first FIRST bytes of LOG goes to OUT. The place, in bytes of the log, goes to stdout,
 * and the next one is made when a line comes in.
 */
#include "tests/crash/cut.h"
#include "write_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	struct dev_record_entry *entries;
	u64 *places; /* per entry: where it ends in the log */
	size_t count;
} t;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* Privately: the simulator may write to what it is given. */
static u8 *map_file(const char *path, u64 *size)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	void *data;

	if (fd < 0 || fstat(fd, &st) < 0)
		die(path);
	*size = (u64)st.st_size;
	data = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		die(path);
	close(fd);
	return data;
}

/* The submission of each write, by its number. */
static void read_log(u8 *log, u64 size)
{
	size_t max = size / sizeof(struct write_log_head) + 1, writes = 0;
	u8 **data = calloc(max, sizeof(*data));

	t.entries = calloc(max, sizeof(*t.entries));
	t.places = calloc(max, sizeof(*t.places));
	for (u64 at = 0; at + sizeof(struct write_log_head) <= size;) {
		struct dev_record_entry *e = &t.entries[t.count];
		struct write_log_head head;

		memcpy(&head, log + at, sizeof(head));
		at += sizeof(head);
		if (head.kind == LOG_SUBMIT) {
			data[writes++] = log + at;
			at += head.len;
		}
		*e = (struct dev_record_entry){.kind = DEV_REC_FLUSH, .covers = head.number};
		if (head.kind != LOG_FLUSH)
			*e = (struct dev_record_entry){.kind = head.kind == LOG_SUBMIT
								       ? DEV_REC_SUBMIT_WRITE
								       : DEV_REC_WRITE,
				.offset = head.offset,
				.len = head.len,
				.data = data[head.number]};
		t.places[t.count++] = at;
	}
	free(data);
}

static void store(const char *path, const u8 *medium, u64 size)
{
	static const u8 zeroes[4096];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		die(path);
	for (u64 at = 0; at < size; at += sizeof(zeroes))
		if (memcmp(medium + at, zeroes, sizeof(zeroes)) != 0 &&
			pwrite(fd, medium + at, sizeof(zeroes), (off_t)at) !=
				(ssize_t)sizeof(zeroes))
			die(path);
	close(fd);
}

int main(int argc, char **argv)
{
	u64 size, log_size, count, first;
	struct cutter cutter;
	struct rng rng;
	u8 *image, *log, *medium;
	size_t begin = 0;

	if (argc != 7) {
		fprintf(stderr, "usage: cuts IMAGE LOG OUT SEED COUNT FIRST\n");
		return 2;
	}
	image = map_file(argv[1], &size);
	log = map_file(argv[2], &log_size);
	rng_init(&rng, strtoull(argv[4], NULL, 0));
	count = strtoull(argv[5], NULL, 0);
	first = strtoull(argv[6], NULL, 0);
	medium = malloc(size);
	read_log(log, log_size);
	while (begin < t.count && t.places[begin] <= first)
		begin++;
	cutter_init(&cutter, image, size, t.entries, t.count);
	for (u64 k = 0; k < count; k++) {
		size_t share = (t.count - begin) / count + 1;
		size_t at =
			begin + (size_t)((t.count - begin) * k / count) + rng_below(&rng, share);

		at = at < t.count ? at : t.count - 1;
		cutter_build(&cutter, at, &rng, medium);
		store(argv[3], medium, size);
		printf("%llu\n", at ? (unsigned long long)t.places[at - 1] : 0ull);
		fflush(stdout);
		if (getchar() == EOF)
			break;
	}
	cutter_fini(&cutter);
	free(medium);
	free(t.entries);
	free(t.places);
	return 0;
}
