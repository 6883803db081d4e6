/* ACLs between the disk's form and the users'. */
#include "image.h"

#include "base/err.h"
#include "base/rng.h"
#include "disk/acl.h"

/* user::rw-, user:1000:r--, group::r--, group:70000:---, mask::rw-, other::r-- */
static const u8 on_disk[] = "\1\0\0\0"
			    "\1\0\6\0"
			    "\2\0\4\0\xe8\3\0\0"
			    "\4\0\4\0"
			    "\10\0\0\0\x70\x11\1\0"
			    "\20\0\6\0"
			    "\40\0\4\0";
static const u8 to_users[] = "\2\0\0\0"
			     "\1\0\6\0\xff\xff\xff\xff"
			     "\2\0\4\0\xe8\3\0\0"
			     "\4\0\4\0\xff\xff\xff\xff"
			     "\10\0\0\0\x70\x11\1\0"
			     "\20\0\6\0\xff\xff\xff\xff"
			     "\40\0\4\0\xff\xff\xff\xff";
enum { DISK_SIZE = sizeof(on_disk) - 1, USER_SIZE = sizeof(to_users) - 1 };

static void test_XA_7_both_ways(void **state)
{
	u8 out[100];

	assert_int_equal(acl_from_disk(on_disk, DISK_SIZE, NULL, 0), USER_SIZE);
	assert_int_equal(acl_from_disk(on_disk, DISK_SIZE, out, USER_SIZE), USER_SIZE);
	assert_memory_equal(out, to_users, USER_SIZE);
	assert_int_equal(acl_from_disk(on_disk, DISK_SIZE, out, USER_SIZE - 1), -ERANGE);
	assert_int_equal(acl_to_disk(to_users, USER_SIZE, NULL, 0), DISK_SIZE);
	assert_int_equal(acl_to_disk(to_users, USER_SIZE, out, sizeof(out)), DISK_SIZE);
	assert_memory_equal(out, on_disk, DISK_SIZE);
	assert_int_equal(acl_to_disk(to_users, USER_SIZE, out, DISK_SIZE - 1), -ERANGE);
	assert_int_equal(acl_to_disk("\2\0\0\0", 4, out, sizeof(out)), 0);
}

static int user_with(u32 at, u8 value)
{
	u8 copy[sizeof(to_users)];

	memcpy(copy, to_users, sizeof(copy));
	copy[at] = value;
	return acl_to_disk(copy, USER_SIZE, NULL, 0);
}

static void test_malformed_from_users(void **state)
{
	assert_int_equal(user_with(0, 1), -EOPNOTSUPP); /* version */
	assert_int_equal(user_with(4, 2), -EINVAL);	/* no owner */
	assert_int_equal(user_with(4, 3), -EINVAL);	/* no such tag */
	assert_int_equal(user_with(5, 1), -EINVAL);
	assert_int_equal(user_with(6, 8), -EINVAL);   /* no such permission */
	assert_int_equal(user_with(12, 1), -EINVAL);  /* two owners */
	assert_int_equal(user_with(12, 8), -EINVAL);  /* out of order */
	assert_int_equal(user_with(36, 32), -EINVAL); /* no mask */
	assert_int_equal(user_with(44, 16), -EINVAL); /* two masks, no other */
	for (u32 i = 0; i < 3; i++) {		      /* at either end of a good list */
		static const u8 tags[] = {0, 0x30, 0x40};
		u8 list[4 + 3 * 8] = "\2\0\0\0\1\0\6\0\0\0\0\0\4\0\4\0\0\0\0\0\40\0\4";
		u8 longer[sizeof(list) + 8] = {0};

		assert_true(acl_to_disk(list, sizeof(list), NULL, 0) > 0);
		memcpy(longer, list, sizeof(list));
		longer[sizeof(list)] = tags[i];
		assert_int_equal(acl_to_disk(longer, sizeof(longer), NULL, 0), -EINVAL);
		memmove(longer + 12, list + 4, sizeof(list) - 4);
		longer[4] = tags[i];
		assert_int_equal(acl_to_disk(longer, sizeof(longer), NULL, 0), -EINVAL);
	}
	assert_int_equal(acl_to_disk("\3\0\0\0", 4, NULL, 0), -EOPNOTSUPP);
	assert_int_equal(acl_to_disk(to_users, USER_SIZE - 1, NULL, 0), -EINVAL);
	assert_int_equal(acl_to_disk(to_users, USER_SIZE - 8, NULL, 0), -EINVAL);
	assert_int_equal(acl_to_disk(to_users, 3, NULL, 0), -EINVAL);
	assert_int_equal(acl_to_disk(to_users, 0, NULL, 0), -EINVAL);
}

static void test_malformed_on_disk(void **state)
{
	u8 copy[sizeof(on_disk)];

	for (size_t size = 0; size < DISK_SIZE; size++)
		assert_int_equal(acl_from_disk(on_disk, size, NULL, 0), -EUCLEAN);
	memcpy(copy, on_disk, sizeof(copy));
	copy[0] = 2;
	assert_int_equal(acl_from_disk(copy, DISK_SIZE, NULL, 0), -EUCLEAN);
	memcpy(copy, on_disk, sizeof(copy));
	memset(copy + 12, 0xff, 4); /* a user that is none */
	assert_int_equal(acl_from_disk(copy, DISK_SIZE, NULL, 0), -EUCLEAN);
}

/* Without named entries the mask may be missing; ids come in any order. */
static void test_minimal(void **state)
{
	static const u8 minimal[] = "\1\0\0\0\1\0\6\0\4\0\4\0\40\0\4\0";
	static const u8 unsorted[] =
		"\1\0\0\0\1\0\6\0\2\0\4\0\2\0\0\0\2\0\4\0\1\0\0\0\4\0\4\0\20\0\7\0"
		"\40\0\4\0";

	assert_int_equal(acl_from_disk(minimal, sizeof(minimal) - 1, NULL, 0), 4 + 3 * 8);
	assert_int_equal(acl_from_disk(unsorted, sizeof(unsorted) - 1, NULL, 0), 4 + 6 * 8);
}

static void test_HD_9_garbage(void **state)
{
	u8 out[200];
	struct rng r;

	rng_init(&r, 7);
	for (u32 n = 0; n < 50000; n++) {
		size_t size = rng_below(&r, DISK_SIZE + 1);
		u8 *exact = malloc(size + 1);

		memcpy(exact, on_disk, size);
		if (size > 4)
			exact[4 + rng_below(&r, size - 4)] = (u8)rng_below(&r, 64);
		acl_from_disk(exact, size, out, sizeof(out));
		if (size)
			exact[0] = 2;
		acl_to_disk(exact, size, out, sizeof(out));
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_XA_7_both_ways),
		cmocka_unit_test(test_malformed_from_users),
		cmocka_unit_test(test_malformed_on_disk),
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_HD_9_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
