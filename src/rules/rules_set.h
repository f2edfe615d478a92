/* Between the files of rules.h: the set itself. */
#ifndef BAWN_RULES_RULES_SET_H
#define BAWN_RULES_RULES_SET_H

#include "base/vec.h"
#include "rules/rules.h"

#define RULES_A_CHUNK   1024u
#define MAX_REGEX_BYTES 256u
#define MAX_WORD_BYTES  4096u /* of a word that is held against a regex */

struct rules {
    struct arena *a;
    VEC(struct rule *) chunks; /* of RULES_A_CHUNK each */
    size_t n;
    VEC(struct host_executable) executables;
    VEC(struct network_rule) network;
    VEC(void *) regexes; /* regex_t */
    struct bytes last;   /* what rules_copy() returned last */
    /* The index: first word -> the rules that begin with it, in their order. */
    struct index_entry {
        uint32_t rule, next; /* next: an entry, or NO_ENTRY */
    } * entries;
    struct index_slot {
        const char *word;
        uint32_t first, last;
    } * slots;
    size_t n_slots;     /* a power of two */
    size_t n_words;     /* taken */
    uint32_t *by_regex; /* rules whose first token is one */
    size_t n_by_regex;
};

#define NO_ENTRY UINT32_MAX

/* The set's own copy of TEXT, terminated; one for the same text several times in a row. NULL
 * without memory. */
const char *rules_copy(struct rules *rules, struct bytes text);
/* Compiles TEXT for whole words. NULL, and *ret_why in one phrase, or without memory. */
const void *rules_compile(struct rules *rules, const char *text, const char **ret_why);

#endif
