/*
 * The set of rules: adding, the index, matching. See rules.h; what a file says is rules_read.c.
 *
 * A hundred thousand rules are looked through by the first word alone, so a decision costs what the
 * rules for one program cost. Strings that are alike are kept once.
 */
#include "rules/rules_set.h"

#include <errno.h>
#include <regex.h>

struct rules *rules_new(struct arena *a)
{
    struct rules *rules = arena_zalloc(a, 1, sizeof(*rules));
    if (rules)
        rules->a = a;
    return rules;
}

void rules_free(struct rules *rules)
{
    if (!rules)
        return;
    vec_foreach (re, &rules->regexes) {
        regfree(*re);
        mem_free(*re);
    }
    vec_release(&rules->regexes);
    vec_release(&rules->chunks);
    vec_release(&rules->executables);
    vec_release(&rules->network);
    mem_free(rules->strings);
    mem_free(rules->entries);
    mem_free(rules->slots);
    mem_free(rules->by_regex);
    rules->strings = NULL;
    rules->entries = NULL;
    rules->slots = NULL;
    rules->by_regex = NULL;
    rules->n = rules->n_slots = rules->n_by_regex = rules->n_strings = rules->cap_strings = 0;
}

/* ---- strings ---- */

/* FNV-1a, finished so that the low bits depend on all. */
uint64_t rules_hash(const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    return h ^ h >> 32;
}

static int grow_strings(struct rules *rules)
{
    size_t cap = rules->cap_strings ? rules->cap_strings * 2 : 256;
    const char **table = mem_zalloc(cap, sizeof(*table));
    if (!table)
        return -ENOMEM;
    for (size_t i = 0; i < rules->cap_strings; i++) {
        const char *s = rules->strings[i];
        size_t at = s ? rules_hash(s, strlen(s)) & (cap - 1) : 0;
        while (s && table[at])
            at = (at + 1) & (cap - 1);
        if (s)
            table[at] = s;
    }
    mem_free(rules->strings);
    rules->strings = table;
    rules->cap_strings = cap;
    return 0;
}

const char *rules_intern(struct rules *rules, const char *p, size_t n)
{
    if (rules->n_strings * 2 >= rules->cap_strings && grow_strings(rules) < 0)
        return NULL;
    size_t at = rules_hash(p, n) & (rules->cap_strings - 1);
    for (const char *s; (s = rules->strings[at]); at = (at + 1) & (rules->cap_strings - 1))
        if (strncmp(s, p, n) == 0 && s[n] == '\0')
            return s;
    rules->strings[at] = arena_strndup(rules->a, p, n);
    rules->n_strings += rules->strings[at] != NULL;
    return rules->strings[at];
}

/* ---- regular expressions ---- */

/* What could make a match take for ever, or means another thing in another libc. */
static const char *regex_problem(const char *text)
{
    unsigned long count = 0;
    bool in_braces = false;
    if (strlen(text) > MAX_REGEX_BYTES)
        return "it is longer than 256 bytes";
    for (const char *p = text; *p; p++) {
        if (*p == '\\') {
            if (p[1] >= '0' && p[1] <= '9')
                return "back-references are not supported";
            p += p[1] != '\0';
        } else if (*p == '{') {
            in_braces = true;
            count = 0;
        } else if (*p == '}') {
            in_braces = false;
        } else if (in_braces && *p >= '0' && *p <= '9') {
            count = count * 10 + (unsigned long)(*p - '0');
            if (count > 100)
                return "a repetition of more than 100";
        } else if (in_braces && *p == ',') {
            count = 0;
        }
    }
    return NULL;
}

const void *rules_compile(struct rules *rules, const char *text, const char **ret_why)
{
    char whole[MAX_REGEX_BYTES + 8];
    static char why[128];
    *ret_why = regex_problem(text);
    if (*ret_why)
        return NULL;
    regex_t *re = mem_zalloc(1, sizeof(*re));
    void **slot = re ? vec_push(&rules->regexes) : NULL;
    if (!slot) {
        mem_free(re);
        return NULL;
    }
    (void)snprintf(whole, sizeof(whole), "^(%s)$", text);
    int r = regcomp(re, whole, REG_EXTENDED | REG_NOSUB);
    if (r) {
        (void)regerror(r, re, why, sizeof(why));
        *ret_why = why;
        rules->regexes.n--;
        mem_free(re);
        return NULL;
    }
    *slot = re;
    return re;
}

/* ---- adding ---- */

int rules_add_rule(struct rules *rules, const struct rule *rule)
{
    if (rule->n_tokens == 0 || rules->n >= UINT32_MAX / 2)
        return -EINVAL;
    if (rules->n == rules->chunks.n * RULES_A_CHUNK) {
        struct rule *chunk = arena_zalloc(rules->a, RULES_A_CHUNK, sizeof(*chunk));
        struct rule **slot = chunk ? vec_push(&rules->chunks) : NULL;
        if (!slot)
            return -ENOMEM;
        *slot = chunk;
    }
    rules->chunks.v[rules->n / RULES_A_CHUNK][rules->n % RULES_A_CHUNK] = *rule;
    rules->n++;
    return 0;
}

size_t rules_count(const struct rules *rules)
{
    return rules->n;
}

const struct rule *rules_at(const struct rules *rules, size_t i)
{
    return &rules->chunks.v[i / RULES_A_CHUNK][i % RULES_A_CHUNK];
}

const struct host_executable *rules_host_executable(const struct rules *rules, const char *name)
{
    for (size_t i = rules->executables.n; i-- > 0;)
        if (str_eq(rules->executables.v[i].name, name))
            return &rules->executables.v[i];
    return NULL;
}

size_t rules_network_count(const struct rules *rules)
{
    return rules->network.n;
}

const struct network_rule *rules_network_at(const struct rules *rules, size_t i)
{
    return &rules->network.v[i];
}

/* ---- the index ---- */

static struct index_slot *slot_of(const struct rules *rules, const char *word)
{
    size_t at = rules_hash(word, strlen(word)) & (rules->n_slots - 1);
    while (rules->slots[at].word && !str_eq(rules->slots[at].word, word))
        at = (at + 1) & (rules->n_slots - 1);
    return &rules->slots[at];
}

int rules_finish(struct rules *rules)
{
    size_t words = 0, regexes = 0;
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule_token *first = &rules_at(rules, i)->tokens[0];
        words += first->regex ? 0 : first->n;
        regexes += first->regex;
    }
    for (rules->n_slots = 16; rules->n_slots < words * 2;)
        rules->n_slots *= 2;
    rules->slots = mem_zalloc(rules->n_slots, sizeof(*rules->slots));
    rules->entries = mem_zalloc(words + 1, sizeof(*rules->entries));
    rules->by_regex = mem_zalloc(regexes + 1, sizeof(*rules->by_regex));
    if (!rules->slots || !rules->entries || !rules->by_regex)
        return -ENOMEM;
    uint32_t n = 0;
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule_token *first = &rules_at(rules, i)->tokens[0];
        if (first->regex) {
            rules->by_regex[rules->n_by_regex++] = (uint32_t)i;
            continue;
        }
        for (uint32_t w = 0; w < first->n; w++) {
            struct index_slot *slot = slot_of(rules, first->words[w]);
            rules->entries[n] = (struct index_entry){.rule = (uint32_t)i, .next = NO_ENTRY};
            if (!slot->word) {
                slot->word = first->words[w];
                slot->first = n;
            } else {
                rules->entries[slot->last].next = n;
            }
            slot->last = n++;
        }
    }
    mem_free(rules->strings);
    rules->strings = NULL;
    rules->n_strings = rules->cap_strings = 0;
    return 0;
}

/* ---- matching ---- */

enum meets { MEETS_NOT, MEETS, MEETS_MAYBE };

/* A word that is too long to be held against a regex, or for which that fails, may meet it. */
static enum meets token_meets(const struct rule_token *token, const char *word)
{
    if (token->regex) {
        int r = strlen(word) <= MAX_WORD_BYTES ? regexec(token->compiled, word, 0, NULL, 0)
                                               : REG_ESPACE;
        return r == 0 ? MEETS : r == REG_NOMATCH ? MEETS_NOT : MEETS_MAYBE;
    }
    for (uint32_t i = 0; i < token->n; i++)
        if (str_eq(token->words[i], word))
            return MEETS;
    return MEETS_NOT;
}

/* From the second token on. A word that is not known could be anything, several words or none: it
 * is where looking ends. */
static bool rest_matches(const struct rule *rule, const struct command_word *words, size_t n,
                         bool maybe, struct rule_match *ret)
{
    for (uint32_t i = 1; i < rule->n_tokens; i++) {
        if (i >= n)
            return false;
        if (!words[i].known) {
            *ret = (struct rule_match){.rule = rule, .length = i, .maybe = true};
            return true;
        }
        enum meets meets = token_meets(&rule->tokens[i], words[i].text);
        if (meets == MEETS_NOT)
            return false;
        maybe |= meets == MEETS_MAYBE;
    }
    *ret = (struct rule_match){.rule = rule, .length = rule->n_tokens, .maybe = maybe};
    return true;
}

static bool in_scope(const struct rule *rule, const char *cwd)
{
    size_t n;
    if (!rule->project || !rule->dir)
        return true;
    n = strlen(rule->dir);
    return cwd && strncmp(cwd, rule->dir, n) == 0 &&
           (cwd[n] == '\0' || cwd[n] == '/' || rule->dir[n - 1] == '/');
}

size_t rules_match(const struct rules *rules, const char *program, const struct command_word *words,
                   size_t n, const char *cwd, struct rule_match *ret, size_t cap)
{
    size_t found = 0;
    struct rule_match match;
    const struct index_slot *slot = rules->n_slots ? slot_of(rules, program) : NULL;
    for (uint32_t e = slot && slot->word ? slot->first : NO_ENTRY; e != NO_ENTRY;
         e = rules->entries[e].next) {
        const struct rule *rule = rules_at(rules, rules->entries[e].rule);
        if (in_scope(rule, cwd) && rest_matches(rule, words, n, false, &match) && found++ < cap)
            ret[found - 1] = match;
    }
    for (size_t i = 0; i < rules->n_by_regex; i++) {
        const struct rule *rule = rules_at(rules, rules->by_regex[i]);
        enum meets meets = token_meets(&rule->tokens[0], program);
        if (meets != MEETS_NOT && in_scope(rule, cwd) &&
            rest_matches(rule, words, n, meets == MEETS_MAYBE, &match) && found++ < cap)
            ret[found - 1] = match;
    }
    return found;
}
