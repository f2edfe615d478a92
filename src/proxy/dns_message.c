/*
 * One question in, one answer out. See dns_message.h.
 *
 * A query is read to its last byte: header, question, and the records behind it, of which there may
 * be OPT (EDNS) and others that are passed over. A name's labels become text for host_parse(); a
 * label with a dot in it would look like two there and is no host's name.
 */
#include "proxy/dns_message.h"

#include "proxy/cut.h"
#include "helper/limits.h"

enum { HEADER = 12, LABEL_MAX = 63, NAME_MAX_WIRE = 255, UDP_LEAST = 512, UDP_OURS = 1232 };
enum { TYPE_OPT = 41, CLASS_IN = 1 };
enum {
    FLAG_QR = 0x8000,
    FLAG_OPCODE = 0x7800,
    FLAG_TC = 0x0200,
    FLAG_RD = 0x0100,
    FLAG_RA = 0x0080,
    FLAG_CD = 0x0010,
};

/* ---- queries ---- */

/* A name in its wire form, as text with dots; *ret_odd: a label has a byte that would be read as
 * something else there. False: it is none, or compressed. */
static bool cut_name(struct bytes *from, char buf[NAME_MAX_WIRE], size_t *ret_n, bool *ret_odd)
{
    struct bytes rest = *from, label;
    size_t n = 0, wire = 0;
    *ret_odd = false;
    for (;;) {
        if (rest.n == 0 || byte_at(rest, 0) > LABEL_MAX || !cut_string8(&rest, &label))
            return false;
        wire += 1 + label.n;
        if (wire > NAME_MAX_WIRE)
            return false;
        if (label.n == 0)
            break;
        if (n > 0)
            buf[n++] = '.';
        memcpy(buf + n, label.p, label.n);
        n += label.n;
        *ret_odd |= memchr(label.p, '.', label.n) != NULL;
    }
    *from = rest;
    *ret_n = n;
    return true;
}

/* N records behind the question. False: they are not that, or OPT is there twice. */
static bool read_additional(struct bytes *rest, unsigned n, struct dns_query *q)
{
    while (n-- > 0) {
        char buf[NAME_MAX_WIRE];
        size_t length;
        bool odd;
        uint16_t type, class, high, low;
        struct bytes data;
        if (!cut_name(rest, buf, &length, &odd) || !cut_u16(rest, &type) ||
            !cut_u16(rest, &class) || !cut_u16(rest, &high) || !cut_u16(rest, &low) ||
            !cut_string16(rest, &data))
            return false;
        if (type != TYPE_OPT)
            continue;
        if (q->edns || length > 0 || (high & 0xff) != 0) /* twice, of a name, another version */
            return false;
        q->edns = true;
        q->udp_size = MAX_OF(class, (uint16_t)UDP_LEAST);
    }
    return true;
}

static bool read_question(struct bytes *rest, struct dns_query *q)
{
    char buf[NAME_MAX_WIRE];
    size_t n, before = rest->n;
    bool odd;
    if (!cut_name(rest, buf, &n, &odd) || !cut_u16(rest, &q->type) || !cut_u16(rest, &q->class))
        return false;
    q->question = before - rest->n;
    q->problem = odd ? HOST_CHARACTER : host_parse((struct bytes){buf, n}, &q->host);
    return true;
}

int dns_query_parse(struct bytes text, struct dns_query *ret)
{
    struct bytes rest = text;
    uint16_t n[4]; /* questions, answers, authorities, additional records */
    *ret = (struct dns_query){.udp_size = UDP_LEAST};
    if (!cut_u16(&rest, &ret->id) || !cut_u16(&rest, &ret->flags))
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(n); i++)
        if (!cut_u16(&rest, &n[i]))
            return -1;
    if (ret->flags & FLAG_QR)
        return -1;
    if (text.n > LIMIT_DNS)
        return DNS_FORMERR;
    if ((ret->flags & FLAG_OPCODE) != 0 || n[0] > 1)
        return DNS_NOTIMP;
    if (n[0] == 0 || n[1] != 0 || n[2] != 0 || (ret->flags & FLAG_TC) != 0)
        return DNS_FORMERR;
    if (!read_question(&rest, ret) || !read_additional(&rest, n[3], ret) || rest.n > 0)
        return DNS_FORMERR;
    return DNS_NOERROR;
}

/* ---- answers ---- */

/* Where an answer is written; `n` goes on counting beyond `cap`. */
struct out {
    uint8_t *p;
    size_t n, cap;
};

static void put(struct out *o, const void *p, size_t n)
{
    if (o->n <= o->cap && n <= o->cap - o->n)
        memcpy(o->p + o->n, p, n);
    o->n += n;
}

static void put_u16(struct out *o, unsigned v)
{
    const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    put(o, b, sizeof(b));
}

static void put_record(struct out *o, const struct address *a, uint32_t ttl)
{
    bool v4 = a->family == ADDRESS_V4;
    put_u16(o, 0xc000 | HEADER); /* the question's name */
    put_u16(o, v4 ? DNS_A : DNS_AAAA);
    put_u16(o, CLASS_IN);
    put_u16(o, ttl >> 16);
    put_u16(o, ttl & 0xffff);
    put_u16(o, v4 ? 4 : 16);
    put(o, a->b, v4 ? 4 : 16);
}

static void put_opt(struct out *o)
{
    static const uint8_t root = 0;
    put(o, &root, 1);
    put_u16(o, TYPE_OPT);
    put_u16(o, UDP_OURS);
    put_u16(o, 0); /* no further bits of the code, version 0 */
    put_u16(o, 0);
    put_u16(o, 0);
}

/* One attempt; returns its length, which may be beyond the buffer. */
static size_t put_answer(struct out o, struct bytes question, const struct dns_query *q,
                         unsigned flags, const struct address *addresses, size_t n, uint32_t ttl)
{
    put_u16(&o, q->id);
    put_u16(&o, flags);
    put_u16(&o, question.n > 0);
    put_u16(&o, (unsigned)n);
    put_u16(&o, 0);
    put_u16(&o, q->edns);
    if (question.n > 0)
        put(&o, question.p, question.n);
    for (size_t i = 0; i < n; i++)
        put_record(&o, &addresses[i], ttl);
    if (q->edns)
        put_opt(&o);
    return o.n;
}

size_t dns_answer(struct bytes text, const struct dns_query *q, unsigned code,
                  const struct address *addresses, size_t n, uint32_t ttl, size_t max, uint8_t *buf,
                  size_t cap)
{
    struct bytes rest = text, header, question = {0};
    if (!cut_bytes(&rest, HEADER, &header) || (q->flags & FLAG_QR) != 0 ||
        !cut_bytes(&rest, q->question, &question))
        return 0;
    struct out o = {.p = buf, .cap = MIN_OF(max, cap)};
    unsigned flags =
        FLAG_QR | (q->flags & (FLAG_OPCODE | FLAG_RD | FLAG_CD)) | FLAG_RA | (code & 0xf);
    if (question.n == 0)
        n = 0;
    size_t length =
        n > UINT16_MAX ? o.cap + 1 : put_answer(o, question, q, flags, addresses, n, ttl);
    if (length > o.cap)
        length = put_answer(o, question, q, flags | FLAG_TC, NULL, 0, ttl);
    return length <= o.cap ? length : 0;
}
