/*
 * Bytes as everything a SOCKS client says. What must hold: a message is no longer than what there
 * is, is read the same from itself alone, and all that is shorter asks for more.
 */
#include "proxy/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool that)
{
    if (!that)
        abort();
}

static void check_request(const struct socks_request *r)
{
    struct host again;
    if (r->bad_type || r->problem != HOST_FINE)
        return;
    must(host_parse((struct bytes){r->host.name, r->host.n}, &again) == HOST_FINE);
    must(str_eq(again.name, r->host.name));
    must(r->port > 0 || r->command == SOCKS_UDP);
}

/* What a datagram from there begins with leads back there. */
static void check_head(const struct socks_request *r)
{
    uint8_t buf[SOCKS_REPLY_MAX];
    struct socks_request again;
    if (r->bad_type || r->problem != HOST_FINE || r->host.kind != HOST_ADDRESS || r->port == 0)
        return;
    size_t n = socks_datagram_head(&r->host.address, r->port, buf);
    must(socks_datagram((struct bytes){(char *)buf, n}, &again) == (int)n);
    must(address_eq(&again.host.address, &r->host.address) && again.port == r->port);
    must(socks_reply(SOCKS_OK, &r->host.address, r->port, buf) == n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    struct socks_request r, again;
    uint8_t method = 1;
    int n = socks_greeting(text, &method);
    must(n <= (int)size && (n <= 0 || method == 0 || method == 2 || method == 0xff));
    for (int i = 0; i < n; i++)
        must(socks_greeting((struct bytes){text.p, (size_t)i}, &method) == 0);
    n = socks_password(text);
    must(n <= (int)size);
    for (int i = 0; i < n; i++)
        must(socks_password((struct bytes){text.p, (size_t)i}) == 0);
    n = socks_request(text, &r);
    must(n <= (int)size);
    for (int i = 0; i < n; i++)
        must(socks_request((struct bytes){text.p, (size_t)i}, &again) == 0);
    if (n > 0) {
        check_request(&r);
        check_head(&r);
        must(socks_request((struct bytes){text.p, (size_t)n}, &again) == n);
    }
    n = socks_datagram(text, &r);
    must(n <= (int)size && n != 0);
    for (int i = 0; i < n; i++)
        must(socks_datagram((struct bytes){text.p, (size_t)i}, &again) < 0);
    if (n > 0) {
        must(!r.bad_type && r.port > 0);
        check_request(&r);
        check_head(&r);
    }
    return 0;
}
