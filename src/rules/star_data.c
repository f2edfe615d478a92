/* Values: making, comparing, hashing, printing, and what operators do. See star_tree.h. */
#include "rules/star_tree.h"

#include <errno.h>
#include <math.h> /* macros only: the launcher links no library */
#include <stdio.h>

const struct star_value *star_none(void)
{
    static const struct star_value none = {.type = STAR_NONE};
    return &none;
}

const struct star_value *star_true_or_false(bool v)
{
    static const struct star_value yes = {.type = STAR_BOOL, .boolean = true},
                                   no = {.type = STAR_BOOL};
    return v ? &yes : &no;
}

struct star_value *star_new(struct star *s, enum star_type type)
{
    struct star_value *v = star_alloc(s, sizeof(*v));
    if (v)
        v->type = type;
    return v;
}

const struct star_value *star_make_int(struct star *s, int64_t i)
{
    struct star_value *v = star_new(s, STAR_INT);
    if (v)
        v->integer = i;
    return v;
}

const struct star_value *star_make_string(struct star *s, struct bytes text)
{
    struct star_value *v = star_new(s, STAR_STRING);
    if (v)
        v->text = text;
    return v;
}

const struct star_value *star_make_text(struct star *s, const struct strbuf *b)
{
    char *p = strbuf_failed(b) ? NULL : star_alloc(s, b->n + 1);
    if (!p) {
        (void)star_no_memory(s);
        return NULL;
    }
    memcpy(p, strbuf_text(b), b->n);
    return star_make_string(s, (struct bytes){p, b->n});
}

struct star_value *star_make_list(struct star *s, enum star_type type, size_t n)
{
    struct star_value *v = star_new(s, type);
    if (v && n > s->max_bytes / sizeof(void *)) {
        (void)star_no_memory(s);
        return NULL;
    }
    if (v && n) {
        v->list.items = star_alloc(s, n * sizeof(*v->list.items));
        v->list.cap = n;
        if (!v->list.items)
            return NULL;
    }
    return v;
}

int star_append(struct star *s, struct star_value *list, const struct star_value *v)
{
    if (list->list.n == list->list.cap) {
        size_t cap = list->list.cap ? list->list.cap * 2 : 4;
        const struct star_value **items = star_alloc(s, cap * sizeof(*items));
        if (!items)
            return -ENOMEM;
        if (list->list.n)
            memcpy(items, list->list.items, list->list.n * sizeof(*items));
        list->list.items = items;
        list->list.cap = cap;
    }
    list->list.items[list->list.n++] = v;
    return 0;
}

/* ---- tables ---- */

struct star_value *star_make_dict(struct star *s, enum star_type type)
{
    struct star_value *v = star_new(s, type);
    if (v && !(v->table = star_alloc(s, sizeof(*v->table))))
        return NULL;
    return v;
}

static int hash_of(struct star *s, const struct star_value *v, uint64_t *ret)
{
    uint64_t h = s->seed;
    const unsigned char *p = NULL;
    size_t n = 0;
    switch (v->type) {
    case STAR_STRING:
    case STAR_BYTES:
        p = (const unsigned char *)v->text.p;
        n = v->text.n;
        break;
    case STAR_INT:
        p = (const unsigned char *)&v->integer;
        n = sizeof(v->integer);
        break;
    case STAR_FLOAT:
        if (v->floating > -1e18 && v->floating < 1e18 &&
            v->floating == (double)(int64_t)v->floating) {
            const struct star_value i = {.type = STAR_INT, .integer = (int64_t)v->floating};
            return hash_of(s, &i, ret);
        }
        p = (const unsigned char *)&v->floating;
        n = sizeof(v->floating);
        break;
    case STAR_NONE:
    case STAR_BOOL:
        h += v->type * 31u + (v->type == STAR_BOOL && v->boolean);
        break;
    case STAR_FUNCTION:
    case STAR_OPAQUE:
        h += (uint64_t)(uintptr_t)v;
        break;
    case STAR_TUPLE: {
        if (++s->depth > MAX_STAR_DEPTH)
            return star_fault(s, "nested too deep");
        int r = 0;
        for (size_t i = 0; r == 0 && i < v->list.n; i++) {
            uint64_t one = 0;
            r = hash_of(s, v->list.items[i], &one);
            h = (h ^ one) * 0x100000001b3u;
        }
        s->depth--;
        *ret = h;
        return r;
    }
    case STAR_LIST:
    case STAR_DICT:
    case STAR_SET:
    case STAR_RANGE:
        return star_fault(s, "%s cannot be a key", star_type_word(v));
    }
    int r = star_step(s, n / 64);
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    *ret = h ^ h >> 29;
    return r;
}

static int lookup(struct star *s, const struct table *t, const struct star_value *key,
                  uint64_t hash, uint32_t *ret_slot, struct dict_entry **ret)
{
    *ret = NULL;
    if (!t->n_index)
        return 0;
    for (size_t at = hash & (t->n_index - 1);; at = (at + 1) & (t->n_index - 1)) {
        uint32_t e = t->index[at];
        bool same = false;
        int r = star_step(s, 1);
        if (r < 0)
            return r;
        *ret_slot = (uint32_t)at;
        if (!e)
            return 0;
        struct dict_entry *entry = &t->entries[e - 1];
        if (!entry->key || entry->hash != hash)
            continue;
        r = star_equal(s, entry->key, key, &same);
        if (r < 0)
            return r;
        if (same) {
            *ret = entry;
            return 0;
        }
    }
}

static int grow(struct star *s, struct table *t)
{
    size_t cap = t->n * 2 < 8 ? 8 : t->n * 2, n_index = 16;
    while (n_index < cap * 2)
        n_index *= 2;
    struct dict_entry *entries = star_alloc(s, cap * sizeof(*entries));
    uint32_t *index = star_alloc(s, n_index * sizeof(*index));
    if (!entries || !index)
        return -ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < t->used; i++) {
        if (!t->entries[i].key)
            continue;
        entries[n] = t->entries[i];
        size_t at = entries[n].hash & (n_index - 1);
        while (index[at])
            at = (at + 1) & (n_index - 1);
        index[at] = (uint32_t)++n;
    }
    t->entries = entries;
    t->index = index;
    t->used = n;
    t->cap = cap;
    t->n_index = n_index;
    return 0;
}

int table_get(struct star *s, const struct star_value *dict, const struct star_value *key,
              const struct star_value **ret)
{
    uint64_t hash;
    uint32_t slot;
    struct dict_entry *e;
    int r = hash_of(s, key, &hash);
    if (r == 0)
        r = lookup(s, dict->table, key, hash, &slot, &e);
    if (r == 0)
        *ret = e ? e->value : NULL;
    return r;
}

int table_put(struct star *s, struct star_value *dict, const struct star_value *key,
              const struct star_value *value)
{
    struct table *t = dict->table;
    uint64_t hash;
    uint32_t slot = 0;
    struct dict_entry *e = NULL;
    int r = hash_of(s, key, &hash);
    if (r == 0)
        r = lookup(s, t, key, hash, &slot, &e);
    if (r < 0)
        return r;
    if (e) {
        e->value = value;
        return 0;
    }
    if (dict->busy)
        return star_fault(s, "a %s must not change while it is iterated over",
                          star_type_word(dict));
    if (t->used == t->cap) {
        if ((r = grow(s, t)) < 0 || (r = lookup(s, t, key, hash, &slot, &e)) < 0)
            return r;
    }
    t->entries[t->used] = (struct dict_entry){key, value, hash};
    t->index[slot] = (uint32_t)++t->used;
    t->n++;
    return 0;
}

int table_remove(struct star *s, struct star_value *dict, const struct star_value *key,
                 const struct star_value **ret)
{
    uint64_t hash;
    uint32_t slot;
    struct dict_entry *e = NULL;
    if (dict->busy)
        return star_fault(s, "a %s must not change while it is iterated over",
                          star_type_word(dict));
    int r = hash_of(s, key, &hash);
    if (r == 0)
        r = lookup(s, dict->table, key, hash, &slot, &e);
    *ret = e ? e->value : NULL;
    if (e) {
        e->key = NULL; /* its slot stays taken, so that others are found behind it */
        dict->table->n--;
    }
    return r;
}

/* ---- comparing ---- */

bool star_truth(const struct star_value *v)
{
    switch (v->type) {
    case STAR_NONE:
        return false;
    case STAR_BOOL:
        return v->boolean;
    case STAR_INT:
        return v->integer != 0;
    case STAR_FLOAT:
        return v->floating != 0;
    case STAR_STRING:
    case STAR_BYTES:
        return v->text.n > 0;
    case STAR_LIST:
    case STAR_TUPLE:
        return v->list.n > 0;
    case STAR_DICT:
    case STAR_SET:
        return v->table->n > 0;
    case STAR_RANGE:
        return star_size(v, NULL) > 0;
    case STAR_FUNCTION:
    case STAR_OPAQUE:
        return true;
    }
    return true;
}

static bool is_number(const struct star_value *v)
{
    return v->type == STAR_INT || v->type == STAR_FLOAT;
}

static double number(const struct star_value *v)
{
    return v->type == STAR_INT ? (double)v->integer : v->floating;
}

static int equal_items(struct star *s, const struct star_value *a, const struct star_value *b,
                       bool *ret)
{
    *ret = a->list.n == b->list.n;
    int r = 0;
    for (size_t i = 0; r == 0 && *ret && i < a->list.n; i++)
        r = star_equal(s, a->list.items[i], b->list.items[i], ret);
    return r;
}

static int equal_tables(struct star *s, const struct star_value *a, const struct star_value *b,
                        bool *ret)
{
    *ret = a->table->n == b->table->n;
    int r = 0;
    for (size_t i = 0; r == 0 && *ret && i < a->table->used; i++) {
        const struct dict_entry *e = &a->table->entries[i];
        const struct star_value *other = NULL;
        if (!e->key)
            continue;
        r = table_get(s, b, e->key, &other);
        *ret = other != NULL;
        if (r == 0 && other && a->type == STAR_DICT)
            r = star_equal(s, e->value, other, ret);
    }
    return r;
}

int star_equal(struct star *s, const struct star_value *a, const struct star_value *b, bool *ret)
{
    int r = star_step(s, 1);
    if (r < 0)
        return r;
    if (is_number(a) && is_number(b)) {
        *ret = a->type == STAR_INT && b->type == STAR_INT ? a->integer == b->integer
                                                          : number(a) == number(b);
        return 0;
    }
    *ret = a == b;
    if (a == b || a->type != b->type)
        return 0;
    if (++s->depth > MAX_STAR_DEPTH)
        return star_fault(s, "nested too deep");
    switch (a->type) {
    case STAR_BOOL:
        *ret = a->boolean == b->boolean;
        break;
    case STAR_NONE:
        *ret = true;
        break;
    case STAR_STRING:
    case STAR_BYTES:
        *ret = bytes_eq(a->text, b->text);
        r = star_step(s, a->text.n / 64);
        break;
    case STAR_LIST:
    case STAR_TUPLE:
        r = equal_items(s, a, b, ret);
        break;
    case STAR_DICT:
    case STAR_SET:
        r = equal_tables(s, a, b, ret);
        break;
    case STAR_RANGE: {
        size_t n = star_size(a, NULL);
        *ret = n == star_size(b, NULL) && (n == 0 || a->range.start == b->range.start) &&
               (n < 2 || a->range.step == b->range.step);
        break;
    }
    case STAR_INT:
    case STAR_FLOAT:
    case STAR_FUNCTION:
    case STAR_OPAQUE:
        break;
    }
    s->depth--;
    return r;
}

int star_compare(struct star *s, const struct star_value *a, const struct star_value *b, int *ret)
{
    int r = star_step(s, 1);
    if (r < 0)
        return r;
    if (is_number(a) && is_number(b)) {
        if (a->type == STAR_INT && b->type == STAR_INT)
            *ret = (a->integer > b->integer) - (a->integer < b->integer);
        else
            *ret = (number(a) > number(b)) - (number(a) < number(b));
        return 0;
    }
    if (a->type != b->type)
        return star_fault(s, "%s and %s cannot be compared", star_type_word(a), star_type_word(b));
    if (a->type == STAR_BOOL) {
        *ret = (int)a->boolean - (int)b->boolean;
        return 0;
    }
    if (a->type == STAR_STRING || a->type == STAR_BYTES) {
        size_t n = MIN_OF(a->text.n, b->text.n);
        int c = n ? memcmp(a->text.p, b->text.p, n) : 0;
        *ret = c ? c : (a->text.n > b->text.n) - (a->text.n < b->text.n);
        return star_step(s, n / 64);
    }
    if (a->type != STAR_LIST && a->type != STAR_TUPLE)
        return star_fault(s, "%s has no order", star_type_word(a));
    if (++s->depth > MAX_STAR_DEPTH)
        return star_fault(s, "nested too deep");
    *ret = 0;
    for (size_t i = 0; r == 0 && *ret == 0 && i < MIN_OF(a->list.n, b->list.n); i++)
        r = star_compare(s, a->list.items[i], b->list.items[i], ret);
    if (r == 0 && *ret == 0)
        *ret = (a->list.n > b->list.n) - (a->list.n < b->list.n);
    s->depth--;
    return r;
}

size_t star_size(const struct star_value *v, bool *ret_known)
{
    if (ret_known)
        *ret_known = true;
    switch (v->type) {
    case STAR_STRING:
    case STAR_BYTES:
        return v->text.n;
    case STAR_LIST:
    case STAR_TUPLE:
        return v->list.n;
    case STAR_DICT:
    case STAR_SET:
        return v->table->n;
    case STAR_RANGE: {
        int64_t a = v->range.start, b = v->range.stop, step = v->range.step;
        if (step > 0)
            return a < b ? (size_t)(((uint64_t)b - (uint64_t)a - 1) / (uint64_t)step + 1) : 0;
        return a > b ? (size_t)(((uint64_t)a - (uint64_t)b - 1) / (0 - (uint64_t)step) + 1) : 0;
    }
    case STAR_NONE:
    case STAR_BOOL:
    case STAR_INT:
    case STAR_FLOAT:
    case STAR_FUNCTION:
    case STAR_OPAQUE:
        break;
    }
    if (ret_known)
        *ret_known = false;
    return 0;
}

int star_items(struct star *s, const struct star_value *v, struct star_value **ret)
{
    size_t n = star_size(v, NULL);
    if (v->type < STAR_LIST || v->type > STAR_RANGE)
        return star_fault(s, "%s cannot be iterated over", star_type_word(v));
    int r = star_step(s, n);
    struct star_value *l = r == 0 ? star_make_list(s, STAR_LIST, n) : NULL;
    if (!l)
        return r < 0 ? r : -ENOMEM;
    if (v->type == STAR_LIST || v->type == STAR_TUPLE) {
        if (n)
            memcpy(l->list.items, v->list.items, n * sizeof(*l->list.items));
        l->list.n = n;
    } else if (v->type == STAR_RANGE) {
        for (size_t i = 0; i < n; i++) {
            const struct star_value *one =
                star_make_int(s, (int64_t)((uint64_t)v->range.start + i * (uint64_t)v->range.step));
            if (!one)
                return -ENOMEM;
            l->list.items[l->list.n++] = one;
        }
    } else {
        for (size_t i = 0; i < v->table->used; i++)
            if (v->table->entries[i].key)
                l->list.items[l->list.n++] = v->table->entries[i].key;
    }
    *ret = l;
    return 0;
}

/* ---- printing ---- */

static void put_repr_text(struct strbuf *out, struct bytes text)
{
    strbuf_putc(out, '"');
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\')
            strbuf_printf(out, "\\%c", c);
        else if (c == '\n')
            strbuf_puts(out, "\\n");
        else if (c == '\t')
            strbuf_puts(out, "\\t");
        else if (c == '\r')
            strbuf_puts(out, "\\r");
        else if (c < 0x20 || c == 0x7f)
            strbuf_printf(out, "\\x%02x", c);
        else
            strbuf_putc(out, (char)c);
    }
    strbuf_putc(out, '"');
}

static void put_float(struct strbuf *out, double d)
{
    char buf[40];
    if (isnan(d) || isinf(d)) {
        strbuf_puts(out, isnan(d) ? "nan" : d > 0 ? "+inf" : "-inf");
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        (void)snprintf(buf, sizeof(buf), "%.*g", digits, d);
        if (strtod(buf, NULL) == d)
            break;
    }
    strbuf_puts(out, buf);
    if (!strpbrk(buf, ".en"))
        strbuf_puts(out, ".0");
}

static int put_items(struct star *s, struct strbuf *out, const struct star_value *v)
{
    int r = 0;
    strbuf_putc(out, v->type == STAR_LIST ? '[' : '(');
    for (size_t i = 0; r == 0 && i < v->list.n; i++) {
        strbuf_puts(out, i ? ", " : "");
        r = star_put(s, out, v->list.items[i], true);
    }
    if (v->type == STAR_TUPLE && v->list.n == 1)
        strbuf_putc(out, ',');
    strbuf_putc(out, v->type == STAR_LIST ? ']' : ')');
    return r;
}

static int put_table(struct star *s, struct strbuf *out, const struct star_value *v)
{
    int r = 0;
    bool first = true;
    strbuf_puts(out, v->type == STAR_DICT ? "{" : "set([");
    for (size_t i = 0; r == 0 && i < v->table->used; i++) {
        const struct dict_entry *e = &v->table->entries[i];
        if (!e->key)
            continue;
        strbuf_puts(out, first ? "" : ", ");
        first = false;
        r = star_put(s, out, e->key, true);
        if (r == 0 && v->type == STAR_DICT) {
            strbuf_puts(out, ": ");
            r = star_put(s, out, e->value, true);
        }
    }
    strbuf_puts(out, v->type == STAR_DICT ? "}" : "])");
    return r;
}

int star_put(struct star *s, struct strbuf *out, const struct star_value *v, bool repr)
{
    int r = star_step(s, 1);
    if (r < 0)
        return r;
    if (out->n > s->max_bytes)
        return star_no_memory(s);
    if (++s->depth > MAX_STAR_DEPTH)
        return star_fault(s, "nested too deep");
    switch (v->type) {
    case STAR_NONE:
        strbuf_puts(out, "None");
        break;
    case STAR_BOOL:
        strbuf_puts(out, v->boolean ? "True" : "False");
        break;
    case STAR_INT:
        strbuf_printf(out, "%lld", (long long)v->integer);
        break;
    case STAR_FLOAT:
        put_float(out, v->floating);
        break;
    case STAR_STRING:
    case STAR_BYTES:
        r = star_step(s, v->text.n / 64);
        if (v->type == STAR_BYTES && repr)
            strbuf_putc(out, 'b');
        if (repr)
            put_repr_text(out, v->text);
        else
            strbuf_put(out, v->text.p, v->text.n);
        break;
    case STAR_LIST:
    case STAR_TUPLE:
        r = put_items(s, out, v);
        break;
    case STAR_DICT:
    case STAR_SET:
        r = put_table(s, out, v);
        break;
    case STAR_RANGE:
        strbuf_printf(out, "range(%lld, %lld", (long long)v->range.start, (long long)v->range.stop);
        if (v->range.step != 1)
            strbuf_printf(out, ", %lld", (long long)v->range.step);
        strbuf_putc(out, ')');
        break;
    case STAR_FUNCTION:
        strbuf_printf(out, "<function %s>", v->function.name);
        break;
    case STAR_OPAQUE:
        strbuf_printf(out, "<%s>", v->opaque.kind);
        break;
    }
    s->depth--;
    return r;
}

/* ---- operators ---- */

/* Beyond this every double is whole. */
static double floor_of(double d)
{
    if (!(d > -9e15 && d < 9e15))
        return d;
    double whole = (double)(int64_t)d;
    return whole > d ? whole - 1 : whole;
}

static const char *op_text(enum op op)
{
    static const char *const words[] = {
        [OP_PLUS] = "+",        [OP_MINUS] = "-",   [OP_STAR] = "*", [OP_SLASH] = "/",
        [OP_SLASHSLASH] = "//", [OP_PERCENT] = "%", [OP_AMP] = "&",  [OP_PIPE] = "|",
        [OP_CARET] = "^",       [OP_SHL] = "<<",    [OP_SHR] = ">>"};
    return op <= OP_SHR && words[op] ? words[op] : "in";
}

static int beyond(struct star *s)
{
    return star_fault(s, "an integer beyond 64 bits");
}

static int int_binary(struct star *s, enum op op, int64_t a, int64_t b,
                      const struct star_value **ret)
{
    int64_t v = 0;
    bool over = false;
    switch (op) {
    case OP_PLUS:
        over = __builtin_add_overflow(a, b, &v);
        break;
    case OP_MINUS:
        over = __builtin_sub_overflow(a, b, &v);
        break;
    case OP_STAR:
        over = __builtin_mul_overflow(a, b, &v);
        break;
    case OP_AMP:
        v = a & b;
        break;
    case OP_PIPE:
        v = a | b;
        break;
    case OP_CARET:
        v = a ^ b;
        break;
    case OP_SLASHSLASH:
    case OP_PERCENT:
        if (b == 0)
            return star_fault(s, "division by zero");
        if (b == -1) {
            over = op == OP_SLASHSLASH && a == INT64_MIN;
            v = op == OP_SLASHSLASH && !over ? -a : 0;
        } else if (op == OP_SLASHSLASH) {
            v = a / b - (a % b != 0 && (a < 0) != (b < 0));
        } else {
            v = a % b;
            v += v && (v < 0) != (b < 0) ? b : 0;
        }
        break;
    case OP_SHL:
    case OP_SHR:
        if (b < 0)
            return star_fault(s, "a shift by less than nothing");
        if (op == OP_SHR)
            v = b > 63 ? (a < 0 ? -1 : 0) : a >> b;
        else
            over = a != 0 && (b > 62 || __builtin_mul_overflow(a, (int64_t)1 << b, &v));
        break;
    default:
        return star_fault(s, "no operator of integers");
    }
    if (over)
        return beyond(s);
    *ret = star_make_int(s, v);
    return *ret ? 0 : -ENOMEM;
}

static int float_binary(struct star *s, enum op op, double a, double b,
                        const struct star_value **ret)
{
    struct star_value *v = star_new(s, STAR_FLOAT);
    if (!v)
        return -ENOMEM;
    if ((op == OP_SLASH || op == OP_SLASHSLASH || op == OP_PERCENT) && b == 0)
        return star_fault(s, "division by zero");
    v->floating = op == OP_PLUS         ? a + b
                  : op == OP_MINUS      ? a - b
                  : op == OP_STAR       ? a * b
                  : op == OP_SLASH      ? a / b
                  : op == OP_SLASHSLASH ? floor_of(a / b)
                                        : a - b * floor_of(a / b);
    *ret = v;
    return 0;
}

/* N copies of V, bounded before anything is made. */
static int repeat(struct star *s, const struct star_value *v, int64_t n,
                  const struct star_value **ret)
{
    size_t size = star_size(v, NULL), times = n > 0 ? (size_t)n : 0;
    size_t each = v->type == STAR_STRING || v->type == STAR_BYTES ? 1 : sizeof(void *);
    if (size && times > s->max_bytes / each / size)
        return star_no_memory(s);
    int r = star_step(s, size * times / 8);
    if (r < 0)
        return r;
    if (each == 1) {
        char *p = star_alloc(s, size * times + 1);
        struct star_value *t = p ? star_new(s, v->type) : NULL;
        if (!t)
            return -ENOMEM;
        for (size_t i = 0; i < times && size; i++)
            memcpy(p + i * size, v->text.p, size);
        t->text = (struct bytes){p, size * times};
        *ret = t;
        return 0;
    }
    struct star_value *l = star_make_list(s, v->type, size * times);
    if (!l)
        return -ENOMEM;
    for (size_t i = 0; i < times && size; i++)
        memcpy(l->list.items + i * size, v->list.items, size * sizeof(void *));
    l->list.n = size * times;
    *ret = l;
    return 0;
}

static int concatenate(struct star *s, const struct star_value *a, const struct star_value *b,
                       const struct star_value **ret)
{
    size_t n = star_size(a, NULL), m = star_size(b, NULL);
    int r = star_step(s, (n + m) / 64);
    if (r < 0)
        return r;
    if (a->type == STAR_STRING || a->type == STAR_BYTES) {
        char *p = star_alloc(s, n + m + 1);
        struct star_value *t = p ? star_new(s, a->type) : NULL;
        if (!t)
            return -ENOMEM;
        if (n)
            memcpy(p, a->text.p, n);
        if (m)
            memcpy(p + n, b->text.p, m);
        t->text = (struct bytes){p, n + m};
        *ret = t;
        return 0;
    }
    struct star_value *l = star_make_list(s, a->type, n + m);
    if (!l)
        return -ENOMEM;
    if (n)
        memcpy(l->list.items, a->list.items, n * sizeof(void *));
    if (m)
        memcpy(l->list.items + n, b->list.items, m * sizeof(void *));
    l->list.n = n + m;
    *ret = l;
    return 0;
}

static int contains(struct star *s, const struct star_value *v, const struct star_value *in,
                    bool *ret)
{
    int r = 0;
    const struct star_value *found = NULL;
    *ret = false;
    switch (in->type) {
    case STAR_STRING:
        if (v->type != STAR_STRING)
            break;
        r = star_step(s, in->text.n / 16);
        *ret =
            v->text.n == 0 || (in->text.n && memmem(in->text.p, in->text.n, v->text.p, v->text.n));
        return r;
    case STAR_LIST:
    case STAR_TUPLE:
        for (size_t i = 0; r == 0 && !*ret && i < in->list.n; i++)
            r = star_equal(s, in->list.items[i], v, ret);
        return r;
    case STAR_DICT:
    case STAR_SET:
        if (v->type == STAR_LIST || v->type == STAR_DICT || v->type == STAR_SET)
            return 0; /* what cannot be a key is none */
        r = table_get(s, in, v, &found);
        *ret = found != NULL;
        return r;
    case STAR_RANGE:
        if (v->type != STAR_INT)
            return 0;
        {
            int64_t a = in->range.start, step = in->range.step;
            bool inside = step > 0 ? v->integer >= a && v->integer < in->range.stop
                                   : v->integer <= a && v->integer > in->range.stop;
            *ret = inside && ((uint64_t)v->integer - (uint64_t)a) %
                                     (step > 0 ? (uint64_t)step : 0 - (uint64_t)step) ==
                                 0;
        }
        return 0;
    case STAR_NONE:
    case STAR_BOOL:
    case STAR_INT:
    case STAR_FLOAT:
    case STAR_BYTES:
    case STAR_FUNCTION:
    case STAR_OPAQUE:
        break;
    }
    return star_fault(s, "%s cannot be looked for in %s", star_type_word(v), star_type_word(in));
}

/* Of two sets: in both (&), in one of them (^), in the first alone (-). */
static int combine(struct star *s, enum op op, const struct star_value *a,
                   const struct star_value *b, const struct star_value **ret)
{
    struct star_value *d = star_make_dict(s, STAR_SET);
    int r = d ? 0 : -ENOMEM;
    for (int k = 0; k < (op == OP_CARET ? 2 : 1); k++) {
        const struct star_value *from = k ? b : a, *other = k ? a : b, *found = NULL;
        for (size_t i = 0; r == 0 && i < from->table->used; i++) {
            const struct star_value *key = from->table->entries[i].key;
            if (!key)
                continue;
            r = table_get(s, other, key, &found);
            if (r == 0 && (found != NULL) == (op == OP_AMP))
                r = table_put(s, d, key, star_none());
        }
    }
    *ret = d;
    return r;
}

static int union_of(struct star *s, const struct star_value *a, const struct star_value *b,
                    const struct star_value **ret)
{
    struct star_value *d = star_make_dict(s, a->type);
    int r = d ? 0 : -ENOMEM;
    for (int k = 0; k < 2; k++) {
        const struct table *t = k ? b->table : a->table;
        for (size_t i = 0; r == 0 && i < t->used; i++)
            if (t->entries[i].key)
                r = table_put(s, d, t->entries[i].key, t->entries[i].value);
    }
    *ret = d;
    return r;
}

int star_binary(struct star *s, enum op op, const struct star_value *a, const struct star_value *b,
                const struct star_value **ret)
{
    bool same = false;
    int order = 0, r;
    switch (op) {
    case OP_EQ:
    case OP_NE:
        r = star_equal(s, a, b, &same);
        *ret = star_true_or_false(same == (op == OP_EQ));
        return r;
    case OP_LT:
    case OP_GT:
    case OP_LE:
    case OP_GE:
        r = star_compare(s, a, b, &order);
        *ret = star_true_or_false(op == OP_LT   ? order < 0
                                  : op == OP_GT ? order > 0
                                  : op == OP_LE ? order <= 0
                                                : order >= 0);
        return r;
    case KW_IN:
    case OP_NOT_IN:
        r = contains(s, a, b, &same);
        *ret = star_true_or_false(same == (op == KW_IN));
        return r;
    default:
        break;
    }
    if (op == OP_PERCENT && a->type == STAR_STRING)
        return star_format_percent(s, a->text, b, ret);
    if (a->type == STAR_INT && b->type == STAR_INT && op != OP_SLASH)
        return int_binary(s, op, a->integer, b->integer, ret);
    if (is_number(a) && is_number(b) && op >= OP_PLUS && op <= OP_PERCENT && op != OP_STARSTAR)
        return float_binary(s, op, number(a), number(b), ret);
    if (op == OP_PLUS && a->type == b->type && a->type >= STAR_STRING && a->type <= STAR_TUPLE)
        return concatenate(s, a, b, ret);
    if (op == OP_STAR && b->type == STAR_INT && a->type >= STAR_STRING && a->type <= STAR_TUPLE)
        return repeat(s, a, b->integer, ret);
    if (op == OP_STAR && a->type == STAR_INT && b->type >= STAR_STRING && b->type <= STAR_TUPLE)
        return repeat(s, b, a->integer, ret);
    if (op == OP_PIPE && a->type == b->type && (a->type == STAR_DICT || a->type == STAR_SET))
        return union_of(s, a, b, ret);
    if ((op == OP_AMP || op == OP_CARET || op == OP_MINUS) && a->type == STAR_SET &&
        b->type == STAR_SET)
        return combine(s, op, a, b, ret);
    return star_fault(s, "%s %s %s means nothing", star_type_word(a), op_text(op),
                      star_type_word(b));
}
