/*
 * bawn explain --net HOST:PORT…: may the command reach it, and which line says so.
 *
 * Nothing is looked up and nothing is sent. What is judged is the name; whatever it resolves to is
 * judged again when a connection is made, which is why a name that is allowed here may still be
 * refused there.
 *
 * The network of a profile is off, open (the host's own, nothing is filtered) or filtered.
 */
#include "cli/cmd_explain_net.h"

#include "cli/network_rules.h"
#include "cli/print.h"
#include "config/config.h"
#include "network/from_config.h"
#include "network/unicode.h"

#include <errno.h>

struct destination {
    const char *text; /* as given */
    enum host_problem problem;
    struct error why; /* of a name that has no ASCII form */
    struct netrequest request;
    struct netanswer answer;
    struct origin origin; /* of what decided; all zero when nothing names it */
};

/* ---- the policy ---- */

/* Who would be asked about a host that no rule names, and where a rule says so? */
static void set_asking(const struct config *c, struct netpolicy_input *in)
{
    const char *word = c->approval_policy;
    bool granular = word && str_eq(word, "granular"), never = word && str_eq(word, "never");
    in->ask_unknown = granular ? c->granular.sandbox_approval : !never;
    in->ask_rule = granular ? c->granular.rules : !never;
}

static int make_policy(struct setup *s, struct netpolicy **ret, struct error *err)
{
    struct netpolicy_input in;
    int r = network_input(s, &in, err);
    if (r < 0)
        return r;
    set_asking(s->config, &in);
    return netpolicy_from_config(&in, ret, err);
}

/* ---- answers ---- */

static unsigned protocol_of(uint16_t port)
{
    return port == 443 ? NET_HTTPS : port == 80 ? NET_HTTP : NET_SOCKS_TCP;
}

/* A name that is not ASCII, and its port. */
static enum host_problem read_unicode(struct destination *d)
{
    const char *colon = strrchr(d->text, ':');
    if (!colon)
        return HOST_NO_PORT;
    const struct bytes name = {d->text, (size_t)(colon - d->text)};
    if (!host_port(bytes_of(colon + 1), &d->request.port))
        return HOST_BAD_PORT;
    return unicode_host(name, &d->request.host, &d->why) < 0 ? HOST_NOT_ASCII : HOST_FINE;
}

/* 0, or what to exit with: a port that is none is a mistake of the command line, a host that is
 * none gets the answer that it would get. */
static int read_destination(const char *text, struct destination *d)
{
    *d = (struct destination){.text = text};
    d->problem = host_parse_port(bytes_of(text), 0, &d->request.host, &d->request.port);
    if (d->problem == HOST_NOT_ASCII)
        d->problem = read_unicode(d);
    d->request.protocol = protocol_of(d->request.port);
    if (d->problem != HOST_NO_PORT && d->problem != HOST_BAD_PORT)
        return 0;
    struct error err = {0};
    (void)error_set(&err, -EINVAL, "explain: %s: %s", show(text), host_problem_text(d->problem));
    error_hint(&err, "bawn explain --net HOST:PORT…; an IPv6 address stands in brackets");
    return cli_error(&err, EXIT_USAGE);
}

static void answer_at(struct destination *d, enum net_decision decision, enum net_reason reason,
                      const struct origin *origin)
{
    d->answer = (struct netanswer){.decision = decision, .reason = reason};
    d->origin = *origin;
}

static void decide(const struct setup *s, const struct netpolicy *policy, struct destination *d)
{
    const struct profile *p = s->profile;
    static const struct origin nowhere;
    if (d->problem != HOST_FINE)
        answer_at(d, NET_DENY, NET_BAD_HOST, &nowhere);
    else if (p->network == NETWORK_OFF)
        answer_at(d, NET_DENY, NET_OFF, &p->network_origin);
    else if (p->network == NETWORK_OPEN)
        answer_at(d, NET_ALLOW, NET_OPEN, &p->network_origin);
    else
        netpolicy_decide(policy, &d->request, &d->answer);
    const struct netrule *rule = d->answer.rule;
    if (rule)
        d->origin = (struct origin){rule->layer, rule->file, rule->line, rule->column};
}

static void put_hint(const struct setup *s, const struct destination *d, struct strbuf *out)
{
    const struct config *c = s->config;
    if (d->answer.reason == NET_OFF && (c->network_cap || c->mode_cap != MODE_UNSET) &&
        str_eq(d->origin.layer ? d->origin.layer : "", config_rank_word(RANK_PROJECT)))
        strbuf_puts(out, "a project's file keeps the network off; a profile chosen with -P, and "
                         "-c, stand above it");
    else
        netpolicy_hint(s->profile->name, &d->request, &d->answer, out);
}

/* ---- printing ---- */

static void put_why(const struct destination *d, struct strbuf *out)
{
    if (d->why.code)
        strbuf_puts(out, d->why.message);
    else if (d->answer.reason == NET_BAD_HOST)
        strbuf_puts(out, host_problem_text(d->problem));
    else
        netpolicy_say(&d->request, &d->answer, out);
}

static void put_json(const struct setup *s, struct json *j, const struct destination *d)
{
    _cleanup_strbuf_ struct strbuf hint = {0}, says = {0};
    bool fine = d->problem == HOST_FINE;
    const struct netanswer *a = &d->answer;
    put_hint(s, d, &hint);
    put_why(d, &says);
    json_object(j);
    json_kv_string(j, "destination", d->text);
    json_kv_string(j, "host", fine ? d->request.host.name : NULL);
    json_key(j, "port");
    fine ? json_uint(j, d->request.port) : json_null(j);
    json_kv_string(j, "resolved", NULL); /* nothing is looked up */
    json_kv_string(j, "network", network_word(s->profile->network));
    json_kv_bool(j, "held", true);
    json_kv_string(j, "decision", net_decision_word(a->decision));
    json_kv_string(j, "why", net_reason_word(a->reason));
    json_kv_string(j, "message", strbuf_text(&says));
    json_kv_string(j, "class", a->address.family || a->class ? address_class_word(a->class) : NULL);
    json_kv_string(j, "rule", a->rule ? a->rule->pattern : NULL);
    json_kv_string(j, "file", d->origin.file);
    json_key(j, "line");
    d->origin.line ? json_uint(j, d->origin.line) : json_null(j);
    json_kv_string(j, "hint", hint.n ? strbuf_text(&hint) : NULL);
    json_end_object(j);
}

static void put_place(const struct origin *o, struct strbuf *out)
{
    if (o->file) {
        strbuf_puts(out, ", ");
        strbuf_put_printable(out, o->file, strlen(o->file));
        if (o->line && o->file[0] != '-') /* -c has no lines */
            strbuf_printf(out, ":%u", o->line);
    } else if (o->layer && !str_eq(o->layer, "default")) {
        strbuf_printf(out, ", %s", o->layer);
    }
}

static void put_text(const struct setup *s, struct strbuf *out, const struct destination *d)
{
    _cleanup_strbuf_ struct strbuf hint = {0};
    const struct netanswer *a = &d->answer;
    strbuf_put_printable(out, d->text, strlen(d->text));
    if (d->problem == HOST_FINE &&
        (d->request.host.kind == HOST_ADDRESS || unicode_is(bytes_of(d->text))) &&
        !strstr(d->text, d->request.host.name))
        strbuf_printf(out, " -> %s", d->request.host.name);
    strbuf_printf(out, ": %s (%s: ", net_decision_word(a->decision), net_reason_word(a->reason));
    put_why(d, out);
    if (a->rule) {
        strbuf_puts(out, ", ");
        strbuf_put_printable(out, a->rule->pattern, strlen(a->rule->pattern));
    }
    put_place(&d->origin, out);
    strbuf_puts(out, ")\n");
    if (d->why.hint[0])
        strbuf_printf(out, "    %s\n", d->why.hint);
    put_hint(s, d, &hint);
    if (hint.n)
        strbuf_printf(out, "    would allow it: %s\n", strbuf_text(&hint));
}

/* The first line: what the network is. */
static void put_network(const struct setup *s, struct strbuf *out)
{
    const struct profile *p = s->profile;
    strbuf_printf(out, "network: %s (profile ", network_word(p->network));
    strbuf_put_printable(out, p->name, strlen(p->name));
    put_place(&p->network_origin, out);
    strbuf_puts(out, ")\n");
}

int explain_net(struct setup *s)
{
    const struct options *o = s->options;
    _cleanup_netpolicy_ struct netpolicy *policy = NULL;
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    struct json j;
    if (make_policy(s, &policy, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    print_warnings(s->config->warnings, s->config->n_warnings);
    json_begin(&j, &out);
    if (o->json)
        json_array(&j);
    else
        put_network(s, &out);
    for (size_t i = 0; i < o->n_rest; i++) {
        struct destination d;
        int status = read_destination(o->rest[i], &d);
        if (status)
            return status;
        decide(s, policy, &d);
        if (o->json)
            put_json(s, &j, &d);
        else
            put_text(s, &out, &d);
    }
    if (o->json) {
        json_end_array(&j);
        strbuf_putc(&out, '\n');
    }
    return print_out(&out);
}
