/* Rules for requests, held. See requests.h; their tables are read in requests_config.c. */
#include "network/requests.h"

#include "base/pack.h"

#include <errno.h>

bool method_is_reading(struct bytes method)
{
    return bytes_is(method, "GET") || bytes_is(method, "HEAD") || bytes_is(method, "OPTIONS");
}

/* ---- paths ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool is_unreserved(unsigned c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* A segment without what follows a ";", which some servers drop before they look at dots. */
static const char *check_segment(const char *p, size_t n, bool last)
{
    const char *semicolon = n ? memchr(p, ';', n) : NULL;
    size_t name = semicolon ? (size_t)(semicolon - p) : n;
    if (n == 0)
        return last ? NULL : "the path has an empty segment (\"//\")";
    if ((name == 1 && p[0] == '.') || (name == 2 && p[0] == '.' && p[1] == '.'))
        return "the path has a segment \".\" or \"..\"";
    return NULL;
}

static const char *check_segments(const char *p, size_t n)
{
    size_t at = 1; /* behind the first slash */
    for (;;) {
        const char *slash = at < n ? memchr(p + at, '/', n - at) : NULL;
        size_t end = slash ? (size_t)(slash - p) : n;
        const char *problem = check_segment(p + at, end - at, !slash);
        if (problem || !slash)
            return problem;
        at = end + 1;
    }
}

/* One escape at P (N bytes left). */
static const char *take_escape(const char *p, size_t n, unsigned *ret)
{
    int high = n > 2 ? hex(p[1]) : -1, low = n > 2 ? hex(p[2]) : -1;
    if (high < 0 || low < 0)
        return "the path has a % that is no escape";
    *ret = (unsigned)high * 16 + (unsigned)low;
    if (*ret == 0)
        return "the path has a NUL in it (%00)";
    if (*ret == '/' || *ret == '\\')
        return "the path has an encoded slash or backslash";
    return NULL;
}

const char *request_path(struct bytes target, char *buf, size_t cap, size_t *ret_n)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *query = target.n ? memchr(target.p, '?', target.n) : NULL, *problem;
    size_t n = query ? (size_t)(query - target.p) : target.n, to = 0;
    if (n == 0 && cap > 0) {
        buf[0] = '/';
        *ret_n = 1;
        return NULL;
    }
    if (n > cap)
        return "the path is too long";
    if (target.p[0] != '/' && !(n == 1 && target.p[0] == '*'))
        return "the path does not begin with a slash";
    for (size_t i = 0; i < n; i++) {
        unsigned c = (unsigned char)target.p[i];
        if (c <= ' ' || c >= 0x7f)
            return "the path has a byte that no path has";
        if (c == '\\')
            return "the path has a backslash";
        if (c != '%') {
            buf[to++] = (char)c;
            continue;
        }
        problem = take_escape(target.p + i, n - i, &c);
        if (problem)
            return problem;
        i += 2;
        if (is_unreserved(c)) {
            buf[to++] = (char)c;
        } else {
            buf[to++] = '%';
            buf[to++] = digits[c / 16];
            buf[to++] = digits[c % 16];
        }
    }
    *ret_n = to;
    return buf[0] == '/' ? check_segments(buf, to) : NULL;
}

/* ---- globs ---- */

/* The glob is walked as an automaton that is in several states at once: state I is "the first I
 * bytes are matched". A star keeps its state, and lets the next begin. */
struct states {
    uint8_t in[MAX_REQUEST_GLOB + 1];
};

/* States that follow without a byte: behind a star. */
static void enter(const char *glob, size_t n, struct states *s, size_t i)
{
    for (;;) {
        s->in[i] = 1;
        if (i >= n || glob[i] != '*')
            return;
        i += i + 1 < n && glob[i + 1] == '*' ? 2 : 1;
    }
}

/* The states that I leads to with C. */
static void step(const char *glob, size_t n, size_t i, char c, struct states *next)
{
    if (i >= n)
        return;
    if (glob[i] == '*') {
        bool two = i + 1 < n && glob[i + 1] == '*';
        if (two || c != '/')
            enter(glob, n, next, i);
    } else if (glob[i] == c || (glob[i] == '?' && c != '/')) {
        enter(glob, n, next, i + 1);
    }
}

bool request_glob(const char *glob, struct bytes path)
{
    struct states now = {0}, next;
    size_t n = strnlen(glob, MAX_REQUEST_GLOB);
    enter(glob, n, &now, 0);
    for (size_t at = 0; at < path.n; at++) {
        memset(next.in, 0, n + 1);
        for (size_t i = 0; i < n; i++)
            if (now.in[i])
                step(glob, n, i, path.p[at], &next);
        memcpy(now.in, next.in, n + 1);
    }
    return now.in[n] != 0;
}

/* ---- decisions ---- */

static bool has_method(const struct request_rule *rule, struct bytes method)
{
    for (size_t i = 0; i < rule->n_methods; i++)
        if (bytes_is(method, rule->methods[i]))
            return true;
    return rule->n_methods == 0;
}

bool requests_name(const struct netrequests *r, const struct host *host, uint16_t port)
{
    for (size_t i = 0; i < r->n; i++)
        if (netpattern_matches(&r->rules[i].host, host, port))
            return true;
    return false;
}

static const struct netrule *first_match(const struct netrequests *r, const struct host *host,
                                         uint16_t port, struct bytes method, struct bytes path)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct request_rule *rule = &r->rules[i];
        if (netpattern_matches(&rule->host, host, port) && has_method(rule, method) &&
            (!rule->path || request_glob(rule->path, path)))
            return &r->places[i];
    }
    return NULL;
}

void requests_decide(const struct netrequests *r, const struct host *host, uint16_t port,
                     struct bytes method, struct bytes target, struct requests_answer *ret)
{
    char path[16384];
    size_t n = 0;
    *ret = (struct requests_answer){.decision = NET_ALLOW, .reason = REQUESTS_NO_RULES};
    if (!requests_name(r, host, port))
        return;
    ret->decision = NET_DENY;
    ret->text = request_path(target, path, sizeof(path), &n);
    if (ret->text) {
        ret->reason = REQUESTS_BAD_PATH;
        return;
    }
    ret->rule = first_match(r, host, port, method, (struct bytes){path, n});
    if (!ret->rule) {
        ret->reason = REQUESTS_NOT_NAMED;
        ret->text = "no rule for requests to this host names this method and path";
        return;
    }
    ret->decision = ret->rule->decision;
    ret->reason = ret->decision == NET_ALLOW ? REQUESTS_ALLOWED : REQUESTS_DENIED;
    if (ret->decision == NET_DENY)
        ret->text = "a rule for requests denies it";
}

/* ---- from one process to another ---- */

void requests_write(const struct netrequests *r, struct strbuf *out)
{
    char buf[NETPATTERN_TEXT_MAX];
    pack_u32(out, (uint32_t)r->n);
    for (size_t i = 0; i < r->n; i++) {
        const struct request_rule *rule = &r->rules[i];
        const struct netrule *at = &r->places[i];
        pack_text(out, netpattern_ascii(at->pattern, &rule->host, buf));
        pack_text(out, rule->path);
        pack_u32(out, at->decision);
        pack_u32(out, (uint32_t)rule->n_methods);
        for (size_t k = 0; k < rule->n_methods; k++)
            pack_text(out, rule->methods[k]);
        pack_text(out, at->layer);
        pack_text(out, at->file);
        pack_u32(out, at->line);
        pack_u32(out, at->column);
    }
}

static int read_methods(struct arena *a, struct unpack *u, struct request_rule *rule)
{
    rule->n_methods = unpack_count(u, MAX_REQUEST_METHODS, 5);
    const char **methods = arena_zalloc(a, rule->n_methods + 1, sizeof(*methods));
    if (!methods)
        return -ENOMEM;
    for (size_t i = 0; i < rule->n_methods; i++)
        methods[i] = unpack_some(u);
    rule->methods = methods;
    return 0;
}

static int read_rule(struct arena *a, struct unpack *u, struct request_rule *rule,
                     struct netrule *at)
{
    at->pattern = unpack_some(u);
    rule->path = unpack_text(u);
    at->decision = (enum net_decision)unpack_word(u, NET_DENY);
    if (read_methods(a, u, rule) < 0)
        return -ENOMEM;
    at->layer = unpack_text(u);
    at->file = unpack_text(u);
    at->line = unpack_u32(u);
    at->column = unpack_u32(u);
    u->bad = u->bad || (at->decision != NET_ALLOW && at->decision != NET_DENY) ||
             (rule->path && strlen(rule->path) > MAX_REQUEST_GLOB) ||
             netpattern_parse(bytes_of(at->pattern), &rule->host, NULL) < 0;
    return 0;
}

int requests_read(struct arena *a, struct bytes *text, struct netrequests *ret, struct error *err)
{
    struct unpack u = {.left = *text};
    size_t n = unpack_count(&u, MAX_REQUEST_RULES, 36);
    struct request_rule *rules = arena_zalloc(a, n + 1, sizeof(*rules));
    struct netrule *places = arena_zalloc(a, n + 1, sizeof(*places));
    if (!rules || !places)
        return error_errno(err, -ENOMEM, "cannot read the rules for requests");
    for (size_t i = 0; i < n && !u.bad; i++) {
        places[i].id = (uint32_t)i;
        if (read_rule(a, &u, &rules[i], &places[i]) < 0)
            return error_errno(err, -ENOMEM, "cannot read the rules for requests");
    }
    if (u.bad)
        return error_set(err, -EINVAL, "the rules for requests are damaged");
    *text = u.left;
    *ret = (struct netrequests){rules, places, n};
    return 0;
}
