/*
 * May this request be made? In this order: it is for the host that was connected to; mode
 * "limited"; the rules for requests. Then the host's secrets are put in.
 *
 * Headers that tell a server to take a request for one of another method are refused where the
 * method counts: in mode "limited", and on hosts with rules.
 */
#include "intercept/intercept.h"

#include <openssl/evp.h>

static const char *const overrides[] = {"x-http-method-override", "x-http-method",
                                        "x-method-override"};

bool path_is_fine(struct bytes text)
{
    if (text.n == 0 || (text.p[0] != '/' && !bytes_is(text, "*")))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}#", c))
            return false;
    }
    return true;
}

/* ---- what is asked ---- */

static bool is_target(const struct exchange *x)
{
    const struct netrequest *t = &x->session->target;
    struct host h;
    uint16_t port;
    struct bytes said = {x->authority.p, x->authority.n};
    return said.n && host_parse_port(said, 443, &h, &port) == HOST_FINE && h.kind == t->host.kind &&
           str_eq(h.name, t->host.name) && port == t->port;
}

static bool is_overridden(const struct exchange *x)
{
    for (size_t i = 0; i < ARRAY_LEN(overrides); i++)
        if (fields_have(&x->request, overrides[i]))
            return true;
    return false;
}

static bool record(const struct exchange *x, enum net_decision decision, enum net_reason reason,
                   const struct netrule *rule)
{
    return launcher_record(x->session->intercept, &x->session->target, decision, reason, rule,
                           x->method);
}

static void refuse(struct exchange *x, unsigned status, enum net_reason reason, const char *text,
                   const struct netrule *rule)
{
    (void)record(x, NET_DENY, reason, rule);
    exchange_refuse(x, status, reason, NULL, text, rule);
}

static bool check_method(struct exchange *x)
{
    bool limited = x->session->intercept->settings.limited;
    if (limited && !method_is_reading(bytes_of(x->method))) {
        refuse(x, 403, NET_METHOD, "the network is limited to GET, HEAD and OPTIONS", NULL);
        return false;
    }
    if (limited && x->upgrade_to.n) {
        refuse(x, 403, NET_METHOD,
               "the network is limited to GET, HEAD and OPTIONS: a WebSocket is more", NULL);
        return false;
    }
    if ((limited || x->session->has_rules) && is_overridden(x)) {
        refuse(x, 403, NET_METHOD, "a header asks for another method than the request's", NULL);
        return false;
    }
    return true;
}

/* ---- secrets ---- */

/* Is the placeholder in VALUE, or in what it is the base64 of ("Basic …")? */
static bool holds(struct bytes value, const struct secret *s)
{
    unsigned char text[3 * 2048 + 3];
    if (memmem(value.p, value.n, s->placeholder, s->n))
        return true;
    if (value.n < 6 || !bytes_eq_case((struct bytes){value.p, 6}, BYTES("basic ")))
        return false;
    value = (struct bytes){value.p + 6, value.n - 6};
    if (value.n > 8192 || value.n % 4 != 0)
        return false;
    int n = EVP_DecodeBlock(text, (const unsigned char *)value.p, (int)value.n);
    return n > 0 && memmem(text, (size_t)n, s->placeholder, s->n);
}

/* Is there no such header yet, or one with the placeholder? */
static bool is_wanted(const struct exchange *x, const char *header, const struct secret *s)
{
    struct http_field f;
    size_t at = 0;
    bool any = false;
    while (fields_find(&x->request, bytes_of(header), &at, &f)) {
        any = true;
        if (holds(f.value, s))
            return true;
    }
    return !any;
}

static bool put_in(struct exchange *x, const struct intercept_credential *c, const struct secret *s)
{
    char value[1024 + SECRET_MOST + 1024];
    size_t before = strlen(c->before), after = strlen(c->after), n = before + s->n + after;
    if (!is_wanted(x, c->header, s))
        return true;
    if (n > sizeof(value))
        return false;
    memcpy(value, c->before, before);
    memcpy(value + before, s->value, s->n);
    memcpy(value + before + s->n, c->after, after);
    fields_remove(&x->request, c->header);
    bool fine = fields_add(&x->request, bytes_of(c->header), (struct bytes){value, n});
    explicit_bzero(value, sizeof(value));
    return fine;
}

/* The answer must come in a form that can be searched, and whole: of a range only half of a secret
 * might be in it. */
static bool put_secrets(struct exchange *x)
{
    static const char *const out[] = {"accept-encoding", "range", "if-range",
                                      "sec-websocket-extensions"};
    const struct session *s = x->session;
    bool fine = true;
    for (size_t i = 0; i < ARRAY_LEN(out) && s->n_secrets; i++)
        fields_remove(&x->request, out[i]);
    if (s->n_secrets)
        fine = fields_adds(&x->request, "accept-encoding", "identity");
    for (size_t i = 0; i < s->n_secrets; i++)
        fine = fine && put_in(x, s->credentials[i], s->secrets[i]);
    return fine;
}

void judge_session(struct session *s)
{
    const struct intercept *ic = s->intercept;
    s->has_rules = requests_name(&ic->settings.requests, &s->target.host, s->target.port);
    for (size_t i = 0; i < ic->settings.n_credentials && s->n_secrets < SECRETS_A_HOST; i++)
        if (netpattern_matches(&ic->settings.credentials[i].host, &s->target.host,
                               s->target.port)) {
            s->credentials[s->n_secrets] = &ic->settings.credentials[i];
            s->secrets[s->n_secrets++] = &ic->secrets.v[i];
        }
}

/* ---- all of it ---- */

void judge_exchange(struct exchange *x)
{
    const struct netrequest *t = &x->session->target;
    struct requests_answer a;
    x->judged = true;
    if (!is_target(x)) {
        refuse(x, 400, NET_OTHER_HOST,
               "the name in the request is not the one that was connected to", NULL);
        return;
    }
    if (!path_is_fine((struct bytes){x->path.p, x->path.n}) || str_eq(x->method, "CONNECT")) {
        exchange_refuse(x, 400, NET_ALLOWED, "bad_request", "this is no request for a server",
                        NULL);
        return;
    }
    if (!check_method(x))
        return;
    requests_decide(&x->session->intercept->settings.requests, &t->host, t->port,
                    bytes_of(x->method), (struct bytes){x->path.p, x->path.n}, &a);
    if (a.decision != NET_ALLOW) {
        refuse(x, 403, NET_REQUEST, a.text, a.rule);
        return;
    }
    if (!record(x, NET_ALLOW, NET_ALLOWED, a.rule)) {
        exchange_refuse(x, 503, NET_ALLOWED, "not_recorded",
                        "it is allowed, and there is no room to write that down", NULL);
        return;
    }
    if (!put_secrets(x)) {
        exchange_refuse(x, 431, NET_ALLOWED, "head_too_long",
                        "there is no room for the credential among the header fields", NULL);
        return;
    }
    x->allowed = x->needs_server = true;
}
