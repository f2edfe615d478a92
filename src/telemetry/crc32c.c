/*
 * CRC-32C, four bytes a step. See crc32c.h.
 *
 * The remainder of a byte is the sum of those of its bits: each table of 256 is made by the
 * compiler from eight numbers, the remainders of single bits with 0 to 3 zero bytes behind them.
 */
#include "telemetry/crc32c.h"

#define BIT(i, b, r) ((((i) >> (b)) & 1u) ? (r) : 0u)
#define SUM(i, a, b, c, d, e, f, g, h)                                                             \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^     \
     BIT(i, 6, g) ^ BIT(i, 7, h))
#define ZEROS_0(i)                                                                                 \
    SUM(i, 0xf26b8303u, 0xe13b70f7u, 0xc79a971fu, 0x8ad958cfu, 0x105ec76fu, 0x20bd8edeu,           \
        0x417b1dbcu, 0x82f63b78u)
#define ZEROS_1(i)                                                                                 \
    SUM(i, 0x13a29877u, 0x274530eeu, 0x4e8a61dcu, 0x9d14c3b8u, 0x3fc5f181u, 0x7f8be302u,           \
        0xff17c604u, 0xfbc3faf9u)
#define ZEROS_2(i)                                                                                 \
    SUM(i, 0xa541927eu, 0x4f6f520du, 0x9edea41au, 0x38513ec5u, 0x70a27d8au, 0xe144fb14u,           \
        0xc76580d9u, 0x8b277743u)
#define ZEROS_3(i)                                                                                 \
    SUM(i, 0xdd45aab8u, 0xbf672381u, 0x7b2231f3u, 0xf64463e6u, 0xe964b13du, 0xd725148bu,           \
        0xaba65fe7u, 0x52a0c93fu)

#define ROW_4(f, i)  f(i), f((i) + 1u), f((i) + 2u), f((i) + 3u)
#define ROW_16(f, i) ROW_4(f, i), ROW_4(f, (i) + 4u), ROW_4(f, (i) + 8u), ROW_4(f, (i) + 12u)
#define ROW_64(f, i) ROW_16(f, i), ROW_16(f, (i) + 16u), ROW_16(f, (i) + 32u), ROW_16(f, (i) + 48u)
#define TABLE(f)                                                                                   \
    {                                                                                              \
        ROW_64(f, 0u), ROW_64(f, 64u), ROW_64(f, 128u), ROW_64(f, 192u)                            \
    }

static const uint32_t tables[4][256] = {TABLE(ZEROS_0), TABLE(ZEROS_1), TABLE(ZEROS_2),
                                        TABLE(ZEROS_3)};

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    const unsigned char *b = p;
    crc = ~crc;
    for (; n >= 4; b += 4, n -= 4) {
        crc ^= (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        crc = tables[3][crc & 0xff] ^ tables[2][crc >> 8 & 0xff] ^ tables[1][crc >> 16 & 0xff] ^
              tables[0][crc >> 24];
    }
    for (; n; b++, n--)
        crc = crc >> 8 ^ tables[0][(crc ^ *b) & 0xff];
    return ~crc;
}
