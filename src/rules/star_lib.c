/* What the language brings along: functions, methods, formatting. See star_tree.h. */
#include "rules/star_tree.h"

#include <errno.h>
#include <stdlib.h>

#define RETURN(v)                                                                                  \
    do {                                                                                           \
        call->result = (v);                                                                        \
        return call->result ? 0 : -ENOMEM;                                                         \
    } while (0)

static struct star_value *change(const struct star_value *v)
{
    return (struct star_value *)(uintptr_t)v;
}

/* ---- arguments ---- */

/* The arguments by NAMES (separated by spaces; behind a `?` they may be missing). */
static int take(struct star *s, struct star_call *call, const char *names,
                const struct star_value **ret)
{
    size_t i = 0;
    bool optional = false;
    for (const char *p = names; *p; i++) {
        p += *p == ' ';
        if (*p == '?') {
            optional = true;
            p++;
        }
        size_t n = strcspn(p, " ");
        ret[i] = i < call->n_args ? call->args[i] : NULL;
        for (size_t k = 0; k < call->n_named; k++)
            if (strlen(call->names[k]) == n && memcmp(call->names[k], p, n) == 0)
                ret[i] = call->named[k];
        if (!ret[i] && !optional)
            return star_fault(s, "%s: %.*s is missing", call->function, (int)n, p);
        p += n;
    }
    if (call->n_args + call->n_named > i)
        return star_fault(s, "%s takes at most %zu arguments", call->function, i);
    return 0;
}

static int take_int(struct star *s, const struct star_value *v, int64_t otherwise, int64_t *ret)
{
    *ret = otherwise;
    if (!v || v->type == STAR_NONE)
        return 0;
    if (v->type != STAR_INT)
        return star_fault(s, "expected an integer, found %s", star_type_word(v));
    *ret = v->integer;
    return 0;
}

static int take_text(struct star *s, const struct star_value *v, struct bytes *ret)
{
    *ret = (struct bytes){NULL, 0};
    if (v->type != STAR_STRING)
        return star_fault(s, "expected a string, found %s", star_type_word(v));
    *ret = v->text;
    return 0;
}

static const struct star_value *text_value(struct star *s, const char *p, size_t n)
{
    return star_make_string(s, (struct bytes){p, n});
}

/* ---- functions ---- */

#define FUNCTION(name)                                                                             \
    static int fn_##name(struct star *s, const struct star_value *self, struct star_call *call)

FUNCTION(len)
{
    const struct star_value *v[1];
    bool known;
    (void)self;
    int r = take(s, call, "x", v);
    if (r < 0)
        return r;
    size_t n = star_size(v[0], &known);
    if (!known)
        return star_fault(s, "%s has no length", star_type_word(v[0]));
    RETURN(star_make_int(s, (int64_t)n));
}

FUNCTION(type)
{
    const struct star_value *v[1];
    (void)self;
    int r = take(s, call, "x", v);
    if (r < 0)
        return r;
    const char *word = star_type_word(v[0]);
    RETURN(text_value(s, word, strlen(word)));
}

static int to_text(struct star *s, struct star_call *call, bool repr)
{
    const struct star_value *v[1];
    _cleanup_strbuf_ struct strbuf out = {0};
    int r = take(s, call, "x", v);
    if (r == 0 && !repr && v[0]->type == STAR_STRING)
        RETURN(v[0]);
    if (r == 0)
        r = star_put(s, &out, v[0], repr);
    if (r < 0)
        return r;
    RETURN(star_make_text(s, &out));
}

FUNCTION(str)
{
    (void)self;
    return to_text(s, call, false);
}

FUNCTION(repr)
{
    (void)self;
    return to_text(s, call, true);
}

FUNCTION(bool)
{
    const struct star_value *v[1];
    (void)self;
    int r = take(s, call, "?x", v);
    if (r < 0)
        return r;
    RETURN(star_true_or_false(v[0] && star_truth(v[0])));
}

FUNCTION(int)
{
    const struct star_value *v[2];
    int64_t base;
    (void)self;
    int r = take(s, call, "x ?base", v);
    if (r == 0)
        r = take_int(s, v[1], 10, &base);
    if (r < 0)
        return r;
    if (v[0]->type == STAR_INT)
        RETURN(v[0]);
    if (v[0]->type == STAR_BOOL)
        RETURN(star_make_int(s, v[0]->boolean));
    if (v[0]->type == STAR_FLOAT) {
        if (!(v[0]->floating > -9.2e18 && v[0]->floating < 9.2e18))
            return star_fault(s, "an integer beyond 64 bits");
        RETURN(star_make_int(s, (int64_t)v[0]->floating));
    }
    if (v[0]->type != STAR_STRING)
        return star_fault(s, "%s is no number", star_type_word(v[0]));
    char buf[80], *end;
    struct bytes t = v[0]->text;
    if (t.n == 0 || t.n >= sizeof(buf) || (base != 0 && (base < 2 || base > 36)))
        return star_fault(s, "no integer: %s", show_n(t.p, t.n));
    memcpy(buf, t.p, t.n);
    buf[t.n] = '\0';
    errno = 0;
    bool odd = strpbrk(buf, " \t\n\r\v\f") != NULL;
    long long n = strtoll(buf, &end, (int)base);
    if (odd || errno || *end || end == buf)
        return star_fault(s, "no integer: %s", show_n(t.p, t.n));
    RETURN(star_make_int(s, n));
}

FUNCTION(float)
{
    const struct star_value *v[1];
    (void)self;
    int r = take(s, call, "?x", v);
    struct star_value *f = r == 0 ? star_new(s, STAR_FLOAT) : NULL;
    if (!f)
        return r < 0 ? r : -ENOMEM;
    if (v[0] && v[0]->type == STAR_STRING) {
        char buf[80], *end;
        struct bytes t = v[0]->text;
        if (t.n == 0 || t.n >= sizeof(buf))
            return star_fault(s, "no number: %s", show_n(t.p, t.n));
        memcpy(buf, t.p, t.n);
        buf[t.n] = '\0';
        f->floating = strtod(buf, &end);
        if (*end || end == buf)
            return star_fault(s, "no number: %s", show_n(t.p, t.n));
    } else if (v[0]) {
        if (v[0]->type != STAR_INT && v[0]->type != STAR_FLOAT && v[0]->type != STAR_BOOL)
            return star_fault(s, "%s is no number", star_type_word(v[0]));
        f->floating = v[0]->type == STAR_FLOAT ? v[0]->floating
                      : v[0]->type == STAR_INT ? (double)v[0]->integer
                                               : v[0]->boolean;
    }
    RETURN(f);
}

static int to_list(struct star *s, struct star_call *call, enum star_type type)
{
    const struct star_value *v[1];
    struct star_value *items = NULL;
    int r = take(s, call, "?x", v);
    if (r == 0 && v[0])
        r = star_items(s, v[0], &items);
    if (r == 0 && !items && !(items = star_make_list(s, type, 0)))
        r = -ENOMEM;
    if (r < 0)
        return r;
    items->type = type;
    RETURN(items);
}

FUNCTION(list)
{
    (void)self;
    return to_list(s, call, STAR_LIST);
}

FUNCTION(tuple)
{
    (void)self;
    return to_list(s, call, STAR_TUPLE);
}

static int update(struct star *s, struct star_value *dict, const struct star_value *from)
{
    struct star_value *items;
    int r = 0;
    if (from->type == STAR_DICT) {
        for (size_t i = 0; r == 0 && i < from->table->used; i++)
            if (from->table->entries[i].key)
                r = table_put(s, dict, from->table->entries[i].key, from->table->entries[i].value);
        return r;
    }
    r = star_items(s, from, &items);
    for (size_t i = 0; r == 0 && i < items->list.n; i++) {
        struct star_value *pair;
        r = star_items(s, items->list.items[i], &pair);
        if (r == 0 && pair->list.n != 2)
            return star_fault(s, "an item of a dict is a pair, not %zu values", pair->list.n);
        if (r == 0)
            r = table_put(s, dict, pair->list.items[0], pair->list.items[1]);
    }
    return r;
}

static int update_all(struct star *s, struct star_value *dict, struct star_call *call)
{
    int r = call->n_args > 1 ? star_fault(s, "%s takes at most one argument", call->function) : 0;
    if (r == 0 && call->n_args)
        r = update(s, dict, call->args[0]);
    for (size_t i = 0; r == 0 && i < call->n_named; i++) {
        const struct star_value *key = star_make_string(s, bytes_of(call->names[i]));
        r = key ? table_put(s, dict, key, call->named[i]) : -ENOMEM;
    }
    return r;
}

FUNCTION(dict)
{
    (void)self;
    struct star_value *d = star_make_dict(s, STAR_DICT);
    int r = d ? update_all(s, d, call) : -ENOMEM;
    call->result = d;
    return r;
}

FUNCTION(set)
{
    const struct star_value *v[1];
    struct star_value *items = NULL, *d = star_make_dict(s, STAR_SET);
    (void)self;
    int r = d ? take(s, call, "?x", v) : -ENOMEM;
    if (r == 0 && v[0])
        r = star_items(s, v[0], &items);
    for (size_t i = 0; r == 0 && items && i < items->list.n; i++)
        r = table_put(s, d, items->list.items[i], star_none());
    call->result = d;
    return r;
}

FUNCTION(range)
{
    const struct star_value *v[3];
    int64_t n[3];
    (void)self;
    int r = take(s, call, "start ?stop step", v);
    for (int i = 0; r == 0 && i < 3; i++)
        r = take_int(s, v[i], i == 2 ? 1 : 0, &n[i]);
    if (r < 0)
        return r;
    if (n[2] == 0)
        return star_fault(s, "range: step is 0");
    struct star_value *v1 = star_new(s, STAR_RANGE);
    if (!v1)
        return -ENOMEM;
    v1->range.start = v[1] ? n[0] : 0;
    v1->range.stop = v[1] ? n[1] : n[0];
    v1->range.step = n[2];
    RETURN(v1);
}

static int any_or_all(struct star *s, struct star_call *call, bool any)
{
    const struct star_value *v[1];
    struct star_value *items;
    int r = take(s, call, "x", v);
    if (r == 0)
        r = star_items(s, v[0], &items);
    for (size_t i = 0; r == 0 && i < items->list.n; i++)
        if (star_truth(items->list.items[i]) == any)
            RETURN(star_true_or_false(any));
    if (r < 0)
        return r;
    RETURN(star_true_or_false(!any));
}

FUNCTION(any)
{
    (void)self;
    return any_or_all(s, call, true);
}

FUNCTION(all)
{
    (void)self;
    return any_or_all(s, call, false);
}

static int call_with(struct star *s, const struct star_value *f, const struct star_value *argument,
                     const struct star_value **ret)
{
    struct star_call call = {.star = s, .args = &argument, .n_args = 1, .function = "key"};
    int r = star_call_value(s, f, &call);
    *ret = call.result;
    return r;
}

/* The named argument NAME, taken out. */
static const struct star_value *take_named(struct star_call *call, const char *name)
{
    for (size_t i = 0; i < call->n_named; i++) {
        if (!str_eq(call->names[i], name))
            continue;
        const struct star_value *v = call->named[i];
        call->n_named--;
        call->names[i] = call->names[call->n_named];
        call->named[i] = call->named[call->n_named];
        return v;
    }
    return NULL;
}

static int extreme(struct star *s, struct star_call *call, int sign)
{
    const struct star_value *key = take_named(call, "key"), *best = NULL, *best_key = NULL;
    struct star_value *items;
    int r = 0, order = 0;
    if (call->n_named || call->n_args == 0)
        return star_fault(s, "%s takes values, or one list of them", call->function);
    if (call->n_args == 1) {
        r = star_items(s, call->args[0], &items);
    } else {
        const struct star_value all = {.type = STAR_TUPLE, .list = {call->args, call->n_args, 0}};
        r = star_items(s, &all, &items);
    }
    for (size_t i = 0; r == 0 && i < items->list.n; i++) {
        const struct star_value *one = items->list.items[i], *k = one;
        if (key && key->type != STAR_NONE)
            r = call_with(s, key, one, &k);
        if (r == 0 && best)
            r = star_compare(s, k, best_key, &order);
        if (r == 0 && (!best || order * sign > 0)) {
            best = one;
            best_key = k;
        }
    }
    if (r == 0 && !best)
        return star_fault(s, "%s of nothing", call->function);
    call->result = best;
    return r;
}

FUNCTION(min)
{
    (void)self;
    return extreme(s, call, -1);
}

FUNCTION(max)
{
    (void)self;
    return extreme(s, call, 1);
}

/* A merge sort: stable, and its steps are bounded whatever the order. */
static int sort(struct star *s, const struct star_value **v, const struct star_value **keys,
                const struct star_value **spare, size_t n, int sign)
{
    if (n < 2)
        return 0;
    size_t half = n / 2, a = 0, b = half, k = 0;
    int r = sort(s, v, keys, spare, half, sign);
    if (r == 0)
        r = sort(s, v + half, keys + half, spare, n - half, sign);
    const struct star_value **out = spare, **out_keys = spare + n;
    while (r == 0 && a < half && b < n) {
        int order = 0;
        r = star_compare(s, keys[b], keys[a], &order);
        size_t from = order * sign < 0 ? b++ : a++;
        out[k] = v[from];
        out_keys[k++] = keys[from];
    }
    for (; r == 0 && a < half; a++, k++) {
        out[k] = v[a];
        out_keys[k] = keys[a];
    }
    if (r == 0) {
        memcpy(v, out, k * sizeof(*v));
        memcpy(keys, out_keys, k * sizeof(*keys));
    }
    return r;
}

FUNCTION(sorted)
{
    (void)self;
    const struct star_value *key = take_named(call, "key"), *reverse = take_named(call, "reverse"),
                            *v[1];
    struct star_value *items;
    int r = take(s, call, "x", v);
    if (r == 0)
        r = star_items(s, v[0], &items);
    if (r < 0)
        return r;
    size_t n = items->list.n;
    const struct star_value **keys = star_alloc(s, (n + 1) * sizeof(*keys));
    const struct star_value **spare = star_alloc(s, (2 * n + 1) * sizeof(*spare));
    if (!keys || !spare)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < n; i++) {
        keys[i] = items->list.items[i];
        if (key && key->type != STAR_NONE)
            r = call_with(s, key, items->list.items[i], &keys[i]);
    }
    if (r == 0)
        r = sort(s, items->list.items, keys, spare, n, reverse && star_truth(reverse) ? -1 : 1);
    call->result = items;
    return r;
}

FUNCTION(reversed)
{
    const struct star_value *v[1];
    struct star_value *items;
    (void)self;
    int r = take(s, call, "x", v);
    if (r == 0)
        r = star_items(s, v[0], &items);
    if (r < 0)
        return r;
    for (size_t i = 0, n = items->list.n; i < n / 2; i++) {
        const struct star_value *one = items->list.items[i];
        items->list.items[i] = items->list.items[n - 1 - i];
        items->list.items[n - 1 - i] = one;
    }
    RETURN(items);
}

FUNCTION(enumerate)
{
    const struct star_value *v[2];
    struct star_value *items;
    int64_t start;
    (void)self;
    int r = take(s, call, "x ?start", v);
    if (r == 0)
        r = take_int(s, v[1], 0, &start);
    if (r == 0)
        r = star_items(s, v[0], &items);
    for (size_t i = 0; r == 0 && i < items->list.n; i++) {
        struct star_value *pair = star_make_list(s, STAR_TUPLE, 2);
        const struct star_value *number = pair ? star_make_int(s, start + (int64_t)i) : NULL;
        if (!number)
            return -ENOMEM;
        pair->list.items[0] = number;
        pair->list.items[1] = items->list.items[i];
        pair->list.n = 2;
        items->list.items[i] = pair;
    }
    call->result = r == 0 ? items : NULL;
    return r;
}

FUNCTION(zip)
{
    (void)self;
    struct star_value *out = star_make_list(s, STAR_LIST, 0);
    struct star_value **all = star_alloc(s, (call->n_args + 1) * sizeof(*all));
    size_t n = SIZE_MAX;
    int r = out && all ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < call->n_args; i++) {
        r = star_items(s, call->args[i], &all[i]);
        if (r == 0 && all[i]->list.n < n)
            n = all[i]->list.n;
    }
    for (size_t k = 0; r == 0 && call->n_args && k < n; k++) {
        struct star_value *row = star_make_list(s, STAR_TUPLE, call->n_args);
        for (size_t i = 0; row && i < call->n_args; i++)
            row->list.items[row->list.n++] = all[i]->list.items[k];
        r = row ? star_append(s, out, row) : -ENOMEM;
    }
    call->result = out;
    return r;
}

FUNCTION(abs)
{
    const struct star_value *v[1];
    (void)self;
    int r = take(s, call, "x", v);
    if (r < 0)
        return r;
    if (v[0]->type == STAR_FLOAT) {
        struct star_value *f = star_new(s, STAR_FLOAT);
        if (!f)
            return -ENOMEM;
        f->floating = v[0]->floating < 0 ? -v[0]->floating : v[0]->floating;
        RETURN(f);
    }
    if (v[0]->type != STAR_INT || v[0]->integer == INT64_MIN)
        return star_fault(s, "abs: no number that has one");
    RETURN(v[0]->integer < 0 ? star_make_int(s, -v[0]->integer) : v[0]);
}

FUNCTION(print)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    int r = 0;
    (void)self;
    const struct star_value *sep = take_named(call, "sep");
    struct bytes between = BYTES(" ");
    if (sep)
        r = take_text(s, sep, &between);
    for (size_t i = 0; r == 0 && i < call->n_args; i++) {
        if (i)
            strbuf_put(&out, between.p, between.n);
        r = star_put(s, &out, call->args[i], false);
    }
    if (r == 0 && s->request->print)
        s->request->print(s->request->data, (struct bytes){strbuf_text(&out), out.n});
    return r;
}

FUNCTION(fail)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    int r = 0;
    (void)self;
    for (size_t i = 0; r == 0 && i < call->n_args; i++) {
        strbuf_puts(&out, i ? " " : "");
        r = star_put(s, &out, call->args[i], false);
    }
    return r < 0 ? r : star_fault(s, "fail: %s", show_n(strbuf_text(&out), out.n));
}

FUNCTION(hash)
{
    const struct star_value *v[1];
    struct bytes t = {NULL, 0};
    (void)self;
    int r = take(s, call, "x", v);
    if (r == 0)
        r = take_text(s, v[0], &t);
    if (r < 0)
        return r;
    uint32_t h = 0;
    for (size_t i = 0; i < t.n; i++)
        h = h * 31 + (unsigned char)t.p[i];
    RETURN(star_make_int(s, (int32_t)h));
}

FUNCTION(getattr)
{
    const struct star_value *v[3], *found = NULL;
    struct bytes name;
    (void)self;
    int r = take(s, call, "x name ?default", v);
    if (r == 0)
        r = take_text(s, v[1], &name);
    if (r == 0)
        r = star_method(s, v[0], name, &found);
    if (r == 0 && !found && !v[2])
        return star_fault(s, "%s has no %s", star_type_word(v[0]), show_n(name.p, name.n));
    call->result = found ? found : v[2];
    return r;
}

FUNCTION(hasattr)
{
    const struct star_value *v[2], *found = NULL;
    struct bytes name;
    (void)self;
    int r = take(s, call, "x name", v);
    if (r == 0)
        r = take_text(s, v[1], &name);
    if (r == 0)
        r = star_method(s, v[0], name, &found);
    call->result = star_true_or_false(found != NULL);
    return r;
}

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
    int r = take(s, call, "", NULL);
    char *p = r == 0 ? star_alloc(s, n + 1) : NULL;
    if (!p)
        return r < 0 ? r : -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        char c = self->text.p[i];
        bool first = i == 0 || (to == TITLE && !is_letter(self->text.p[i - 1]));
        p[i] = to == UPPER || (to != LOWER && first) ? upper_of(c) : lower_of(c);
    }
    RETURN(text_value(s, p, n));
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
    int r = take(s, call, "", NULL);
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
    int r = take(s, call, "", NULL);
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
    int r = take(s, call, "", NULL);
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

/* A place in N bytes; less than 0 counts from their end. */
static int64_t clamp(int64_t at, int64_t n)
{
    return at < 0 ? (at < -n ? 0 : at + n) : at > n ? n : at;
}

static int find(struct star *s, const struct star_value *self, struct star_call *call, bool last,
                bool must)
{
    const struct star_value *v[3];
    struct bytes sub;
    int64_t from = 0, to = 0, n = (int64_t)self->text.n;
    int r = take(s, call, "sub ?start end", v);
    if (r == 0)
        r = take_text(s, v[0], &sub);
    if (r == 0)
        r = take_int(s, v[1], 0, &from);
    if (r == 0)
        r = take_int(s, v[2], n, &to);
    if (r == 0)
        r = star_step(s, (uint64_t)n / 8);
    if (r < 0)
        return r;
    from = clamp(from, n);
    to = clamp(to, n);
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
    const struct star_value *v[3];
    struct bytes sub, text = self->text;
    int64_t found = 0, from = 0, to = 0, n = (int64_t)text.n;
    int r = take(s, call, "sub ?start end", v);
    if (r == 0)
        r = take_text(s, v[0], &sub);
    if (r == 0)
        r = take_int(s, v[1], 0, &from);
    if (r == 0)
        r = take_int(s, v[2], n, &to);
    if (r == 0)
        r = star_step(s, text.n / 8);
    if (r < 0)
        return r;
    from = clamp(from, n);
    to = clamp(to, n);
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
    const struct star_value *v[3];
    struct bytes part, text = self->text;
    int64_t from = 0, to = 0, n = (int64_t)text.n;
    bool does = false;
    int r = take(s, call, "x ?start end", v);
    if (r == 0)
        r = take_int(s, v[1], 0, &from);
    if (r == 0)
        r = take_int(s, v[2], n, &to);
    if (r < 0)
        return r;
    from = clamp(from, n);
    to = clamp(to, n);
    text = (struct bytes){text.p + from, from < to ? (size_t)(to - from) : 0};
    if (v[0]->type == STAR_TUPLE) {
        for (size_t i = 0; r == 0 && !does && i < v[0]->list.n; i++) {
            r = take_text(s, v[0]->list.items[i], &part);
            does = r == 0 && at_end(text, part, end);
        }
    } else {
        r = take_text(s, v[0], &part);
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
    const struct star_value *v[1];
    struct bytes part = {NULL, 0};
    int r = take(s, call, "x", v);
    if (r == 0)
        r = take_text(s, v[0], &part);
    if (r < 0)
        return r;
    if (!at_end(self->text, part, end))
        RETURN(self);
    RETURN(text_value(s, self->text.p + (end ? 0 : part.n), self->text.n - part.n));
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
    const struct star_value *v[1];
    struct bytes set = BYTES(" \t\n\v\f\r"), text = self->text;
    int r = take(s, call, "?cutset", v);
    if (r == 0 && v[0] && v[0]->type != STAR_NONE)
        r = take_text(s, v[0], &set);
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
    RETURN(text_value(s, text.p, text.n));
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
    const struct star_value *v = text_value(s, p, n);
    return v ? star_append(s, list, v) : -ENOMEM;
}

FUNCTION(split)
{
    const struct star_value *v[2];
    struct star_value *out = star_make_list(s, STAR_LIST, 0);
    struct bytes sep = {NULL, 0}, text = self->text;
    int64_t most;
    int r = out ? take(s, call, "?sep maxsplit", v) : -ENOMEM;
    if (r == 0 && v[0] && v[0]->type != STAR_NONE)
        r = take_text(s, v[0], &sep);
    if (r == 0)
        r = take_int(s, v[1], -1, &most);
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
    const struct star_value *v[2];
    struct star_value *out = star_make_list(s, STAR_LIST, 0);
    struct bytes sep, text = self->text;
    int64_t most;
    int r = out ? take(s, call, "?sep maxsplit", v) : -ENOMEM;
    if (r == 0)
        r = take_int(s, v[1], -1, &most);
    if (r == 0 && (!v[0] || v[0]->type == STAR_NONE)) {
        r = rsplit_blanks(s, text, most, out);
        goto reverse;
    }
    if (r == 0)
        r = take_text(s, v[0], &sep);
    if (r == 0 && sep.n == 0)
        return star_fault(s, "rsplit: the separator is empty");
    for (int64_t at; r == 0 && most != 0 && (at = find_text(text, sep, true)) >= 0; most--) {
        r = star_step(s, text.n / 8);
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
    const struct star_value *v[1];
    struct star_value *out = star_make_list(s, STAR_LIST, 0);
    int r = out ? take(s, call, "?keepends", v) : -ENOMEM;
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
    const struct star_value *v[1];
    struct star_value *out = star_make_list(s, STAR_TUPLE, 3);
    struct bytes sep, text = self->text;
    int r = out ? take(s, call, "sep", v) : -ENOMEM;
    if (r == 0)
        r = take_text(s, v[0], &sep);
    if (r == 0 && sep.n == 0)
        return star_fault(s, "%s: the separator is empty", call->function);
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
    const struct star_value *v[3];
    struct bytes old, new = {NULL, 0}, text = self->text;
    _cleanup_strbuf_ struct strbuf out = {0};
    int64_t most;
    int r = take(s, call, "old new ?count", v);
    if (r == 0)
        r = take_text(s, v[0], &old);
    if (r == 0)
        r = take_text(s, v[1], &new);
    if (r == 0)
        r = take_int(s, v[2], -1, &most);
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
    const struct star_value *v[1];
    struct star_value *items;
    _cleanup_strbuf_ struct strbuf out = {0};
    int r = take(s, call, "x", v);
    if (r == 0)
        r = star_items(s, v[0], &items);
    out.max = s->max_bytes;
    for (size_t i = 0; r == 0 && i < items->list.n; i++) {
        struct bytes one = {NULL, 0};
        r = take_text(s, items->list.items[i], &one);
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
    int r = out ? take(s, call, "", NULL) : -ENOMEM;
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
    if (c < 0x80) {
        strbuf_putc(out, (char)c);
        return 0;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const int lead[] = {0xc0, 0xe0, 0xf0};
    strbuf_putc(out, (char)(lead[more - 1] | c >> (6 * more)));
    while (more-- > 0)
        strbuf_putc(out, (char)(0x80 | (c >> (6 * more) & 0x3f)));
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

/* ---- methods of lists, dicts, sets ---- */

static int writable(struct star *s, const struct star_value *v)
{
    return v->busy
               ? star_fault(s, "a %s must not change while it is iterated over", star_type_word(v))
               : 0;
}

FUNCTION(append)
{
    const struct star_value *v[1];
    int r = take(s, call, "x", v);
    if (r == 0)
        r = writable(s, self);
    return r < 0 ? r : star_append(s, change(self), v[0]);
}

FUNCTION(extend)
{
    const struct star_value *v[1];
    struct star_value *items;
    int r = take(s, call, "x", v);
    if (r == 0)
        r = writable(s, self);
    if (r == 0)
        r = star_items(s, v[0], &items);
    for (size_t i = 0; r == 0 && i < items->list.n; i++)
        r = star_append(s, change(self), items->list.items[i]);
    return r;
}

FUNCTION(clear)
{
    int r = take(s, call, "", NULL);
    if (r == 0)
        r = writable(s, self);
    if (r < 0)
        return r;
    if (self->type == STAR_LIST)
        change(self)->list.n = 0;
    else
        *self->table = (struct table){0};
    return 0;
}

FUNCTION(list_index)
{
    const struct star_value *v[1];
    bool same = false;
    int r = take(s, call, "x", v);
    for (size_t i = 0; r == 0 && i < self->list.n; i++) {
        r = star_equal(s, self->list.items[i], v[0], &same);
        if (r == 0 && same)
            RETURN(star_make_int(s, (int64_t)i));
    }
    return r < 0 ? r : star_fault(s, "index: it is not in the list");
}

FUNCTION(insert)
{
    const struct star_value *v[2];
    int64_t at = 0, n = (int64_t)self->list.n;
    int r = take(s, call, "index x", v);
    if (r == 0)
        r = take_int(s, v[0], 0, &at);
    if (r == 0)
        r = writable(s, self);
    if (r == 0)
        r = star_append(s, change(self), v[1]);
    if (r < 0)
        return r;
    at = clamp(at, n);
    memmove(self->list.items + at + 1, self->list.items + at, (size_t)(n - at) * sizeof(void *));
    self->list.items[at] = v[1];
    return star_step(s, (uint64_t)(n - at) / 64);
}

FUNCTION(list_pop)
{
    const struct star_value *v[1];
    int64_t at = 0, n = (int64_t)self->list.n;
    int r = take(s, call, "?index", v);
    if (r == 0)
        r = take_int(s, v[0], -1, &at);
    if (r == 0)
        r = writable(s, self);
    if (r < 0)
        return r;
    at += at < 0 ? n : 0;
    if (at < 0 || at >= n)
        return star_fault(s, "pop: there is no item %lld", (long long)at);
    call->result = self->list.items[at];
    memmove(self->list.items + at, self->list.items + at + 1,
            (size_t)(n - at - 1) * sizeof(void *));
    change(self)->list.n--;
    return star_step(s, (uint64_t)(n - at) / 64);
}

FUNCTION(list_remove)
{
    const struct star_value *v[1];
    bool same = false;
    int r = take(s, call, "x", v);
    if (r == 0)
        r = writable(s, self);
    for (size_t i = 0; r == 0 && i < self->list.n; i++) {
        r = star_equal(s, self->list.items[i], v[0], &same);
        if (r < 0 || !same)
            continue;
        memmove(self->list.items + i, self->list.items + i + 1,
                (self->list.n - i - 1) * sizeof(void *));
        change(self)->list.n--;
        return 0;
    }
    return r < 0 ? r : star_fault(s, "remove: it is not in the list");
}

FUNCTION(get)
{
    const struct star_value *v[2], *found = NULL;
    int r = take(s, call, "key ?default", v);
    if (r == 0)
        r = table_get(s, self, v[0], &found);
    call->result = found ? found : v[1];
    return r;
}

static int list_entries(struct star *s, const struct star_value *self, struct star_call *call,
                        int what)
{
    struct star_value *out = star_make_list(s, STAR_LIST, self->table->n);
    int r = out ? take(s, call, "", NULL) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < self->table->used; i++) {
        const struct dict_entry *e = &self->table->entries[i];
        struct star_value *pair = NULL;
        if (!e->key)
            continue;
        if (what == 2) {
            pair = star_make_list(s, STAR_TUPLE, 2);
            if (!pair)
                return -ENOMEM;
            pair->list.items[0] = e->key;
            pair->list.items[1] = e->value;
            pair->list.n = 2;
        }
        r = star_append(s, out, what == 0 ? e->key : what == 1 ? e->value : pair);
        if (r == 0)
            r = star_step(s, 1);
    }
    call->result = out;
    return r;
}

FUNCTION(keys)
{
    return list_entries(s, self, call, 0);
}
FUNCTION(values)
{
    return list_entries(s, self, call, 1);
}
FUNCTION(items)
{
    return list_entries(s, self, call, 2);
}

FUNCTION(dict_pop)
{
    const struct star_value *v[2], *found = NULL;
    int r = take(s, call, "key ?default", v);
    if (r == 0)
        r = table_remove(s, change(self), v[0], &found);
    if (r == 0 && !found && !v[1])
        return star_fault(s, "pop: no such key");
    call->result = found ? found : v[1];
    return r;
}

FUNCTION(popitem)
{
    struct star_value *pair = star_make_list(s, STAR_TUPLE, 2);
    const struct star_value *value;
    int r = pair ? take(s, call, "", NULL) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < self->table->used; i++) {
        const struct dict_entry e = self->table->entries[i];
        if (!e.key)
            continue;
        pair->list.items[0] = e.key;
        pair->list.items[1] = e.value;
        pair->list.n = 2;
        call->result = pair;
        return table_remove(s, change(self), e.key, &value);
    }
    return r < 0 ? r : star_fault(s, "popitem: the dict is empty");
}

FUNCTION(setdefault)
{
    const struct star_value *v[2], *found = NULL;
    int r = take(s, call, "key ?default", v);
    if (r == 0)
        r = table_get(s, self, v[0], &found);
    call->result = found ? found : v[1] ? v[1] : star_none();
    if (r == 0 && !found)
        r = table_put(s, change(self), v[0], call->result);
    return r;
}

FUNCTION(update)
{
    return update_all(s, change(self), call);
}

FUNCTION(set_add)
{
    const struct star_value *v[1];
    int r = take(s, call, "x", v);
    return r < 0 ? r : table_put(s, change(self), v[0], star_none());
}

FUNCTION(set_remove)
{
    const struct star_value *v[1], *found = NULL;
    int r = take(s, call, "x", v);
    if (r == 0)
        r = table_remove(s, change(self), v[0], &found);
    return r == 0 && !found ? star_fault(s, "remove: it is not in the set") : r;
}

FUNCTION(set_union)
{
    const struct star_value *v[1];
    struct star_value *items, *out = star_make_dict(s, STAR_SET);
    int r = out ? take(s, call, "x", v) : -ENOMEM;
    for (int k = 0; r == 0 && k < 2; k++) {
        r = star_items(s, k ? v[0] : self, &items);
        for (size_t i = 0; r == 0 && i < items->list.n; i++)
            r = table_put(s, out, items->list.items[i], star_none());
    }
    call->result = out;
    return r;
}

static const struct {
    enum star_type type;
    const char *name;
    builtin_call call;
} methods[] = {
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
    {STAR_LIST, "append", fn_append},
    {STAR_LIST, "clear", fn_clear},
    {STAR_LIST, "extend", fn_extend},
    {STAR_LIST, "index", fn_list_index},
    {STAR_LIST, "insert", fn_insert},
    {STAR_LIST, "pop", fn_list_pop},
    {STAR_LIST, "remove", fn_list_remove},
    {STAR_DICT, "clear", fn_clear},
    {STAR_DICT, "get", fn_get},
    {STAR_DICT, "items", fn_items},
    {STAR_DICT, "keys", fn_keys},
    {STAR_DICT, "pop", fn_dict_pop},
    {STAR_DICT, "popitem", fn_popitem},
    {STAR_DICT, "setdefault", fn_setdefault},
    {STAR_DICT, "update", fn_update},
    {STAR_DICT, "values", fn_values},
    {STAR_SET, "add", fn_set_add},
    {STAR_SET, "clear", fn_clear},
    {STAR_SET, "remove", fn_set_remove},
    {STAR_SET, "union", fn_set_union},
};

int star_method(struct star *s, const struct star_value *v, struct bytes name,
                const struct star_value **ret)
{
    *ret = NULL;
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (methods[i].type != v->type || !bytes_is(name, methods[i].name))
            continue;
        struct star_value *f = star_new(s, STAR_FUNCTION);
        if (!f)
            return -ENOMEM;
        f->function.builtin = methods[i].call;
        f->function.name = methods[i].name;
        f->function.self = v;
        *ret = f;
        return 0;
    }
    return 0;
}

static const struct {
    const char *name;
    builtin_call call;
} functions[] = {
    {"abs", fn_abs},         {"all", fn_all},           {"any", fn_any},
    {"bool", fn_bool},       {"dict", fn_dict},         {"enumerate", fn_enumerate},
    {"fail", fn_fail},       {"float", fn_float},       {"getattr", fn_getattr},
    {"hasattr", fn_hasattr}, {"hash", fn_hash},         {"int", fn_int},
    {"len", fn_len},         {"list", fn_list},         {"max", fn_max},
    {"min", fn_min},         {"print", fn_print},       {"range", fn_range},
    {"repr", fn_repr},       {"reversed", fn_reversed}, {"set", fn_set},
    {"sorted", fn_sorted},   {"str", fn_str},           {"tuple", fn_tuple},
    {"type", fn_type},       {"zip", fn_zip},
};

int star_add_builtins(struct star *s)
{
    static const char *const constants[] = {"None", "True", "False"};
    const struct star_value *const values[] = {star_none(), star_true_or_false(true),
                                               star_true_or_false(false)};
    for (size_t i = 0; i < ARRAY_LEN(constants); i++) {
        struct name *name = star_intern(s, bytes_of(constants[i]));
        if (!name)
            return -ENOMEM;
        name->builtin = values[i];
    }
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        struct name *name = star_intern(s, bytes_of(functions[i].name));
        struct star_value *v = name ? star_new(s, STAR_FUNCTION) : NULL;
        if (!v)
            return -ENOMEM;
        v->function.builtin = functions[i].call;
        v->function.name = functions[i].name;
        name->builtin = v;
    }
    return 0;
}
