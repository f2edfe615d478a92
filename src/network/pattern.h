/*
 * The left side of a network rule (spec 5.2), read:
 *
 *   host  *.host  **.host  *            names; whole labels
 *   ADDRESS  ADDRESS/BITS               in any spelling; IPv6 with a port in brackets
 *   …:PORT  …:FIRST-LAST                only those ports
 *
 * What could never match is an error here, not a rule that waits forever. A name may be written in
 * Unicode where somebody can convert it (unicode.h). Pure but for that.
 */
#ifndef BAWN_NETWORK_PATTERN_H
#define BAWN_NETWORK_PATTERN_H

#include "base/error.h"
#include "network/host.h"

enum pattern_kind {
    PATTERN_EXACT,    /* host */
    PATTERN_BELOW,    /* *.host: what has labels before it */
    PATTERN_AT_BELOW, /* **.host: that, and the host itself */
    PATTERN_ANY,      /* * */
    PATTERN_ADDRESS,  /* one address */
    PATTERN_RANGE,    /* ADDRESS/BITS */
};

struct netpattern {
    enum pattern_kind kind;
    uint8_t bits;           /* of an address or range: how many count */
    uint16_t first, last;   /* ports; 0 and 65535 when none are given */
    struct address address; /* normalised; bits that do not count are zero */
    uint8_t n;              /* of a name: its bytes, as struct host has them */
    char name[HOST_NAME_MAX_BYTES + 1];
};

/* -EINVAL with a message and a hint; the message does not repeat the pattern. */
int netpattern_parse(struct bytes text, struct netpattern *ret, struct error *err);
#define NETPATTERN_TEXT_MAX (HOST_NAME_MAX_BYTES + 16u)
/* TEXT, which was read as P, in ASCII: as it is, or P's own form in BUF. For who cannot convert. */
const char *netpattern_ascii(const char *text, const struct netpattern *p,
                             char buf[NETPATTERN_TEXT_MAX]);
/* One pattern against one host, without an index. An address is matched as what it stands for. */
bool netpattern_matches(const struct netpattern *p, const struct host *host, uint16_t port);

#endif
