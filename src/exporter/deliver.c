/*
 * Requests and their answers. See exporter.h.
 *
 * A batch that was not taken goes again as it is, after a pause that grows, or the one that the
 * collector asked for. Nothing a collector answers is believed beyond what it means for this
 * batch: redirects are not followed, bodies and fields are bounded, time is.
 */
#include "exporter/exporter.h"

#include "base/clock.h"
#include "exporter/confine.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/random.h>
#include <sys/socket.h>

int deliver_open(struct exporter *x, struct error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(x->multi = curl_multi_init()))
        return error_set(err, -ENOMEM, "libcurl does not start");
    /* One connection a request, kept for the next. */
    (void)curl_multi_setopt(x->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    (void)curl_multi_setopt(x->multi, CURLMOPT_MAXCONNECTS, (long)MOST_DESTINATIONS);
    return 0;
}

/* ---- what comes back ---- */

static size_t got_body(char *p, size_t size, size_t n, void *data)
{
    struct destination *d = data;
    struct strbuf *body = &d->answer.body;
    (void)size; /* 1 */
    d->answer.body_bytes += n;
    if (d->answer.body_bytes > OTLP_ANSWER_MAX) {
        /* Behind the body of gRPC's comes the status. */
        d->answer.too_long = true;
        return d->flying->protocol == EXPORT_GRPC && d->answer.body_bytes <= MOST_PASSED ? n : 0;
    }
    strbuf_put(body, p, n);
    return strbuf_failed(body) ? 0 : n;
}

static void clear_fields(struct answer *a)
{
    grpc_status_clear(&a->grpc);
    a->retry_ms = 0;
    a->json = a->head_whole = false;
}

/* A field of the header or of the trailer, or the line above the header. */
static size_t got_field(char *p, size_t size, size_t n, void *data)
{
    struct destination *d = data;
    struct answer *a = &d->answer;
    struct bytes line = {p, n}, name, value;
    (void)size; /* 1 */
    a->field_bytes += n;
    if (a->field_bytes > MOST_FIELDS)
        return 0;
    if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) { /* after a 100 */
        clear_fields(a);
    } else if (n && (p[0] == '\r' || p[0] == '\n')) {
        a->head_whole = true;
    } else if (field_split(line, &name, &value)) {
        static const char json[] = "application/json";
        if (field_is(name, "retry-after"))
            a->retry_ms = retry_after(value, clock_unix_ms() / 1000);
        else if (field_is(name, "content-type"))
            a->json =
                value.n >= sizeof(json) - 1 && strncasecmp(value.p, json, sizeof(json) - 1) == 0;
        else if (d->flying->protocol == EXPORT_GRPC)
            grpc_status_field(&a->grpc, name, value);
    }
    return n;
}

/* ---- a request ---- */

static struct curl_blob blob_of(const struct strbuf *pem)
{
    return (struct curl_blob){.data = pem->p, .len = pem->n, .flags = CURL_BLOB_NOCOPY};
}

#define SET(option, value) (fine = fine && curl_easy_setopt(c, (option), (value)) == CURLE_OK)

/* The roots and nothing else: no file is looked for, and everything is verified. */
static bool set_tls(struct exporter *x, CURL *c, struct target *t)
{
    bool fine = true;
    struct curl_blob ca = blob_of(t->ca.n ? &t->ca : &x->roots), proxy_ca = blob_of(&x->roots);
    struct curl_blob certificate = blob_of(&t->certificate), key = blob_of(&t->key);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_CAINFO, NULL);
    SET(CURLOPT_CAPATH, NULL);
    SET(CURLOPT_PROXY_CAINFO, NULL);
    SET(CURLOPT_PROXY_CAPATH, NULL);
    if (ca.len)
        SET(CURLOPT_CAINFO_BLOB, &ca);
    if (proxy_ca.len)
        SET(CURLOPT_PROXY_CAINFO_BLOB, &proxy_ca);
    if (certificate.len) {
        SET(CURLOPT_SSLCERTTYPE, "PEM");
        SET(CURLOPT_SSLCERT_BLOB, &certificate);
        SET(CURLOPT_KEYPASSWD, ""); /* nobody is asked for one */
    }
    if (key.len) {
        SET(CURLOPT_SSLKEYTYPE, "PEM");
        SET(CURLOPT_SSLKEY_BLOB, &key);
    }
    return fine;
}

static long version_of(const struct target *t)
{
    if (t->protocol != EXPORT_GRPC)
        return CURL_HTTP_VERSION_1_1;
    return strncasecmp(t->url, "https:", 6) == 0 ? CURL_HTTP_VERSION_2TLS
                                                 : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
}

/* Before 8.0 libcurl fails when it is told again that a connection speaks HTTP/2 without TLS. There
 * a request over one that was kept says nothing of the kind, and is kept from making a new one. */
static bool is_kept_http2(const struct destination *d)
{
    return version_of(d->target) == CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE && d->target->proven &&
           !d->fresh && curl_version_info(CURLVERSION_NOW)->version_num < 0x080000;
}

static curl_socket_t no_socket(void *data, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)data, (void)purpose, (void)address;
    return CURL_SOCKET_BAD;
}

static bool set_request(struct exporter *x, CURL *c, struct destination *d)
{
    struct target *t = d->target;
    bool fine = true;
    SET(CURLOPT_URL, t->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, is_kept_http2(d) ? CURL_HTTP_VERSION_2_0 : version_of(t));
    if (is_kept_http2(d))
        SET(CURLOPT_OPENSOCKETFUNCTION, no_socket);
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, d->batch.body.p);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)d->batch.body.n);
    SET(CURLOPT_HTTPHEADER, d->batch.gzip ? t->headers_gzip : t->headers);
    SET(CURLOPT_USERAGENT, "bawn-exporter/" BAWN_VERSION);
    SET(CURLOPT_PROXY, t->proxy); /* "": none, whatever the environment says */
    SET(CURLOPT_NOPROXY, t->no_proxy);
    SET(CURLOPT_HTTPPROXYTUNNEL, t->protocol == EXPORT_GRPC ? 1L : 0L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)t->timeout_ms);
    SET(CURLOPT_NOSIGNAL, 1L);
    /* Not over another's connection: its certificate may be good and ours not. */
    SET(CURLOPT_FRESH_CONNECT, d->fresh || !t->proven ? 1L : 0L);
    SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
    SET(CURLOPT_WRITEFUNCTION, got_body);
    SET(CURLOPT_WRITEDATA, d);
    SET(CURLOPT_HEADERFUNCTION, got_field);
    SET(CURLOPT_HEADERDATA, d);
    SET(CURLOPT_ERRORBUFFER, d->answer.error);
    SET(CURLOPT_PRIVATE, d);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Or the end of a request would wait for a look-up that is still on its way. */
    SET(CURLOPT_QUICK_EXIT, 1L);
#endif
    return fine && set_tls(x, c, t);
}

void deliver_cancel(struct exporter *x, struct destination *d)
{
    if (!d->easy)
        return;
    (void)curl_multi_remove_handle(x->multi, d->easy);
    curl_easy_cleanup(d->easy);
    d->easy = NULL;
    target_unref(d->flying);
    d->flying = NULL;
    strbuf_release(&d->answer.body);
}

/* ---- when to try again ---- */

static void fail_for(struct exporter *x, struct destination *d, uint32_t ms)
{
    d->failing = true;
    d->due_ms = x->now_ms + ms;
    serve_answer(d, EXPORT_WAITS, true);
}

static void fail(struct exporter *x, struct destination *d)
{
    uint32_t chance = 0;
    if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != (ssize_t)sizeof(chance))
        chance = (uint32_t)x->now_ms;
    fail_for(x, d, retry_pause(&d->pause, chance));
}

static void succeed(struct exporter *x, struct destination *d)
{
    d->failing = false;
    d->pause = 0;
    d->told_to_ms = 0;
    d->most = MIN_OF(d->most + d->most / 8 + 1, (size_t)OTLP_BATCH);
    x->progress_ms = x->now_ms;
}

/* The whole batch is given up. */
static void give_up(struct exporter *x, struct destination *d)
{
    batch_done(x, d, UINT64_MAX);
    succeed(x, d);
    vec_foreach (w, &d->waiters)
        w->refused = true;
    serve_answer(d, EXPORT_REFUSED, false);
}

static _printf_(2, 3) void say(struct destination *d, const char *fmt, ...)
{
    char buf[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(buf, sizeof(buf), fmt, args);
    va_end(args);
    (void)printable(d->text, sizeof(d->text), buf, strlen(buf));
}

/* ---- beginning ---- */

static void begin(struct exporter *x, struct destination *d)
{
    int r = batch_seal(d);
    if (r == -E2BIG) {
        say(d, "one of the signals is larger than any request");
        give_up(x, d);
        return;
    }
    if (r == 0) {
        clear_fields(&d->answer);
        d->answer.field_bytes = d->answer.body_bytes = 0;
        d->answer.too_long = false;
        d->answer.error[0] = '\0';
        d->easy = curl_easy_init();
        d->flying = d->target;
        d->flying->refs++;
        if (!d->easy || !set_request(x, d->easy, d) || curl_multi_add_handle(x->multi, d->easy)) {
            if (d->easy)
                curl_easy_cleanup(d->easy);
            d->easy = NULL;
            target_unref(d->flying);
            d->flying = NULL;
            r = -ENOMEM;
        }
    }
    if (r < 0 && r != -EAGAIN) {
        say(d, "the request cannot be made: %s", strerror(-r));
        fail(x, d);
    }
}

/* What is to be done at D now. How long until the next thing: -1, nothing. */
static int64_t pump(struct exporter *x, struct destination *d)
{
    if (d->easy)
        return -1;
    if (d->failing && x->now_ms < d->due_ms)
        return d->due_ms - x->now_ms;
    if (d->look && !d->batch.sealed && batch_fill(x, d) < 0) {
        fail(x, d);
        return d->due_ms - x->now_ms;
    }
    if (!d->batch.signals.n) {
        d->failing = false;
        d->hurry = d->hurry && d->look;
        serve_answer(d, EXPORT_SENT, false);
        return d->look ? 0 : -1;
    }
    const int64_t due = d->batch.since_ms + d->delay_ms;
    if (!d->batch.sealed && !batch_is_full(d) && !d->hurry && x->now_ms < due)
        return due - x->now_ms;
    if (!d->batch.sealed && x->now_ms >= due && !batch_is_full(d) && !d->filled) {
        d->filled = d->look = true; /* what came since: nobody said so, perhaps */
        return 0;
    }
    d->filled = false;
    if (exporter_names_changed()) {
        x->stop = true;
        x->stop_ms = x->now_ms + FINISH_MS;
        return -1;
    }
    begin(x, d);
    return d->easy ? -1 : 0;
}

int deliver_pump(struct exporter *x)
{
    int64_t least = -1;
    for (size_t i = 0; !x->stop && i < x->n_destinations; i++) {
        int64_t ms = pump(x, x->destinations[i]);
        if (ms >= 0 && (least < 0 || ms < least))
            least = ms;
    }
    return (int)MIN_OF(least, (int64_t)INT32_MAX);
}

bool deliver_flies(const struct exporter *x)
{
    for (size_t i = 0; i < x->n_destinations; i++)
        if (x->destinations[i]->easy)
            return true;
    return false;
}

bool deliver_has_work(const struct exporter *x)
{
    for (size_t i = 0; i < x->n_destinations; i++) {
        const struct destination *d = x->destinations[i];
        if (d->easy || (!d->failing && (d->look || d->batch.signals.n)))
            return true;
    }
    return false;
}

/* ---- the answer ---- */

/* What the collector said: of success, how many it rejected. */
static uint64_t read_answer(struct destination *d, enum verdict v, char *said, size_t cap)
{
    _cleanup_arena_ struct arena arena = {0};
    struct answer *a = &d->answer;
    const bool grpc = d->flying->protocol == EXPORT_GRPC;
    struct bytes body = {strbuf_text(&a->body), a->body.n};
    struct otlp_answer told = {.message = ""};
    if (grpc)
        body = grpc_message(body);
    if (!a->too_long && (!grpc || v == VERDICT_TAKEN))
        otlp_read_answer(&arena, d->kind, v == VERDICT_TAKEN, a->json && !grpc, body, &told);
    if (grpc && v != VERDICT_TAKEN)
        (void)printable(said, cap, a->grpc.message, a->grpc.n);
    else
        (void)printable(said, cap, told.message, strlen(told.message));
    return told.rejected;
}

/* No answer at all, or none that could be read. */
static enum verdict without_answer(struct destination *d, CURLcode code)
{
    const char *why = d->answer.error[0] ? d->answer.error : curl_easy_strerror(code);
    d->http_status = 0;
    d->grpc_status = GRPC_ABSENT;
    say(d, "%s", d->answer.field_bytes > MOST_FIELDS ? "the answer's header is too long" : why);
    return VERDICT_AGAIN;
}

static enum verdict judge_grpc(struct destination *d, long http, long version)
{
    const struct grpc_status *s = &d->answer.grpc;
    d->grpc_status = s->status;
    if (http != 200 && s->status == GRPC_ABSENT)
        return verdict_of_http((unsigned)http) == VERDICT_TAKEN ? VERDICT_AGAIN
                                                                : verdict_of_http((unsigned)http);
    if (version != CURL_HTTP_VERSION_2_0) {
        say(d, "the collector does not speak HTTP/2");
        return VERDICT_AGAIN;
    }
    return verdict_of_grpc(s->status, (struct bytes){s->message, s->n});
}

static void describe(struct destination *d, enum verdict v, const char *said, uint64_t rejected)
{
    char what[64];
    const char *colon = said[0] ? ": " : "";
    if (d->flying->protocol == EXPORT_GRPC && d->grpc_status != GRPC_ABSENT)
        (void)snprintf(what, sizeof(what), "%s", grpc_status_word(d->grpc_status));
    else if (d->flying->protocol == EXPORT_GRPC && d->http_status == 200)
        (void)snprintf(what, sizeof(what), "without a grpc-status");
    else
        (void)snprintf(what, sizeof(what), "%u", d->http_status);
    if (v != VERDICT_TAKEN)
        say(d, "the collector answered %s%s%s", what, colon, said);
    else if (rejected)
        say(d, "the collector rejected %llu of %zu signals%s%s", (unsigned long long)rejected,
            d->batch.signals.n, colon, said);
    else
        say(d, "%s%s", said[0] ? "the collector says: " : "", said);
}

static enum verdict judge_answer(struct destination *d, CURLcode code, uint64_t *ret_rejected)
{
    long http = 0, version = 0;
    char said[512];
    (void)curl_easy_getinfo(d->easy, CURLINFO_RESPONSE_CODE, &http);
    (void)curl_easy_getinfo(d->easy, CURLINFO_HTTP_VERSION, &version);
    const bool grpc = d->flying->protocol == EXPORT_GRPC;
    /* A body without end is no answer of gRPC's, whose status comes behind it. */
    if (code != CURLE_OK && !(d->answer.too_long && !grpc && http))
        return without_answer(d, code);
    /* For libcurl a header that ends in the middle is a header. */
    if (!d->answer.head_whole)
        return without_answer(d, CURLE_PARTIAL_FILE);
    d->flying->proven = true;
    d->http_status = (uint32_t)http;
    d->grpc_status = GRPC_ABSENT;
    d->text[0] = '\0';
    enum verdict v = grpc ? judge_grpc(d, http, version) : verdict_of_http((unsigned)http);
    uint64_t rejected = read_answer(d, v, said, sizeof(said));
    *ret_rejected = v == VERDICT_TAKEN ? rejected : 0;
    if (!d->text[0])
        describe(d, v, said, *ret_rejected);
    return v;
}

/* A connection that was kept may have died meanwhile: that is known only now, and means nothing. */
static bool was_stale(struct destination *d, CURLcode code)
{
    long connections = 1;
    (void)curl_easy_getinfo(d->easy, CURLINFO_NUM_CONNECTS, &connections);
    return code != CURLE_OK && code != CURLE_OPERATION_TIMEDOUT && connections == 0 &&
           !d->answer.field_bytes && !d->fresh;
}

/* A connection that failed is not kept: HTTP/2 would be ready to wait for it again and again. */
static void hang_up(CURL *easy)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd) == CURLE_OK && fd != CURL_SOCKET_BAD)
        (void)shutdown(fd, SHUT_RDWR); /* libcurl finds it dead */
}

static void taken(struct exporter *x, struct destination *d, uint64_t rejected)
{
    batch_done(x, d, rejected);
    succeed(x, d);
    vec_foreach (w, &d->waiters)
        w->refused = w->refused || rejected;
    serve_answer(d, EXPORT_SENT, false);
}

static void wait_and_repeat(struct exporter *x, struct destination *d, bool slowly, bool renewed)
{
    const uint32_t asked = MAX_OF(d->answer.retry_ms, d->answer.grpc.retry_ms);
    if (asked) {
        d->told_to_ms = x->now_ms + asked;
        fail_for(x, d, asked);
    } else if (renewed) { /* this was the old way there */
        d->failing = false;
    } else if (slowly) {
        fail_for(x, d, SLOWLY_MS);
    } else {
        fail(x, d);
    }
}

static void finish(struct exporter *x, struct destination *d, CURLcode code)
{
    uint64_t rejected = 0;
    const bool stale = was_stale(d, code), renewed = d->flying != d->target;
    enum verdict v = judge_answer(d, code, &rejected);
    if (code != CURLE_OK)
        hang_up(d->easy);
    deliver_cancel(x, d);
    d->fresh = stale;
    if (stale)
        return;
    if (v == VERDICT_PLAIN) {
        v = d->batch.gzip && !d->plain ? VERDICT_PLAIN : VERDICT_NEVER;
        d->plain = d->plain || d->batch.gzip;
    }
    switch (v) {
    case VERDICT_TAKEN:
        taken(x, d, rejected);
        break;
    case VERDICT_AGAIN:
    case VERDICT_SLOWLY:
        wait_and_repeat(x, d, v == VERDICT_SLOWLY, renewed);
        break;
    case VERDICT_PLAIN:
        break; /* at once */
    case VERDICT_SMALLER:
        if (batch_halve(d))
            break; /* at once */
        give_up(x, d);
        break;
    case VERDICT_NEVER:
        give_up(x, d);
        break;
    }
}

void deliver_perform(struct exporter *x)
{
    int running, left;
    CURLMsg *m;
    (void)curl_multi_perform(x->multi, &running);
    while ((m = curl_multi_info_read(x->multi, &left))) {
        struct destination *d = NULL;
        const CURLcode code = m->data.result;
        if (m->msg == CURLMSG_DONE &&
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &d) == CURLE_OK && d)
            finish(x, d, code);
    }
}

void deliver_close(struct exporter *x)
{
    while (x->n_destinations) {
        batch_tell_dropped(x, x->destinations[x->n_destinations - 1]);
        destination_free(x, x->destinations[x->n_destinations - 1]);
    }
}
