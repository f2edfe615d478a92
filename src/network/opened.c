/* See opened.h. */
#include "network/opened.h"

#include "base/pack.h"
#include "network/table.h"

#include <errno.h>

#define WHERE "network.mitm"

static bool any_matches(const struct opened_host *v, size_t n, const struct host *host,
                        uint16_t port)
{
    for (size_t i = 0; i < n; i++)
        if (netpattern_matches(&v[i].pattern, host, port))
            return true;
    return false;
}

enum opened opened_for(const struct netopened *o, const struct host *host, uint16_t port)
{
    if (!o->all && !any_matches(o->hosts, o->n_hosts, host, port))
        return OPENED_NO;
    return any_matches(o->exclude, o->n_exclude, host, port) ? OPENED_EXCLUDED : OPENED_YES;
}

bool opened_any(const struct netopened *o)
{
    return o->all || o->n_hosts > 0;
}

/* ---- from configuration ---- */

static const struct toml_value *list_of(const struct profile *p, size_t i)
{
    const struct toml_value *mitm = toml_get(p->network_tables[i], BYTES("mitm"));
    return mitm && mitm->type == TOML_TABLE ? toml_get(mitm, BYTES("exclude")) : NULL;
}

static int check_tables(const struct profile *p, size_t *ret_n, struct error *err)
{
    static const char *const keys[] = {"exclude"};
    *ret_n = 0;
    for (size_t i = 0; i < p->n_network_tables; i++) {
        const struct toml_value *mitm = toml_get(p->network_tables[i], BYTES("mitm"));
        int r = mitm ? table_check(mitm, WHERE, keys, ARRAY_LEN(keys), err) : 0;
        const struct toml_value *list = list_of(p, i);
        if (r < 0)
            return r;
        if (list && (list->type != TOML_ARRAY || list->array.n > MAX_OPENED - *ret_n)) {
            (void)error_set(err, -EINVAL, "expected an array of patterns");
            return table_fault(err, WHERE, list, list->span);
        }
        *ret_n += list ? list->array.n : 0;
    }
    return 0;
}

static int read_exclude(const struct profile *p, struct opened_host *v, struct error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < p->n_network_tables; i++) {
        const struct toml_value *list = list_of(p, i);
        for (size_t k = 0; list && k < list->array.n; k++, at++) {
            const struct toml_value *item = list->array.items[k];
            int r = table_item(item, WHERE, &v[at].text, err);
            if (r < 0)
                return r;
            if (netpattern_parse(item->string, &v[at].pattern, err) < 0) {
                (void)error_wrap(err, -EINVAL, "\"%s\"", show(v[at].text));
                return table_fault(err, WHERE, item, item->span);
            }
        }
    }
    return 0;
}

/* Of a credential that could never be put in nobody would notice but its host. */
static int check_credentials(const struct netcredentials *c, const struct netopened *o,
                             struct error *err)
{
    for (size_t i = 0; i < c->n; i++) {
        struct host h;
        const struct netrule *at = &c->v[i].place;
        if (c->v[i].host.kind == PATTERN_ADDRESS)
            host_of_address(&c->v[i].host.address, &h);
        else if (host_parse((struct bytes){c->v[i].host.name, c->v[i].host.n}, &h) != HOST_FINE)
            continue;
        if (!any_matches(o->exclude, o->n_exclude, &h, MAX_OF(c->v[i].host.first, 1)))
            continue;
        (void)error_set(err, -EINVAL,
                        "network.credentials: \"%s\" is for a host that mitm.exclude leaves "
                        "unopened",
                        show(c->v[i].name));
        error_at(err, at->file ? at->file : "", at->line, at->column, 0, NULL, 0);
        return -EINVAL;
    }
    return 0;
}

int opened_from_config(struct arena *a, const struct profile *profile, bool limited,
                       const struct netrequests *requests, const struct netcredentials *credentials,
                       struct netopened *ret, struct error *err)
{
    struct netopened o = {.all = limited};
    int r = check_tables(profile, &o.n_exclude, err);
    if (r < 0)
        return r;
    struct opened_host *exclude = arena_zalloc(a, o.n_exclude + 1, sizeof(*exclude));
    struct opened_host *hosts = arena_zalloc(a, requests->n + credentials->n + 1, sizeof(*hosts));
    if (!exclude || !hosts)
        return error_errno(err, -ENOMEM, "cannot read which hosts are opened");
    o.exclude = exclude;
    o.hosts = hosts;
    for (size_t i = 0; i < requests->n; i++)
        hosts[o.n_hosts++] =
            (struct opened_host){requests->places[i].pattern, requests->rules[i].host};
    for (size_t i = 0; i < credentials->n; i++)
        hosts[o.n_hosts++] =
            (struct opened_host){credentials->v[i].place.pattern, credentials->v[i].host};
    r = read_exclude(profile, exclude, err);
    if (r == 0)
        r = check_credentials(credentials, &o, err);
    if (r == 0)
        *ret = o;
    return r;
}

/* ---- from one process to another ---- */

static void write_hosts(const struct opened_host *v, size_t n, struct strbuf *out)
{
    pack_u32(out, (uint32_t)n);
    char buf[NETPATTERN_TEXT_MAX];
    for (size_t i = 0; i < n; i++)
        pack_text(out, netpattern_ascii(v[i].text, &v[i].pattern, buf));
}

void opened_write(const struct netopened *o, struct strbuf *out)
{
    pack_u32(out, o->all);
    write_hosts(o->hosts, o->n_hosts, out);
    write_hosts(o->exclude, o->n_exclude, out);
}

static int read_hosts(struct arena *a, struct unpack *u, const struct opened_host **ret,
                      size_t *ret_n)
{
    size_t n = unpack_count(u, MAX_OPENED, 5);
    struct opened_host *v = arena_zalloc(a, n + 1, sizeof(*v));
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < n && !u->bad; i++) {
        v[i].text = unpack_some(u);
        u->bad = u->bad || netpattern_parse(bytes_of(v[i].text), &v[i].pattern, NULL) < 0;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

int opened_read(struct arena *a, struct bytes *text, struct netopened *ret, struct error *err)
{
    struct unpack u = {.left = *text};
    struct netopened o = {.all = unpack_word(&u, 1) == 1};
    int r = read_hosts(a, &u, &o.hosts, &o.n_hosts);
    if (r == 0)
        r = read_hosts(a, &u, &o.exclude, &o.n_exclude);
    if (r < 0)
        return error_errno(err, r, "cannot read which hosts are opened");
    if (u.bad)
        return error_set(err, -EINVAL, "the list of hosts that are opened is damaged");
    *text = u.left;
    *ret = o;
    return 0;
}
