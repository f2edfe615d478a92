/* See grpc.h. */
#include "exporter/grpc.h"

#include "exporter/retry.h"

enum { GRPC_UNKNOWN = 2 };

const char *grpc_method(enum signal_kind kind)
{
    static const char *const methods[SIGNAL_KINDS] = {
        [SIGNAL_LOG] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        [SIGNAL_SPAN] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        [SIGNAL_METRIC] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"};
    return methods[kind];
}

/* ---- frames ---- */

void grpc_frame(char dst[GRPC_FRAME], bool compressed, uint32_t n)
{
    dst[0] = compressed;
    for (size_t i = 0; i < 4; i++)
        dst[1 + i] = (char)(n >> (24 - 8 * i) & 0xff);
}

struct bytes grpc_message(struct bytes body)
{
    uint32_t n = 0;
    if (body.n < GRPC_FRAME || body.p[0] != 0)
        return (struct bytes){"", 0};
    for (size_t i = 0; i < 4; i++)
        n = n << 8 | (unsigned char)body.p[1 + i];
    if (n > body.n - GRPC_FRAME)
        return (struct bytes){"", 0};
    return (struct bytes){body.p + GRPC_FRAME, n};
}

/* ---- fields ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool field_split(struct bytes line, struct bytes *ret_name, struct bytes *ret_value)
{
    const char *colon = line.n ? memchr(line.p, ':', line.n) : NULL;
    if (!colon || colon == line.p)
        return false;
    *ret_name = (struct bytes){line.p, (size_t)(colon - line.p)};
    struct bytes v = {colon + 1, line.n - ret_name->n - 1};
    while (v.n && is_blank(v.p[0])) {
        v.p++;
        v.n--;
    }
    while (v.n && is_blank(v.p[v.n - 1]))
        v.n--;
    *ret_value = v;
    return true;
}

bool field_is(struct bytes name, const char *word)
{
    return name.n == strlen(word) && strncasecmp(name.p, word, name.n) == 0;
}

/* ---- google.rpc.Status, for the one thing in it that is of use ---- */

struct wire {
    const unsigned char *p;
    size_t n;
};

static bool read_varint(struct wire *w, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (!w->n)
            return false;
        unsigned char c = *w->p++;
        w->n--;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

struct field {
    uint64_t number, value; /* a varint's */
    struct wire inside;     /* of what has a length */
};

/* 1: a field; 0: the end; -1: garbage. */
static int next_field(struct wire *w, struct field *f)
{
    uint64_t tag, n;
    *f = (struct field){0};
    if (!w->n)
        return 0;
    if (!read_varint(w, &tag))
        return -1;
    f->number = tag >> 3;
    switch (tag & 7) {
    case 0:
        return read_varint(w, &f->value) ? 1 : -1;
    case 1:
    case 5:
        n = (tag & 7) == 1 ? 8 : 4;
        break;
    case 2:
        if (!read_varint(w, &n))
            return -1;
        break;
    default:
        return -1;
    }
    if (n > w->n)
        return -1;
    if ((tag & 7) == 2)
        f->inside = (struct wire){w->p, (size_t)n};
    w->p += n;
    w->n -= (size_t)n;
    return 1;
}

/* The last field NUMBER with a length; empty: none. */
static struct wire find_field(struct wire w, uint64_t number)
{
    struct wire found = {0};
    struct field f;
    while (next_field(&w, &f) > 0)
        if (f.number == number && f.inside.p)
            found = f.inside;
    return found;
}

/* google.protobuf.Duration: seconds = 1, nanos = 2. */
static uint32_t read_duration(struct wire w)
{
    uint64_t seconds = 0, nanos = 0;
    struct field f;
    while (next_field(&w, &f) > 0)
        if (!f.inside.p)
            *(f.number == 1 ? &seconds : f.number == 2 ? &nanos : &f.value) = f.value;
    if (seconds > INT64_MAX || nanos > 999999999)
        return 0; /* negative, or none */
    uint64_t ms = MIN_OF(seconds, (uint64_t)RETRY_AFTER_MAX) * 1000 + nanos / 1000000;
    return (uint32_t)MIN_OF(ms, (uint64_t)RETRY_AFTER_MAX);
}

/* Status: details = 3, of google.protobuf.Any: type_url = 1, value = 2; RetryInfo: retry_delay = 1.
 */
static uint32_t read_retry_info(struct wire status)
{
    static const char type[] = "/google.rpc.RetryInfo";
    struct field f;
    while (next_field(&status, &f) > 0) {
        if (f.number != 3 || !f.inside.p)
            continue;
        struct wire url = find_field(f.inside, 1), value = find_field(f.inside, 2);
        const size_t n = sizeof(type) - 1;
        if (url.n >= n && memcmp(url.p + url.n - n, type, n) == 0)
            return read_duration(find_field(value, 1));
    }
    return 0;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Padded or not. What is longer than CAP is not read. False: it is none. */
static bool base64(struct bytes text, unsigned char *dst, size_t cap, size_t *ret_n)
{
    uint32_t held = 0;
    unsigned bits = 0;
    size_t n = 0;
    while (text.n && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; i < text.n; i++) {
        int d = base64_digit(text.p[i]);
        if (d < 0)
            return false;
        held = held << 6 | (uint32_t)d;
        bits += 6;
        if (bits < 8)
            continue;
        if (n == cap)
            return false;
        bits -= 8;
        dst[n++] = (unsigned char)(held >> bits & 0xff);
    }
    *ret_n = n;
    return true;
}

static uint32_t read_details(struct bytes value)
{
    unsigned char bytes[GRPC_DETAILS_MAX];
    size_t n;
    return base64(value, bytes, sizeof(bytes), &n) ? read_retry_info((struct wire){bytes, n}) : 0;
}

/* ---- the status ---- */

void grpc_status_clear(struct grpc_status *s)
{
    *s = (struct grpc_status){.status = GRPC_ABSENT};
}

static int read_status(struct bytes v)
{
    int n = 0;
    if (v.n < 1 || v.n > 3)
        return GRPC_UNKNOWN;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < '0' || v.p[i] > '9')
            return GRPC_UNKNOWN;
        n = n * 10 + (v.p[i] - '0');
    }
    return n;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What is no escape stands for itself. */
static void read_message(struct grpc_status *s, struct bytes v)
{
    s->n = 0;
    for (size_t i = 0; i < v.n && s->n < sizeof(s->message); i++) {
        int high = v.p[i] == '%' && v.n - i > 2 ? hex(v.p[i + 1]) : -1;
        int low = high < 0 ? -1 : hex(v.p[i + 2]);
        s->message[s->n++] = low < 0 ? v.p[i] : (char)(high << 4 | low);
        i += low < 0 ? 0 : 2;
    }
}

void grpc_status_field(struct grpc_status *s, struct bytes name, struct bytes value)
{
    if (field_is(name, "grpc-status")) {
        int status = read_status(value);
        s->status = s->status == GRPC_ABSENT || s->status == status ? status : GRPC_UNKNOWN;
    } else if (field_is(name, "grpc-message")) {
        read_message(s, value);
    } else if (field_is(name, "grpc-status-details-bin")) {
        s->retry_ms = read_details(value);
    }
}
