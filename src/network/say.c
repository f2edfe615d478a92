/* The words of decisions: for records, for refusals, for people. See policy.h. */
#include "network/policy.h"

#include <assert.h>
#include <stdio.h>

const char *net_decision_word(enum net_decision d)
{
    static const char *const words[] = {
        [NET_NONE] = "none", [NET_ALLOW] = "allow", [NET_ASK] = "ask", [NET_DENY] = "deny"};
    assert((size_t)d < ARRAY_LEN(words));
    return words[d];
}

static const struct {
    const char *word;
    unsigned protocol;
} protocols[] = {
    /* the first of each is what is shown */
    {"http", NET_HTTP},
    {"https", NET_HTTPS},
    {"socks5_tcp", NET_SOCKS_TCP},
    {"socks5_udp", NET_SOCKS_UDP},
    {"tcp", NET_TCP},
    {"https_connect", NET_HTTPS},
    {"http-connect", NET_HTTPS},
    {"any", NET_HTTP | NET_HTTPS | NET_SOCKS_TCP | NET_SOCKS_UDP | NET_TCP},
};

unsigned net_protocol(const char *word)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        if (str_eq(protocols[i].word, word))
            return protocols[i].protocol;
    return 0;
}

const char *net_protocol_word(unsigned protocol)
{
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
        if (protocols[i].protocol == protocol)
            return protocols[i].word;
    return "any";
}

static const struct {
    const char *word, *header;
} reasons[] = {
    [NET_ALLOWED] = {"allowed", NULL},
    [NET_OPEN] = {"open", NULL},
    [NET_OFF] = {"network_off", "blocked-by-policy"},
    [NET_DENIED] = {"denied", "blocked-by-denylist"},
    [NET_NOT_ALLOWED] = {"not_allowed", "blocked-by-allowlist"},
    [NET_NOT_LOCAL] = {"not_allowed_local", "blocked-by-allowlist"},
    [NET_NOT_MANAGED] = {"not_allowed_managed", "blocked-by-allowlist"},
    [NET_UNKNOWN] = {"ask_unknown", NULL},
    [NET_PROMPT] = {"ask_rule", NULL},
    [NET_NOBODY_TO_ASK] = {"nobody_to_ask", "blocked-by-policy"},
    [NET_MIXED] = {"mixed_answers", "blocked-by-policy"},
    [NET_DNS_FAILED] = {"dns_failed", "blocked-by-policy"},
    [NET_DNS_TIMEOUT] = {"dns_timeout", "blocked-by-policy"},
    [NET_ANSWERED_NO] = {"answered_no", "blocked-by-policy"},
    [NET_METHOD] = {"method_not_allowed", "blocked-by-method-policy"},
    [NET_NEEDS_MITM] = {"mitm_required", "blocked-by-mitm-required"},
    [NET_REQUEST] = {"request_not_allowed", "blocked-by-mitm-hook"},
    [NET_OTHER_HOST] = {"host_mismatch", "blocked-by-policy"},
    [NET_BAD_HOST] = {"bad_host", "blocked-by-policy"},
};

const char *net_reason_word(enum net_reason r)
{
    assert((size_t)r < ARRAY_LEN(reasons));
    return reasons[r].word;
}

const char *net_reason_header(enum net_reason r)
{
    assert((size_t)r < ARRAY_LEN(reasons));
    return reasons[r].header;
}

const char *net_source_word(enum net_source source)
{
    static const char *const words[] = {[NET_OF_PROFILE] = "profile",
                                        [NET_OF_RULES] = "rules",
                                        [NET_OF_PROJECT] = "project",
                                        [NET_OF_REQUIRED] = "requirements",
                                        [NET_OF_SESSION] = "session"};
    assert((size_t)source < ARRAY_LEN(words));
    return words[source];
}

/* ---- sentences ---- */

void netrequest_place(const struct netrequest *q, struct strbuf *out)
{
    bool v6 = q->host.kind == HOST_ADDRESS && q->host.address.family == ADDRESS_V6;
    strbuf_printf(out, v6 ? "[%s]:%u" : "%s:%u", q->host.name, q->port);
}

void netrule_place(const struct netrule *r, struct strbuf *out)
{
    if (!r->file)
        return;
    strbuf_puts(out, " (");
    strbuf_put_printable(out, r->file, strlen(r->file));
    if (r->line)
        strbuf_printf(out, ":%u", r->line);
    strbuf_putc(out, ')');
}

/* The address that decided; the name itself where it is loopback by what it is called. */
static void put_target(const struct netrequest *q, const struct netanswer *a, struct strbuf *out)
{
    char text[ADDRESS_TEXT_MAX];
    if (a->address.family)
        strbuf_puts(out, address_format(&a->address, text));
    else
        strbuf_puts(out, q->host.name);
}

static void put_local(const struct netrequest *q, const struct netanswer *a, struct strbuf *out)
{
    struct address normal = address_normal(&a->address);
    put_target(q, a, out);
    if (a->own && a->class == ADDRESS_PUBLIC) {
        strbuf_puts(out, " is an address of this machine");
    } else if (a->class == ADDRESS_PUBLIC) {
        strbuf_puts(out, " is not loopback, as localhost is");
    } else if (!a->range) {
        strbuf_printf(out, " is %s", address_class_word(a->class));
    } else {
        strbuf_puts(out, " is ");
        if (a->address.family == ADDRESS_V6 && normal.family == ADDRESS_V4) {
            char text[ADDRESS_TEXT_MAX];
            strbuf_printf(out, "%s, ", address_format(&normal, text));
        }
        strbuf_printf(out, "not public: %s (%s)", a->range->name, a->range->source);
    }
}

void netpolicy_say(const struct netrequest *q, const struct netanswer *a, struct strbuf *out)
{
    switch (a->reason) {
    case NET_ALLOWED:
        strbuf_puts(out, "a rule allows it");
        break;
    case NET_OPEN:
        strbuf_puts(out, "the network is open, nothing is filtered");
        break;
    case NET_OFF:
        strbuf_puts(out, "the network is off");
        break;
    case NET_DENIED:
        strbuf_puts(out, a->rule && a->rule->message ? a->rule->message : "a rule denies it");
        break;
    case NET_NOT_ALLOWED:
        strbuf_puts(out, "no rule allows it");
        break;
    case NET_NOT_LOCAL:
        put_local(q, a, out);
        break;
    case NET_NOT_MANAGED:
        strbuf_puts(out, "only what the requirements allow is allowed");
        break;
    case NET_UNKNOWN:
        strbuf_puts(out, "no rule names it");
        break;
    case NET_PROMPT:
        strbuf_puts(out,
                    a->rule && a->rule->message ? a->rule->message : "a rule wants it asked about");
        break;
    case NET_NOBODY_TO_ASK:
        strbuf_puts(out, "a rule wants it asked about, and the approval policy does not ask");
        break;
    case NET_MIXED:
        strbuf_puts(out, "the name has public addresses and others");
        break;
    case NET_DNS_FAILED:
        strbuf_puts(out, "the name was not found");
        break;
    case NET_DNS_TIMEOUT:
        strbuf_puts(out, "the name was not found in time");
        break;
    case NET_ANSWERED_NO:
        strbuf_puts(out, "somebody was asked, and did not allow it");
        break;
    case NET_METHOD:
        strbuf_puts(out, "the network is limited to GET, HEAD and OPTIONS");
        break;
    case NET_NEEDS_MITM:
        strbuf_puts(out, "what is asked for here cannot be seen without interception");
        break;
    case NET_REQUEST:
        strbuf_puts(out, "no rule for requests to this host allows this one");
        break;
    case NET_OTHER_HOST:
        strbuf_puts(out, "the name in the request is not the one that was connected to");
        break;
    case NET_BAD_HOST:
        strbuf_puts(out, "this is no host");
        break;
    }
}

/* ---- hints ---- */

/* A line for the table `domains` of PROFILE. PORT: of what is not public, or 0. */
static void put_domain(const char *profile, const char *name, uint16_t port, struct strbuf *out)
{
    char host[HOST_NAME_MAX_BYTES + 16];
    if (port)
        (void)snprintf(host, sizeof(host), strchr(name, ':') ? "[%s]:%u" : "%s:%u", name, port);
    else
        (void)snprintf(host, sizeof(host), "%s", name);
    if (profile && profile[0] && profile[0] != ':')
        strbuf_printf(out, "[permissions.%s.network] domains: \"%s\" = \"allow\"", show(profile),
                      host);
    else
        strbuf_printf(out,
                      "in a permission profile of your own, [permissions.NAME.network] domains: "
                      "\"%s\" = \"allow\"",
                      host);
}

static void hint_local(const char *profile, const struct netrequest *q, const struct netanswer *a,
                       struct strbuf *out)
{
    char text[ADDRESS_TEXT_MAX];
    bool named = a->address.family == 0 || q->host.kind == HOST_ADDRESS;
    struct address normal = address_normal(&a->address);
    if (host_is_localhost(&q->host) && a->address.family)
        return; /* a resolver that lies */
    put_domain(profile, a->address.family ? address_format(&normal, text) : q->host.name, q->port,
               out);
    if (a->own || address_class_is_local(a->class))
        strbuf_printf(out, "; or allow_local_binding = true for all that is %s",
                      a->class == ADDRESS_PUBLIC ? "local" : address_class_word(a->class));
    else if (!named)
        strbuf_puts(out, "; nothing else opens it");
}

static void hint_rule(const struct netanswer *a, struct strbuf *out)
{
    const struct netrule *r = a->rule;
    if (!r)
        return;
    if (r->source == NET_OF_REQUIRED) {
        strbuf_puts(out, "the rule is the administrator's: nothing of your own changes it");
        return;
    }
    if (r->source == NET_OF_SESSION) {
        strbuf_puts(out, "it was refused in this session: a new one asks again");
        return;
    }
    strbuf_puts(out, "deny wins over every allow: take the rule out");
    netrule_place(r, out);
}

void netpolicy_hint(const char *profile, const struct netrequest *q, const struct netanswer *a,
                    struct strbuf *out)
{
    switch (a->reason) {
    case NET_OFF:
        if (profile && profile[0] && profile[0] != ':')
            strbuf_printf(out, "[permissions.%s.network] enabled = true", show(profile));
        else if (profile && str_eq(profile, ":workspace"))
            strbuf_puts(out, "-c sandbox_workspace_write.network_access=true");
        else
            strbuf_puts(out, "a permission profile of your own: [permissions.NAME.network] "
                             "enabled = true, and -P NAME");
        break;
    case NET_DENIED:
        hint_rule(a, out);
        break;
    case NET_NOT_ALLOWED:
        put_domain(profile, q->host.name, 0, out);
        break;
    case NET_NOT_LOCAL:
        hint_local(profile, q, a, out);
        break;
    case NET_NOT_MANAGED:
        strbuf_puts(out, "an administrator adds it to experimental_network.domains");
        break;
    case NET_NOBODY_TO_ASK:
        strbuf_puts(out, "-a on-request asks");
        break;
    case NET_METHOD:
    case NET_NEEDS_MITM:
        strbuf_puts(out, "mode = \"full\" in the network table of the profile");
        break;
    case NET_ALLOWED:
    case NET_OPEN:
    case NET_UNKNOWN:
    case NET_PROMPT:
    case NET_MIXED:
    case NET_ANSWERED_NO:
    case NET_REQUEST:
    case NET_OTHER_HOST:
    case NET_DNS_FAILED:
    case NET_DNS_TIMEOUT:
    case NET_BAD_HOST:
        break;
    }
}
