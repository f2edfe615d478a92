/* See handover.h. */
#include "helper/handover.h"

#include "base/fd.h"

#include <errno.h>
#include <sys/socket.h>

#define MAGIC 0x6f687762u /* "bwho" */

struct head {
    uint32_t magic, n_first;
    uint16_t port;
    uint8_t n_host, n_addresses;
    uint8_t server, kind;
    uint16_t client_port;
};

int handover_send(int socket, const struct handover *h, int client, int server)
{
    char buf[HANDOVER_MAX];
    int fds[2] = {client, server};
    size_t at = sizeof(struct head);
    struct head head = {.magic = MAGIC,
                        .n_first = (uint32_t)h->first.n,
                        .port = h->port,
                        .n_host = h->host.n,
                        .n_addresses = (uint8_t)h->n_addresses,
                        .server = server >= 0,
                        .kind = (uint8_t)h->kind,
                        .client_port = h->client_port};
    if (h->first.n > HANDOVER_FIRST_MAX || h->n_addresses > LIMIT_ADDRESSES || client < 0)
        return -EINVAL;
    memcpy(buf, &head, sizeof(head));
    memcpy(buf + at, h->host.name, h->host.n);
    at += h->host.n;
    for (size_t i = 0; i < h->n_addresses; i++, at += sizeof(struct address))
        memcpy(buf + at, &h->addresses[i], sizeof(struct address));
    if (h->first.n)
        memcpy(buf + at, h->first.p, h->first.n);
    int r = fd_send(socket, buf, at + h->first.n, fds, server >= 0 ? 2 : 1);
    return r == -EWOULDBLOCK ? -EAGAIN : r == -ECONNRESET ? -EPIPE : r;
}

static bool is_relay(const struct head *h)
{
    return h->kind == HANDOVER_RELAY && h->server && h->n_addresses == 0 && h->n_first == 0;
}

static bool is_client(const struct head *h)
{
    return h->kind == HANDOVER_CLIENT && (h->server || h->n_addresses);
}

/* Everything is checked as a stranger's. */
static int read_message(struct bytes text, size_t n_fds, struct handover *ret)
{
    struct head head;
    struct handover h = {.n_addresses = 0};
    if (text.n < sizeof(head))
        return -EBADMSG;
    memcpy(&head, text.p, sizeof(head));
    size_t addresses = head.n_addresses * sizeof(struct address);
    if (head.magic != MAGIC || head.port == 0 || head.n_addresses > LIMIT_ADDRESSES ||
        head.n_first > HANDOVER_FIRST_MAX || head.server > 1 ||
        text.n != sizeof(head) + head.n_host + addresses + head.n_first ||
        n_fds != 1u + head.server || !(is_client(&head) || is_relay(&head)))
        return -EBADMSG;
    const char *p = text.p + sizeof(head);
    if (host_parse((struct bytes){p, head.n_host}, &h.host) != HOST_FINE)
        return -EBADMSG;
    p += head.n_host;
    h.kind = (enum handover_kind)head.kind;
    h.port = head.port;
    h.client_port = head.client_port;
    for (; h.n_addresses < head.n_addresses; h.n_addresses++, p += sizeof(struct address)) {
        struct address *a = &h.addresses[h.n_addresses];
        memcpy(a, p, sizeof(*a));
        if (a->family != ADDRESS_V4 && a->family != ADDRESS_V6)
            return -EBADMSG;
    }
    h.first = (struct bytes){p, head.n_first};
    *ret = h;
    return 0;
}

int handover_recv(int socket, char *buf, struct handover *ret, int *ret_client, int *ret_server)
{
    int fds[2] = {-1, -1};
    size_t n_fds = 0;
    ssize_t n = fd_recv(socket, buf, HANDOVER_MAX, fds, ARRAY_LEN(fds), &n_fds, NULL);
    if (n < 0)
        return n == -EWOULDBLOCK                ? -EAGAIN
               : n == -ECONNRESET               ? -EPIPE
               : n == -EPROTO || n == -EMSGSIZE ? -EBADMSG
                                                : (int)n;
    if (n == 0 && n_fds == 0)
        return -EPIPE;
    int r = read_message((struct bytes){buf, (size_t)n}, n_fds, ret);
    if (r < 0) {
        for (size_t i = 0; i < n_fds; i++)
            fd_close(fds[i]);
        return r;
    }
    *ret_client = fds[0];
    *ret_server = n_fds > 1 ? fds[1] : -1;
    return 0;
}
