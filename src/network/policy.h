/*
 * May this destination be reached? Rules come in as plain data, from configuration, requirements,
 * rules files or a session's answers; the answer names the rule with its file and line. Pure.
 *
 * The question is asked twice. netpolicy_decide() judges what the client asked for: a name, or an
 * address. A name that it does not allow is never looked up. netpolicy_decide_addresses() judges
 * what the name resolved to, all of it, and what passes is dialled without another look-up.
 *
 * Who wins (spec 5.2, 5.3): deny over ask over allow, over everything that matches, by name and by
 * address. Nothing that matches: asked about, or refused. A destination that is not public needs
 * more than a wildcard: allow_local (for loopback, link-local and private), or a rule that names
 * exactly it; it is never asked about.
 */
#ifndef BAWN_NETWORK_POLICY_H
#define BAWN_NETWORK_POLICY_H

#include "base/error.h"
#include "network/host.h"

/* In order of strictness. */
enum net_decision { NET_NONE, NET_ALLOW, NET_ASK, NET_DENY };
const char *net_decision_word(enum net_decision d); /* "allow", "ask", "deny" */

enum {
    NET_HTTP = 1u << 0,  /* a plain request */
    NET_HTTPS = 1u << 1, /* CONNECT, or TLS in transparent mode */
    NET_SOCKS_TCP = 1u << 2,
    NET_SOCKS_UDP = 1u << 3,
    NET_TCP = 1u << 4, /* redirected, neither of the first two */
};
/* "https" → NET_HTTPS; 0 when it is none. "any" is all of them. */
unsigned net_protocol(const char *word);
const char *net_protocol_word(unsigned protocol); /* of one bit */
#define NET_PROTOCOL_WORDS "http, https, socks5_tcp, socks5_udp, tcp"

enum net_source {
    NET_OF_PROFILE,  /* a permission profile, features.network_proxy */
    NET_OF_RULES,    /* a rules file of the person's or the system's */
    NET_OF_PROJECT,  /* a project's file: never opens what is not public */
    NET_OF_REQUIRED, /* the administrator's requirements */
    NET_OF_SESSION,  /* somebody answered */
};

const char *net_source_word(enum net_source source); /* "profile", … */

/* One rule as it was written. Strings must outlive the policy; the rule is copied. */
struct netrule {
    const char *pattern; /* as in pattern.h */
    enum net_decision decision;
    enum net_source source;
    unsigned protocols; /* NET_*; 0: all */
    uint16_t port;      /* 0: what the pattern says */
    uint8_t level; /* of one source, what a higher level says of a pattern replaces the lower's */
    const char *message;      /* why, for people; or NULL */
    const char *layer, *file; /* as in struct origin; file may be NULL */
    unsigned line, column;
    uint32_t id; /* the caller's own */
};

struct netpolicy_settings {
    bool allow_local;  /* allow_local_binding */
    bool local_fixed;  /* the requirements keep allow_local off */
    bool managed_only; /* only what the requirements allow is allowed */
    bool ask_unknown;  /* somebody can be asked about what no rule names */
    bool ask_rule;     /* … and where a rule says so */
};

struct netpolicy;

/* NULL without memory. */
struct netpolicy *netpolicy_new(const struct netpolicy_settings *settings);
void netpolicy_free(struct netpolicy *p);
void netpolicy_freep(struct netpolicy **p);
#define _cleanup_netpolicy_ _cleanup_(netpolicy_freep)
/* -EINVAL, without a place: a pattern that is wrong or could never match. -E2BIG: MAX_NET_RULES. */
int netpolicy_add(struct netpolicy *p, const struct netrule *rule, struct error *err);
/* An address of the host's own interfaces: as good as loopback. Also later. 0 or -ENOMEM. */
int netpolicy_add_own(struct netpolicy *p, const struct address *a);
/* Once, after the last addition. -EEXIST: two rules of one source say different things of one
 * pattern; *ret_at (may be NULL) is the second of them. */
int netpolicy_finish(struct netpolicy *p, const struct netrule **ret_at, struct error *err);
size_t netpolicy_bytes(const struct netpolicy *p); /* memory held */
size_t netpolicy_count(const struct netpolicy *p); /* rules that count */

enum net_reason {
    NET_ALLOWED,
    NET_OPEN,          /* the network is not filtered */
    NET_OFF,           /* there is none */
    NET_DENIED,        /* by a rule */
    NET_NOT_ALLOWED,   /* no rule names it */
    NET_NOT_LOCAL,     /* it is not public */
    NET_NOT_MANAGED,   /* allowed, but not by the requirements */
    NET_UNKNOWN,       /* no rule names it: asked about */
    NET_PROMPT,        /* a rule wants it asked about */
    NET_NOBODY_TO_ASK, /* … and the approval policy does not ask */
    NET_MIXED,         /* public and other addresses under one name */
    NET_DNS_FAILED,
    NET_DNS_TIMEOUT,
    NET_ANSWERED_NO, /* somebody was asked and did not say yes */
    NET_METHOD,      /* limited to reading */
    NET_NEEDS_MITM,  /* … which takes interception to hold */
    NET_REQUEST,     /* a rule about requests refuses this one */
    NET_OTHER_HOST,  /* the name in Host or SNI is not the destination */
    NET_BAD_HOST,
};
/* For records: "not_allowed_local", … (spec 5.8) and the value of x-proxy-error (spec 5.4). */
const char *net_reason_word(enum net_reason r);
const char *net_reason_header(enum net_reason r); /* NULL: not refused */

struct netrequest {
    struct host host;
    uint16_t port;
    unsigned protocol; /* one NET_* bit */
    /* Of the socket that asks, in the sandbox's network namespace. Decides nothing. */
    uint16_t client_port; /* 0: not known */
    bool client_udp;
};

/* Is it the same host and port? */
static inline bool netrequest_same_place(const struct netrequest *a, const struct netrequest *b)
{
    return a->port == b->port && host_eq(&a->host, &b->host);
}

struct netanswer {
    enum net_decision decision; /* never NET_NONE */
    enum net_reason reason;
    const struct netrule *rule; /* what decided; NULL: nothing names it */
    enum address_class class;   /* of the address that decided, or of a name known to be loopback */
    const struct address_range *range; /* or NULL */
    struct address address;            /* the one that decided; family 0: none did */
    bool own;                          /* it is one of the host's own */
};

void netpolicy_decide(const struct netpolicy *p, const struct netrequest *q, struct netanswer *ret);
/* May the name HOST be reached at all, by some protocol on some port, asking included? What a
 * resolver may tell. *ret: the answer for one of those, or why none is. */
bool netpolicy_may_reach(const struct netpolicy *p, const struct host *host, struct netanswer *ret);
/* What the name of Q, which was allowed, resolved to. All of it must pass; then the first may be
 * dialled (address_dial()). N = 0: NET_DNS_FAILED. */
void netpolicy_decide_addresses(const struct netpolicy *p, const struct netrequest *q,
                                const struct address *addresses, size_t n, struct netanswer *ret);

/* "example.com:443", "[::1]:80". */
void netrequest_place(const struct netrequest *q, struct strbuf *out);
/* " (FILE:LINE)", or nothing. */
void netrule_place(const struct netrule *r, struct strbuf *out);
/* One sentence about a refusal: "10.0.0.1 is private (RFC 1918)". */
void netpolicy_say(const struct netrequest *q, const struct netanswer *a, struct strbuf *out);
/* What would allow it: the line to add to PROFILE (a name, or NULL), or the rule to look at;
 * nothing where nothing does. */
void netpolicy_hint(const char *profile, const struct netrequest *q, const struct netanswer *a,
                    struct strbuf *out);

#endif
