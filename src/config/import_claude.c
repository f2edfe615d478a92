/*
 * What a person permits Claude Code, as bawn's rules and a permission profile. See import.h.
 *
 *   Bash(…)       a line of rules/imported-claude.rules: allow runs in the sandbox without asking
 *                 (there it says nothing about sandboxes), ask is a prompt, deny is forbidden
 *   Read, Edit    denials become entries of the profile: none, or read
 *   WebFetch      network_rule() for the domain
 *   the rest      is of the agent's own tools, and said so
 *
 * An entry that bawn cannot say exactly is never brought over as something wider. Where a denial
 * becomes a stricter one it is brought over and said ("changed"); where an allow would become a
 * wider one it stands in the file as a comment, and is said ("not imported").
 */
#include "config/import.h"

#include "base/json_read.h"
#include "base/limits.h"
#include "base/path.h"
#include "base/vec.h"
#include "config/value.h"

#include <errno.h>

#define RULES_NAME   "rules/imported-claude.rules"
#define PROFILE_NAME "claude.config.toml"

enum verdict { ALLOW, ASK, DENY };

/* One entry of the profile. */
struct entry {
    const char *path;
    bool below_roots; /* in each workspace root */
    bool none;        /* else read */
};

struct claude {
    struct import *im;
    const char *file; /* the one that is read */
    struct bytes text;
    bool project; /* it is a project's */
    unsigned line, column;
    struct strbuf rules;
    VEC(struct entry) entries;
    VEC(const char *) dirs; /* more workspace roots */
    const char *policy;
    struct error *err;
};

static int no_memory(struct claude *c)
{
    return error_errno(c->err, -ENOMEM, "import");
}

/* ---- notes ---- */

static void find_place(struct claude *c, const struct json_value *v)
{
    struct error place = {0};
    (void)json_fail(&place, c->file, c->text, v, "here");
    c->line = place.line;
    c->column = place.column;
}

static int note(struct claude *c, bool changed, const char *what, const char *why)
{
    const char *line = arena_printf(c->im->arena, "%s: %s", show(what), why);
    const struct import_note n = {c->file, c->line, c->column, line, changed};
    int r = line ? import_note(c->im, &n) : -ENOMEM;
    if (r == -E2BIG)
        return error_set(c->err, r, "%s: more than %u entries cannot be imported", show(c->file),
                         MAX_IMPORT_NOTES);
    return r < 0 ? no_memory(c) : 0;
}

static int not_imported(struct claude *c, const char *entry, const char *why)
{
    return note(c, false, entry, why);
}

/* ---- rules ---- */

/* Where it comes from, above each line. */
static void put_origin(struct claude *c, const char *entry)
{
    strbuf_printf(&c->rules, "\n# %s:%u:%u %s\n", show(c->file), c->line, c->column, show(entry));
}

static bool is_plain(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f ||
            strchr("\"'`\\$;&|<>(){}[]?*!#~", *s))
            return false;
    return true;
}

struct command {
    char *words[64];
    size_t n;
    bool exact; /* nothing may follow */
};

/* SPEC of Bash(SPEC) as words. Returns NULL, or why it cannot be one. */
static const char *split(struct arena *a, const char *spec, struct command *ret)
{
    size_t n = strlen(spec);
    *ret = (struct command){.exact = true};
    if (str_eq(spec, "*") || str_eq(spec, ":*"))
        return "every command: an approval policy says that, not a rule";
    if (n > 2 && (str_eq(spec + n - 2, ":*") || str_eq(spec + n - 2, " *"))) {
        ret->exact = false;
        n -= 2;
    }
    char *text = arena_strndup(a, spec, n);
    if (!text)
        return "out of memory";
    if (strchr(text, '*'))
        return "a wildcard inside of a command: rules compare whole words from the beginning";
    for (char *p = text; *p;) {
        p += strspn(p, " ");
        size_t len = strcspn(p, " ");
        if (!len)
            break;
        if (ret->n == ARRAY_LEN(ret->words))
            return "more words than a rule of this import has";
        if (!(ret->words[ret->n] = arena_strndup(a, p, len)))
            return "out of memory";
        if (!is_plain(ret->words[ret->n++]))
            return "quotes or signs of the shell: write a rule by hand";
        p += len;
    }
    if (ret->n == 0)
        return "no command";
    return strchr(ret->words[0], '=') ? "begins with an assignment, not with a command" : NULL;
}

static void put_rule(struct claude *c, const struct command *cmd, enum verdict verdict,
                     bool comment)
{
    static const char *const ends[] = {[ALLOW] = "decision = \"allow\", sandbox = True",
                                       [ASK] = "decision = \"prompt\"",
                                       [DENY] = "decision = \"forbidden\""};
    strbuf_puts(&c->rules, comment ? "# prefix_rule(pattern = [" : "prefix_rule(pattern = [");
    for (size_t i = 0; i < cmd->n; i++)
        strbuf_printf(&c->rules, "%s\"%s\"", i ? ", " : "", cmd->words[i]);
    strbuf_printf(&c->rules, "], %s)\n", ends[verdict]);
}

static int add_bash(struct claude *c, const char *entry, const char *spec, enum verdict verdict)
{
    struct command cmd;
    const char *why = split(c->im->arena, spec ? spec : "*", &cmd);
    if (why)
        return not_imported(c, entry, why);
    const char *problem = verdict != ALLOW ? NULL
                          : c->project
                              ? "of one project, and would hold in all: a comment in " RULES_NAME
                                " has the line for its .bawn/rules"
                          : cmd.exact ? "exactly these words, and a rule takes what follows them, "
                                        "too: a comment in " RULES_NAME " has the line"
                                      : NULL;
    put_origin(c, entry);
    put_rule(c, &cmd, verdict, problem != NULL);
    if (problem)
        return not_imported(c, entry, problem);
    if (verdict != ALLOW && cmd.exact)
        return note(c, true, entry, "holds for what follows these words, too");
    return verdict != ALLOW && c->project ? note(c, true, entry, "holds in every project") : 0;
}

static int add_fetch(struct claude *c, const char *entry, const char *spec, enum verdict verdict)
{
    static const char *const decisions[] = {"allow", "prompt", "forbidden"};
    const char *host = spec && str_starts(spec, "domain:") ? spec + 7 : NULL;
    if (!host || !*host)
        return not_imported(c, entry,
                            "names no domain: whether there is a network at all says the "
                            "permission profile");
    if (host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")])
        return not_imported(c, entry, "no plain name of a host: write a network_rule by hand");
    bool comment = verdict == ALLOW && c->project;
    put_origin(c, entry);
    for (int i = 0; i < (verdict == ALLOW ? 1 : 2); i++)
        strbuf_printf(&c->rules,
                      "%snetwork_rule(host = \"%s\", protocol = \"%s\", decision = \"%s\")\n",
                      comment ? "# " : "", host, i ? "http" : "https", decisions[verdict]);
    if (comment)
        return not_imported(c, entry,
                            "of one project, and would hold in all: a comment in " RULES_NAME
                            " has the line for its .bawn/rules");
    return verdict != ALLOW && c->project ? note(c, true, entry, "holds in every project") : 0;
}

/* ---- paths ---- */

static bool has_dots(const char *path)
{
    struct bytes part;
    while (path_next(&path, &part))
        if (bytes_is(part, ".") || bytes_is(part, ".."))
            return true;
    return false;
}

static bool has_glob(const char *path)
{
    return path[strcspn(path, "*?[")] != '\0';
}

/* SPEC of Read(SPEC) as an entry's path. Returns NULL, or why it cannot be one. */
static const char *read_path(struct claude *c, const char *spec, struct entry *ret)
{
    struct arena *a = c->im->arena;
    size_t n = strlen(spec);
    bool below = false;
    if (str_starts(spec, "//")) {
        spec++, n--;
    } else if (*spec == '/') {
        if (!c->project)
            return "begins with / and means the folder of the settings: write it with // or ~/";
        spec++, n--, below = true;
    } else if (!(spec[0] == '~' && (spec[1] == '/' || !spec[1]))) {
        below = true;
    }
    if (below && str_starts(spec, "./"))
        spec += 2, n -= 2;
    while (n > 3 && memcmp(spec + n - 3, "/**", 3) == 0)
        n -= 3;
    while (n > 1 && spec[n - 1] == '/')
        n--;
    char *path = arena_strndup(a, spec, n);
    if (!path)
        return "out of memory";
    for (const char *p = path; *p; p++)
        if ((unsigned char)*p < ' ' || strchr("\\{}!", *p))
            return "signs that patterns here do not have";
    const char *open = strchr(path, '[');
    if (n == 0 || str_eq(path, "**") || str_eq(path, "*"))
        return "everything: choose another permission profile";
    if (has_dots(below ? path : path + 1))
        return "leaves the folder that it begins in";
    if (open && !strchr(open, ']'))
        return "a bracket that is not closed";
    *ret = (struct entry){.path = path, .below_roots = below};
    return NULL;
}

static int add_entry(struct claude *c, const struct entry *e)
{
    vec_foreach (old, &c->entries)
        if (old->below_roots == e->below_roots && str_eq(old->path, e->path)) {
            old->none = old->none || e->none;
            return 0;
        }
    struct entry *slot = vec_push_max(&c->entries, MAX_IMPORT_NOTES);
    if (!slot)
        return no_memory(c);
    *slot = *e;
    return 0;
}

static int add_path(struct claude *c, const char *entry, const char *spec, enum verdict verdict,
                    bool none)
{
    struct entry e = {0};
    if (verdict == ALLOW)
        return not_imported(c, entry,
                            "says when the agent need not ask; what a command may read and "
                            "write says the permission profile");
    if (verdict == ASK)
        return not_imported(c, entry, "bawn asks about commands, not about paths");
    const char *why =
        spec ? read_path(c, spec, &e) : "everything: choose another permission profile";
    if (why)
        return not_imported(c, entry, why);
    /* A bare name means one in any folder, as in .gitignore. */
    bool bare = e.below_roots && !strchr(e.path, '/') && !str_starts(spec, "./") && *spec != '/';
    if (bare)
        e.path = arena_printf(c->im->arena, "**/%s", e.path);
    if (!e.path)
        return no_memory(c);
    if (!none && has_glob(e.path))
        return not_imported(c, entry,
                            "a pattern can be shut, and not be left open for reading: name "
                            "the path, or deny Read");
    e.none = none;
    int r = add_entry(c, &e);
    return r == 0 && c->project ? note(c, true, entry, "holds in every project") : r;
}

/* ---- entries ---- */

static const char *tool_reason(const char *tool)
{
    static const struct {
        const char *tool, *why;
    } reasons[] = {
        {"mcp__", "tools of MCP servers are not judged yet"},
        {"WebSearch", "the agent's own search: web_search of the configuration"},
        {"Task", "the agent's own business"},
        {"Agent", "the agent's own business"},
        {"Skill", "the agent's own business"},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (str_starts(tool, reasons[i].tool))
            return reasons[i].why;
    return "a tool of the agent's own: bawn judges commands, files and destinations";
}

static int add_permission(struct claude *c, const char *entry, enum verdict verdict)
{
    size_t n = strlen(entry), name = strcspn(entry, "(");
    const char *spec = NULL;
    if (name < n) {
        if (entry[n - 1] != ')' || name == 0)
            return not_imported(c, entry, "not of the form Tool(what)");
        spec = arena_strndup(c->im->arena, entry + name + 1, n - name - 2);
        if (!spec)
            return no_memory(c);
        if (!*spec)
            spec = NULL;
    }
    struct bytes tool = {entry, name};
    if (bytes_is(tool, "Bash"))
        return add_bash(c, entry, spec, verdict);
    if (bytes_is(tool, "WebFetch"))
        return add_fetch(c, entry, spec, verdict);
    if (bytes_is(tool, "Read"))
        return add_path(c, entry, spec, verdict, true);
    if (bytes_is(tool, "Edit") || bytes_is(tool, "Write") || bytes_is(tool, "MultiEdit"))
        return add_path(c, entry, spec, verdict, false);
    return not_imported(c, entry, tool_reason(entry));
}

/* The text of V, or NULL after a note. */
static int text_of(struct claude *c, const struct json_value *v, const char *what, const char **ret)
{
    *ret = NULL;
    find_place(c, v);
    if (v->type != JSON_STRING || memchr(v->text.p, '\0', v->text.n))
        return not_imported(c, what, "not a text");
    *ret = v->text.p;
    return 0;
}

static int read_list(struct claude *c, const struct json_value *list, const char *name,
                     int (*add)(struct claude *c, const char *entry, enum verdict verdict),
                     enum verdict verdict)
{
    const char *entry;
    int r = 0;
    if (list->type != JSON_ARRAY) {
        find_place(c, list);
        return not_imported(c, name, "not a list");
    }
    for (size_t i = 0; r == 0 && i < list->n; i++) {
        r = text_of(c, &list->items[i], name, &entry);
        if (r == 0 && entry)
            r = add(c, entry, verdict);
    }
    return r;
}

static int add_dir(struct claude *c, const char *dir, enum verdict verdict)
{
    (void)verdict;
    const char *full = dir;
    if (c->project)
        return not_imported(c, dir,
                            "of one project, and would hold in all: --add-dir, or a profile");
    if (*dir != '/' && !str_starts(dir, "~/"))
        return not_imported(c, dir, "relative to where the agent starts: --add-dir, or a profile");
    if (has_glob(dir) || has_dots(dir))
        return not_imported(c, dir, "no plain path");
    vec_foreach (old, &c->dirs)
        if (str_eq(*old, full))
            return 0;
    const char **slot = vec_push_max(&c->dirs, MAX_IMPORT_NOTES);
    if (!slot)
        return no_memory(c);
    *slot = full;
    return 0;
}

static int read_mode(struct claude *c, const struct json_value *v)
{
    static const struct {
        const char *mode, *why;
    } modes[] = {
        {"plan", "the nearest is bawn run -s read-only"},
        {"bypassPermissions", "it takes every limit away: bawn run --yolo, each time"},
        {"dontAsk",
         "the nearest is approval_policy = \"never\", which runs what no rule forbids in "
         "the sandbox"},
        {"auto", "nobody but rules and persons decides here"},
    };
    const char *mode;
    int r = text_of(c, v, "defaultMode", &mode);
    if (r < 0 || !mode)
        return r;
    if (str_eq(mode, "default") || str_eq(mode, "acceptEdits")) {
        if (c->project)
            return not_imported(c, mode, "of one project, and would hold in all");
        c->policy = "untrusted";
        return note(c, true, mode,
                    "defaultMode is approval_policy = \"untrusted\" of the profile "
                    "claude");
    }
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (str_eq(modes[i].mode, mode))
            return not_imported(c, mode, modes[i].why);
    return not_imported(c, mode, "a mode that is not known here");
}

static int read_permissions(struct claude *c, const struct json_value *v)
{
    static const char *const lists[] = {[ALLOW] = "allow", [ASK] = "ask", [DENY] = "deny"};
    int r = 0;
    if (v->type != JSON_OBJECT) {
        find_place(c, v);
        return not_imported(c, "permissions", "not an object");
    }
    for (size_t i = 0; r == 0 && i < v->n; i++) {
        const struct json_value *item = &v->items[i];
        size_t k = 0;
        while (k < ARRAY_LEN(lists) && !bytes_is(v->names[i], lists[k]))
            k++;
        find_place(c, item);
        if (k < ARRAY_LEN(lists))
            r = read_list(c, item, lists[k], add_permission, (enum verdict)k);
        else if (bytes_is(v->names[i], "additionalDirectories"))
            r = read_list(c, item, "additionalDirectories", add_dir, ALLOW);
        else if (bytes_is(v->names[i], "defaultMode"))
            r = read_mode(c, item);
        else
            r = not_imported(c, v->names[i].p, "not known here");
    }
    return r;
}

static int read_settings(struct claude *c)
{
    const struct json_value *v;
    int r = json_parse(c->im->arena, c->file, c->text, &v, c->err);
    if (r < 0)
        return r;
    if (v->type != JSON_OBJECT)
        return json_fail(c->err, c->file, c->text, v, "settings are an object");
    for (size_t i = 0; r == 0 && i < v->n; i++) {
        find_place(c, &v->items[i]);
        if (bytes_is(v->names[i], "permissions"))
            r = read_permissions(c, &v->items[i]);
        else if (!bytes_is(v->names[i], "$schema"))
            r = not_imported(c, v->names[i].p, "only permissions are imported");
    }
    return r;
}

/* ---- the two files ---- */

static int add_rules(struct claude *c, const char *from)
{
    static const char lead[] =
        "# Imported from Claude Code by bawn config import. What it allows runs in the sandbox\n"
        "# without asking: an allow there says nothing about leaving one.\n";
    _cleanup_strbuf_ struct strbuf out = {0};
    if (c->rules.n == 0)
        return 0;
    strbuf_puts(&out, lead);
    strbuf_put(&out, c->rules.p, c->rules.n);
    char *text = strbuf_failed(&out) || strbuf_failed(&c->rules)
                     ? NULL
                     : arena_strndup(c->im->arena, out.p, out.n);
    if (!text)
        return no_memory(c);
    return import_add_file(c->im, from, RULES_NAME, (struct bytes){text, out.n}, c->err);
}

static void put_entries(struct claude *c, bool below_roots, const char *header, struct strbuf *out)
{
    bool any = false;
    vec_foreach (e, &c->entries) {
        if (e->below_roots != below_roots)
            continue;
        if (!any)
            strbuf_puts(out, header);
        any = true;
        value_put_toml_string(out, bytes_of(e->path));
        strbuf_puts(out, e->none ? " = \"none\"\n" : " = \"read\"\n");
    }
}

static void put_profile(struct claude *c, struct strbuf *out)
{
    strbuf_puts(out, "# Imported from Claude Code by bawn config import. Holds with -p claude.\n");
    if (c->policy)
        strbuf_printf(out, "approval_policy = \"%s\"\n", c->policy);
    if (c->entries.n == 0 && c->dirs.n == 0)
        return;
    strbuf_puts(out, "default_permissions = \"claude\"\n\n[permissions.claude]\n"
                     "extends = \":workspace\"\ndescription = \"imported from Claude Code\"\n");
    if (c->dirs.n)
        strbuf_puts(out, "\n[permissions.claude.workspace_roots]\n");
    vec_foreach (dir, &c->dirs) {
        value_put_toml_string(out, bytes_of(*dir));
        strbuf_puts(out, " = true\n");
    }
    put_entries(c, false, "\n[permissions.claude.filesystem]\n", out);
    put_entries(c, true, "\n[permissions.claude.filesystem.\":workspace_roots\"]\n", out);
}

static int add_profile(struct claude *c, const char *from)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    if (!c->policy && c->entries.n == 0 && c->dirs.n == 0)
        return 0;
    put_profile(c, &out);
    char *text = strbuf_failed(&out) ? NULL : arena_strndup(c->im->arena, out.p, out.n);
    const char *to = path_join(c->im->arena, c->im->bawn_home, PROFILE_NAME);
    if (!text || !to)
        return no_memory(c);
    struct bytes result = {text, out.n};
    int r = import_check_text(c->im, to, result, true, c->err);
    if (r == 0)
        r = import_add_file(c->im, from, PROFILE_NAME, result, c->err);
    c->file = to;
    c->line = c->column = 0;
    return r == 0 ? note(c, true, PROFILE_NAME, "paths and policy hold for bawn run -p claude") : r;
}

/* A project's settings are in its folder .claude; a person's in that of the home. */
static bool is_project(struct arena *a, const char *file, const char *home)
{
    char *dir = path_parent(a, file), *above = dir ? path_parent(a, dir) : NULL;
    return !home || !above || !str_eq(path_base(dir), ".claude") || !str_eq(above, home);
}

static int read_files(struct claude *c, const struct import_claude *from, size_t *ret_read)
{
    int r = 0;
    for (size_t i = 0; r >= 0 && i < from->n; i++) {
        c->file = from->files[i];
        r = import_read(c->im, c->file, &c->text, c->err);
        if (r == -ENOENT && !from->named) {
            r = 0;
            continue;
        }
        if (r == -ENOENT)
            return error_errno(c->err, r, "cannot import from %s", show(c->file));
        if (r < 0)
            return r;
        ++*ret_read;
        c->project = is_project(c->im->arena, c->file, from->home);
        r = read_settings(c);
    }
    return r;
}

int import_claude_plan(struct arena *a, const struct import_claude *from, const char *bawn_home,
                       struct import *ret, struct error *err)
{
    struct import im = {.arena = a, .codex_home = from->files[0], .bawn_home = bawn_home};
    struct claude c = {.im = &im, .err = err};
    size_t n = 0;
    im.files = arena_zalloc(a, 2, sizeof(*im.files));
    int r = im.files ? read_files(&c, from, &n) : no_memory(&c);
    if (r == 0 && n == 0)
        r = error_set(err, -ENOENT, "there are no settings of Claude Code: %s",
                      show(from->files[0]));
    if (r == 0)
        r = add_rules(&c, from->files[0]);
    if (r == 0)
        r = add_profile(&c, from->files[0]);
    strbuf_release(&c.rules);
    vec_release(&c.entries);
    vec_release(&c.dirs);
    if (r == 0)
        *ret = im;
    return r;
}
