/* Log blocks: superblock, tags, checksums, escaping; against logs that debugfs writes. */
#include "image.h"

#include "base/err.h"
#include "base/rng.h"
#include "base/util.h"
#include "disk/jbd2.h"

#define V2 ((u32)JBD2_FEATURE_INCOMPAT_CSUM_V2)
#define V3 ((u32)JBD2_FEATURE_INCOMPAT_CSUM_V3)
#define WIDE ((u32)JBD2_FEATURE_INCOMPAT_64BIT)

static struct jbd2_super good_super(u32 incompat)
{
	struct jbd2_super s = {
		.s_header = {cpu_to_be32(JBD2_MAGIC), cpu_to_be32(JBD2_SUPER_V2), {0}},
		.s_blocksize = cpu_to_be32(1024),
		.s_maxlen = cpu_to_be32(4096),
		.s_first = cpu_to_be32(1),
		.s_sequence = cpu_to_be32(7),
		.s_start = cpu_to_be32(100),
		.s_feature_incompat = cpu_to_be32(incompat),
		.s_uuid = {1, 2, 3},
		.s_nr_users = cpu_to_be32(1),
		.s_checksum_type = JBD2_CHECKSUM_CRC32C,
	};

	return s;
}

static int decode(struct jbd2_super *s, u64 blocks, struct jbd2_info *info)
{
	const char *why = NULL;
	int err;

	jbd2_super_csum_set(s);
	err = jbd2_super_decode(s, 1024, blocks, info, &why);
	assert_true(err == 0 || (why && *why));
	return err;
}

static void refused(struct jbd2_super s, int want)
{
	struct jbd2_info info;

	assert_int_equal(decode(&s, 4096, &info), want);
}

static void test_JB_34_super(void **state)
{
	struct jbd2_super s = good_super(V3 | WIDE | JBD2_FEATURE_INCOMPAT_REVOKE);
	struct jbd2_info info;

	assert_int_equal(decode(&s, 4096, &info), 0);
	assert_int_equal(info.csum, JBD2_CSUM_V3);
	assert_int_equal(info.first, 1);
	assert_int_equal(info.end, 4096);
	assert_int_equal(info.start, 100);
	assert_int_equal(info.sequence, 7);
	assert_int_equal(info.csum_seed, jbd2_csum_seed(s.s_uuid));
	assert_int_equal(decode(&s, 4095, &info), -EUCLEAN);
	refused(good_super(V2 | V3), -EUCLEAN);
	s = good_super(V3);
	s.s_feature_compat = cpu_to_be32(1);
	refused(s, -EUCLEAN);
	s = good_super(0);
	s.s_feature_compat = cpu_to_be32(1);
	assert_int_equal(decode(&s, 4096, &info), 0);
	assert_int_equal(info.csum, JBD2_CSUM_V1);
	s = good_super(V3);
	s.s_checksum_type = 1;
	refused(s, -EUCLEAN);
	refused(good_super(0x40), -EOPNOTSUPP);
	s = good_super(0);
	s.s_feature_ro_compat = cpu_to_be32(1);
	refused(s, -EOPNOTSUPP);
	s = good_super(0x40); /* version 1 has no features: garbage there */
	s.s_header.h_blocktype = cpu_to_be32(JBD2_SUPER_V1);
	assert_int_equal(decode(&s, 4096, &info), 0);
	assert_int_equal(info.incompat, 0);
}

#define POKE(field, value, want)                                                                   \
	do {                                                                                       \
		struct jbd2_super poked = good_super(V3);                                          \
                                                                                                   \
		poked.field = cpu_to_be32(value);                                                  \
		refused(poked, want);                                                              \
	} while (0)

static void test_RC_4_super_numbers(void **state)
{
	struct jbd2_super s = good_super(V3);

	POKE(s_header.h_magic, 1, -EUCLEAN);
	POKE(s_header.h_blocktype, 2, -EUCLEAN);
	POKE(s_blocksize, 4096, -EUCLEAN);
	POKE(s_maxlen, 1023, -EUCLEAN);
	POKE(s_maxlen, 4097, -EUCLEAN);
	POKE(s_first, 0, -EUCLEAN);
	POKE(s_first, 4096, -EUCLEAN);
	POKE(s_start, 4096, -EUCLEAN);
	POKE(s_start, 4095, 0);
	POKE(s_start, 0, 0);
	POKE(s_sequence, 0, 0); /* JB-30 */
	s.s_start = cpu_to_be32(0);
	s.s_first = cpu_to_be32(4096);
	refused(s, -EUCLEAN);
	s.s_first = cpu_to_be32(4095);
	refused(s, 0);
}

static void test_JB_36_fast_commit_area(void **state)
{
	struct jbd2_super s = good_super(JBD2_FEATURE_INCOMPAT_FAST_COMMIT);
	struct jbd2_info info;

	assert_int_equal(decode(&s, 4096, &info), 0);
	assert_int_equal(info.end, 4096 - 256);
	assert_int_equal(info.fc_first, 4096 - 256 + 1);
	assert_int_equal(info.fc_blocks, 255);
	s.s_num_fc_blks = cpu_to_be32(10);
	assert_int_equal(decode(&s, 4096, &info), 0);
	assert_int_equal(info.end, 4086);
	s.s_start = cpu_to_be32(4086);
	assert_int_equal(decode(&s, 4096, &info), -EUCLEAN);
	s = good_super(JBD2_FEATURE_INCOMPAT_FAST_COMMIT);
	s.s_num_fc_blks = cpu_to_be32(4096 - 1024);
	assert_int_equal(decode(&s, 4096, &info), 0);
	s.s_num_fc_blks = cpu_to_be32(4096 - 1023);
	assert_int_equal(decode(&s, 4096, &info), -EUCLEAN);
	s.s_num_fc_blks = cpu_to_be32(0xffffffff);
	assert_int_equal(decode(&s, 4096, &info), -EUCLEAN);
}

static bool super_ok(void *s)
{
	return jbd2_super_csum_ok(s);
}

static void test_super_checksum(void **state)
{
	struct jbd2_super s = good_super(V3);
	struct jbd2_info info;
	const char *why;

	jbd2_super_csum_set(&s);
	/* But for the bits that say whether there is one. */
	flip_every_bit(&s, 8, 0x28, super_ok, &s);
	flip_every_bit(&s, 0x2c, 0x400, super_ok, &s);
	s.s_sequence.raw ^= 1;
	assert_int_equal(jbd2_super_decode(&s, 1024, 4096, &info, &why), -EBADMSG);
}

static void test_RC_9_tag_sizes(void **state)
{
	assert_int_equal(jbd2_tag_size(0), 8);
	assert_int_equal(jbd2_tag_size(WIDE), 12);
	assert_int_equal(jbd2_tag_size(V2), 10);
	assert_int_equal(jbd2_tag_size(V2 | WIDE), 14);
	assert_int_equal(jbd2_tag_size(V3), 16);
	assert_int_equal(jbd2_tag_size(V3 | WIDE), 16);
	assert_int_equal(jbd2_tags_per_block(1024, V3), 61); /* JB-13, as Linux writes them */
}

static void test_JB_13_tags_both_ways(void **state)
{
	static const u32 kinds[] = {0, WIDE, V2, V2 | WIDE, V3, V3 | WIDE};
	u8 block[1024];
	struct rng r;

	rng_init(&r, 8);
	for (u32 n = 0; n < 600; n++) {
		u32 incompat = kinds[n % 6], count = 1 + (u32)rng_below(&r, 130), offset = 0,
		    put = 0;
		struct jbd2_tag tags[130], t;
		struct jbd2_tag_iter it;

		memset(block, 0xff, sizeof(block));
		for (; put < count; put++) {
			tags[put] = (struct jbd2_tag){
				.blocknr = rng_u64(&r) & (incompat & WIDE ? ~0ull : 0xffffffff),
				.flags = (u32)rng_below(&r, 2) * JBD2_FLAG_ESCAPE,
				.checksum = (u32)rng_u64(&r),
			};
			if (!jbd2_tag_put(block, 1024, incompat, &offset, &tags[put]))
				break;
		}
		assert_int_equal(put, min_of(count, jbd2_tags_per_block(1024, incompat)));
		assert_true(offset + jbd2_tail_size(incompat) <= 1024);
		jbd2_tag_finish(block, incompat, offset);
		for (u32 i = 0; i < 16; i++) /* in place of the uuid */
			assert_int_equal(block[12 + jbd2_tag_size(incompat) + i], 0);
		jbd2_tag_iter_init(&it, block, 1024, incompat);
		for (u32 i = 0; i < put; i++) {
			assert_true(jbd2_tag_next(&it, &t));
			assert_int_equal(t.blocknr, tags[i].blocknr);
			assert_int_equal(t.flags, tags[i].flags | (i ? JBD2_FLAG_SAME_UUID : 0) |
							  (i == put - 1 ? JBD2_FLAG_LAST : 0));
			assert_int_equal(t.checksum, tags[i].checksum & t.checksum_mask);
		}
		assert_false(jbd2_tag_next(&it, &t));
	}
}

/* RC-4: tags without a last one end with the block. */
static void test_RC_4_tags_stay_inside(void **state)
{
	static const u32 kinds[] = {0, WIDE, V2, V2 | WIDE, V3, V3 | WIDE};
	u8 *block = calloc(1, 1024);
	struct jbd2_tag_iter it;
	struct jbd2_tag t;
	u32 n;

	for (u32 k = 0; k < 6; k++) {
		u32 size = jbd2_tag_size(kinds[k]);

		jbd2_tag_iter_init(&it, block, 1024, kinds[k]); /* no SAME_UUID: 16 bytes each */
		for (n = 0; jbd2_tag_next(&it, &t); n++)
			assert_true(12 + n * (size + 16) + size + jbd2_tail_size(kinds[k]) <= 1024);
		assert_true(n >= (1024 - 12) / (size + 16));
	}
	for (u32 k = 0; k < 6; k++) { /* one behind another up to the tail */
		u32 size = jbd2_tag_size(kinds[k]), room = 1024 - 12 - jbd2_tail_size(kinds[k]);

		memset(block, 0, 1024);
		for (u32 i = 0; i < room / size; i++)
			block[12 + i * size + 7] = JBD2_FLAG_SAME_UUID;
		for (u32 end = 12 + size; end <= 1024; end++) {
			jbd2_tag_iter_init(&it, block, end, kinds[k]);
			for (n = 0; jbd2_tag_next(&it, &t); n++)
				assert_true(12 + (n + 1) * size + jbd2_tail_size(kinds[k]) <= end);
			assert_int_equal(n, (end - 12 - jbd2_tail_size(kinds[k])) / size);
		}
	}
	free(block);
}

static u8 csum_block[1024];

static bool tail_ok(void *b)
{
	return jbd2_tail_csum_ok(3, b, 1024);
}

static bool commit_ok(void *b)
{
	return jbd2_commit_csum_ok(3, b, 1024);
}

static bool tag_ok(void *b)
{
	const struct jbd2_tag *t = (void *)((u8 *)b + 1024);

	return jbd2_tag_csum_ok(3, 9, b, 1024, t);
}

static void test_RC_6_block_checksums(void **state)
{
	u8 data[1024 + sizeof(struct jbd2_tag)];
	struct jbd2_tag *t = (void *)(data + 1024);
	struct rng r;

	rng_init(&r, 9);
	for (u32 i = 0; i < 1024; i++)
		data[i] = csum_block[i] = (u8)rng_u64(&r);
	jbd2_tail_csum_set(3, csum_block, 1024);
	flip_every_bit(csum_block, 0, 1024, tail_ok, csum_block);
	jbd2_commit_csum_set(3, csum_block, 1024);
	flip_every_bit(csum_block, 0, 1024, commit_ok, csum_block);
	*t = (struct jbd2_tag){.checksum = jbd2_tag_csum(3, 9, data, 1024), .checksum_mask = ~0u};
	flip_every_bit(data, 0, 1024, tag_ok, data);
	assert_false(jbd2_tag_csum_ok(3, 10, data, 1024, t));
	t->checksum &= t->checksum_mask = 0xffff;
	flip_every_bit(data, 0, 1024, tag_ok, data);
	t->checksum_mask = 0;
	t->checksum = 0;
	assert_true(tag_ok(data));
}

static void test_RC_6_partial_commit(void **state)
{
	memset(csum_block, 0, sizeof(csum_block));
	jbd2_header_set(csum_block, JBD2_COMMIT, 5);
	assert_int_equal(jbd2_header_type(csum_block, 5), JBD2_COMMIT);
	assert_int_equal(jbd2_header_type(csum_block, 6), 0);
	jbd2_commit_csum_set(3, csum_block, 1024);
	assert_true(jbd2_commit_csum_partial_ok(3, csum_block, 1024));
	csum_block[600] = 1;
	assert_false(commit_ok(csum_block));
	assert_true(jbd2_commit_csum_partial_ok(3, csum_block, 1024));
	csum_block[0x31] = 1;
	assert_false(jbd2_commit_csum_partial_ok(3, csum_block, 1024));
}

static void test_JB_12_escape(void **state)
{
	u8 data[8] = {0xc0, 0x3b, 0x39, 0x98, 1, 2, 3, 4};

	assert_true(jbd2_must_escape(data));
	jbd2_escape(data);
	assert_memory_equal(data, "\0\0\0\0\1\2\3\4", 8);
	assert_false(jbd2_must_escape(data));
	jbd2_unescape(data);
	assert_memory_equal(data, "\xc0\x3b\x39\x98\1\2\3\4", 8);
}

struct seen {
	u32 tags, descriptors, revokes, commits, sequence;
	u64 sum;
};

static void *log_block(struct image *im, lblk_t lblk)
{
	return image_block(im, image_map(im, im->sb.journal_inum, lblk));
}

static lblk_t check_descriptor(struct image *im, const struct jbd2_info *info, const void *block,
	lblk_t lblk, struct seen *seen)
{
	struct jbd2_tag_iter it;
	struct jbd2_tag t;

	jbd2_tag_iter_init(&it, block, im->sb.block_size, info->incompat);
	while (jbd2_tag_next(&it, &t)) {
		void *data = log_block(im, ++lblk);

		assert_true(jbd2_tag_csum_ok(
			info->csum_seed, seen->sequence, data, im->sb.block_size, &t));
		assert_true(info->csum == JBD2_CSUM_NONE || t.checksum_mask);
		seen->sum += t.blocknr;
		seen->tags++;
		free(data);
	}
	seen->descriptors++;
	return lblk;
}

/* Follows the log from its start to its end. */
static void walk_log(struct image *im, const struct jbd2_info *info, struct seen *seen)
{
	u32 bs = im->sb.block_size, type;
	bool sums = info->csum >= JBD2_CSUM_V2;
	lblk_t lblk = info->start;

	for (;; lblk++) {
		void *block = log_block(im, lblk);

		type = jbd2_header_type(block, seen->sequence);
		if (type == JBD2_DESCRIPTOR || type == JBD2_REVOKE)
			assert_true(!sums || jbd2_tail_csum_ok(info->csum_seed, block, bs));
		if (type == JBD2_DESCRIPTOR)
			lblk = check_descriptor(im, info, block, lblk, seen);
		else if (type == JBD2_REVOKE)
			seen->revokes++;
		else if (type == JBD2_COMMIT)
			assert_true(!sums || jbd2_commit_csum_ok(info->csum_seed, block, bs));
		if (type == JBD2_COMMIT) {
			seen->commits++;
			seen->sequence++;
		}
		free(block);
		if (!type)
			break;
	}
}

static void check_log(
	const char *mkfs_args, const char *open_args, enum jbd2_csum csum, u32 incompat)
{
	struct jbd2_super *js;
	struct jbd2_info info;
	struct seen seen = {0};
	char script[300];
	struct image im;
	const char *why;

	image_make(&im, mkfs_args, "16M");
	snprintf(script, sizeof(script),
		"jo %s\njw -b 3000,3001,3002 /dev/zero\njw -b 3000,3005 -r 3001,3002 "
		"/dev/zero\njc\n",
		open_args);
	image_debugfs(&im, script);
	image_open(&im);
	js = log_block(&im, 0);
	assert_int_equal(jbd2_super_decode(js, im.sb.block_size, 1024, &info, &why), 0);
	assert_int_equal(info.csum, csum);
	assert_int_equal(info.incompat & (V2 | V3 | WIDE), incompat);
	seen.sequence = info.sequence;
	walk_log(&im, &info, &seen);
	assert_int_equal(seen.commits, 2);
	assert_int_equal(seen.tags, 5);
	assert_int_equal(seen.sum, 3000 + 3001 + 3002 + 3000 + 3005);
	assert_int_equal(seen.revokes, 1);
	free(js);
	image_remove(&im);
}

#define LOG_FS "-t ext4 -b 1024 -J size=1 -N 64 -O "

static void test_RC_9_logs_of_debugfs(void **state)
{
	check_log(LOG_FS "metadata_csum,64bit", "-c -v 3", JBD2_CSUM_V3, V3 | WIDE);
	check_log(LOG_FS "metadata_csum,^64bit", "-c -v 3", JBD2_CSUM_V3, V3);
	check_log(LOG_FS "metadata_csum,64bit", "-c -v 2", JBD2_CSUM_V2, V2 | WIDE);
	check_log(LOG_FS "metadata_csum,^64bit", "-c -v 2", JBD2_CSUM_V2, V2);
	check_log(LOG_FS "^metadata_csum,64bit", "", JBD2_CSUM_NONE, WIDE);
	check_log(LOG_FS "^metadata_csum,^64bit", "", JBD2_CSUM_NONE, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_JB_34_super),
		cmocka_unit_test(test_RC_4_super_numbers),
		cmocka_unit_test(test_JB_36_fast_commit_area),
		cmocka_unit_test(test_super_checksum),
		cmocka_unit_test(test_RC_9_tag_sizes),
		cmocka_unit_test(test_JB_13_tags_both_ways),
		cmocka_unit_test(test_RC_4_tags_stay_inside),
		cmocka_unit_test(test_RC_6_block_checksums),
		cmocka_unit_test(test_RC_6_partial_commit),
		cmocka_unit_test(test_JB_12_escape),
		cmocka_unit_test(test_RC_9_logs_of_debugfs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
