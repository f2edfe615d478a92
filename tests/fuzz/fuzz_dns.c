/*
 * Bytes as a DNS query, and the answers to it. What must hold: what is read is a whole message to
 * libc, too, with the same question; every answer is one to libc and fits where it was put.
 */
#include "proxy/dns_message.h"

#include <arpa/nameser.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool that)
{
    if (!that)
        abort();
}

/* libc's reading of the query. */
static void check_query(const uint8_t *data, size_t size, const struct dns_query *q)
{
    ns_msg m;
    ns_rr rr;
    must(ns_initparse(data, (int)size, &m) == 0);
    must(ns_parserr(&m, ns_s_qd, 0, &rr) == 0);
    must(ns_msg_id(m) == q->id && ns_rr_type(rr) == q->type && ns_rr_class(rr) == q->class);
    must(q->udp_size >= 512 && q->question >= 5 && q->question <= size - 12);
    if (q->problem == HOST_FINE && q->host.kind == HOST_NAME)
        must(strcasecmp(ns_rr_name(rr), q->host.name) == 0);
}

static void check_answer(const uint8_t *data, size_t size, const struct dns_query *q, unsigned n,
                         size_t cap)
{
    static const struct address all[] = {{ADDRESS_V4, {198, 18, 0, 1}},
                                         {ADDRESS_V6, {0xfd, 1}},
                                         {ADDRESS_V4, {1, 2, 3, 4}},
                                         {ADDRESS_V6, {0x20, 1, 0xd}},
                                         {ADDRESS_V4, {198, 18, 0, 2}}};
    ns_msg m;
    ns_rr rr;
    uint8_t *buf = malloc(cap ? cap : 1);
    must(buf != NULL);
    size_t length = dns_answer((struct bytes){(const char *)data, size}, q, DNS_NOERROR, all,
                               n % (ARRAY_LEN(all) + 1), 60, 512, buf, cap);
    must(length <= cap && length <= 512);
    if (length > 0) {
        must(ns_initparse(buf, (int)length, &m) == 0);
        must(ns_msg_id(m) == q->id && ns_msg_getflag(m, ns_f_qr));
        for (int i = 0; i < ns_msg_count(m, ns_s_an); i++)
            must(ns_parserr(&m, ns_s_an, i, &rr) == 0);
        must(ns_msg_count(m, ns_s_an) == 0 || !ns_msg_getflag(m, ns_f_tc));
    }
    free(buf);
}

/* The first byte says how large the answer may be, and how many addresses it has. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_query q;
    if (size < 1)
        return 0;
    unsigned first = *data++;
    int r = dns_query_parse((struct bytes){(const char *)data, --size}, &q);
    must(r == -1 || r == DNS_NOERROR || r == DNS_FORMERR || r == DNS_NOTIMP);
    if (r == 0)
        check_query(data, size, &q);
    check_answer(data, size, &q, first % 7, (size_t)first * 2);
    return 0;
}
