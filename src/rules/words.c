/* The words of the enumerations. */
#include "rules/judge.h"

const char *decision_word(enum decision d)
{
    static const char *const words[] = {NULL, "allow", "prompt", "forbidden"};
    return words[d];
}

const char *rules_rank_word(enum rules_rank rank)
{
    static const char *const words[] = {"system", "user", "project", "requirements"};
    return words[rank];
}

const char *line_class_word(enum line_class c)
{
    static const char *const words[] = {
        [LINE_ALLOW] = "allow",         [LINE_ALLOW_INSIDE] = "allow",  [LINE_SAFE] = "safe",
        [LINE_UNKNOWN] = "unknown",     [LINE_DANGEROUS] = "dangerous", [LINE_PROMPT] = "prompt",
        [LINE_FORBIDDEN] = "forbidden",
    };
    return words[c];
}
