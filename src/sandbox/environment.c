/*
 * The command's environment. See environment.h.
 *
 * Names and values are bytes. An entry without '=' or without a name cannot be asked for by
 * getenv() and is what attacks on parsers look like: it is dropped. Nothing here depends on a
 * locale: letters are the 26 of ASCII.
 */
#include "sandbox/environment.h"

#include <errno.h>

/* What a shell and its tools need to know about the person and the terminal, and nothing else. */
static const char *const core_names[] = {
    "HOME", "LOGNAME", "PATH", "SHELL",    "USER", "USERNAME",  "TMPDIR", "TEMP",
    "TMP",  "LANG",    "LC_*", "LANGUAGE", "TERM", "COLORTERM", "TZ",
};

static const char *const secret_words[] = {"KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL"};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool environment_glob(const char *pattern, const char *name, size_t n)
{
    /* Greedy with one point to come back to: linear in practice, never exponential. */
    const char *star = NULL;
    size_t at = 0, star_at = 0;
    while (at < n) {
        if (*pattern == '*') {
            star = pattern++;
            star_at = at;
        } else if (*pattern && (*pattern == '?' || lower(*pattern) == lower(name[at]))) {
            pattern++;
            at++;
        } else if (star) {
            pattern = star + 1;
            at = ++star_at;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static bool has_word(struct bytes name, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= name.n; i++) {
        size_t k = 0;
        while (k < n && lower(name.p[i + k]) == lower(word[k]))
            k++;
        if (k == n)
            return true;
    }
    return false;
}

static bool any_glob(const char *const *patterns, size_t n, struct bytes name)
{
    for (size_t i = 0; i < n; i++)
        if (environment_glob(patterns[i], name.p, name.n))
            return true;
    return false;
}

static bool looks_secret(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_LEN(secret_words); i++)
        if (has_word(name, secret_words[i]))
            return true;
    return false;
}

static bool inherits(const struct config *c, struct bytes name)
{
    if (c->env_inherit == INHERIT_NONE)
        return false;
    if (c->env_inherit == INHERIT_CORE && !any_glob(core_names, ARRAY_LEN(core_names), name))
        return false;
    if (!c->env_ignore_default_excludes && looks_secret(name))
        return false;
    return !any_glob(c->env_exclude.v, c->env_exclude.n, name);
}

/* One list or several (a project's narrows the person's): a name has to pass each. */
static bool included(const struct config *c, struct bytes name)
{
    if (c->env_include_only.n && !any_glob(c->env_include_only.v, c->env_include_only.n, name))
        return false;
    for (size_t i = 0; i < c->n_env_narrow; i++)
        if (!any_glob(c->env_narrow[i].v, c->env_narrow[i].n, name))
            return false;
    return true;
}

static bool name_of(const char *entry, struct bytes *ret)
{
    const char *eq = strchr(entry, '=');
    if (!eq || eq == entry)
        return false;
    *ret = (struct bytes){entry, (size_t)(eq - entry)};
    return true;
}

/* Puts ENTRY in place of the first of its name, drops further ones of it, or appends. */
static void put(struct environment *e, const char *entry, struct bytes name)
{
    size_t out = 0;
    bool done = false;
    for (size_t i = 0; i < e->n_env; i++) {
        struct bytes have;
        if (name_of(e->env[i], &have) && bytes_eq(have, name)) {
            if (done)
                continue;
            e->env[out++] = entry;
            done = true;
        } else {
            e->env[out++] = e->env[i];
        }
    }
    if (!done)
        e->env[out++] = entry;
    e->n_env = out;
}

static bool holds(const struct environment *e, struct bytes name)
{
    for (size_t i = 0; i < e->n_env; i++) {
        struct bytes have;
        if (name_of(e->env[i], &have) && bytes_eq(have, name))
            return true;
    }
    return false;
}

/* Lists what was there before and is not any more. A value that was replaced is not "removed". */
static int list_removed(struct arena *a, const char *const *dropped, size_t n,
                        struct environment *e)
{
    for (size_t i = 0; i < n; i++) {
        struct bytes name;
        if (!name_of(dropped[i], &name) || holds(e, name))
            continue;
        bool again = false;
        for (size_t k = 0; k < e->n_removed && !again; k++)
            again = bytes_is(name, e->removed[k]);
        if (again)
            continue;
        char *copy = arena_strndup(a, name.p, name.n);
        if (!copy)
            return -ENOMEM;
        e->removed[e->n_removed++] = copy;
    }
    return 0;
}

int environment_build(struct arena *a, const struct config *config, const char *const *environ,
                      const char *const *added, size_t n_added, struct environment *ret,
                      struct error *err)
{
    size_t n = 0, n_dropped = 0;
    while (environ[n])
        n++;
    struct environment e = {0};
    const char **dropped = arena_zalloc(a, n + 1, sizeof(*dropped));
    e.env = arena_zalloc(a, n + config->env_set.n + n_added + 1, sizeof(*e.env));
    e.removed = arena_zalloc(a, n + 1, sizeof(*e.removed));
    if (!dropped || !e.env || !e.removed)
        return error_errno(err, -ENOMEM, "cannot put the environment together");

    struct bytes name;
    for (size_t i = 0; i < n; i++) {
        if (!name_of(environ[i], &name))
            continue;
        if (inherits(config, name) && included(config, name))
            e.env[e.n_env++] = environ[i];
        else
            dropped[n_dropped++] = environ[i];
    }
    for (size_t i = 0; i < config->env_set.n; i++)
        if (name_of(config->env_set.v[i], &name) && included(config, name))
            put(&e, config->env_set.v[i], name);
    for (size_t i = 0; i < n_added; i++)
        if (name_of(added[i], &name))
            put(&e, added[i], name);
    if (list_removed(a, dropped, n_dropped, &e) < 0)
        return error_errno(err, -ENOMEM, "cannot put the environment together");
    e.env[e.n_env] = NULL;
    *ret = e;
    return 0;
}
