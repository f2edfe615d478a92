/* The language of rules files, with the functions that rules files call. Small limits: what is
 * looked for is found long before them. */
#include "rules/rules.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    struct error err = {0};
    struct rules *rules = rules_new(&a);
    if (!rules || size > 4096)
        return 0;
    const struct rules_source source = {
        .file = "fuzz", .rank = RULES_USER, .text = {(const char *)data, size}};
    if (rules_add(rules, &source, &err) == 0 && rules_finish(rules) == 0) {
        const struct command_word words[] = {{"git", true}, {"push", true}, {"$x", false}};
        struct rule_match found[4];
        (void)rules_match(rules, "git", words, 3, "/", found, 4);
    }
    rules_free(rules);
    return 0;
}
