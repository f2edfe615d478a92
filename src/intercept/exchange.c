/* A request and its response, in no protocol's form. See intercept.h. */
#include "intercept/intercept.h"

#include "base/json.h"

#define RETRIES 2u

const char *status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {
        {100, "Continue"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {414, "URI Too Long"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "";
}

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

static void put_place(const struct netrule *r, struct strbuf *out)
{
    strbuf_printf(out, "requests of \"%s\" = \"%s\"", show(r->pattern),
                  net_decision_word(r->decision));
    if (r->file) {
        strbuf_puts(out, " (");
        strbuf_put_printable(out, r->file, strlen(r->file));
        if (r->line)
            strbuf_printf(out, ":%u", r->line);
        strbuf_putc(out, ')');
    }
}

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
    const char *block = s->intercept->settings.block_message;
    bool decided = r->reason != NET_ALLOWED;
    _cleanup_strbuf_ struct strbuf message = {0}, hint = {0}, rule = {0};
    struct json j;
    bool six = s->target.host.kind == HOST_ADDRESS && s->target.host.address.family == ADDRESS_V6;
    strbuf_printf(&message, six ? "[%s]:%u: %s" : "%s:%u: %s", s->target.host.name, s->target.port,
                  r->text);
    if (r->rule) {
        put_place(r->rule, &rule);
        strbuf_printf(&message, "; rule %s", strbuf_text(&rule));
    }
    if (decided && block) {
        strbuf_puts(&message, ". ");
        strbuf_put_printable(&message, block, strlen(block));
    }
    put_hint(x, r->reason, &hint);
    json_begin(&j, out);
    json_object(&j);
    json_kv_int(&j, "status", (int64_t)r->status);
    json_kv_string(&j, "host", s->target.host.name);
    json_kv_int(&j, "port", s->target.port);
    json_kv_string(&j, "protocol", net_protocol_word(s->target.protocol));
    json_kv_string(&j, "reason", r->word);
    json_kv_string(&j, "decision", decided ? "deny" : NULL);
    json_kv_string(&j, "source", r->rule ? "profile" : NULL);
    json_kv_string(&j, "rule", rule.n ? rule.p : NULL);
    json_kv_string(&j, "message", strbuf_text(&message));
    json_kv_string(&j, "hint", hint.n ? hint.p : NULL);
    json_end_object(&j);
    strbuf_putc(out, '\n');
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
