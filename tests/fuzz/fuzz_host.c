/*
 * Bytes as a host, and as HOST:PORT. What must hold: what libc reads as an address is that address
 * or refused; what is accepted reads back the same; whatever an address carries is judged no better
 * than by itself.
 */
#include "network/host.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const struct address *a)
{
    char text[ADDRESS_TEXT_MAX];
    struct address again, carried[ADDRESS_CARRIED_MAX], normal = address_normal(a);
    enum address_class class = address_classify(a, NULL);
    size_t n = address_carried(a, carried);
    struct bytes b = bytes_of(address_format(a, text));
    if (!(a->family == ADDRESS_V4 ? address_parse_v4(b, &again) : address_parse_v6(b, &again)) ||
        !address_eq(a, &again))
        abort();
    if (n > ADDRESS_CARRIED_MAX)
        abort();
    for (size_t i = 0; i < n; i++)
        if (address_classify(&carried[i], NULL) > class)
            abort();
    struct address twice = address_normal(&normal);
    if (!address_eq(&normal, &twice))
        abort();
}

static void check(struct bytes text, const struct host *h)
{
    struct host again;
    if (h->n != strlen(h->name) || host_parse((struct bytes){h->name, h->n}, &again) != HOST_FINE ||
        memcmp(h, &again, sizeof(again)) != 0)
        abort();
    if (h->kind == HOST_ADDRESS)
        check_address(&h->address);
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *list;
    char copy[300];
    struct in_addr v4;
    if (text.n >= sizeof(copy))
        return;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    bool number = inet_aton(copy, &v4) != 0;
    if (!number && getaddrinfo(copy, NULL, &hints, &list) == 0) {
        freeaddrinfo(list);
        number = true;
    }
    if (number && h->kind != HOST_ADDRESS)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    struct host h, with;
    uint16_t port = 0;
    if (host_parse(text, &h) == HOST_FINE)
        check(text, &h);
    if (host_parse_port(text, 80, &with, &port) == HOST_FINE) {
        if (port == 0 || with.n != strlen(with.name))
            abort();
        if (with.kind == HOST_ADDRESS)
            check_address(&with.address);
    }
    return 0;
}
