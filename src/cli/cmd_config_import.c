/*
 * bawn config import --from codex: a person's configuration of Codex becomes bawn's.
 *
 * To standard output one line a file; to standard error one line for everything that has no place
 * here. What was left out is no failure: the status says whether the rest was written.
 */
#include "cli/cmd_config.h"
#include "cli/print.h"

#include "config/import.h"

#include <errno.h>
#include <signal.h>

static int usage(const struct options *o)
{
    struct error err = {0};
    if (o->n_rest > 1)
        (void)error_set(&err, -EINVAL, "config import: unknown word %s", show(o->rest[1]));
    else
        (void)error_set(&err, -EINVAL, "config import: say from where");
    error_hint(&err, "bawn config import --from codex [--codex-home DIR] [--dry-run] [--force]");
    return cli_error(&err, EXIT_USAGE);
}

static int find_homes(struct setup *s, const struct options *o, const char **ret_codex,
                      struct error *err)
{
    int r = setup_world(s, o, err);
    if (r < 0)
        return r;
    *ret_codex = setup_codex_home(s, o->codex_home);
    if (!s->bawn_home || !*ret_codex) {
        r = error_set(err, -ENOENT, "config import: there is no home directory");
        error_hint(err, "set HOME, or BAWN_HOME and --codex-home");
        return r;
    }
    return 0;
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
    const char *codex;
    if (o->n_rest != 1 || !o->from)
        return usage(o);
    s->options = o;
    int r = find_homes(s, o, &codex, &err);
    if (r == 0)
        r = import_plan(&s->arena, codex, s->bawn_home, &im, &err);
    if (r == -ENOENT && !err.hint[0])
        error_hint(&err, "--codex-home says where Codex keeps its configuration");
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
