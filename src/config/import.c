/*
 * One file of Codex's as bawn takes it. See import.h.
 *
 *   walk     every member of the tree against the table of keys, as a layer is, and further: into
 *            the profiles and the permission profiles that a start looks at only when they are
 * used. What cannot stay becomes a fault edit     what is wrong inside an inline table is taken out
 * of it, and a value that has another spelling here gets it (edit.c) comment  everything else goes
 * by lines: those of a key and its value, of a table and all in it, get "# " in front, and a line
 * above them says why check    the result is checked as the layer it will be, strictly: without a
 * warning
 *
 * The file is the person's own, and still only read: nothing of it is run or followed.
 */
#include "config/import.h"

#include "base/limits.h"
#include "base/path.h"
#include "config/edit.h"
#include "config/keys.h"
#include "config/layers.h"

#include <errno.h>
#include <stdio.h>

enum fault_kind {
    FAULT_DROP,
    FAULT_MOVED,   /* stands in another file from now on */
    FAULT_REWRITE, /* another value means the same */
};

struct fault {
    enum fault_kind kind;
    struct bytes *parts;
    size_t n;
    size_t statement; /* of PARTS, those that stand outside of inline tables */
    const char *why;
    const char *value; /* FAULT_REWRITE: TOML */
};

struct walk {
    struct import *im;
    const char *file;
    struct bytes text;
    const struct toml_value *tree;
    bool profile; /* inside a configuration profile */
    size_t base;  /* parts in front of its keys: 2 in [profiles.NAME] */
    struct bytes parts[MAX_TOML_DEPTH + 2];
    size_t n;
    size_t statement; /* parts outside of inline tables; 0: all of them so far */
    struct fault *faults;
    size_t n_faults;
    struct error *err;
};

/* Known to bawn, and of no use to it: the agent's account, its windows, what it has shown. */
static const struct {
    const char *name, *why;
} left_behind[] = {
    {"cli_auth_credentials_store", "logins stay with the agent"},
    {"mcp_oauth_credentials_store", "logins stay with the agent"},
    {"mcp_oauth_callback_port", "logins stay with the agent"},
    {"mcp_oauth_callback_url", "logins stay with the agent"},
    {"forced_login_method", "logins stay with the agent"},
    {"forced_chatgpt_workspace_id", "logins stay with the agent"},
    {"preferred_auth_method", "logins stay with the agent"},
    {"chatgpt_base_url", "logins stay with the agent"},
    {"notice", "only the agent shows these notices"},
    {"check_for_update_on_startup", "bawn does not look for updates"},
    {"analytics", "bawn sends no statistics"},
    {"feedback", "bawn sends no feedback"},
    {"desktop", "there is no desktop program here"},
    {"windows", "there is no Windows here"},
    {"windows_wsl_setup_acknowledged", "there is no Windows here"},
    {"sqlite_home", "the agent's database stays where it is"},
    {"log_dir", "the agent's logs stay where they are"},
};

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "import");
}

/* ITEMS with room for one more than N: itself, or a copy of twice its size. NULL without memory. */
static void *grown(struct arena *a, void *items, size_t n, size_t size)
{
    if (n != 0 && (n < 16 || (n & (n - 1)) != 0))
        return items;
    void *more = arena_zalloc(a, n ? n * 2 : 16, size);
    if (more && n)
        memcpy(more, items, n * size);
    return more;
}

int import_note(struct import *im, const struct import_note *note)
{
    if (im->n_notes == MAX_IMPORT_NOTES)
        return -E2BIG;
    struct import_note *v = grown(im->arena, im->notes, im->n_notes, sizeof(*v));
    const char *copy = arena_strdup(im->arena, note->what);
    if (!v || !copy)
        return -ENOMEM;
    im->notes = v;
    im->notes[im->n_notes] = *note;
    im->notes[im->n_notes++].what = copy;
    return 0;
}

/* ---- faults ---- */

static const char *dotted(struct walk *w, const struct bytes *parts, size_t n)
{
    _cleanup_strbuf_ struct strbuf name = {0};
    key_put_dotted(&name, parts, n);
    return arena_strdup(w->im->arena, show(strbuf_text(&name)));
}

static int add_fault(struct walk *w, enum fault_kind kind, const struct toml_member *m,
                     const char *why, const char *value)
{
    struct arena *a = w->im->arena;
    struct bytes *parts = arena_zalloc(a, w->n, sizeof(*parts));
    const char *name = dotted(w, w->parts, w->n), *copy = arena_strdup(a, why);
    const char *line = name && copy ? arena_printf(a, "%s: %s", name, copy) : NULL;
    struct fault *v = grown(a, w->faults, w->n_faults, sizeof(*v));
    if (!parts || !line || !v)
        return no_memory(w->err);
    w->faults = v;
    memcpy(parts, w->parts, w->n * sizeof(*parts));
    size_t statement = w->statement ? w->statement : w->n;
    w->faults[w->n_faults++] = (struct fault){kind, parts, w->n, statement, line, value};
    if (kind == FAULT_MOVED)
        return 0;
    const struct import_note note = {w->file, m->key_span.line, m->key_span.column, line,
                                     kind == FAULT_REWRITE};
    int r = import_note(w->im, &note);
    if (r == -E2BIG)
        return error_set(w->err, r, "%s: more than %u keys cannot be imported", show(w->file),
                         MAX_IMPORT_NOTES);
    return r < 0 ? no_memory(w->err) : 0;
}

static int drop(struct walk *w, const struct toml_member *m, const char *why)
{
    return add_fault(w, FAULT_DROP, m, why, NULL);
}

static int drop_unknown(struct walk *w, const struct toml_member *m)
{
    const char *near = keys_nearest(&config_keys, w->parts + w->base, w->n - w->base - 1, m->key.p);
    const char *why = near ? arena_printf(w->im->arena, "unknown key; did you mean \"%s\"?", near)
                           : "unknown key";
    return why ? drop(w, m, why) : no_memory(w->err);
}

static int drop_wrong(struct walk *w, const struct toml_member *m, enum toml_type type)
{
    const char *why =
        arena_printf(w->im->arena, "expected a table, found %s", toml_type_name(type));
    return why ? drop(w, m, why) : no_memory(w->err);
}

/* ---- trust ---- */

static int add_trust(struct walk *w, const char *path, enum trust_level level)
{
    struct arena *a = w->im->arena;
    struct trust *t = &w->im->trust;
    char *real, *normal = path_join(a, "/", path);
    if (!normal)
        return no_memory(w->err);
    /* What is not there any more, or cannot be looked at, keeps the name it has. */
    if (path_canonical(a, normal, &real, NULL) < 0)
        real = normal;
    for (size_t i = 0; i < t->n; i++) {
        if (!str_eq(t->v[i].path, real))
            continue;
        if (level == TRUST_UNTRUSTED)
            t->v[i].level = level;
        return 0;
    }
    struct trust_entry *v = grown(a, t->v, t->n, sizeof(*v));
    if (!v)
        return no_memory(w->err);
    t->v = v;
    t->v[t->n++] = (struct trust_entry){.path = real, .level = level};
    return 0;
}

static int note_here(struct walk *w, const struct toml_member *m, const char *why)
{
    const char *name = dotted(w, w->parts, w->n);
    const char *line = name ? arena_printf(w->im->arena, "%s: %s", name, why) : NULL;
    const struct import_note note = {w->file, m->key_span.line, m->key_span.column, line, false};
    int r = line ? import_note(w->im, &note) : -ENOMEM;
    return r < 0 ? error_errno(w->err, r, "import") : 0;
}

static int take_project(struct walk *w, const struct toml_member *m)
{
    if (m->value->type != TOML_TABLE)
        return note_here(w, m, "expected a table");
    const struct toml_value *level = toml_get(m->value, BYTES("trust_level"));
    for (const struct toml_member *k = m->value->table.first; k; k = k->next) {
        if (bytes_is(k->key, "trust_level"))
            continue;
        w->parts[w->n++] = k->key;
        int r = note_here(w, k, "trust has no such key");
        w->n--;
        if (r < 0)
            return r;
    }
    if (!level)
        return 0;
    if (m->key.n == 0 || m->key.p[0] != '/' || memchr(m->key.p, '\0', m->key.n))
        return note_here(w, m, "not an absolute path");
    if (level->type == TOML_STRING && bytes_is(level->string, "trusted"))
        return add_trust(w, m->key.p, TRUST_TRUSTED);
    if (level->type == TOML_STRING && bytes_is(level->string, "untrusted"))
        return add_trust(w, m->key.p, TRUST_UNTRUSTED);
    return note_here(w, m, "trust_level is neither \"trusted\" nor \"untrusted\"");
}

static int take_projects(struct walk *w, const struct toml_member *m)
{
    for (const struct toml_member *p = m->value->table.first; p; p = p->next) {
        w->parts[w->n++] = p->key;
        int r = take_project(w, p);
        w->n--;
        if (r < 0)
            return r;
    }
    return m->value->table.n ? add_fault(w, FAULT_MOVED, m, "in trust.toml from now on", NULL) : 0;
}

/* ---- what names something else ---- */

static const struct toml_value *table_at(const struct toml_value *tree, const char *name)
{
    const struct toml_value *v = tree ? toml_get(tree, bytes_of(name)) : NULL;
    return v && v->type == TOML_TABLE ? v : NULL;
}

static bool is_profile_file(const struct import *im, struct bytes name)
{
    for (size_t i = 0; i < im->profiles.n; i++)
        if (bytes_is(name, im->profiles.v[i]))
            return true;
    return false;
}

/* NULL when what VALUE names is there. */
static const char *missing_name(const struct walk *w, const char *key,
                                const struct toml_value *value)
{
    static const char *const built_in[] = {":read-only", ":workspace", ":danger-full-access"};
    struct bytes name = value->string;
    if (str_eq(key, "profile")) {
        const struct toml_value *tables = table_at(w->tree, "profiles");
        return is_profile_file(w->im, name) || (tables && toml_get(tables, name))
                   ? NULL
                   : "there is no such profile";
    }
    for (size_t i = 0; i < ARRAY_LEN(built_in); i++)
        if (bytes_is(name, built_in[i]))
            return NULL;
    const struct toml_value *own = table_at(w->tree, "permissions");
    const struct toml_value *main = table_at(w->im->main, "permissions");
    return (own && toml_get(own, name)) || (main && toml_get(main, name))
               ? NULL
               : "there is no such permission profile";
}

/* ---- the walk ---- */

static int visit_all(struct walk *w, const struct toml_value *table);

static bool is_at(const struct walk *w, size_t depth, const char *name)
{
    return w->n == w->base + depth && bytes_is(w->parts[w->base], name);
}

static bool is_inline(const struct walk *w, const struct toml_value *v)
{
    return v->type == TOML_TABLE && v->span.offset < w->text.n && w->text.p[v->span.offset] == '{';
}

static int visit_table(struct walk *w, const struct toml_value *table)
{
    size_t statement = w->statement;
    if (!statement && is_inline(w, table))
        w->statement = w->n;
    int r = visit_all(w, table);
    w->statement = statement;
    return r;
}

/* Only a word, or sub-paths with words. */
static bool is_access(const struct toml_value *v, bool nested)
{
    static const char *const words[] = {"read", "write", "none", "deny"};
    if (v->type == TOML_TABLE && !nested) {
        for (const struct toml_member *m = v->table.first; m; m = m->next)
            if (!is_access(m->value, true))
                return false;
        return true;
    }
    for (size_t i = 0; v->type == TOML_STRING && i < ARRAY_LEN(words); i++)
        if (bytes_is(v->string, words[i]))
            return true;
    /* { "." = …, create = true } */
    return nested && (v->type == TOML_TABLE || v->type == TOML_BOOLEAN);
}

/* A table of plain values: only those that are wrong go. */
static int visit_values(struct walk *w, const struct toml_member *m, const struct config_key *key)
{
    size_t statement = w->statement;
    int r = 0;
    if (!statement && is_inline(w, m->value))
        w->statement = w->n;
    for (const struct toml_member *k = m->value->table.first; r == 0 && k; k = k->next) {
        struct error local = {0};
        const struct toml_value *at;
        struct toml_member one = *k;
        struct toml_value alone = *m->value;
        one.next = NULL;
        alone.table.first = alone.table.last = &one;
        alone.table.n = 1;
        w->parts[w->n++] = k->key;
        if (key_check(key, &alone, &at, &local) < 0)
            r = drop(w, k, local.message);
        w->n--;
    }
    w->statement = statement;
    return r;
}

static int visit_known(struct walk *w, const struct toml_member *m, const struct config_key *key)
{
    struct error local = {0};
    const struct toml_value *at;
    if (w->profile && (key->flags & KEY_TOP))
        return drop(w, m, "cannot stand in a configuration profile");
    int r = key_check(key, m->value, &at, &local);
    if (r == -ENOMEM)
        return no_memory(w->err);
    if (r < 0 && m->value->type == TOML_TABLE && at != m->value)
        return visit_values(w, m, key);
    if (r < 0)
        return drop(w, m, local.message);
    if (is_at(w, 1, "profile") || is_at(w, 1, "default_permissions")) {
        const char *why = missing_name(w, key->name, m->value);
        if (why)
            return drop(w, m, why);
    }
    if (is_at(w, 1, "approval_policy") && m->value->type == TOML_STRING &&
        bytes_is(m->value->string, "on-failure"))
        return add_fault(w, FAULT_REWRITE, m, "\"on-failure\" is \"on-request\" here",
                         "\"on-request\"");
    return 0;
}

static int visit_profile(struct walk *w, const struct toml_member *m)
{
    if (m->value->type != TOML_TABLE)
        return drop_wrong(w, m, m->value->type);
    if (is_profile_file(w->im, m->key))
        return drop(w, m, "the file of this name is the profile");
    w->profile = true;
    w->base = 2;
    int r = visit_table(w, m->value);
    w->profile = false;
    w->base = 0;
    return r;
}

static int visit(struct walk *w, const struct toml_member *m)
{
    bool inner;
    for (size_t i = 0; i < ARRAY_LEN(left_behind); i++)
        if (is_at(w, 1, left_behind[i].name))
            return drop(w, m, left_behind[i].why);
    if (!w->profile && is_at(w, 1, "projects") && m->value->type == TOML_TABLE)
        return take_projects(w, m);
    if (!w->profile && is_at(w, 2, "profiles"))
        return visit_profile(w, m);
    if (is_at(w, 2, "permissions") && m->value->type != TOML_TABLE)
        return drop_wrong(w, m, m->value->type);

    const struct config_key *key =
        keys_find(&config_keys, w->parts + w->base, w->n - w->base, &inner);
    bool path = is_at(w, 4, "permissions") && bytes_is(w->parts[w->base + 2], "filesystem");
    if (!key && path)
        return is_access(m->value, false)
                   ? 0
                   : drop(w, m, "expected \"read\", \"write\" or \"none\", or a table of them");
    if (!key && !inner)
        return drop_unknown(w, m);
    if (!key && m->value->type != TOML_TABLE)
        return drop_wrong(w, m, m->value->type);
    size_t before = w->n_faults;
    int r = key ? visit_known(w, m, key) : 0;
    if (r < 0 || w->n_faults > before)
        return r;
    return inner && m->value->type == TOML_TABLE ? visit_table(w, m->value) : 0;
}

static int visit_all(struct walk *w, const struct toml_value *table)
{
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        if (w->n == ARRAY_LEN(w->parts))
            return error_set(w->err, -E2BIG, "%s: nested deeper than %u", show(w->file),
                             MAX_TOML_DEPTH);
        w->parts[w->n++] = m->key;
        int r = visit(w, m);
        w->n--;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- editing inside a statement ---- */

static int edit_one(struct walk *w, struct fault *f, struct bytes *text)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error local = {0};
    struct bytes value = f->kind == FAULT_REWRITE ? bytes_of(f->value) : (struct bytes){0};
    int r = edit_set(*text, w->file, f->parts, f->n, value, &out, &local);
    if (r == -ENOMEM)
        return no_memory(w->err);
    if (r < 0) {
        /* What cannot be taken out alone goes with the statement around it, and that is said. */
        f->kind = FAULT_DROP;
        f->n = f->statement;
        const char *whole = dotted(w, f->parts, f->n);
        const char *why =
            whole ? arena_printf(w->im->arena, "%s; all of %s goes with it", f->why, whole) : NULL;
        if (!why)
            return no_memory(w->err);
        for (size_t i = 0; i < w->im->n_notes; i++)
            if (str_eq(w->im->notes[i].what, f->why) && str_eq(w->im->notes[i].file, w->file))
                w->im->notes[i].what = why;
        f->why = why;
        return 0;
    }
    char *copy = arena_strndup(w->im->arena, strbuf_text(&out), out.n);
    if (!copy)
        return no_memory(w->err);
    *text = (struct bytes){copy, out.n};
    return 0;
}

static bool is_edit(const struct fault *f)
{
    return f->kind == FAULT_REWRITE || (f->kind == FAULT_DROP && f->n > f->statement);
}

/* ---- commenting out ---- */

struct lines {
    struct bytes text;
    bool *out;          /* line I + 1 becomes a comment */
    const char **above; /* comments that go above it, or NULL */
    size_t n;
    size_t first; /* of what is being marked */
};

static void mark(struct lines *l, size_t from, size_t offset, size_t length)
{
    if (l->first == 0 || from < l->first)
        l->first = from;
    for (size_t i = offset; i < offset + length && i < l->text.n; i++) {
        if (from >= 1 && from <= l->n)
            l->out[from - 1] = true;
        from += l->text.p[i] == '\n';
    }
}

static bool by_header(const struct lines *l, const struct toml_value *v)
{
    return v->type == TOML_TABLE && v->span.offset < l->text.n && l->text.p[v->span.offset] == '[';
}

static void mark_member(struct lines *l, const struct toml_member *m);

static void mark_table(struct lines *l, const struct toml_value *v)
{
    if (by_header(l, v))
        mark(l, v->span.line, v->span.offset, 1);
    for (const struct toml_member *m = v->table.first; m; m = m->next)
        mark_member(l, m);
}

static void mark_member(struct lines *l, const struct toml_member *m)
{
    const struct toml_value *v = m->value;
    bool braces = v->span.offset < l->text.n && l->text.p[v->span.offset] == '{';
    if (v->type == TOML_TABLE && !braces) {
        mark_table(l, v);
    } else if (v->type == TOML_ARRAY && v->array.n && by_header(l, v->array.items[0])) {
        for (size_t i = 0; i < v->array.n; i++)
            mark_table(l, v->array.items[i]);
    } else {
        mark(l, m->key_span.line, m->key_span.offset,
             v->span.offset + MAX_OF(v->span.length, 1u) - m->key_span.offset);
    }
}

static const struct toml_member *member_at(const struct toml_value *tree, const struct bytes *parts,
                                           size_t n)
{
    const struct toml_member *m = NULL;
    for (size_t i = 0; i < n; i++) {
        if (!tree || tree->type != TOML_TABLE || !(m = toml_member(tree, parts[i])))
            return NULL;
        tree = m->value;
    }
    return m;
}

static int put_above(struct walk *w, struct lines *l, size_t line, const char *lead,
                     const char *why)
{
    const char **p = &l->above[line - 1];
    *p = arena_printf(w->im->arena, "%s# %s: %s\n", *p ? *p : "", lead, why);
    return *p ? 0 : no_memory(w->err);
}

static int mark_fault(struct walk *w, struct lines *l, const struct toml_value *tree,
                      const struct fault *f)
{
    const struct toml_member *m = member_at(tree, f->parts, is_edit(f) ? f->statement : f->n);
    if (!m)
        return 0; /* an earlier one took it along */
    bool edit = is_edit(f);
    l->first = 0;
    if (edit)
        l->first = m->key_span.line;
    else
        mark_member(l, m);
    if (l->first == 0)
        return 0;
    const char *lead = f->kind == FAULT_MOVED     ? "moved"
                       : f->kind == FAULT_REWRITE ? "changed"
                                                  : "not imported";
    return put_above(w, l, l->first, lead, f->why);
}

static int comment_out(struct walk *w, struct bytes text, struct strbuf *out)
{
    struct arena *a = w->im->arena;
    struct lines l = {.text = text, .n = 1};
    struct toml_value *tree;
    int r = toml_parse(a, w->file, text, TOML_1_1, &tree, w->err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < text.n; i++)
        l.n += text.p[i] == '\n';
    l.out = arena_zalloc(a, l.n, sizeof(*l.out));
    l.above = arena_zalloc(a, l.n, sizeof(*l.above));
    if (!l.out || !l.above)
        return no_memory(w->err);
    for (size_t i = 0; r == 0 && i < w->n_faults; i++)
        r = mark_fault(w, &l, tree, &w->faults[i]);
    size_t at = 0;
    for (size_t i = 0; r == 0 && i < l.n; i++) {
        const char *lf = at < text.n ? memchr(text.p + at, '\n', text.n - at) : NULL;
        size_t end = lf ? (size_t)(lf - text.p) + 1 : text.n;
        if (l.above[i])
            strbuf_puts(out, l.above[i]);
        if (l.out[i])
            strbuf_puts(out, "# ");
        strbuf_put(out, text.p + at, end - at);
        at = end;
    }
    return r == 0 && strbuf_failed(out) ? no_memory(w->err) : r;
}

/* ---- the result ---- */

/* Without a warning, as the layer that it is to be. */
static int check_result(struct walk *w, struct bytes text, bool profile)
{
    struct arena *a = w->im->arena;
    struct config config = {.arena = a};
    enum config_rank rank = profile ? RANK_PROFILE : RANK_USER;
    struct config_layer layer = {
        .rank = rank, .name = config_rank_word(rank), .file = w->file, .text = text};
    struct toml_value *tree;
    int r = config_parse_layer(a, &layer, &tree, w->err);
    if (r == 0)
        r = layer_check(&config, &config_keys, &layer, tree, true, w->err);
    const struct toml_value *profiles = r == 0 ? table_at(tree, "profiles") : NULL;
    layer.rank = RANK_PROFILE;
    for (const struct toml_member *m = profiles ? profiles->table.first : NULL; r == 0 && m;
         m = m->next)
        r = layer_check(&config, &config_keys, &layer, m->value, true, w->err);
    return r < 0 ? error_wrap(w->err, r, "the imported text is not right, and nothing is written")
                 : 0;
}

int import_check_text(struct import *im, const char *file, struct bytes text, bool profile,
                      struct error *err)
{
    struct walk w = {.im = im, .file = file, .text = text, .err = err};
    return check_result(&w, text, profile);
}

int import_text(struct import *im, const char *file, struct bytes text, bool profile,
                struct bytes *ret, struct error *err)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct toml_value *tree;
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text = (struct bytes){text.p + 3, text.n - 3};
    struct walk w = {.im = im, .file = file, .text = text, .profile = profile, .err = err};
    int r = toml_parse(im->arena, file, text, TOML_1_1, &tree, err);
    if (r < 0)
        return r;
    w.tree = tree;
    if (!profile)
        im->main = tree;
    r = visit_all(&w, tree);
    struct bytes edited = text;
    for (size_t i = 0; r == 0 && i < w.n_faults; i++)
        if (is_edit(&w.faults[i]))
            r = edit_one(&w, &w.faults[i], &edited);
    if (r == 0)
        r = comment_out(&w, edited, &out);
    if (r < 0)
        return r;
    char *copy = arena_strndup(im->arena, strbuf_text(&out), out.n);
    if (!copy)
        return no_memory(err);
    struct bytes result = {copy, out.n};
    r = check_result(&w, result, profile);
    if (r == 0)
        *ret = result;
    return r;
}
