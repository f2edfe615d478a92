/*
 * bawn config set KEY VALUE, bawn config set --unset KEY: one key of the user's file.
 *
 * What would be written is checked twice: the key and its value against the table of keys, where an
 * unknown key is an error, and then the whole new file as it will be read by the next start. A key
 * that nobody knows can be removed.
 */
#include "cli/cmd_config.h"
#include "cli/print.h"

#include "base/path.h"
#include "config/edit.h"
#include "config/value.h"
#include "config/keys.h"

#include <errno.h>
#include <signal.h>

struct setting {
    const char *file;
    struct bytes *parts;
    size_t n;
    struct bytes value; /* TOML; .p NULL: remove */
};

static int usage(const struct options *o)
{
    struct error err = {0};
    size_t want = o->unset ? 1 : 2, given = o->n_rest - 1;
    if (given > want)
        (void)error_set(&err, -EINVAL, "config set: one word too many: %s",
                        show(o->rest[want + 1]));
    else
        (void)error_set(&err, -EINVAL, "config set: no %s given", given ? "value" : "key");
    error_hint(&err, given > want && !o->unset
                         ? "a value with blanks stands in quotes: bawn config set KEY 'A VALUE'"
                         : "bawn config set KEY VALUE, or bawn config set --unset KEY");
    return cli_error(&err, EXIT_USAGE);
}

/* TOML as it is; whatever else it is, is a string. */
static int read_value(struct setup *s, const char *word, struct bytes *ret, struct error *err)
{
    struct toml_value *v;
    _cleanup_strbuf_ struct strbuf quoted = {0};
    struct bytes text = bytes_of(word);
    int r = toml_parse_value(&s->arena, NULL, text, TOML_1_1, &v, NULL);
    if (r == 0) {
        *ret = text;
        return 0;
    }
    value_put_toml_string(&quoted, text);
    const char *copy = r == -ENOMEM || strbuf_failed(&quoted)
                           ? NULL
                           : arena_strndup(&s->arena, strbuf_text(&quoted), quoted.n);
    if (!copy)
        return error_errno(err, -ENOMEM, "config set");
    *ret = (struct bytes){copy, quoted.n};
    r = toml_parse_value(&s->arena, NULL, *ret, TOML_1_1, &v, NULL);
    return r < 0 ? error_set(err, r, "config set: the value %s is not UTF-8", show(word)) : 0;
}

static int read_key(struct setup *s, const char *word, struct setting *ret, struct error *err)
{
    int r = toml_parse_key(&s->arena, bytes_of(word), &ret->parts, &ret->n, err);
    return r < 0 ? error_wrap(err, r, "config set: the key %s", show(word)) : 0;
}

static int find_file(struct setup *s, struct setting *ret, struct error *err)
{
    int r = setup_world(s, s->options, err);
    if (r < 0)
        return r;
    if (!s->bawn_home) {
        r = error_set(err, -ENOENT, "config set: there is no home directory to write to");
        error_hint(err, "set HOME or BAWN_HOME");
        return r;
    }
    ret->file = path_join(&s->arena, s->bawn_home, "config.toml");
    return ret->file ? 0 : error_errno(err, -ENOMEM, "config set");
}

/* Asked under the lock, of the text that would be written. */
static int check_file(void *data, struct bytes text, struct error *err)
{
    const struct setting *setting = data;
    _cleanup_arena_ struct arena a = {0};
    return config_check_text(&a, setting->file, text, err);
}

static void say_done(const struct setting *setting, bool changed)
{
    _cleanup_strbuf_ struct strbuf line = {0};
    key_put_dotted(&line, setting->parts, setting->n);
    if (setting->value.p) {
        strbuf_puts(&line, " = ");
        strbuf_put_printable(&line, setting->value.p, setting->value.n);
    }
    print_note("%s: %s%s", show(setting->file), strbuf_text(&line),
               !setting->value.p ? " removed"
               : changed         ? ""
                                 : ", as it was already");
}

static int write_setting(struct setting *setting, bool *ret_changed, struct error *err)
{
    if (setting->value.p) {
        int r = edit_check_setting("config set", setting->parts, setting->n, setting->value, err);
        if (r < 0)
            return r;
    }
    const struct edit_request request = {.file = setting->file,
                                         .mode = 0600,
                                         .parts = setting->parts,
                                         .n_parts = setting->n,
                                         .value = setting->value,
                                         .check = check_file,
                                         .data = setting};
    /* At the limit of a file's size (ulimit -f) the write fails and is cleaned up after, instead
     * of ending the program. */
    (void)signal(SIGXFSZ, SIG_IGN);
    return edit_file(&request, ret_changed, err);
}

int config_set(struct setup *s, const struct options *o)
{
    struct setting setting = {0};
    struct error err = {0};
    bool changed = false;
    if (o->n_rest != (o->unset ? 2 : 3))
        return usage(o);
    s->options = o;
    if (read_key(s, o->rest[1], &setting, &err) < 0)
        return cli_error(&err, EXIT_USAGE);
    int r = o->unset ? 0 : read_value(s, o->rest[2], &setting.value, &err);
    if (r == 0)
        r = find_file(s, &setting, &err);
    if (r == 0)
        r = write_setting(&setting, &changed, &err);
    if (r < 0)
        return cli_error(&err, EXIT_BROKEN);
    if (o->verbose)
        say_done(&setting, changed);
    return 0;
}
