/*
 * Where to send: what a client told, checked and turned into what libcurl takes. See exporter.h.
 *
 * Nothing that a client sends may make libcurl do anything else than a POST to an http:// or
 * https:// URL with the fields it names: texts are free of control characters, fields that say how
 * the body is to be read are ours alone, and files come as descriptors of regular files.
 */
#include "exporter/exporter.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_URL 8192u

/* ---- checks ---- */

static bool is_visible(struct bytes b, unsigned char least)
{
    for (size_t i = 0; i < b.n; i++) {
        const unsigned char c = (unsigned char)b.p[i];
        if (c < least || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_token(struct bytes b)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < b.n; i++) {
        const char c = b.p[i];
        const bool plain =
            (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && !(c & 0x80));
        if (!plain && (!c || !strchr(others, c)))
            return false;
    }
    return b.n > 0;
}

static bool is_url(struct bytes b)
{
    const bool plain = b.n > 7 && strncasecmp(b.p, "http://", 7) == 0;
    const bool tls = b.n > 8 && strncasecmp(b.p, "https://", 8) == 0;
    return (plain || tls) && b.n <= MOST_URL && is_visible(b, 0x21);
}

/* Fields that say what the request is: ours. */
static bool is_ours(struct bytes name)
{
    static const char *const names[] = {
        "content-type", "content-encoding", "content-length", "transfer-encoding", "connection",
        "te",           "expect",           "user-agent",     "upgrade",           "trailer"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (field_is(name, names[i]))
            return true;
    return name.n > 5 && strncasecmp(name.p, "grpc-", 5) == 0;
}

static bool is_valid(const struct export_destination *t)
{
    char key[EXPORT_KEY_BYTES];
    if ((unsigned)t->kind >= SIGNAL_KINDS || (unsigned)t->protocol > EXPORT_GRPC ||
        t->n_headers > EXPORT_HEADERS || !is_url(t->endpoint) || t->proxy.n > MOST_URL ||
        !is_visible(t->proxy, 0x21) || t->no_proxy.n > MOST_URL || !is_visible(t->no_proxy, 0x20))
        return false;
    for (size_t i = 0; i < t->n_headers; i++)
        if (!is_token(t->headers[i].name) || !is_visible(t->headers[i].value, 0x20))
            return false;
    /* Whoever names another spool than this destination's is not a bawn. */
    export_key(t->kind, t->protocol, t->endpoint, key);
    return memcmp(key, t->key, sizeof(key)) == 0;
}

/* ---- targets ---- */

void target_unref(struct target *t)
{
    if (!t || --t->refs)
        return;
    struct strbuf *const texts[] = {&t->ca, &t->certificate, &t->key, &t->told};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (texts[i]->p)
            explicit_bzero(texts[i]->p, texts[i]->n);
        strbuf_release(texts[i]);
    }
    curl_slist_free_all(t->headers);
    curl_slist_free_all(t->headers_gzip);
    mem_free(t->url);
    mem_free(t->proxy);
    mem_free(t->no_proxy);
    mem_free(t);
}

static int read_file(int fd, struct strbuf *out)
{
    struct stat st;
    char buf[16384];
    ssize_t n;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)MOST_PEM)
        return -EBADMSG;
    out->max = MOST_PEM;
    while ((n = pread(fd, buf, sizeof(buf), (off_t)out->n)) > 0 && !strbuf_failed(out))
        strbuf_put(out, buf, (size_t)n);
    explicit_bzero(buf, sizeof(buf));
    return n < 0 || strbuf_failed(out) || !out->n ? -EBADMSG : 0;
}

static int read_files(struct target *t, unsigned which, const int fds[3])
{
    const struct {
        unsigned bit;
        struct strbuf *to;
    } files[] = {
        {EXPORT_FD_CA, &t->ca}, {EXPORT_FD_CERTIFICATE, &t->certificate}, {EXPORT_FD_KEY, &t->key}};
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_LEN(files); i++)
        if (which & files[i].bit)
            r = read_file(fds[i], files[i].to);
    /* A certificate's file may have the key in it; the other way round it is a mistake. */
    return r == 0 && t->key.n && !t->certificate.n ? -EBADMSG : r;
}

static char *copy(struct bytes b)
{
    char *s = mem_alloc(b.n + 1);
    if (!s)
        return NULL;
    if (b.n)
        memcpy(s, b.p, b.n);
    s[b.n] = '\0';
    return s;
}

/* As libcurl reads it. The path is the service's where that is gRPC, whatever the endpoint has. */
static char *make_url(struct bytes endpoint, const char *grpc_path)
{
    char *plain = copy(endpoint), *full = NULL, *ret = NULL;
    CURLU *u = plain ? curl_url() : NULL;
    bool fine = u && !curl_url_set(u, CURLUPART_URL, plain, 0);
    if (fine && grpc_path)
        fine = !curl_url_set(u, CURLUPART_PATH, grpc_path, 0) &&
               !curl_url_set(u, CURLUPART_QUERY, NULL, 0) &&
               !curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    if (fine && !curl_url_get(u, CURLUPART_URL, &full, 0))
        ret = copy(bytes_of(full));
    curl_free(full);
    curl_url_cleanup(u);
    mem_free(plain);
    return ret;
}

static bool append_field(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = line ? curl_slist_append(*list, line) : NULL;
    if (more)
        *list = more;
    return more != NULL;
}

static bool append_theirs(struct curl_slist **list, const struct export_destination *told)
{
    bool fine = true;
    for (size_t i = 0; fine && i < told->n_headers; i++) {
        const struct export_header *h = &told->headers[i];
        _cleanup_strbuf_ struct strbuf line = {0};
        if (is_ours(h->name))
            continue;
        strbuf_put(&line, h->name.p, h->name.n);
        strbuf_puts(&line, h->value.n ? ": " : ";"); /* libcurl's way to say: empty */
        strbuf_put(&line, h->value.p, h->value.n);
        fine = !strbuf_failed(&line) && append_field(list, line.p);
    }
    return fine;
}

static struct curl_slist *make_fields(const struct export_destination *told, uint32_t timeout_ms,
                                      bool gzip)
{
    static const char *const types[] = {[EXPORT_HTTP_PROTOBUF] =
                                            "Content-Type: application/x-protobuf",
                                        [EXPORT_HTTP_JSON] = "Content-Type: application/json",
                                        [EXPORT_GRPC] = "Content-Type: application/grpc"};
    const bool grpc = told->protocol == EXPORT_GRPC;
    struct curl_slist *list = NULL;
    char timeout[64];
    (void)snprintf(timeout, sizeof(timeout), "grpc-timeout: %um", timeout_ms);
    bool fine = append_theirs(&list, told) && append_field(&list, types[told->protocol]) &&
                append_field(&list, "Expect:");
    if (fine && gzip)
        fine = append_field(&list, grpc ? "grpc-encoding: gzip" : "Content-Encoding: gzip");
    if (fine && grpc)
        fine = append_field(&list, "TE: trailers") && append_field(&list, timeout) &&
               append_field(&list, "grpc-accept-encoding: identity");
    if (!fine) {
        curl_slist_free_all(list);
        list = NULL;
    }
    return list;
}

/* What it is made of, to be compared. */
static void note(struct target *t, const struct export_destination *told)
{
    const struct bytes texts[] = {told->endpoint,
                                  told->proxy,
                                  told->no_proxy,
                                  {t->ca.p, t->ca.n},
                                  {t->certificate.p, t->certificate.n},
                                  {t->key.p, t->key.n}};
    const uint32_t numbers[] = {told->gzip, told->timeout_ms, told->delay_ms,
                                (uint32_t)told->n_headers};
    strbuf_put(&t->told, numbers, sizeof(numbers));
    for (size_t i = 0; i < ARRAY_LEN(texts) + 2 * told->n_headers; i++) {
        const struct export_header *h =
            i < ARRAY_LEN(texts) ? NULL : &told->headers[(i - ARRAY_LEN(texts)) / 2];
        const struct bytes b = !h ? texts[i] : (i - ARRAY_LEN(texts)) % 2 ? h->value : h->name;
        const uint64_t n = b.n;
        strbuf_put(&t->told, &n, sizeof(n));
        strbuf_put(&t->told, b.p, b.n);
    }
}

static int target_new(const struct export_destination *told, const int fds[3], struct target **ret)
{
    struct target *t = mem_zalloc(1, sizeof(*t));
    if (!t)
        return -ENOMEM;
    *t = (struct target){.refs = 1,
                         .kind = told->kind,
                         .protocol = told->protocol,
                         .gzip = told->gzip,
                         .timeout_ms =
                             MIN_OF(MAX_OF(told->timeout_ms, TIMEOUT_LEAST_MS), TIMEOUT_MOST_MS)};
    int r = read_files(t, told->fds, fds);
    t->url =
        make_url(told->endpoint, told->protocol == EXPORT_GRPC ? grpc_method(told->kind) : NULL);
    t->proxy = copy(told->proxy);
    t->no_proxy = copy(told->no_proxy);
    t->headers = make_fields(told, t->timeout_ms, false);
    t->headers_gzip = make_fields(told, t->timeout_ms, true);
    note(t, told);
    if (r == 0 && !t->url)
        r = -EBADMSG;
    if (r == 0 &&
        (!t->proxy || !t->no_proxy || !t->headers || !t->headers_gzip || strbuf_failed(&t->told)))
        r = -ENOMEM;
    if (r < 0)
        target_unref(t);
    else
        *ret = t;
    return r;
}

/* ---- the table ---- */

struct destination *destination_find(struct exporter *x, const char *key)
{
    for (size_t i = 0; i < x->n_destinations; i++)
        if (str_eq(x->destinations[i]->key, key))
            return x->destinations[i];
    return NULL;
}

void destination_free(struct exporter *x, struct destination *d)
{
    for (size_t i = 0; i < x->n_destinations; i++)
        if (x->destinations[i] == d) {
            x->destinations[i] = x->destinations[--x->n_destinations];
            break;
        }
    deliver_cancel(x, d);
    serve_answer(d, EXPORT_WAITS, true);
    batch_release(&d->batch);
    spool_reader_close(d->reader);
    vec_release(&d->waiters);
    target_unref(d->target);
    mem_free(d);
}

/* Makes room: whom we heard of least recently goes; its spool stays. */
static bool forget_one(struct exporter *x)
{
    struct destination *oldest = NULL;
    for (size_t i = 0; i < x->n_destinations; i++) {
        struct destination *d = x->destinations[i];
        if (!d->easy && (!oldest || d->told < oldest->told))
            oldest = d;
    }
    if (oldest)
        destination_free(x, oldest);
    return oldest != NULL;
}

static int destination_new(struct exporter *x, const struct export_destination *told,
                           struct destination **ret)
{
    if (x->n_destinations == MOST_DESTINATIONS && !forget_one(x))
        return -EBUSY;
    struct destination *d = mem_zalloc(1, sizeof(*d));
    if (!d)
        return -ENOMEM;
    memcpy(d->key, told->key, sizeof(d->key));
    d->kind = told->kind;
    d->most = OTLP_BATCH;
    d->grpc_status = GRPC_ABSENT;
    x->destinations[x->n_destinations++] = d;
    *ret = d;
    return 0;
}

int destination_set(struct exporter *x, const struct export_destination *told, const int fds[3])
{
    struct target *t = NULL;
    struct destination *d;
    if (!is_valid(told))
        return -EBADMSG;
    int r = target_new(told, fds, &t);
    if (r < 0)
        return r;
    d = destination_find(x, told->key);
    if (!d && (r = destination_new(x, told, &d)) < 0) {
        target_unref(t);
        return r;
    }
    d->told = ++x->told;
    d->delay_ms = told->delay_ms;
    d->idle_ms = MIN_OF(told->idle_ms, IDLE_MOST_MS);
    d->look = true;
    if (d->target && bytes_eq((struct bytes){d->target->told.p, d->target->told.n},
                              (struct bytes){t->told.p, t->told.n})) {
        target_unref(t);
        return 0;
    }
    target_unref(d->target);
    d->target = t;
    d->plain = false;
    /* A new token, a repaired certificate: it is worth a try, unless the collector asked for
     * patience. */
    d->due_ms = d->told_to_ms;
    d->failing = d->due_ms > x->now_ms;
    d->pause = d->failing ? d->pause : 0;
    return 0;
}
