/*
 * What the tools say of their configuration, read for its hosts. See preset.h. Each reader takes
 * what it knows and leaves the rest: a tool's output has more in it than is needed here, and a
 * newer tool says more than an older one.
 */
#include "network/preset.h"

#include "base/json_read.h"

#include <stdio.h>

#define MAX_CHAIN 8 /* of sources that replace each other */

/* ---- words and lines ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool next_word(struct bytes *text, struct bytes *ret)
{
    while (text->n && is_blank(text->p[0])) {
        text->p++;
        text->n--;
    }
    size_t n = 0;
    while (n < text->n && !is_blank(text->p[n]))
        n++;
    *ret = (struct bytes){text->p, n};
    text->p += n;
    text->n -= n;
    return n > 0;
}

static bool begins(struct bytes text, const char *with)
{
    size_t n = strlen(with);
    return text.n >= n && memcmp(text.p, with, n) == 0;
}

static bool ends(struct bytes text, const char *with)
{
    size_t n = strlen(with);
    return text.n >= n && memcmp(text.p + text.n - n, with, n) == 0;
}

static struct bytes behind(struct bytes text, size_t n)
{
    return (struct bytes){text.p + n, text.n - n};
}

/* "WHAT: NAME" as a place, in the arena. */
static const char *place(struct preset_found *f, const char *what, struct bytes name)
{
    const char *s = arena_printf(f->arena, "%s: %s", what, show_n(name.p, name.n));
    f->failed = f->failed || !s;
    return s ? s : what;
}

/* Without the quotes round it. */
static struct bytes unquoted(struct bytes v)
{
    if (v.n >= 2 && (v.p[0] == '\'' || v.p[0] == '"') && v.p[v.n - 1] == v.p[0])
        return (struct bytes){v.p + 1, v.n - 2};
    return v;
}

/* ---- npm ---- */

static bool is_scoped(struct bytes key)
{
    return key.n && key.p[0] == '@' && ends(key, ":registry");
}

void preset_read_npmrc(struct preset_found *f, const char *file, struct bytes text, bool all)
{
    struct bytes line, key, value;
    while (bytes_next_line(&text, &line)) {
        const char *eq = line.n ? memchr(line.p, '=', line.n) : NULL;
        struct bytes left = {line.p, eq ? (size_t)(eq - line.p) : 0};
        struct bytes right = behind(line, left.n + (eq != NULL));
        if (!eq || !next_word(&left, &key) || !next_word(&right, &value))
            continue;
        if (is_scoped(key) || (all && bytes_is(key, "registry")))
            (void)preset_add_url(f, unquoted(value), place(f, file, key));
    }
}

bool preset_read_npm(struct preset_found *f, struct bytes text, const char **ret_file)
{
    const struct json_value *v;
    if (json_parse(f->arena, NULL, text, &v, NULL) < 0 || v->type != JSON_OBJECT)
        return false;
    for (size_t i = 0; i < v->n; i++) {
        if ((is_scoped(v->names[i]) || bytes_is(v->names[i], "registry")) &&
            v->items[i].type == JSON_STRING)
            (void)preset_add_url(f, v->items[i].text, place(f, "npm config", v->names[i]));
    }
    *ret_file = json_get_string(v, "userconfig");
    preset_note(f, "npm audit sends what is installed by POST: it is refused, and npm goes on");
    return true;
}

/* ---- pip ---- */

/* Python's way to write a list: \n between the values. */
static bool next_value(struct bytes *text, struct bytes *ret)
{
    while (begins(*text, "\\n"))
        *text = behind(*text, 2);
    if (!next_word(text, ret))
        return false;
    const char *nl = memmem(ret->p, ret->n, "\\n", 2);
    if (!nl)
        return true;
    text->n += ret->n - (size_t)(nl - ret->p);
    ret->n = (size_t)(nl - ret->p);
    text->p = nl;
    return ret->n > 0 || next_value(text, ret);
}

void preset_read_pip(struct preset_found *f, struct bytes text, bool *ret_index)
{
    struct bytes line, value;
    *ret_index = false;
    while (bytes_next_line(&text, &line)) {
        const char *eq = line.n ? memchr(line.p, '=', line.n) : NULL;
        struct bytes key = {line.p, eq ? (size_t)(eq - line.p) : 0};
        const bool index = ends(key, ".index-url");
        if (!index && !ends(key, ".extra-index-url") && !ends(key, ".find-links"))
            continue;
        *ret_index = *ret_index || index;
        value = unquoted(behind(line, key.n + 1));
        for (struct bytes url; next_value(&value, &url);)
            (void)preset_add_url(f, url, place(f, "pip config", key));
    }
}

/* ---- go ---- */

static void read_goproxy(struct preset_found *f, struct bytes line)
{
    while (line.n) {
        size_t n = 0;
        while (n < line.n && line.p[n] != ',' && line.p[n] != '|')
            n++;
        struct bytes one = {line.p, n};
        line = behind(line, MIN_OF(n + 1, line.n));
        if (bytes_is(one, "direct"))
            preset_note(f, "modules that no proxy has are fetched from their own hosts (\"direct\" "
                           "in GOPROXY): these stay refused");
        else if (one.n && !bytes_is(one, "off") && !bytes_is(one, "none"))
            (void)preset_add_url(f, one, "go env GOPROXY");
    }
}

/* NAME, NAME+KEY, or either with a URL behind it. */
static void read_gosumdb(struct preset_found *f, struct bytes line)
{
    struct bytes name, url;
    if (!next_word(&line, &name) || bytes_is(name, "off"))
        return;
    if (next_word(&line, &url)) {
        (void)preset_add_url(f, url, "go env GOSUMDB");
        return;
    }
    size_t n = 0;
    while (n < name.n && name.p[n] != '+' && name.p[n] != '/')
        n++;
    if (!preset_add_host(f, (struct bytes){name.p, n}, "go env GOSUMDB"))
        preset_note(f, "go env GOSUMDB names no host");
}

bool preset_read_go(struct preset_found *f, struct bytes text)
{
    struct bytes proxy, sumdb;
    if (!bytes_next_line(&text, &proxy) || !bytes_next_line(&text, &sumdb))
        return false;
    read_goproxy(f, proxy);
    read_gosumdb(f, sumdb);
    return true;
}

/* ---- apt ---- */

static struct bytes place_of_mirror(struct preset_found *f, struct bytes uri)
{
    struct bytes rest = behind(uri, sizeof("mirror") - 1);
    const char *url = arena_printf(f->arena, "http%.*s", (int)rest.n, rest.p);
    f->failed = f->failed || !url;
    return bytes_of(url ? url : "");
}

static void read_uri(struct preset_found *f, const char *from, struct bytes uri,
                     struct preset_files *mirrors)
{
    static const char file[] = "mirror+file:", tor[] = "tor+";
    if (begins(uri, "cdrom:") || begins(uri, "file:") || begins(uri, "copy:"))
        return;
    if (begins(uri, file)) {
        struct bytes path = behind(uri, sizeof(file) - 1);
        while (begins(path, "//"))
            path = behind(path, 1);
        const char *copy = arena_strndup(f->arena, path.p, path.n);
        const char **slot = copy ? vec_push_max(&mirrors->v, MAX_PRESET_HOSTS) : NULL;
        if (slot)
            *slot = copy;
        else
            f->failed = true;
        return;
    }
    if (begins(uri, "mirror")) { /* mirror://, mirror+http:// */
        preset_note(f, "%s: a list of mirrors is fetched, and the hosts in it are not known here",
                    show(from));
        uri = begins(uri, "mirror+") ? behind(uri, sizeof("mirror+") - 1) : uri;
        if (begins(uri, "mirror://")) /* by http */
            uri = place_of_mirror(f, uri);
    }
    if (begins(uri, tor))
        preset_note(f, "%s goes through Tor: no host is taken from it", show(from));
    else
        (void)preset_add_url(f, uri, from);
}

/* A flat archive, whose suite is "./": apt asks for ARCHIVE/./Packages. */
static void mark_dotted(struct preset_found *f, size_t from)
{
    for (size_t i = from; i < f->hosts.n; i++)
        f->hosts.v[i].dotted = true;
    if (from < f->hosts.n)
        preset_note(f, "requests to a flat archive (\"./\") have a path that rules for requests "
                       "refuse: its host has none");
}

/* "deb [options] URI suite component…" */
static void read_apt_line(struct preset_found *f, const char *from, struct bytes line,
                          struct preset_files *mirrors)
{
    struct bytes word;
    if (!next_word(&line, &word) || (!bytes_is(word, "deb") && !bytes_is(word, "deb-src")))
        return;
    if (!next_word(&line, &word))
        return;
    if (word.p[0] == '[') {
        while (word.p[word.n - 1] != ']')
            if (!next_word(&line, &word))
                return;
        if (!next_word(&line, &word))
            return;
    }
    const size_t before = f->hosts.n;
    read_uri(f, from, word, mirrors);
    if (next_word(&line, &word) && begins(word, "./"))
        mark_dotted(f, before);
}

/* Words of a field that are kept until the end of its paragraph, where it may turn out that it is
 * switched off. */
struct paragraph {
    struct bytes uris[64];
    unsigned lines[64];
    size_t n;
    bool off, in_uris, in_suites, flat;
};

static void end_paragraph(struct preset_found *f, const char *file, struct paragraph *p,
                          struct preset_files *mirrors)
{
    const size_t before = f->hosts.n;
    for (size_t i = 0; i < p->n && !p->off; i++) {
        char from[512];
        (void)snprintf(from, sizeof(from), "%s:%u", file, p->lines[i]);
        read_uri(f, from, p->uris[i], mirrors);
    }
    if (p->flat)
        mark_dotted(f, before);
    *p = (struct paragraph){0};
}

/* Names of fields have no case. */
static bool is_field(struct bytes line, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < n; i++) {
        char c = i < line.n ? line.p[i] : '\0';
        if ((c >= 'A' && c <= 'Z' ? c | 32 : c) != name[i])
            return false;
    }
    return true;
}

static void read_field(struct preset_found *f, struct paragraph *p, struct bytes line, unsigned at)
{
    struct bytes word;
    if (!is_blank(line.p[0])) {
        p->in_uris = is_field(line, "uris:");
        p->in_suites = is_field(line, "suites:");
        if (is_field(line, "enabled:")) {
            struct bytes value = behind(line, sizeof("enabled:") - 1);
            p->off = next_word(&value, &word) && (is_field(word, "no") || is_field(word, "false") ||
                                                  is_field(word, "off") || bytes_is(word, "0"));
        }
        const char *colon = memchr(line.p, ':', line.n);
        line = colon ? behind(line, (size_t)(colon - line.p) + 1) : (struct bytes){line.p, 0};
    }
    while (p->in_suites && next_word(&line, &word))
        p->flat = p->flat || begins(word, "./");
    while (p->in_uris && next_word(&line, &word)) {
        if (p->n == ARRAY_LEN(p->uris)) {
            f->failed = true;
            return;
        }
        p->lines[p->n] = at;
        p->uris[p->n++] = word;
    }
}

static void read_deb822(struct preset_found *f, const char *file, struct bytes text,
                        struct preset_files *mirrors)
{
    struct paragraph p = {0};
    struct bytes line, word;
    for (unsigned at = 1; bytes_next_line(&text, &line); at++) {
        struct bytes rest = line;
        if (line.n && line.p[0] == '#')
            continue;
        if (next_word(&rest, &word))
            read_field(f, &p, line, at);
        else
            end_paragraph(f, file, &p, mirrors);
    }
    end_paragraph(f, file, &p, mirrors);
}

void preset_read_apt(struct preset_found *f, const char *file, bool deb822, struct bytes text,
                     struct preset_files *mirrors)
{
    struct bytes line;
    if (deb822) {
        read_deb822(f, file, text, mirrors);
        return;
    }
    for (unsigned at = 1; bytes_next_line(&text, &line); at++) {
        char from[512];
        const char *hash = line.n ? memchr(line.p, '#', line.n) : NULL;
        line.n = hash ? (size_t)(hash - line.p) : line.n;
        (void)snprintf(from, sizeof(from), "%s:%u", file, at);
        read_apt_line(f, from, line, mirrors);
    }
}

void preset_read_mirrors(struct preset_found *f, const char *file, struct bytes text)
{
    struct bytes line, word;
    while (bytes_next_line(&text, &line))
        if (next_word(&line, &word) && word.p[0] != '#')
            (void)preset_add_url(f, word, file);
}

/* ---- cargo ---- */

static const struct toml_value *table_at(const struct toml_value *t, const char *key,
                                         struct bytes name)
{
    const struct toml_value *list = t && t->type == TOML_TABLE ? toml_get(t, bytes_of(key)) : NULL;
    const struct toml_value *one = list && list->type == TOML_TABLE ? toml_get(list, name) : NULL;
    return one && one->type == TOML_TABLE ? one : NULL;
}

static bool text_at(const struct toml_value *t, const char *key, struct bytes *ret)
{
    const struct toml_value *v = t ? toml_get(t, bytes_of(key)) : NULL;
    if (!v || v->type != TOML_STRING)
        return false;
    *ret = v->string;
    return true;
}

static void add_index(struct preset_found *f, struct bytes url, const char *from)
{
    static const char sparse[] = "sparse+";
    const bool is = begins(url, sparse);
    (void)preset_add_url(f, is ? behind(url, sizeof(sparse) - 1) : url, from);
}

/* Where a source leads: the end of its replacements. False: to cargo's own registry. */
static bool read_source(struct preset_found *f, const char *file, const struct toml_value *tree,
                        struct bytes name)
{
    struct bytes url;
    for (int i = 0; i < MAX_CHAIN; i++) {
        const struct toml_value *source = table_at(tree, "source", name);
        const char *from = place(f, file, name);
        if (text_at(source, "replace-with", &name))
            continue;
        if (text_at(source, "local-registry", &url) || text_at(source, "directory", &url))
            return true;
        if (text_at(source, "registry", &url) || text_at(source, "git", &url) ||
            text_at(table_at(tree, "registries", name), "index", &url)) {
            add_index(f, url, from);
            return true;
        }
        return false;
    }
    preset_note(f, "%s: its sources replace each other without end", show(file));
    return true;
}

void preset_read_cargo(struct preset_found *f, const char *file, const struct toml_value *tree,
                       bool *ret_default)
{
    const struct toml_value *all =
        tree && tree->type == TOML_TABLE ? toml_get(tree, BYTES("registries")) : NULL;
    struct bytes url;
    *ret_default = !read_source(f, file, tree, BYTES("crates-io"));
    for (const struct toml_member *m = all && all->type == TOML_TABLE ? all->table.first : NULL; m;
         m = m->next)
        if (m->value->type == TOML_TABLE && text_at(m->value, "index", &url))
            add_index(f, url, place(f, file, m->key));
}

void preset_read_cargo_index(struct preset_found *f, const char *name, struct bytes text)
{
    static const char *const keys[] = {"dl", "api"};
    const struct json_value *v;
    const char *dash = strrchr(name, '-');
    const char *from = arena_printf(f->arena,
                                    "cargo's copy of an index, registry/index/%s: a "
                                    "command may have written it; look before you take it",
                                    show(name));
    if (!from || !dash || json_parse(f->arena, NULL, text, &v, NULL) < 0)
        return;
    f->doubting = true;
    (void)preset_add_host(f, (struct bytes){name, (size_t)(dash - name)}, from);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *url = json_get_string(v, keys[i]);
        if (url)
            (void)preset_add_url(f, bytes_of(url), from);
    }
    f->doubting = false;
}
