/*
 * Words, one a line, of one command; a line `|` pipes it into the next. A word that begins with the
 * byte 1 is unknown. The classes keep their promises whatever stands there: judged by means of
 * their own, coarser than the tables.
 */
#include "rules/classify.h"
#include "rules/safety.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 256

static char text[16384];
static struct command_word words[MOST];
static struct command commands[MOST];

static struct command_list read_list(const uint8_t *data, size_t size)
{
    struct command *c = &commands[0];
    struct command_list list = {.v = commands, .n = 1};
    size_t n = 0;
    memcpy(text, data, size);
    text[size] = '\0';
    *c = (struct command){.words = words, .plain = true, .pipes_to = UINT32_MAX};
    for (char *p = text; n < MOST && p < text + size; n++) {
        size_t len = strcspn(p, "\n");
        p[len] = '\0';
        if (str_eq(p, "|") && c->n) {
            c->pipes_to = (uint32_t)list.n;
            c = &commands[list.n++];
            *c = (struct command){.words = &words[n + 1], .plain = true, .pipes_to = UINT32_MAX};
        } else {
            words[n] = (struct command_word){p[0] == 1 ? p + 1 : p, p[0] != 1};
            c->n++;
        }
        p += len + 1;
    }
    if (c->n == 0 && list.n > 1)
        commands[--list.n - 1].pipes_to = UINT32_MAX;
    return list;
}

static bool has(const struct command *c, const char *word)
{
    for (size_t i = 1; i < c->n; i++)
        if (str_eq(c->words[i].text, word))
            return true;
    return false;
}

static bool has_beginning(const struct command *c, const char *with)
{
    for (size_t i = 1; i < c->n; i++)
        if (str_starts(c->words[i].text, with))
            return true;
    return false;
}

static void judge_safe(const struct command *c)
{
    const char *name = c->words[0].text;
    for (size_t i = 0; i < c->n; i++)
        if (!c->words[i].known)
            abort();
    if (strchr(name, '/'))
        abort();
    if (str_eq(name, "find") &&
        (has_beginning(c, "-exec") || has_beginning(c, "-ok") || has_beginning(c, "-fprint") ||
         has(c, "-delete") || has(c, "-fls")))
        abort();
    if (str_eq(name, "sed") && !has(c, "--") && (has_beginning(c, "-i") || has_beginning(c, "-e")))
        abort();
    if (str_eq(name, "git") && !has(c, "--") &&
        (has_beginning(c, "--output=") || has_beginning(c, "--ext") ||
         (c->n > 1 && str_starts(c->words[1].text, "-C")) || has_beginning(c, "--config")))
        abort();
    if (str_eq(name, "rm") || str_eq(name, "sh") || str_eq(name, "awk"))
        abort();
}

/* Every step moves on. */
static void walk(const struct command *c, unsigned flags)
{
    static const struct option_table tables[] = {
        {"abn:o::!x", "all all-of name= color? !exec !exec-path=", 0},
        {NULL, NULL, 0},
        {"", "", 0}};
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        struct option_table table = tables[i];
        size_t most = c->n + 2;
        table.flags = flags;
        for (size_t k = 0; k < c->n; k++)
            most += strlen(c->words[k].text);
        struct unpack u = unpack_start(&table, c->words, c->n, 1);
        struct unpacked item;
        while ((item = unpack_next(&u)).kind != UNPACK_END)
            if (most-- == 0 || item.at == 0 || item.at >= c->n ||
                (item.kind == UNPACK_OPERAND && !item.value))
                abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const stash[] = {"git", "stash"}, *const make[] = {"make"};
    static const struct safety_entry entries[] = {{stash, 2}, {make, 1}};
    static const struct safety_tables all = {entries, entries, entries, entries, 2, 2, 2, 2};
    if (size == 0 || size >= sizeof(text) || memchr(data, 0, size))
        return 0;
    struct command_list list = read_list(data, size);
    for (size_t i = 0; i < list.n; i++) {
        const struct command *c = &list.v[i];
        if (c->n == 0)
            continue;
        const char *slash = strrchr(c->words[0].text, '/');
        const char *program = slash ? slash + 1 : c->words[0].text;
        struct classified got = classify(&list, i, program, NULL);
        if ((got.reason == NULL) != (got.class == CLASS_UNKNOWN))
            abort();
        if (got.class == CLASS_SAFE)
            judge_safe(c);
        if (str_eq(program, "rm") && c->n > 1 && str_eq(c->words[1].text, "-rf") &&
            got.class != CLASS_DANGEROUS)
            abort();
        if (str_eq(program, "make") && classify(&list, i, program, &all).class != CLASS_DANGEROUS)
            abort();
        for (unsigned flags = 0; flags < 8; flags++)
            walk(c, flags);
    }
    return 0;
}
