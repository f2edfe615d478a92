/*
 * The ways into the shell reader, and the way back: words quoted for a shell. See command.h.
 */
#include "rules/command.h"

#include "base/limits.h"
#include "rules/shell_internal.h"

#include <errno.h>

static void reader_release(struct reader *r)
{
    vec_release(&r->v);
    vec_release(&r->words);
    vec_release(&r->feeds);
    strbuf_release(&r->buf);
}
#define _cleanup_reader_ _cleanup_(reader_release)

static size_t reread_most(size_t n)
{
    return MIN_OF((size_t)MAX_SHELL_REREAD, 65536 + 16 * n);
}

/* What was found, in order of finding. */
static int finish(struct reader *r, struct command_list *ret, struct error *err)
{
    if (r->error || strbuf_failed(&r->buf))
        return error_set(err, -ENOMEM, "out of memory");
    struct command *v = arena_alloc(r->a, r->v.n * sizeof(*v) + 1);
    uint32_t *now = mem_alloc(r->v.n * sizeof(*now) + 1);
    if (!v || !now) {
        mem_free(now);
        return error_set(err, -ENOMEM, "out of memory");
    }
    size_t n = 0;
    for (size_t i = 0; i < r->v.n; i++) {
        now[i] = (uint32_t)n;
        n += r->v.v[i].c.n > 0;
    }
    bool plain = !r->deep && !r->opaque;
    n = 0;
    for (size_t i = 0; i < r->v.n; i++) {
        struct command c = r->v.v[i].c;
        if (c.n == 0)
            continue;
        c.plain = c.plain && plain;
        if (c.pipes_to < r->v.n)
            c.pipes_to = now[c.pipes_to];
        v[n++] = c;
    }
    mem_free(now);
    *ret = (struct command_list){
        .v = v,
        .n = n,
        .reading = r->opaque ? READING_OPAQUE
                   : r->deep ? READING_DEEP
                             : READING_PLAIN,
        .reason = r->opaque ? r->opaque_reason
                  : r->deep ? r->reason
                            : NULL,
        .reason_at = r->opaque ? r->opaque_at
                     : r->deep ? r->reason_at
                               : 0,
        .shell = r->shell,
        .heredoc = r->heredoc,
    };
    return 0;
}

static void read_text(struct reader *r, struct bytes text, enum dialect dialect)
{
    struct source s = {.p = text.p, .n = text.n, .dialect = dialect};
    struct parser p = {.r = r, .s = &s};
    r->shell = true;
    r->multios = dialect == DIALECT_ZSH;
    r->reread_most = reread_most(text.n);
    if (memchr(text.p, '\0', text.n))
        (void)shell_fail(&p, "it holds a byte 0", 0);
    else
        (void)shell_commands(&p, END);
    if (!r->error)
        shell_feed_all(r, 0);
    shell_parser_release(&p);
}

static int too_long(size_t n, struct error *err)
{
    return n > MAX_SHELL_BYTES
               ? error_set(err, -E2BIG, "the command has more than %u bytes", MAX_SHELL_BYTES)
               : 0;
}

int shell_read(struct arena *a, struct bytes text, struct command_list *ret, struct error *err)
{
    _cleanup_reader_ struct reader r = {.a = a};
    int e = too_long(text.n, err);
    if (e < 0)
        return e;
    if (text.n == 0)
        text.p = "";
    read_text(&r, text, DIALECT_SH);
    return finish(&r, ret, err);
}

/* ---- lists of arguments ---- */

/* Options of a shell that change nothing in how its text is read. */
static bool is_usual_option(const char *w)
{
    static const char *const longs[] = {"--login", "--norc", "--noprofile", "--posix"};
    for (size_t i = 0; i < ARRAY_LEN(longs); i++)
        if (str_eq(w, longs[i]))
            return true;
    return w[0] == '-' && w[1] && w[1] != '-' && strspn(w + 1, "clexu") == strlen(w + 1);
}

static bool is_usual_setting(const char *w)
{
    return str_eq(w, "pipefail") || str_eq(w, "errexit") || str_eq(w, "nounset") ||
           str_eq(w, "xtrace");
}

/* The long names of bash, which takes them behind one dash as well as behind two. */
static bool is_long_option(const char *name, bool *ret_value)
{
    static const char *const words[] = {
        "debug",      "debugger",  "dump-po-strings", "dump-strings", "help",         "login",
        "norc",       "noediting", "noprofile",       "posix",        "pretty-print", "protected",
        "restricted", "verbose",   "version",         "wordexp"};
    *ret_value = str_eq(name, "rcfile") || str_eq(name, "init-file");
    bool found = *ret_value;
    for (size_t i = 0; !found && i < ARRAY_LEN(words); i++)
        found = str_eq(name, words[i]);
    return found;
}

size_t shell_option_words(const char *w, bool *command, bool *standard)
{
    size_t n = 1;
    bool value;
    if ((w[0] != '-' && w[0] != '+') || str_eq(w, "-") || str_eq(w, "--"))
        return 0;
    if (w[0] == '-' && is_long_option(w + 1 + (w[1] == '-'), &value))
        return 1 + value;
    if (w[0] == '-' && w[1] == '-')
        return 1 + str_eq(w, "--emulate");
    for (const char *c = w + 1; *c; c++) {
        *command |= *c == 'c';
        *standard |= *c == 's' && w[0] == '-';
        n += *c == 'o' || *c == 'O';
    }
    return n;
}

/* The index of TEXT in SHELL -c TEXT; 0 when it is none. *ret_usual: only usual options stand
 * before it. */
static size_t text_index(const char *const *argv, size_t argc, bool *ret_usual)
{
    bool command = false, standard = false;
    *ret_usual = true;
    size_t i = 1;
    for (size_t n; i < argc && (n = shell_option_words(argv[i], &command, &standard)); i += n) {
        bool setting = str_eq(argv[i], "-o") && i + 1 < argc && is_usual_setting(argv[i + 1]);
        *ret_usual = *ret_usual && (setting || is_usual_option(argv[i]));
    }
    if (i < argc && str_eq(argv[i], "--"))
        i++;
    else if (i < argc && str_eq(argv[i], "-")) {
        *ret_usual = false;
        i++;
    }
    return command && i < argc ? i : 0;
}

static int read_words(struct reader *r, const char *const *argv, size_t argc)
{
    struct sword *s = arena_alloc(r->a, argc * sizeof(*s) + 1);
    struct command_word *w = arena_alloc(r->a, argc * sizeof(*w) + 1);
    size_t at = 0;
    if (!s || !w)
        return -ENOMEM;
    for (size_t i = 0; i < argc; i++) {
        size_t n = strlen(argv[i]);
        s[i] = (struct sword){.text = argv[i],
                              .cooked = {argv[i], n},
                              .at = (uint32_t)at,
                              .end = (uint32_t)(at + n),
                              .known = true,
                              .bare = true};
        w[i] = (struct command_word){argv[i], true};
        at += n + 1;
    }
    size_t index = shell_slot(r);
    if (!r->error)
        shell_run(r, index, (struct span){s, w, argc}, DIALECT_SH, NULL);
    if (!r->error)
        shell_feed_all(r, 0);
    return r->error;
}

int command_read(struct arena *a, const char *const *argv, size_t argc, struct command_list *ret,
                 struct error *err)
{
    _cleanup_reader_ struct reader r = {.a = a};
    enum dialect dialect;
    size_t total = 0;
    bool usual = true;
    for (size_t i = 0; i < argc; i++)
        total += strlen(argv[i]) + 1;
    int e = too_long(total, err);
    if (e < 0)
        return e;
    if (argc == 0)
        return finish(&r, ret, err);
    r.reread_most = reread_most(total);
    size_t text = shell_by_name(shell_base(argv[0]), &dialect) ? text_index(argv, argc, &usual) : 0;
    if (!text) {
        if (read_words(&r, argv, argc) < 0)
            return error_set(err, -ENOMEM, "out of memory");
        return finish(&r, ret, err);
    }
    if (!usual) {
        r.deep = true;
        r.reason = "options of the shell may change how it reads the text";
    }
    read_text(&r, bytes_of(argv[text]), dialect);
    return finish(&r, ret, err);
}

/* ---- back to text ---- */

static bool needs_quotes(const char *s)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_-./:@%+,=";
    return !*s || strspn(s, safe) != strlen(s) || s[0] == '=' || s[0] == '%';
}

static void put_quoted(struct strbuf *b, const char *s)
{
    strbuf_putc(b, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            strbuf_puts(b, "'\\''");
        else
            strbuf_putc(b, *s);
    }
    strbuf_putc(b, '\'');
}

/* Would a shell take the word, first in a line and unquoted, for something else? */
static bool is_reserved(const char *s)
{
    static const char *const words[] = {
        "if",   "then",    "else",   "elif", "fi",        "do",     "done",     "case",
        "esac", "for",     "while",  "in",   "until",     "select", "function", "coproc",
        "time", "foreach", "repeat", "end",  "nocorrect", "always"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_eq(s, words[i]))
            return true;
    return strchr(s, '=') != NULL;
}

const char *command_text(struct arena *a, const char *const *argv, size_t argc)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    for (size_t i = 0; i < argc; i++) {
        if (i)
            strbuf_putc(&b, ' ');
        if (needs_quotes(argv[i]) || (i == 0 && is_reserved(argv[i])))
            put_quoted(&b, argv[i]);
        else
            strbuf_puts(&b, argv[i]);
    }
    return strbuf_failed(&b) ? NULL : arena_strndup(a, strbuf_text(&b), b.n);
}

int command_split(struct arena *a, struct bytes text, const char ***ret_argv, size_t *ret_argc,
                  struct error *err)
{
    _cleanup_reader_ struct reader r = {.a = a, .words_only = true};
    struct command_list list;
    int e = too_long(text.n, err);
    if (e < 0)
        return e;
    if (text.n == 0)
        text.p = "";
    read_text(&r, text, DIALECT_SH);
    e = finish(&r, &list, err);
    if (e < 0)
        return e;
    if (list.reading != READING_PLAIN)
        return error_set(err, -EINVAL, "not one simple command of literal words: %s",
                         list.reason ? list.reason : "");
    if (list.n != 1)
        return error_set(err, -EINVAL, list.n ? "more than one command" : "no command");
    const struct command *c = &list.v[0];
    const char **argv = arena_zalloc(a, c->n + 1, sizeof(*argv));
    if (!argv)
        return error_set(err, -ENOMEM, "out of memory");
    for (size_t i = 0; i < c->n; i++)
        argv[i] = c->words[i].text;
    *ret_argv = argv;
    *ret_argc = c->n;
    return 0;
}
