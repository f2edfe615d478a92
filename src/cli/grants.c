/* Permissions for one run. See grants.h. */
#include "cli/grants.h"

#include "base/path.h"
#include "config/requirements.h"
#include "permissions/permissions.h"

#include <errno.h>
#include <sys/stat.h>

static const char *const kinds[] = {[GRANT_READ] = "read",
                                    [GRANT_WRITE] = "write",
                                    [GRANT_SOCKET] = "socket",
                                    [GRANT_NETWORK] = "network"};

static int set_text(struct arena *a, struct grant *g)
{
    g->text = g->what ? arena_printf(a, "%s:%s", kinds[g->kind], g->what) : kinds[g->kind];
    return g->text ? 0 : -ENOMEM;
}

int grant_parse(struct arena *a, const char *cwd, const char *text, struct grant *ret,
                struct error *err)
{
    size_t n = strcspn(text, ":");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct grant g = {.kind = (enum grant_kind)i};
        if (strlen(kinds[i]) != n || memcmp(kinds[i], text, n) != 0)
            continue;
        if (g.kind == GRANT_NETWORK && !text[n]) {
            int r = set_text(a, &g);
            *ret = g;
            return r;
        }
        if (g.kind == GRANT_NETWORK || !text[n] || !text[n + 1])
            break;
        char *real;
        int r = path_canonical(a, path_join(a, cwd, text + n + 1), &real, NULL);
        g.what = real;
        if (r < 0 || (r = set_text(a, &g)) < 0)
            return error_errno(err, r, "--grant %s", show(text));
        *ret = g;
        return 0;
    }
    int r = error_set(err, -EINVAL, "--grant: \"%s\" is no permission", show(text));
    error_hint(err, "read:PATH, write:PATH, socket:PATH or network");
    return r;
}

/* ---- from a refusal ---- */

/* The path itself, or where that does not exist the nearest directory above: a mount needs
 * something to stand on. */
static const char *nearest(struct arena *a, const char *path)
{
    struct stat st;
    const char *p = path;
    while (p && lstat(p, &st) < 0 && p[1])
        p = path_parent(a, p);
    return p;
}

/* Would the profile give ACCESS to PATH with an entry for it? What is capped would not. */
static bool can_have(const struct setup *s, const char *path, enum access access)
{
    const struct profile *p = s->profile;
    for (size_t i = 0; i < p->n_entries; i++) {
        const struct perm_entry *e = &p->entries[i];
        bool caps = e->floor || e->kind == ENTRY_OWN;
        if (caps && e->access < access && (e->glob || path_is_below(path, e->path)) &&
            permissions_check(p, path).entry == e)
            return false;
    }
    return true;
}

static int of_file(struct arena *a, const struct setup *s, const struct denial *d,
                   struct grant *ret, const char **ret_why)
{
    struct permission now = permissions_check(s->profile, d->what);
    struct grant g = {.kind = d->access == ACCESS_WRITE ? GRANT_WRITE : GRANT_READ};
    if (now.why == WHY_MASKED) {
        *ret_why = "it is shut by a \"none\" entry";
        return -ENOENT;
    }
    /* Version-control data and control files run code later, outside: not by one key. */
    if (now.why == WHY_PROTECTED) {
        *ret_why = "it is protected, and only a profile opens it";
        return -ENOENT;
    }
    if (!can_have(s, d->what, d->access)) {
        *ret_why = "it is bawn's own, or required to be shut";
        return -ENOENT;
    }
    char *real;
    const char *near = nearest(a, d->what);
    if (!near || path_canonical(a, near, &real, NULL) < 0)
        return -ENOMEM;
    g.what = real;
    /* What lies there is another's business: the whole file tree, or somebody's home. */
    if (!g.what[1] || (s->home && path_is_below(s->home, g.what))) {
        *ret_why = "it does not exist, and the directory above is too much to open";
        return -ENOENT;
    }
    int r = set_text(a, &g);
    if (r == 0)
        *ret = g;
    return r;
}

int grant_of_denial(struct arena *a, const struct setup *s, const struct denial *denial,
                    struct grant *ret, const char **ret_why)
{
    struct grant g;
    int r;
    switch (denial->kind) {
    case DENIAL_FILE:
        return of_file(a, s, denial, ret, ret_why);
    case DENIAL_SOCKET:
        if (denial->what[0] == '/') {
            g = (struct grant){.kind = GRANT_SOCKET, .what = arena_strdup(a, denial->what)};
            r = g.what ? set_text(a, &g) : -ENOMEM;
        } else if (denial->what[0] == '@' || str_starts(denial->what, "unix")) {
            *ret_why = "an abstract socket cannot be allowed by name";
            return -ENOENT;
        } else {
            g = (struct grant){.kind = GRANT_NETWORK};
            r = set_text(a, &g);
        }
        if (r == 0)
            *ret = g;
        return r;
    case DENIAL_SYSCALL:
        /* Where there is no network namespace the making of a socket is what is refused. */
        if (str_eq(denial->what, "socket") && s->profile->network == NETWORK_OFF) {
            g = (struct grant){.kind = GRANT_NETWORK};
            r = set_text(a, &g);
            if (r == 0)
                *ret = g;
            return r;
        }
        *ret_why = "a system call cannot be allowed alone";
        return -ENOENT;
    case DENIAL_LIMIT:
        *ret_why = "a limit ended it";
        return -ENOENT;
    case DENIAL_NETWORK:
        *ret_why = "a rule for the destination allows it";
        return -ENOENT;
    }
    return -ENOENT;
}

int grants_add(struct grants *g, const struct grant *grant)
{
    vec_foreach (old, &g->v)
        if (str_eq(old->text, grant->text))
            return 0;
    struct grant *slot = vec_push(&g->v);
    if (!slot)
        return -ENOMEM;
    *slot = *grant;
    return 0;
}

/* ---- applying ---- */

static const struct origin granted = {.layer = "flag", .file = "--grant"};

static int capped(struct error *err, const struct grant *g, const struct perm_entry *e)
{
    int r = error_set(err, -EPERM, "%s cannot be granted: %s is shut for everybody", show(g->text),
                      show(e && e->written ? e->written : g->what));
    if (e && e->origin.file)
        error_hint(err, "%s:%u says so", show(e->origin.file), e->origin.line);
    return r;
}

static int apply_file(struct setup *s, const struct grant *g, struct error *err)
{
    struct profile *p = s->profile;
    const enum access want = g->kind == GRANT_WRITE ? ACCESS_WRITE : ACCESS_READ;
    char *real;
    if (p->full_access)
        return 0;
    if (path_canonical(&s->arena, g->what, &real, NULL) < 0 || !str_eq(real, g->what))
        return error_set(err, -EPERM, "%s is not granted: it leads elsewhere now", show(g->text));
    if (permissions_check(p, g->what).access >= want)
        return 0;
    struct perm_entry *v = arena_zalloc(&s->arena, p->n_entries + 1, sizeof(*v));
    if (!v)
        return error_errno(err, -ENOMEM, "--grant %s", show(g->text));
    memcpy(v, p->entries, p->n_entries * sizeof(*v));
    v[p->n_entries] = (struct perm_entry){.path = g->what,
                                          .access = want,
                                          .kind = ENTRY_NAMED,
                                          .written = g->text,
                                          .origin = granted};
    p->entries = v;
    p->n_entries++;
    struct permission now = permissions_check(p, g->what);
    return now.access >= want ? 0 : capped(err, g, now.entry);
}

static int apply_socket(struct setup *s, const struct grant *g, struct error *err)
{
    struct string_list *list = &s->config->allow_unix_sockets;
    const char **v = arena_zalloc(&s->arena, list->n + 1, sizeof(*v));
    if (!v)
        return error_errno(err, -ENOMEM, "--grant %s", show(g->text));
    if (list->n)
        memcpy(v, list->v, list->n * sizeof(*v));
    v[list->n] = g->what;
    list->v = v;
    list->n++;
    return 0;
}

static int apply_network(struct setup *s, struct error *err)
{
    const struct config *c = s->config;
    struct profile *p = s->profile;
    if (p->full_access || p->network != NETWORK_OFF)
        return 0;
    if (c->network_cap || c->mode_cap != MODE_UNSET)
        return error_set(err, -EPERM,
                         "the network cannot be granted: a project's file keeps it off");
    /* What says which hosts may be reached is not dropped by opening all of them. */
    bool filtered = p->n_network_tables || c->n_project_domains || c->requirements->network;
    p->network = filtered ? NETWORK_FILTERED : NETWORK_OPEN;
    p->network_origin = granted;
    return 0;
}

int grants_apply(struct setup *s, const struct grants *g, struct error *err)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < g->v.n; i++) {
        const struct grant *one = &g->v.v[i];
        r = one->kind == GRANT_NETWORK  ? apply_network(s, err)
            : one->kind == GRANT_SOCKET ? apply_socket(s, one, err)
                                        : apply_file(s, one, err);
    }
    return r;
}

const char *grant_words(struct arena *a, const struct grant *grant)
{
    static const char *const verbs[] = {[GRANT_READ] = "read ",
                                        [GRANT_WRITE] = "write to ",
                                        [GRANT_SOCKET] = "connect to the socket ",
                                        [GRANT_NETWORK] = "reach any host on the network"};
    return arena_printf(a, "%s%s", verbs[grant->kind], grant->what ? grant->what : "");
}
