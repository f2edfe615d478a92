/* Rules for requests, from a profile's tables. See requests.h. */
#include "network/requests.h"

#include "network/table.h"

#include <errno.h>

#define WHERE "network.requests"

static const char *const keys[] = {"host", "methods", "path", "decision"};
static const char *const decisions[] = {"allow", "deny"};

/* ---- the parts of one rule ---- */

static bool is_token(const char *s)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (; *s; s++)
        if (!((*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
              strchr(others, *s)))
            return false;
    return true;
}

/* Methods have a case, and none that is in use has small letters. */
static int check_method(const char *method, const struct toml_value *v, struct error *err)
{
    char upper[MAX_METHOD_BYTES + 1];
    size_t n = strlen(method);
    bool small = false;
    if (n > MAX_METHOD_BYTES || !is_token(method)) {
        (void)error_set(err, -EINVAL, "\"%s\" is no method", show(method));
        return table_fault(err, WHERE, v, v->span);
    }
    for (size_t i = 0; i <= n; i++) {
        bool is_small = method[i] >= 'a' && method[i] <= 'z';
        upper[i] = (char)(is_small ? method[i] - 'a' + 'A' : method[i]);
        small = small || is_small;
    }
    if (!small)
        return 0;
    (void)error_set(err, -EINVAL, "\"%s\" would match no request: methods have a case",
                    show(method));
    error_note(err, "did you mean \"%s\"?", upper);
    return table_fault(err, WHERE, v, v->span);
}

static int read_methods(struct arena *a, const struct toml_value *table, struct request_rule *rule,
                        struct error *err)
{
    const struct toml_value *v = toml_get(table, BYTES("methods"));
    int r = 0;
    if (!v)
        return 0;
    if (v->type != TOML_ARRAY || v->array.n == 0 || v->array.n > MAX_REQUEST_METHODS) {
        (void)error_set(err, -EINVAL, "expected an array of methods");
        error_hint(err, "without the key a rule is about every method");
        return table_fault(err, WHERE, v, v->span);
    }
    const char **methods = arena_zalloc(a, v->array.n, sizeof(*methods));
    if (!methods)
        return error_errno(err, -ENOMEM, WHERE);
    for (size_t i = 0; i < v->array.n && r == 0; i++) {
        r = table_item(v->array.items[i], WHERE, &methods[i], err);
        if (r == 0)
            r = check_method(methods[i], v->array.items[i], err);
    }
    rule->methods = methods;
    rule->n_methods = v->array.n;
    return r;
}

/* The glob must be one that a normalised path can match. */
static const char *check_glob(struct arena *a, const char *glob)
{
    size_t n = strlen(glob), got = 0;
    char *normal = arena_alloc(a, n + 1);
    if (n > MAX_REQUEST_GLOB)
        return "the path is too long";
    if (!normal)
        return "out of memory";
    if (strchr(glob, '?') == NULL) {
        const char *problem = request_path(bytes_of(glob), normal, n, &got);
        if (!problem && (got != n || memcmp(normal, glob, n) != 0))
            problem = "requests are matched with escapes of letters, digits and \"-._~\" decoded, "
                      "others in upper case";
        return problem;
    }
    return glob[0] == '/' ? NULL : "the path does not begin with a slash";
}

static int read_path(struct arena *a, const struct toml_value *table, struct request_rule *rule,
                     struct error *err)
{
    const struct toml_value *v;
    int r = table_text(table, WHERE, "path", false, &rule->path, &v, err);
    if (r < 0 || !rule->path)
        return r;
    if (str_eq(rule->path, "**")) {
        rule->path = NULL;
        return 0;
    }
    const char *problem = check_glob(a, rule->path);
    if (!problem)
        return 0;
    (void)error_set(err, -EINVAL, "\"%s\" would match no request: %s", show(rule->path), problem);
    return table_fault(err, WHERE, v, v->span);
}

static int read_decision(const struct toml_value *table, enum net_decision *ret, struct error *err)
{
    const struct toml_value *v;
    const char *word;
    int r = table_text(table, WHERE, "decision", true, &word, &v, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_LEN(decisions); i++)
        if (str_eq(word, decisions[i])) {
            *ret = i == 0 ? NET_ALLOW : NET_DENY;
            return 0;
        }
    const char *near = nearest_word(word, decisions, ARRAY_LEN(decisions));
    (void)error_set(err, -EINVAL, "\"%s\": expected \"allow\" or \"deny\"", show(word));
    if (near)
        error_note(err, "did you mean \"%s\"?", near);
    return table_fault(err, WHERE, v, v->span);
}

static int read_rule(struct arena *a, const struct toml_value *table, struct request_rule *rule,
                     struct netrule *at, struct error *err)
{
    int r = table_check(table, WHERE, keys, ARRAY_LEN(keys), err);
    if (r < 0)
        return r;
    *at = table_place(table, table->span);
    r = table_pattern(table, WHERE, "host", &at->pattern, &rule->host, err);
    if (r == 0)
        r = read_methods(a, table, rule, err);
    if (r == 0)
        r = read_path(a, table, rule, err);
    if (r == 0)
        r = read_decision(table, &at->decision, err);
    return r;
}

/* ---- all of them ---- */

/* The table of the nearest profile is the last. */
static const struct toml_value *list_of(const struct profile *p, size_t i)
{
    return toml_get(p->network_tables[p->n_network_tables - 1 - i], BYTES("requests"));
}

static int count(const struct profile *p, size_t *ret, struct error *err)
{
    *ret = 0;
    for (size_t i = 0; i < p->n_network_tables; i++) {
        const struct toml_value *list = list_of(p, i);
        if (list && list->type != TOML_ARRAY) {
            (void)error_set(err, -EINVAL, "expected an array of tables, found %s",
                            toml_type_name(list->type));
            return table_fault(err, WHERE, list, list->span);
        }
        *ret += list ? list->array.n : 0;
        if (*ret > MAX_REQUEST_RULES) {
            (void)error_set(err, -E2BIG, "more than %u rules", MAX_REQUEST_RULES);
            return table_fault(err, WHERE, list, list->span);
        }
    }
    return 0;
}

int requests_from_config(struct arena *a, const struct profile *profile, struct netrequests *ret,
                         struct error *err)
{
    size_t n, at = 0;
    int r = count(profile, &n, err);
    if (r < 0)
        return r;
    struct request_rule *rules = arena_zalloc(a, n + 1, sizeof(*rules));
    struct netrule *places = arena_zalloc(a, n + 1, sizeof(*places));
    if (!rules || !places)
        return error_errno(err, -ENOMEM, "cannot read the rules for requests");
    for (size_t i = 0; i < profile->n_network_tables; i++) {
        const struct toml_value *list = list_of(profile, i);
        for (size_t k = 0; list && k < list->array.n; k++, at++) {
            r = read_rule(a, list->array.items[k], &rules[at], &places[at], err);
            if (r < 0)
                return r;
            places[at].id = (uint32_t)at;
        }
    }
    *ret = (struct netrequests){rules, places, n};
    return 0;
}
