/*
 * A document through toml_parse() in both versions, and the same bytes as a key and as a value.
 * What must hold whatever the bytes: a refusal has a place inside the text and a message; every
 * span lies in the text and its line and column belong to its offset; every member is found by its
 * key; what 1.0 takes 1.1 takes with the same values; nothing is deeper than the limit.
 */
#include "base/limits.h"
#include "base/toml.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_span(struct bytes text, struct toml_span s)
{
    must(s.offset <= text.n && s.length <= text.n - s.offset);
    must(s.line >= 1 && s.column >= 1);
    size_t start = s.offset - (s.column - 1);
    must(s.column - 1 <= s.offset);
    /* The BOM has no column. */
    must(start == 0 || text.p[start - 1] == '\n' || (start == 3 && s.line == 1));
    must(!memchr(text.p + start, '\n', s.offset - start));
}

static void check_string(struct bytes s)
{
    must(s.p && s.p[s.n] == '\0');
}

static void check_tree(struct bytes text, const struct toml_value *v, unsigned depth)
{
    must(depth <= MAX_TOML_DEPTH + 1);
    check_span(text, v->span);
    if (v->type == TOML_STRING) {
        check_string(v->string);
    } else if (v->type == TOML_ARRAY) {
        for (size_t i = 0; i < v->array.n; i++)
            check_tree(text, v->array.items[i], depth + 1);
    } else if (v->type == TOML_TABLE) {
        size_t n = 0;
        for (const struct toml_member *m = v->table.first; m; m = m->next, n++) {
            check_span(text, m->key_span);
            check_string(m->key);
            must(toml_member(v, m->key) == m);
            must(m->next || v->table.last == m);
            check_tree(text, m->value, depth + 1);
        }
        must(n == v->table.n);
    }
}

static void check_same(const struct toml_value *a, const struct toml_value *b)
{
    must(a->type == b->type && a->span.offset == b->span.offset &&
         a->span.length == b->span.length);
    switch (a->type) {
    case TOML_STRING:
        must(bytes_eq(a->string, b->string));
        break;
    case TOML_INTEGER:
        must(a->integer == b->integer);
        break;
    case TOML_FLOAT:
        must(memcmp(&a->floating, &b->floating, sizeof(a->floating)) == 0);
        break;
    case TOML_BOOLEAN:
        must(a->boolean == b->boolean);
        break;
    case TOML_ARRAY:
        must(a->array.n == b->array.n);
        for (size_t i = 0; i < a->array.n; i++)
            check_same(a->array.items[i], b->array.items[i]);
        break;
    case TOML_TABLE: {
        const struct toml_member *m = a->table.first, *n = b->table.first;
        for (; m && n; m = m->next, n = n->next) {
            must(bytes_eq(m->key, n->key));
            check_same(m->value, n->value);
        }
        must(!m && !n);
        break;
    }
    default:
        must(memcmp(&a->datetime, &b->datetime, sizeof(a->datetime)) == 0);
        break;
    }
}

static void check_refusal(struct bytes text, int r, const struct error *err)
{
    must(r < 0 && err->code == r && err->message[0] && err->line >= 1 && err->column >= 1 &&
         err->length >= 1);
    size_t lines = 1;
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    must(err->line <= lines && err->column <= text.n + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = {(const char *)data, size};
    struct toml_value *trees[2] = {NULL, NULL};
    _cleanup_arena_ struct arena a = {0};
    for (int version = TOML_1_0; version <= TOML_1_1; version++) {
        struct error err = {0};
        int r =
            toml_parse(&a, "fuzz.toml", text, (enum toml_version)version, &trees[version], &err);
        if (r == 0)
            check_tree(text, trees[version], 0);
        else
            check_refusal(text, r, &err);
    }
    must(!trees[0] || trees[1]);
    if (trees[0])
        check_same(trees[0], trees[1]);

    struct error err = {0};
    struct toml_value *value = NULL;
    int r = toml_parse_value(&a, NULL, text, TOML_1_1, &value, &err);
    if (r == 0)
        check_tree(text, value, 1);
    else
        check_refusal(text, r, &err);

    struct bytes *parts = NULL;
    size_t n = 0;
    err = (struct error){0};
    r = toml_parse_key(&a, text, &parts, &n, &err);
    if (r == 0)
        must(n >= 1 && n <= MAX_TOML_DEPTH + 1);
    else
        check_refusal(text, r, &err);
    for (size_t i = 0; i < n; i++)
        check_string(parts[i]);
    return 0;
}
