/*
 * What a rules file says: prefix_rule(), network_rule(), host_executable() and re() as functions of
 * the language (star.h), checked, copied into the set. See rules.h.
 *
 * Nothing of the evaluation outlives it, so every string is copied, those of a pattern in one piece
 * with it: a hundred thousand rules are held in memory. A file is taken as a whole or not at all.
 */
#include "rules/rules_set.h"

#include "rules/star.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The arguments that any of the functions has. */
enum argument {
    A_PATTERN,
    A_DECISION,
    A_JUSTIFICATION,
    A_MATCH,
    A_NOT_MATCH,
    A_SANDBOX,
    A_PERMISSIONS,
    A_SCOPE,
    A_HOST,
    A_PROTOCOL,
    A_PORT,
    A_NAME,
    A_PATHS,
    A_TEXT,
    A_MOST,
};

static const char *const argument_names[A_MOST] = {
    "pattern", "decision", "justification", "match", "not_match", "sandbox", "permissions",
    "scope",   "host",     "protocol",      "port",  "name",      "paths",   "text"};

#define SEEN_MOST 8u

struct reading_file {
    struct rules *rules;
    const struct rules_source *source;
    const char *file; /* the set's own copy */
    const char *dir;
    const struct star_value *given[A_MOST]; /* of the call */
    /* Which argument the I-th name of a call was, the last time: a call is mostly like the one
     * before, and a name is one pointer in one evaluation. */
    struct {
        const char *name;
        enum argument argument;
    } seen[SEEN_MOST];
};

static const char regex_kind[] = "re";

/* ---- arguments ---- */

static int no_memory(struct error *err)
{
    return error_errno(err, -ENOMEM, "cannot read the rules");
}

/* None stands for an argument that is not given. */
static const struct star_value *argument(const struct star_call *call, enum argument which)
{
    const struct reading_file *f = call->data;
    return f->given[which];
}

static int no_such_argument(const struct star_call *call, const char *name, unsigned mask,
                            struct error *err)
{
    const char *names[A_MOST];
    size_t n = 0;
    for (size_t i = 0; i < A_MOST; i++)
        if (mask & 1u << i)
            names[n++] = argument_names[i];
    int r = star_fail(call, name, 0, err, "%s has no argument %s", call->function, show(name));
    const char *near = nearest_word(name, names, n);
    if (near)
        error_hint(err, "did you mean %s?", near);
    return r;
}

static enum argument argument_of(struct reading_file *f, const char *name, size_t i)
{
    size_t k = 0;
    if (i < SEEN_MOST && f->seen[i].name == name)
        return f->seen[i].argument;
    while (k < A_MOST && !str_eq(argument_names[k], name))
        k++;
    if (i < SEEN_MOST) {
        f->seen[i].name = name;
        f->seen[i].argument = (enum argument)k;
    }
    return (enum argument)k;
}

/* Sorts what is given. MASK: a bit for each argument that the function has; the only one without a
 * name may be FIRST (A_MOST: none). */
static int take_arguments(const struct star_call *call, unsigned mask, enum argument first,
                          struct error *err)
{
    struct reading_file *f = call->data;
    const size_t positional = first < A_MOST;
    for (size_t i = 0; i < A_MOST; i++)
        f->given[i] = NULL;
    for (size_t i = 0; i < call->n_named; i++) {
        enum argument a = argument_of(f, call->names[i], i);
        if (a == A_MOST || !(mask & 1u << a))
            return no_such_argument(call, call->names[i], mask, err);
        if (star_type(call->named[i]) != STAR_NONE)
            f->given[a] = call->named[i];
    }
    if (call->n_args > positional)
        return star_fail(call, NULL, positional, err,
                         "%s takes %zu arguments without a name, not %zu", call->function,
                         positional, call->n_args);
    if (call->n_args && f->given[first])
        return star_fail(call, NULL, 0, err, "%s: %s is given twice", call->function,
                         argument_names[first]);
    if (call->n_args)
        f->given[first] = call->args[0];
    return 0;
}

/* As memchr(), which has a start to it. */
static bool has_nul(struct bytes text)
{
    uint64_t eight;
    size_t i = 0;
    for (; text.n - i >= sizeof(eight); i += sizeof(eight)) {
        memcpy(&eight, text.p + i, sizeof(eight));
        if ((eight - 0x0101010101010101u) & ~eight & 0x8080808080808080u)
            return true;
    }
    for (; i < text.n; i++)
        if (text.p[i] == '\0')
            return true;
    return false;
}

/* A string without NUL, still the evaluation's. Without a text where there is no such argument. */
static int view_argument(const struct star_call *call, enum argument which, struct bytes *ret,
                         struct error *err)
{
    const char *name = argument_names[which];
    const struct star_value *v = argument(call, which);
    *ret = (struct bytes){NULL, 0};
    if (!v)
        return 0;
    if (star_type(v) != STAR_STRING)
        return star_fail(call, name, 0, err, "%s: %s is a string, not %s", call->function, name,
                         star_type_word(v));
    struct bytes text = star_text(v);
    if (has_nul(text))
        return star_fail(call, name, 0, err, "%s: %s holds a NUL byte", call->function, name);
    *ret = text;
    return 0;
}

/* The same, copied. *ret stays as it is where there is no such argument. */
static int text_argument(const struct star_call *call, enum argument which, const char **ret,
                         struct error *err)
{
    const struct reading_file *f = call->data;
    struct bytes text;
    int r = view_argument(call, which, &text, err);
    if (r < 0 || !text.p)
        return r;
    *ret = rules_copy(f->rules, text);
    return *ret ? 0 : no_memory(err);
}

static bool is_blank(const char *s)
{
    return (unsigned char)*s <= ' ' && s[strspn(s, " \t\r\n")] == '\0';
}

static int decision_argument(const struct star_call *call, bool network, enum decision *ret,
                             struct error *err)
{
    static const char *const words[] = {"allow", "prompt", "forbidden", "deny", NULL};
    struct bytes given;
    int r = view_argument(call, A_DECISION, &given, err);
    if (r < 0 || !given.p)
        return r;
    for (size_t i = 0; words[i] && (network || i < 3); i++) {
        if (bytes_is(given, words[i])) {
            *ret = i == 3 ? DECISION_FORBIDDEN : DECISION_ALLOW + (enum decision)i;
            return 0;
        }
    }
    r = star_fail(call, "decision", 0, err,
                  "%s: \"%s\" is no decision; expected allow, prompt or forbidden", call->function,
                  show_n(given.p, given.n));
    const char *word = rules_copy(((const struct reading_file *)call->data)->rules, given);
    const char *near = word ? nearest_word(word, words, 3) : NULL;
    if (near)
        error_hint(err, "did you mean %s?", near);
    return r;
}

/* ---- patterns ---- */

static bool is_list(const struct star_value *v)
{
    return star_type(v) == STAR_LIST || star_type(v) == STAR_TUPLE;
}

/* One word of a pattern. Adds to BYTES what its copy takes. */
static int check_word(const struct star_call *call, const struct star_value *v, size_t *bytes,
                      struct error *err)
{
    if (star_type(v) != STAR_STRING)
        return star_fail(call, "pattern", 0, err,
                         "prefix_rule: an element of pattern is a string, a list of strings or "
                         "re(\"…\"), not %s",
                         star_type_word(v));
    struct bytes text = star_text(v);
    if (text.n == 0)
        return star_fail(call, "pattern", 0, err, "prefix_rule: an element of pattern is empty");
    if (has_nul(text))
        return star_fail(call, "pattern", 0, err, "prefix_rule: a NUL byte in pattern");
    *bytes += text.n + 1;
    return 0;
}

/* One element: a word, several, or re("…"). */
static int check_element(const struct star_call *call, const struct star_value *v, size_t *words,
                         size_t *bytes, struct error *err)
{
    if (star_opaque_get(v, regex_kind))
        return 0;
    if (!is_list(v)) {
        ++*words;
        return check_word(call, v, bytes, err);
    }
    size_t n = star_length(v);
    if (n == 0)
        return star_fail(call, "pattern", 0, err, "prefix_rule: a list of alternatives is empty");
    if (n > UINT32_MAX)
        return star_fail(call, "pattern", 0, err, "prefix_rule: too many alternatives");
    *words += n;
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = check_word(call, star_item(v, i), bytes, err);
    return r;
}

/* memcpy() of a few bytes, of which there are many: a libc's own has a start to it. */
static void copy_short(char *to, struct bytes from)
{
    const size_t n = from.n;
    uint64_t eight;
    uint32_t four, last;
    if (n >= sizeof(eight)) {
        for (size_t i = 0; i + sizeof(eight) < n; i += sizeof(eight)) {
            memcpy(&eight, from.p + i, sizeof(eight));
            memcpy(to + i, &eight, sizeof(eight));
        }
        memcpy(&eight, from.p + n - sizeof(eight), sizeof(eight));
        memcpy(to + n - sizeof(eight), &eight, sizeof(eight));
    } else if (n >= sizeof(four)) {
        memcpy(&four, from.p, sizeof(four));
        memcpy(&last, from.p + n - sizeof(last), sizeof(last));
        memcpy(to, &four, sizeof(four));
        memcpy(to + n - sizeof(last), &last, sizeof(last));
    } else if (n > 0) {
        to[0] = from.p[0];
        to[n / 2] = from.p[n / 2];
        to[n - 1] = from.p[n - 1];
    }
}

static void copy_word(const struct star_value *v, const char ***words, char **to)
{
    struct bytes text = star_text(v);
    copy_short(*to, text);
    (*to)[text.n] = '\0';
    *(*words)++ = *to;
    *to += text.n + 1;
}

static void copy_element(const struct star_value *v, struct rule_token *ret, const char ***words,
                         char **to)
{
    static const char *const regex_word[] = {"re"};
    const void *compiled = star_opaque_get(v, regex_kind);
    if (compiled) {
        *ret =
            (struct rule_token){.words = regex_word, .n = 1, .regex = true, .compiled = compiled};
        return;
    }
    size_t n = is_list(v) ? star_length(v) : 1;
    *ret = (struct rule_token){.words = *words, .n = (uint32_t)n};
    if (!is_list(v))
        copy_word(v, words, to);
    else
        for (size_t i = 0; i < n; i++)
            copy_word(star_item(v, i), words, to);
}

/* Tokens, the pointers to their words and the words are one piece of memory. */
static int set_pattern(const struct star_call *call, struct rule *rule, struct error *err)
{
    const struct reading_file *f = call->data;
    const struct star_value *v = argument(call, A_PATTERN);
    size_t words = 0, bytes = 0;
    if (!v)
        return star_fail(call, NULL, SIZE_MAX, err, "prefix_rule: pattern is missing");
    if (!is_list(v))
        return star_fail(call, "pattern", 0, err, "prefix_rule: pattern is a list, not %s",
                         star_type_word(v));
    size_t n = star_length(v);
    if (n == 0)
        return star_fail(call, "pattern", 0, err, "prefix_rule: pattern is empty");
    if (n > UINT32_MAX)
        return star_fail(call, "pattern", 0, err, "prefix_rule: pattern is too long");
    for (size_t i = 0; i < n; i++) {
        int r = check_element(call, star_item(v, i), &words, &bytes, err);
        if (r < 0)
            return r;
    }
    struct rule_token *tokens =
        arena_alloc(f->rules->a, n * sizeof(*tokens) + words * sizeof(char *) + bytes);
    if (!tokens)
        return no_memory(err);
    const char **next_word = (const char **)(tokens + n);
    char *next_byte = (char *)(next_word + words);
    for (size_t i = 0; i < n; i++)
        copy_element(star_item(v, i), &tokens[i], &next_word, &next_byte);
    rule->tokens = tokens;
    rule->n_tokens = (uint32_t)n;
    return 0;
}

/* ---- examples ---- */

/* The words of one example: a string that a shell would split, or a list. */
static int example_words(const struct star_call *call, const char *name, struct arena *a,
                         const struct star_value *v, struct command_word **ret, size_t *ret_n,
                         struct error *err)
{
    const char **argv = NULL;
    size_t n = 0;
    if (star_type(v) == STAR_STRING) {
        struct error why = {0};
        if (command_split(a, star_text(v), &argv, &n, &why) < 0)
            return star_fail(call, name, 0, err, "prefix_rule: %s: %s: %s", name,
                             show_n(star_text(v).p, star_text(v).n), why.message);
    } else if (star_type(v) == STAR_LIST || star_type(v) == STAR_TUPLE) {
        n = star_length(v);
        argv = arena_zalloc(a, n + 1, sizeof(*argv));
        for (size_t i = 0; argv && i < n; i++) {
            const struct star_value *w = star_item(v, i);
            if (star_type(w) != STAR_STRING)
                return star_fail(call, name, 0, err, "prefix_rule: %s: a word is a string, not %s",
                                 name, star_type_word(w));
            argv[i] = arena_strndup(a, star_text(w).p, star_text(w).n);
            if (!argv[i])
                return no_memory(err);
        }
    } else {
        return star_fail(call, name, 0, err,
                         "prefix_rule: an example of %s is a string or a list of strings, not %s",
                         name, star_type_word(v));
    }
    if (n == 0)
        return star_fail(call, name, 0, err, "prefix_rule: an example of %s is empty", name);
    *ret = argv ? arena_zalloc(a, n, sizeof(**ret)) : NULL;
    if (!*ret)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        (*ret)[i] = (struct command_word){.text = argv[i], .known = true};
    *ret_n = n;
    return 0;
}

/* Does RULE alone match WORDS? */
static int matches_alone(const struct rule *rule, const struct command_word *words, size_t n,
                         bool *ret)
{
    _cleanup_arena_ struct arena a = {0};
    struct rules *one = rules_new(&a);
    struct rule copy = *rule;
    struct rule_match match;
    copy.project = false;
    int r = one ? rules_add_rule(one, &copy) : -ENOMEM;
    if (r == 0)
        r = rules_finish(one);
    if (r == 0)
        *ret = rules_match(one, words[0].text, words, n, NULL, &match, 1) > 0;
    rules_free(one);
    return r;
}

static int check_examples(const struct star_call *call, const struct rule *rule,
                          enum argument which, bool want, struct error *err)
{
    _cleanup_arena_ struct arena a = {0};
    const char *name = argument_names[which];
    const struct star_value *v = argument(call, which);
    if (!v)
        return 0;
    if (star_type(v) != STAR_LIST && star_type(v) != STAR_TUPLE)
        return star_fail(call, name, 0, err, "prefix_rule: %s is a list of examples, not %s", name,
                         star_type_word(v));
    for (size_t i = 0; i < star_length(v); i++) {
        struct command_word *words;
        size_t n;
        bool does = !want;
        int r = example_words(call, name, &a, star_item(v, i), &words, &n, err);
        if (r < 0)
            return r;
        if (matches_alone(rule, words, n, &does) < 0)
            return no_memory(err);
        if (does == want)
            continue;
        const char **argv = arena_zalloc(&a, n, sizeof(*argv));
        for (size_t k = 0; argv && k < n; k++)
            argv[k] = words[k].text;
        const char *text = argv ? command_text(&a, argv, n) : NULL;
        if (!text)
            return no_memory(err);
        return star_fail(call, name, 0, err, "prefix_rule: the example %s %s", show(text),
                         want ? "does not match" : "matches, and should not");
    }
    return 0;
}

/* ---- the functions ---- */

static int bool_argument(const struct star_call *call, enum argument which, bool *ret,
                         struct error *err)
{
    const struct star_value *v = argument(call, which);
    if (v && star_type(v) != STAR_BOOL)
        return star_fail(call, argument_names[which], 0, err, "%s: %s is True or False, not %s",
                         call->function, argument_names[which], star_type_word(v));
    *ret = v && star_bool(v);
    return 0;
}

static int set_more(const struct star_call *call, struct rule *rule, struct error *err)
{
    const char *scope = NULL;
    int r = text_argument(call, A_JUSTIFICATION, &rule->justification, err);
    if (r == 0)
        r = text_argument(call, A_PERMISSIONS, &rule->permissions, err);
    if (r == 0)
        r = text_argument(call, A_SCOPE, &scope, err);
    if (r == 0)
        r = bool_argument(call, A_SANDBOX, &rule->sandbox, err);
    if (r < 0)
        return r;
    if (rule->justification && is_blank(rule->justification))
        return star_fail(call, "justification", 0, err, "prefix_rule: justification is blank");
    if (rule->permissions && is_blank(rule->permissions))
        return star_fail(call, "permissions", 0, err, "prefix_rule: permissions is blank");
    if (rule->sandbox && rule->decision != DECISION_ALLOW)
        return star_fail(call, "sandbox", 0, err,
                         "prefix_rule: sandbox says where an allow runs; this is no allow");
    if (rule->permissions && rule->decision != DECISION_ALLOW)
        return star_fail(call, "permissions", 0, err,
                         "prefix_rule: permissions says how an allow runs; this is no allow");
    if (scope && !str_eq(scope, "project"))
        return star_fail(call, "scope", 0, err, "prefix_rule: scope is \"project\", not \"%s\"",
                         show(scope));
    rule->project = scope != NULL;
    return 0;
}

static int prefix_rule(struct star_call *call, struct error *err)
{
    const unsigned mask = 1u << A_PATTERN | 1u << A_DECISION | 1u << A_JUSTIFICATION |
                          1u << A_MATCH | 1u << A_NOT_MATCH | 1u << A_SANDBOX |
                          1u << A_PERMISSIONS | 1u << A_SCOPE;
    struct reading_file *f = call->data;
    struct rule rule = {.decision = DECISION_ALLOW,
                        .file = f->file,
                        .line = call->line,
                        .rank = f->source->rank,
                        .dir = f->dir};
    int r = take_arguments(call, mask, A_PATTERN, err);
    if (r == 0)
        r = set_pattern(call, &rule, err);
    if (r == 0)
        r = decision_argument(call, false, &rule.decision, err);
    if (r == 0)
        r = set_more(call, &rule, err);
    if (r == 0)
        r = check_examples(call, &rule, A_MATCH, true, err);
    if (r == 0)
        r = check_examples(call, &rule, A_NOT_MATCH, false, err);
    if (r == 0 && rules_add_rule(f->rules, &rule) < 0)
        r = no_memory(err);
    return r;
}

static int network_rule(struct star_call *call, struct error *err)
{
    const unsigned mask =
        1u << A_HOST | 1u << A_PROTOCOL | 1u << A_DECISION | 1u << A_PORT | 1u << A_JUSTIFICATION;
    static const char *const protocols[] = {"http", "https", "socks5_tcp", "socks5_udp", "tcp"};
    struct reading_file *f = call->data;
    struct network_rule rule = {
        .file = f->file, .line = call->line, .rank = f->source->rank, .decision = DECISION_ALLOW};
    const struct star_value *port;
    int64_t number = 0;
    bool known = false;
    int r = take_arguments(call, mask, A_MOST, err);
    if (r == 0)
        r = text_argument(call, A_HOST, &rule.host, err);
    if (r == 0)
        r = text_argument(call, A_PROTOCOL, &rule.protocol, err);
    if (r == 0)
        r = text_argument(call, A_JUSTIFICATION, &rule.justification, err);
    if (r == 0)
        r = decision_argument(call, true, &rule.decision, err);
    if (r < 0)
        return r;
    port = argument(call, A_PORT);
    if (!rule.host || is_blank(rule.host))
        return star_fail(call, "host", 0, err, "network_rule: host is missing");
    for (size_t i = 0; rule.protocol && i < ARRAY_LEN(protocols); i++)
        known = known || str_eq(protocols[i], rule.protocol);
    if (!known)
        return star_fail(call, "protocol", 0, err,
                         "network_rule: protocol is http, https, socks5_tcp, socks5_udp or tcp");
    if (rule.justification && is_blank(rule.justification))
        return star_fail(call, "justification", 0, err, "network_rule: justification is blank");
    if (port &&
        (star_type(port) != STAR_INT || !star_int(port, &number) || number < 1 || number > 65535))
        return star_fail(call, "port", 0, err, "network_rule: port is a number from 1 to 65535");
    rule.port = (uint16_t)number;
    struct network_rule *slot = vec_push(&f->rules->network);
    if (!slot)
        return no_memory(err);
    *slot = rule;
    return 0;
}

static int executable_paths(const struct star_call *call, struct host_executable *h,
                            struct error *err)
{
    const struct reading_file *f = call->data;
    const struct star_value *v = argument(call, A_PATHS);
    if (!v)
        return 0;
    if (star_type(v) != STAR_LIST && star_type(v) != STAR_TUPLE)
        return star_fail(call, "paths", 0, err, "host_executable: paths is a list, not %s",
                         star_type_word(v));
    size_t n = star_length(v);
    const char **paths = arena_zalloc(f->rules->a, n + 1, sizeof(*paths));
    if (!paths)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct star_value *p = star_item(v, i);
        if (star_type(p) != STAR_STRING)
            return star_fail(call, "paths", 0, err, "host_executable: a path is a string, not %s",
                             star_type_word(p));
        struct bytes text = star_text(p);
        if (text.n == 0 || text.p[0] != '/' || memchr(text.p, '\0', text.n))
            return star_fail(call, "paths", 0, err, "host_executable: %s is no absolute path",
                             show_n(text.p, text.n));
        paths[i] = rules_copy(f->rules, text);
        if (!paths[i])
            return no_memory(err);
        const char *slash = strrchr(paths[i], '/');
        if (!str_eq(slash + 1, h->name))
            return star_fail(call, "paths", 0, err, "host_executable: %s is no file called %s",
                             show(paths[i]), show(h->name));
    }
    h->paths = paths;
    h->n = n;
    return 0;
}

/* What was listed before stays the most that a project's file can list. */
static void keep_listed(const struct host_executable *before, struct host_executable *h)
{
    const char **paths = (const char **)(uintptr_t)h->paths;
    size_t n = 0;
    for (size_t i = 0; before && i < h->n; i++)
        for (size_t k = 0; k < before->n; k++)
            if (str_eq(paths[i], before->paths[k])) {
                paths[n++] = paths[i];
                break;
            }
    if (before)
        h->n = n;
}

static int host_executable(struct star_call *call, struct error *err)
{
    const unsigned mask = 1u << A_NAME | 1u << A_PATHS;
    struct reading_file *f = call->data;
    struct host_executable h = {0};
    int r = take_arguments(call, mask, A_MOST, err);
    if (r == 0)
        r = text_argument(call, A_NAME, &h.name, err);
    if (r < 0)
        return r;
    if (!h.name || !*h.name || strchr(h.name, '/'))
        return star_fail(call, "name", 0, err, "host_executable: name is a program's base name");
    r = executable_paths(call, &h, err);
    if (r < 0)
        return r;
    if (f->source->rank == RULES_PROJECT)
        keep_listed(rules_host_executable(f->rules, h.name), &h);
    struct host_executable *slot = vec_push(&f->rules->executables);
    if (!slot)
        return no_memory(err);
    *slot = h;
    return 0;
}

static int regex(struct star_call *call, struct error *err)
{
    struct reading_file *f = call->data;
    const char *text = NULL, *why = NULL;
    if (call->n_args != 1 || call->n_named != 0)
        return star_fail(call, NULL, SIZE_MAX, err, "re takes one string");
    int r = take_arguments(call, 0, A_TEXT, err);
    if (r == 0)
        r = text_argument(call, A_TEXT, &text, err);
    if (r < 0)
        return r;
    const void *compiled = text ? rules_compile(f->rules, text, &why) : NULL;
    if (!compiled && why)
        return star_fail(call, NULL, 0, err, "re: %s", why);
    call->result = compiled ? star_opaque(call->star, regex_kind, compiled) : NULL;
    return call->result ? 0 : no_memory(err);
}

/* ---- the file ---- */

static void say_nothing(void *data, struct bytes line)
{
    (void)data;
    (void)line;
}

int rules_add(struct rules *rules, const struct rules_source *source, struct error *err)
{
    static const struct star_function functions[] = {{"prefix_rule", prefix_rule},
                                                     {"network_rule", network_rule},
                                                     {"host_executable", host_executable},
                                                     {"re", regex}};
    struct reading_file f = {.rules = rules,
                             .source = source,
                             .file = rules_copy(rules, bytes_of(source->file)),
                             .dir = source->dir ? rules_copy(rules, bytes_of(source->dir)) : NULL};
    const struct star_request request = {.file = source->file,
                                         .text = source->text,
                                         .functions = functions,
                                         .n_functions = ARRAY_LEN(functions),
                                         .data = &f,
                                         .print = say_nothing};
    const size_t n = rules->n, executables = rules->executables.n, network = rules->network.n;
    if (!f.file || (source->dir && !f.dir))
        return no_memory(err);
    int r = star_run(&request, err);
    if (r < 0) {
        rules->n = n;
        rules->executables.n = executables;
        rules->network.n = network;
    }
    return r;
}
