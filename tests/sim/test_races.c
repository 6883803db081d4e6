/* Every race of the I/O engine, and the bugs that they must find (src/base/mutant.h). */
#include "race.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static const struct race *const *const tables[] = {races_direct, races_queue, races_space,
	races_cache, races_cut, races_sync, races_fail, races_names};

#define RACES_MAX 64
#define MUTANTS_MAX 64

static void race_is_clean(void **state)
{
	assert_true(race_passes(*state, MUTANT_NONE, false));
}

/* A planted bug, and the race that finds it. */
struct planted {
	enum mutant mutant;
	const char *name, *race;
};

#define FOUND_BY(mutant, race)                                                                     \
	{                                                                                          \
		MUTANT_##mutant, "found: " #mutant, race                                           \
	}

static const struct planted planted[] = {
	FOUND_BY(CONVERT_BEFORE_IO, "IO_50_IO_82_page_filled_meanwhile"),
	FOUND_BY(SIZE_AT_SUBMISSION, "IO_59_reader_of_a_growing_file"),
	FOUND_BY(ORPHAN_BY_SIZES, "IO_29_writeback_against_extending_write"),
	FOUND_BY(INVALIDATE_TOO_EARLY, "IO_50_IO_82_page_filled_meanwhile"),
	FOUND_BY(PADDING_MISSING, "IO_49_zeros_around"),
	FOUND_BY(EXTENDS_BY_VISIBLE_SIZE, "IO_28_beyond_the_size_on_disk"),
	FOUND_BY(UNWRITTEN_AS_WRITTEN, "IO_54_dsync"),
	FOUND_BY(UNALIGNED_SHARED, "IO_41_two_writes_in_one_block"),
	FOUND_BY(APPEND_POSITION_EARLY, "IO_38_append_upgrade"),
	FOUND_BY(DIRTY_PAGES_LEFT, "IO_48_dirty_page_in_range"),
	FOUND_BY(ERROR_CONVERTS, "IO_53_error_in_the_middle"),
	FOUND_BY(CONVERT_TOO_MUCH, "IO_49_zeros_around"),
	FOUND_BY(FUA_MISSING, "IO_54_dsync"),
	FOUND_BY(FUA_TOO_EAGER, "IO_54_dsync"),
	FOUND_BY(TRUNCATE_NO_DIO_WAIT, "IO_58_IO_106_transfer_against_truncate_and_its_like"),
	FOUND_BY(FALLOCATE_NO_DIO_WAIT, "IO_58_IO_106_transfer_against_truncate_and_its_like"),
	FOUND_BY(COMPLETE_BEFORE_END, "IO_55_completion_against_fsync"),
	FOUND_BY(AHEAD_COOKIE_IGNORED, "IO_48_dirty_page_in_range"),
	FOUND_BY(CLAIM_RELEASED_TWICE, "IO_23_promised_once"),
	FOUND_BY(CLAIM_KEPT, "IO_23_promised_once"),
	FOUND_BY(DELAYED_NOT_COUNTED, "IO_71_IO_45_full_file_system"),
	FOUND_BY(SPACE_NOT_RETRIED, "IO_71_IO_45_full_file_system"),
	FOUND_BY(EOF_TAIL_KEPT, "IO_79_behind_the_end_of_file"),
	FOUND_BY(EOF_TAIL_NOT_ORDERED, "IO_79_behind_the_end_of_file"),
	FOUND_BY(DISK_SIZE_AHEAD, "IO_25_size_on_disk"),
	FOUND_BY(FILL_UNLOCKED, "IO_81_page_filled_while_punching"),
	FOUND_BY(UNWRITTEN_READ, "IO_1_unwritten_blocks"),
	FOUND_BY(ZERO_OUT_SKIPPED, "IO_14_IO_15_no_space_at_conversion"),
	FOUND_BY(RESERVE_UNUSED, "IO_14_IO_15_no_space_at_conversion"),
	FOUND_BY(COPY_SHRINKS, "copy_meets_write"),
	FOUND_BY(SHORT_COPY_KEPT, "IO_64_IO_33_short_copy"),
	FOUND_BY(SHORT_COPY_STALE, "IO_65_short_copy_indirect"),
	FOUND_BY(FSYNC_NO_FLUSH, "IO_88_overwrite"),
	FOUND_BY(FSYNC_WRONG_TID, "IO_87_new_file"),
	FOUND_BY(DATASYNC_TID_STALE, "IO_55_completion_against_fsync"),
	FOUND_BY(WB_ERROR_DROPPED, "IO_91_told_once"),
	FOUND_BY(WB_ERROR_REPEATED, "IO_91_told_once"),
	FOUND_BY(WB_RETURNED_IGNORED, "IO_94_blocks_given_back"),
	FOUND_BY(RETURN_COUNTED_EARLY, "IO_94_given_back_is_dirty"),
	FOUND_BY(CLAIM_COUNTED_LATE, "IO_94_claimed_is_counted"),
	FOUND_BY(PASS_FORGETS_WRITEBACK, "IO_94_file_off_the_list"),
	FOUND_BY(DROPPED_SILENTLY, "IO_75_dropped_without_memory"),
	FOUND_BY(DELAYED_ANYWAY, "IO_71_nodelalloc"),
	FOUND_BY(NOT_THROTTLED, "IO_64_throttled_writer"),
	FOUND_BY(REPLACE_UNWRITTEN, "IO_85_replaced_file"),
	FOUND_BY(NAME_NOT_ASKED_AGAIN, "DR_18_number_changes_hands"),
};

static const struct race *race_named(const char *name)
{
	for (unsigned t = 0; t < array_len(tables); t++)
		for (unsigned k = 0; tables[t][k]; k++)
			if (strcmp(tables[t][k]->name, name) == 0)
				return tables[t][k];
	fail_msg("no race is called %s", name);
	return NULL;
}

static void bug_is_found(void **state)
{
	const struct planted *p = *state;

	assert_false(race_passes(race_named(p->race), p->mutant, true));
}

/* By hand: test_sim_races NAME [MUTANT] runs one, and says why it fails. */
static int one(const char *name, const char *mutant)
{
	enum mutant which = MUTANT_NONE;

	for (unsigned k = 0; mutant && k < array_len(planted); k++)
		if (strcmp(planted[k].name + strlen("found: "), mutant) == 0)
			which = planted[k].mutant;
	return race_passes(race_named(name), which, false) ? 0 : 1;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[RACES_MAX + MUTANTS_MAX];
	size_t n = 0;

	if (argc > 1)
		return one(argv[1], argc > 2 ? argv[2] : NULL);
	for (unsigned t = 0; t < array_len(tables); t++)
		for (unsigned k = 0; tables[t][k]; k++)
			tests[n++] = (struct CMUnitTest){.name = tables[t][k]->name,
				.test_func = race_is_clean,
				.initial_state = (void *)tables[t][k]};
	for (unsigned k = 0; k < array_len(planted); k++)
		tests[n++] = (struct CMUnitTest){.name = planted[k].name,
			.test_func = bug_is_found,
			.initial_state = (void *)&planted[k]};
	return _cmocka_run_group_tests("races", tests, n, NULL, NULL);
}
