/* A pattern and a path, separated by a NUL byte: the matcher ends, and its answers agree with each
 * other. */
#include "permissions/permissions.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void cut(char *rel, size_t components)
{
    for (; *rel; rel++)
        if (*rel == '/' && rel[1] != '/' && rel[1] != '\0' && --components == 0)
            *rel = '\0', rel--;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char glob[4096], rel[4096];
    const uint8_t *nul = memchr(data, 0, size);
    size_t n = nul ? (size_t)(nul - data) : size, m = nul ? size - n - 1 : 0, column = 0;
    if (n >= sizeof(glob) || m >= sizeof(rel))
        return 0;
    memcpy(glob, data, n);
    glob[n] = '\0';
    if (m)
        memcpy(rel, nul + 1, m);
    rel[m] = '\0';
    size_t shortest = glob_match_prefix(glob, rel), deepest = glob_match_deepest(glob, rel, 0);
    size_t bounded = glob_match_deepest(glob, rel, 3);
    if (shortest > deepest || (shortest == 0) != (deepest == 0) || bounded > deepest)
        abort();
    if (glob_is_unbounded(glob) && (bounded > 3 || (shortest && shortest <= 3 && !bounded)))
        abort();
    if (glob_check(glob) && !glob_problem(glob, &column))
        abort();
    if (deepest && rel[0] != '/') {
        cut(rel, deepest);
        if (glob_match_deepest(glob, rel, 0) != deepest)
            abort();
    }
    return 0;
}
