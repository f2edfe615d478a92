/* Words with what stands before them (the first line): ranges lie in the word, what was hidden once
 * is not found again, and a word without anything to hide is the same afterwards. */
#include "record/event.h"

#include "base/str.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    char *text = arena_strndup(&a, (const char *)data, size), *word = strchr(text, '\n');
    const char *before = word ? text : NULL;
    size_t from = 0, to = 0;
    if (word)
        *word++ = '\0';
    else
        word = text;
    bool found = redact_find(word, before, &from, &to);
    const char *shown = redact(&a, word, before);
    if (!shown || (found && (from >= to || to > strlen(word))))
        abort();
    if (!found && strcmp(shown, word) != 0)
        abort();
    if (found && (strncmp(shown, word, from) != 0 || !str_starts(shown + from, "[REDACTED]")))
        abort();
    const char *argv[] = {before ? before : "x", word};
    if (!redact_argv(&a, argv, 2))
        abort();
    return 0;
}
