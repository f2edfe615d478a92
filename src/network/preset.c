/* Presets: what was found, and the lines that come of it. See preset.h. */
#include "network/preset.h"

#include "config/keys.h"
#include "network/host.h"

#include <stdarg.h>
#include <stdio.h>

const struct net_preset net_presets[] = {
    {"npm", PRESET_NPM, "npm: installs from the registries that it is set up with", "npm"},
    {"pypi", PRESET_PYPI, "pip: installs from the indexes that it is set up with", "pip"},
    {"cargo", PRESET_CARGO, "cargo: fetches from the registries that it is set up with", "cargo"},
    {"go", PRESET_GO, "go: fetches modules from its proxies, and their checksums", "go"},
    {"debian", PRESET_DEBIAN, "apt: fetches from the archives in its source lists", NULL},
    {"git-read", PRESET_GIT_READ, "git: clones and fetches from a host, and does not push", NULL},
};
const size_t n_net_presets = ARRAY_LEN(net_presets);

const struct net_preset *net_preset_find(const char *name)
{
    for (size_t i = 0; i < n_net_presets; i++)
        if (str_eq(net_presets[i].name, name))
            return &net_presets[i];
    return NULL;
}

/* ---- collecting ---- */

void preset_found_release(struct preset_found *f)
{
    vec_release(&f->hosts);
    vec_release(&f->notes);
}

void preset_note(struct preset_found *f, const char *fmt, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    vec_foreach (one, &f->notes)
        if (str_eq(*one, text))
            return;
    const char *copy = arena_strdup(f->arena, text);
    const char **slot = copy ? vec_push_max(&f->notes, MAX_PRESET_NOTES) : NULL;
    if (slot)
        *slot = copy;
    else
        f->failed = true;
}

static bool add(struct preset_found *f, const struct host *h, uint16_t port, bool tls,
                const char *from)
{
    const bool v6 = h->kind == HOST_ADDRESS && h->address.family == ADDRESS_V6;
    const char *pattern = arena_printf(f->arena, v6 ? "[%s]:%u" : "%s:%u", h->name, port);
    const char *where = arena_strdup(f->arena, from);
    vec_foreach (one, &f->hosts)
        if (pattern && str_eq(one->pattern, pattern)) {
            one->tls = one->tls || tls;
            if (one->doubtful && !f->doubting && where) {
                one->doubtful = false;
                one->from = where;
            }
            return true;
        }
    struct preset_host *slot = pattern && where ? vec_push_max(&f->hosts, MAX_PRESET_HOSTS) : NULL;
    if (!slot) {
        f->failed = true;
        return false;
    }
    *slot = (struct preset_host){
        .pattern = pattern, .from = where, .tls = tls, .doubtful = f->doubting};
    return true;
}

bool preset_add_host(struct preset_found *f, struct bytes text, const char *from)
{
    struct host h;
    uint16_t port;
    if (host_parse_port(text, 443, &h, &port) != HOST_FINE)
        return false;
    return add(f, &h, port, port != 80, from);
}

/* What stands before "://", or nothing. */
static struct bytes scheme_of(struct bytes url)
{
    size_t n = 0;
    while (n < url.n && url.p[n] != ':' && url.p[n] != '/')
        n++;
    bool is = n + 2 < url.n && memcmp(url.p + n, "://", 3) == 0;
    return (struct bytes){url.p, is ? n : 0};
}

bool preset_add_url(struct preset_found *f, struct bytes url, const char *from)
{
    struct bytes scheme = scheme_of(url);
    const bool tls = bytes_is(scheme, "https");
    struct host h;
    uint16_t port;
    if (!tls && !bytes_is(scheme, "http")) {
        preset_note(f, "%s is no http or https URL: no host is taken from it", show(from));
        return false;
    }
    struct bytes rest = {url.p + scheme.n + 3, url.n - scheme.n - 3};
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    const char *at = n ? memrchr(rest.p, '@', n) : NULL; /* user:password@ */
    size_t skip = at ? (size_t)(at - rest.p) + 1 : 0;
    struct bytes authority = {rest.p + skip, n - skip};
    if (host_parse_port(authority, tls ? 443 : 80, &h, &port) != HOST_FINE) {
        preset_note(f, "%s: its URL has no host that could be allowed", show(from));
        return false;
    }
    return add(f, &h, port, tls, from);
}

/* ---- rules ---- */

static const struct preset_rule reading[] = {{"[\"GET\", \"HEAD\"]", NULL, "allow"}};
/* A push begins with a GET as a fetch does, and ends at the first of these. */
static const struct preset_rule fetching[] = {
    {NULL, "/**/git-receive-pack", "deny"},
    {"[\"GET\", \"HEAD\"]", NULL, "allow"},
    {"[\"POST\"]", "/**/git-upload-pack", "allow"},
};

size_t preset_rules(const struct net_preset *p, const struct preset_host *host,
                    const struct preset_rule **ret)
{
    if (p->kind == PRESET_GIT_READ) {
        *ret = fetching;
        return ARRAY_LEN(fetching);
    }
    /* apt knows its own list of roots and no variable for another. */
    *ret = reading;
    return host->dotted || (p->kind == PRESET_DEBIAN && host->tls) ? 0 : ARRAY_LEN(reading);
}

/* ---- TOML ---- */

static void put_comment(struct strbuf *out, const char *text)
{
    strbuf_puts(out, "# ");
    strbuf_put_printable(out, text, strlen(text));
    strbuf_putc(out, '\n');
}

/* "permissions.NAME", quoted where TOML wants it. */
static void put_table(struct strbuf *out, const char *profile, const char *rest)
{
    const struct bytes parts[] = {BYTES("permissions"), bytes_of(profile)};
    key_put_dotted(out, parts, ARRAY_LEN(parts));
    strbuf_puts(out, rest);
}

void preset_rule_toml(const char *profile, const struct preset_host *host,
                      const struct preset_rule *rule, struct strbuf *out)
{
    strbuf_puts(out, "[[");
    put_table(out, profile, ".network.requests]]\n");
    strbuf_printf(out, "host = \"%s\"\n", host->pattern);
    if (rule->methods)
        strbuf_printf(out, "methods = %s\n", rule->methods);
    if (rule->path)
        strbuf_printf(out, "path = \"%s\"\n", rule->path);
    strbuf_printf(out, "decision = \"%s\"\n", rule->decision);
}

void preset_toml(const struct preset_found *f, const char *profile, struct strbuf *out)
{
    put_comment(out, f->preset->what);
    for (size_t i = 0; i < f->notes.n; i++)
        put_comment(out, f->notes.v[i]);
    strbuf_putc(out, '[');
    put_table(out, profile, ".network]\nenabled = true\n\n[");
    put_table(out, profile, ".network.domains]\n");
    for (size_t i = 0; i < f->hosts.n; i++) {
        const struct preset_host *h = &f->hosts.v[i];
        strbuf_printf(out, "%s\"%s\" = \"allow\"  ", h->doubtful ? "# " : "", h->pattern);
        put_comment(out, h->from);
    }
    for (size_t i = 0; i < f->hosts.n; i++) {
        const struct preset_host *h = &f->hosts.v[i];
        const struct preset_rule *rules;
        size_t n = h->doubtful ? 0 : preset_rules(f->preset, h, &rules);
        for (size_t k = 0; k < n; k++) {
            strbuf_putc(out, '\n');
            preset_rule_toml(profile, h, &rules[k], out);
        }
    }
}

void preset_json(const struct preset_found *f, const char *profile, struct json *j)
{
    _cleanup_strbuf_ struct strbuf toml = {0};
    preset_toml(f, profile, &toml);
    json_object(j);
    json_kv_string(j, "name", f->preset->name);
    json_kv_string(j, "profile", profile);
    json_key(j, "hosts");
    json_array(j);
    for (size_t i = 0; i < f->hosts.n; i++) {
        const struct preset_host *h = &f->hosts.v[i];
        const struct preset_rule *rules;
        json_object(j);
        json_kv_string(j, "pattern", h->pattern);
        json_kv_string(j, "from", h->from);
        json_kv_bool(j, "doubtful", h->doubtful);
        json_kv_bool(j, "requests", !h->doubtful && preset_rules(f->preset, h, &rules) > 0);
        json_end_object(j);
    }
    json_end_array(j);
    json_key(j, "notes");
    json_array(j);
    for (size_t i = 0; i < f->notes.n; i++)
        json_string(j, f->notes.v[i]);
    json_end_array(j);
    json_kv_string(j, "toml", strbuf_text(&toml));
    json_end_object(j);
    j->failed = j->failed || strbuf_failed(&toml);
}
