/* CRC-32C (Castagnoli, as in RFC 3720 12.1): against accidents, not against people. */
#ifndef BAWN_TELEMETRY_CRC32C_H
#define BAWN_TELEMETRY_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of what CRC is of (0: nothing) and the N bytes at P behind it. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
