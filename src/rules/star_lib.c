/* What the language brings along: its functions, and methods of lists, dicts and sets. See
 * star_lib.h. */
#include "rules/star_lib.h"

#include <errno.h>
#include <stdlib.h>

/* star_take() and eval() have set what they do not complain of, which gcc's analyzer does not
 * follow. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wanalyzer-use-of-uninitialized-value"
#pragma GCC diagnostic ignored "-Wanalyzer-null-dereference"
#endif
/* Nor does clang's. NOLINTBEGIN(clang-analyzer-core.*) */

static struct star_value *change(const struct star_value *v)
{
    return (struct star_value *)(uintptr_t)v;
}

/* ---- arguments ---- */

/* The arguments by NAMES (separated by spaces; behind a `?` they may be missing). */
int star_take(struct star *s, struct star_call *call, const char *names,
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

int star_take_int(struct star *s, const struct star_value *v, int64_t otherwise, int64_t *ret)
{
    *ret = otherwise;
    if (!v || v->type == STAR_NONE)
        return 0;
    if (v->type != STAR_INT)
        return star_fault(s, "expected an integer, found %s", star_type_word(v));
    *ret = v->integer;
    return 0;
}

int star_take_text(struct star *s, const struct star_value *v, struct bytes *ret)
{
    *ret = (struct bytes){NULL, 0};
    if (v->type != STAR_STRING)
        return star_fault(s, "expected a string, found %s", star_type_word(v));
    *ret = v->text;
    return 0;
}

const struct star_value *star_view(struct star *s, const char *p, size_t n)
{
    return star_make_string(s, (struct bytes){p, n});
}

int64_t star_clamp(int64_t at, int64_t n)
{
    return at < 0 ? (at < -n ? 0 : at + n) : at > n ? n : at;
}

/* ---- functions ---- */

FUNCTION(len)
{
    const struct star_value *v[1] = {NULL};
    bool known;
    (void)self;
    int r = star_take(s, call, "x", v);
    if (r < 0)
        return r;
    size_t n = star_size(v[0], &known);
    if (!known)
        return star_fault(s, "%s has no length", star_type_word(v[0]));
    RETURN(star_make_int(s, (int64_t)n));
}

FUNCTION(type)
{
    const struct star_value *v[1] = {NULL};
    (void)self;
    int r = star_take(s, call, "x", v);
    if (r < 0)
        return r;
    const char *word = star_type_word(v[0]);
    RETURN(star_view(s, word, strlen(word)));
}

static int to_text(struct star *s, struct star_call *call, bool repr)
{
    const struct star_value *v[1] = {NULL};
    _cleanup_strbuf_ struct strbuf out = {0};
    int r = star_take(s, call, "x", v);
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
    const struct star_value *v[1] = {NULL};
    (void)self;
    int r = star_take(s, call, "?x", v);
    if (r < 0)
        return r;
    RETURN(star_true_or_false(v[0] && star_truth(v[0])));
}

FUNCTION(int)
{
    const struct star_value *v[2] = {NULL};
    int64_t base;
    (void)self;
    int r = star_take(s, call, "x ?base", v);
    if (r == 0)
        r = star_take_int(s, v[1], 10, &base);
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
    const struct star_value *v[1] = {NULL};
    (void)self;
    int r = star_take(s, call, "?x", v);
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
    const struct star_value *v[1] = {NULL};
    struct star_value *items = NULL;
    int r = star_take(s, call, "?x", v);
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
    const struct star_value *v[1] = {NULL};
    struct star_value *items = NULL, *d = star_make_dict(s, STAR_SET);
    (void)self;
    int r = d ? star_take(s, call, "?x", v) : -ENOMEM;
    if (r == 0 && v[0])
        r = star_items(s, v[0], &items);
    for (size_t i = 0; r == 0 && items && i < items->list.n; i++)
        r = table_put(s, d, items->list.items[i], star_none());
    call->result = d;
    return r;
}

FUNCTION(range)
{
    const struct star_value *v[3] = {NULL};
    int64_t n[3];
    (void)self;
    int r = star_take(s, call, "start ?stop step", v);
    for (int i = 0; r == 0 && i < 3; i++)
        r = star_take_int(s, v[i], i == 2 ? 1 : 0, &n[i]);
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
    const struct star_value *v[1] = {NULL};
    struct star_value *items;
    int r = star_take(s, call, "x", v);
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
    int r = star_take(s, call, "x", v);
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
    const struct star_value *v[1] = {NULL};
    struct star_value *items;
    (void)self;
    int r = star_take(s, call, "x", v);
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
    const struct star_value *v[2] = {NULL};
    struct star_value *items;
    int64_t start;
    (void)self;
    int r = star_take(s, call, "x ?start", v);
    if (r == 0)
        r = star_take_int(s, v[1], 0, &start);
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
    const struct star_value *v[1] = {NULL};
    (void)self;
    int r = star_take(s, call, "x", v);
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
        r = star_take_text(s, sep, &between);
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
    const struct star_value *v[1] = {NULL};
    struct bytes t = {NULL, 0};
    (void)self;
    int r = star_take(s, call, "x", v);
    if (r == 0)
        r = star_take_text(s, v[0], &t);
    if (r < 0)
        return r;
    uint32_t h = 0;
    for (size_t i = 0; i < t.n; i++)
        h = h * 31 + (unsigned char)t.p[i];
    RETURN(star_make_int(s, (int32_t)h));
}

FUNCTION(getattr)
{
    const struct star_value *v[3] = {NULL}, *found = NULL;
    struct bytes name;
    (void)self;
    int r = star_take(s, call, "x name ?default", v);
    if (r == 0)
        r = star_take_text(s, v[1], &name);
    if (r == 0)
        r = star_method(s, v[0], name, &found);
    if (r == 0 && !found && !v[2])
        return star_fault(s, "%s has no %s", star_type_word(v[0]), show_n(name.p, name.n));
    call->result = found ? found : v[2];
    return r;
}

FUNCTION(hasattr)
{
    const struct star_value *v[2] = {NULL}, *found = NULL;
    struct bytes name;
    (void)self;
    int r = star_take(s, call, "x name", v);
    if (r == 0)
        r = star_take_text(s, v[1], &name);
    if (r == 0)
        r = star_method(s, v[0], name, &found);
    call->result = star_true_or_false(found != NULL);
    return r;
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
    const struct star_value *v[1] = {NULL};
    int r = star_take(s, call, "x", v);
    if (r == 0)
        r = writable(s, self);
    return r < 0 ? r : star_append(s, change(self), v[0]);
}

FUNCTION(extend)
{
    const struct star_value *v[1] = {NULL};
    struct star_value *items;
    int r = star_take(s, call, "x", v);
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
    int r = star_take(s, call, "", NULL);
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
    const struct star_value *v[1] = {NULL};
    bool same = false;
    int r = star_take(s, call, "x", v);
    for (size_t i = 0; r == 0 && i < self->list.n; i++) {
        r = star_equal(s, self->list.items[i], v[0], &same);
        if (r == 0 && same)
            RETURN(star_make_int(s, (int64_t)i));
    }
    return r < 0 ? r : star_fault(s, "index: it is not in the list");
}

FUNCTION(insert)
{
    const struct star_value *v[2] = {NULL};
    int64_t at = 0, n = (int64_t)self->list.n;
    int r = star_take(s, call, "index x", v);
    if (r == 0)
        r = star_take_int(s, v[0], 0, &at);
    if (r == 0)
        r = writable(s, self);
    if (r == 0)
        r = star_append(s, change(self), v[1]);
    if (r < 0)
        return r;
    at = star_clamp(at, n);
    memmove(self->list.items + at + 1, self->list.items + at, (size_t)(n - at) * sizeof(void *));
    self->list.items[at] = v[1];
    return star_step(s, (uint64_t)(n - at) / 64);
}

FUNCTION(list_pop)
{
    const struct star_value *v[1] = {NULL};
    int64_t at = 0, n = (int64_t)self->list.n;
    int r = star_take(s, call, "?index", v);
    if (r == 0)
        r = star_take_int(s, v[0], -1, &at);
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
    const struct star_value *v[1] = {NULL};
    bool same = false;
    int r = star_take(s, call, "x", v);
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
    const struct star_value *v[2] = {NULL}, *found = NULL;
    int r = star_take(s, call, "key ?default", v);
    if (r == 0)
        r = table_get(s, self, v[0], &found);
    call->result = found ? found : v[1];
    return r;
}

static int list_entries(struct star *s, const struct star_value *self, struct star_call *call,
                        int what)
{
    struct star_value *out = star_make_list(s, STAR_LIST, self->table->n);
    int r = out ? star_take(s, call, "", NULL) : -ENOMEM;
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
    const struct star_value *v[2] = {NULL}, *found = NULL;
    int r = star_take(s, call, "key ?default", v);
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
    int r = pair ? star_take(s, call, "", NULL) : -ENOMEM;
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
    const struct star_value *v[2] = {NULL}, *found = NULL;
    int r = star_take(s, call, "key ?default", v);
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
    const struct star_value *v[1] = {NULL};
    int r = star_take(s, call, "x", v);
    return r < 0 ? r : table_put(s, change(self), v[0], star_none());
}

FUNCTION(set_remove)
{
    const struct star_value *v[1] = {NULL}, *found = NULL;
    int r = star_take(s, call, "x", v);
    if (r == 0)
        r = table_remove(s, change(self), v[0], &found);
    return r == 0 && !found ? star_fault(s, "remove: it is not in the set") : r;
}

FUNCTION(set_union)
{
    const struct star_value *v[1] = {NULL};
    struct star_value *items, *out = star_make_dict(s, STAR_SET);
    int r = out ? star_take(s, call, "x", v) : -ENOMEM;
    for (int k = 0; r == 0 && k < 2; k++) {
        r = star_items(s, k ? v[0] : self, &items);
        for (size_t i = 0; r == 0 && i < items->list.n; i++)
            r = table_put(s, out, items->list.items[i], star_none());
    }
    call->result = out;
    return r;
}

static const struct star_method methods[] = {
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
    {0},
};

int star_method(struct star *s, const struct star_value *v, struct bytes name,
                const struct star_value **ret)
{
    const struct star_method *m = v->type == STAR_STRING ? star_string_methods : methods;
    *ret = NULL;
    while (m->name && (m->type != v->type || !bytes_is(name, m->name)))
        m++;
    if (!m->name)
        return 0;
    struct star_value *f = star_new(s, STAR_FUNCTION);
    if (!f)
        return -ENOMEM;
    f->function.builtin = m->call;
    f->function.name = m->name;
    f->function.self = v;
    *ret = f;
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

/* NOLINTEND(clang-analyzer-core.*) */
