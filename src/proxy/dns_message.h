/*
 * DNS messages (RFC 1035) as the stub resolver needs them: one question in, one answer out. Pure.
 */
#ifndef BAWN_PROXY_DNS_MESSAGE_H
#define BAWN_PROXY_DNS_MESSAGE_H

#include "network/host.h"

enum { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_ANY = 255, DNS_HTTPS = 65, DNS_SVCB = 64 };
enum {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5
};

struct dns_query {
    uint16_t id, flags;
    uint16_t type, class;
    size_t question;           /* bytes of the question section, which begins at byte 12 */
    struct host host;          /* the name, through host_parse() */
    enum host_problem problem; /* it is no host's name */
    bool edns;                 /* there is an OPT record (RFC 6891) */
    uint16_t udp_size;         /* what the client can take: 512 without one, at least 512 */
};

/* 0, or the DNS_* code to answer with (FORMERR, NOTIMP: another opcode, more than one question); or
 * -1: not worth an answer (shorter than a header, a response). Names in queries are never
 * compressed: a pointer is FORMERR. */
int dns_query_parse(struct bytes text, struct dns_query *ret);
/* The answer to the query TEXT: its question again, CODE, and for each of the N addresses a record
 * with TTL seconds. recursion available, authoritative not. An OPT record when the query had one.
 * What is longer than MAX (or BUF's CAP) is cut to the question with TC set. Returns the length, 0
 * when TEXT is no query. */
size_t dns_answer(struct bytes text, const struct dns_query *q, unsigned code,
                  const struct address *addresses, size_t n, uint32_t ttl, size_t max, uint8_t *buf,
                  size_t cap);

#endif
