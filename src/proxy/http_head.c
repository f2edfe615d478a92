/*
 * Reading the heads of HTTP/1 messages. See http_head.h.
 *
 * A head is read line by line, from the beginning on each call. A line is found with one search for
 * LF, looked through for controls eight bytes at a time, and only then taken apart; the parts are
 * views of it. What the proxy itself acts on (Host, the lengths, Connection, Upgrade, Expect) is
 * recognised as it passes (`known`), everything else only has to be a field.
 *
 * The first thing that is wrong ends it, and a head that is not whole is refused as soon as what is
 * there is wrong. Nothing is repaired: a repaired message is one that somebody else reads another
 * way.
 */
#include "proxy/http_head.h"

#include <stddef.h>

/* ---- problems ---- */

static const struct {
    const char *word, *text;
    unsigned status; /* 0: 400 */
} problems[] = {
    [HTTP_FINE] = {"fine", "nothing is wrong with it", 200},
    [HTTP_MORE] = {"incomplete", "it ends before the blank line"},
    [HTTP_LINE_LONG] = {"line-long", "the request line is longer than 16 KiB", 414},
    [HTTP_HEAD_LONG] = {"head-long", "the head is longer than 64 KiB", 431},
    [HTTP_MANY_FIELDS] = {"many-fields", "there are more than 128 fields, or names in Connection",
                          431},
    [HTTP_BARE_LF] = {"bare-lf", "a line ends in LF without CR"},
    [HTTP_BARE_CR] = {"bare-cr", "a CR is not followed by LF"},
    [HTTP_NUL] = {"nul", "there is a NUL in it"},
    [HTTP_CONTROL] = {"control", "there is a control character in it"},
    [HTTP_START_LINE] = {"start-line", "the first line is no request line"},
    [HTTP_METHOD] = {"method", "the method is no token, or longer than 23 bytes"},
    [HTTP_VERSION] = {"version", "the version is not HTTP/1.0 or HTTP/1.1", 505},
    [HTTP_TARGET] = {"target", "the target is in no form that a proxy is asked in"},
    [HTTP_SCHEME] = {"scheme", "the scheme is not http, https, ws or wss"},
    [HTTP_NAME] = {"name", "the name of a field is no token"},
    [HTTP_NO_COLON] = {"no-colon", "a field has no colon"},
    [HTTP_FOLD] = {"fold", "a line begins with space or tab"},
    [HTTP_HOST_MISSING] = {"host-missing", "there is no Host"},
    [HTTP_HOST_TWICE] = {"host-twice", "there is more than one Host"},
    [HTTP_HOST_BAD] = {"host-bad", "Host is no host"},
    [HTTP_HOST_OTHER] = {"host-other", "Host is not that of the target"},
    [HTTP_LENGTH_TWICE] = {"length-twice", "there is more than one Content-Length"},
    [HTTP_LENGTH_BAD] = {"length-bad", "Content-Length is no number"},
    [HTTP_CODING_TWICE] = {"coding-twice", "there is more than one Transfer-Encoding"},
    [HTTP_CODING_BAD] = {"coding-bad", "Transfer-Encoding is not \"chunked\" alone", 501},
    [HTTP_CODING_OLD] = {"coding-old", "there is a Transfer-Encoding in HTTP/1.0"},
    [HTTP_BOTH] = {"both", "there are both Content-Length and Transfer-Encoding"},
    [HTTP_STATUS] = {"status", "the first line is no status line"},
};

const char *http_problem_word(enum http_problem p)
{
    assert((size_t)p < ARRAY_LEN(problems));
    return problems[p].word;
}

const char *http_problem_text(enum http_problem p)
{
    assert((size_t)p < ARRAY_LEN(problems));
    return problems[p].text;
}

unsigned http_problem_status(enum http_problem p)
{
    assert((size_t)p < ARRAY_LEN(problems));
    return problems[p].status ? problems[p].status : 400;
}

/* ---- characters ---- */

/* Sets of ASCII as bits: [0] up to 0x3f, [1] above. */
struct ascii_set {
    uint64_t bits[2];
};
#define BIT(c)        (UINT64_C(1) << ((c)&63))
#define RANGE(lo, hi) ((BIT(hi) - BIT(lo)) | BIT(hi))

/* RFC 9110, 5.6.2: letters, digits and !#$%&'*+-.^_`|~ */
static const struct ascii_set token_set = {
    {RANGE('0', '9') | BIT('!') | RANGE('#', '\'') | BIT('*') | BIT('+') | BIT('-') | BIT('.'),
     RANGE('A', 'Z') | RANGE('^', 'z') | BIT('|') | BIT('~')}};
/* What is printed, without "#<>\^`{|} */
static const struct ascii_set target_set = {
    {RANGE('!', '?') & ~(BIT('"') | BIT('#') | BIT('<') | BIT('>')),
     RANGE('@', '~') & ~(BIT('\\') | BIT('^') | BIT('`') | RANGE('{', '}'))}};
/* RFC 3986, 3.1 */
static const struct ascii_set scheme_set = {
    {RANGE('0', '9') | BIT('+') | BIT('-') | BIT('.'), RANGE('A', 'Z') | RANGE('a', 'z')}};

static bool has(const struct ascii_set *set, char c)
{
    unsigned char u = (unsigned char)c;
    return u < 128 && (set->bits[u >> 6] >> (u & 63) & 1) != 0;
}

static bool all_of(const struct ascii_set *set, struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (!has(set, b.p[i]))
            return false;
    return b.n > 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool same_word(struct bytes a, struct bytes b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

static struct bytes trim(struct bytes b)
{
    while (b.n > 0 && is_space(b.p[0])) {
        b.p++;
        b.n--;
    }
    while (b.n > 0 && is_space(b.p[b.n - 1]))
        b.n--;
    return b;
}

/* Where C is in B; b.n when it is not. */
static size_t find(struct bytes b, char c)
{
    const char *at = b.n ? memchr(b.p, c, b.n) : NULL;
    return at ? (size_t)(at - b.p) : b.n;
}

/* ---- lines ---- */

static enum http_problem check_byte(char c)
{
    if (c == '\0')
        return HTTP_NUL;
    if (c == '\r')
        return HTTP_BARE_CR;
    if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
        return HTTP_CONTROL;
    return HTTP_FINE;
}

/* Is there a byte below 0x20, or a 0x7f, among these eight? (Tab, too; the caller looks closer.) */
static bool eight_have_control(const char *p)
{
    const uint64_t ones = ~UINT64_C(0) / 255, tops = ones << 7;
    uint64_t w, del;
    memcpy(&w, p, sizeof(w));
    del = w ^ (ones * 0x7f);
    return (((w - ones * 0x20) & ~w & tops) | ((del - ones) & ~del & tops)) != 0;
}

static enum http_problem check_bytes(struct bytes b)
{
    size_t i = 0;
    while (i < b.n) {
        if (b.n - i >= 8 && !eight_have_control(b.p + i)) {
            i += 8;
            continue;
        }
        for (size_t end = MIN_OF(i + 8, b.n); i < end; i++) {
            enum http_problem p = check_byte(b.p[i]);
            if (p != HTTP_FINE)
                return p;
        }
    }
    return HTTP_FINE;
}

/* The line at *at, without its end; *at moves behind it. HTTP_MORE when its end is not there. */
static enum http_problem next_line(struct bytes text, size_t *at, struct bytes *ret)
{
    struct bytes rest = {text.p + *at, text.n - *at};
    size_t end = find(rest, '\n');
    bool cr = end > 0 && rest.p[end - 1] == '\r';
    struct bytes line = {rest.p, end - (cr ? 1 : 0)};
    enum http_problem p = check_bytes(line);
    if (p != HTTP_FINE)
        return p;
    if (end == rest.n)
        return HTTP_MORE;
    if (!cr)
        return HTTP_BARE_LF;
    *at += end + 1;
    *ret = line;
    return HTTP_FINE;
}

/* ---- one head as it is read ---- */

struct reading {
    struct http_head *h;
    bool response;
    bool close, keep, upgrade; /* what Connection names */
    size_t named;              /* how much that is, empty elements too */
    unsigned upgrades;         /* fields of that name */
    struct host host;          /* of an absolute target or CONNECT */
    uint16_t port;
};

/* Begins with H empty: all but the fields, which n_fields speaks for. */
static void begin(struct reading *r, struct http_head *h, bool response)
{
    r->h = h;
    r->response = response;
    r->close = r->keep = r->upgrade = false;
    r->named = 0;
    r->upgrades = 0;
    h->n = 0;
    h->minor = 0;
    memset((char *)h + offsetof(struct http_head, n_fields), 0,
           sizeof(*h) - offsetof(struct http_head, n_fields));
}

/* The next element of a comma-separated list; false behind the last. Empty ones are passed over. */
static bool next_element(struct bytes *list, struct bytes *ret)
{
    while (list->n > 0) {
        size_t comma = find(*list, ',');
        struct bytes element = trim((struct bytes){list->p, comma});
        size_t used = MIN_OF(comma + 1, list->n);
        *list = (struct bytes){list->p + used, list->n - used};
        if (element.n > 0) {
            *ret = element;
            return true;
        }
    }
    return false;
}

static bool list_has(struct bytes list, struct bytes word)
{
    for (struct bytes element; next_element(&list, &element);)
        if (same_word(element, word))
            return true;
    return false;
}

static enum http_problem read_host(struct reading *r, struct bytes value)
{
    if (r->response)
        return HTTP_FINE;
    if (r->h->host.p)
        return HTTP_HOST_TWICE;
    r->h->host = value;
    return HTTP_FINE;
}

static enum http_problem read_expect(struct reading *r, struct bytes value)
{
    /* RFC 9110, 10.1.1: in HTTP/1.0 it does not count. */
    if (!r->response && r->h->minor > 0)
        r->h->expect_continue |= same_word(value, BYTES("100-continue"));
    return HTTP_FINE;
}

static enum http_problem read_upgrade(struct reading *r, struct bytes value)
{
    r->upgrades++;
    r->h->upgrade_to = value;
    return HTTP_FINE;
}

static enum http_problem read_connection(struct reading *r, struct bytes value)
{
    for (struct bytes rest = value; rest.n > 0;) {
        size_t used = MIN_OF(find(rest, ',') + 1, rest.n);
        rest = (struct bytes){rest.p + used, rest.n - used};
        /* Each field will be looked for in this list: it must not be a long one. */
        if (++r->named > LIMIT_FIELDS)
            return HTTP_MANY_FIELDS;
    }
    for (struct bytes element; next_element(&value, &element);) {
        r->close |= same_word(element, BYTES("close"));
        r->keep |= same_word(element, BYTES("keep-alive"));
        r->upgrade |= same_word(element, BYTES("upgrade"));
    }
    return HTTP_FINE;
}

static enum http_problem read_length(struct reading *r, struct bytes value)
{
    uint64_t n = 0;
    if (r->h->has_length || find(value, ',') < value.n)
        return HTTP_LENGTH_TWICE;
    for (size_t i = 0; i < value.n; i++) {
        if (!is_digit(value.p[i]) || n > (uint64_t)INT64_MAX / 10)
            return HTTP_LENGTH_BAD;
        n = n * 10 + (uint64_t)(value.p[i] - '0');
        if (n > INT64_MAX)
            return HTTP_LENGTH_BAD;
    }
    if (value.n == 0)
        return HTTP_LENGTH_BAD;
    r->h->has_length = true;
    r->h->length = n;
    return HTTP_FINE;
}

static enum http_problem read_coding(struct reading *r, struct bytes value)
{
    if (r->h->chunked)
        return HTTP_CODING_TWICE;
    if (r->h->minor == 0)
        return HTTP_CODING_OLD;
    if (!same_word(value, BYTES("chunked")))
        return HTTP_CODING_BAD;
    r->h->chunked = true;
    return HTTP_FINE;
}

#define KNOWN(name, read)                                                                          \
    {                                                                                              \
        {name, sizeof(name) - 1}, read                                                             \
    }
static const struct {
    struct bytes name;
    enum http_problem (*read)(struct reading *r, struct bytes value);
} known[] = {
    KNOWN("host", read_host),
    KNOWN("expect", read_expect),
    KNOWN("upgrade", read_upgrade),
    KNOWN("connection", read_connection),
    KNOWN("content-length", read_length),
    KNOWN("transfer-encoding", read_coding),
};

static enum http_problem read_field(struct reading *r, struct bytes line)
{
    struct http_head *h = r->h;
    size_t colon = find(line, ':');
    struct bytes name = {line.p, colon};
    if (is_space(line.p[0]))
        return HTTP_FOLD;
    if (colon == line.n)
        return HTTP_NO_COLON;
    if (!all_of(&token_set, name))
        return HTTP_NAME;
    if (h->n_fields == LIMIT_FIELDS)
        return HTTP_MANY_FIELDS;
    struct bytes value = trim((struct bytes){line.p + colon + 1, line.n - colon - 1});
    h->fields[h->n_fields++] = (struct http_field){name, value};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (same_word(name, known[i].name))
            return known[i].read(r, value);
    return HTTP_FINE;
}

/* Everything behind the first line, with what follows from the fields alone. */
static enum http_problem read_fields(struct reading *r, struct bytes text, size_t at)
{
    struct http_head *h = r->h;
    struct bytes line;
    for (;;) {
        enum http_problem p = next_line(text, &at, &line);
        if (p == HTTP_FINE && line.n == 0)
            break;
        if (p == HTTP_FINE)
            p = read_field(r, line);
        if (p != HTTP_FINE)
            return p;
    }
    if (h->has_length && h->chunked)
        return HTTP_BOTH;
    h->n = at;
    h->keep_alive = !r->close && (h->minor > 0 || r->keep);
    /* RFC 9110, 7.8: in HTTP/1.0 it does not count. */
    h->upgrade = r->upgrade && r->upgrades == 1 && h->minor > 0;
    return HTTP_FINE;
}

/* "HTTP/1.0" or "HTTP/1.1". OTHER when it is nothing of the kind. */
static enum http_problem read_version(struct bytes b, enum http_problem other, unsigned *ret)
{
    static const char prefix[] = "HTTP/";
    const size_t n = sizeof(prefix) - 1;
    if (b.n <= n || memcmp(b.p, prefix, n) != 0)
        return other;
    for (size_t i = n; i < b.n; i++)
        if (!is_digit(b.p[i]) && b.p[i] != '.')
            return other;
    bool ours = b.n == n + 3 && b.p[n] == '1' && b.p[n + 1] == '.' &&
                (b.p[n + 2] == '0' || b.p[n + 2] == '1');
    if (!ours)
        return HTTP_VERSION;
    *ret = (unsigned)(b.p[n + 2] - '0');
    return HTTP_FINE;
}

/* ---- requests ---- */

static const struct {
    struct bytes name;
    uint16_t port;
} schemes[] = {
    {{"http", 4}, 80},
    {{"https", 5}, 443},
    {{"ws", 2}, 80},
    {{"wss", 3}, 443},
};

/* The port that SCHEME stands for; 0: it is none of ours. */
static uint16_t scheme_port(struct bytes scheme)
{
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (same_word(scheme, schemes[i].name))
            return schemes[i].port;
    return 0;
}

/* SCHEME "://" AUTHORITY PATH. user:password@ falls at host_parse_port(), which takes no '@'. */
static enum http_problem read_absolute(struct reading *r)
{
    struct http_head *h = r->h;
    struct bytes t = h->target;
    size_t colon = find(t, ':');
    struct bytes scheme = {t.p, colon};
    if (!all_of(&scheme_set, scheme) || is_digit(t.p[0]) || t.n - colon < 3 ||
        memcmp(t.p + colon, "://", 3) != 0)
        return HTTP_TARGET;
    uint16_t port = scheme_port(scheme);
    if (port == 0)
        return HTTP_SCHEME;
    struct bytes rest = {t.p + colon + 3, t.n - colon - 3};
    size_t slash = find(rest, '/'), query = find(rest, '?'), end = MIN_OF(slash, query);
    h->form = TARGET_ABSOLUTE;
    h->scheme = scheme;
    h->authority = (struct bytes){rest.p, end};
    h->path = (struct bytes){rest.p + end, rest.n - end};
    return host_parse_port(h->authority, port, &r->host, &r->port) == HOST_FINE ? HTTP_FINE
                                                                                : HTTP_TARGET;
}

static enum http_problem read_target(struct reading *r)
{
    struct http_head *h = r->h;
    if (!all_of(&target_set, h->target))
        return HTTP_TARGET;
    if (bytes_is(h->method, "CONNECT")) {
        h->form = TARGET_AUTHORITY;
        h->authority = h->target;
        return host_parse_port(h->target, 0, &r->host, &r->port) == HOST_FINE ? HTTP_FINE
                                                                              : HTTP_TARGET;
    }
    if (h->target.p[0] == '/') {
        h->form = TARGET_ORIGIN;
        return HTTP_FINE;
    }
    if (bytes_is(h->target, "*")) {
        h->form = TARGET_ASTERISK;
        return bytes_is(h->method, "OPTIONS") ? HTTP_FINE : HTTP_TARGET;
    }
    return read_absolute(r);
}

#define METHOD_MAX 23

/* METHOD SP TARGET SP VERSION, with one space each. */
static enum http_problem read_request_line(struct reading *r, struct bytes line)
{
    struct http_head *h = r->h;
    size_t first = find(line, ' ');
    if (find(line, '\t') < line.n)
        return HTTP_CONTROL;
    if (first == line.n)
        return HTTP_START_LINE;
    struct bytes rest = {line.p + first + 1, line.n - first - 1};
    size_t second = find(rest, ' ');
    h->method = (struct bytes){line.p, first};
    if (first > METHOD_MAX || !all_of(&token_set, h->method))
        return HTTP_METHOD;
    if (second == rest.n || second == 0)
        return HTTP_START_LINE;
    h->target = (struct bytes){rest.p, second};
    struct bytes version = {rest.p + second + 1, rest.n - second - 1};
    enum http_problem p = read_version(version, HTTP_START_LINE, &h->minor);
    return p == HTTP_FINE ? read_target(r) : p;
}

/* The line of a request, an empty one before it passed over. */
static enum http_problem first_line(struct bytes text, size_t *at, struct bytes *ret)
{
    if (text.n >= 2 && memcmp(text.p, "\r\n", 2) == 0)
        *at = 2;
    struct bytes part = {text.p, MIN_OF(text.n, *at + LIMIT_REQUEST_LINE)};
    enum http_problem p = next_line(part, at, ret);
    return p == HTTP_MORE && part.n - *at >= LIMIT_REQUEST_LINE ? HTTP_LINE_LONG : p;
}

/* Is Host there where it must be, well-formed, and that of the target? */
static enum http_problem check_host(const struct reading *r)
{
    const struct http_head *h = r->h;
    bool own = h->form == TARGET_ORIGIN || h->form == TARGET_ASTERISK;
    struct host host;
    uint16_t port, otherwise = 80;
    if (!h->host.p)
        return h->minor > 0 ? HTTP_HOST_MISSING : HTTP_FINE;
    if (h->form == TARGET_ABSOLUTE)
        otherwise = scheme_port(h->scheme);
    else if (h->form == TARGET_AUTHORITY)
        otherwise = r->port;
    if (!own && bytes_eq(h->host, h->authority))
        return HTTP_FINE;
    if (host_parse_port(h->host, otherwise, &host, &port) != HOST_FINE)
        return HTTP_HOST_BAD;
    if (own)
        return HTTP_FINE;
    bool same = port == r->port && host.kind == r->host.kind && host.n == r->host.n &&
                memcmp(host.name, r->host.name, host.n) == 0;
    return same ? HTTP_FINE : HTTP_HOST_OTHER;
}

/* Not more than a head may have; *ret_cut: there is that much. */
static struct bytes clip(struct bytes text, bool *ret_cut)
{
    *ret_cut = text.n >= LIMIT_HEAD;
    return (struct bytes){text.n ? text.p : "", MIN_OF(text.n, (size_t)LIMIT_HEAD)};
}

enum http_problem http_request_parse(struct bytes text, struct http_head *ret)
{
    struct reading r;
    struct bytes line;
    size_t at = 0;
    bool cut;
    begin(&r, ret, false);
    text = clip(text, &cut);
    enum http_problem p = first_line(text, &at, &line);
    if (p == HTTP_FINE)
        p = read_request_line(&r, line);
    if (p == HTTP_FINE)
        p = read_fields(&r, text, at);
    if (p == HTTP_FINE)
        p = check_host(&r);
    if (p == HTTP_MORE && cut)
        return HTTP_HEAD_LONG;
    ret->framing = ret->chunked ? FRAME_CHUNKED : ret->has_length ? FRAME_LENGTH : FRAME_NONE;
    return p;
}

/* ---- responses ---- */

/* VERSION SP STATUS [SP REASON]: the second space is often left out where there is no reason. */
static enum http_problem read_status_line(struct http_head *h, struct bytes line)
{
    size_t space = find(line, ' ');
    enum http_problem p = read_version((struct bytes){line.p, space}, HTTP_STATUS, &h->minor);
    if (p != HTTP_FINE)
        return p;
    if (line.n - space < 4 || (line.n - space > 4 && line.p[space + 4] != ' '))
        return HTTP_STATUS;
    for (size_t i = space + 1; i < space + 4; i++) {
        if (!is_digit(line.p[i]))
            return HTTP_STATUS;
        h->status = h->status * 10 + (unsigned)(line.p[i] - '0');
    }
    size_t from = MIN_OF(space + 5, line.n);
    h->reason = (struct bytes){line.p + from, line.n - from};
    return h->status >= 100 && h->status <= 599 ? HTTP_FINE : HTTP_STATUS;
}

enum http_problem http_response_parse(struct bytes text, struct http_head *ret)
{
    struct reading r;
    struct bytes line;
    size_t at = 0;
    bool cut;
    begin(&r, ret, true);
    text = clip(text, &cut);
    enum http_problem p = next_line(text, &at, &line);
    if (p == HTTP_FINE)
        p = read_status_line(ret, line);
    if (p == HTTP_FINE)
        p = read_fields(&r, text, at);
    return p == HTTP_MORE && cut ? HTTP_HEAD_LONG : p;
}

void http_response_framing(struct http_head *head, struct bytes method)
{
    unsigned s = head->status;
    bool none = s < 200 || s == 204 || s == 304 || bytes_is(method, "HEAD") ||
                (s < 300 && bytes_is(method, "CONNECT"));
    if (none)
        head->framing = FRAME_NONE;
    else if (head->chunked)
        head->framing = FRAME_CHUNKED;
    else
        head->framing = head->has_length ? FRAME_LENGTH : FRAME_CLOSE;
    if (head->framing != FRAME_LENGTH)
        head->length = 0;
    if (head->framing == FRAME_CLOSE)
        head->keep_alive = false;
}

/* ---- fields ---- */

const struct http_field *http_field(const struct http_head *h, const char *name)
{
    struct bytes want = bytes_of(name);
    for (size_t i = 0; i < h->n_fields; i++)
        if (same_word(h->fields[i].name, want))
            return &h->fields[i];
    return NULL;
}

bool http_list_has(const struct http_head *h, const char *name, struct bytes word)
{
    struct bytes want = bytes_of(name);
    for (size_t i = 0; i < h->n_fields; i++)
        if (same_word(h->fields[i].name, want) && list_has(h->fields[i].value, word))
            return true;
    return false;
}

/* Those that are for one connection whatever Connection says (RFC 9110, 7.6.1), and those that
 * never are. */
static const struct bytes hop_names[] = {
    {"te", 2},
    {"trailer", 7},
    {"upgrade", 7},
    {"connection", 10},
    {"keep-alive", 10},
    {"http2-settings", 14},
    {"proxy-connection", 16},
    {"transfer-encoding", 17},
    {"proxy-authenticate", 18},
    {"proxy-authorization", 19},
};
static const struct bytes end_names[] = {
    {"host", 4},
    {"content-length", 14},
};

bool http_field_is_hop(const struct http_head *h, size_t i)
{
    assert(i < h->n_fields);
    struct bytes name = h->fields[i].name;
    for (size_t k = 0; k < ARRAY_LEN(hop_names); k++)
        if (same_word(name, hop_names[k]))
            return true;
    for (size_t k = 0; k < ARRAY_LEN(end_names); k++)
        if (same_word(name, end_names[k]))
            return false;
    return http_list_has(h, "connection", name);
}

/* ---- statuses ---- */

const char *http_status_text(unsigned status)
{
    static const struct {
        unsigned status;
        const char *text;
    } texts[] = {
        {100, "Continue"},
        {103, "Early Hints"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {414, "URI Too Long"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].status == status)
            return texts[i].text;
    return "Error";
}
