/*
 * bawn audit list, show, verify: the record of decisions, see record/audit.h.
 *
 * Records are shown as they were written. What a filter asks for and a record does not have does
 * not match; a record of a kind that this bawn does not know is shown with what it has.
 */
#include "base/json_read.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "cli/commands.h"
#include "cli/print.h"
#include "cli/setup.h"
#include "record/audit.h"

#include <errno.h>
#include <inttypes.h>

#define ID_SHOWN   8u
#define TEXT_SHOWN 400u /* bytes of a command on its line */
#define MAX_LAST   100000u

/* ---- one line a record ---- */

/* WORD as a shell would take it back. */
static void put_word(struct strbuf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./=:,@%+[]";
    if (*word && word[strspn(word, plain)] == '\0') {
        strbuf_puts(out, word);
        return;
    }
    strbuf_putc(out, '\'');
    for (; *word; word++)
        *word == '\'' ? strbuf_puts(out, "'\\''") : strbuf_putc(out, *word);
    strbuf_putc(out, '\'');
}

static void put_words(struct strbuf *out, const struct json_value *argv)
{
    for (size_t i = 0; argv && argv->type == JSON_ARRAY && i < argv->n; i++) {
        if (i)
            strbuf_putc(out, ' ');
        if (argv->items[i].type == JSON_STRING)
            put_word(out, argv->items[i].text.p);
    }
}

static void put_column(struct strbuf *out, const struct json_value *v, const char *name, int width)
{
    const char *text = json_get_string(v, name);
    char shown[64];
    strbuf_printf(out, "%-*s  ", width,
                  printable(shown, sizeof(shown), text ? text : "-", text ? strlen(text) : 1));
}

static void put_time(struct strbuf *out, const struct json_value *v)
{
    const char *time = json_get_string(v, "time");
    char shown[EVENT_TIME_BYTES];
    if (time && strlen(time) == EVENT_TIME_BYTES - 1)
        (void)snprintf(shown, sizeof(shown), "%.10s %.8s", time, time + 11);
    else
        (void)snprintf(shown, sizeof(shown), "-");
    strbuf_put_printable(out, shown, strlen(shown));
    strbuf_puts(out, "  ");
}

/* "https example.com:443 (12 times)" of a decision about a destination. */
static void put_destination(struct strbuf *out, const struct json_value *v)
{
    const char *protocol = json_get_string(v, "protocol"), *host = json_get_string(v, "host");
    const struct json_value *port = json_get(v, "port"), *count = json_get(v, "count");
    const char *path = json_get_string(v, "path");
    if (path)
        strbuf_printf(out, "unix %s", path);
    if (host)
        strbuf_printf(out, strchr(host, ':') ? "%s [%s]" : "%s %s", protocol ? protocol : "", host);
    if (port && port->type == JSON_NUMBER)
        strbuf_printf(out, ":%" PRId64, port->integer);
    if (count && count->type == JSON_NUMBER)
        strbuf_printf(out, "%s(%" PRId64 " times)", host || path ? " " : "", count->integer);
}

static void put_line(struct strbuf *out, const struct json_value *v)
{
    _cleanup_strbuf_ struct strbuf command = {0};
    char shown[TEXT_SHOWN];
    const char *id = json_get_string(v, "id"), *event = json_get_string(v, "event");
    const bool network = event && str_eq(event, "network");
    put_time(out, v);
    (void)printable(shown, ID_SHOWN + 1, id ? id : "", id ? strnlen(id, ID_SHOWN) : 0);
    strbuf_printf(out, "%-*s  ", (int)ID_SHOWN, shown);
    put_column(out, v, "action", 6);
    put_column(out, v, network ? "event" : "place", 7);
    put_column(out, v, network ? "reason" : "class", 9);
    put_column(out, v, "by", 8);
    if (network)
        put_destination(&command, v);
    else
        put_words(&command, json_get(v, "argv"));
    strbuf_puts(out, printable(shown, sizeof(shown), strbuf_text(&command), command.n));
    strbuf_putc(out, '\n');
}

/* ---- list ---- */

struct list {
    const struct options *o;
    struct strbuf out;
    VEC(char *) ring; /* the last of those that match, when --last is given */
    size_t next;
    size_t n;
    struct error *err;
};

static void list_release(struct list *l)
{
    vec_foreach (line, &l->ring)
        mem_free(*line);
    vec_release(&l->ring);
    strbuf_release(&l->out);
}

static bool matches(const struct options *o, struct bytes text)
{
    _cleanup_arena_ struct arena a = {0};
    const struct json_value *v;
    if (!o->since && !o->verdict && !o->by)
        return true;
    if (json_parse(&a, NULL, text, &v, NULL) < 0)
        return false;
    const char *time = json_get_string(v, "time"), *action = json_get_string(v, "action");
    const char *by = json_get_string(v, "by");
    /* The shorter text of the same time is the smaller one, as it should be. */
    return (!o->since || (time && strcmp(time, o->since) >= 0)) &&
           (!o->verdict || (action && str_eq(action, o->verdict))) &&
           (!o->by || (by && str_eq(by, o->by)));
}

static int put_record(struct list *l, const char *file, uint64_t line, struct bytes text)
{
    _cleanup_arena_ struct arena a = {0};
    const struct json_value *v;
    if (l->o->json) {
        strbuf_put(&l->out, text.p, text.n);
        strbuf_putc(&l->out, '\n');
    } else if (json_parse(&a, file, text, &v, NULL) < 0) {
        strbuf_printf(&l->out, "%s:%" PRIu64 " is no record: see bawn audit verify\n",
                      file ? show(file) : "a line", line);
    } else {
        put_line(&l->out, v);
    }
    l->n++;
    if (strbuf_failed(&l->out))
        return -ENOMEM;
    if (l->out.n < 65536)
        return 0;
    int r = print_out(&l->out) ? -EPIPE : 0;
    strbuf_clear(&l->out);
    return r;
}

static int list_line(void *data, const char *file, uint64_t line, struct bytes text)
{
    struct list *l = data;
    if (!matches(l->o, text))
        return 0;
    if (!l->o->last)
        return put_record(l, file, line, text);
    char *copy = mem_alloc(text.n + 1);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    if (l->ring.n < l->o->last) {
        char **slot = vec_push(&l->ring);
        if (!slot) {
            mem_free(copy);
            return -ENOMEM;
        }
        *slot = copy;
        return 0;
    }
    mem_free(l->ring.v[l->next]);
    l->ring.v[l->next] = copy;
    l->next = (l->next + 1) % l->ring.n;
    return 0;
}

/* YYYY-MM-DD, and THH:MM or THH:MM:SS behind it, and perhaps a Z: the beginning of a record's time.
 * Loses the Z. */
static bool since_is_time(struct arena *a, struct options *o)
{
    static const char form[] = "0000-00-00T00:00:00";
    size_t n = strlen(o->since);
    if (n > 10 && o->since[n - 1] == 'Z')
        n--;
    if (n != 10 && n != 16 && n != 19)
        return false;
    for (size_t i = 0; i < n; i++)
        if (form[i] == '0' ? o->since[i] < '0' || o->since[i] > '9' : o->since[i] != form[i])
            return false;
    const char *time = arena_strndup(a, o->since, n);
    if (!time)
        return false;
    o->since = time;
    return true;
}

static int audit_list(struct setup *s, struct options *o)
{
    _cleanup_(list_release) struct list l = {.o = o};
    struct error err = {0};
    if (o->since && !since_is_time(&s->arena, o)) {
        (void)error_set(&err, -EINVAL, "audit list: %s is no time", show(o->since));
        error_hint(&err, "write it as 2026-11-21 or 2026-11-21T08:30:00; it is UTC");
        return cli_error(&err, EXIT_USAGE);
    }
    if (o->last > MAX_LAST)
        return cli_failure(EXIT_USAGE, "audit list: --last takes at most %u", MAX_LAST);
    int r = audit_each(s->bawn_home, list_line, &l, &err);
    for (size_t i = 0; r == 0 && i < l.ring.n; i++) {
        const char *line = l.ring.v[(l.next + i) % l.ring.n];
        r = put_record(&l, NULL, 0, bytes_of(line));
    }
    if (r == -EPIPE)
        return EXIT_BROKEN;
    if (r < 0)
        return err.code ? cli_error(&err, EXIT_BROKEN)
                        : cli_failure(EXIT_BROKEN, "audit list: out of memory");
    r = print_out(&l.out);
    if (!l.n && !o->json)
        print_note(o->since || o->verdict || o->by ? "no decision matches"
                                                   : "no decisions are recorded yet");
    return r;
}

/* ---- show ---- */

struct wanted {
    const char *id;
    struct strbuf line; /* the first that matches */
    size_t n;
};

static int show_line(void *data, const char *file, uint64_t line, struct bytes text)
{
    struct wanted *w = data;
    _cleanup_arena_ struct arena a = {0};
    const struct json_value *v;
    (void)file, (void)line;
    /* Most lines do not have it anywhere. */
    if (!memmem(text.p, text.n, w->id, strlen(w->id)) || json_parse(&a, NULL, text, &v, NULL) < 0)
        return 0;
    const char *id = json_get_string(v, "id");
    if (!id || !str_starts(id, w->id))
        return 0;
    if (w->n++ == 0)
        strbuf_put(&w->line, text.p, text.n);
    return strbuf_failed(&w->line) ? -ENOMEM : 0;
}

/* A line a member: its name and its value. */
static void put_members(struct strbuf *out, const struct json_value *v)
{
    for (size_t i = 0; i < v->n; i++) {
        _cleanup_strbuf_ struct strbuf value = {0};
        const struct json_value *m = &v->items[i];
        if (m->type == JSON_STRING || m->type == JSON_NUMBER)
            strbuf_put(&value, m->text.p, m->text.n);
        else if (m->type == JSON_ARRAY)
            put_words(&value, m);
        else
            strbuf_puts(&value, m->type == JSON_BOOL ? (m->boolean ? "true" : "false") : "-");
        strbuf_printf(out, "%-12s ", show_n(v->names[i].p, v->names[i].n));
        strbuf_put_printable(out, strbuf_text(&value), value.n);
        strbuf_putc(out, '\n');
    }
}

static int audit_show(struct setup *s, const struct options *o)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    _cleanup_(strbuf_release) struct strbuf line = {0};
    struct wanted w = {.id = o->rest[1]};
    struct error err = {0};
    const struct json_value *v;
    int r = audit_each(s->bawn_home, show_line, &w, &err);
    line = w.line;
    if (r < 0)
        return err.code ? cli_error(&err, EXIT_BROKEN)
                        : cli_failure(EXIT_BROKEN, "audit show: out of memory");
    if (w.n == 0) {
        (void)error_set(&err, -ENOENT, "audit show: no decision has the id %s", show(w.id));
        error_hint(&err, "bawn audit list names them");
        return cli_error(&err, EXIT_BROKEN);
    }
    if (w.n > 1) {
        (void)error_set(&err, -EINVAL, "audit show: the ids of %zu decisions begin with %s", w.n,
                        show(w.id));
        error_hint(&err, "give more of it");
        return cli_error(&err, EXIT_BROKEN);
    }
    if (o->json) {
        strbuf_put(&out, line.p, line.n);
        strbuf_putc(&out, '\n');
        return print_out(&out);
    }
    if (json_parse(&s->arena, NULL, (struct bytes){line.p, line.n}, &v, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    put_members(&out, v);
    return print_out(&out);
}

/* ---- verify ---- */

static void put_report_json(const struct audit_report *r, const char *after, struct strbuf *out)
{
    struct json j;
    json_begin(&j, out);
    json_object(&j);
    json_kv_bool(&j, "ok", r->n_faults == 0);
    json_kv_int(&j, "records", (int64_t)r->records);
    json_kv_int(&j, "files", (int64_t)r->files);
    json_kv_string(&j, "last_hash", r->last_hash);
    if (after)
        json_kv_int(&j, "after", (int64_t)r->after);
    json_key(&j, "faults");
    json_array(&j);
    for (size_t i = 0; i < r->n_faults; i++) {
        json_object(&j);
        json_kv_string(&j, "file", r->faults[i].file);
        json_kv_int(&j, "line", (int64_t)r->faults[i].line);
        json_kv_string(&j, "what", r->faults[i].what);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_kv_int(&j, "more_faults", (int64_t)r->more_faults);
    json_end_object(&j);
    strbuf_putc(out, '\n');
}

static void put_report(const struct audit_report *r, const char *after, struct strbuf *out)
{
    for (size_t i = 0; i < r->n_faults; i++) {
        strbuf_puts(out, show(r->faults[i].file));
        if (r->faults[i].line)
            strbuf_printf(out, ":%" PRIu64, r->faults[i].line);
        strbuf_printf(out, " %s\n", r->faults[i].what);
    }
    if (r->more_faults)
        strbuf_printf(out, "and %" PRIu64 " more\n", r->more_faults);
    strbuf_printf(out, "%s: %" PRIu64 " record%s in %" PRIu64 " file%s",
                  r->n_faults ? "NOT whole" : "whole", r->records, r->records == 1 ? "" : "s",
                  r->files, r->files == 1 ? "" : "s");
    if (after && !r->n_faults)
        strbuf_printf(out, ", %" PRIu64 " of them after %.8s…", r->after, after);
    strbuf_printf(out, "\nlast hash: %s\n", r->last_hash);
}

static int audit_check(struct setup *s, const struct options *o)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    struct audit_report report;
    struct error err = {0};
    if (o->after && (strlen(o->after) != SHA256_HEX_BYTES - 1 ||
                     o->after[strspn(o->after, "0123456789abcdef")] != '\0')) {
        (void)error_set(&err, -EINVAL, "audit verify: %s is no hash", show(o->after));
        error_hint(&err, "it is the \"last hash\" of an earlier bawn audit verify: 64 digits");
        return cli_error(&err, EXIT_USAGE);
    }
    if (audit_verify_after(&s->arena, s->bawn_home, o->after, &report, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    o->json ? put_report_json(&report, o->after, &out) : put_report(&report, o->after, &out);
    int r = print_out(&out);
    return r ? r : report.n_faults ? EXIT_BROKEN : 0;
}

/* ---- the command line ---- */

static int usage(const struct options *o)
{
    static const char *const verbs[] = {"list", "show", "verify"};
    struct error err = {0};
    const char *near = o->n_rest ? nearest_word(o->rest[0], verbs, ARRAY_LEN(verbs)) : NULL;
    if (o->n_rest == 0)
        (void)error_set(&err, -EINVAL, "audit: say what: list, show or verify");
    else if (str_eq(o->rest[0], "show") && o->n_rest == 1)
        (void)error_set(&err, -EINVAL, "audit show: say which: an id of bawn audit list");
    else
        (void)error_set(&err, -EINVAL, "audit: unknown word %s",
                        show(o->rest[near && str_eq(near, o->rest[0]) ? o->n_rest - 1 : 0]));
    if (near && !str_eq(near, o->rest[0]))
        error_hint(&err, "did you mean bawn audit %s?", near);
    else
        error_hint(&err, "see bawn audit --help");
    return cli_error(&err, EXIT_USAGE);
}

/* An option that the verb does not look at would be silently without effect. */
static int stray_option(const struct options *o, const char *verb)
{
    const bool list = str_eq(verb, "list"), verify = str_eq(verb, "verify");
    const char *stray = !list && o->last      ? "--last"
                        : !list && o->since   ? "--since"
                        : !list && o->verdict ? "--verdict"
                        : !list && o->by      ? "--by"
                        : !verify && o->after ? "--after"
                                              : NULL;
    return stray ? cli_failure(EXIT_USAGE, "audit %s: %s does not belong here", verb, stray) : 0;
}

int cmd_audit(int argc, char **argv)
{
    _cleanup_setup_ struct setup s = {0};
    struct options o;
    struct error err = {0};
    int status;
    if (!cli_parse(FOR_AUDIT, argc, argv, &s, &o, &status))
        return status;
    const char *verb = o.n_rest ? o.rest[0] : "";
    bool show_one = str_eq(verb, "show") && o.n_rest == 2 && *o.rest[1];
    if (!show_one && !((str_eq(verb, "list") || str_eq(verb, "verify")) && o.n_rest == 1))
        return usage(&o);
    if ((status = stray_option(&o, verb)) != 0)
        return status;
    if (setup_world(&s, &o, &err) < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (!s.bawn_home)
        return cli_failure(EXIT_BROKEN, "audit: there is no home directory: set HOME or BAWN_HOME");
    return show_one               ? audit_show(&s, &o)
           : str_eq(verb, "list") ? audit_list(&s, &o)
                                  : audit_check(&s, &o);
}
