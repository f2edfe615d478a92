/*
 * "GLOB\nTARGET": what must hold of a path that is not refused: it is normal (the same again), and
 * has nothing that another reader could take for another path; a glob answers as a plain search
 * with backtracking does. And ("\0…") the readers of settings, which write what they read.
 */
#include "intercept/settings.h"
#include "network/opened.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The definition of the glob. Exponential: for short texts. */
static bool plainly(const char *g, const char *p, const char *end)
{
    if (!*g)
        return p == end;
    if (g[0] == '*' && g[1] == '*') {
        for (; p <= end; p++)
            if (plainly(g + 2, p, end))
                return true;
        return false;
    }
    if (*g == '*') {
        for (;; p++) {
            if (plainly(g + 1, p, end))
                return true;
            if (p == end || *p == '/')
                return false;
        }
    }
    return p < end && (*g == *p || (*g == '?' && *p != '/')) && plainly(g + 1, p + 1, end);
}

static void check_path(const char *p, size_t n)
{
    char again[4096];
    size_t got = 0;
    if (n == 0 || request_path((struct bytes){p, n}, again, sizeof(again), &got) || got != n ||
        memcmp(again, p, n) != 0)
        abort();
    if (n == 1 && p[0] == '*')
        return;
    if (p[0] != '/' || memchr(p, '\\', n) || memchr(p, '?', n) || memmem(p, n, "//", 2) ||
        memmem(p, n, "/./", 3) || memmem(p, n, "/../", 4) || memmem(p, n, "%2F", 3) ||
        memmem(p, n, "%5C", 3) || memmem(p, n, "%00", 3) || memmem(p, n, "/..;", 4))
        abort();
}

static void paths(const char *text, size_t size)
{
    const char *line = memchr(text, '\n', size);
    char path[4096], glob[24];
    size_t n = 0, glob_n = line ? (size_t)(line - text) : 0;
    struct bytes target = {text + glob_n, size - glob_n};
    if (line) {
        target.p++;
        target.n--;
    }
    if (target.n > sizeof(path) || request_path(target, path, sizeof(path), &n) != NULL)
        return;
    check_path(path, n);
    if (glob_n >= sizeof(glob) || memchr(text, '\0', glob_n) || n > 40)
        return;
    memcpy(glob, text, glob_n);
    glob[glob_n] = '\0';
    size_t stars = 0;
    for (size_t i = 0; i < glob_n; i++)
        stars += glob[i] == '*';
    if (stars < 8 && request_glob(glob, (struct bytes){path, n}) != plainly(glob, path, path + n))
        abort();
}

static void settings(struct bytes text)
{
    struct arena a = {0};
    struct strbuf once = {0}, twice = {0};
    struct intercept_settings s, other;
    struct error err = {0};
    if (intercept_settings_read(&a, text, &s, &err) == 0) {
        if (intercept_settings_write(&s, &once) < 0 ||
            intercept_settings_read(&a, (struct bytes){once.p, once.n}, &other, &err) < 0 ||
            intercept_settings_write(&other, &twice) < 0 || once.n != twice.n ||
            memcmp(once.p, twice.p, once.n) != 0)
            abort();
    } else if (!err.message[0]) {
        abort();
    }
    struct netopened o;
    (void)opened_read(&a, &text, &o, &err);
    strbuf_release(&once);
    strbuf_release(&twice);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size && data[0] == 0)
        settings((struct bytes){(const char *)data + 1, size - 1});
    else if (size)
        paths((const char *)data, size);
    return 0;
}
