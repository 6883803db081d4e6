/* Which states a power cut may leave: exactly those that src/dev/dev.h allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs the headers above before it */
#include <cmocka.h>

#include <stdlib.h>

#include "sim/disk/disk.h"
#include "sim/disk/states.h"

#define SECTORS 32u

struct world {
	struct sim_pages blank;
	struct sim_disk *disk;
	struct dev *dev;
	struct sim_cursor cursor;
	struct sim_states_params states;
};

static struct world w;

static void open_world(struct sim_disk_params params)
{
	u8 zero[SECTORS * SIM_SECTOR];

	memset(zero, '.', sizeof(zero));
	sim_pages_init(&w.blank, sizeof(zero));
	sim_pages_write(&w.blank, 0, zero, sizeof(zero));
	params.record = true;
	w.states = (struct sim_states_params){.seed = 1};
	w.disk = sim_disk_create(&w.blank, &params);
	w.dev = sim_disk_dev(w.disk);
}

static void close_world(void)
{
	dev_close(w.dev);
	sim_disk_destroy(w.disk);
	sim_pages_fini(&w.blank);
}

/* Writes the letter to each of the sectors. */
static void put(u64 sector, u32 count, char letter, u32 flags)
{
	u8 buf[SECTORS * SIM_SECTOR];

	memset(buf, letter, count * SIM_SECTOR);
	assert_int_equal(dev_write(w.dev, sector * SIM_SECTOR, buf, count * SIM_SECTOR, flags), 0);
}

/* The first sectors of an image, a letter each. */
static void letters(const struct sim_pages *p, char *out, unsigned count)
{
	u8 sector[SIM_SECTOR];

	for (unsigned i = 0; i < count; i++) {
		sim_pages_read(p, i * SIM_SECTOR, sector, SIM_SECTOR);
		out[i] = (char)sector[0];
	}
	out[count] = 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* All states of a cut at a position, each once, sorted, with a space after each. */
static void states_at(size_t position, unsigned sectors, char *out, size_t size)
{
	static char seen[4096][SECTORS + 1];
	size_t count = 0;

	sim_cursor_init(&w.cursor, sim_disk_history(w.disk), 0, &w.states);
	sim_cursor_advance(&w.cursor, position);
	for (u32 way = 0; way < sim_cursor_ways(&w.cursor); way++) {
		struct sim_cut cut;

		sim_cut_make(&w.cursor, way, &cut);
		assert_true(cut.count <= 4096);
		for (u64 i = 0; i < cut.count; i++) {
			struct sim_pages image;

			sim_cut_choose(&w.cursor, &cut, i);
			sim_cut_build(&w.cursor, &image);
			letters(&image, seen[count++], sectors);
			sim_pages_fini(&image);
		}
	}
	sim_cursor_fini(&w.cursor);
	qsort(seen, count, sizeof(seen[0]), by_text);
	*out = 0;
	for (size_t i = 0; i < count; i++) {
		if (i && strcmp(seen[i], seen[i - 1]) == 0)
			continue;
		assert_true(strlen(out) + sectors + 2 < size);
		strcat(strcat(out, seen[i]), " ");
	}
}

static void assert_states(size_t position, unsigned sectors, const char *expected)
{
	char found[8192];

	states_at(position, sectors, found, sizeof(found));
	assert_string_equal(found, expected);
}

static size_t now(void)
{
	return sim_disk_position(w.disk);
}

static void write_flush_write(void **state)
{
	open_world((struct sim_disk_params){0});
	put(0, 1, 'A', 0);
	assert_states(now(), 2, ".. A. ");
	assert_int_equal(dev_flush(w.dev), 0);
	assert_states(now() - 1, 2, ".. A. ");
	assert_states(now(), 2, "A. ");
	put(1, 1, 'B', 0);
	assert_states(now() - 1, 2, "A. AB "); /* in flight */
	assert_states(now(), 2, "A. AB ");
	close_world();
}

static void every_sector_for_itself(void **state)
{
	open_world((struct sim_disk_params){0});
	put(0, 2, 'A', 0);
	put(3, 1, 'B', 0);
	assert_states(now(), 4, ".... ...B .A.. .A.B A... A..B AA.. AA.B ");
	close_world();
}

/* The cache may have written back an older version of a sector, but not one below what is durable.
 */
static void versions_of_a_sector(void **state)
{
	open_world((struct sim_disk_params){0});
	put(0, 1, 'A', 0);
	put(0, 1, 'B', 0);
	assert_states(now(), 1, ". A B ");
	assert_int_equal(dev_flush(w.dev), 0);
	put(0, 1, 'C', 0);
	assert_states(now(), 1, "B C ");
	close_world();
}

static void fua_is_durable_alone(void **state)
{
	open_world((struct sim_disk_params){0});
	put(0, 1, 'A', 0);
	put(1, 1, 'B', DEV_FUA);
	assert_states(now(), 2, ".B AB ");
	assert_states(now() - 1, 2, ".. .B A. AB ");
	close_world();
}

/* What was complete before a FUA write to the same sector can't come back, also by a flush. */
static void fua_over_an_older_write(void **state)
{
	open_world((struct sim_disk_params){0});
	put(0, 2, 'A', 0);
	put(0, 1, 'B', DEV_FUA);
	assert_states(now(), 2, "B. BA ");
	assert_int_equal(dev_flush(w.dev), 0);
	assert_states(now(), 2, "BA ");
	close_world();
}

static void fua_by_flush(void **state)
{
	open_world((struct sim_disk_params){.no_fua = true});
	put(0, 1, 'A', 0);
	put(1, 1, 'B', DEV_FUA);
	assert_states(now(), 2, "AB ");
	assert_states(now() - 1, 2, ".. .B A. AB ");
	close_world();
}

/* While a PREFLUSH write is in flight: nothing of it before the flush, all older ones after it. */
static void preflush_comes_before_its_write(void **state)
{
	open_world((struct sim_disk_params){0});
	put(0, 1, 'A', 0);
	put(1, 2, 'B', DEV_PREFLUSH | DEV_FUA);
	assert_states(now() - 1, 3, "... A.. A.B AB. ABB ");
	assert_states(now(), 3, "ABB ");
	put(0, 1, 'C', 0);
	put(3, 1, 'D', DEV_PREFLUSH);
	assert_states(now(), 4, "CBB. CBBD ");
	close_world();
}

/* Completion ends the right of a flush that was submitted before it to cover a write. */
static void flush_covers_what_was_complete(void **state)
{
	struct dev_req write = {.op = DEV_WRITE, .len = SIM_SECTOR, .iov_count = 1};
	struct dev_req flush = {.op = DEV_FLUSH}, *reqs[2] = {&flush, &write};
	struct dev_queue *q;
	u8 buf[SIM_SECTOR];
	struct iovec iov = {buf, sizeof(buf)};

	open_world((struct sim_disk_params){0});
	memset(buf, 'A', sizeof(buf));
	write.iov = &iov;
	assert_int_equal(dev_queue_create(w.dev, 8, &q), 0);
	dev_submit(q, reqs, 2);
	dev_drain(q);
	assert_states(now(), 1, ". A ");
	dev_queue_destroy(q);
	close_world();
}

static void range_that_is_never_torn(void **state)
{
	open_world((struct sim_disk_params){0});
	w.states.whole_offset = SIM_SECTOR;
	w.states.whole_bytes = 2 * SIM_SECTOR;
	put(0, 4, 'A', 0);
	assert_states(now(), 4, ".... ...A .AA. .AAA A... A..A AAA. AAAA ");
	put(2, 1, 'B', 0);
	assert_states(now(), 4, ".... ...A .AA. .AAA .AB. .ABA A... A..A AAA. AAAA AAB. AABA ");
	close_world();
}

static void zeroes_and_discards_are_writes(void **state)
{
	open_world((struct sim_disk_params){0});
	assert_int_equal(dev_discard(w.dev, 0, SIM_SECTOR), 0);
	assert_states(now(), 1, ". \xbd ");
	put(0, 1, 'A', 0);
	assert_int_equal(dev_flush(w.dev), 0);
	assert_int_equal(dev_write_zeroes(w.dev, 0, SIM_SECTOR, DEV_FUA), 0);
	assert_states(now(), 1, " ");
	close_world();
}

static void no_cache_no_choice(void **state)
{
	open_world((struct sim_disk_params){.write_through = true});
	put(0, 2, 'A', 0);
	assert_states(now(), 2, "AA ");
	assert_states(now() - 1, 2, ".. .A A. AA ");
	close_world();
}

static void liar_flushes_nothing(void **state)
{
	open_world((struct sim_disk_params){.lies_on_flush = true, .lies_on_fua = true});
	put(0, 1, 'A', DEV_FUA);
	assert_int_equal(dev_flush(w.dev), 0);
	assert_states(now(), 1, ". A ");
	close_world();
}

/* Many sectors: the listed kinds are there. */
static void listed_states(void **state)
{
	char found[8192];
	struct sim_cut cut;

	open_world((struct sim_disk_params){0});
	w.states.exhaustive = 4;
	put(0, 2, 'A', 0);
	put(2, 2, 'B', 0);
	put(4, 1, 'C', 0);
	states_at(now(), 5, found, sizeof(found));
	/* Nothing, everything; prefixes; each one dropped; each one alone; each one torn. */
	assert_non_null(strstr(found, "..... "));
	assert_non_null(strstr(found, "AABBC "));
	assert_non_null(strstr(found, "AA... "));
	assert_non_null(strstr(found, "AABB. "));
	assert_non_null(strstr(found, "..BBC "));
	assert_non_null(strstr(found, "AA..C "));
	assert_non_null(strstr(found, "..BB. "));
	assert_non_null(strstr(found, "....C "));
	assert_true(strstr(found, "A.BBC ") || strstr(found, ".ABBC "));
	assert_true(strstr(found, "AAB.C ") || strstr(found, "AA.BC "));
	sim_cursor_init(&w.cursor, sim_disk_history(w.disk), 0, &w.states);
	sim_cursor_advance(&w.cursor, now());
	sim_cut_make(&w.cursor, 0, &cut);
	assert_false(cut.exhaustive);
	assert_int_equal(cut.count, 2 + 3 * 3 + 3 * SIM_TORN_VARIANTS + 64);
	sim_cursor_fini(&w.cursor);
	close_world();
}

static u64 image_hash(const struct sim_pages *p)
{
	u64 hash = 0;
	u8 sector[SIM_SECTOR];

	for (u64 s = 0; s < SECTORS; s++) {
		sim_pages_read(p, s * SIM_SECTOR, sector, SIM_SECTOR);
		hash = (hash ^ sim_sector_hash(sector)) * 0x9e3779b97f4a7c15ull;
	}
	return hash;
}

static void random_history(u64 seed)
{
	srand((unsigned)seed);
	for (unsigned i = 0; i < 60; i++) {
		unsigned kind = (unsigned)rand() % 12, at = (unsigned)rand() % (SECTORS - 4);
		u32 flags = (kind == 1 ? DEV_FUA : 0) | (kind == 2 ? DEV_PREFLUSH : 0);

		if (kind == 0)
			assert_int_equal(dev_flush(w.dev), 0);
		else if (kind == 3)
			assert_int_equal(
				dev_write_zeroes(w.dev, at * SIM_SECTOR, SIM_SECTOR, 0), 0);
		else
			put(at, 1 + (unsigned)rand() % 4, (char)('a' + rand() % 3), flags);
	}
}

struct pair {
	u64 hash, content;
};

static int by_hash(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static int by_content(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->content < y->content ? -1 : x->content > y->content;
}

/* The hash that is known before a state is built tells two states apart, and only those. */
static void hash_means_content(void **state)
{
	static struct pair pairs[100000];
	size_t count = 0, same = 0;

	open_world((struct sim_disk_params){0});
	w.states.exhaustive = 64;
	w.states.whole_offset = SIM_SECTOR * 2;
	w.states.whole_bytes = SIM_SECTOR * 2;
	random_history(5);
	sim_cursor_init(&w.cursor, sim_disk_history(w.disk), 12345, &w.states);
	for (size_t p = 0; p <= now(); p++) {
		sim_cursor_advance(&w.cursor, p);
		for (u32 way = 0; way < sim_cursor_ways(&w.cursor); way++) {
			struct sim_cut cut;

			sim_cut_make(&w.cursor, way, &cut);
			for (u64 i = 0; i < cut.count && count < 100000; i++) {
				struct sim_pages image;

				pairs[count].hash = sim_cut_choose(&w.cursor, &cut, i);
				sim_cut_build(&w.cursor, &image);
				pairs[count++].content = image_hash(&image);
				sim_pages_fini(&image);
			}
		}
	}
	sim_cursor_fini(&w.cursor);
	assert_true(count > 5000);
	qsort(pairs, count, sizeof(pairs[0]), by_hash);
	for (size_t i = 1; i < count; i++) {
		same += pairs[i].hash == pairs[i - 1].hash;
		if (pairs[i].hash == pairs[i - 1].hash)
			assert_int_equal(pairs[i].content, pairs[i - 1].content);
	}
	assert_true(same > 100);
	qsort(pairs, count, sizeof(pairs[0]), by_content);
	for (size_t i = 1; i < count; i++)
		if (pairs[i].content == pairs[i - 1].content)
			assert_int_equal(pairs[i].hash, pairs[i - 1].hash);
	close_world();
}

/* Hashes of all states in the order of their numbers. */
static u64 enumeration(u64 seed)
{
	u64 hash = 0;

	w.states.seed = seed;
	sim_cursor_init(&w.cursor, sim_disk_history(w.disk), 0, &w.states);
	for (size_t p = 0; p <= now(); p++) {
		struct sim_cut cut;

		sim_cursor_advance(&w.cursor, p);
		sim_cut_make(&w.cursor, 0, &cut);
		for (u64 i = 0; i < cut.count; i++)
			hash = hash * 31 + sim_cut_choose(&w.cursor, &cut, i);
	}
	sim_cursor_fini(&w.cursor);
	return hash;
}

static void seed_makes_the_states(void **state)
{
	open_world((struct sim_disk_params){0});
	w.states.exhaustive = 8;
	random_history(6);
	assert_true(enumeration(1) == enumeration(1));
	assert_true(enumeration(1) != enumeration(2));
	close_world();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(write_flush_write),
		cmocka_unit_test(every_sector_for_itself),
		cmocka_unit_test(versions_of_a_sector),
		cmocka_unit_test(fua_is_durable_alone),
		cmocka_unit_test(fua_over_an_older_write),
		cmocka_unit_test(fua_by_flush),
		cmocka_unit_test(preflush_comes_before_its_write),
		cmocka_unit_test(flush_covers_what_was_complete),
		cmocka_unit_test(range_that_is_never_torn),
		cmocka_unit_test(zeroes_and_discards_are_writes),
		cmocka_unit_test(no_cache_no_choice),
		cmocka_unit_test(liar_flushes_nothing),
		cmocka_unit_test(listed_states),
		cmocka_unit_test(hash_means_content),
		cmocka_unit_test(seed_makes_the_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
