/*
 * One reading of a host for every protocol: bytes become a name or an address, or are refused with
 * a reason. Whatever some client, resolver or library would take for an address (inet_aton's octal,
 * hexadecimal and short forms, too) comes out as that address or is refused, never as a name. Pure.
 */
#ifndef BAWN_NETWORK_HOST_H
#define BAWN_NETWORK_HOST_H

#include "network/address.h"

#define HOST_NAME_MAX_BYTES  253u /* of a name in DNS, without its last dot (RFC 1035) */
#define HOST_LABEL_MAX_BYTES 63u

enum host_kind { HOST_NAME, HOST_ADDRESS };

struct host {
    enum host_kind kind;
    uint8_t n;                          /* bytes of `name` */
    char name[HOST_NAME_MAX_BYTES + 1]; /* lower case, no last dot; of an address its text */
    struct address address;             /* HOST_ADDRESS: as it was written */
};

/* Why a host or port was refused. */
enum host_problem {
    HOST_FINE,
    HOST_EMPTY,
    HOST_TOO_LONG,
    HOST_EMPTY_LABEL,
    HOST_LONG_LABEL,
    HOST_HYPHEN,  /* begins with one: an option, to many a program */
    HOST_CONTROL, /* NUL, control character or space */
    HOST_NOT_ASCII,
    HOST_PERCENT,   /* percent-encoding, or the zone of an address */
    HOST_CHARACTER, /* any other that no name of a host has */
    HOST_NUMBER,    /* ends in a number and is no IPv4 address */
    HOST_AMBIGUOUS, /* an IPv4 address to some and none, or another, to others */
    HOST_IPV6,      /* colons, and no IPv6 address */
    HOST_BRACKETS,  /* around what is no IPv6 address, or missing, or not in pairs */
    HOST_NO_PORT,
    HOST_BAD_PORT,
};

/* A word for records ("percent"), and a sentence for people without its full stop. */
const char *host_problem_word(enum host_problem p);
const char *host_problem_text(enum host_problem p);

/* A host alone; an IPv6 address with or without brackets. *ret is not touched on a problem. */
enum host_problem host_parse(struct bytes text, struct host *ret);
/* HOST:PORT, as in CONNECT and in `Host` (where OTHERWISE, not 0, stands for a missing port). An
 * IPv6 address needs its brackets. */
enum host_problem host_parse_port(struct bytes text, uint16_t otherwise, struct host *ret,
                                  uint16_t *ret_port);
/* 1 to 65535, digits only, no leading zero. */
bool host_port(struct bytes text, uint16_t *ret);
/* From an address that came as bytes (SOCKS). */
void host_of_address(const struct address *a, struct host *ret);

bool host_eq(const struct host *a, const struct host *b);
/* For tables whose keys strangers choose: SEED is drawn at random. */
uint64_t host_hash(uint64_t seed, const struct host *h);
/* localhost, or a name below it: loopback, whatever a resolver says (RFC 6761). */
bool host_is_localhost(const struct host *h);

#endif
