/*
 * bawn permissions preset NAME [HOST…]: the lines of a profile with which a package manager or git
 * gets through a filtered network, printed, or written to the user's file.
 *
 * A host gets there in two ways: a tool that is installed says that it uses it (preset_ask.h), or
 * the person names it. What a command could have put where a tool finds it is shown and not
 * written.
 */
#include "cli/cmd_preset.h"

#include "base/path.h"
#include "cli/preset_ask.h"
#include "cli/print.h"
#include "config/edit.h"
#include "config/value.h"
#include "network/preset.h"

#include <errno.h>
#include <signal.h>

/* ---- words ---- */

static int usage(const char *message, const char *word)
{
    struct error err = {0};
    const char *names[16];
    size_t n = 0;
    _cleanup_strbuf_ struct strbuf all = {0};
    for (; n < n_net_presets && n < ARRAY_LEN(names); n++) {
        names[n] = net_presets[n].name;
        strbuf_printf(&all, "%s%s", n ? ", " : "", names[n]);
    }
    (void)error_set(&err, -EINVAL, "permissions preset: %s%s", message, word ? show(word) : "");
    const char *near = word ? nearest_word(word, names, n) : NULL;
    if (near)
        error_hint(&err, "did you mean %s?", near);
    else
        error_hint(&err, "one of %s", strbuf_text(&all));
    return cli_error(&err, EXIT_USAGE);
}

static int bad(const char *what, const char *hint, int status)
{
    struct error err = {0};
    (void)error_set(&err, -EINVAL, "permissions preset: %s", what);
    error_hint(&err, "%s", hint);
    return cli_error(&err, status);
}

/* The hosts that are named. 0, or what to exit with. */
static int add_named(struct preset_found *f, const struct options *o)
{
    for (size_t i = 2; i < o->n_rest; i++)
        if (!preset_add_host(f, bytes_of(o->rest[i]), "named on the command line"))
            return bad(arena_printf(f->arena, "%s is no host", show(o->rest[i])),
                       "a host, or HOST:PORT, in ASCII: git.example.com", EXIT_USAGE);
    return 0;
}

/* Whose lines they are. NULL: nobody has said. */
static const char *profile_of(const struct setup *s, const char *named)
{
    return named ? named : s->profile->name[0] != ':' ? s->profile->name : NULL;
}

/* ---- writing ---- */

struct writing {
    struct setup *s;
    const struct preset_found *f;
    const char *profile, *file;
};

/* What TREE says at the place. */
static const struct toml_value *value_at(const struct toml_value *tree, const struct bytes *parts,
                                         size_t n)
{
    for (size_t i = 0; tree && i < n; i++)
        tree = tree->type == TOML_TABLE ? toml_get(tree, parts[i]) : NULL;
    return tree;
}

/* TEXT with one more key, in its place. */
static int set(const struct writing *w, struct strbuf *text, const struct bytes *parts, size_t n,
               const char *value, struct error *err)
{
    struct strbuf out = {0};
    int r = edit_set((struct bytes){strbuf_text(text), text->n}, w->file, parts, n, bytes_of(value),
                     &out, err);
    if (r == 0 && strbuf_failed(&out))
        r = error_errno(err, -ENOMEM, "permissions preset");
    if (r < 0) {
        strbuf_release(&out);
        return r;
    }
    strbuf_release(text);
    *text = out;
    return 0;
}

/* A key that nobody has set yet, here or in another layer. */
static int set_missing(const struct writing *w, const struct toml_value *tree, struct strbuf *text,
                       const struct bytes *parts, size_t n, const char *value, struct error *err)
{
    if (value_at(tree, parts, n) || value_at(w->s->config->tree, parts, n))
        return 0;
    return set(w, text, parts, n, value, err);
}

static int set_hosts(struct writing *w, const struct toml_value *tree, struct strbuf *text,
                     struct error *err)
{
    struct bytes parts[] = {
        BYTES("permissions"), bytes_of(w->profile), BYTES("network"), BYTES("domains"), {0}};
    int r = 0;
    for (size_t i = 0; r == 0 && i < w->f->hosts.n; i++) {
        const struct preset_host *h = &w->f->hosts.v[i];
        parts[4] = bytes_of(h->pattern);
        const struct toml_value *there = value_at(tree, parts, ARRAY_LEN(parts));
        if (h->doubtful ||
            (there && there->type == TOML_STRING && bytes_is(there->string, "allow")))
            continue;
        if (there) {
            r = error_set(err, -EEXIST,
                          "[permissions.%s.network.domains] already says something "
                          "else of \"%s\"",
                          show(w->profile), h->pattern);
            error_at(err, w->file, there->span.line, there->span.column, 0, NULL, 0);
            return r;
        }
        r = set(w, text, parts, ARRAY_LEN(parts), "\"allow\"", err);
    }
    return r;
}

static bool says(const struct toml_value *rule, const char *key, const char *want)
{
    const struct toml_value *v = toml_get(rule, bytes_of(key));
    return v && want ? v->type == TOML_STRING && bytes_is(v->string, want) : !v && !want;
}

/* Is there such a rule among those of LIST? */
static bool has_rule(const struct toml_value *list, const struct preset_host *h,
                     const struct preset_rule *rule)
{
    for (size_t i = 0; list && i < list->array.n; i++) {
        const struct toml_value *one = list->array.items[i];
        _cleanup_strbuf_ struct strbuf methods = {0};
        if (one->type != TOML_TABLE || !says(one, "host", h->pattern) ||
            !says(one, "path", rule->path) || !says(one, "decision", rule->decision))
            continue;
        const struct toml_value *v = toml_get(one, BYTES("methods"));
        if (v)
            value_put_toml(&methods, v);
        if (str_eq(strbuf_text(&methods), rule->methods ? rule->methods : ""))
            return true;
    }
    return false;
}

/* A table of an array goes to the end of the file: the order among them is theirs. */
static int add_rules(const struct writing *w, const struct toml_value *tree, struct strbuf *text,
                     struct error *err)
{
    const struct bytes parts[] = {BYTES("permissions"), bytes_of(w->profile), BYTES("network"),
                                  BYTES("requests")};
    const struct toml_value *list = value_at(tree, parts, ARRAY_LEN(parts));
    bool said = false;
    if (list && list->type != TOML_ARRAY)
        return error_set(err, -EINVAL, "%s: requests of profile %s is no array", show(w->file),
                         show(w->profile));
    for (size_t i = 0; i < w->f->hosts.n; i++) {
        const struct preset_host *h = &w->f->hosts.v[i];
        const struct preset_rule *rules;
        size_t n = h->doubtful ? 0 : preset_rules(w->f->preset, h, &rules);
        for (size_t k = 0; k < n; k++) {
            if (has_rule(list, h, &rules[k]))
                continue;
            if (text->n && text->p[text->n - 1] != '\n')
                strbuf_putc(text, '\n');
            strbuf_putc(text, '\n');
            if (!said)
                strbuf_printf(text, "# %s\n", w->f->preset->what);
            said = true;
            preset_rule_toml(w->profile, h, &rules[k], text);
        }
    }
    return strbuf_failed(text) ? error_errno(err, -ENOMEM, "permissions preset") : 0;
}

static int change(void *data, struct bytes text, struct strbuf *out, struct error *err)
{
    struct writing *w = data;
    const struct bytes parts[] = {BYTES("permissions"), bytes_of(w->profile), BYTES("network"),
                                  BYTES("enabled")};
    const struct bytes extends[] = {parts[0], parts[1], BYTES("extends")};
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf now = {0};
    struct toml_value *tree;
    int r = toml_parse(&a, w->file, text, TOML_1_1, &tree, err);
    if (r < 0)
        return r;
    strbuf_put(&now, text.p, text.n);
    /* A profile that is new is the usual one with this network. */
    if (!value_at(tree, parts, 2) && !value_at(w->s->config->tree, parts, 2))
        r = set(w, &now, extends, ARRAY_LEN(extends), "\":workspace\"", err);
    if (r == 0)
        r = set_missing(w, tree, &now, parts, ARRAY_LEN(parts), "true", err);
    if (r == 0)
        r = set_hosts(w, tree, &now, err);
    if (r == 0)
        r = add_rules(w, tree, &now, err);
    if (r == 0)
        strbuf_put(out, strbuf_text(&now), now.n);
    return r;
}

/* Asked under the lock, of the text that would be written. */
static int check(void *data, struct bytes text, struct error *err)
{
    const struct writing *w = data;
    _cleanup_arena_ struct arena a = {0};
    int r = config_check_text(&a, w->file, text, err);
    if (r < 0)
        error_hint(err, "without --write the lines are printed, to be put in by hand");
    return r;
}

static int write_found(struct writing *w, bool *ret_changed, struct error *err)
{
    struct setup *s = w->s;
    if (!s->bawn_home) {
        int r = error_set(err, -ENOENT, "permissions preset: there is no home to write to");
        error_hint(err, "set HOME or BAWN_HOME");
        return r;
    }
    if (!(w->file = path_join(&s->arena, s->bawn_home, "config.toml")))
        return error_errno(err, -ENOMEM, "permissions preset");
    const struct edit_request request = {
        .file = w->file, .mode = 0600, .edit = change, .check = check, .data = w};
    /* As in config set: at the limit of a file's size the write fails, and is cleaned up after. */
    (void)signal(SIGXFSZ, SIG_IGN);
    return edit_file(&request, ret_changed, err);
}

/* ---- all of it ---- */

static int print_found(const struct preset_found *f, const char *profile, bool as_json)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct json j;
    json_begin(&j, &out);
    if (as_json) {
        preset_json(f, profile, &j);
        strbuf_putc(&out, '\n');
    } else {
        preset_toml(f, profile, &out);
    }
    if (strbuf_failed(&out) || (as_json && !json_ok(&j)))
        return cli_failure(EXIT_BROKEN, "out of memory");
    return print_out(&out);
}

static bool any_certain(const struct preset_found *f)
{
    for (size_t i = 0; i < f->hosts.n; i++)
        if (!f->hosts.v[i].doubtful)
            return true;
    return false;
}

static int finish(struct setup *s, const struct preset_found *f, const char *named,
                  const struct options *o)
{
    const char *profile = profile_of(s, named);
    if (!o->write)
        return print_found(f, profile ? profile : "NAME", o->json);
    if (!profile)
        return bad("no profile of yours is in force, and none is named",
                   "--profile NAME says which is to get the lines; a new one extends :workspace",
                   EXIT_USAGE);
    struct writing w = {.s = s, .f = f, .profile = profile};
    struct error err = {0};
    bool changed = false;
    for (size_t i = 0; !o->json && i < f->notes.n; i++)
        print_note("%s", f->notes.v[i]);
    if (!any_certain(f))
        return bad("no host is known that could be written",
                   "name them: bawn permissions preset NAME HOST… --write", EXIT_BROKEN);
    if (write_found(&w, &changed, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (!o->json)
        print_note("%s: [permissions.%s.network] %s", show(w.file), show(profile),
                   changed ? "has the hosts and rules now" : "had them all already");
    return o->json ? print_found(f, profile, true) : 0;
}

int permissions_preset(struct setup *s, struct options *o)
{
    const struct net_preset *preset = o->n_rest > 1 ? net_preset_find(o->rest[1]) : NULL;
    _cleanup_preset_found_ struct preset_found found = {.arena = &s->arena, .preset = preset};
    struct error err = {0};
    /* Here it is the profile that gets the lines, and it may not be there yet. */
    const char *named = o->config_profile ? o->config_profile : o->permissions;
    o->config_profile = o->permissions = NULL;
    if (!preset)
        return usage(o->n_rest > 1 ? "there is no preset " : "say which",
                     o->n_rest > 1 ? o->rest[1] : NULL);
    if (named && (named[0] == ':' || !*named))
        return bad("a built-in profile cannot be changed",
                   "--profile NAME; a new one extends :workspace", EXIT_USAGE);
    if (preset->kind == PRESET_GIT_READ && o->n_rest == 2)
        return bad("git-read wants the host to fetch from",
                   "bawn permissions preset git-read git.example.com", EXIT_USAGE);
    int status = cli_load(s, o);
    if (status)
        return status;
    print_warnings(s->config->warnings, s->config->n_warnings);
    int r = preset->kind == PRESET_GIT_READ ? 0 : preset_ask(s, &found, &err);
    /* Who names the hosts needs nobody to say them. */
    if (r < 0 && o->n_rest == 2)
        return cli_error(&err, EXIT_BROKEN);
    if ((status = add_named(&found, o)))
        return status;
    return finish(s, &found, named, o);
}
