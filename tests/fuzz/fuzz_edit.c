/*
 * A document, a key and a value through edit_set(). The input is KEY, a line feed, VALUE (empty:
 * remove), a line feed, DOCUMENT; a value of several lines has U+001E for them. What must hold
 * whatever the bytes: a refusal changes nothing and has a message; a result parses, holds exactly
 * that value at the key (or none), and everything else is what and in the order it was; a second
 * time nothing is changed.
 */
#include "../toml_flatten.h"
#include "config/edit.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static struct bytes line(struct bytes *rest)
{
    const char *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct bytes b = {rest->p, lf ? (size_t)(lf - rest->p) : rest->n};
    rest->p += b.n + (lf != NULL);
    rest->n -= b.n + (lf != NULL);
    return b;
}

static const struct toml_value *at(const struct toml_value *v, const struct bytes *parts, size_t n)
{
    for (size_t i = 0; i < n && v; i++)
        v = toml_get(v, parts[i]);
    return v;
}

static void must_be_same(const struct toml_value *a, const struct toml_value *b,
                         const struct bytes *skip, size_t n)
{
    _cleanup_strbuf_ struct strbuf one = {0}, two = {0};
    flatten(&one, a, skip, n);
    flatten(&two, b, skip, n);
    must(str_eq(strbuf_text(&one), strbuf_text(&two)));
}

static void check_result(struct arena *a, const struct toml_value *old, struct bytes result,
                         const struct bytes *parts, size_t n, const struct toml_value *want)
{
    struct toml_value *new;
    must(toml_parse(a, "new", result, TOML_1_1, &new, NULL) == 0);
    const struct toml_value *is = at(new, parts, n);
    must(!is == !want);
    if (is)
        must_be_same(is, want, NULL, 0);
    must_be_same(old, new, parts, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf value = {0}, out = {0}, again = {0};
    struct bytes text = {(const char *)data, size}, key = line(&text), raw = line(&text), *parts;
    struct toml_value *old, *want = NULL;
    size_t n;
    for (size_t i = 0; i < raw.n; i++)
        strbuf_putc(&value, raw.p[i] == 0x1e ? '\n' : raw.p[i]);
    struct bytes v = {raw.n ? strbuf_text(&value) : NULL, raw.n};
    if (toml_parse_key(&a, key, &parts, &n, NULL) < 0 ||
        toml_parse(&a, "old", text, TOML_1_1, &old, NULL) < 0 ||
        (v.p && toml_parse_value(&a, NULL, v, TOML_1_1, &want, NULL) < 0))
        return 0;
    struct error err = {0};
    int r = edit_set(text, "old", parts, n, v, &out, &err);
    if (r < 0) {
        must(out.n == 0 && err.code == r && err.message[0]);
        must(r == -EINVAL || r == -E2BIG || r == -EFBIG || (r == -ENOENT && !want));
        return 0;
    }
    struct bytes result = {strbuf_text(&out), out.n};
    check_result(&a, old, result, parts, n, want);
    r = edit_set(result, "new", parts, n, v, &again, &err);
    must(want ? r == 0 && bytes_eq(result, (struct bytes){strbuf_text(&again), again.n})
              : r == -ENOENT);
    return 0;
}
