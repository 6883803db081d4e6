/* IO-9: a tree whose extents fit into the inode again gives its leaf back. */
#include "map_test.h"

static void up(struct tmap *t)
{
	tmap_open(t, 16 << 20, "-b 1024", true, FIXTURE_MEMORY);
}

static void create(struct tmap *t, lblk_t lblk, u32 len, u32 flags)
{
	struct mapping m;

	assert_int_equal(tmap_create(t, lblk, len, flags, &m), 0);
	assert_int_equal(m.len, len);
}

static void folded(struct tmap *t, u64 data)
{
	assert_int_equal(tmap_depth(t), 0);
	assert_int_equal(t->blocks, data);
	tmap_check(t, data);
	tmap_close(t);
}

/* Five extents need a leaf; at four they fold into the inode. */
static void test_IO_9_fold(void **state)
{
	struct tmap t;

	up(&t);
	for (u32 i = 0; i < 5; i++)
		create(&t, 3 * i, 1, 0);
	assert_int_equal(tmap_depth(&t), 1);
	tmap_check(&t, 5);
	assert_int_equal(tmap_remove(&t, 6, 7), 0);
	folded(&t, 4);
}

/* A conversion that joins its neighbours takes two extents away: six become four. */
static void test_IO_9_fold_by_conversion(void **state)
{
	int (*const convert[])(struct tmap * t, lblk_t lblk, u32 len) = {
		tmap_unwritten, tmap_written};
	struct tmap t;

	for (u32 way = 0; way < 2; way++) {
		up(&t);
		create(&t, 0, 6, way ? 0 : MAP_CREATE_UNWRITTEN);
		for (lblk_t lblk = 0; lblk < 6; lblk += 2)
			assert_int_equal(convert[!way](&t, lblk, 1), 0);
		assert_int_equal(tmap_extents(&t), 6);
		assert_int_equal(tmap_depth(&t), 1);
		assert_int_equal(convert[!way](&t, 1, 1), 0);
		assert_int_equal(tmap_extents(&t), 4);
		folded(&t, 6);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_IO_9_fold),
		cmocka_unit_test(test_IO_9_fold_by_conversion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
