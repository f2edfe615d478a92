/*
 * The set of rules: adding, the index, matching. See rules.h; what a file says is rules_read.c.
 *
 * A hundred thousand rules are looked through by the first word alone, so a decision costs what the
 * rules for one program cost.
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
    mem_free(rules->entries);
    mem_free(rules->slots);
    mem_free(rules->by_regex);
    rules->entries = NULL;
    rules->slots = NULL;
    rules->by_regex = NULL;
    rules->n = rules->n_slots = rules->n_words = rules->n_by_regex = 0;
}

/* ---- strings ---- */

const char *rules_copy(struct rules *rules, struct bytes text)
{
    if (rules->last.p && bytes_eq(rules->last, text))
        return rules->last.p;
    char *copy = arena_strndup(rules->a, text.p, text.n);
    if (copy)
        rules->last = (struct bytes){copy, text.n};
    return copy;
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

/* FNV-1a, finished so that the low bits depend on all. */
static uint64_t hash_word(const char *p)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (; *p; p++)
        h = (h ^ (unsigned char)*p) * 0x100000001b3u;
    return h ^ h >> 32;
}

static struct index_slot *slot_of(const struct rules *rules, const char *word)
{
    size_t at = hash_word(word) & (rules->n_slots - 1);
    while (rules->slots[at].word && !str_eq(rules->slots[at].word, word))
        at = (at + 1) & (rules->n_slots - 1);
    return &rules->slots[at];
}

/* Room for one more word. There are far fewer words than rules, as a rule. */
static int grow_slots(struct rules *rules)
{
    const struct rules before = *rules;
    if (rules->n_slots && (rules->n_words + 1) * 2 <= rules->n_slots)
        return 0;
    size_t n = rules->n_slots ? rules->n_slots * 2 : 16;
    struct index_slot *slots = mem_zalloc(n, sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    rules->slots = slots;
    rules->n_slots = n;
    for (size_t i = 0; i < before.n_slots; i++)
        if (before.slots[i].word)
            *slot_of(rules, before.slots[i].word) = before.slots[i];
    mem_free(before.slots);
    return 0;
}

static int index_word(struct rules *rules, const char *word, uint32_t rule, uint32_t entry)
{
    if (grow_slots(rules) < 0)
        return -ENOMEM;
    struct index_slot *slot = slot_of(rules, word);
    rules->entries[entry] = (struct index_entry){.rule = rule, .next = NO_ENTRY};
    if (!slot->word) {
        slot->word = word;
        slot->first = entry;
        rules->n_words++;
    } else {
        rules->entries[slot->last].next = entry;
    }
    slot->last = entry;
    return 0;
}

int rules_finish(struct rules *rules)
{
    size_t words = 0, regexes = 0;
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule_token *first = &rules_at(rules, i)->tokens[0];
        words += first->regex ? 0 : first->n;
        regexes += first->regex;
    }
    if (words >= NO_ENTRY)
        return -ENOMEM;
    rules->entries = mem_zalloc(words + 1, sizeof(*rules->entries));
    rules->by_regex = mem_zalloc(regexes + 1, sizeof(*rules->by_regex));
    if (!rules->entries || !rules->by_regex)
        return -ENOMEM;
    uint32_t n = 0;
    for (size_t i = 0; i < rules->n; i++) {
        const struct rule_token *first = &rules_at(rules, i)->tokens[0];
        if (first->regex)
            rules->by_regex[rules->n_by_regex++] = (uint32_t)i;
        else
            for (uint32_t w = 0; w < first->n; w++)
                if (index_word(rules, first->words[w], (uint32_t)i, n++) < 0)
                    return -ENOMEM;
    }
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
