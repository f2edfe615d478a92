/* SHA-256 (FIPS 180-4), for the launcher, which links no library. */
#ifndef BAWN_BASE_SHA256_H
#define BAWN_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES     32
#define SHA256_HEX_BYTES 65 /* with the terminator */

struct sha256 {
    uint32_t state[8];
    uint64_t length; /* bytes so far */
    unsigned char block[64];
};

void sha256_init(struct sha256 *s);
void sha256_put(struct sha256 *s, const void *p, size_t n);
void sha256_end(struct sha256 *s, unsigned char ret[SHA256_BYTES]);
void sha256_hex(const unsigned char digest[SHA256_BYTES], char ret[SHA256_HEX_BYTES]);
/* Of N bytes at once, in hex. */
void sha256_hex_of(const void *p, size_t n, char ret[SHA256_HEX_BYTES]);
/* Of what can be read from FD to its end; 0 or a negative errno. */
int sha256_fd(int fd, unsigned char ret[SHA256_BYTES]);

#endif
