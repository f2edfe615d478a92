/*
 * The decisions. See policy.h.
 *
 * Rules are read once into three indices: names, IPv4, IPv6. An IPv6 rule that only spells IPv4
 * addresses stands among those. A request is matched in each form that it has: an address as it is,
 * as what it stands for, and, for deny, as whatever it may carry.
 */
#include "network/policy.h"

#include "base/limits.h"
#include "base/mem.h"
#include "network/index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define RULES_A_BLOCK 256u

/* Rules are pointed to, and stay where they are. */
struct block {
    struct block *next;
    struct netrule rules[RULES_A_BLOCK];
};

struct netpolicy {
    struct netpolicy_settings settings;
    struct block *blocks;
    size_t n_rules, in_block;
    struct netindex names, v4, v6;
    VEC(struct address) own;
    bool finished;
};

struct netpolicy *netpolicy_new(const struct netpolicy_settings *settings)
{
    struct netpolicy *p = mem_zalloc(1, sizeof(*p));
    if (p) {
        p->settings = *settings;
        p->names.names = true;
    }
    return p;
}

void netpolicy_free(struct netpolicy *p)
{
    if (!p)
        return;
    for (struct block *b = p->blocks, *next; b; b = next) {
        next = b->next;
        mem_free(b);
    }
    netindex_release(&p->names);
    netindex_release(&p->v4);
    netindex_release(&p->v6);
    vec_release(&p->own);
    mem_free(p);
}

void netpolicy_freep(struct netpolicy **p)
{
    netpolicy_free(*p);
    *p = NULL;
}

size_t netpolicy_count(const struct netpolicy *p)
{
    return p->names.items.n + p->v4.items.n + p->v6.items.n;
}

size_t netpolicy_bytes(const struct netpolicy *p)
{
    size_t blocks = (p->n_rules + RULES_A_BLOCK - 1) / RULES_A_BLOCK;
    return sizeof(*p) + blocks * sizeof(struct block) + netindex_bytes(&p->names) +
           netindex_bytes(&p->v4) + netindex_bytes(&p->v6) + p->own.cap * sizeof(*p->own.v);
}

/* ---- rules in ---- */

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot build the network's rules");
}

static const struct netrule *keep_rule(struct netpolicy *p, const struct netrule *rule)
{
    if (!p->blocks || p->in_block == RULES_A_BLOCK) {
        struct block *b = mem_alloc(sizeof(*b));
        if (!b)
            return NULL;
        b->next = p->blocks;
        p->blocks = b;
        p->in_block = 0;
    }
    struct netrule *to = &p->blocks->rules[p->in_block++];
    *to = *rule;
    p->n_rules++;
    return to;
}

/* What can be read and still never match. */
static int check_sense(const struct netpolicy *p, const struct netrule *rule,
                       const struct netpattern *pattern, struct error *err)
{
    bool allow = rule->decision == NET_ALLOW;
    if (pattern->kind == PATTERN_ANY && !allow) {
        (void)error_set(err, -EINVAL, "* can only be allowed");
        error_hint(err, "what no rule allows is refused; without the network nothing is reached");
        return -EINVAL;
    }
    if (pattern->kind != PATTERN_RANGE || rule->decision == NET_DENY)
        return 0;
    if (address_range_is_form(&pattern->address, pattern->bits)) {
        (void)error_set(err, -EINVAL,
                        "these addresses only carry IPv4 addresses, and are judged by them");
        error_hint(err, "write the IPv4 addresses that are meant");
        return -EINVAL;
    }
    /* A range that lies in one that is not public. */
    const struct address_range *range;
    enum address_class class = address_classify(&pattern->address, &range);
    if (p->settings.local_fixed || class == ADDRESS_PUBLIC || !range ||
        range->base.family != pattern->address.family || range->bits > pattern->bits ||
        (p->settings.allow_local && address_class_is_local(class)))
        return 0;
    (void)error_set(err, -EINVAL,
                    "a range that is not public (%s, %s) is not opened by its pattern", range->name,
                    range->source);
    error_hint(err, address_class_is_local(class)
                        ? "write each address that is meant, or allow_local_binding = true"
                        : "write each address that is meant");
    return -EINVAL;
}

static int add_to_index(struct netpolicy *p, const struct netpattern *pattern,
                        const struct netitem *item)
{
    char buf[HOST_NAME_MAX_BYTES + 1];
    if (pattern->kind != PATTERN_ADDRESS && pattern->kind != PATTERN_RANGE) {
        struct netkey key = netkey_of_name(pattern->name, pattern->n, buf);
        return netindex_add(&p->names, &key, item);
    }
    struct netkey key = netkey_of_address(&pattern->address, pattern->bits);
    return netindex_add(pattern->address.family == ADDRESS_V4 ? &p->v4 : &p->v6, &key, item);
}

int netpolicy_add(struct netpolicy *p, const struct netrule *rule, struct error *err)
{
    struct netpattern pattern;
    assert(rule->decision != NET_NONE);
    if (p->n_rules == MAX_NET_RULES)
        return error_set(err, -E2BIG, "more than %u rules for the network", MAX_NET_RULES);
    int r = netpattern_parse(bytes_of(rule->pattern), &pattern, err);
    if (r < 0)
        return r;
    if (rule->port && pattern.last != UINT16_MAX && rule->port != pattern.first) {
        (void)error_set(err, -EINVAL, "the pattern has a port, and it is another one than %u",
                        rule->port);
        return -EINVAL;
    }
    if ((r = check_sense(p, rule, &pattern, err)) < 0)
        return r;
    const struct netrule *kept = keep_rule(p, rule);
    if (!kept)
        return no_memory(err);
    struct netitem item = {.rule = kept,
                           .first = rule->port ? rule->port : pattern.first,
                           .last = rule->port ? rule->port : pattern.last,
                           .kind = (uint8_t)pattern.kind,
                           .decision = (uint8_t)rule->decision,
                           .source = (uint8_t)rule->source,
                           .protocols = (uint8_t)rule->protocols};
    return add_to_index(p, &pattern, &item) < 0 ? no_memory(err) : 0;
}

static int compare_own(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct address));
}

static bool is_own(const struct netpolicy *p, const struct address *a)
{
    return p->own.n && bsearch(a, p->own.v, p->own.n, sizeof(*a), compare_own) != NULL;
}

static void sort_own(struct netpolicy *p)
{
    if (p->own.n)
        qsort(p->own.v, p->own.n, sizeof(*p->own.v), compare_own);
}

int netpolicy_add_own(struct netpolicy *p, const struct address *a)
{
    const struct address own = address_normal(a);
    if (p->finished && is_own(p, &own))
        return 0;
    struct address *to = vec_push(&p->own);
    if (!to)
        return -ENOMEM;
    *to = own;
    if (p->finished)
        sort_own(p);
    return 0;
}

static const char *place_of(const struct netrule *rule, char *buf, size_t cap)
{
    if (!rule->file)
        (void)snprintf(buf, cap, "%s", rule->layer ? rule->layer : "a rule");
    else if (rule->line)
        (void)snprintf(buf, cap, "%s:%u", show(rule->file), rule->line);
    else
        (void)snprintf(buf, cap, "%s", show(rule->file));
    return buf;
}

static int conflict(const struct netrule *a, const struct netrule *b, const struct netrule **ret_at,
                    struct error *err)
{
    char where[ERROR_FILE_MAX];
    if (ret_at)
        *ret_at = b;
    (void)error_set(err, -EEXIST, "\"%s\" = \"%s\": the same pattern is \"%s\" = \"%s\" (%s)",
                    show(b->pattern), net_decision_word(b->decision), show(a->pattern),
                    net_decision_word(a->decision), place_of(a, where, sizeof(where)));
    error_hint(err, "one of the two has to go");
    return -EEXIST;
}

int netpolicy_finish(struct netpolicy *p, const struct netrule **ret_at, struct error *err)
{
    struct netindex *all[] = {&p->names, &p->v4, &p->v6};
    const struct netrule *a, *b;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        int r = netindex_finish(all[i], &a, &b);
        if (r < 0)
            return r == -EEXIST ? conflict(a, b, ret_at, err) : no_memory(err);
    }
    sort_own(p);
    p->finished = true;
    return 0;
}

/* Rules about one name that netpolicy_may_reach() looks at: more of them, with ports, are not
 * written by hand. */
#define MAY_REACH_RULES 64

/* ---- matching ---- */

/* The narrowest rule of each decision that holds what was asked for. */
struct found {
    const struct netitem *best[NET_DENY + 1];
    const struct netitem *exact; /* an allow that names exactly it, and may open what is local */
    const struct netitem *unmanaged; /* an allow that the requirements do not share */
};

static void take(const struct netpolicy *p, const struct netrequest *q, const struct netitem *item,
                 bool only_deny, struct found *f)
{
    enum net_decision d = item->decision;
    if (q->port < item->first || q->port > item->last ||
        (item->protocols && !(item->protocols & q->protocol)) || (only_deny && d != NET_DENY))
        return;
    if (d == NET_ALLOW && p->settings.managed_only && item->source != NET_OF_REQUIRED) {
        if (!f->unmanaged)
            f->unmanaged = item;
        return;
    }
    if (!f->best[d])
        f->best[d] = item;
    if (d == NET_ALLOW && !f->exact && item->source != NET_OF_PROJECT &&
        (item->kind == PATTERN_EXACT || item->kind == PATTERN_ADDRESS))
        f->exact = item;
}

static bool fits(const struct netitem *item, bool whole)
{
    switch ((enum pattern_kind)item->kind) {
    case PATTERN_EXACT:
        return whole;
    case PATTERN_BELOW:
        return !whole;
    case PATTERN_AT_BELOW:
    case PATTERN_ANY:
    case PATTERN_ADDRESS:
    case PATTERN_RANGE:
        return true;
    }
    return false;
}

static void match_key(const struct netpolicy *p, const struct netrequest *q,
                      const struct netindex *x, const struct netkey *key, bool only_deny,
                      struct found *f)
{
    for (const struct netslot *s = netindex_find(x, key); s; s = netindex_wider(x, s))
        for (uint32_t i = 0; i < s->count; i++) {
            const struct netitem *item = &x->items.v[s->first + i];
            if (fits(item, s->n == key->n))
                take(p, q, item, only_deny, f);
        }
}

static void match_name(const struct netpolicy *p, const struct netrequest *q, struct found *f)
{
    char buf[HOST_NAME_MAX_BYTES + 1];
    struct netkey key = netkey_of_name(q->host.name, q->host.n, buf);
    match_key(p, q, &p->names, &key, false, f);
}

static void match_one(const struct netpolicy *p, const struct netrequest *q,
                      const struct address *a, bool only_deny, struct found *f)
{
    struct netkey key = netkey_of_address(a, address_bits(a));
    match_key(p, q, a->family == ADDRESS_V4 ? &p->v4 : &p->v6, &key, only_deny, f);
}

/* In every form: what it stands for counts in full, what else it is or carries only against it. */
static void match_address(const struct netpolicy *p, const struct netrequest *q,
                          const struct address *a, struct found *f)
{
    struct address carried[ADDRESS_CARRIED_MAX], normal = address_normal(a);
    match_one(p, q, &normal, false, f);
    if (a->family == ADDRESS_V4)
        return;
    if (!address_eq(a, &normal))
        match_one(p, q, a, true, f);
    size_t n = address_carried(a, carried);
    for (size_t i = 0; i < n; i++)
        match_one(p, q, &carried[i], true, f);
}

/* `*` speaks of hosts, by whatever they are called. */
static void match_any(const struct netpolicy *p, const struct netrequest *q, struct found *f)
{
    struct netkey key = {.rest = ""};
    match_key(p, q, &p->names, &key, false, f);
}

/* ---- answers ---- */

static void set(struct netanswer *a, enum net_decision d, enum net_reason reason,
                const struct netitem *item)
{
    a->decision = d;
    a->reason = reason;
    a->rule = item ? item->rule : NULL;
}

/* What rules say of something that may be reached at all. */
static void by_rules(const struct netpolicy *p, const struct found *f, struct netanswer *a)
{
    const struct netpolicy_settings *s = &p->settings;
    if (f->best[NET_DENY])
        set(a, NET_DENY, NET_DENIED, f->best[NET_DENY]);
    else if (f->best[NET_ASK])
        set(a, s->ask_rule ? NET_ASK : NET_DENY, s->ask_rule ? NET_PROMPT : NET_NOBODY_TO_ASK,
            f->best[NET_ASK]);
    else if (f->best[NET_ALLOW])
        set(a, NET_ALLOW, NET_ALLOWED, f->best[NET_ALLOW]);
    else if (s->managed_only)
        set(a, NET_DENY, NET_NOT_MANAGED, f->unmanaged);
    else if (s->ask_unknown)
        set(a, NET_ASK, NET_UNKNOWN, NULL);
    else
        set(a, NET_DENY, NET_NOT_ALLOWED, NULL);
}

static void judge_address(const struct netpolicy *p, const struct address *address,
                          struct netanswer *a)
{
    struct address normal = address_normal(address);
    a->address = *address;
    a->class = address_classify(address, &a->range);
    a->own = is_own(p, &normal);
}

/* Is what is not public open, to those whom a rule names exactly (EXACT) or at all? */
static bool is_open(const struct netpolicy *p, const struct netanswer *a, const void *exact)
{
    if (exact || (a->class == ADDRESS_PUBLIC && !a->own))
        return true;
    return p->settings.allow_local &&
           (a->class == ADDRESS_PUBLIC || address_class_is_local(a->class));
}

static void decide_literal(const struct netpolicy *p, const struct netrequest *q,
                           struct netanswer *a)
{
    struct found f = {0};
    match_address(p, q, &q->host.address, &f);
    match_any(p, q, &f);
    judge_address(p, &q->host.address, a);
    if (!f.best[NET_DENY] && !is_open(p, a, f.best[NET_ASK] ? NULL : f.exact))
        set(a, NET_DENY, NET_NOT_LOCAL, NULL);
    else
        by_rules(p, &f, a);
}

static void decide_name(const struct netpolicy *p, const struct netrequest *q, struct netanswer *a)
{
    struct found f = {0};
    match_name(p, q, &f);
    if (host_is_localhost(&q->host))
        a->class = ADDRESS_LOOPBACK;
    if (!f.best[NET_DENY] && !is_open(p, a, f.best[NET_ASK] ? NULL : f.exact))
        set(a, NET_DENY, NET_NOT_LOCAL, NULL);
    else
        by_rules(p, &f, a);
}

void netpolicy_decide(const struct netpolicy *p, const struct netrequest *q, struct netanswer *ret)
{
    *ret = (struct netanswer){0};
    if (q->host.kind == HOST_ADDRESS)
        decide_literal(p, q, ret);
    else
        decide_name(p, q, ret);
}

/* A decision can change only where some rule's ports begin, or just behind them; so these ports are
 * tried with every protocol. */
bool netpolicy_may_reach(const struct netpolicy *p, const struct host *host, struct netanswer *ret)
{
    char buf[HOST_NAME_MAX_BYTES + 1];
    struct netrequest q = {.host = *host};
    struct netanswer a;
    struct netkey key = netkey_of_name(host->name, host->n, buf);
    unsigned ports[2 * MAY_REACH_RULES + 1], n = 0;
    ports[n++] = 1;
    for (const struct netslot *s = netindex_find(&p->names, &key); s;
         s = netindex_wider(&p->names, s))
        for (uint32_t i = 0; i < s->count && n + 2 <= ARRAY_LEN(ports); i++) {
            const struct netitem *item = &p->names.items.v[s->first + i];
            ports[n++] = MAX_OF(item->first, 1u);
            ports[n++] = item->last + 1u;
        }
    for (unsigned i = 0; i < n; i++)
        for (unsigned protocol = NET_HTTP; protocol <= NET_TCP; protocol <<= 1) {
            if (ports[i] > 65535)
                continue;
            q.port = (uint16_t)ports[i];
            q.protocol = protocol;
            a = (struct netanswer){0};
            decide_name(p, &q, &a);
            if (a.decision == NET_ALLOW || a.decision == NET_ASK ||
                (i == 0 && protocol == NET_HTTP))
                *ret = a;
            if (a.decision == NET_ALLOW || a.decision == NET_ASK)
                return true;
        }
    return false;
}

/* ---- what a name resolved to ---- */

/* One answer of the resolver, for itself. */
static void decide_one(const struct netpolicy *p, const struct netrequest *q,
                       const struct address *address, struct netanswer *a)
{
    const struct netpolicy_settings *s = &p->settings;
    struct found f = {0};
    bool open;
    *a = (struct netanswer){0};
    match_address(p, q, address, &f);
    judge_address(p, address, a);
    open = host_is_localhost(&q->host) ? a->class == ADDRESS_LOOPBACK
                                       : is_open(p, a, f.best[NET_ASK] ? NULL : f.exact);
    if (f.best[NET_DENY])
        set(a, NET_DENY, NET_DENIED, f.best[NET_DENY]);
    else if (!open)
        set(a, NET_DENY, NET_NOT_LOCAL, NULL);
    else if (f.best[NET_ASK])
        set(a, s->ask_rule ? NET_ASK : NET_DENY, s->ask_rule ? NET_PROMPT : NET_NOBODY_TO_ASK,
            f.best[NET_ASK]);
    else
        set(a, NET_ALLOW, NET_ALLOWED, f.best[NET_ALLOW]);
}

void netpolicy_decide_addresses(const struct netpolicy *p, const struct netrequest *q,
                                const struct address *addresses, size_t n, struct netanswer *ret)
{
    bool seen[2] = {false, false};
    *ret = (struct netanswer){.decision = NET_DENY, .reason = NET_DNS_FAILED};
    for (size_t i = 0; i < n; i++) {
        struct netanswer a;
        decide_one(p, q, &addresses[i], &a);
        if (i == 0 || a.decision > ret->decision) /* the first of the strictest */
            *ret = a;
        seen[a.class != ADDRESS_PUBLIC || a.own] = true;
    }
    if (ret->decision != NET_DENY && seen[0] && seen[1] && !p->settings.allow_local)
        set(ret, NET_DENY, NET_MIXED, NULL);
}
