/*
 * What clients are told when something is refused or fails: which rule, why, and what would allow
 * it. Agents read this; so the hint is the line to write.
 */
#include "proxy/proxy.h"

#include "helper/refusal.h"

#include <errno.h>
#include <stdio.h>

/* Of a decision its own sentence and rule, into TEXT and HINT; else what R says. */
static struct refusal_body body_of(const struct proxy *p, const struct refusal *r,
                                   struct strbuf *text, struct strbuf *hint)
{
    const struct netanswer *a = r->answer;
    const struct netrule *rule = a ? a->rule : NULL;
    if (a) {
        netpolicy_say(r->request, a, text);
        netpolicy_hint(p->settings.profile, r->request, a, hint);
    }
    /* What allowed it before something failed has refused nothing. */
    return (struct refusal_body){.status = r->status,
                                 .reason = r->reason,
                                 .request = r->request,
                                 .text = a ? strbuf_text(text) : r->text,
                                 .decided = a != NULL,
                                 .rule = rule && rule->decision != NET_ALLOW ? rule : NULL,
                                 .block_message = p->settings.block_message,
                                 .hint = strbuf_text(hint)};
}

void refuse_http(struct proxy *p, const struct refusal *r, bool keep, struct buffer *out)
{
    _cleanup_strbuf_ struct strbuf body = {0}, head = {0}, text = {0}, hint = {0};
    const struct refusal_body b = body_of(p, r, &text, &hint);
    refusal_json(&b, &body);
    strbuf_printf(&head, "HTTP/1.1 %u %s\r\n", r->status, http_status_text(r->status));
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
    _cleanup_strbuf_ struct strbuf says = {0}, text = {0}, hint = {0};
    const struct refusal r = {.request = q, .answer = a};
    const struct refusal_body b = body_of(p, &r, &says, &hint);
    refusal_message(&b, &text);
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
        r.text = d->problem[0] ? d->problem : "it did not answer in time";
        break;
    case DIAL_NO_TLS:
        r.status = 502;
        r.reason = "upstream_tls_failed";
        r.text = d->problem;
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
