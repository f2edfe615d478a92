/* Two paths, separated by a NUL byte: what path_join() makes is normal, and the lexical functions
 * agree with each other about it. */
#include "base/path.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size, m = nul ? size - n - 1 : 0;
    const char *first = arena_strndup(&a, size ? (const char *)data : "", n);
    const char *second = arena_strndup(&a, nul ? (const char *)nul + 1 : "", m);
    char *base = path_join(&a, "/", first), *joined = path_join(&a, base, second);
    must(path_is_normal(base) && path_is_normal(joined));
    must(!path_is_normal(first) || str_eq(first, base));
    must(second[0] != '/' || str_eq(joined, path_join(&a, "/", second)));
    must(str_eq(joined, path_join(&a, joined, "")) && str_eq(joined, path_join(&a, joined, ".")));
    must(path_is_below(joined, joined) && path_is_below(joined, "/"));

    char *parent = path_parent(&a, joined);
    must(path_is_normal(parent) && path_is_below(joined, parent));
    must(str_eq(parent, path_join(&a, joined, "..")));
    if (!str_eq(joined, "/")) {
        must(path_depth(parent) + 1 == path_depth(joined));
        must(!path_is_below(parent, joined));
        must(str_eq(joined, path_join(&a, parent, path_base(joined))));
    } else {
        must(path_depth(joined) == 0 && path_base(joined)[0] == '\0');
    }
    size_t depth = 0;
    struct bytes c;
    for (const char *p = joined; path_next(&p, &c); depth++)
        must(c.n && !memchr(c.p, '/', c.n) && !bytes_is(c, ".") && !bytes_is(c, ".."));
    must(depth == path_depth(joined));
    return 0;
}
