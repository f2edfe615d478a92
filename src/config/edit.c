/*
 * One key of a TOML text changed, the text half. See edit.h; the file half is edit_file.c.
 *
 * The parser says where everything stands, so nothing is printed anew: an edit is a few splices
 * into the old text. Where a new key may stand depends on how its table was written, and TOML's
 * rules about who may still add to which table are many. So the work is split: the functions below
 * propose a place, the best one first, and confirm() parses the result and compares the two trees.
 * A proposal that is not exactly right is dropped, never written.
 *
 * How a table is written (enum form) is read off the text at its span:
 *
 *   FORM_HEADER   the root, or a table with a header of its own: new keys go behind its last one
 *   FORM_IMPLIED  only headers below it stand there: it gets its header at the end of the file
 *   FORM_DOTTED   made by dotted keys: new ones go beside them, spelled from the table above
 *   FORM_INLINE   { }: new keys go in front of the closing brace
 *
 * A key and its value are "plain" when they stand in one place, KEY = VALUE. Only those can be
 * replaced or removed; a table made by headers or dotted keys, and an array of tables, cannot.
 */
#include "config/edit.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/toml.h"
#include "config/keys.h"
#include "config/value.h"

#include <assert.h>
#include <errno.h>

enum form { FORM_HEADER, FORM_IMPLIED, FORM_DOTTED, FORM_INLINE };

/* DROP bytes at AT give way to PUT. */
struct splice {
    size_t at, drop;
    struct bytes put;
};

struct edit {
    struct arena arena;
    struct bytes text;
    const char *file;
    const struct bytes *parts;
    size_t n;
    struct bytes value;            /* without blanks round it; .p NULL: remove */
    const struct toml_value *want; /* VALUE parsed */
    size_t start;                  /* behind a BOM */
    const char *newline;
    const struct toml_value *tables[MAX_TOML_DEPTH + 2]; /* [i]: of the first i parts */
    size_t n_tables;
    const struct toml_member *found; /* the key itself */
    struct splice splices[2];        /* in order of place */
    size_t n_splices;
    struct error *err;
};

static const char *key_text(struct edit *e, size_t n)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    key_put_dotted(&b, e->parts, n);
    return show(strbuf_text(&b));
}

static int no_memory(struct edit *e)
{
    return error_set(e->err, -ENOMEM, "out of memory while changing %s", show(e->file));
}

static void put_splice(struct edit *e, size_t at, size_t drop, struct bytes put)
{
    assert(e->n_splices < ARRAY_LEN(e->splices));
    e->splices[e->n_splices++] = (struct splice){at, drop, put};
}

/* PUT is copied. */
static int put_text(struct edit *e, size_t at, size_t drop, const struct strbuf *put)
{
    char *copy = strbuf_failed(put) ? NULL : arena_strndup(&e->arena, strbuf_text(put), put->n);
    if (!copy)
        return no_memory(e);
    put_splice(e, at, drop, (struct bytes){copy, put->n});
    return 0;
}

/* ---- the text ---- */

static int byte_at(const struct edit *e, size_t at)
{
    return at < e->text.n ? (unsigned char)e->text.p[at] : -1;
}

static bool is_blank(int c)
{
    return c == ' ' || c == '\t';
}

static size_t skip_blanks(const struct edit *e, size_t at)
{
    while (is_blank(byte_at(e, at)))
        at++;
    return at;
}

/* Behind blanks, a comment and the newline of the line at AT. *ret_clean (may be NULL): nothing
 * else stood there. */
static size_t line_end(const struct edit *e, size_t at, bool *ret_clean)
{
    at = skip_blanks(e, at);
    int c = byte_at(e, at);
    if (ret_clean)
        *ret_clean = c == '#' || c == '\r' || c == '\n' || c == -1;
    while (at < e->text.n && e->text.p[at] != '\n')
        at++;
    return at < e->text.n ? at + 1 : at;
}

static size_t line_start(const struct edit *e, size_t at)
{
    while (at > e->start && e->text.p[at - 1] != '\n')
        at--;
    return at;
}

/* Behind everything that says nothing: blanks, newlines, comments. */
static size_t skip_trivia(const struct edit *e, size_t at)
{
    for (;;) {
        int c = byte_at(e, at);
        if (c == '#')
            at = line_end(e, at, NULL);
        else if (is_blank(c) || c == '\r' || c == '\n')
            at++;
        else
            return at;
    }
}

static bool has_newline(const struct edit *e, size_t from, size_t to)
{
    return to > from && memchr(e->text.p + from, '\n', to - from);
}

/* The blanks that the line at AT begins with. */
static struct bytes indent_of(const struct edit *e, size_t at)
{
    size_t from = line_start(e, at);
    return (struct bytes){e->text.p + from, skip_blanks(e, from) - from};
}

static const char *newline_of(struct bytes text)
{
    const char *lf = text.n ? memchr(text.p, '\n', text.n) : NULL;
    return lf && lf > text.p && lf[-1] == '\r' ? "\r\n" : "\n";
}

/* ---- how things are written ---- */

static size_t end_of(const struct toml_span *s)
{
    return s->offset + s->length;
}

/* A table's span begins with "{" when it is inline, with "[" when a header made it, and else with
 * the dotted key. The span of an array of tables is its first header, which holds the key. */
static bool is_plain(const struct edit *e, const struct toml_member *m)
{
    if (m->value->type == TOML_TABLE)
        return byte_at(e, m->value->span.offset) == '{';
    return m->value->type != TOML_ARRAY || m->value->span.offset > m->key_span.offset;
}

/* How many parts the key of the header at SPAN has; 0 when memory ran out. */
static size_t header_parts(struct edit *e, struct toml_span span)
{
    size_t from = span.offset + 1, to = end_of(&span) - 1, n = 0;
    if (byte_at(e, from) == '[') {
        from++;
        to--;
    }
    while (to > from && is_blank(byte_at(e, to - 1)))
        to--;
    struct bytes *parts;
    return toml_parse_key(&e->arena, (struct bytes){e->text.p + from, to - from}, &parts, &n,
                          NULL) == 0
               ? n
               : 0;
}

/* Of the table that the first I parts name. */
static enum form form_of(struct edit *e, size_t i)
{
    const struct toml_span *span = &e->tables[i]->span;
    int c = i ? byte_at(e, span->offset) : '[';
    if (i == 0)
        return FORM_HEADER;
    if (c == '{')
        return FORM_INLINE;
    if (c != '[')
        return FORM_DOTTED;
    return header_parts(e, *span) == i ? FORM_HEADER : FORM_IMPLIED;
}

/* The nearest table at or above part I whose keys stand in one place: inline, or under a header. */
static size_t base_of(struct edit *e, size_t i, enum form *ret)
{
    for (;; i--) {
        *ret = form_of(e, i);
        if (*ret == FORM_HEADER || *ret == FORM_INLINE)
            return i;
    }
}

/* The plain member in TABLE that ends last in [FROM, TO], without looking into inline tables. */
static void last_plain(const struct edit *e, const struct toml_value *table, size_t from, size_t to,
                       const struct toml_member **ret)
{
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        size_t end = end_of(&m->value->span);
        if (!is_plain(e, m)) {
            if (m->value->type == TOML_TABLE)
                last_plain(e, m->value, from, to, ret);
        } else if (m->key_span.offset >= from && end <= to &&
                   (!*ret || end > end_of(&(*ret)->value->span))) {
            *ret = m;
        }
    }
}

/* Lowers *ret to the first header at or behind FROM. */
static void first_header(const struct edit *e, const struct toml_value *table, size_t from,
                         size_t *ret)
{
    for (const struct toml_member *m = table->table.first; m; m = m->next) {
        const struct toml_value *v = m->value;
        if (is_plain(e, m))
            continue;
        size_t n = v->type == TOML_ARRAY ? v->array.n : 1;
        for (size_t i = 0; i < n; i++) {
            const struct toml_value *t = v->type == TOML_ARRAY ? v->array.items[i] : v;
            size_t at = t->span.offset;
            if (byte_at(e, at) == '[' && at >= from && at < *ret)
                *ret = at;
            first_header(e, t, from, ret);
        }
    }
}

/* ---- is the result right? ---- */

static uint64_t bits_of(double d)
{
    uint64_t bits;
    static_assert(sizeof(bits) == sizeof(d), "a double has 64 bits");
    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

static bool same(const struct toml_value *a, const struct toml_value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case TOML_STRING:
        return bytes_eq(a->string, b->string);
    case TOML_INTEGER:
        return a->integer == b->integer;
    case TOML_FLOAT: /* bit by bit: nan is itself, and -0.0 is not 0.0 */
        return bits_of(a->floating) == bits_of(b->floating);
    case TOML_BOOLEAN:
        return a->boolean == b->boolean;
    case TOML_ARRAY:
        if (a->array.n != b->array.n)
            return false;
        for (size_t i = 0; i < a->array.n; i++)
            if (!same(a->array.items[i], b->array.items[i]))
                return false;
        return true;
    case TOML_TABLE: {
        const struct toml_member *m = a->table.first, *o = b->table.first;
        for (; m && o; m = m->next, o = o->next)
            if (!bytes_eq(m->key, o->key) || !same(m->value, o->value))
                return false;
        return !m && !o;
    }
    default:
        return memcmp(&a->datetime, &b->datetime, sizeof(a->datetime)) == 0;
    }
}

static const struct toml_member *next_other(const struct toml_member *m, struct bytes key)
{
    while (m && bytes_eq(m->key, key))
        m = m->next;
    return m;
}

/* Are OLD and NEW (NULL: a table that is not there) the same but for parts I… of the key, which is
 * in NEW what is wanted? A table that a removal left empty may have gone with its last key. */
static bool same_but(const struct edit *e, const struct toml_value *old,
                     const struct toml_value *new, size_t i)
{
    struct bytes key = e->parts[i];
    const struct toml_member *a = old ? next_other(old->table.first, key) : NULL;
    const struct toml_member *b = new ? next_other(new->table.first, key) : NULL;
    for (; a && b; a = next_other(a->next, key), b = next_other(b->next, key))
        if (!bytes_eq(a->key, b->key) || !same(a->value, b->value))
            return false;
    if (a || b)
        return false;
    const struct toml_value *was = old ? toml_get(old, key) : NULL;
    const struct toml_value *is = new ? toml_get(new, key) : NULL;
    if (i + 1 == e->n)
        return e->want ? is && same(is, e->want) : !is;
    if ((was && was->type != TOML_TABLE) || (is && is->type != TOML_TABLE))
        return false;
    if (!is && e->want)
        return false;
    return (!was && !is) || same_but(e, was, is, i + 1);
}

static void put_result(const struct edit *e, struct strbuf *out)
{
    size_t at = 0;
    for (size_t i = 0; i < e->n_splices; i++) {
        const struct splice *s = &e->splices[i];
        assert(s->at >= at && s->at + s->drop <= e->text.n);
        strbuf_put(out, e->text.p + at, s->at - at);
        strbuf_put(out, s->put.p, s->put.n);
        at = s->at + s->drop;
    }
    strbuf_put(out, e->text.p + at, e->text.n - at);
}

/* Appends the result to OUT when it is right; -EPROTO when the proposal was none. */
static int confirm(struct edit *e, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    _cleanup_arena_ struct arena a = {0};
    struct toml_value *tree;
    put_result(e, &b);
    if (strbuf_failed(&b))
        return no_memory(e);
    struct error err = {0};
    int r = toml_parse(&a, e->file, (struct bytes){strbuf_text(&b), b.n}, TOML_1_1, &tree, &err);
    if (r == -ENOMEM)
        return no_memory(e);
    /* The new key is what went past a maximum; the place would be one in a text nobody sees. */
    if (r == -E2BIG || r == -EFBIG)
        return error_set(e->err, r, "%s cannot be set in %s: %s", key_text(e, e->n), show(e->file),
                         err.message);
    if (r < 0 || !same_but(e, e->tables[0], tree, 0))
        return -EPROTO;
    strbuf_put(out, strbuf_text(&b), b.n);
    return strbuf_failed(out) ? no_memory(e) : 0;
}

/* ---- proposals: a new key ---- */

static void put_pair(struct edit *e, size_t first, struct strbuf *b)
{
    key_put_dotted(b, e->parts + first, e->n - first);
    strbuf_puts(b, " = ");
    strbuf_put(b, e->value.p, e->value.n);
}

/* Before the first header stand only comments and blank lines. Those that belong to the header,
 * which are the ones right above it, stay with it. */
static int lead_in(struct edit *e, size_t header)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    size_t at = line_start(e, header);
    while (at > e->start) {
        size_t above = line_start(e, at - 1);
        if (byte_at(e, skip_blanks(e, above)) != '#')
            break;
        at = above;
    }
    put_pair(e, 0, &b);
    strbuf_puts(&b, e->newline);
    strbuf_puts(&b, e->newline);
    return put_text(e, at, 0, &b);
}

/* At the end of the text, under HEADER parts when there are any. */
static int append(struct edit *e, size_t header)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    size_t end = e->text.n;
    if (end > e->start) {
        size_t last = line_start(e, end);
        if (last < end) {
            strbuf_puts(&b, e->newline);
        } else {
            last = line_start(e, end - 1);
        }
        int c = byte_at(e, skip_blanks(e, last));
        if (c != '\r' && c != '\n' && c != -1)
            strbuf_puts(&b, e->newline);
    }
    if (header) {
        strbuf_putc(&b, '[');
        key_put_dotted(&b, e->parts, header);
        strbuf_putc(&b, ']');
        strbuf_puts(&b, e->newline);
    }
    put_pair(e, header, &b);
    strbuf_puts(&b, e->newline);
    return put_text(e, end, 0, &b);
}

/* Under the header of the table of BASE parts (0: the top of the file), behind the last key of the
 * table of BESIDE parts that stands there. */
static int in_section(struct edit *e, size_t base, size_t beside)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    const struct toml_span *span = &e->tables[base]->span;
    const struct toml_member *last = NULL;
    size_t from = base ? end_of(span) : e->start, to = e->text.n;
    first_header(e, e->tables[0], from, &to);
    last_plain(e, e->tables[beside], from, to, &last);
    if (!last && !base)
        return to < e->text.n ? lead_in(e, to) : append(e, 0);
    size_t at = line_end(e, last ? end_of(&last->value->span) : from, NULL);
    struct bytes indent = indent_of(e, last ? last->key_span.offset : span->offset);
    if (at > 0 && e->text.p[at - 1] != '\n')
        strbuf_puts(&b, e->newline);
    strbuf_put(&b, indent.p, indent.n);
    put_pair(e, base, &b);
    strbuf_puts(&b, e->newline);
    return put_text(e, at, 0, &b);
}

/* Behind the last key of the inline table of BASE parts. Where its brace closes on a line of its
 * own, the new key gets one too. */
static int in_braces(struct edit *e, size_t base)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    const struct toml_span *span = &e->tables[base]->span;
    size_t open = span->offset + 1, close = end_of(span) - 1;
    const struct toml_member *last = NULL;
    last_plain(e, e->tables[base], open, close, &last);
    if (!last) {
        bool empty = skip_blanks(e, open) == close;
        strbuf_putc(&b, ' ');
        put_pair(e, base, &b);
        if (empty)
            strbuf_putc(&b, ' ');
        return put_text(e, open, empty ? close - open : 0, &b);
    }
    size_t end = end_of(&last->value->span), at = skip_blanks(e, end);
    bool comma = byte_at(e, at) == ',', clean;
    size_t next = line_end(e, comma ? at + 1 : at, &clean);
    if (!clean || next > close || (!comma && skip_trivia(e, next) != close)) {
        strbuf_puts(&b, ", ");
        put_pair(e, base, &b);
        return put_text(e, end, 0, &b);
    }
    struct bytes indent = indent_of(e, last->key_span.offset);
    if (!comma)
        put_splice(e, end, 0, BYTES(","));
    strbuf_put(&b, indent.p, indent.n);
    put_pair(e, base, &b);
    strbuf_puts(&b, comma ? "," : "");
    strbuf_puts(&b, e->newline);
    return put_text(e, next, 0, &b);
}

static int try_new(struct edit *e, int proposed, struct strbuf *out)
{
    int r = proposed < 0 ? proposed : confirm(e, out);
    e->n_splices = 0;
    return r;
}

static int add(struct edit *e, struct strbuf *out)
{
    size_t i = e->n_tables - 1; /* parts that are there */
    enum form form = form_of(e, i), base_form;
    size_t base = base_of(e, i, &base_form);
    if (base_form == FORM_INLINE)
        return try_new(e, in_braces(e, base), out);
    int r = -EPROTO;
    if (form == FORM_DOTTED || (form == FORM_HEADER && i + 1 == e->n))
        r = try_new(e, in_section(e, base, i), out);
    if (r == -EPROTO && e->n > 1)
        r = try_new(e, append(e, e->n - 1), out);
    if (r == -EPROTO)
        r = try_new(e, in_section(e, base, base), out);
    return r;
}

/* ---- proposals: a key that is there ---- */

static int replace(struct edit *e, struct strbuf *out)
{
    const struct toml_span *span = &e->found->value->span;
    put_splice(e, span->offset, span->length, e->value);
    return confirm(e, out);
}

/* [FROM, TO) of an inline table goes; with the whole line when nothing else stands on it. */
static void cut(struct edit *e, size_t from, size_t to)
{
    size_t start = line_start(e, from);
    bool clean;
    size_t end = line_end(e, to, &clean);
    if (clean && skip_blanks(e, start) == from && has_newline(e, to, end)) {
        from = start;
        to = end;
    }
    put_splice(e, from, to - from, BYTES(""));
}

/* A key with one of the commas beside it, out of the inline table of BASE parts. A comma in front
 * of the brace may stay where the table has several lines: only TOML 1.1 has those. */
static void cut_from_braces(struct edit *e, size_t base)
{
    const struct toml_span *span = &e->tables[base]->span;
    size_t open = span->offset + 1, close = end_of(span) - 1, end = end_of(&e->found->value->span);
    const struct toml_member *before = NULL;
    last_plain(e, e->tables[base], open, e->found->key_span.offset, &before);
    size_t behind = before ? end_of(&before->value->span) : open;
    size_t from = skip_trivia(e, behind), next = skip_trivia(e, end);
    if (before) /* its comma */
        from = skip_trivia(e, from + 1);
    if (byte_at(e, next) == ',') {
        bool clean;
        (void)line_end(e, next + 1, &clean);
        if (memchr(e->text.p + end, '#', next - end)) {
            put_splice(e, from, end - from, BYTES(""));
            put_splice(e, next, 1, BYTES(""));
        } else if (clean) {
            cut(e, from, next + 1);
        } else {
            put_splice(e, from, skip_blanks(e, next + 1) - from, BYTES(""));
        }
    } else if (before && !has_newline(e, behind, from)) {
        put_splice(e, behind, end - behind, BYTES(""));
    } else if (!before && skip_blanks(e, open) == from && skip_blanks(e, end) == close) {
        put_splice(e, open, close - open, BYTES(""));
    } else {
        cut(e, from, end);
    }
}

static int cut_out(struct edit *e, struct strbuf *out)
{
    enum form form;
    size_t base = base_of(e, e->n - 1, &form);
    if (form == FORM_INLINE) {
        cut_from_braces(e, base);
    } else {
        size_t from = line_start(e, e->found->key_span.offset);
        size_t to = line_end(e, end_of(&e->found->value->span), NULL);
        put_splice(e, from, to - from, BYTES(""));
    }
    return confirm(e, out);
}

/* ---- the whole ---- */

static const char *kind(const struct edit *e, const struct toml_member *m)
{
    if (m->value->type == TOML_TABLE)
        return "a table";
    return is_plain(e, m) ? toml_type_name(m->value->type) : "an array of tables";
}

static int refuse(struct edit *e, const struct toml_member *m, size_t n, const char *hint,
                  const char *why)
{
    (void)error_set(e->err, -EINVAL, "%s is %s, %s", key_text(e, n), kind(e, m), why);
    toml_error_at(e->err, e->file, e->text, m->key_span);
    error_hint(e->err, "%s", hint);
    return -EINVAL;
}

/* Goes down the parts as far as there are tables. */
static int find(struct edit *e, const struct toml_value *root)
{
    e->tables[0] = root;
    e->n_tables = 1;
    for (size_t i = 0; i < e->n; i++) {
        const struct toml_member *m = toml_member(e->tables[i], e->parts[i]);
        if (i + 1 == e->n)
            e->found = m;
        if (!m || i + 1 == e->n)
            return 0;
        if (m->value->type != TOML_TABLE)
            return e->want ? refuse(e, m, i + 1, "remove it first, or name another key",
                                    "nothing can be set inside it")
                           : 0;
        e->tables[e->n_tables++] = m->value;
    }
    return 0;
}

static int change(struct edit *e, struct strbuf *out)
{
    const struct toml_member *m = e->found;
    if (!m && !e->want)
        return error_set(e->err, -ENOENT, "%s is not set in %s", key_text(e, e->n), show(e->file));
    if (!m)
        return add(e, out);
    if (e->want && same(m->value, e->want)) {
        strbuf_put(out, e->text.p, e->text.n);
        return strbuf_failed(out) ? no_memory(e) : 0;
    }
    if (!is_plain(e, m))
        return refuse(e, m, e->n, "change the keys in it one by one, or edit the file",
                      e->want ? "it cannot be replaced by a value"
                              : "it cannot be removed as a whole");
    if (!e->want)
        return cut_out(e, out);
    if ((m->value->type == TOML_TABLE) != (e->want->type == TOML_TABLE))
        return refuse(e, m, e->n, "remove the key first, then set it",
                      e->want->type == TOML_TABLE ? "it is not replaced by a table"
                                                  : "it is not replaced by a plain value");
    return replace(e, out);
}

static int parse(struct edit *e, struct bytes value, struct toml_value **ret_root)
{
    struct toml_value *want;
    int r = toml_parse(&e->arena, e->file, e->text, TOML_1_1, ret_root, e->err);
    if (r < 0 || !value.p)
        return r;
    r = toml_parse_value(&e->arena, NULL, value, TOML_1_1, &want, e->err);
    if (r < 0)
        return error_wrap(e->err, r, "the value of %s", key_text(e, e->n));
    e->want = want;
    e->value = (struct bytes){value.p + want->span.offset, want->span.length};
    return 0;
}

int edit_set(struct bytes text, const char *file, const struct bytes *parts, size_t n,
             struct bytes value, struct strbuf *out, struct error *err)
{
    struct edit e = {.text = text.n ? text : BYTES(""),
                     .file = file,
                     .parts = parts,
                     .n = n,
                     .newline = newline_of(text),
                     .err = err};
    struct toml_value *root;
    if (n == 0 || n > MAX_TOML_DEPTH)
        return error_set(err, n ? -E2BIG : -EINVAL, "a key has 1 to %u parts", MAX_TOML_DEPTH);
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        e.start = 3;
    int r = parse(&e, value, &root);
    if (r == 0)
        r = find(&e, root);
    if (r == 0)
        r = change(&e, out);
    if (r == -EPROTO) {
        r = error_set(err, r, "there is no place for %s in %s that leaves the rest as it is",
                      key_text(&e, n), show(file));
        error_hint(err, "set it with an editor");
    }
    arena_release(&e.arena);
    return r;
}
