/*
 * The bytes between the launcher and bawn-proxy. See wire.h.
 *
 * Numbers and texts are those of pack.h: a reader never moves past the end, and after the first
 * fault everything it yields is zero, so that the fault is looked at once, where something is about
 * to be believed.
 */
#include "network/wire.h"

#include "base/fd.h"
#include "base/limits.h"
#include "base/pack.h"
#include "network/pattern.h"
#include "network/unicode.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTINGS_MAGIC 0x746e7762u /* "bwnt" */
#define NO_RANGE       UINT16_MAX
#define MAX_SOCKETS    4096u
#define MAX_OWN        65536u
#define ALL_PROTOCOLS  (NET_HTTP | NET_HTTPS | NET_SOCKS_TCP | NET_SOCKS_UDP | NET_TCP)

/* ---- numbers and texts ---- */

/* One byte, at most MAX, or it is a fault. */
static unsigned take_word(struct unpack *t, unsigned max)
{
    unsigned v = unpack_u8(t);
    t->bad = t->bad || v > max;
    return t->bad ? 0 : v;
}

static bool take_bool(struct unpack *t)
{
    return take_word(t, 1) == 1;
}

static void put_address(struct strbuf *out, const struct address *a)
{
    pack_u8(out, a->family);
    strbuf_put(out, a->b, sizeof(a->b));
}

/* NONE: may it be no address? */
static struct address take_address(struct unpack *t, bool none)
{
    static const uint8_t zero[sizeof(((struct address *)0)->b)];
    struct address a = {.family = unpack_u8(t)};
    unpack(t, a.b, sizeof(a.b));
    size_t n = a.family == ADDRESS_V4 ? 4 : a.family == ADDRESS_V6 ? sizeof(a.b) : 0;
    if ((n == 0 && (a.family || !none)) || memcmp(a.b + n, zero, sizeof(a.b) - n) != 0)
        t->bad = true;
    return t->bad ? (struct address){0} : a;
}

/* ---- settings ---- */

enum { SAME_LAYER = 1u, SAME_FILE = 2u };
#define RULE_BYTES    (4u + 4 + 2 + 4 + 4 + 4 + 1 + 4) /* at least */
#define ADDRESS_BYTES (1u + 16)

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The other side gets ASCII. What is no pattern here will be none there. */
static void put_pattern(struct strbuf *out, const char *text)
{
    struct netpattern p;
    char buf[NETPATTERN_TEXT_MAX];
    if (unicode_is(bytes_of(text)) && netpattern_parse(bytes_of(text), &p, NULL) == 0)
        text = netpattern_ascii(text, &p, buf);
    pack_text(out, text);
}

static void put_rule(struct strbuf *out, const struct netrule *r, const struct netrule *before)
{
    unsigned flags = 0;
    if (before && same(r->layer, before->layer))
        flags |= SAME_LAYER;
    if (before && same(r->file, before->file))
        flags |= SAME_FILE;
    pack_u8(out, (uint8_t)flags);
    pack_u8(out, (uint8_t)r->decision);
    pack_u8(out, (uint8_t)r->source);
    pack_u8(out, r->level);
    pack_u32(out, r->protocols);
    pack_u16(out, r->port);
    pack_u32(out, r->line);
    pack_u32(out, r->column);
    put_pattern(out, r->pattern);
    pack_text(out, r->message);
    if (!(flags & SAME_LAYER))
        pack_text(out, r->layer);
    if (!(flags & SAME_FILE))
        pack_text(out, r->file);
}

static struct netrule take_rule(struct unpack *t, const struct netrule *before, uint32_t id)
{
    unsigned flags = take_word(t, SAME_LAYER | SAME_FILE);
    struct netrule r = {.id = id};
    r.decision = (enum net_decision)take_word(t, NET_DENY);
    r.source = (enum net_source)take_word(t, NET_OF_SESSION);
    r.level = unpack_u8(t);
    r.protocols = unpack_u32(t);
    r.port = unpack_u16(t);
    r.line = unpack_u32(t);
    r.column = unpack_u32(t);
    r.pattern = unpack_some(t);
    r.message = unpack_text(t);
    if ((flags && !before) || r.decision == NET_NONE || (r.protocols & ~ALL_PROTOCOLS))
        t->bad = true;
    if (t->bad)
        return (struct netrule){0};
    r.layer = flags & SAME_LAYER ? before->layer : unpack_text(t);
    r.file = flags & SAME_FILE ? before->file : unpack_text(t);
    return r;
}

int wire_settings_write(const struct wire_settings *s, struct strbuf *out)
{
    pack_u32(out, SETTINGS_MAGIC);
    pack_u32(out, WIRE_VERSION);
    pack_u8(out, s->policy.allow_local);
    pack_u8(out, s->policy.local_fixed);
    pack_u8(out, s->policy.managed_only);
    pack_u8(out, s->policy.ask_unknown);
    pack_u8(out, s->policy.ask_rule);
    pack_u8(out, s->limited);
    pack_u8(out, s->socks_udp);
    pack_u8(out, s->all_unix_sockets);
    pack_u8(out, s->tells_ends);
    pack_u8(out, s->intercepts);
    pack_text(out, s->profile);
    pack_text(out, s->block_message);
    pack_text(out, s->upstream_http);
    pack_text(out, s->upstream_https);
    pack_text(out, s->upstream_all);
    pack_text(out, s->no_upstream);
    pack_u32(out, (uint32_t)s->n_unix_sockets);
    for (size_t i = 0; i < s->n_unix_sockets; i++)
        pack_text(out, s->unix_sockets[i]);
    pack_u32(out, (uint32_t)s->n_rules);
    for (size_t i = 0; i < s->n_rules; i++)
        put_rule(out, &s->rules[i], i ? &s->rules[i - 1] : NULL);
    pack_u32(out, (uint32_t)s->n_own);
    for (size_t i = 0; i < s->n_own; i++)
        put_address(out, &s->own[i]);
    opened_write(&s->opened, out);
    requests_write(&s->requests, out);
    return strbuf_failed(out) ? -ENOMEM : 0;
}

static int take_sockets(struct unpack *t, struct arena *a, struct wire_settings *s)
{
    size_t n = unpack_count(t, MAX_SOCKETS, 5);
    const char **paths = n ? arena_zalloc(a, n, sizeof(*paths)) : NULL;
    if (n && !paths)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        paths[i] = unpack_some(t);
        t->bad = t->bad || !paths[i] || paths[i][0] != '/';
    }
    s->unix_sockets = paths;
    s->n_unix_sockets = n;
    return 0;
}

static int take_rules(struct unpack *t, struct arena *a, struct wire_settings *s)
{
    size_t n = unpack_count(t, MAX_NET_RULES, RULE_BYTES);
    struct netrule *rules = n ? arena_zalloc(a, n, sizeof(*rules)) : NULL;
    if (n && !rules)
        return -ENOMEM;
    for (size_t i = 0; i < n && !t->bad; i++)
        rules[i] = take_rule(t, i ? &rules[i - 1] : NULL, (uint32_t)i);
    s->rules = rules;
    s->n_rules = n;
    return 0;
}

static int take_own(struct unpack *t, struct arena *a, struct wire_settings *s)
{
    size_t n = unpack_count(t, MAX_OWN, ADDRESS_BYTES);
    struct address *own = n ? arena_zalloc(a, n, sizeof(*own)) : NULL;
    if (n && !own)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        own[i] = take_address(t, false);
    s->own = own;
    s->n_own = n;
    return 0;
}

int wire_settings_read(struct arena *a, struct bytes text, struct wire_settings *ret,
                       struct error *err)
{
    struct unpack t = {.left = text};
    struct wire_settings s = {0};
    if (unpack_u32(&t) != SETTINGS_MAGIC || unpack_u32(&t) != WIRE_VERSION)
        return error_set(err, -EINVAL, "the proxy's settings are of another build of bawn");
    s.policy.allow_local = take_bool(&t);
    s.policy.local_fixed = take_bool(&t);
    s.policy.managed_only = take_bool(&t);
    s.policy.ask_unknown = take_bool(&t);
    s.policy.ask_rule = take_bool(&t);
    s.limited = take_bool(&t);
    s.socks_udp = take_bool(&t);
    s.all_unix_sockets = take_bool(&t);
    s.tells_ends = take_bool(&t);
    s.intercepts = take_bool(&t);
    s.profile = unpack_text(&t);
    s.block_message = unpack_text(&t);
    s.upstream_http = unpack_text(&t);
    s.upstream_https = unpack_text(&t);
    s.upstream_all = unpack_text(&t);
    s.no_upstream = unpack_text(&t);
    int r = take_sockets(&t, a, &s);
    if (r == 0)
        r = take_rules(&t, a, &s);
    if (r == 0)
        r = take_own(&t, a, &s);
    if (r < 0)
        return error_errno(err, r, "cannot read the proxy's settings");
    if (!t.bad && ((r = opened_read(a, &t.left, &s.opened, err)) < 0 ||
                   (r = requests_read(a, &t.left, &s.requests, err)) < 0))
        return r;
    if (t.bad || t.left.n)
        return error_set(err, -EINVAL, "the proxy's settings are damaged");
    *ret = s;
    return 0;
}

/* ---- events ---- */

static void put_range(struct strbuf *out, const struct address_range *range)
{
    pack_u16(out, range ? (uint16_t)(range - address_ranges) : NO_RANGE);
}

static const struct address_range *take_range(struct unpack *t)
{
    uint16_t at = unpack_u16(t);
    if (t->bad || at == NO_RANGE)
        return NULL;
    t->bad = at >= n_address_ranges;
    return t->bad ? NULL : &address_ranges[at];
}

/* Visible ASCII only. */
static void take_visible(struct unpack *t, size_t n, char *ret)
{
    unpack(t, ret, n);
    ret[n] = '\0';
    for (size_t i = 0; !t->bad && i < n; i++)
        t->bad = ret[i] <= ' ' || ret[i] >= 0x7f;
}

/* What printable() yields: nothing below a space, no DEL. */
static void take_printable(struct unpack *t, size_t n, char *ret)
{
    unpack(t, ret, n);
    ret[n] = '\0';
    for (size_t i = 0; !t->bad && i < n; i++)
        t->bad = (unsigned char)ret[i] < ' ' || ret[i] == 0x7f;
}

/* What host_parse() makes of the text: nothing else can become a host on this side either. Of a
 * host that was refused as none only the text, or nothing, is told. */
static void take_host(struct unpack *t, bool none, struct host *ret)
{
    struct host h = {0};
    size_t n = take_word(t, HOST_NAME_MAX_BYTES);
    take_visible(t, n, h.name);
    if (t->bad || none) {
        h.n = (uint8_t)n;
    } else if (host_parse((struct bytes){h.name, n}, ret) != HOST_FINE ||
               !bytes_eq((struct bytes){ret->name, ret->n}, (struct bytes){h.name, n})) {
        t->bad = true;
    } else {
        return;
    }
    *ret = h;
}

void wire_event_write(const struct wire_event *e, struct strbuf *out)
{
    const struct netanswer *a = &e->answer;
    size_t n = strnlen(e->method, sizeof(e->method) - 1);
    size_t n_path = strnlen(e->path, sizeof(e->path) - 1);
    pack_u64(out, (uint64_t)e->time_ms);
    pack_u64(out, e->lasted_us);
    pack_u8(out, e->failed);
    pack_u8(out, (uint8_t)a->decision);
    pack_u8(out, (uint8_t)a->reason);
    pack_u32(out, a->rule ? a->rule->id : WIRE_RULE_NONE);
    pack_u8(out, (uint8_t)a->class);
    put_range(out, a->range);
    put_address(out, &a->address);
    pack_u8(out, a->own);
    pack_u8(out, e->asked);
    pack_u8(out, (uint8_t)e->request.protocol);
    pack_u16(out, e->request.port);
    pack_u16(out, e->request.client_port);
    pack_u8(out, e->request.client_udp);
    pack_u8(out, (uint8_t)n_path);
    strbuf_put(out, e->path, n_path);
    pack_u8(out, e->request.host.n);
    strbuf_put(out, e->request.host.name, e->request.host.n);
    pack_u8(out, (uint8_t)n);
    strbuf_put(out, e->method, n);
}

int wire_event_read(struct bytes *text, const struct netrule *rules, size_t n_rules,
                    struct wire_event *ret)
{
    struct unpack t = {.left = *text};
    struct wire_event e = {.time_ms = (int64_t)unpack_u64(&t)};
    struct netanswer *a = &e.answer;
    e.lasted_us = unpack_u64(&t);
    e.failed = take_bool(&t);
    a->decision = (enum net_decision)take_word(&t, NET_DENY);
    a->reason = (enum net_reason)take_word(&t, NET_BAD_HOST);
    uint32_t id = unpack_u32(&t);
    a->class = (enum address_class)take_word(&t, ADDRESS_METADATA);
    a->range = take_range(&t);
    a->address = take_address(&t, true);
    a->own = take_bool(&t);
    e.asked = take_bool(&t);
    unsigned protocol = take_word(&t, ALL_PROTOCOLS);
    e.request.protocol = protocol;
    e.request.port = unpack_u16(&t);
    e.request.client_port = unpack_u16(&t);
    e.request.client_udp = take_bool(&t);
    take_printable(&t, take_word(&t, sizeof(e.path) - 1), e.path);
    take_host(&t, a->reason == NET_BAD_HOST || e.path[0], &e.request.host);
    take_visible(&t, take_word(&t, sizeof(e.method) - 1), e.method);
    if ((e.path[0] && (e.request.host.n || e.request.port)) ||
        (e.lasted_us ? a->decision != NET_ALLOW : e.failed))
        t.bad = true;
    if (t.bad || a->decision == NET_NONE || protocol == 0 || (protocol & (protocol - 1)) ||
        (id != WIRE_RULE_NONE && id >= n_rules))
        return -EINVAL;
    a->rule = id == WIRE_RULE_NONE ? NULL : &rules[id];
    *text = t.left;
    *ret = e;
    return 0;
}

/* ---- messages ---- */

int wire_send(int fd, const struct wire_head *head, const void *payload, size_t n, const int *fds,
              size_t n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
    } control = {0};
    struct iovec parts[2] = {{(void *)(uintptr_t)head, sizeof(*head)},
                             {(void *)(uintptr_t)payload, n}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = n ? 2 : 1};
    if (n > WIRE_MESSAGE_MAX - sizeof(*head) || n_fds > WIRE_FDS_MAX)
        return -EMSGSIZE;
    if (n_fds > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
    }
    ssize_t sent;
    do
        sent = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    return errno == ECONNRESET ? -EPIPE : errno == EWOULDBLOCK ? -EAGAIN : -errno;
}

/* All descriptors of M into FDS; those beyond its room are closed, and it is false. */
static bool take_fds(struct msghdr *m, int fds[WIRE_FDS_MAX], size_t *ret_n)
{
    bool fits = true;
    *ret_n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (*ret_n < WIRE_FDS_MAX) {
                fds[(*ret_n)++] = got;
            } else {
                fd_close(got);
                fits = false;
            }
        }
    }
    return fits;
}

int wire_recv(int fd, char *buf, struct wire_head *ret, struct bytes *ret_payload,
              int fds[WIRE_FDS_MAX], size_t *ret_n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
    } control;
    struct iovec part = {buf, WIRE_MESSAGE_MAX};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    struct wire_head head;
    ssize_t n;
    *ret_n_fds = 0;
    do
        n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : errno == EWOULDBLOCK ? -EAGAIN : -errno;
    bool whole = take_fds(&m, fds, ret_n_fds) && !(m.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
    if (n == 0 && whole && *ret_n_fds == 0)
        return -EPIPE;
    if (whole && (size_t)n >= sizeof(head)) {
        memcpy(&head, buf, sizeof(head));
        whole = head.version == WIRE_VERSION && head.kind >= WIRE_START && head.kind <= WIRE_FINISH;
    } else {
        whole = false;
    }
    if (!whole) {
        for (size_t i = 0; i < *ret_n_fds; i++)
            fd_close(fds[i]);
        *ret_n_fds = 0;
        return -EBADMSG;
    }
    *ret = head;
    *ret_payload = (struct bytes){buf + sizeof(head), (size_t)n - sizeof(head)};
    return 0;
}
