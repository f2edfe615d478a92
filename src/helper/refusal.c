/* See refusal.h. */
#include "helper/refusal.h"

#include "base/json.h"

static void put_rule(const struct refusal_body *r, struct strbuf *out)
{
    strbuf_printf(out, "%s\"%s\" = \"%s\"", r->rule_of ? r->rule_of : "", show(r->rule->pattern),
                  net_decision_word(r->rule->decision));
    netrule_place(r->rule, out);
}

void refusal_message(const struct refusal_body *r, struct strbuf *out)
{
    if (r->request) {
        netrequest_place(r->request, out);
        strbuf_puts(out, ": ");
    }
    strbuf_puts(out, r->text);
    if (r->rule) {
        strbuf_puts(out, "; rule ");
        put_rule(r, out);
    }
    if (r->decided && r->block_message) {
        strbuf_puts(out, ". ");
        strbuf_put_printable(out, r->block_message, strlen(r->block_message));
    }
}

void refusal_json(const struct refusal_body *r, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf message = {0}, rule = {0};
    const struct netrequest *q = r->request;
    struct json j;
    refusal_message(r, &message);
    if (r->rule)
        put_rule(r, &rule);
    json_begin(&j, out);
    json_object(&j);
    json_kv_int(&j, "status", (int64_t)r->status);
    json_kv_string(&j, "host", q ? q->host.name : NULL);
    json_key(&j, "port");
    if (q)
        json_uint(&j, q->port);
    else
        json_null(&j);
    json_kv_string(&j, "protocol", q ? net_protocol_word(q->protocol) : NULL);
    json_kv_string(&j, "reason", r->reason);
    json_kv_string(&j, "decision", r->decided ? "deny" : NULL);
    json_kv_string(&j, "source", r->rule ? net_source_word(r->rule->source) : NULL);
    json_kv_string(&j, "rule", rule.n ? rule.p : NULL);
    json_kv_string(&j, "message", strbuf_text(&message));
    json_kv_string(&j, "hint", r->hint && r->hint[0] ? r->hint : NULL);
    json_end_object(&j);
    strbuf_putc(out, '\n');
}
