/*
 * From the spool's frames to the body of a request. See exporter.h.
 *
 * A frame that no launcher wrote is skipped and counted as dropped. The place behind a batch is
 * known before the batch is sent; the spool is told only when the collector has it, or does not
 * want it.
 */
#include "exporter/exporter.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>

#define METRICS_SPOOL (2u << 20) /* bytes that a launcher grants it, too */

/* ---- what was dropped ---- */

static const char *const drop_words[DROP_REASONS] = {
    [DROP_SPOOL] = "spool", [DROP_COLLECTOR] = "collector"};

void batch_count_dropped(struct destination *d, enum drop_reason why, uint64_t n)
{
    d->dropped += n;
    /* A collector that refuses measurements would refuse this one, and so on for ever. */
    if (d->kind != SIGNAL_METRIC || why != DROP_COLLECTOR)
        d->untold[why] += n;
}

static struct attribute text_attribute(const char *key, const char *value)
{
    return (struct attribute){
        .key = bytes_of(key), .type = ATTRIBUTE_TEXT, .text = bytes_of(value)};
}

/* Another signal in the metrics' spool: it leaves as those of the launchers do. */
static int append_metric(struct exporter *x, const struct destination *metrics,
                         const struct signal *s)
{
    _cleanup_strbuf_ struct strbuf packed = {.max = SIGNAL_MAX};
    struct spool spool;
    int r = signal_pack(s, &packed);
    if (r == 0)
        r = spool_open(&spool, x->dirfd, metrics->key, METRICS_SPOOL, NULL);
    if (r < 0)
        return r;
    r = spool_append(&spool, (struct bytes){packed.p, packed.n});
    spool_close(&spool);
    return r;
}

static struct destination *metrics_of(struct exporter *x)
{
    struct destination *found = NULL;
    for (size_t i = 0; i < x->n_destinations; i++) {
        struct destination *d = x->destinations[i];
        if (d->kind == SIGNAL_METRIC && (!found || d->told > found->told))
            found = d;
    }
    return found;
}

void batch_tell_dropped(struct exporter *x, struct destination *d)
{
    const struct attribute bawn = text_attribute("service.name", "bawn");
    struct destination *metrics = metrics_of(x);
    for (size_t i = 0; metrics && i < DROP_REASONS; i++) {
        const struct attribute about[] = {text_attribute("signal", signal_word(d->kind)),
                                          text_attribute("reason", drop_words[i])};
        const struct signal s = {
            .kind = SIGNAL_METRIC,
            .resource =
                d->batch.signals.n ? d->batch.signals.v[0].resource : (struct attributes){&bawn, 1},
            .attributes = {about, ARRAY_LEN(about)},
            .metric = {.type = METRIC_SUM,
                       .name = BYTES("bawn.exporter.dropped"),
                       .unit = BYTES("{signal}"),
                       .time_ns = clock_unix_ns(),
                       .count = (int64_t)MIN_OF(d->untold[i], (uint64_t)INT64_MAX)}};
        /* What does not fit now is told later, with what is dropped until then. */
        if (d->untold[i] && append_metric(x, metrics, &s) == 0) {
            d->untold[i] = 0;
            metrics->look = true;
        }
    }
}

/* ---- filling ---- */

void batch_clear(struct batch *b)
{
    arena_release(&b->arena);
    strbuf_release(&b->body);
    b->signals.n = b->after.n = b->bytes = 0;
    b->any = b->sealed = false;
}

void batch_release(struct batch *b)
{
    batch_clear(b);
    vec_release(&b->signals);
    vec_release(&b->after);
}

bool batch_is_full(const struct destination *d)
{
    return d->batch.signals.n >= d->most || d->batch.bytes >= BATCH_BYTES;
}

static int add_frame(struct exporter *x, struct destination *d, struct bytes payload,
                     struct spool_place after)
{
    struct batch *b = &d->batch;
    const char *copy = arena_strndup(&b->arena, payload.p, payload.n);
    struct signal s;
    int r = copy ? signal_unpack(&b->arena, (struct bytes){copy, payload.n}, &s) : -ENOMEM;
    if (r == 0 && s.kind != d->kind)
        r = -EBADMSG;
    if (r == 0) {
        struct signal *slot = vec_push(&b->signals);
        struct spool_place *place = slot ? vec_push(&b->after) : NULL;
        if (!place)
            return -ENOMEM;
        *slot = s;
        *place = after;
        b->bytes += payload.n;
        if (b->signals.n == 1)
            b->since_ms = x->now_ms;
    } else if (r == -EBADMSG) {
        batch_count_dropped(d, DROP_SPOOL, 1);
    } else {
        return r;
    }
    b->end = after;
    b->any = true;
    return 0;
}

/* 1: full; 0: there is no more now. */
static int read_frames(struct exporter *x, struct destination *d)
{
    while (!batch_is_full(d)) {
        struct bytes payload;
        struct spool_place after;
        int r = spool_next(d->reader, &payload, &after);
        if (r == 1)
            r = add_frame(x, d, payload, after);
        else
            return r;
        if (r < 0)
            return r;
    }
    return 1;
}

static void seen_all(struct destination *d)
{
    d->look = false;
    vec_foreach (w, &d->waiters)
        w->read = true;
}

int batch_fill(struct exporter *x, struct destination *d)
{
    struct error err = {0};
    if (d->batch.sealed)
        return 0;
    struct stat st;
    if (!d->reader && fstatat(x->dirfd, d->key, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
        errno == ENOENT) { /* none is made just to be looked into */
        seen_all(d);
        return 0;
    }
    int r = d->reader ? 0 : spool_reader_open(x->dirfd, d->key, &d->reader, &err);
    if (r == 0 && (r = read_frames(x, d)) < 0)
        (void)error_errno(&err, r, "the spool cannot be read");
    if (r < 0) {
        /* What was read is read again. */
        spool_reader_close(d->reader);
        d->reader = NULL;
        batch_clear(&d->batch);
        (void)printable(d->text, sizeof(d->text), err.message, strlen(err.message));
        return r;
    }
    batch_count_dropped(d, DROP_SPOOL, spool_take_dropped(d->reader));
    batch_tell_dropped(x, d);
    if (d->batch.any && !d->batch.signals.n) {
        (void)spool_commit(d->reader, d->batch.end);
        batch_clear(&d->batch);
    }
    if (r == 0)
        seen_all(d);
    return 0;
}

/* ---- the body ---- */

static int compress_into(struct bytes in, struct strbuf *out)
{
    enum { GZIP = 16 + MAX_WBITS };
    unsigned char buf[16384];
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    int r;
    do {
        z.next_out = buf;
        z.avail_out = sizeof(buf);
        r = deflate(&z, Z_FINISH);
        strbuf_put(out, buf, sizeof(buf) - z.avail_out);
    } while (r == Z_OK);
    (void)deflateEnd(&z);
    return r != Z_STREAM_END || strbuf_failed(out) ? -ENOMEM : 0;
}

static int make_body(struct destination *d, struct bytes message)
{
    struct batch *b = &d->batch;
    char frame[GRPC_FRAME] = {0};
    const bool framed = d->target->protocol == EXPORT_GRPC;
    int r = 0;
    strbuf_release(&b->body);
    b->gzip = d->target->gzip && !d->plain;
    if (framed)
        strbuf_put(&b->body, frame, sizeof(frame));
    if (b->gzip)
        r = compress_into(message, &b->body);
    else
        strbuf_put(&b->body, message.p, message.n);
    if (r < 0 || strbuf_failed(&b->body)) {
        strbuf_release(&b->body);
        return -ENOMEM;
    }
    if (framed) {
        grpc_frame(frame, b->gzip, (uint32_t)(b->body.n - sizeof(frame)));
        memcpy(b->body.p, frame, sizeof(frame));
    }
    return 0;
}

int batch_seal(struct destination *d)
{
    struct batch *b = &d->batch;
    if (b->sealed && b->body.n && b->gzip == (d->target->gzip && !d->plain))
        return 0;
    if (!b->sealed)
        b->observed_ns = clock_unix_ns();
    for (;;) {
        _cleanup_strbuf_ struct strbuf message = {.max = OTLP_BODY_MAX};
        const struct otlp_batch what = {
            .kind = d->kind, .v = b->signals.v, .n = b->signals.n, .observed_ns = b->observed_ns};
        int r = otlp_encode(d->target->protocol, &what, &message);
        if (r == 0 && strbuf_failed(&message))
            r = -ENOMEM;
        if (r == 0) {
            b->sealed = true;
            return make_body(d, (struct bytes){strbuf_text(&message), message.n});
        }
        if (!batch_halve(d))
            return -E2BIG;
        if (!b->signals.n)
            return -EAGAIN;
    }
}

bool batch_halve(struct destination *d)
{
    struct batch *b = &d->batch;
    if (b->signals.n < 2)
        return false;
    b->signals.n = b->after.n = d->most = b->signals.n / 2;
    b->end = b->after.v[b->after.n - 1];
    d->look = true;
    strbuf_release(&b->body);
    if (spool_seek(d->reader, b->end) == 0)
        return true;
    /* Read again from where the spool stands. */
    spool_reader_close(d->reader);
    d->reader = NULL;
    batch_clear(b);
    return true;
}

void batch_done(struct exporter *x, struct destination *d, uint64_t dropped)
{
    const uint64_t n = d->batch.signals.n;
    dropped = MIN_OF(dropped, n);
    d->sent += n - dropped;
    batch_count_dropped(d, DROP_COLLECTOR, dropped);
    batch_tell_dropped(x, d);
    if (d->batch.any)
        (void)spool_commit(d->reader, d->batch.end);
    batch_clear(&d->batch);
    d->look = true;
}
