/*
 * What a mode brings: the entries of the built-in profiles, --add-dir, and whether the network is
 * on. See build.h.
 */
#include "permissions/build.h"

#include "base/path.h"

#include <errno.h>

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot resolve the permission profile");
}

/* ---- what a mode brings ---- */

static int add_base(struct build *b, const char *path, enum access access, const char *written,
                    struct origin origin)
{
    struct build_entry *e = build_add(b, 0, path, NULL, access, ENTRY_BASE);
    if (!e)
        return -ENOMEM;
    e->e.written = written;
    e->e.origin = origin;
    return 0;
}

/* $TMPDIR, where it is a place that can be given away. */
int mode_tmpdir(struct build *b)
{
    const char *t = b->context->tmpdir, *home = b->context->home;
    if (!t || t[0] != '/')
        return 0;
    char *path = path_join(b->a, "/", t);
    if (!path)
        return -ENOMEM;
    if (str_eq(path, "/") || (home && path_is_below(home, path) && !path_is_below(path, "/tmp")))
        return build_warn(b, "$TMPDIR is %s: too much to be opened; it is not used", show(path));
    b->tmpdir = path;
    return 0;
}

static const struct toml_value *writable_root(const struct build *b, size_t i)
{
    const struct toml_value *v = config_find(b->config, "sandbox_workspace_write.writable_roots");
    return v && v->type == TOML_ARRAY && i < v->array.n ? v->array.items[i] : NULL;
}

/* Where a relative one stands: in the folder of its file; of the command line, in the workspace. */
static const char *folder_of(const struct build *b, const struct toml_value *v)
{
    const struct config_layer *layer = v ? v->owner : NULL;
    return layer && layer->dir ? layer->dir : b->context->workspace;
}

static int add_writable_roots(struct build *b, struct error *err)
{
    const struct string_list *list = &b->config->writable_roots;
    for (size_t i = 0; i < list->n; i++) {
        const char *text = list->v[i], *path;
        const struct toml_value *at = writable_root(b, i);
        if (text[0] == '/' || text[0] == '~')
            path = build_expand(b, text);
        else
            path = text[0] ? path_join(b->a, folder_of(b, at), text) : NULL;
        if (!path) {
            (void)error_set(err, -EINVAL,
                            "sandbox_workspace_write.writable_roots: \"%s\" cannot be expanded",
                            show(text));
            if (at)
                config_error_at(err, at, at->span);
            return -EINVAL;
        }
        struct build_entry *e = build_add(b, 0, path, NULL, ACCESS_WRITE, ENTRY_NAMED);
        if (!e)
            return no_memory(err);
        e->e.written = text;
        e->e.origin = list->origin;
    }
    return 0;
}

int mode_add(struct build *b, struct error *err)
{
    const struct config *c = b->config;
    const struct origin origin = {.layer = "default"};
    int r = 0;
    if (b->base != MODE_UNSET)
        r = add_base(b, "/", b->base == MODE_DANGER_FULL_ACCESS ? ACCESS_WRITE : ACCESS_READ,
                     ":root", origin);
    if (r == 0 && b->base == MODE_WORKSPACE_WRITE) {
        for (size_t i = 0; r == 0 && i < b->roots.n; i++)
            r = add_base(b, b->roots.v[i], ACCESS_WRITE, ":workspace_roots", origin);
        if (r == 0 && !c->exclude_slash_tmp && !c->private_tmp)
            r = add_base(b, "/tmp", ACCESS_WRITE, ":slash_tmp", origin);
        if (r == 0 && b->tmpdir && !c->exclude_tmpdir_env_var)
            r = add_base(b, b->tmpdir, ACCESS_WRITE, ":tmpdir", origin);
    }
    if (r == 0 && c->private_tmp && b->base != MODE_DANGER_FULL_ACCESS)
        r = add_base(b, "/tmp", ACCESS_WRITE, "private_tmp", origin);
    if (r < 0)
        return no_memory(err);
    return b->base == MODE_WORKSPACE_WRITE ? add_writable_roots(b, err) : 0;
}

/* --add-dir: a workspace root that is writable because somebody said so on the command line. It
 * does not turn a mode that writes nothing into one that does. */
int mode_add_dirs(struct build *b, const struct chain *chain, bool entries, struct error *err)
{
    const struct perm_context *c = b->context;
    for (size_t i = 0; i < c->n_add_dirs; i++) {
        if (chain->n == 0 && b->base != MODE_WORKSPACE_WRITE) {
            if (entries && b->base == MODE_READ_ONLY &&
                build_warn(b, "--add-dir %s has no effect: %s is read-only", show(c->add_dirs[i]),
                           show(b->name)) < 0)
                return no_memory(err);
            continue;
        }
        if (!entries) {
            if (build_add_root(b, c->add_dirs[i]) < 0)
                return no_memory(err);
            continue;
        }
        struct build_entry *e = build_add(b, 0, c->add_dirs[i], NULL, ACCESS_WRITE, ENTRY_NAMED);
        if (!e)
            return no_memory(err);
        e->e.written = "--add-dir";
        e->e.origin = (struct origin){.layer = "flag", .file = "--add-dir"};
    }
    return 0;
}

/* ---- the network ---- */

/* Does a key of a network table take something away, so that an open network would be more than
 * asked? */
static bool restricts(const struct toml_member *m)
{
    static const char *const always[] = {"domains", "unix_sockets", "requests", "mitm",
                                         "credentials"};
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        if (bytes_is(m->key, always[i]))
            return true;
    if (bytes_is(m->key, "mode"))
        return bytes_is(m->value->string, "limited");
    return bytes_is(m->key, "allow_local_binding") && !m->value->boolean;
}

/* features.network_proxy: NULL while it is off. *ret_switch: the value that turns it on. */
static const struct toml_value *proxy_feature(const struct build *b,
                                              const struct toml_value **ret_switch)
{
    const struct toml_value *all = toml_get(b->config->tree, BYTES("features")), *v, *on;
    v = all && all->type == TOML_TABLE ? toml_get(all, BYTES("network_proxy")) : NULL;
    on = v && v->type == TOML_TABLE ? toml_get(v, BYTES("enabled")) : v;
    *ret_switch = on;
    return on && !(on->type == TOML_BOOLEAN && !on->boolean) ? v : NULL;
}

/* features.network_proxy is off, in so many words, and M asks for what only the filter holds: that
 * must not become an open network. */
static int without_filter(struct build *b, const struct toml_member *m,
                          const struct toml_value *off, struct error *err)
{
    struct origin because = config_origin(off, off->span);
    (void)error_set(err, -EINVAL,
                    "%s.network.%s needs the filtering proxy, which features.network_proxy (%s) "
                    "turns off",
                    b->where, show_n(m->key.p, m->key.n), config_place(b->a, &because));
    config_error_at(err, m->value, m->key_span);
    error_hint(err, "take one of the two out");
    return -EINVAL;
}

/* The network is on: must it be filtered? */
static int check_filter(struct build *b, const struct chain *c, struct profile *p,
                        struct error *err)
{
    const struct toml_value *on, *feature = proxy_feature(b, &on);
    for (size_t i = 0; i < c->n; i++) {
        const struct toml_value *net = toml_get(c->tables[i], BYTES("network"));
        b->where = build_where(b, "permissions", c->names[i]);
        for (const struct toml_member *m = net ? net->table.first : NULL; m; m = m->next) {
            if (!restricts(m))
                continue;
            if (on && !feature)
                return without_filter(b, m, on, err);
            p->network = NETWORK_FILTERED;
        }
    }
    if (feature)
        p->network = NETWORK_FILTERED;
    return 0;
}

static int network_tables(struct build *b, const struct chain *c, struct profile *p)
{
    const struct toml_value *on, *feature = proxy_feature(b, &on);
    const struct toml_value **all = arena_zalloc(b->a, c->n + 1, sizeof(struct toml_value *));
    if (!all)
        return -ENOMEM;
    p->network_tables = all;
    if (feature && feature->type == TOML_TABLE)
        all[p->n_network_tables++] = feature;
    for (size_t i = c->n; i-- > 0;) {
        const struct toml_value *net = toml_get(c->tables[i], BYTES("network"));
        if (net)
            all[p->n_network_tables++] = net;
    }
    return 0;
}

int mode_network(struct build *b, const struct chain *c, struct profile *p, struct error *err)
{
    p->network_origin = (struct origin){.layer = "default"};
    if (network_tables(b, c, p) < 0)
        return no_memory(err);
    if (b->base == MODE_WORKSPACE_WRITE) {
        p->network = b->config->network_access ? NETWORK_OPEN : NETWORK_OFF;
        p->network_origin = b->config->network_access_origin;
    }
    for (size_t i = c->n; i-- > 0;) {
        const struct toml_value *net = toml_get(c->tables[i], BYTES("network"));
        const struct toml_value *on = net ? toml_get(net, BYTES("enabled")) : NULL;
        if (!on)
            continue;
        p->network = on->boolean ? NETWORK_OPEN : NETWORK_OFF;
        p->network_origin = config_origin(on, on->span);
    }
    return p->network == NETWORK_OPEN ? check_filter(b, c, p, err) : 0;
}
