/* A client that speaks SOCKS 5: greeting, request, answer, then bytes. See socks.h. */
#include "proxy/proxy.h"
#include "proxy/socks.h"

#include <errno.h>

#define GREETING_MOST 1024u

static void reply(struct client *c, enum socks_reply code)
{
    uint8_t buf[SOCKS_REPLY_MAX];
    (void)buffer_put(&c->out, buf, socks_reply(code, NULL, 0, buf));
}

static void refuse(struct client *c, enum socks_reply code)
{
    reply(c, code);
    client_finish(c);
}

/* Behind the refusal of port 22 the reason is said in its own language. */
static void refuse_policy(struct client *c, const struct netanswer *a)
{
    reply(c, a->reason == NET_DNS_FAILED || a->reason == NET_DNS_TIMEOUT ? SOCKS_HOST_UNREACHABLE
                                                                         : SOCKS_NOT_ALLOWED);
    if (c->request.port == 22)
        refuse_ssh(c->proxy, &c->request, a, &c->out);
    client_finish(c);
}

void socks_dialled(struct client *c, enum dial_result result, int fd)
{
    switch (result) {
    case DIAL_CONNECTED:
        if (client_take_server(c, fd) < 0) {
            client_end(c);
            return;
        }
        reply(c, SOCKS_OK);
        if (client_opened(c) == NET_ALLOWED)
            client_tunnel(c);
        else
            client_hand_over(c);
        break;
    case DIAL_REFUSED_BY_POLICY:
        refuse_policy(c, &c->dial->answer);
        break;
    case DIAL_UNREACHABLE:
        refuse(c, c->dial->error == ECONNREFUSED  ? SOCKS_REFUSED
                  : c->dial->error == ENETUNREACH ? SOCKS_NET_UNREACHABLE
                                                  : SOCKS_HOST_UNREACHABLE);
        break;
    case DIAL_TIMEOUT:
    case DIAL_NO_TLS:
        refuse(c, SOCKS_HOST_UNREACHABLE);
        break;
    case DIAL_FAILED:
        refuse(c, SOCKS_FAILED);
        break;
    }
}

static void refuse_reason(struct client *c, enum net_reason reason)
{
    const struct netanswer a = {.decision = NET_DENY, .reason = reason};
    (void)proxy_record(c->proxy, &c->request, &a, false, "");
    refuse_policy(c, &a);
}

static void take_request(struct client *c, const struct socks_request *q)
{
    c->request =
        (struct netrequest){.host = q->host,
                            .port = q->port,
                            .protocol = q->command == SOCKS_UDP ? NET_SOCKS_UDP : NET_SOCKS_TCP,
                            .client_port = c->port};
    stub_name(c->proxy, &c->request.host);
    if (q->bad_type) {
        refuse(c, SOCKS_NO_ADDRESS);
    } else if (q->command == SOCKS_UDP) {
        if (!c->proxy->settings.socks_udp || c->proxy->settings.limited)
            refuse(c, SOCKS_NO_COMMAND);
        else if (!udp_associate(c))
            refuse(c, SOCKS_FAILED);
    } else if (q->command != SOCKS_CONNECT) {
        refuse(c, SOCKS_NO_COMMAND);
    } else if (q->problem != HOST_FINE) {
        /* Written down without its name: it is none. */
        c->request.host = (struct host){0};
        refuse_reason(c, NET_BAD_HOST);
    } else if (client_opened(c) == NET_NEEDS_MITM) {
        refuse_reason(c, NET_NEEDS_MITM);
    } else {
        client_dial(c, "", NULL, false);
    }
}

static int greet(struct client *c)
{
    uint8_t method;
    int n = socks_greeting(buffer_bytes(&c->in), &method);
    if (n <= 0)
        return n;
    const uint8_t answer[] = {5, method};
    buffer_take(&c->in, (size_t)n);
    (void)buffer_put(&c->out, answer, sizeof(answer));
    if (method == 0xff)
        client_finish(c);
    else
        c->state = method == 2 ? CLIENT_PASSWORD : CLIENT_REQUEST;
    return n;
}

static int take_password(struct client *c)
{
    static const uint8_t fine[] = {1, 0};
    int n = socks_password(buffer_bytes(&c->in));
    if (n <= 0)
        return n;
    buffer_take(&c->in, (size_t)n);
    (void)buffer_put(&c->out, fine, sizeof(fine));
    c->state = CLIENT_REQUEST;
    return n;
}

static int request(struct client *c)
{
    struct socks_request q;
    int n = socks_request(buffer_bytes(&c->in), &q);
    if (n <= 0)
        return n;
    buffer_take(&c->in, (size_t)n);
    take_request(c, &q);
    return n;
}

bool socks_step(struct client *c)
{
    size_t n_read = stream_read(&c->client, &c->in, GREETING_MOST);
    int r = c->state == CLIENT_GREETING   ? greet(c)
            : c->state == CLIENT_PASSWORD ? take_password(c)
                                          : request(c);
    if (c->state == CLIENT_DEAD)
        return false;
    if (r < 0 || (r == 0 && c->client.ended)) {
        client_end(c);
        return false;
    }
    if (!stream_write(&c->client, &c->out)) {
        client_end(c);
        return false;
    }
    return n_read > 0 || r > 0;
}
