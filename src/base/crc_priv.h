/*
 * Tables of CRCs, written out by the preprocessor. A CRC is linear: the entry
 * of a byte is the exclusive or of the entries of its bits, so eight numbers
 * (the entries of 1, 2, 4, ... 128) make the table.
 */
#ifndef BASE_CRC_PRIV_H
#define BASE_CRC_PRIV_H

#include "base/types.h"

#define CRC_BIT(i, b, v) ((i) >> (b)&1 ? (v) : 0)
#define CRC_BYTE(i, b0, b1, b2, b3, b4, b5, b6, b7)                                                \
	CRC_BIT(i, 0, b0) ^ CRC_BIT(i, 1, b1) ^ CRC_BIT(i, 2, b2) ^ CRC_BIT(i, 3, b3) ^            \
		CRC_BIT(i, 4, b4) ^ CRC_BIT(i, 5, b5) ^ CRC_BIT(i, 6, b6) ^ CRC_BIT(i, 7, b7)
#define CRC_ROW4(i, ...)                                                                           \
	CRC_BYTE(i, __VA_ARGS__), CRC_BYTE((i) + 1, __VA_ARGS__), CRC_BYTE((i) + 2, __VA_ARGS__),  \
		CRC_BYTE((i) + 3, __VA_ARGS__)
#define CRC_ROW16(i, ...)                                                                          \
	CRC_ROW4(i, __VA_ARGS__), CRC_ROW4((i) + 4, __VA_ARGS__), CRC_ROW4((i) + 8, __VA_ARGS__),  \
		CRC_ROW4((i) + 12, __VA_ARGS__)
#define CRC_ROW64(i, ...)                                                                          \
	CRC_ROW16(i, __VA_ARGS__), CRC_ROW16((i) + 16, __VA_ARGS__),                               \
		CRC_ROW16((i) + 32, __VA_ARGS__), CRC_ROW16((i) + 48, __VA_ARGS__)
#define CRC_TABLE(...)                                                                             \
	{                                                                                          \
		CRC_ROW64(0, __VA_ARGS__), CRC_ROW64(64, __VA_ARGS__),                             \
			CRC_ROW64(128, __VA_ARGS__), CRC_ROW64(192, __VA_ARGS__)                   \
	}

/* crc32c without ISA-L; always built, so that tests can compare. */
u32 crc32c_table(u32 crc, const void *data, size_t len);

#endif
