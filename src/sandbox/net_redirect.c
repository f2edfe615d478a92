/*
 * Redirection in a network namespace, said to the kernel by hand: rtnetlink for an address and two
 * routes, nfnetlink for two small rule sets. The launcher links no library for it.
 *
 * A route first: without one connect() fails before any rule is asked. "local 0.0.0.0/0 dev lo"
 * makes every address one of the namespace's own. Then, of what its programs send,
 *
 *   nat     port 53, TCP and UDP, to any address        goes to the stub resolver
 *           to the loopback and to NET_OWN_ADDRESS      stays as it is
 *           other TCP                                   goes to the transparent listener
 *   raw     TCP between loopback addresses that nat has no business with is not tracked: what goes
 *           through the proxy's own ports costs nothing, and fills no table
 *
 * IPv4 and IPv6 have a table each: the family that holds both is not in every kernel. A rule set
 * is one transaction, so half of one never stands.
 */
#include "sandbox/net_inside.h"

#include "base/fd.h"
#include "base/macros.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* linux/netfilter.h and linux/in.h, which libc's own headers do not go together with. */
#define HOOK_LOCAL_OUT 3
#define ACCEPT         1
#define PRIORITY_RAW   (-300)
#define PRIORITY_NAT   (-100)
#define FAMILY_IPV4    2
#define FAMILY_IPV6    10

#define LOOPBACK 1 /* the index of `lo` in every network namespace */

/* ---- messages, one after another in a buffer ---- */

struct out {
    _Alignas(8) char p[8192];
    size_t n;
    size_t message; /* where the one begins that is being written */
    bool failed;    /* no more room */
};

static void put(struct out *o, const void *p, size_t n)
{
    size_t whole = (n + 3) & ~(size_t)3;
    if (o->failed || whole > sizeof(o->p) - o->n) {
        o->failed = true;
        return;
    }
    memset(o->p + o->n, 0, whole);
    memcpy(o->p + o->n, p, n);
    o->n += whole;
}

static void begin(struct out *o, int type, int flags, const void *head, size_t n)
{
    o->message = o->n;
    struct nlmsghdr h = {.nlmsg_type = (uint16_t)type,
                         .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
    put(o, &h, sizeof(h));
    put(o, head, n);
}

static void end(struct out *o)
{
    uint32_t n = (uint32_t)(o->n - o->message);
    if (!o->failed)
        memcpy(o->p + o->message + offsetof(struct nlmsghdr, nlmsg_len), &n, sizeof(n));
}

static void attribute(struct out *o, int type, const void *p, size_t n)
{
    struct nlattr a = {.nla_len = (uint16_t)(sizeof(a) + n), .nla_type = (uint16_t)type};
    put(o, &a, sizeof(a));
    put(o, p, n);
}

static void attribute_text(struct out *o, int type, const char *s)
{
    attribute(o, type, s, strlen(s) + 1);
}

/* nfnetlink's numbers are in the network's order. */
static void attribute_number(struct out *o, int type, uint32_t v)
{
    uint32_t be = htonl(v);
    attribute(o, type, &be, sizeof(be));
}

static size_t nest(struct out *o, int type)
{
    size_t at = o->n;
    attribute(o, type | NLA_F_NESTED, "", 0);
    return at;
}

static void unnest(struct out *o, size_t at)
{
    uint16_t n = (uint16_t)(o->n - at);
    if (!o->failed)
        memcpy(o->p + at + offsetof(struct nlattr, nla_len), &n, sizeof(n));
}

/* Sends all of it at once and reads what the kernel says: it has said it when send() returns. The
 * first error, or 0 when at least one message was answered and none badly. */
static int say(int family, const struct out *o)
{
    _cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family);
    if (fd < 0)
        return -errno;
    if (o->failed)
        return -ENOBUFS;
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, o->p, o->n, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return -errno;
    bool answered = false;
    for (;;) {
        _Alignas(8) char in[16384];
        ssize_t got = recv(fd, in, sizeof(in), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return answered ? 0 : -errno;
        for (size_t at = 0; at + sizeof(struct nlmsghdr) <= (size_t)got;) {
            struct nlmsghdr h;
            int32_t code;
            memcpy(&h, in + at, sizeof(h));
            if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > (size_t)got - at)
                return -EPROTO;
            if (h.nlmsg_type == NLMSG_ERROR && h.nlmsg_len >= sizeof(h) + sizeof(code)) {
                memcpy(&code, in + at + sizeof(h), sizeof(code));
                if (code)
                    return code;
                answered = true;
            }
            at += ((size_t)h.nlmsg_len + 3) & ~(size_t)3;
        }
    }
}

/* ---- the address and the routes ---- */

static void put_address(struct out *o, const struct in_addr *own)
{
    struct ifaddrmsg a = {.ifa_family = AF_INET,
                          .ifa_prefixlen = 32,
                          .ifa_scope = RT_SCOPE_UNIVERSE,
                          .ifa_index = LOOPBACK};
    begin(o, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &a, sizeof(a));
    attribute(o, IFA_LOCAL, own, sizeof(*own));
    attribute(o, IFA_ADDRESS, own, sizeof(*own));
    end(o);
}

static void put_route(struct out *o, int family, const struct in_addr *source)
{
    struct rtmsg r = {.rtm_family = (uint8_t)family,
                      .rtm_table = RT_TABLE_LOCAL,
                      .rtm_protocol = RTPROT_STATIC,
                      .rtm_scope = RT_SCOPE_HOST,
                      .rtm_type = RTN_LOCAL};
    uint32_t index = LOOPBACK;
    begin(o, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, &r, sizeof(r));
    attribute(o, RTA_OIF, &index, sizeof(index));
    if (source)
        attribute(o, RTA_PREFSRC, source, sizeof(*source));
    end(o);
}

static int put_routes(bool ipv6)
{
    struct in_addr own;
    if (inet_pton(AF_INET, NET_OWN_ADDRESS, &own) != 1)
        return -EINVAL;
    struct out o = {.n = 0};
    put_address(&o, &own);
    put_route(&o, AF_INET, &own);
    int r = say(NETLINK_ROUTE, &o);
    if (r < 0 || !ipv6)
        return r;
    o = (struct out){.n = 0};
    put_route(&o, AF_INET6, NULL);
    /* Without it what is sent by IPv6 has no route, as it would without redirection. */
    (void)say(NETLINK_ROUTE, &o);
    return 0;
}

/* ---- rules ---- */

static const char table[] = "bawn";

struct rule {
    struct out *o;
    size_t expressions;
};

static void nf_begin(struct out *o, int type, int flags, int family)
{
    struct nfgenmsg g = {.nfgen_family = (uint8_t)family, .version = NFNETLINK_V0};
    begin(o, NFNL_SUBSYS_NFTABLES << 8 | type, flags, &g, sizeof(g));
}

static void nf_batch(struct out *o, int type)
{
    struct nfgenmsg g = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    begin(o, type, 0, &g, sizeof(g));
    end(o);
}

static void put_chain(struct out *o, int family, const char *name, const char *type, int priority)
{
    nf_begin(o, NFT_MSG_NEWCHAIN, NLM_F_CREATE, family);
    attribute_text(o, NFTA_CHAIN_TABLE, table);
    attribute_text(o, NFTA_CHAIN_NAME, name);
    size_t hook = nest(o, NFTA_CHAIN_HOOK);
    attribute_number(o, NFTA_HOOK_HOOKNUM, HOOK_LOCAL_OUT);
    attribute_number(o, NFTA_HOOK_PRIORITY, (uint32_t)priority);
    unnest(o, hook);
    attribute_number(o, NFTA_CHAIN_POLICY, ACCEPT);
    attribute_text(o, NFTA_CHAIN_TYPE, type);
    end(o);
}

static struct rule rule_begin(struct out *o, int family, const char *chain)
{
    nf_begin(o, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, family);
    attribute_text(o, NFTA_RULE_TABLE, table);
    attribute_text(o, NFTA_RULE_CHAIN, chain);
    return (struct rule){o, nest(o, NFTA_RULE_EXPRESSIONS)};
}

static void rule_end(struct rule *r)
{
    unnest(r->o, r->expressions);
    end(r->o);
}

struct expression {
    size_t element, data;
};

static struct expression expression(struct rule *r, const char *name)
{
    struct expression e = {.element = nest(r->o, NFTA_LIST_ELEM)};
    attribute_text(r->o, NFTA_EXPR_NAME, name);
    e.data = nest(r->o, NFTA_EXPR_DATA);
    return e;
}

static void expression_end(struct rule *r, struct expression e)
{
    unnest(r->o, e.data);
    unnest(r->o, e.element);
}

/* Register 1 holds what is looked at. */
static void compare(struct rule *r, bool equal, const void *p, size_t n)
{
    struct expression e = expression(r, "cmp");
    attribute_number(r->o, NFTA_CMP_SREG, NFT_REG_1);
    attribute_number(r->o, NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
    size_t data = nest(r->o, NFTA_CMP_DATA);
    attribute(r->o, NFTA_DATA_VALUE, p, n);
    unnest(r->o, data);
    expression_end(r, e);
}

static void if_protocol(struct rule *r, bool equal, uint8_t protocol)
{
    struct expression e = expression(r, "meta");
    attribute_number(r->o, NFTA_META_DREG, NFT_REG_1);
    attribute_number(r->o, NFTA_META_KEY, NFT_META_L4PROTO);
    expression_end(r, e);
    compare(r, equal, &protocol, sizeof(protocol));
}

static void if_bytes(struct rule *r, int base, uint32_t offset, bool equal, const void *p, size_t n)
{
    struct expression e = expression(r, "payload");
    attribute_number(r->o, NFTA_PAYLOAD_DREG, NFT_REG_1);
    attribute_number(r->o, NFTA_PAYLOAD_BASE, (uint32_t)base);
    attribute_number(r->o, NFTA_PAYLOAD_OFFSET, offset);
    attribute_number(r->o, NFTA_PAYLOAD_LEN, (uint32_t)n);
    expression_end(r, e);
    compare(r, equal, p, n);
}

enum { PORT_FROM = 0, PORT_TO = 2 }; /* where they stand in a TCP or UDP header */

static void if_port(struct rule *r, uint32_t which, uint16_t port)
{
    uint16_t be = htons(port);
    if_bytes(r, NFT_PAYLOAD_TRANSPORT_HEADER, which, true, &be, sizeof(be));
}

enum { ADDRESS_FROM, ADDRESS_TO };

static void if_loopback(struct rule *r, int family, int which, bool is)
{
    static const char six[16] = {[15] = 1};
    static const char four[] = {127}; /* its first byte decides */
    if (family == FAMILY_IPV4)
        if_bytes(r, NFT_PAYLOAD_NETWORK_HEADER, which == ADDRESS_TO ? 16 : 12, is, four, 1);
    else
        if_bytes(r, NFT_PAYLOAD_NETWORK_HEADER, which == ADDRESS_TO ? 24 : 8, is, six, sizeof(six));
}

static void then_accept(struct rule *r)
{
    struct expression e = expression(r, "immediate");
    attribute_number(r->o, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = nest(r->o, NFTA_IMMEDIATE_DATA), verdict = nest(r->o, NFTA_DATA_VERDICT);
    attribute_number(r->o, NFTA_VERDICT_CODE, ACCEPT);
    unnest(r->o, verdict);
    unnest(r->o, data);
    expression_end(r, e);
    rule_end(r);
}

static void then_redirect(struct rule *r, uint16_t port)
{
    uint16_t be = htons(port);
    struct expression e = expression(r, "immediate");
    attribute_number(r->o, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    size_t data = nest(r->o, NFTA_IMMEDIATE_DATA);
    attribute(r->o, NFTA_DATA_VALUE, &be, sizeof(be));
    unnest(r->o, data);
    expression_end(r, e);
    e = expression(r, "redir");
    attribute_number(r->o, NFTA_REDIR_REG_PROTO_MIN, NFT_REG_1);
    expression_end(r, e);
    rule_end(r);
}

static void put_nat(struct out *o, int family, uint16_t port)
{
    static const char chain[] = "nat";
    static const uint8_t both[] = {IPPROTO_UDP, IPPROTO_TCP};
    struct rule r;
    put_chain(o, family, chain, "nat", PRIORITY_NAT);
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        r = rule_begin(o, family, chain);
        if_protocol(&r, true, both[i]);
        if_port(&r, PORT_TO, NET_DNS_PORT);
        then_redirect(&r, NET_DNS_PORT);
    }
    r = rule_begin(o, family, chain);
    if_loopback(&r, family, ADDRESS_TO, true);
    then_accept(&r);
    struct in_addr own;
    if (family == FAMILY_IPV4 && inet_pton(AF_INET, NET_OWN_ADDRESS, &own) == 1) {
        r = rule_begin(o, family, chain);
        if_bytes(&r, NFT_PAYLOAD_NETWORK_HEADER, 16, true, &own, sizeof(own));
        then_accept(&r);
    }
    r = rule_begin(o, family, chain);
    if_protocol(&r, true, IPPROTO_TCP);
    then_redirect(&r, port);
}

/* What is answered to a redirected connection comes from the listener's port, and has to be led
 * back. */
static void put_raw(struct out *o, int family, uint16_t port)
{
    static const char chain[] = "raw";
    const struct {
        uint32_t which;
        uint16_t port;
    } tracked[] = {{PORT_FROM, NET_DNS_PORT}, {PORT_FROM, port}, {PORT_TO, NET_DNS_PORT}};
    put_chain(o, family, chain, "filter", PRIORITY_RAW);
    struct rule r = rule_begin(o, family, chain);
    if_protocol(&r, false, IPPROTO_TCP);
    then_accept(&r);
    for (int which = ADDRESS_FROM; which <= ADDRESS_TO; which++) {
        r = rule_begin(o, family, chain);
        if_loopback(&r, family, which, false);
        then_accept(&r);
    }
    for (size_t i = 0; i < ARRAY_LEN(tracked); i++) {
        r = rule_begin(o, family, chain);
        if_port(&r, tracked[i].which, tracked[i].port);
        then_accept(&r);
    }
    r = rule_begin(o, family, chain);
    expression_end(&r, expression(&r, "notrack"));
    rule_end(&r);
}

/* Between the messages that begin and end a batch all of it holds, or nothing. */
static int put_rules(int family, uint16_t port)
{
    struct out o = {.n = 0};
    nf_batch(&o, NFNL_MSG_BATCH_BEGIN);
    nf_begin(&o, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK, family);
    attribute_text(&o, NFTA_TABLE_NAME, table);
    end(&o);
    put_nat(&o, family, port);
    put_raw(&o, family, port);
    nf_batch(&o, NFNL_MSG_BATCH_END);
    return say(NETLINK_NETFILTER, &o);
}

int net_redirect(uint16_t port, bool ipv6, struct net_problem *ret_why)
{
    int r = put_rules(FAMILY_IPV4, port);
    /* IPv6 without rules gets no route either: refused at once. */
    ipv6 = r == 0 && ipv6 && put_rules(FAMILY_IPV6, port) == 0;
    if (r < 0) {
        *ret_why = (struct net_problem){r, "the kernel does not take the nftables rules"};
        return r;
    }
    r = put_routes(ipv6);
    if (r < 0)
        *ret_why = (struct net_problem){r, "the kernel does not take the local route"};
    return r;
}
