/* Methods of strings, and what they share with % and format(). See star_lib.h. */
#include "rules/star_lib.h"

#include <errno.h>

/* star_take() and eval() have set what they do not complain of, which gcc's analyzer does not
 * follow. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#pragma GCC diagnostic ignored "-Wanalyzer-null-dereference"
#endif
/* Nor does clang's. NOLINTBEGIN(clang-analyzer-core.*) */

/* ---- methods of strings ---- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static char lower_of(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static char upper_of(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

enum letter_case { LOWER, UPPER, TITLE, CAPITAL };

static int change_case(struct star *s, const struct star_value *self, struct star_call *call,
                       enum letter_case to)
{
    size_t n = self->text.n;
    int r = star_take(s, call, "", NULL);
    char *p = r == 0 ? star_alloc(s, n + 1) : NULL;
    if (!p)
        return r < 0 ? r : -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        char c = self->text.p[i];
        bool first = i == 0 || (to == TITLE && !is_letter(self->text.p[i - 1]));
        p[i] = to == UPPER || (to != LOWER && first) ? upper_of(c) : lower_of(c);
    }
    RETURN(star_view(s, p, n));
}

FUNCTION(lower)
{
    return change_case(s, self, call, LOWER);
}
FUNCTION(upper)
{
    return change_case(s, self, call, UPPER);
}
FUNCTION(title)
{
    return change_case(s, self, call, TITLE);
}
FUNCTION(capitalize)
{
    return change_case(s, self, call, CAPITAL);
}

static int is_all(struct star *s, const struct star_value *self, struct star_call *call,
                  bool (*is)(char c))
{
    bool all = self->text.n > 0;
    int r = star_take(s, call, "", NULL);
    for (size_t i = 0; all && i < self->text.n; i++)
        all = is(self->text.p[i]);
    if (r < 0)
        return r;
    RETURN(star_true_or_false(all));
}

static bool is_alnum(char c)
{
    return is_letter(c) || is_digit(c);
}

FUNCTION(isalnum)
{
    return is_all(s, self, call, is_alnum);
}
FUNCTION(isalpha)
{
    return is_all(s, self, call, is_letter);
}
FUNCTION(isdigit)
{
    return is_all(s, self, call, is_digit);
}
FUNCTION(isspace)
{
    return is_all(s, self, call, is_space);
}

static int is_case(struct star *s, const struct star_value *self, struct star_call *call,
                   bool upper)
{
    bool any = false, all = true;
    int r = star_take(s, call, "", NULL);
    for (size_t i = 0; i < self->text.n; i++) {
        char c = self->text.p[i];
        any = any || is_letter(c);
        all = all && (!is_letter(c) || (upper ? upper_of(c) : lower_of(c)) == c);
    }
    if (r < 0)
        return r;
    RETURN(star_true_or_false(any && all));
}

FUNCTION(islower)
{
    return is_case(s, self, call, false);
}
FUNCTION(isupper)
{
    return is_case(s, self, call, true);
}

/* Words that begin with a capital and go on without. */
FUNCTION(istitle)
{
    bool any = false, all = true;
    int r = star_take(s, call, "", NULL);
    for (size_t i = 0; i < self->text.n; i++) {
        char c = self->text.p[i];
        bool first = i == 0 || !is_letter(self->text.p[i - 1]);
        any = any || is_letter(c);
        all = all && (!is_letter(c) || (first ? upper_of(c) : lower_of(c)) == c);
    }
    if (r < 0)
        return r;
    RETURN(star_true_or_false(any && all));
}

/* Where SUB first (or LAST) stands in TEXT, or -1. */
static int64_t find_text(struct bytes text, struct bytes sub, bool last)
{
    if (sub.n > text.n)
        return -1;
    if (sub.n == 0)
        return last ? (int64_t)text.n : 0;
    if (!last) {
        const char *p = memmem(text.p, text.n, sub.p, sub.n);
        return p ? p - text.p : -1;
    }
    for (size_t at = text.n - sub.n + 1; at-- > 0;)
        if (memcmp(text.p + at, sub.p, sub.n) == 0)
            return (int64_t)at;
    return -1;
}

static int find(struct star *s, const struct star_value *self, struct star_call *call, bool last,
                bool must)
{
    const struct star_value *v[3] = {NULL};
    struct bytes sub;
    int64_t from = 0, to = 0, n = (int64_t)self->text.n;
    int r = star_take(s, call, "sub ?start end", v);
    if (r == 0)
        r = star_take_text(s, v[0], &sub);
    if (r == 0)
        r = star_take_int(s, v[1], 0, &from);
    if (r == 0)
        r = star_take_int(s, v[2], n, &to);
    if (r == 0)
        r = star_step(s, (uint64_t)n / 8 + (last ? (uint64_t)n * sub.n / 64 : 0));
    if (r < 0)
        return r;
    from = star_clamp(from, n);
    to = star_clamp(to, n);
    int64_t at =
        from <= to ? find_text((struct bytes){self->text.p + from, (size_t)(to - from)}, sub, last)
                   : -1;
    if (at < 0 && must)
        return star_fault(s, "%s: it is not in the string", call->function);
    RETURN(star_make_int(s, at < 0 ? -1 : at + from));
}

FUNCTION(find)
{
    return find(s, self, call, false, false);
}
FUNCTION(rfind)
{
    return find(s, self, call, true, false);
}
FUNCTION(index)
{
    return find(s, self, call, false, true);
}
FUNCTION(rindex)
{
    return find(s, self, call, true, true);
}

FUNCTION(count)
{
    const struct star_value *v[3] = {NULL};
    struct bytes sub, text = self->text;
    int64_t found = 0, from = 0, to = 0, n = (int64_t)text.n;
    int r = star_take(s, call, "sub ?start end", v);
    if (r == 0)
        r = star_take_text(s, v[0], &sub);
    if (r == 0)
        r = star_take_int(s, v[1], 0, &from);
    if (r == 0)
        r = star_take_int(s, v[2], n, &to);
    if (r == 0)
        r = star_step(s, text.n / 8);
    if (r < 0)
        return r;
    from = star_clamp(from, n);
    to = star_clamp(to, n);
    if (from > to)
        RETURN(star_make_int(s, 0));
    text = (struct bytes){text.p + from, (size_t)(to - from)};
    if (sub.n == 0)
        RETURN(star_make_int(s, (int64_t)text.n + 1));
    for (int64_t at; (at = find_text(text, sub, false)) >= 0; found++) {
        text.p += (size_t)at + sub.n;
        text.n -= (size_t)at + sub.n;
    }
    RETURN(star_make_int(s, found));
}

static bool at_end(struct bytes text, struct bytes part, bool end)
{
    return part.n <= text.n &&
           (part.n == 0 || memcmp(end ? text.p + text.n - part.n : text.p, part.p, part.n) == 0);
}

static int starts_or_ends(struct star *s, const struct star_value *self, struct star_call *call,
                          bool end)
{
    const struct star_value *v[3] = {NULL};
    struct bytes part, text = self->text;
    int64_t from = 0, to = 0, n = (int64_t)text.n;
    bool does = false;
    int r = star_take(s, call, "x ?start end", v);
    if (r == 0)
        r = star_take_int(s, v[1], 0, &from);
    if (r == 0)
        r = star_take_int(s, v[2], n, &to);
    if (r < 0)
        return r;
    from = star_clamp(from, n);
    to = star_clamp(to, n);
    text = (struct bytes){text.p + from, from < to ? (size_t)(to - from) : 0};
    if (v[0]->type == STAR_TUPLE) {
        for (size_t i = 0; r == 0 && !does && i < v[0]->list.n; i++) {
            r = star_take_text(s, v[0]->list.items[i], &part);
            does = r == 0 && at_end(text, part, end);
        }
    } else {
        r = star_take_text(s, v[0], &part);
        does = r == 0 && at_end(text, part, end);
    }
    if (r < 0)
        return r;
    RETURN(star_true_or_false(does));
}

FUNCTION(startswith)
{
    return starts_or_ends(s, self, call, false);
}
FUNCTION(endswith)
{
    return starts_or_ends(s, self, call, true);
}

static int remove_end(struct star *s, const struct star_value *self, struct star_call *call,
                      bool end)
{
    const struct star_value *v[1] = {NULL};
    struct bytes part = {NULL, 0};
    int r = star_take(s, call, "x", v);
    if (r == 0)
        r = star_take_text(s, v[0], &part);
    if (r < 0)
        return r;
    if (!at_end(self->text, part, end))
        RETURN(self);
    RETURN(star_view(s, self->text.p + (end ? 0 : part.n), self->text.n - part.n));
}

FUNCTION(removeprefix)
{
    return remove_end(s, self, call, false);
}
FUNCTION(removesuffix)
{
    return remove_end(s, self, call, true);
}

static int strip(struct star *s, const struct star_value *self, struct star_call *call, bool left,
                 bool right)
{
    const struct star_value *v[1] = {NULL};
    struct bytes set = BYTES(" \t\n\v\f\r"), text = self->text;
    int r = star_take(s, call, "?cutset", v);
    if (r == 0 && v[0] && v[0]->type != STAR_NONE)
        r = star_take_text(s, v[0], &set);
    if (r == 0 && set.n == 0)
        set = BYTES(" \t\n\v\f\r");
    if (r < 0)
        return r;
    while (left && text.n && memchr(set.p, text.p[0], set.n)) {
        text.p++;
        text.n--;
    }
    while (right && text.n && memchr(set.p, text.p[text.n - 1], set.n))
        text.n--;
    RETURN(star_view(s, text.p, text.n));
}

FUNCTION(strip)
{
    return strip(s, self, call, true, true);
}
FUNCTION(lstrip)
{
    return strip(s, self, call, true, false);
}
FUNCTION(rstrip)
{
    return strip(s, self, call, false, true);
}

static int add_text(struct star *s, struct star_value *list, const char *p, size_t n)
{
    const struct star_value *v = star_view(s, p, n);
    return v ? star_append(s, list, v) : -ENOMEM;
}

FUNCTION(split)
{
    const struct star_value *v[2] = {NULL};
    struct star_value *out = star_make_list(s, STAR_LIST, 0);
    struct bytes sep = {NULL, 0}, text = self->text;
    int64_t most;
    int r = out ? star_take(s, call, "?sep maxsplit", v) : -ENOMEM;
    if (r == 0 && v[0] && v[0]->type != STAR_NONE)
        r = star_take_text(s, v[0], &sep);
    if (r == 0)
        r = star_take_int(s, v[1], -1, &most);
    if (r == 0)
        r = star_step(s, text.n / 8);
    if (r == 0 && sep.p && sep.n == 0)
        return star_fault(s, "split: the separator is empty");
    if (r < 0)
        return r;
    if (!sep.p) {
        for (size_t at = 0; r == 0;) {
            while (at < text.n && is_space(text.p[at]))
                at++;
            if (at == text.n)
                break;
            size_t end = at;
            if (most == 0) {
                r = add_text(s, out, text.p + at, text.n - at);
                break;
            }
            while (end < text.n && !is_space(text.p[end]))
                end++;
            r = add_text(s, out, text.p + at, end - at);
            at = end;
            most--;
        }
        call->result = out;
        return r;
    }
    for (int64_t at; r == 0 && most != 0 && (at = find_text(text, sep, false)) >= 0; most--) {
        r = add_text(s, out, text.p, (size_t)at);
        text.p += (size_t)at + sep.n;
        text.n -= (size_t)at + sep.n;
    }
    if (r == 0)
        r = add_text(s, out, text.p, text.n);
    call->result = out;
    return r;
}

/* From the end; what is not split any more keeps its blanks, but for those behind it. */
static int rsplit_blanks(struct star *s, struct bytes text, int64_t most, struct star_value *out)
{
    int r = star_step(s, text.n / 8);
    while (r == 0) {
        while (text.n && is_space(text.p[text.n - 1]))
            text.n--;
        if (text.n == 0)
            break;
        size_t from = text.n;
        if (most == 0)
            return add_text(s, out, text.p, text.n);
        while (from && !is_space(text.p[from - 1]))
            from--;
        r = add_text(s, out, text.p + from, text.n - from);
        text.n = from;
        most--;
    }
    return r;
}

FUNCTION(rsplit)
{
    const struct star_value *v[2] = {NULL};
    struct star_value *out = star_make_list(s, STAR_LIST, 0);
    struct bytes sep, text = self->text;
    int64_t most;
    int r = out ? star_take(s, call, "?sep maxsplit", v) : -ENOMEM;
    if (r == 0)
        r = star_take_int(s, v[1], -1, &most);
    if (r == 0 && (!v[0] || v[0]->type == STAR_NONE)) {
        r = rsplit_blanks(s, text, most, out);
        goto reverse;
    }
    if (r == 0)
        r = star_take_text(s, v[0], &sep);
    if (r == 0 && sep.n == 0)
        return star_fault(s, "rsplit: the separator is empty");
    for (int64_t at; r == 0 && most != 0 && (at = find_text(text, sep, true)) >= 0; most--) {
        r = star_step(s, text.n / 8 + text.n * sep.n / 64);
        if (r == 0)
            r = add_text(s, out, text.p + at + sep.n, text.n - (size_t)at - sep.n);
        text.n = (size_t)at;
    }
    if (r == 0)
        r = add_text(s, out, text.p, text.n);
reverse:
    for (size_t i = 0; r == 0 && i < out->list.n / 2; i++) {
        const struct star_value *one = out->list.items[i];
        out->list.items[i] = out->list.items[out->list.n - 1 - i];
        out->list.items[out->list.n - 1 - i] = one;
    }
    call->result = out;
    return r;
}

FUNCTION(splitlines)
{
    const struct star_value *v[1] = {NULL};
    struct star_value *out = star_make_list(s, STAR_LIST, 0);
    int r = out ? star_take(s, call, "?keepends", v) : -ENOMEM;
    if (r == 0 && v[0] && v[0]->type != STAR_BOOL)
        return star_fault(s, "splitlines: keepends is True or False");
    bool keep = r == 0 && v[0] && v[0]->boolean;
    for (size_t at = 0; r == 0 && at < self->text.n;) {
        const char *p = self->text.p + at, *end = memchr(p, '\n', self->text.n - at);
        size_t n = end ? (size_t)(end - p) : self->text.n - at;
        r = add_text(s, out, p, n + (keep && end));
        at += n + 1;
    }
    call->result = out;
    return r;
}

static int part(struct star *s, const struct star_value *self, struct star_call *call, bool last)
{
    const struct star_value *v[1] = {NULL};
    struct star_value *out = star_make_list(s, STAR_TUPLE, 3);
    struct bytes sep, text = self->text;
    int r = out ? star_take(s, call, "sep", v) : -ENOMEM;
    if (r == 0)
        r = star_take_text(s, v[0], &sep);
    if (r == 0 && sep.n == 0)
        return star_fault(s, "%s: the separator is empty", call->function);
    if (r == 0)
        r = star_step(s, text.n / 8 + (last ? text.n * sep.n / 64 : 0));
    if (r < 0)
        return r;
    int64_t at = find_text(text, sep, last);
    size_t cut[4] = {0, (size_t)at, (size_t)at + sep.n, text.n};
    if (at < 0) {
        cut[1] = cut[2] = last ? 0 : text.n;
    }
    for (int i = 0; r == 0 && i < 3; i++)
        r = add_text(s, out, text.p + cut[i], cut[i + 1] - cut[i]);
    call->result = out;
    return r;
}

FUNCTION(partition)
{
    return part(s, self, call, false);
}
FUNCTION(rpartition)
{
    return part(s, self, call, true);
}

FUNCTION(replace)
{
    const struct star_value *v[3] = {NULL};
    struct bytes old, new = {NULL, 0}, text = self->text;
    _cleanup_strbuf_ struct strbuf out = {0};
    int64_t most;
    int r = star_take(s, call, "old new ?count", v);
    if (r == 0)
        r = star_take_text(s, v[0], &old);
    if (r == 0)
        r = star_take_text(s, v[1], &new);
    if (r == 0)
        r = star_take_int(s, v[2], -1, &most);
    if (r < 0)
        return r;
    out.max = s->max_bytes;
    if (old.n == 0) {
        for (size_t i = 0; i <= text.n; i++) {
            if (most != 0)
                strbuf_put(&out, new.p, new.n);
            most -= most > 0;
            if (i < text.n)
                strbuf_putc(&out, text.p[i]);
        }
    } else {
        for (int64_t at; most != 0 && (at = find_text(text, old, false)) >= 0; most--) {
            strbuf_put(&out, text.p, (size_t)at);
            strbuf_put(&out, new.p, new.n);
            text.p += (size_t)at + old.n;
            text.n -= (size_t)at + old.n;
        }
        strbuf_put(&out, text.p, text.n);
    }
    if (strbuf_failed(&out))
        return star_no_memory(s);
    if ((r = star_step(s, (out.n + self->text.n) / 8)) < 0)
        return r;
    RETURN(star_make_text(s, &out));
}

FUNCTION(join)
{
    const struct star_value *v[1] = {NULL};
    struct star_value *items;
    _cleanup_strbuf_ struct strbuf out = {0};
    int r = star_take(s, call, "x", v);
    if (r == 0)
        r = star_items(s, v[0], &items);
    out.max = s->max_bytes;
    for (size_t i = 0; r == 0 && i < items->list.n; i++) {
        struct bytes one = {NULL, 0};
        r = star_take_text(s, items->list.items[i], &one);
        if (r == 0 && i)
            strbuf_put(&out, self->text.p, self->text.n);
        if (r == 0)
            strbuf_put(&out, one.p, one.n);
        if (r == 0)
            r = star_step(s, (one.n + self->text.n) / 64);
    }
    if (r < 0)
        return r;
    if (strbuf_failed(&out))
        return star_no_memory(s);
    RETURN(star_make_text(s, &out));
}

FUNCTION(elems)
{
    struct star_value *out = star_make_list(s, STAR_LIST, self->text.n);
    int r = out ? star_take(s, call, "", NULL) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < self->text.n; i++)
        r = add_text(s, out, self->text.p + i, 1);
    call->result = out;
    return r;
}

/* "{} {0} {name!r}".format(…) */
FUNCTION(format)
{
    struct bytes text = self->text;
    _cleanup_strbuf_ struct strbuf out = {0};
    size_t next = 0;
    bool by_number = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if ((c == '{' || c == '}') && i + 1 < text.n && text.p[i + 1] == c) {
            strbuf_putc(&out, c);
            i++;
            continue;
        }
        if (c == '}')
            return star_fault(s, "format: a single }");
        if (c != '{') {
            strbuf_putc(&out, c);
            continue;
        }
        const char *end = memchr(text.p + i, '}', text.n - i);
        if (!end)
            return star_fault(s, "format: a { without its }");
        struct bytes field = {text.p + i + 1, (size_t)(end - text.p) - i - 1};
        bool repr = field.n >= 2 && field.p[field.n - 2] == '!' && field.p[field.n - 1] == 'r';
        if (field.n >= 2 && field.p[field.n - 2] == '!') {
            if (!repr && field.p[field.n - 1] != 's')
                return star_fault(s, "format: behind ! stands r or s");
            field.n -= 2;
        }
        const struct star_value *v = NULL;
        bool number = field.n > 0 && field.n < 9;
        size_t at = 0;
        for (size_t k = 0; k < field.n; k++) {
            number = number && is_digit(field.p[k]);
            at = number ? at * 10 + (size_t)(field.p[k] - '0') : 0;
        }
        if (field.n == 0 || number) {
            if (field.n == 0 ? by_number : next > 0)
                return star_fault(s, "format: {} and {0} are not mixed");
            by_number = number;
            at = number ? at : next++;
            v = at < call->n_args ? call->args[at] : NULL;
        }
        for (size_t k = 0; !number && k < call->n_named; k++)
            if (bytes_is(field, call->names[k]))
                v = call->named[k];
        if (!v)
            return star_fault(s, "format: nothing for {%s}", show_n(field.p, field.n));
        int r = star_put(s, &out, v, repr);
        if (r < 0)
            return r;
        i = (size_t)(end - text.p);
    }
    RETURN(star_make_text(s, &out));
}

static bool is_character(struct bytes text)
{
    uint32_t c;
    return text.n > 0 && utf8_decode((const unsigned char *)text.p, text.n, &c) == text.n;
}

static int put_character(struct star *s, struct strbuf *out, int64_t c)
{
    if (c < 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return star_fault(s, "no Unicode character");
    char text[4];
    strbuf_put(out, text, utf8_encode((uint32_t)c, text));
    return 0;
}

int star_format_percent(struct star *s, struct bytes format, const struct star_value *v,
                        const struct star_value **ret)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    size_t used = 0, n = v->type == STAR_TUPLE ? v->list.n : 1;
    for (size_t i = 0; i < format.n; i++) {
        if (format.p[i] != '%') {
            strbuf_putc(&out, format.p[i]);
            continue;
        }
        char c = ++i < format.n ? format.p[i] : '\0';
        const struct star_value *one = NULL;
        if (c == '%') {
            strbuf_putc(&out, '%');
            continue;
        }
        if (c == '(') {
            const char *end = memchr(format.p + i, ')', format.n - i);
            if (!end || v->type != STAR_DICT)
                return star_fault(s, "%%(name)s takes a dict");
            const struct star_value key = {
                .type = STAR_STRING, .text = {format.p + i + 1, (size_t)(end - format.p) - i - 1}};
            int r = table_get(s, v, &key, &one);
            if (r < 0)
                return r;
            i = (size_t)(end - format.p) + 1;
            c = i < format.n ? format.p[i] : '\0';
            used = 1;
        } else {
            if (used >= n)
                return star_fault(s, "not enough values for the format");
            one = v->type == STAR_TUPLE ? v->list.items[used] : v;
            used++;
        }
        if (!one)
            return star_fault(s, "no value of that name");
        int64_t number = one->type == STAR_INT     ? one->integer
                         : one->type == STAR_FLOAT ? (int64_t)one->floating
                         : one->type == STAR_BOOL  ? one->boolean
                                                   : 0;
        bool numeric = one->type == STAR_INT || one->type == STAR_FLOAT;
        uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
        if (strchr("dixXoefgEFG", c) && c && !numeric)
            return star_fault(s, "%%%c takes a number, not %s", c, star_type_word(one));
        int r = 0;
        switch (c) {
        case 's':
        case 'r':
            r = star_put(s, &out, one, c == 'r');
            break;
        case 'd':
        case 'i':
            strbuf_printf(&out, "%lld", (long long)number);
            break;
        case 'x':
            strbuf_printf(&out, "%s%llx", number < 0 ? "-" : "", (unsigned long long)size);
            break;
        case 'X':
            strbuf_printf(&out, "%s%llX", number < 0 ? "-" : "", (unsigned long long)size);
            break;
        case 'o':
            strbuf_printf(&out, "%s%llo", number < 0 ? "-" : "", (unsigned long long)size);
            break;
        case 'e':
        case 'f':
        case 'g':
        case 'E':
        case 'F':
        case 'G': {
            double d = one->type == STAR_INT ? (double)one->integer : one->floating;
            if (c == 'e' || c == 'E')
                strbuf_printf(&out, "%e", d);
            else if (c == 'f' || c == 'F')
                strbuf_printf(&out, "%f", d);
            else
                strbuf_printf(&out, "%g", d);
            break;
        }
        case 'c':
            if (one->type == STAR_INT)
                r = put_character(s, &out, one->integer);
            else if (one->type == STAR_STRING && is_character(one->text))
                strbuf_put(&out, one->text.p, one->text.n);
            else
                return star_fault(s, "%%c takes one character");
            break;
        default:
            return star_fault(s, "no format: %%%s", show_n(&c, 1));
        }
        if (r < 0)
            return r;
    }
    if (used < n && v->type != STAR_DICT)
        return star_fault(s, "too many values for the format");
    *ret = star_make_text(s, &out);
    return *ret ? 0 : -ENOMEM;
}

const struct star_method star_string_methods[] = {
    {STAR_STRING, "capitalize", fn_capitalize},
    {STAR_STRING, "count", fn_count},
    {STAR_STRING, "elems", fn_elems},
    {STAR_STRING, "endswith", fn_endswith},
    {STAR_STRING, "find", fn_find},
    {STAR_STRING, "format", fn_format},
    {STAR_STRING, "index", fn_index},
    {STAR_STRING, "isalnum", fn_isalnum},
    {STAR_STRING, "isalpha", fn_isalpha},
    {STAR_STRING, "isdigit", fn_isdigit},
    {STAR_STRING, "islower", fn_islower},
    {STAR_STRING, "isspace", fn_isspace},
    {STAR_STRING, "istitle", fn_istitle},
    {STAR_STRING, "isupper", fn_isupper},
    {STAR_STRING, "join", fn_join},
    {STAR_STRING, "lower", fn_lower},
    {STAR_STRING, "lstrip", fn_lstrip},
    {STAR_STRING, "partition", fn_partition},
    {STAR_STRING, "removeprefix", fn_removeprefix},
    {STAR_STRING, "removesuffix", fn_removesuffix},
    {STAR_STRING, "replace", fn_replace},
    {STAR_STRING, "rfind", fn_rfind},
    {STAR_STRING, "rindex", fn_rindex},
    {STAR_STRING, "rpartition", fn_rpartition},
    {STAR_STRING, "rsplit", fn_rsplit},
    {STAR_STRING, "rstrip", fn_rstrip},
    {STAR_STRING, "split", fn_split},
    {STAR_STRING, "splitlines", fn_splitlines},
    {STAR_STRING, "startswith", fn_startswith},
    {STAR_STRING, "strip", fn_strip},
    {STAR_STRING, "title", fn_title},
    {STAR_STRING, "upper", fn_upper},
    {0},
};

/* NOLINTEND(clang-analyzer-core.*) */
