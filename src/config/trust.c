/*
 * Trust, decided from entries alone. See trust.h. Pure.
 *
 * The walk goes from the working directory upwards and looks at the entries of one folder at a
 * time. All entries of a folder are one there: which file says what first must not matter, and the
 * word against wins.
 */
#include "config/trust.h"

#include "base/path.h"
#include "config/config.h"
#include "config/keys.h"

#include <errno.h>

const char *trust_word(enum trust_level level)
{
    switch (level) {
    case TRUST_TRUSTED:
        return "trusted";
    case TRUST_UNTRUSTED:
        return "untrusted";
    case TRUST_NONE:
        break;
    }
    return "unknown";
}

/* ---- entries ---- */

static int bad_path(const struct toml_member *m, const char *why, struct error *err)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    const struct bytes parts[] = {BYTES("projects"), m->key};
    key_put_dotted(&name, parts, ARRAY_LEN(parts));
    int r = error_set(err, -EINVAL, "%s: %s", show(strbuf_text(&name)), why);
    config_error_at(err, m->value, m->key_span);
    return r;
}

static int bad_value(const struct toml_member *project, const struct toml_member *m,
                     const char *expected, struct error *err)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    const struct bytes parts[] = {BYTES("projects"), project->key, m->key};
    key_put_dotted(&name, parts, ARRAY_LEN(parts));
    int r = error_set(err, -EINVAL, "%s: expected %s", show(strbuf_text(&name)), expected);
    config_error_at(err, m->value, m->value->span);
    return r;
}

static bool has_dots(const char *path)
{
    struct bytes c;
    while (path_next(&path, &c))
        if (bytes_is(c, ".") || bytes_is(c, ".."))
            return true;
    return false;
}

/* The key of an entry as an absolute, normalised path. */
static int entry_path(struct arena *a, const struct toml_member *m, const char *home,
                      const char **ret, struct error *err)
{
    const char *p = m->key.p, *base = "/";
    if (memchr(p, '\0', m->key.n))
        return bad_path(m, "a path cannot hold a NUL", err);
    if (p[0] == '~' && (p[1] == '/' || p[1] == '\0')) {
        if (!home)
            return bad_path(m, "there is no home directory that ~ could stand for", err);
        base = home;
        p += 1 + strspn(p + 1, "/");
    } else if (p[0] != '/') {
        return bad_path(m, "expected an absolute path, or one that begins with ~/", err);
    }
    if (has_dots(p))
        return bad_path(m, "\".\" and \"..\" cannot stand in the path of a project", err);
    *ret = path_join(a, base, p);
    return *ret ? 0 : error_errno(err, -ENOMEM, "cannot read [projects]");
}

/* One entry; RET->level stays TRUST_NONE when it gives none. */
static int read_entry(struct arena *a, const struct toml_member *m, const char *home,
                      struct trust_entry *ret, struct error *err)
{
    if (m->value->type != TOML_TABLE)
        return bad_path(m, "expected a table with trust_level", err);
    int r = entry_path(a, m, home, &ret->path, err);
    if (r < 0)
        return r;
    const struct toml_member *level = toml_member(m->value, BYTES("trust_level"));
    const struct toml_member *recursive = toml_member(m->value, BYTES("recursive"));
    if (recursive && recursive->value->type != TOML_BOOLEAN)
        return bad_value(m, recursive, "true or false", err);
    ret->recursive = recursive && recursive->value->boolean;
    if (!level)
        return 0;
    const struct toml_value *v = level->value;
    if (v->type == TOML_STRING && bytes_is(v->string, "trusted"))
        ret->level = TRUST_TRUSTED;
    else if (v->type == TOML_STRING && bytes_is(v->string, "untrusted"))
        ret->level = TRUST_UNTRUSTED;
    else
        return bad_value(m, level, "\"trusted\" or \"untrusted\"", err);
    ret->origin = config_origin(v, v->span);
    return 0;
}

int trust_add(struct arena *a, struct trust *trust, const struct toml_value *projects,
              const char *home, struct error *err)
{
    if (!projects)
        return 0;
    if (projects->type != TOML_TABLE) {
        int r = error_set(err, -EINVAL, "projects: expected a table");
        config_error_at(err, projects, projects->span);
        return r;
    }
    struct trust_entry *v = arena_zalloc(a, trust->n + projects->table.n + 1, sizeof(*v));
    if (!v)
        return error_errno(err, -ENOMEM, "cannot read [projects]");
    size_t n = trust->n;
    if (n)
        memcpy(v, trust->v, n * sizeof(*v));
    for (const struct toml_member *m = projects->table.first; m; m = m->next) {
        v[n] = (struct trust_entry){0};
        int r = read_entry(a, m, home, &v[n], err);
        if (r < 0)
            return r;
        n += v[n].level != TRUST_NONE;
    }
    trust->v = v;
    trust->n = n;
    return 0;
}

/* ---- the decision ---- */

/* What the entries of the folder PATH[0..n) say together: about the folder ITSELF, or about what is
 * below it. */
static const struct trust_entry *entry_at(const struct trust *trust, const char *path, size_t n,
                                          bool itself)
{
    const struct trust_entry *trusted = NULL, *untrusted = NULL;
    bool covers = itself;
    for (size_t i = 0; i < trust->n; i++) {
        const struct trust_entry *e = &trust->v[i];
        if (strncmp(e->path, path, n) != 0 || e->path[n] != '\0')
            continue;
        covers = covers || e->recursive;
        if (e->level == TRUST_UNTRUSTED)
            untrusted = e;
        else if (e->level == TRUST_TRUSTED && (!trusted || e->recursive))
            trusted = e;
    }
    if (!covers)
        return NULL;
    return untrusted ? untrusted : trusted;
}

static const struct trust_entry *find_entry(const struct trust *trust, const char *cwd,
                                            const struct project *project)
{
    const struct trust_entry *e;
    const char *root = project ? project->root : NULL;
    size_t whole = strlen(cwd), root_n = root ? strlen(root) : 0;
    for (size_t n = whole;;) {
        bool is_root = root && n == root_n && memcmp(root, cwd, n) == 0;
        if ((e = entry_at(trust, cwd, n, n == whole || is_root)))
            return e;
        if (n <= 1)
            break;
        while (n && cwd[n - 1] != '/')
            n--;
        n -= n > 1; /* "/" is its slash, nothing else ends with one */
    }
    const char *main_repository = project ? project->main_repository : NULL;
    return main_repository ? entry_at(trust, main_repository, strlen(main_repository), true) : NULL;
}

enum trust_level trust_decide(const struct trust *trust, const char *cwd,
                              const struct project *project, const struct trust_entry **ret_entry)
{
    const struct trust_entry *e = find_entry(trust, cwd, project);
    if (ret_entry)
        *ret_entry = e;
    return e ? e->level : TRUST_NONE;
}
