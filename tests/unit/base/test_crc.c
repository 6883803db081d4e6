#include "base/crc.h"
#include "base/crc_priv.h"
#include "base/rng.h"
#include "base_test.h"

static u32 by_bit_reflected(u32 crc, u32 poly, const u8 *p, size_t len)
{
	while (len-- != 0) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? poly : 0);
	}
	return crc;
}

static u32 by_bit_be(u32 crc, const u8 *p, size_t len)
{
	while (len-- != 0) {
		crc ^= (u32)*p++ << 24;
		for (int i = 0; i < 8; i++)
			crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
	}
	return crc;
}

/* The published check values, for "123456789"; those of crc32c and crc32_be are of the inverted
 * sum. */
static void test_known(void **state)
{
	static const char digits[] = "123456789";

	assert_int_equal(~crc32c(~0u, digits, 9), 0xe3069283u);
	assert_int_equal(~crc32c_table(~0u, digits, 9), 0xe3069283u);
	assert_int_equal(crc16(0, digits, 9), 0xbb3d);
	assert_int_equal(~crc32_be(~0u, digits, 9), 0xfc891918u);
}

/* Every length and alignment, with any seed, against the definition. */
static void test_definition(void **state)
{
	struct rng r;
	u8 data[600];

	rng_init(&r, 1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (u8)rng_u64(&r);
	for (size_t len = 0; len < 560; len++) {
		const u8 *p = data + rng_below(&r, 32);
		u32 seed = (u32)rng_u64(&r);
		u32 want = by_bit_reflected(seed, 0x82f63b78u, p, len);

		assert_int_equal(crc32c(seed, p, len), want);
		assert_int_equal(crc32c_table(seed, p, len), want);
		assert_int_equal(
			crc16((u16)seed, p, len), by_bit_reflected(seed & 0xffff, 0xa001, p, len));
		assert_int_equal(crc32_be(seed, p, len), by_bit_be(seed, p, len));
	}
}

/* A sum goes on from where another ended, at any cut. */
static void test_chaining(void **state)
{
	u8 data[64];

	for (u8 i = 0; i < sizeof(data); i++)
		data[i] = (u8)(i * 7);
	for (size_t cut = 0; cut <= sizeof(data); cut++) {
		const u8 *rest = data + cut;
		size_t left = sizeof(data) - cut;

		assert_int_equal(crc32c(crc32c(~0u, data, cut), rest, left), crc32c(~0u, data, 64));
		assert_int_equal(crc16(crc16(1, data, cut), rest, left), crc16(1, data, 64));
		assert_int_equal(
			crc32_be(crc32_be(~0u, data, cut), rest, left), crc32_be(~0u, data, 64));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_definition),
		cmocka_unit_test(test_chaining),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
