/* See credentials.h. */
#include "network/credentials.h"

#include "network/table.h"

#include <errno.h>

#define WHERE "network.credentials"

static const char *const keys[] = {"host",     "header",    "format",
                                   "from_env", "from_file", "placeholder_env"};

/* Headers that say where a request goes, how it is framed, or what the connection does. */
static const char *const not_these[] = {
    "host",       "content-length",  "transfer-encoding",
    "connection", "upgrade",         "te",
    "trailer",    "keep-alive",      "proxy-connection",
    "expect",     "accept-encoding", "http2-settings",
};

static int fault_at(struct error *err, const struct toml_value *table, const char *key)
{
    const struct toml_value *v = toml_get(table, bytes_of(key));
    return table_fault(err, WHERE, v ? v : table, v ? v->span : table->span);
}

static int read_host(const struct toml_value *table, struct netcredential *c, struct error *err)
{
    int r = table_pattern(table, WHERE, "host", &c->place.pattern, &c->host, err);
    if (r == 0 && c->host.kind != PATTERN_EXACT && c->host.kind != PATTERN_ADDRESS) {
        (void)error_set(err, -EINVAL, "\"%s\": a secret belongs to one host, not to a pattern",
                        show(c->place.pattern));
        return fault_at(err, table, "host");
    }
    return r;
}

static int read_header(struct arena *a, const struct toml_value *table, struct netcredential *c,
                       struct error *err)
{
    const char *text;
    int r = table_text(table, WHERE, "header", true, &text, NULL, err);
    if (r < 0)
        return r;
    size_t n = strlen(text);
    char *lower = arena_strndup(a, text, n);
    if (!lower)
        return error_errno(err, -ENOMEM, WHERE);
    bool fine = n <= 64;
    for (size_t i = 0; i < n; i++) {
        char ch = lower[i];
        if (ch >= 'A' && ch <= 'Z')
            lower[i] = (char)(ch - 'A' + 'a');
        else
            fine = fine &&
                   ((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_');
    }
    for (size_t i = 0; i < ARRAY_LEN(not_these); i++)
        fine = fine && !str_eq(lower, not_these[i]);
    c->header = lower;
    if (fine)
        return 0;
    (void)error_set(err, -EINVAL, "\"%s\" is no header that a secret can stand in", show(text));
    return fault_at(err, table, "header");
}

static int read_format(struct arena *a, const struct toml_value *table, struct netcredential *c,
                       struct error *err)
{
    const char *text;
    int r = table_text(table, WHERE, "format", false, &text, NULL, err);
    if (r < 0)
        return r;
    text = text ? text : "{}";
    const char *at = strstr(text, "{}");
    bool fine = at && !strstr(at + 2, "{}") && strlen(text) <= 1024 && text[0] != ' ';
    for (const char *s = text; *s; s++)
        fine = fine && *s >= ' ' && *s < 0x7f;
    if (!fine) {
        (void)error_set(err, -EINVAL, "\"%s\" is no format", show(text));
        error_hint(err, "printable text with {} once, where the secret stands: \"Bearer {}\"");
        return fault_at(err, table, "format");
    }
    c->before = arena_strndup(a, text, (size_t)(at - text));
    c->after = at + 2;
    return c->before ? 0 : error_errno(err, -ENOMEM, WHERE);
}

static bool is_variable(const char *s)
{
    bool fine = !(*s >= '0' && *s <= '9');
    for (; *s; s++)
        fine = fine && ((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
                        (*s >= '0' && *s <= '9') || *s == '_');
    return fine;
}

static int read_variable(const struct toml_value *table, const char *key, const char **ret,
                         struct error *err)
{
    int r = table_text(table, WHERE, key, false, ret, NULL, err);
    if (r < 0 || !*ret || is_variable(*ret))
        return r;
    (void)error_set(err, -EINVAL, "\"%s\" is no name of an environment variable", show(*ret));
    return fault_at(err, table, key);
}

static int read_file(struct arena *a, const struct toml_value *table, const char *home,
                     struct netcredential *c, struct error *err)
{
    const char *text;
    int r = table_text(table, WHERE, "from_file", false, &text, NULL, err);
    if (r < 0 || !text)
        return r;
    if (text[0] == '/') {
        c->from_file = text;
        return 0;
    }
    if (text[0] == '~' && text[1] == '/' && home) {
        c->from_file = arena_printf(a, "%s/%s", home, text + 2);
        return c->from_file ? 0 : error_errno(err, -ENOMEM, WHERE);
    }
    (void)error_set(err, -EINVAL, "\"%s\": expected an absolute path, or one that begins with ~/",
                    show(text));
    return fault_at(err, table, "from_file");
}

static int read_source(struct arena *a, const struct toml_value *table, const char *home,
                       struct netcredential *c, struct error *err)
{
    int r = read_variable(table, "from_env", &c->from_env, err);
    if (r == 0)
        r = read_variable(table, "placeholder_env", &c->placeholder_env, err);
    if (r == 0)
        r = read_file(a, table, home, c, err);
    if (r == 0 && !c->from_env == !c->from_file) {
        (void)error_set(err, -EINVAL,
                        "one of \"from_env\" and \"from_file\" says where the secret "
                        "is");
        return table_fault(err, WHERE, table, table->span);
    }
    return r;
}

static int read_one(struct arena *a, const struct toml_member *m, const char *home,
                    struct netcredential *c, struct error *err)
{
    const struct toml_value *table = m->value;
    int r = table_check(table, WHERE, keys, ARRAY_LEN(keys), err);
    if (r < 0)
        return r;
    c->name = m->key.p;
    c->place = table_place(table, m->key_span);
    c->place.decision = NET_ALLOW;
    r = read_host(table, c, err);
    if (r == 0)
        r = read_header(a, table, c, err);
    if (r == 0)
        r = read_format(a, table, c, err);
    if (r == 0)
        r = read_source(a, table, home, c, err);
    return r;
}

/* Two secrets cannot stand in one header. */
static int check_clash(const struct toml_member *m, const struct netcredential *v, size_t n,
                       struct error *err)
{
    const struct netcredential *c = &v[n];
    for (size_t i = 0; i < n; i++) {
        bool ports = v[i].host.first <= c->host.last && c->host.first <= v[i].host.last;
        bool host =
            v[i].host.kind == c->host.kind && v[i].host.n == c->host.n &&
            memcmp(v[i].host.name, c->host.name, c->host.n) == 0 &&
            (c->host.kind != PATTERN_ADDRESS || address_eq(&v[i].host.address, &c->host.address));
        if (!ports || !host || !str_eq(v[i].header, c->header))
            continue;
        (void)error_set(err, -EINVAL, "\"%s\" and \"%s\" are for the same header of the same host",
                        show(v[i].name), show(c->name));
        return table_fault(err, WHERE, m->value, m->key_span);
    }
    return 0;
}

static const struct toml_value *table_of(const struct profile *p, size_t i)
{
    return toml_get(p->network_tables[i], BYTES("credentials"));
}

/* Does a nearer profile say something of NAME? */
static bool is_replaced(const struct profile *p, size_t i, struct bytes name)
{
    for (size_t k = i + 1; k < p->n_network_tables; k++) {
        const struct toml_value *t = table_of(p, k);
        if (t && t->type == TOML_TABLE && toml_get(t, name))
            return true;
    }
    return false;
}

static int read_table(struct arena *a, const struct profile *p, size_t i, const char *home,
                      struct netcredential *v, size_t *n, struct error *err)
{
    const struct toml_value *t = table_of(p, i);
    if (!t)
        return 0;
    if (t->type != TOML_TABLE) {
        (void)error_set(err, -EINVAL, "expected a table, found %s", toml_type_name(t->type));
        return table_fault(err, WHERE, t, t->span);
    }
    for (const struct toml_member *m = t->table.first; m; m = m->next) {
        if (is_replaced(p, i, m->key))
            continue;
        if (*n == MAX_CREDENTIALS) {
            (void)error_set(err, -E2BIG, "more than %u credentials", MAX_CREDENTIALS);
            return table_fault(err, WHERE, m->value, m->key_span);
        }
        int r = read_one(a, m, home, &v[*n], err);
        if (r == 0)
            r = check_clash(m, v, *n, err);
        if (r < 0)
            return r;
        v[*n].place.id = (uint32_t)*n;
        ++*n;
    }
    return 0;
}

int credentials_from_config(struct arena *a, const struct profile *profile, const char *home,
                            struct netcredentials *ret, struct error *err)
{
    size_t n = 0;
    bool any = false;
    for (size_t i = 0; i < profile->n_network_tables; i++)
        any = any || table_of(profile, i);
    *ret = (struct netcredentials){0};
    if (!any)
        return 0;
    struct netcredential *v = arena_zalloc(a, MAX_CREDENTIALS, sizeof(*v));
    if (!v)
        return error_errno(err, -ENOMEM, "cannot read the credentials");
    for (size_t i = 0; i < profile->n_network_tables; i++) {
        int r = read_table(a, profile, i, home, v, &n, err);
        if (r < 0)
            return r;
    }
    *ret = (struct netcredentials){v, n};
    return 0;
}

bool credentials_name(const struct netcredentials *c, const struct host *host, uint16_t port)
{
    for (size_t i = 0; i < c->n; i++)
        if (netpattern_matches(&c->v[i].host, host, port))
            return true;
    return false;
}
