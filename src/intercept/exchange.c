/* A request and its response, in no protocol's form. See intercept.h. */
#include "intercept/intercept.h"

#include "helper/refusal.h"

#define RETRIES 2u

/* ---- life ---- */

struct exchange *exchange_new(struct session *s)
{
    struct exchange *x = mem_zalloc(1, sizeof(*x));
    if (!x)
        return NULL;
    x->session = s;
    x->path.max = x->authority.max = x->reason.max = x->upgrade_to.max = LIMIT_HEAD;
    *s->last_exchange = x;
    s->last_exchange = &x->next;
    s->n_exchanges++;
    s->served++;
    return x;
}

static void let_go(struct exchange *x)
{
    struct server *v = x->server;
    x->server = NULL;
    x->needs_server = false;
    if (v && v->h2) {
        server_h2_forget(v, x);
    } else if (v && v->current == x) {
        v->current = NULL; /* in the middle of something: of no more use */
        v->done = true;
    }
}

void exchange_free(struct exchange *x)
{
    struct session *s = x->session;
    struct exchange **at = &s->exchanges;
    let_go(x);
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    if (s->last_exchange == &x->next)
        s->last_exchange = at;
    s->n_exchanges--;
    if (s->current == x)
        s->current = NULL;
    strbuf_release(&x->path);
    strbuf_release(&x->authority);
    strbuf_release(&x->reason);
    strbuf_release(&x->upgrade_to);
    fields_release(&x->request);
    fields_release(&x->response);
    fields_release(&x->trailers);
    fields_release(&x->info);
    queue_release(&x->up);
    queue_release(&x->down);
    mem_free(x);
}

bool exchange_can_repeat(const struct exchange *x)
{
    return x->status == 0 && x->no_body && x->tries < RETRIES &&
           method_is_reading(bytes_of(x->method));
}

/* ---- the response ---- */

bool exchange_put_down(struct exchange *x, struct bytes data)
{
    const struct session *s = x->session;
    if (!queue_put(&x->down, data.p, data.n))
        return false;
    if (s->n_secrets) {
        size_t n = x->held + data.n;
        x->held = secrets_hide(s->secrets, s->n_secrets, x->down.p + x->down.end - n, n);
    }
    return true;
}

void exchange_end_down(struct exchange *x)
{
    x->held = 0;
    x->down_end = true;
}

void exchange_hide(const struct exchange *x, struct fields *f)
{
    const struct session *s = x->session;
    if (s->n_secrets && f->text.n)
        (void)secrets_hide(s->secrets, s->n_secrets, f->text.p, f->text.n);
}

/* Content that cannot be looked through must not come from where secrets are sent to. */
static bool is_coded(const struct exchange *x)
{
    struct http_field f;
    size_t at = 0;
    while (fields_find(&x->response, BYTES("content-encoding"), &at, &f))
        if (f.value.n && !bytes_eq_case(f.value, BYTES("identity")))
            return true;
    return false;
}

bool exchange_head_came(struct exchange *x)
{
    fields_remove(&x->response, "x-proxy-error");
    fields_remove(&x->response, "alt-svc"); /* HTTP/3 has no way through */
    if (x->session->n_secrets && is_coded(x)) {
        let_go(x);
        exchange_fail(x, "coded_response",
                      "the server's answer is compressed, though that was not asked for: it cannot "
                      "be searched for the secret that it was sent");
        return false;
    }
    exchange_hide(x, &x->response);
    return true;
}

/* ---- answers of our own ---- */

static void put_hint(const struct exchange *x, enum net_reason reason, struct strbuf *out)
{
    const struct intercept_settings *s = &x->session->intercept->settings;
    const char *profile = s->profile && s->profile[0] != ':' ? show(s->profile) : "NAME";
    if (reason == NET_METHOD && s->limited)
        strbuf_printf(out, "[permissions.%s.network] mode = \"full\"", profile);
    if (reason == NET_REQUEST)
        strbuf_printf(out,
                      "[[permissions.%s.network.requests]] host = \"%s\", methods = [\"%s\"], "
                      "path = …, decision = \"allow\"; the first rule that matches decides",
                      profile, x->session->target.host.name, show(x->method));
}

struct said {
    unsigned status;
    enum net_reason reason; /* NET_ALLOWED: nothing was decided, something failed */
    const char *word, *text;
    const struct netrule *rule;
};

static void put_body(const struct exchange *x, const struct said *r, struct strbuf *out)
{
    const struct session *s = x->session;
    _cleanup_strbuf_ struct strbuf hint = {0};
    put_hint(x, r->reason, &hint);
    const struct refusal_body body = {.status = r->status,
                                      .reason = r->word,
                                      .request = &s->target,
                                      .text = r->text,
                                      .decided = r->reason != NET_ALLOWED,
                                      .rule = r->rule,
                                      .rule_of = "requests of ",
                                      .block_message = s->intercept->settings.block_message,
                                      .hint = strbuf_text(&hint)};
    refusal_json(&body, out);
}

static void answer(struct exchange *x, const struct said *r)
{
    const char *header = net_reason_header(r->reason);
    _cleanup_strbuf_ struct strbuf body = {0};
    let_go(x);
    fields_release(&x->response);
    fields_release(&x->trailers);
    strbuf_clear(&x->reason);
    queue_release(&x->down);
    queue_release(&x->up);
    put_body(x, r, &body);
    x->status = r->status;
    x->info_status = 0;
    x->tunnel = false;
    x->response_no_body = str_eq(x->method, "HEAD");
    x->response_has_length = true;
    x->response_length = body.n;
    if (header && r->status != 400)
        (void)fields_adds(&x->response, "x-proxy-error", header);
    (void)fields_adds(&x->response, "content-type", "application/json");
    (void)fields_adds(&x->response, "cache-control", "no-store");
    if (!x->response_no_body)
        (void)queue_put(&x->down, body.p, body.n);
    x->held = 0;
    x->down_end = true;
}

void exchange_refuse(struct exchange *x, unsigned status, enum net_reason reason, const char *word,
                     const char *text, const struct netrule *rule)
{
    struct said r = {status, reason, word ? word : net_reason_word(reason), text, rule};
    if (status == 400)
        x->session->close_after = true; /* of HTTP/1: what else is wrong with what it says? */
    answer(x, &r);
}

void exchange_fail(struct exchange *x, const char *word, const char *text)
{
    struct said r = {502, NET_ALLOWED, word, text, NULL};
    if (x->head_sent) {
        let_go(x);
        x->broken = true;
        x->down_end = true;
    } else {
        answer(x, &r);
    }
}
