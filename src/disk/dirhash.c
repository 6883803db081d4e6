/* File name hashes: DR-5, DR-6. */
#include "disk/dirhash.h"

#include <string.h>

#include "base/err.h"
#include "base/util.h"

enum { MD4_WORDS = 8, TEA_WORDS = 4 };

#define HASH_END 0xfffffffeu /* marks the end of a directory for readers */

static const u32 default_seed[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

static u32 char_of(const u8 *name, u32 i, bool is_signed)
{
	return is_signed ? (u32)(s32)(s8)name[i] : name[i];
}

/* Packs the next characters, most significant first, over words of the remaining length. */
static void pack_words(const u8 *name, u32 len, bool is_signed, u32 *words, u32 count)
{
	u32 pad = len | len << 8, used = min_of(len, count * 4);

	pad |= pad << 16;
	for (u32 w = 0; w < count; w++) {
		words[w] = pad;
		for (u32 i = w * 4; i < used && i < w * 4 + 4; i++)
			words[w] = char_of(name, i, is_signed) + (words[w] << 8);
	}
}

static u32 rol(u32 x, u32 bits)
{
	return x << bits | x >> (32 - bits);
}

static u32 choose(u32 x, u32 y, u32 z)
{
	return (x & y) | (~x & z);
}

static u32 majority(u32 x, u32 y, u32 z)
{
	return (x & y) | (x & z) | (y & z);
}

static u32 parity(u32 x, u32 y, u32 z)
{
	return x ^ y ^ z;
}

/* MD4 with 8 words of input instead of 16: three rounds of 8 steps. */
static void half_md4(u32 state[4], const u32 in[MD4_WORDS])
{
	static const struct {
		u32 (*f)(u32 x, u32 y, u32 z);
		u32 constant;
		u8 order[MD4_WORDS], shift[4];
	} round[3] = {
		{choose, 0, {0, 1, 2, 3, 4, 5, 6, 7}, {3, 7, 11, 19}},
		{majority, 0x5a827999, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 5, 9, 13}},
		{parity, 0x6ed9eba1, {3, 7, 2, 6, 1, 5, 0, 4}, {3, 9, 11, 15}},
	};
	u32 v[4] = {state[0], state[1], state[2], state[3]};

	for (u32 r = 0; r < 3; r++)
		for (u32 i = 0; i < MD4_WORDS; i++) {
			/* The word that changes rotates backwards: a, d, c, b. */
			u32 *a = &v[(4 - i % 4) % 4];
			u32 b = v[(5 - i % 4) % 4], c = v[(6 - i % 4) % 4], d = v[(7 - i % 4) % 4];

			*a = rol(*a + round[r].f(b, c, d) + in[round[r].order[i]] +
					 round[r].constant,
				round[r].shift[i % 4]);
		}
	for (u32 i = 0; i < 4; i++)
		state[i] += v[i];
}

static void tea(u32 state[4], const u32 in[TEA_WORDS])
{
	u32 x = state[0], y = state[1], sum = 0;

	for (u32 i = 0; i < 16; i++) {
		sum += 0x9e3779b9;
		x += ((y << 4) + in[0]) ^ (y + sum) ^ ((y >> 5) + in[1]);
		y += ((x << 4) + in[2]) ^ (x + sum) ^ ((x >> 5) + in[3]);
	}
	state[0] += x;
	state[1] += y;
}

static u32 legacy(const u8 *name, u32 len, bool is_signed)
{
	u32 h0 = 0x12a3fe2d, h1 = 0x37abe8f9;

	for (u32 i = 0; i < len; i++) {
		u32 h = h1 + (h0 ^ (char_of(name, i, is_signed) * 7152373u));

		if (h & 0x80000000u)
			h -= 0x7fffffff;
		h1 = h0;
		h0 = h;
	}
	return h0 << 1;
}

static void hash_chunks(u32 state[4], const u8 *name, u32 len, bool is_signed, bool md4)
{
	u32 words[MD4_WORDS], count = md4 ? MD4_WORDS : TEA_WORDS, chunk = count * 4;

	for (u32 at = 0; at < len; at += chunk) {
		pack_words(name + at, len - at, is_signed, words, count);
		if (md4)
			half_md4(state, words);
		else
			tea(state, words);
	}
}

int dirhash_compute(u8 version, const u32 seed[4], const void *name, u32 len, struct dirhash *out)
{
	bool is_signed = version < EXT4_HASH_LEGACY_UNSIGNED;
	u32 state[4];

	if (version > EXT4_HASH_TEA_UNSIGNED)
		return ERR(EOPNOTSUPP);
	memcpy(state, seed[0] | seed[1] | seed[2] | seed[3] ? seed : default_seed, sizeof(state));
	switch (version % EXT4_HASH_LEGACY_UNSIGNED) {
	case EXT4_HASH_LEGACY:
		*out = (struct dirhash){.hash = legacy(name, len, is_signed)};
		break;
	case EXT4_HASH_HALF_MD4:
		hash_chunks(state, name, len, is_signed, true);
		*out = (struct dirhash){.hash = state[1], .minor = state[2]};
		break;
	default:
		hash_chunks(state, name, len, is_signed, false);
		*out = (struct dirhash){.hash = state[0], .minor = state[1]};
	}
	out->hash &= ~1u;
	if (out->hash == HASH_END)
		out->hash = HASH_END - 2;
	return 0;
}

int dirhash_name(const struct super_info *sb, u8 root_version, const void *name, u32 len,
	struct dirhash *out)
{
	if (root_version >= EXT4_HASH_LEGACY_UNSIGNED)
		return ERR(EOPNOTSUPP);
	return dirhash_compute(root_version + (sb->hash_unsigned ? EXT4_HASH_LEGACY_UNSIGNED : 0),
		sb->hash_seed, name, len, out);
}
