/*
 * Reading the proxy variables. See proxy_upstream.h.
 *
 * The spelling in lower case counts before the other. HTTP_PROXY in upper case is not read where
 * REQUEST_METHOD is set: a CGI program's environment has a client's `Proxy:` header there. An empty
 * variable is none. What names a proxy that bawn cannot go through is an error: going straight
 * would be another way than the one that was asked for.
 */
#include "cli/proxy_upstream.h"

#include "base/str.h"

#include <errno.h>
#include <stdlib.h>

static const char *variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

static const char *either(const char *lower, const char *upper)
{
    const char *v = variable(lower);
    return v ? v : variable(upper);
}

/* With a scheme; *RET stays NULL without a variable. */
static int read_url(struct arena *a, const char *name, const char *v, const char **ret,
                    struct error *err)
{
    static const char *const known[] = {"http://", "https://", "socks5://", "socks5h://"};
    if (!v)
        return 0;
    const char *sign = strstr(v, "://");
    for (size_t i = 0; sign && i < ARRAY_LEN(known); i++)
        if (str_starts(v, known[i])) {
            *ret = v;
            return 0;
        }
    if (!sign) {
        *ret = arena_printf(a, "http://%s", v);
        return *ret ? 0 : error_errno(err, -ENOMEM, "cannot read %s", name);
    }
    (void)error_set(err, -EINVAL, "%s names a proxy that bawn cannot go through: %s", name,
                    show_n(v, (size_t)(sign - v)));
    error_hint(err, "http, https, socks5 or socks5h; allow_upstream_proxy = false in the profile's "
                    "network table goes straight");
    return -EINVAL;
}

int upstream_read(struct arena *a, struct wire_settings *s, struct error *err)
{
    const char *http = variable("http_proxy");
    if (!http && !getenv("REQUEST_METHOD"))
        http = variable("HTTP_PROXY");
    int r = read_url(a, "HTTP_PROXY", http, &s->upstream_http, err);
    if (r == 0)
        r = read_url(a, "HTTPS_PROXY", either("https_proxy", "HTTPS_PROXY"), &s->upstream_https,
                     err);
    if (r == 0)
        r = read_url(a, "ALL_PROXY", either("all_proxy", "ALL_PROXY"), &s->upstream_all, err);
    s->no_upstream = either("no_proxy", "NO_PROXY");
    return r;
}

bool upstream_over_tls(const struct wire_settings *s)
{
    const char *const urls[] = {s->upstream_http, s->upstream_https, s->upstream_all};
    for (size_t i = 0; i < ARRAY_LEN(urls); i++)
        if (urls[i] && str_starts(urls[i], "https://"))
            return true;
    return false;
}

static void put(struct strbuf *out, const char *what, const char *url)
{
    if (!url)
        return;
    const char *host = strstr(url, "://") + 3, *slash = strchr(host, '/');
    size_t n = slash ? (size_t)(slash - host) : strlen(host);
    const char *at = memrchr(host, '@', n);
    strbuf_printf(out, "%s%s through ", out->n ? ", " : "", what);
    strbuf_put_printable(out, url, (size_t)(host - url));
    if (at) {
        n -= (size_t)(at + 1 - host);
        host = at + 1;
    }
    strbuf_put_printable(out, host, n);
}

const char *upstream_words(struct arena *a, const struct wire_settings *s)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    put(&out, "http", s->upstream_http);
    put(&out, "https", s->upstream_https);
    put(&out, "all else", s->upstream_all);
    if (out.n == 0)
        return NULL;
    if (s->no_upstream) {
        strbuf_puts(&out, "; straight to ");
        strbuf_put_printable(&out, s->no_upstream, strlen(s->no_upstream));
    }
    return strbuf_failed(&out) ? NULL : arena_strdup(a, out.p);
}
