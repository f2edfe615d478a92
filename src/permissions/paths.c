/*
 * The path forms of a profile (spec 2.2) into entries. A top-level key is a `:token`, an absolute
 * path or
 * `~`; it stands for one or more directories. What is below such a directory (the rest of an
 * absolute path, or a key of its table) is a relative path that may end in a glob.
 *
 * Everything that could silently mean something else than its writer thought is an error: relative
 * top-level keys, "." and "..", globs where they are not taken, odd brackets. Only an unknown
 * `:token` is passed over with a warning, so that a newer file loads.
 */
#include "permissions/build.h"

#include "base/path.h"
#include "config/keys.h"

#include <errno.h>
#include <stdio.h>

/* What a program needs to start. Existence is for the survey to see. */
static const char *const minimal[] = {
    "/bin",    "/sbin", "/lib", "/lib32",     "/lib64",
    "/libx32", "/usr",  "/etc", "/nix/store", "/run/current-system"};

enum token { TOKEN_ROOT, TOKEN_MINIMAL, TOKEN_ROOTS, TOKEN_TMPDIR, TOKEN_SLASH_TMP, TOKEN_PATH };

static const struct {
    const char *name;
    enum token token;
} tokens[] = {
    {":root", TOKEN_ROOT},           {":minimal", TOKEN_MINIMAL}, {":workspace_roots", TOKEN_ROOTS},
    {":project_roots", TOKEN_ROOTS}, {":tmpdir", TOKEN_TMPDIR},   {":slash_tmp", TOKEN_SLASH_TMP},
};

/* One line of a `filesystem` table while it is read. */
struct rule {
    struct build *b;
    struct error *err;
    unsigned level, max_depth;
    bool preset;
    enum token token;
    const char *const *dirs; /* what the top-level key stands for */
    size_t n_dirs;
    const char *top;       /* the rest of a plain path, relative to dirs[0]; else "" */
    struct bytes parts[2]; /* the key, and the sub-path's key */
    size_t n_parts;
    const struct toml_member *at; /* what messages point to */
};

static int rule_error(const struct rule *r, struct toml_span span, const char *what)
{
    _cleanup_strbuf_ struct strbuf key = {0};
    key_put_dotted(&key, r->parts, r->n_parts);
    return build_error(r->b, r->err, r->at->value, span, "filesystem.%s: %s",
                       show(strbuf_text(&key)), what);
}

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot resolve the permission profile");
}

const char *build_expand(struct build *b, const char *text)
{
    if (text[0] == '/')
        return path_join(b->a, "/", text);
    if (text[0] == '~' && (text[1] == '/' || text[1] == '\0') && b->context->home)
        return path_join(b->a, b->context->home, text[1] ? text + 2 : "");
    return NULL;
}

/* Is there a "." or ".." among the components of S? */
static bool has_dots(const char *s)
{
    struct bytes c;
    while (path_next(&s, &c))
        if (bytes_is(c, ".") || bytes_is(c, ".."))
            return true;
    return false;
}

/* S without slashes and `**` at its end: "the subtree" is the directory and all below it. */
static char *strip_subtree(struct arena *a, const char *s)
{
    size_t n = strlen(s);
    for (;;) {
        while (n && s[n - 1] == '/')
            n--;
        if (n >= 2 && s[n - 1] == '*' && s[n - 2] == '*' && (n == 2 || s[n - 3] == '/'))
            n -= 2;
        else
            return arena_strndup(a, s, n);
    }
}

/* The component in which the first wildcard of S stands; S's end when there is none. */
static size_t fixed_length(const char *s)
{
    size_t n = strcspn(s, "*?[");
    if (!s[n])
        return n;
    while (n && s[n - 1] != '/')
        n--;
    return n;
}

/* The span of one byte inside a key, when the key is written plainly between quotes. */
static struct toml_span inside_key(const struct rule *r, const char *text, size_t column)
{
    struct toml_span span = r->at->key_span;
    size_t n = r->at->key.n, skipped = n - strlen(text); /* TEXT is the end of the key */
    if (span.length != n + 2 || strlen(text) > n)
        return span;
    span.column += (uint32_t)(1 + skipped + column - 1);
    span.offset += 1 + skipped + column - 1;
    span.length -= 1 + skipped + column - 1;
    return span;
}

/* What a profile says itself replaces what lower levels say of the same path. */
static void replace_lower(struct build *b, struct perm_entry own, unsigned level)
{
    size_t to = 0;
    for (size_t i = 0; i < b->entries.n; i++) {
        const struct build_entry *o = &b->entries.v[i];
        bool same_glob = !o->e.glob == !own.glob && (!own.glob || str_eq(o->e.glob, own.glob));
        if (o->level < level && same_glob && str_eq(o->e.path, own.path))
            continue;
        if (to != i)
            b->entries.v[to] = *o;
        to++;
    }
    b->entries.n = to;
}

/* What is not there is nothing to mention where nobody named it: a token's directory, a preset's
 * cache. A mask is always a mask. */
static enum entry_kind kind_for(const struct rule *r, enum access access)
{
    bool token =
        r->token == TOKEN_MINIMAL || r->token == TOKEN_TMPDIR || r->token == TOKEN_SLASH_TMP;
    return access != ACCESS_NONE && (token || r->preset) ? ENTRY_BASE : ENTRY_NAMED;
}

static int add_entry(struct rule *r, const char *dir, const char *rel, const char *written,
                     enum access access, bool create)
{
    size_t fixed = fixed_length(rel);
    char *head = arena_strndup(r->b->a, rel, fixed);
    char *path = head ? path_join(r->b->a, dir, head) : NULL;
    const char *glob = rel[fixed] ? rel + fixed : NULL;
    struct build_entry *e;
    if (path && glob && !(glob = arena_strdup(r->b->a, glob)))
        return no_memory(r->err);
    if (!path || !(e = build_add(r->b, r->level, path, glob, access, kind_for(r, access))))
        return no_memory(r->err);
    e->preset = r->preset;
    e->anywhere = glob && str_eq(path, "/") && str_starts(glob, "**/") && r->token == TOKEN_PATH;
    e->e.create = create;
    e->e.max_depth = glob ? r->max_depth : 0;
    e->e.written = written;
    e->e.origin = config_origin(r->at->value, r->at->key_span);
    if (!r->preset)
        replace_lower(r->b, e->e, e->level);
    return 0;
}

/* SUB below every directory of the rule. TEXT is SUB or the part of the key it was made of. */
static int add_sub(struct rule *r, const char *sub, enum access access, bool create)
{
    char *rel = strip_subtree(r->b->a, sub);
    _cleanup_strbuf_ struct strbuf key = {0};
    size_t column;
    const char *problem;
    if (!rel)
        return no_memory(r->err);
    if (glob_has_wildcard(rel)) {
        if (access != ACCESS_NONE) {
            int e = rule_error(r, r->at->key_span, "only `none` takes wildcards");
            error_hint(r->err,
                       "name the directory, or end the path in /** for all that is below it");
            return e;
        }
        if ((problem = glob_problem(rel, &column)))
            return rule_error(r, inside_key(r, sub, column), problem);
    }
    if (create && access == ACCESS_NONE)
        return rule_error(r, r->at->key_span, "`create` goes with read or write");
    key_put_dotted(&key, r->parts, r->n_parts);
    const char *written = strbuf_failed(&key) ? NULL : arena_strdup(r->b->a, strbuf_text(&key));
    if (!written)
        return no_memory(r->err);
    for (size_t i = 0; i < r->n_dirs; i++) {
        int e = add_entry(r, r->dirs[i], rel, written, access, create);
        if (e < 0)
            return e;
    }
    return 0;
}

static int parse_access(struct rule *r, const struct toml_value *v, enum access *ret)
{
    static const char *const words[] = {"read", "write", "none", "deny"};
    static const enum access means[] = {ACCESS_READ, ACCESS_WRITE, ACCESS_NONE, ACCESS_NONE};
    char text[ERROR_FILE_MAX + 64];
    if (v->type != TOML_STRING) {
        (void)snprintf(text, sizeof(text), "expected \"read\", \"write\" or \"none\", found %s",
                       toml_type_name(v->type));
        return rule_error(r, v->span, text);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (bytes_is(v->string, words[i])) {
            *ret = means[i];
            return 0;
        }
    }
    (void)snprintf(text, sizeof(text), "unknown access \"%s\"; expected read, write or none",
                   show_n(v->string.p, v->string.n));
    int e = rule_error(r, v->span, text);
    const char *near = nearest_word(v->string.p, words, ARRAY_LEN(words));
    if (near)
        error_note(r->err, "did you mean \"%s\"?", near);
    return e;
}

static bool is_create(const struct toml_member *m)
{
    return bytes_is(m->key, "create") && m->value->type == TOML_BOOLEAN;
}

/* `{ "." = ACCESS, create = true }`, where a sub-path's value may be one too. */
static int parse_dot_table(struct rule *r, const struct toml_value *table, enum access *ret,
                           bool *ret_create)
{
    const struct toml_member *outer = r->at;
    bool found = false;
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        r->at = m;
        if (bytes_is(m->key, ".")) {
            int e = parse_access(r, m->value, ret);
            if (e < 0)
                return e;
            found = true;
        } else if (is_create(m)) {
            *ret_create = m->value->boolean;
        } else {
            return rule_error(r, m->key_span, "only \".\" and `create` can stand here");
        }
    }
    r->at = outer;
    return found ? 0 : rule_error(r, table->span, "there is no \".\" that says what is allowed");
}

static int add_member(struct rule *r, const struct toml_member *m, bool create)
{
    enum access access = ACCESS_NONE;
    const char *sub = m->key.p;
    r->at = m;
    r->parts[r->n_parts++] = m->key;
    int e = 0;
    if (m->key.n == 0 || memchr(sub, '\0', m->key.n))
        e = rule_error(r, m->key_span, "this is not a path");
    else if (sub[0] == '/' || sub[0] == '~' || sub[0] == ':')
        e = rule_error(r, m->key_span, "a sub-path is relative to the path above it");
    else if (!str_eq(sub, ".") && has_dots(sub))
        e = rule_error(r, m->key_span, "`.` and `..` cannot be part of a sub-path");
    else if (!str_eq(sub, ".") && r->token != TOKEN_ROOTS && r->token != TOKEN_PATH)
        e = rule_error(r, m->key_span, "only \".\" can stand below this");
    else if (m->value->type == TOML_TABLE)
        e = parse_dot_table(r, m->value, &access, &create);
    else
        e = parse_access(r, m->value, &access);
    if (e == 0)
        e = add_sub(r, str_eq(sub, ".") ? "" : sub, access, create);
    r->n_parts--;
    return e;
}

/* A table of sub-paths. `create` as a boolean belongs to the "." beside it. */
static int add_table(struct rule *r, const struct toml_value *table)
{
    struct toml_span span = r->at->key_span;
    bool create = false, dot = false;
    if (*r->top) {
        const char **dir = arena_zalloc(r->b->a, 1, sizeof(*dir));
        if (glob_has_wildcard(r->top))
            return rule_error(r, span, "a table of sub-paths needs a path without wildcards");
        if (!dir || !(*dir = path_join(r->b->a, r->dirs[0], r->top)))
            return no_memory(r->err);
        r->dirs = dir;
        r->top = "";
    }
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        create = create || (is_create(m) && m->value->boolean);
        dot = dot || bytes_is(m->key, ".");
    }
    if (create && !dot)
        return rule_error(r, span, "`create` needs a \".\" beside it");
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        int e = is_create(m) ? 0 : add_member(r, m, create && bytes_is(m->key, "."));
        if (e < 0)
            return e;
    }
    return 0;
}

/* The directories that a token stands for. */
static int token_dirs(struct rule *r)
{
    static const char *const root[] = {"/"}, *const slash_tmp[] = {"/tmp"};
    r->dirs = root;
    r->n_dirs = 1;
    switch (r->token) {
    case TOKEN_MINIMAL:
        r->dirs = minimal;
        r->n_dirs = ARRAY_LEN(minimal);
        break;
    case TOKEN_ROOTS:
        r->dirs = (const char *const *)r->b->roots.v;
        r->n_dirs = r->b->roots.n;
        break;
    case TOKEN_TMPDIR:
        r->dirs = &r->b->tmpdir;
        r->n_dirs = r->b->tmpdir ? 1 : 0;
        break;
    case TOKEN_SLASH_TMP:
        r->dirs = slash_tmp;
        break;
    case TOKEN_ROOT:
    case TOKEN_PATH:
        break;
    }
    return 0;
}

static int unknown_token(struct rule *r)
{
    const char *names[ARRAY_LEN(tokens)];
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
        names[i] = tokens[i].name;
    struct error what = {0}, *err = r->err;
    r->err = &what;
    const char *text = r->b->config->strict ? "unknown token" : "unknown token; it is ignored";
    int e = rule_error(r, r->at->key_span, text);
    r->err = err;
    const char *near = nearest_word(r->at->key.p, names, ARRAY_LEN(names));
    if (near)
        error_note(&what, "did you mean \"%s\"?", near);
    if (r->b->config->strict) {
        if (err)
            *err = what;
        return e;
    }
    return r->b->quiet ? 0 : config_warn_error(r->b->config, &what);
}

/* The place of a plain path: "/" or home, and what is below. */
static int plain_path(struct rule *r)
{
    const char *key = r->at->key.p;
    struct toml_span span = r->at->key_span;
    r->token = TOKEN_PATH;
    (void)token_dirs(r);
    if (key[0] == '/') {
        r->top = key + 1;
    } else if (key[0] == '~' && (key[1] == '/' || key[1] == '\0')) {
        if (!r->b->context->home)
            return r->preset ? 1 : rule_error(r, span, "there is no home directory");
        r->dirs = &r->b->context->home;
        r->top = key[1] ? key + 2 : "";
    } else if (key[0] == '~') {
        return rule_error(r, span, "~USER is not expanded; write the path out");
    } else {
        static const char *const known[] = {"glob_scan_max_depth"};
        const char *near = nearest_word(key, known, 1);
        int e = rule_error(r, span, "a relative path cannot stand at the top");
        if (near)
            error_note(r->err, "did you mean \"%s\"?", near);
        else
            error_hint(r->err, "put it below \":workspace_roots\", or begin it with / or ~");
        return e;
    }
    if (has_dots(r->top))
        return rule_error(r, span, "`.` and `..` cannot be part of a path");
    return 0;
}

static int add_rule(struct rule *r, const struct toml_member *m)
{
    enum access access;
    int e = 0;
    r->at = m;
    r->parts[0] = m->key;
    r->n_parts = 1;
    r->top = "";
    if (m->key.n == 0 || memchr(m->key.p, '\0', m->key.n))
        return rule_error(r, m->key_span, "this is not a path");
    if (m->key.p[0] == ':') {
        size_t t = 0;
        while (t < ARRAY_LEN(tokens) && !bytes_is(m->key, tokens[t].name))
            t++;
        if (t == ARRAY_LEN(tokens))
            return unknown_token(r);
        r->token = tokens[t].token;
        e = token_dirs(r);
    } else {
        e = plain_path(r);
    }
    if (e != 0)
        return e < 0 ? e : 0; /* 1: nothing to add */
    if (m->value->type == TOML_TABLE)
        return add_table(r, m->value);
    e = parse_access(r, m->value, &access);
    return e < 0 ? e : add_sub(r, r->top, access, false);
}

static bool is_depth_key(const struct toml_member *m)
{
    return bytes_is(m->key, "glob_scan_max_depth");
}

int build_filesystem(struct build *b, const struct toml_value *table, unsigned level, bool preset,
                     struct error *err)
{
    struct rule r = {.b = b, .err = err, .level = level, .preset = preset};
    const struct toml_value *depth = toml_get(table, BYTES("glob_scan_max_depth"));
    if (depth && depth->type == TOML_INTEGER)
        r.max_depth = (unsigned)depth->integer; /* its range was checked with the key */
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        if (is_depth_key(m))
            continue;
        int e = add_rule(&r, m);
        if (e < 0)
            return e;
    }
    return 0;
}

int build_workspace_roots(struct build *b, const struct toml_value *table, struct error *err)
{
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        const char *text = m->key.p, *path;
        if (m->key.n == 0 || memchr(text, '\0', m->key.n) || (text[0] != '/' && text[0] != '~'))
            return build_error(b, err, m->value, m->key_span,
                               "workspace_roots.\"%s\": expected an absolute path or ~",
                               show(text));
        if (has_dots(text))
            return build_error(b, err, m->value, m->key_span,
                               "workspace_roots.\"%s\": `.` and `..` cannot be part of a path",
                               show(text));
        if (!(path = build_expand(b, text)))
            return build_error(b, err, m->value, m->key_span,
                               "workspace_roots.\"%s\": it cannot be expanded", show(text));
        if (m->value->boolean) {
            if (build_add_root(b, path) < 0)
                return no_memory(err);
            continue;
        }
        for (size_t i = 1; i < b->roots.n; i++) { /* the workspace itself stays */
            if (!str_eq(b->roots.v[i], path))
                continue;
            memmove(&b->roots.v[i], &b->roots.v[i + 1],
                    (b->roots.n - i - 1) * sizeof(b->roots.v[0]));
            b->roots.n--;
            break;
        }
    }
    return 0;
}

/* ---- patterns with no fixed directory ---- */

/* What the profile grants: its workspace roots, and every directory but "/" that an entry opens. */
static int granted_roots(struct build *b, struct arena *a, const char ***ret, size_t *ret_n)
{
    const char **v = arena_zalloc(a, b->entries.n + b->roots.n + 1, sizeof(*v));
    size_t n = 0;
    if (!v)
        return -ENOMEM;
    for (size_t i = 0; i < b->roots.n + b->entries.n; i++) {
        const struct perm_entry *e = i < b->roots.n ? NULL : &b->entries.v[i - b->roots.n].e;
        const char *path = e ? e->path : b->roots.v[i];
        size_t k = 0;
        if (e && (e->glob || e->access == ACCESS_NONE || str_eq(path, "/")))
            continue;
        if (!e && build_check(b, path).access == ACCESS_NONE)
            continue;
        while (k < n && !str_eq(v[k], path))
            k++;
        if (k == n)
            v[n++] = path;
    }
    *ret = v;
    *ret_n = n;
    return 0;
}

static int warn_spread(struct build *b, const struct perm_entry *e, const char *const *roots,
                       size_t n)
{
    _cleanup_strbuf_ struct strbuf list = {.max = 4096};
    size_t shown = MIN_OF(n, (size_t)6);
    for (size_t i = 0; i < shown; i++)
        strbuf_printf(&list, "%s%s", i ? ", " : "", show(roots[i]));
    if (shown < n)
        strbuf_printf(&list, " and %zu more", n - shown);
    return build_warn(
        b, "%s: %s has no fixed directory: it holds below %s, not in the rest of the disk",
        config_place(b->a, &e->origin), show(e->written), strbuf_text(&list));
}

int build_spread(struct build *b, struct error *err)
{
    const char **roots = NULL;
    size_t n_roots = 0, n = b->entries.n;
    for (size_t i = 0; i < n; i++) {
        if (!b->entries.v[i].anywhere)
            continue;
        if (!roots && granted_roots(b, b->a, &roots, &n_roots) < 0)
            return no_memory(err);
        struct build_entry pattern = b->entries.v[i];
        if (n_roots == 0)
            continue; /* stays at "/" */
        if (build_check(b, "/").access != ACCESS_NONE &&
            warn_spread(b, &pattern.e, roots, n_roots) < 0)
            return no_memory(err);
        b->entries.v[i].e.path = roots[0];
        for (size_t k = 1; k < n_roots; k++) {
            struct build_entry *copy = vec_push(&b->entries);
            if (!copy)
                return no_memory(err);
            *copy = pattern;
            copy->anywhere = false;
            copy->e.path = roots[k];
        }
    }
    return build_flatten(b);
}
