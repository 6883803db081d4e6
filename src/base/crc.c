#include "base/crc.h"

#include "base/crc_priv.h"
#include "base/util.h"

#ifdef UEXT4_ISAL

#include <isa-l/crc.h>

u32 crc32c(u32 crc, const void *data, size_t len)
{
	const u8 *p = data;

	while (len != 0) { /* ISA-L counts in int */
		size_t part = min_of(len, (size_t)1 << 30);

		crc = crc32_iscsi((unsigned char *)p, (int)part, crc);
		p += part;
		len -= part;
	}
	return crc;
}

#else

u32 crc32c(u32 crc, const void *data, size_t len)
{
	return crc32c_table(crc, data, len);
}

#endif

static const u16 crc16_bytes[256] =
	CRC_TABLE(0xc0c1u, 0xc181u, 0xc301u, 0xc601u, 0xcc01u, 0xd801u, 0xf001u, 0xa001u);

u16 crc16(u16 crc, const void *data, size_t len)
{
	for (const u8 *p = data; len != 0; p++, len--)
		crc = (u16)(crc >> 8 ^ crc16_bytes[(crc ^ *p) & 255]);
	return crc;
}

static const u32 crc32_be_bytes[256] = CRC_TABLE(0x04c11db7u, 0x09823b6eu, 0x130476dcu, 0x2608edb8u,
	0x4c11db70u, 0x9823b6e0u, 0x34867077u, 0x690ce0eeu);

u32 crc32_be(u32 crc, const void *data, size_t len)
{
	for (const u8 *p = data; len != 0; p++, len--)
		crc = crc << 8 ^ crc32_be_bytes[crc >> 24 ^ *p];
	return crc;
}
