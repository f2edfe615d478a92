/*
 * bawn doctor --otel. See doctor_otel.h.
 *
 *   ok   logs      taken in 12 ms: HTTP status 200
 *          endpoint     http://localhost:4318/v1/logs (the default)
 *          …
 *
 * Where a value came from is said, and of a header only its name: the rest may be a secret.
 */
#include "cli/doctor_otel.h"

#include "base/json.h"
#include "cli/print.h"
#include "cli/telemetry_start.h"
#include "telemetry/spool.h"

#include <errno.h>

#define WAIT_LEAST_MS 5000
#define WAIT_MOST_MS  30000
#define SLACK_MS      3000 /* beside the request's own time: the exporter's start, a try again */

static const char *const protocol_words[] = {"http/protobuf", "http/json", "grpc"};

/* What became of one signal's test. */
struct test {
    enum signal_kind kind;
    bool ok;
    const char *state; /* "sent", "waits", "refused", "unanswered", "unwritten" */
    const char *message, *fix;
    struct exporter_answer answer;
    uint64_t waiting, dropped; /* in the spool afterwards */
};

struct report {
    struct setup *s;
    struct telemetry_out *out;
    const struct otel_settings *settings;
    struct test tests[SIGNAL_KINDS];
    size_t n;
    bool ok;
    const char *off, *off_fix; /* why nothing is on, or NULL */
};

/* ---- the line among others ---- */

void doctor_telemetry(struct setup *s, struct probe_result *ret)
{
    struct otel_settings o;
    struct error err = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    *ret = (struct probe_result){.id = "telemetry", .needed = true};
    int r = telemetry_check(s, &o, &err);
    if (r < 0) {
        (void)snprintf(ret->detail, sizeof(ret->detail), "%s%s%.180s",
                       err.file[0] ? show(err.file) : "", err.file[0] ? ": " : "", err.message);
        (void)snprintf(ret->fix, sizeof(ret->fix), "%s",
                       err.hint[0] ? err.hint : "bawn doctor --otel shows the place");
        return;
    }
    ret->ok = true;
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        if (o.exporters[i].on)
            strbuf_printf(&text, "%s%s to %s", text.n ? ", " : "", signal_word((enum signal_kind)i),
                          show(o.exporters[i].endpoint));
    (void)snprintf(ret->detail, sizeof(ret->detail), "%s",
                   text.n       ? strbuf_text(&text)
                   : o.disabled ? "off: OTEL_SDK_DISABLED"
                                : "off");
}

/* ---- the test ---- */

static struct test *add_test(struct report *p, enum signal_kind kind)
{
    struct test *t = &p->tests[p->n++];
    *t = (struct test){.kind = kind, .state = "unanswered"};
    return t;
}

static const char *keep(struct report *p, const char *text)
{
    const char *copy = arena_strdup(&p->s->arena, text);
    return copy ? copy : "out of memory";
}

/* What a person can do about an answer that is not good. */
static const char *fix_of(const struct exporter_answer *a)
{
    if (a->http_status == 401 || a->http_status == 403 || a->grpc_status == 16 ||
        a->grpc_status == 7)
        return "the collector wants other headers, or another client certificate";
    if (a->http_status == 404 || a->http_status == 405 || a->grpc_status == 12)
        return "the endpoint's path or protocol is another one";
    if (a->http_status || a->grpc_status > 0)
        return "ask the collector's log";
    return "see that the collector runs, and that the endpoint names it";
}

static const char *status_words(struct report *p, const struct exporter_answer *a)
{
    const char *text = a->grpc_status >= 0 && (a->grpc_status > 0 || a->http_status == 200)
                           ? arena_printf(&p->s->arena, "gRPC status %d", a->grpc_status)
                       : a->http_status
                           ? arena_printf(&p->s->arena, "HTTP status %u", a->http_status)
                           : "";
    return text ? text : "";
}

static void judge(struct report *p, struct test *t, const char *problem)
{
    static const char *const words[] = {"sent", "waits", "refused"};
    static const char *const begins[] = {"taken", "not taken", "refused"};
    const struct exporter_answer *a = &t->answer;
    if (!a->came) {
        t->message = problem;
        t->fix = "install bawn-exporter together with bawn, or see why it does not start";
        return;
    }
    const char *status = status_words(p, a), *more = a->text[0] ? a->text : "";
    t->ok = a->state == EXPORT_SENT;
    t->state = words[a->state];
    t->fix = t->ok ? NULL : fix_of(a);
    t->message =
        arena_printf(&p->s->arena, "%s in %lld ms%s%s%s%s", begins[a->state], (long long)a->took_ms,
                     *status ? ": " : "", status, *more ? ": " : "", more);
    if (!t->message)
        t->message = "out of memory";
}

static int wait_ms(const struct otel_settings *o)
{
    uint32_t most = WAIT_LEAST_MS;
    for (size_t i = 0; i < SIGNAL_KINDS; i++)
        if (o->exporters[i].on)
            most = MAX_OF(most, o->exporters[i].timeout_ms);
    return (int)MIN_OF(most + SLACK_MS, (uint32_t)WAIT_MOST_MS);
}

static void test_all(struct report *p)
{
    struct exporter_answer answers[SIGNAL_KINDS];
    struct error err = {0};
    struct exporter_link *link = telemetry_link(p->out);
    bool any = false;
    for (size_t i = 0; i < SIGNAL_KINDS; i++) {
        if (!p->settings->exporters[i].on)
            continue;
        struct test *t = add_test(p, (enum signal_kind)i);
        if (telemetry_test(p->out, t->kind, &err) < 0) {
            t->state = "unwritten";
            t->message = keep(p, err.message);
            t->fix = "see that there is room on the disk, and that the directory is yours";
        } else {
            any = true;
        }
    }
    int r = any ? exporter_flush(link, wait_ms(p->settings), answers, &err) : 0;
    const char *problem = r < 0 ? keep(p, err.message) : "";
    p->ok = true;
    for (size_t i = 0; i < p->n; i++) {
        struct test *t = &p->tests[i];
        if (!t->message) {
            t->answer = answers[t->kind];
            judge(p, t, problem);
        }
        spool_look(link->dirfd, link->targets[t->kind].destination.key, &t->waiting, &t->dropped);
        p->ok = p->ok && t->ok;
    }
}

/* ---- what is said ---- */

static void put_row(struct strbuf *out, const char *name, const char *value, const char *from)
{
    if (value)
        strbuf_printf(out, "       %-12s %s%s%s%s\n", name, show(value), from ? " (" : "",
                      from ? show(from) : "", from ? ")" : "");
}

static void put_headers(struct strbuf *out, const struct otel_exporter *e)
{
    _cleanup_strbuf_ struct strbuf names = {0};
    for (size_t i = 0; i < e->headers.n; i++)
        strbuf_printf(&names, "%s%s", i ? ", " : "", e->headers.v[i].name);
    if (e->headers.n)
        put_row(out, "headers", strbuf_text(&names), e->from[OTEL_FROM_HEADERS]);
}

/* Without a name and a password. */
static const char *proxy_words(struct report *p, const struct export_destination *d)
{
    const char *at = d->proxy.n ? memrchr(d->proxy.p, '@', d->proxy.n) : NULL;
    const char *sign = d->proxy.n ? memmem(d->proxy.p, d->proxy.n, "://", 3) : NULL;
    if (!d->proxy.n || !sign)
        return NULL;
    sign += 3;
    const char *host = at ? at + 1 : sign, *end = d->proxy.p + d->proxy.n;
    return arena_printf(&p->s->arena, "%.*s%.*s", (int)(sign - d->proxy.p), d->proxy.p,
                        (int)(end - host), host);
}

static void put_test(struct report *p, const struct test *t, struct strbuf *out)
{
    const struct otel_exporter *e = &p->settings->exporters[t->kind];
    const struct export_destination *d = &telemetry_link(p->out)->targets[t->kind].destination;
    strbuf_printf(out, "%-4s %-9s %s", t->ok ? "ok" : "FAIL", signal_word(t->kind),
                  show(t->message));
    if (t->fix)
        strbuf_printf(out, " \xe2\x80\x94 fix: %s", t->fix);
    strbuf_putc(out, '\n');
    put_row(out, "endpoint", e->endpoint, e->from[OTEL_FROM_ENDPOINT]);
    put_row(out, "protocol", protocol_words[e->protocol], e->from[OTEL_FROM_PROTOCOL]);
    put_row(out, "compression", e->gzip ? "gzip" : "none", e->from[OTEL_FROM_COMPRESSION]);
    put_row(out, "timeout", arena_printf(&p->s->arena, "%u ms", e->timeout_ms),
            e->from[OTEL_FROM_TIMEOUT]);
    put_headers(out, e);
    put_row(out, "CA", e->ca_file, e->from[OTEL_FROM_CA]);
    put_row(out, "certificate", e->certificate_file, e->from[OTEL_FROM_CERTIFICATE]);
    put_row(out, "private key", e->key_file, e->from[OTEL_FROM_KEY]);
    put_row(out, "through", proxy_words(p, d), "bawn's environment");
    strbuf_printf(out, "       %-12s %llu bytes wait", "spool", (unsigned long long)t->waiting);
    uint64_t dropped = t->dropped + (t->answer.came ? t->answer.dropped : 0);
    if (dropped)
        strbuf_printf(out, ", %llu records were dropped", (unsigned long long)dropped);
    strbuf_putc(out, '\n');
}

static void json_from(struct json *j, const struct otel_exporter *e)
{
    static const char *const names[OTEL_FROMS] = {
        "exporter",           "endpoint",           "protocol",    "headers", "ca-certificate",
        "client-certificate", "client-private-key", "compression", "timeout"};
    json_key(j, "from");
    json_object(j);
    for (size_t i = 0; i < OTEL_FROMS; i++)
        if (e->from[i])
            json_kv_string(j, names[i], e->from[i]);
    json_end_object(j);
}

static void json_tls(struct json *j, const struct otel_exporter *e)
{
    json_key(j, "tls");
    json_object(j);
    json_kv_string(j, "ca-certificate", e->ca_file);
    json_kv_string(j, "client-certificate", e->certificate_file);
    json_kv_string(j, "client-private-key", e->key_file);
    json_end_object(j);
}

static void json_answer(struct json *j, const struct test *t)
{
    const struct exporter_answer *a = &t->answer;
    bool http = a->came && a->http_status, grpc = a->came && a->grpc_status >= 0;
    json_kv_string(j, "message", t->message);
    json_kv_string(j, "fix", t->fix);
    json_key(j, "http_status");
    http ? json_int(j, a->http_status) : json_null(j);
    json_key(j, "grpc_status");
    grpc ? json_int(j, a->grpc_status) : json_null(j);
    json_key(j, "milliseconds");
    a->came ? json_int(j, a->took_ms) : json_null(j);
    json_kv_int(j, "waiting_bytes", (int64_t)t->waiting);
    json_kv_int(j, "dropped", (int64_t)(t->dropped + (a->came ? a->dropped : 0)));
}

static void json_test(struct json *j, struct report *p, const struct test *t)
{
    const struct otel_exporter *e = &p->settings->exporters[t->kind];
    json_object(j);
    json_kv_string(j, "signal", signal_word(t->kind));
    json_kv_bool(j, "ok", t->ok);
    json_kv_string(j, "state", t->state);
    json_answer(j, t);
    json_kv_string(j, "endpoint", e->endpoint);
    json_kv_string(j, "protocol", protocol_words[e->protocol]);
    json_kv_string(j, "compression", e->gzip ? "gzip" : "none");
    json_kv_int(j, "timeout_ms", e->timeout_ms);
    json_key(j, "headers");
    json_array(j);
    for (size_t i = 0; i < e->headers.n; i++)
        json_string(j, e->headers.v[i].name);
    json_end_array(j);
    json_tls(j, e);
    json_kv_string(j, "proxy",
                   proxy_words(p, &telemetry_link(p->out)->targets[t->kind].destination));
    json_from(j, e);
    json_end_object(j);
}

static bool put_json(struct report *p, struct strbuf *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_kv_bool(&j, "ok", p->ok);
    json_kv_string(&j, "off", p->off);
    json_kv_string(&j, "directory", p->out ? telemetry_path(p->out) : NULL);
    json_key(&j, "signals");
    json_array(&j);
    for (size_t i = 0; i < p->n; i++)
        json_test(&j, p, &p->tests[i]);
    json_end_array(&j);
    json_end_object(&j);
    strbuf_putc(out, '\n');
    return json_ok(&j);
}

static void put_text(struct report *p, struct strbuf *out)
{
    if (p->off)
        strbuf_printf(out, "FAIL %-9s off: %s \xe2\x80\x94 fix: %s\n", "telemetry", p->off,
                      p->off_fix);
    for (size_t i = 0; i < p->n; i++)
        put_test(p, &p->tests[i], out);
}

int doctor_otel(struct setup *s, const struct options *o)
{
    struct report p = {.s = s};
    struct error err = {0};
    struct otel_settings settings;
    _cleanup_strbuf_ struct strbuf out = {0};
    int status = cli_load(s, o);
    if (status)
        return status;
    if (telemetry_check(s, &settings, &err) < 0 || telemetry_look(s, &p.out, &p.off, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (p.out) {
        p.settings = telemetry_settings(p.out);
        test_all(&p);
    } else if (!p.off) {
        p.off = settings.disabled ? "OTEL_SDK_DISABLED is true" : "no exporter is configured";
        p.off_fix = settings.disabled ? "take the variable away"
                                      : "set otel.exporter and the like, see bawn-config(5)";
    } else {
        p.off_fix = "make the directory yours alone, or name another home in BAWN_HOME";
    }
    if (!o->json)
        put_text(&p, &out);
    else if (!put_json(&p, &out))
        return cli_failure(EXIT_BROKEN, "out of memory");
    status = print_out(&out);
    telemetry_release(p.out);
    return status ? status : !p.ok;
}
