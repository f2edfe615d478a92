/*
 * What a command makes of its words: nested shells, eval, trap, alias; and the input of shells. See
 * shell_internal.h.
 *
 * A text that is only partly known (sh -c "git $X") is read with holes, and one more command stands
 * in the list whose program is not known: the expansion could hold any.
 */
#include "base/limits.h"
#include "rules/shell_internal.h"

#include <errno.h>
#include <stdio.h>

const char *shell_base(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

bool shell_by_name(const char *name, enum dialect *ret)
{
    static const struct {
        const char *name;
        enum dialect dialect;
    } shells[] = {
        {"sh", DIALECT_SH},   {"bash", DIALECT_BASH},  {"rbash", DIALECT_BASH},
        {"dash", DIALECT_SH}, {"ash", DIALECT_SH},     {"zsh", DIALECT_ZSH},
        {"ksh", DIALECT_ZSH}, {"ksh93", DIALECT_ZSH},  {"mksh", DIALECT_ZSH},
        {"-sh", DIALECT_SH},  {"-bash", DIALECT_BASH}, {"posh", DIALECT_SH},
        {"yash", DIALECT_SH},
    };
    for (size_t i = 0; i < ARRAY_LEN(shells); i++)
        if (name[0] == shells[i].name[0] && str_eq(name, shells[i].name)) {
            *ret = shells[i].dialect;
            return true;
        }
    return false;
}

struct span shell_from(struct span span, size_t i)
{
    return (struct span){span.s + i, span.w + i, span.n - i};
}

struct bytes shell_join(struct reader *r, struct span span)
{
    size_t n = 0;
    for (size_t i = 0; i < span.n; i++)
        n += span.s[i].cooked.n + 1;
    char *text = arena_alloc(r->a, n + 1);
    if (!text) {
        r->error = -ENOMEM;
        return (struct bytes){"", 0};
    }
    n = 0;
    for (size_t i = 0; i < span.n; i++) {
        if (i)
            text[n++] = ' ';
        memcpy(text + n, span.s[i].cooked.p, span.s[i].cooked.n);
        n += span.s[i].cooked.n;
    }
    text[n] = '\0';
    return (struct bytes){text, n};
}

static const char *named(struct reader *r, const char *fmt_before, const char *name,
                         const char *behind)
{
    const char *text = arena_printf(r->a, "%s%s%s", fmt_before, name, behind);
    if (!text)
        r->error = -ENOMEM;
    return text ? text : "";
}

size_t shell_slot(struct reader *r)
{
    struct icommand *c = vec_push(&r->v);
    if (!c) {
        r->error = -ENOMEM;
        return 0;
    }
    c->level = r->level;
    c->c.pipes_to = UINT32_MAX;
    return r->v.n - 1;
}

void shell_unknown(struct reader *r, const char *shown, const char *via, uint32_t at, uint32_t end)
{
    struct command_word *w = arena_zalloc(r->a, 1, sizeof(*w));
    size_t i = shell_slot(r);
    if (!w)
        r->error = -ENOMEM;
    if (r->error)
        return;
    *w = (struct command_word){shown, false};
    r->v.v[i].c = (struct command){
        .words = w, .n = 1, .via = via, .at = at, .length = end - at, .pipes_to = UINT32_MAX};
}

void shell_subscripts(struct reader *r, struct bytes text, const char *via, uint32_t at,
                      uint32_t end)
{
    const char *from = memchr(text.p, '[', text.n);
    if (!from)
        return;
    struct bytes rest = {from, text.n - (size_t)(from - text.p)};
    if (!memmem(rest.p, rest.n, "$(", 2) && !memchr(rest.p, '`', rest.n))
        return;
    struct source s = {.p = rest.p, .n = rest.n, .copied = true, .at = at, .length = end - at};
    struct source outer = s;
    struct parser p = {.r = r, .s = &outer};
    struct build b = {.mark = r->buf.n};
    const char *old = r->via;
    r->reread += rest.n;
    if (r->reread > r->reread_most || !shell_enter(&p)) {
        (void)shell_fail(&p, "it is nested too often", 0);
        return;
    }
    bool opaque = r->opaque;
    r->via = via;
    r->nested++;
    r->level++;
    (void)shell_data(&p, &s, &b);
    r->level--;
    r->nested--;
    r->via = old;
    r->opaque = opaque; /* it may be mere text */
    r->buf.n = b.mark;
    shell_leave(&p);
}

/* ---- shells ---- */

struct shell_options {
    bool command, standard;
    size_t operand;
    size_t unknown; /* an option word that is not known, or 0 */
};

static struct shell_options shell_options(struct span span)
{
    struct shell_options o = {0};
    size_t i = 1;
    while (i < span.n) {
        if (!span.w[i].known) {
            if (!span.s[i].splits || o.command)
                break;
            o.unknown = o.unknown ? o.unknown : i;
            i++;
            continue;
        }
        if (str_eq(span.w[i].text, "--") || str_eq(span.w[i].text, "-")) {
            i++;
            break;
        }
        size_t n = shell_option_words(span.w[i].text, &o.command, &o.standard);
        if (n == 0)
            break;
        i += n;
    }
    o.operand = i < span.n ? i : span.n;
    return o;
}

static bool is_stdin_file(const char *file)
{
    return str_eq(file, "/dev/stdin") || str_eq(file, "/dev/fd/0") ||
           str_eq(file, "/proc/self/fd/0") || str_eq(file, "-");
}

static void run_shell(struct reader *r, size_t index, const char *name, struct span span,
                      enum dialect dialect)
{
    struct shell_options o = shell_options(span);
    const struct sword *w = o.operand < span.n ? &span.s[o.operand] : NULL;
    r->v.v[index].dialect = dialect;
    if (o.unknown)
        shell_unknown(r, span.s[o.unknown].text, name, span.s[o.unknown].at, span.s[o.unknown].end);
    if (o.command) {
        if (w)
            shell_nested(r, w->cooked, dialect, named(r, "", name, " -c"), w->at, w->end, w->text);
    } else if (o.standard || !w || (w->known && is_stdin_file(w->text))) {
        r->v.v[index].reads_stdin = true;
    } else if (!w->known) {
        shell_unknown(r, w->text, name, w->at, w->end);
    }
}

/* ---- builtins ---- */

static void run_eval(struct reader *r, struct span span, enum dialect dialect)
{
    size_t first = span.n > 1 && span.w[1].known && str_eq(span.w[1].text, "--") ? 2 : 1;
    if (span.n <= first)
        return;
    struct span rest = shell_from(span, first);
    struct bytes text = shell_join(r, rest);
    const struct sword *last = &rest.s[rest.n - 1];
    bool known = true;
    for (size_t i = 0; i < rest.n; i++)
        known = known && (rest.s[i].known || memchr(rest.s[i].cooked.p, HOLE, rest.s[i].cooked.n));
    if (!known)
        shell_unknown(r, rest.s[0].text, "eval", rest.s[0].at, last->end);
    if (!r->error)
        shell_nested(r, text, dialect, "eval", rest.s[0].at, last->end, rest.s[0].text);
}

static void run_trap(struct reader *r, struct span span, enum dialect dialect)
{
    size_t i = 1;
    while (i < span.n && span.w[i].known && span.w[i].text[0] == '-' && span.w[i].text[1]) {
        bool end = str_eq(span.w[i].text, "--");
        i++;
        if (end)
            break;
    }
    if (i + 1 >= span.n || (span.w[i].known && (str_eq(span.w[i].text, "-") || !span.w[i].text[0])))
        return;
    const struct sword *w = &span.s[i];
    shell_nested(r, w->cooked, dialect, "trap", w->at, w->end, w->text);
}

static void run_alias(struct reader *r, struct span span, enum dialect dialect)
{
    for (size_t i = 1; i < span.n && !r->error; i++) {
        const struct sword *w = &span.s[i];
        const char *equals = memchr(w->cooked.p, '=', w->cooked.n);
        if (!equals)
            continue;
        struct bytes text = {equals + 1, w->cooked.n - (size_t)(equals + 1 - w->cooked.p)};
        shell_nested(r, text, dialect, "alias", w->at, w->end, w->text);
        if (dialect != DIALECT_BASH && !r->opaque) {
            r->opaque = true;
            r->opaque_reason = "an alias changes what later words mean";
            r->opaque_at = w->at;
        }
    }
}

static void run_source(struct reader *r, size_t index, struct span span, enum dialect dialect)
{
    size_t i = span.n > 2 && span.w[1].known && str_eq(span.w[1].text, "--") ? 2 : 1;
    if (i >= span.n)
        return;
    r->v.v[index].dialect = dialect;
    if (!span.w[i].known)
        shell_unknown(r, span.w[i].text, "source", span.s[i].at, span.s[i].end);
    else if (is_stdin_file(span.w[i].text))
        r->v.v[index].reads_stdin = true;
}

enum builtin_kind { EVAL, TRAP, ALIAS, SOURCE, SUBSCRIPTS, CHANGES };

static const struct builtin {
    const char *name;
    enum builtin_kind kind;
} builtins[] = {
    {".", SOURCE},
    {"[", SUBSCRIPTS},
    {"alias", ALIAS},
    {"bind", CHANGES},
    {"compgen", CHANGES},
    {"complete", CHANGES},
    {"declare", SUBSCRIPTS},
    {"enable", CHANGES},
    {"eval", EVAL},
    {"export", SUBSCRIPTS},
    {"fc", CHANGES},
    {"getopts", SUBSCRIPTS},
    {"hash", CHANGES},
    {"let", SUBSCRIPTS},
    {"local", SUBSCRIPTS},
    {"mapfile", SUBSCRIPTS},
    {"printf", SUBSCRIPTS},
    {"read", SUBSCRIPTS},
    {"readarray", SUBSCRIPTS},
    {"readonly", SUBSCRIPTS},
    {"set", CHANGES},
    {"shopt", CHANGES},
    {"source", SOURCE},
    {"test", SUBSCRIPTS},
    {"trap", TRAP},
    {"typeset", SUBSCRIPTS},
    {"unset", SUBSCRIPTS},
    {"unalias", CHANGES},
    {"wait", SUBSCRIPTS},
};

static const struct builtin *builtin_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(builtins); i++)
        if (builtins[i].name[0] == name[0] && str_eq(builtins[i].name, name))
            return &builtins[i];
    return NULL;
}

static bool is_var_option(const struct span *span)
{
    return span->n > 2 && span->w[1].known && str_starts(span->w[1].text, "-v");
}

static void run_builtin(struct reader *r, size_t index, const struct builtin *b, struct span span,
                        enum dialect dialect)
{
    switch (b->kind) {
    case EVAL:
        run_eval(r, span, dialect);
        break;
    case TRAP:
        run_trap(r, span, dialect);
        break;
    case ALIAS:
        run_alias(r, span, dialect);
        break;
    case SOURCE:
        run_source(r, index, span, dialect);
        break;
    case SUBSCRIPTS:
        for (size_t i = 1; i < span.n; i++)
            if (!str_eq(b->name, "printf") || (i < 3 && is_var_option(&span)))
                shell_subscripts(r, span.s[i].cooked, b->name, span.s[i].at, span.s[i].end);
        break;
    default:
        break;
    }
}

/* ---- commands ---- */

/* The base name of the program, also where only its directory is not known; or NULL. */
static const char *base_of(const struct sword *w)
{
    if (w->known)
        return shell_base(w->text);
    const char *slash = memrchr(w->cooked.p, '/', w->cooked.n);
    if (!slash || memchr(slash, HOLE, w->cooked.n - (size_t)(slash - w->cooked.p)))
        return NULL;
    return slash + 1; /* terminated: the copy is */
}

void shell_run_more(struct reader *r, struct span span, enum dialect dialect, const char *via)
{
    if (!span.n || r->error)
        return;
    size_t index = shell_slot(r);
    if (!r->error)
        shell_run(r, index, span, dialect, via);
}

void shell_run(struct reader *r, size_t index, struct span span, enum dialect dialect,
               const char *via)
{
    struct icommand *c = &r->v.v[index];
    const struct sword *last = &span.s[span.n - 1];
    c->level = r->level;
    c->c = (struct command){.words = span.w,
                            .n = span.n,
                            .plain = !via && !r->nested && !r->via,
                            .via = via ? via : r->via,
                            .at = span.s[0].at,
                            .length = last->end - span.s[0].at,
                            .pipes_to = UINT32_MAX};
    if (r->words_only)
        return;
    if (r->depth >= MAX_SHELL_DEPTH) {
        if (!r->opaque) {
            r->opaque = true;
            r->opaque_reason = "it is nested too deeply";
            r->opaque_at = span.s[0].at;
        }
        return;
    }
    r->depth++;
    const char *name = base_of(&span.s[0]);
    const struct builtin *b = name ? builtin_of(name) : NULL;
    enum dialect shell;
    size_t i = 0;
    while (i < span.n && span.s[i].splits)
        i++;
    if (i && i < span.n)
        shell_run_more(r, shell_from(span, i), dialect, via);
    if (name && shell_by_name(name, &shell))
        run_shell(r, index, name, span, shell);
    else if (b)
        run_builtin(r, index, b, span, dialect);
    else if (name)
        shell_unwrap(r, index, name, span, dialect);
    r->depth--;
}

/* The words FIRST… of the stack, kept. BEFORE: room for so many in front. */
static struct span keep_words(struct reader *r, size_t first, size_t before)
{
    size_t n = r->words.n - first;
    struct sword *s = arena_alloc(r->a, (n + before) * sizeof(*s));
    struct command_word *w = arena_alloc(r->a, (n + before) * sizeof(*w));
    if (!s || !w) {
        r->error = -ENOMEM;
        return (struct span){0};
    }
    memcpy(s + before, r->words.v + first, n * sizeof(*s));
    for (size_t i = 0; i < n; i++)
        w[i + before] = (struct command_word){s[i + before].text, s[i + before].known};
    for (size_t i = 0; i < before; i++) {
        s[i] = (struct sword){.text = "time",
                              .cooked = BYTES("time"),
                              .at = s[before].at,
                              .end = s[before].at,
                              .known = true,
                              .bare = true};
        w[i] = (struct command_word){"time", true};
    }
    return (struct span){s, w, n + before};
}

void shell_emit(struct reader *r, size_t first, size_t index, enum dialect dialect,
                const struct redirected *to, bool timed)
{
    struct span span = keep_words(r, first, 0);
    if (r->error)
        return;
    const char *name = base_of(&span.s[0]);
    if (name && builtin_of(name) && !r->nested && !r->deep && !r->words_only &&
        !str_eq(name, "[") && !str_eq(name, "test") && !str_eq(name, "printf") &&
        !str_eq(name, "wait")) {
        r->deep = true;
        r->reason = "a builtin may change what later words mean";
        r->reason_at = span.s[0].at;
    }
    shell_run(r, index, span, dialect, NULL);
    if (timed && span.w[0].text[0] == '-' && !r->error) {
        struct span with = keep_words(r, first, 1);
        if (!r->error)
            shell_unwrap(r, index, "time", with, dialect);
    }
    if (!to->in || r->error)
        return;
    for (size_t i = index; to->data && i < r->v.n; i++)
        if (r->v.v[i].level == r->level)
            r->v.v[i].c.stdin_data = true;
    struct feed *f = vec_push(&r->feeds);
    if (f)
        *f = (struct feed){index, r->v.n, r->level, to->in};
    else
        r->error = -ENOMEM;
}

/* ---- input ---- */

static void feed_one(struct reader *r, size_t index, const struct input *in)
{
    struct icommand *c = &r->v.v[index];
    c->fed = true;
    if (!c->reads_stdin || !in || !in->shown)
        return;
    const char *name = shell_base(c->c.words[0].text);
    const char *via = named(r, "the input of ", name, "");
    if (in->known)
        shell_nested(r, in->text, c->dialect, via, in->at, in->end, in->shown);
    else
        shell_unknown(r, in->shown, via, in->at, in->end);
}

void shell_feed_all(struct reader *r, size_t first)
{
    for (size_t i = first; i < r->feeds.n && !r->error; i++) {
        struct feed f = r->feeds.v[i];
        for (size_t k = f.first; k < f.last && k < r->v.n && !r->error; k++)
            if (r->v.v[k].level == f.level && (!r->v.v[k].fed || r->multios) && r->v.v[k].c.n)
                feed_one(r, k, f.in);
    }
    r->feeds.n = first;
}

/* ---- output ---- */

static void put_text(struct strbuf *b, struct bytes text, bool escapes)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\' && escapes && i + 1 < text.n) {
            /* The others shells see in ways of their own: not known, a hole. */
            char next = text.p[++i];
            strbuf_put(b, next == 'n' ? "\n" : next == 't' ? "\t" : next == '\\' ? "\\" : "", 1);
        } else {
            strbuf_put(b, &c, 1);
        }
    }
}

static void put_echo(struct strbuf *b, const struct sword *w, size_t n, enum dialect dialect)
{
    bool escapes = dialect != DIALECT_BASH;
    size_t i = 1;
    for (; i < n && w[i].known && w[i].text[0] == '-' && w[i].text[1] &&
           strspn(w[i].text + 1, "neE") == strlen(w[i].text + 1);
         i++)
        escapes |= strchr(w[i].text, 'e') != NULL;
    for (size_t first = i; i < n; i++) {
        if (i > first)
            strbuf_putc(b, ' ');
        put_text(b, w[i].cooked, escapes);
    }
    strbuf_putc(b, '\n');
}

static void put_printf(struct strbuf *b, const struct sword *w, size_t n)
{
    size_t format = n > 2 && w[1].known && str_eq(w[1].text, "--") ? 2 : 1, arg = format + 1;
    if (format >= n)
        return;
    struct bytes f = w[format].cooked;
    size_t before;
    do {
        before = arg;
        size_t from = 0;
        for (size_t i = 0; i < f.n; i++) {
            if (f.p[i] != '%')
                continue;
            put_text(b, (struct bytes){f.p + from, i - from}, true);
            char c = i + 1 < f.n ? f.p[++i] : '%';
            from = i + 1;
            if (c == '%')
                strbuf_putc(b, '%');
            else if ((c == 's' || c == 'b') && arg < n)
                put_text(b, w[arg].cooked, c == 'b');
            else if (c != 's' && c != 'b')
                strbuf_put(b, "", 1);
            arg += c != '%';
        }
        put_text(b, (struct bytes){f.p + from, f.n - from}, true);
    } while (arg < n && arg > before && b->n < MAX_SHELL_BYTES);
}

const struct input *shell_output(struct reader *r, size_t first, enum dialect dialect,
                                 const struct redirected *to)
{
    const struct sword *w = r->words.v + first;
    size_t n = r->words.n - first;
    if (!n || !w[0].known || to->out)
        return NULL;
    if (str_eq(w[0].text, "cat") && r->multios)
        return NULL;
    if (str_eq(w[0].text, "cat"))
        return n == 1 || (n == 2 && w[1].known && is_stdin_file(w[1].text)) ? to->in : NULL;
    bool echo = str_eq(w[0].text, "echo");
    if (!echo && !str_eq(w[0].text, "printf"))
        return NULL;
    _cleanup_strbuf_ struct strbuf b = {0};
    if (echo)
        put_echo(&b, w, n, dialect);
    else
        put_printf(&b, w, n);
    struct input *in = arena_zalloc(r->a, 1, sizeof(*in));
    if (!in || strbuf_failed(&b)) {
        r->error = -ENOMEM;
        return NULL;
    }
    for (size_t i = 1; i < n; i++) /* a pattern may become anything */
        if (!w[i].known && !memchr(w[i].cooked.p, HOLE, w[i].cooked.n))
            strbuf_put(&b, "", 1);
    *in = (struct input){true, shell_keep(r, strbuf_text(&b), b.n), w[1 < n ? 1 : 0].text, w[0].at,
                         w[n - 1].end};
    return in;
}
