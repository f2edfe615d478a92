/*
 * What clients are told when something is refused or fails: which rule, why, and what would allow
 * it. Agents read this; so the hint is the line to write.
 */
#include "proxy/proxy.h"

#include "base/json.h"

#include <errno.h>
#include <stdio.h>

static const char *status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {
        {400, "Bad Request"},
        {403, "Forbidden"},
        {408, "Request Timeout"},
        {414, "URI Too Long"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Error";
}

static const char *source_word(const struct netrule *rule)
{
    static const char *const words[] = {[NET_OF_PROFILE] = "profile",
                                        [NET_OF_RULES] = "rules",
                                        [NET_OF_PROJECT] = "project",
                                        [NET_OF_REQUIRED] = "requirements",
                                        [NET_OF_SESSION] = "session"};
    return rule && rule->source < ARRAY_LEN(words) ? words[rule->source] : NULL;
}

static void put_rule(const struct netrule *r, struct strbuf *out)
{
    strbuf_printf(out, "\"%s\" = \"%s\"", show(r->pattern), net_decision_word(r->decision));
    if (r->file) {
        strbuf_puts(out, " (");
        strbuf_put_printable(out, r->file, strlen(r->file));
        if (r->line)
            strbuf_printf(out, ":%u", r->line);
        strbuf_putc(out, ')');
    }
}

/* "example.com:443 was refused: no rule allows it" and what is configured to be said. */
static void put_message(const struct proxy *p, const struct netrequest *q,
                        const struct netanswer *a, const char *text, struct strbuf *out)
{
    if (q)
        strbuf_printf(out,
                      q->host.kind == HOST_ADDRESS && q->host.address.family == ADDRESS_V6
                          ? "[%s]:%u: "
                          : "%s:%u: ",
                      q->host.name, q->port);
    if (a)
        netpolicy_say(q, a, out);
    else
        strbuf_puts(out, text);
    if (a && a->rule && a->rule->decision != NET_ALLOW) {
        strbuf_puts(out, "; rule ");
        put_rule(a->rule, out);
    }
    if (a && p->settings.block_message) {
        strbuf_puts(out, ". ");
        strbuf_put_printable(out, p->settings.block_message, strlen(p->settings.block_message));
    }
}

static void put_json(struct proxy *p, const struct refusal *r, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf message = {0}, hint = {0}, rule = {0};
    struct json j;
    put_message(p, r->request, r->answer, r->text, &message);
    if (r->answer)
        netpolicy_hint(p->settings.profile, r->request, r->answer, &hint);
    if (r->answer && r->answer->rule && r->answer->rule->decision != NET_ALLOW)
        put_rule(r->answer->rule, &rule);
    json_begin(&j, out);
    json_object(&j);
    json_kv_int(&j, "status", (int64_t)r->status);
    json_kv_string(&j, "host", r->request ? r->request->host.name : NULL);
    json_key(&j, "port");
    if (r->request)
        json_uint(&j, r->request->port);
    else
        json_null(&j);
    json_kv_string(&j, "protocol", r->request ? net_protocol_word(r->request->protocol) : NULL);
    json_kv_string(&j, "reason", r->reason);
    json_kv_string(&j, "decision", r->answer ? net_decision_word(r->answer->decision) : NULL);
    json_kv_string(&j, "source", r->answer ? source_word(r->answer->rule) : NULL);
    json_kv_string(&j, "rule", rule.n ? rule.p : NULL);
    json_kv_string(&j, "message", strbuf_text(&message));
    json_kv_string(&j, "hint", hint.n ? hint.p : NULL);
    json_end_object(&j);
}

void refuse_http(struct proxy *p, const struct refusal *r, bool connect, bool keep,
                 struct buffer *out)
{
    _cleanup_strbuf_ struct strbuf body = {0}, head = {0};
    (void)connect; /* one line of JSON serves both */
    put_json(p, r, &body);
    strbuf_putc(&body, '\n');
    strbuf_printf(&head, "HTTP/1.1 %u %s\r\n", r->status, status_text(r->status));
    if (r->header)
        strbuf_printf(&head, "x-proxy-error: %s\r\n", r->header);
    strbuf_printf(&head,
                  "Content-Type: application/json\r\nContent-Length: %zu\r\nCache-Control: "
                  "no-store\r\nConnection: %s\r\n\r\n",
                  body.n, keep ? "keep-alive" : "close");
    if (strbuf_failed(&body) || strbuf_failed(&head))
        return;
    (void)buffer_put(out, head.p, head.n);
    if (!r->no_body)
        (void)buffer_put(out, body.p, body.n);
}

void refuse_ssh(struct proxy *p, const struct netrequest *q, const struct netanswer *a,
                struct buffer *out)
{
    /* RFC 4253: the version line, then one packet in the clear: length, padding length, message 1
     * (disconnect), reason 11 (by application), text, language, padding. */
    _cleanup_strbuf_ struct strbuf text = {0}, hint = {0};
    put_message(p, q, a, "", &text);
    netpolicy_hint(p->settings.profile, q, a, &hint);
    if (hint.n) {
        strbuf_puts(&text, "; ");
        strbuf_puts(&text, hint.p);
    }
    if (strbuf_failed(&text) || text.n > 2000)
        return;
    const uint32_t payload = 1 + 4 + 4 + (uint32_t)text.n + 4;
    uint32_t padding = 8 - (5 + payload) % 8;
    if (padding < 4)
        padding += 8;
    const uint32_t packet = htonl(1 + payload + padding), reason = htonl(11),
                   n = htonl((uint32_t)text.n);
    static const char zeros[16];
    const char head[] = {(char)padding, 1};
    (void)buffer_put(out, "SSH-2.0-bawn\r\n", 14);
    (void)buffer_put(out, &packet, 4);
    (void)buffer_put(out, head, 2);
    (void)buffer_put(out, &reason, 4);
    (void)buffer_put(out, &n, 4);
    (void)buffer_put(out, text.p, text.n);
    (void)buffer_put(out, zeros, 4); /* no language */
    (void)buffer_put(out, zeros, padding);
}

struct refusal refusal_of_dial(const struct dial *d, enum dial_result result)
{
    struct refusal r = {.request = &d->request};
    switch (result) {
    case DIAL_REFUSED_BY_POLICY:
        r.answer = &d->answer;
        r.reason = net_reason_word(d->answer.reason);
        r.status = d->answer.reason == NET_DNS_FAILED    ? 502
                   : d->answer.reason == NET_DNS_TIMEOUT ? 504
                                                         : 403;
        r.header = r.status == 403 ? net_reason_header(d->answer.reason) : NULL;
        break;
    case DIAL_TIMEOUT:
        r.status = 504;
        r.reason = "connect_timeout";
        r.text = "it did not answer in time";
        break;
    case DIAL_UNREACHABLE:
        r.status = 502;
        r.reason = d->error == ECONNREFUSED ? "connection_refused" : "unreachable";
        r.text = d->error ? show(strerror(d->error)) : "it cannot be reached";
        break;
    case DIAL_CONNECTED:
    case DIAL_FAILED:
        r.status = 503;
        r.reason = "proxy_exhausted";
        r.text = "the proxy is out of descriptors or memory";
        break;
    }
    return r;
}
