/*
 * Lines of rules ("a PATTERN", "k PATTERN", "d PATTERN": allow, ask, deny), an empty line, lines of
 * destinations. What must hold: a rule that alone denies, denies among others; what is allowed, a
 * rule alone allows; an address that a name resolves to is not reached where the literal is denied.
 */
#include "network/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_RULES 24

static const struct netpolicy_settings settings = {.ask_rule = true, .allow_local = true};

static struct netpolicy *make(const struct netrule *rules, size_t n)
{
    struct netpolicy *p = netpolicy_new(&settings);
    for (size_t i = 0; p && i < n; i++) {
        struct error err = {0};
        if (netpolicy_add(p, &rules[i], &err) < 0 && !err.message[0])
            abort();
    }
    if (!p || netpolicy_finish(p, NULL, NULL) < 0)
        abort();
    return p;
}

static void ask(const struct netrule *rules, struct netpolicy *const *alone, size_t n,
                const struct netpolicy *all, const struct netrequest *q)
{
    struct netanswer a, one;
    enum net_decision most = NET_NONE;
    netpolicy_decide(all, q, &a);
    for (size_t i = 0; i < n; i++) {
        netpolicy_decide(alone[i], q, &one);
        if (one.rule && rules[i].decision > most)
            most = rules[i].decision;
        if (one.reason == NET_DENIED && a.reason != NET_DENIED)
            abort();
    }
    if (a.decision == NET_NONE || (a.decision == NET_ALLOW && most != NET_ALLOW) ||
        (a.rule && a.rule->decision != most))
        abort();
    if (q->host.kind != HOST_ADDRESS)
        return;
    struct netrequest named = {.port = q->port, .protocol = q->protocol};
    if (host_parse(BYTES("some.name.test"), &named.host) != HOST_FINE)
        abort();
    netpolicy_decide_addresses(all, &named, &q->host.address, 1, &one);
    if (a.reason == NET_DENIED ? one.reason != NET_DENIED : one.reason == NET_DENIED)
        abort();
    if (a.reason == NET_NOT_LOCAL && one.decision == NET_ALLOW)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[8192];
    struct netrule rules[MAX_RULES];
    struct netpolicy *alone[MAX_RULES], *all = NULL;
    size_t n = 0;
    if (size >= sizeof(text))
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (!all && line[0] && line[1] == ' ' && n < MAX_RULES) {
            enum net_decision d = line[0] == 'a' ? NET_ALLOW : line[0] == 'k' ? NET_ASK : NET_DENY;
            rules[n++] =
                (struct netrule){.pattern = line + 2, .decision = d, .source = NET_OF_RULES};
            continue;
        }
        if (!all) {
            all = make(rules, n);
            for (size_t i = 0; i < n; i++)
                alone[i] = make(&rules[i], 1);
        }
        struct netrequest q = {.protocol = NET_HTTPS};
        if (host_parse_port(bytes_of(line), 443, &q.host, &q.port) == HOST_FINE)
            ask(rules, alone, n, all, &q);
    }
    for (size_t i = 0; all && i < n; i++)
        netpolicy_free(alone[i]);
    netpolicy_free(all);
    return 0;
}
