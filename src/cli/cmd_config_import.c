/*
 * bawn config import: a person's configuration of Codex, or permissions of Claude Code, become
 * bawn's. Rules files are evaluated here before anything is written: one that is broken would
 * refuse the next start.
 *
 * To standard output one line a file; to standard error one line for everything that has no place
 * here. What was left out is no failure: the status says whether the rest was written.
 */
#include "cli/cmd_config.h"
#include "cli/print.h"

#include "base/path.h"
#include "config/import.h"
#include "rules/rules.h"

#include <errno.h>
#include <signal.h>

static int usage(const struct options *o)
{
    struct error err = {0};
    if (o->n_rest > 1)
        (void)error_set(&err, -EINVAL, "config import: unknown word %s", show(o->rest[1]));
    else
        (void)error_set(&err, -EINVAL, "config import: say from where");
    error_hint(&err, "bawn config import --from codex|claude [--dry-run] [--force]");
    return cli_error(&err, EXIT_USAGE);
}

static int no_home(struct error *err)
{
    (void)error_set(err, -ENOENT, "config import: there is no home directory");
    error_hint(err, "set HOME, or BAWN_HOME and --codex-home or --claude-settings");
    return -ENOENT;
}

static int plan_codex(struct setup *s, const struct options *o, struct import *ret,
                      struct error *err)
{
    const char *codex = setup_codex_home(s, o->codex_home);
    if (!codex)
        return no_home(err);
    int r = import_plan(&s->arena, codex, s->bawn_home, ret, err);
    if (r == -ENOENT && !err->hint[0])
        error_hint(err, "--codex-home says where Codex keeps its configuration");
    return r;
}

/* The settings that are named, or a person's own two files. */
static int plan_claude(struct setup *s, const struct options *o, struct import *ret,
                       struct error *err)
{
    static const char *const own[] = {".claude/settings.json", ".claude/settings.local.json"};
    const struct word_list *named = &o->claude_settings;
    size_t n = named->n ? named->n : ARRAY_LEN(own);
    const char *base = named->n ? s->cwd : s->home;
    const char **files = arena_zalloc(&s->arena, n, sizeof(*files));
    if (!base)
        return no_home(err);
    for (size_t i = 0; files && i < n; i++)
        if (!(files[i] = path_join(&s->arena, base, named->n ? named->v[i] : own[i])))
            files = NULL;
    if (!files)
        return error_errno(err, -ENOMEM, "config import");
    const struct import_claude from = {files, n, named->n > 0, s->home};
    int r = import_claude_plan(&s->arena, &from, s->bawn_home, ret, err);
    if (r == -ENOENT && !err->hint[0])
        error_hint(err, "--claude-settings FILE names them");
    return r;
}

/* Takes the rules files out that do not evaluate, with a note each. */
static int check_rules(struct import *im, struct error *err)
{
    size_t kept = 0;
    for (size_t i = 0; i < im->n_files; i++) {
        const struct import_file *f = &im->files[i];
        size_t n = strlen(f->to);
        struct error local = {0};
        int r = 0;
        if (n > 6 && str_eq(f->to + n - 6, ".rules")) {
            struct rules *rules = rules_new(im->arena);
            const struct rules_source source = {f->from, RULES_USER, NULL, f->text};
            r = rules ? rules_add(rules, &source, &local) : -ENOMEM;
            rules_free(rules);
        }
        if (r == -ENOMEM)
            return error_errno(err, r, "config import");
        if (r == 0) {
            im->files[kept++] = *f;
            continue;
        }
        const struct import_note note = {f->from, local.line, local.column, local.message, false};
        if (import_note(im, &note) < 0)
            return error_errno(err, -ENOMEM, "config import");
    }
    im->n_files = kept;
    return 0;
}

static int plan(struct setup *s, const struct options *o, struct import *ret, struct error *err)
{
    int r = setup_world(s, o, err);
    if (r < 0)
        return r;
    if (!s->bawn_home)
        return no_home(err);
    r = str_eq(o->from, "claude") ? plan_claude(s, o, ret, err) : plan_codex(s, o, ret, err);
    return r < 0 ? r : check_rules(ret, err);
}

static void put_json(const struct import *im, bool dry, struct strbuf *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_kv_string(&j, "from", im->codex_home);
    json_kv_string(&j, "to", im->bawn_home);
    json_key(&j, "files");
    json_array(&j);
    for (size_t i = 0; i < im->n_files; i++) {
        json_object(&j);
        json_kv_string(&j, "from", im->files[i].from);
        json_kv_string(&j, "to", im->files[i].to);
        json_kv_bool(&j, "written", !dry && !im->files[i].same);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_key(&j, "notes");
    json_array(&j);
    for (size_t i = 0; i < im->n_notes; i++) {
        const struct import_note *n = &im->notes[i];
        json_object(&j);
        json_kv_string(&j, "message", n->what);
        json_kv_bool(&j, "imported", n->changed);
        json_kv_string(&j, "file", n->file);
        json_key(&j, "line");
        n->line ? json_uint(&j, n->line) : json_null(&j);
        json_key(&j, "column");
        n->column ? json_uint(&j, n->column) : json_null(&j);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_end_object(&j);
    strbuf_putc(out, '\n');
}

static void put_text(const struct import *im, bool dry, struct strbuf *out)
{
    for (size_t i = 0; i < im->n_files; i++)
        strbuf_printf(out, "%s%s: from %s%s\n", dry ? "would write " : "", show(im->files[i].to),
                      show(im->files[i].from), im->files[i].same ? ", as it was already" : "");
}

static void warn_notes(const struct import *im)
{
    for (size_t i = 0; i < im->n_notes; i++) {
        const struct import_note *n = &im->notes[i];
        const char *lead = n->changed ? "changed" : "not imported";
        if (n->line)
            print_warning("%s:%u:%u: %s: %s", show(n->file), n->line, n->column, lead, n->what);
        else
            print_warning("%s: %s: %s", show(n->file), lead, n->what);
    }
}

int config_import(struct setup *s, const struct options *o)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct import im = {0};
    struct error err = {0};
    if (o->n_rest != 1 || !o->from)
        return usage(o);
    bool claude = str_eq(o->from, "claude");
    if (claude ? o->codex_home != NULL : o->claude_settings.n > 0)
        return cli_failure(EXIT_USAGE, "config import: %s does not belong to --from %s",
                           claude ? "--codex-home" : "--claude-settings", o->from);
    s->options = o;
    int r = plan(s, o, &im, &err);
    if (r == 0 && o->explain)
        r = import_check(&im, o->force, &err);
    else if (r == 0) {
        /* At the limit of a file's size the write fails and is cleaned up after. */
        (void)signal(SIGXFSZ, SIG_IGN);
        r = import_write(&im, o->force, &err);
    }
    if (r < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (!o->json)
        warn_notes(&im);
    o->json ? put_json(&im, o->explain, &out) : put_text(&im, o->explain, &out);
    return print_out(&out);
}
