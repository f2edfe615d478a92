/*
 * Shell text. Whatever it is: it is read, every place lies in it, what is plain is plain in every
 * part, and words quoted by command_text() come back as they were.
 */
#include "rules/command.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_command(const struct command_list *list, size_t i, size_t size)
{
    const struct command *c = &list->v[i];
    if (c->n == 0 || (uint64_t)c->at + c->length > size)
        abort();
    if (c->pipes_to != UINT32_MAX && c->pipes_to >= list->n)
        abort();
    if (c->plain && (list->reading != READING_PLAIN || c->via))
        abort();
    if (list->reading == READING_PLAIN && !c->plain && !c->via)
        abort();
    for (size_t k = 0; k < c->n; k++)
        if (!c->words[k].text || (c->plain && !c->words[k].known))
            abort();
}

static void round_trip(struct arena *a, const struct command *c)
{
    const char **argv = arena_zalloc(a, c->n + 1, sizeof(*argv)), **back;
    size_t n;
    for (size_t k = 0; argv && k < c->n; k++)
        argv[k] = c->words[k].text;
    const char *text = argv ? command_text(a, argv, c->n) : NULL;
    if (!text)
        abort();
    /* A byte that shells use for themselves makes a line deep. */
    if (strchr(text, 1) || strchr(text, 127))
        return;
    if (command_split(a, bytes_of(text), &back, &n, NULL) < 0 || n != c->n)
        abort();
    for (size_t k = 0; k < n; k++)
        if (!str_eq(back[k], argv[k]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const shells[] = {"bash", "zsh", "dash"};
    _cleanup_arena_ struct arena a = {0};
    struct command_list list;
    if (size > 65536)
        return 0;
    if (shell_read(&a, (struct bytes){(const char *)data, size}, &list, NULL) < 0)
        abort();
    if ((list.reading == READING_PLAIN) != (list.reason == NULL) || list.reason_at > size)
        abort();
    for (size_t i = 0; i < list.n; i++) {
        check_command(&list, i, size);
        if (i < 8)
            round_trip(&a, &list.v[i]);
    }
    char *text = arena_strndup(&a, (const char *)data, size);
    for (size_t i = 0; text && i < 3; i++) {
        const char *const argv[] = {shells[i], "-c", "--", text};
        if (command_read(&a, argv, 4, &list, NULL) < 0)
            abort();
    }
    return 0;
}
