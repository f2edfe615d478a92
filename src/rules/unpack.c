/*
 * Taking options apart. See unpack.h. Words come from outside: each is read to its end and no
 * further, and every call moves on, so that a walk ends after at most as many steps as there are
 * bytes.
 */
#include "rules/unpack.h"

bool names_next(const char **p, struct bytes *ret)
{
    const char *s = *p, *end; /* names are short: faster by hand than by strcspn */
    while (*s == ' ')
        s++;
    for (end = s; *end && *end != ' ';)
        end++;
    *ret = (struct bytes){s, (size_t)(end - s)};
    *p = end;
    return end != s;
}

bool names_have(const char *names, struct bytes name)
{
    struct bytes one;
    while (names_next(&names, &one))
        if (bytes_eq(one, name))
            return true;
    return false;
}

struct unpack unpack_start(const struct option_table *table, const struct command_word *words,
                           size_t n, size_t first)
{
    return (struct unpack){.table = table, .words = words, .n = n, .next = first};
}

bool unpacked_is(const struct unpacked *item, const char *name)
{
    return item->kind == UNPACK_OPTION && bytes_is(item->name, name);
}

/* ---- the table's texts ---- */

enum takes { TAKES_NONE, TAKES_VALUE, TAKES_MAYBE };

struct found {
    struct bytes name;
    enum takes takes;
    bool marked;
    bool ambiguous;
};

static bool find_short(const char *shorts, char letter, struct found *ret)
{
    for (const char *p = shorts ? shorts : ""; *p;) {
        bool marked = *p == '!';
        p += marked;
        const char *name = p;
        if (*p)
            p++;
        size_t colons = strspn(p, ":");
        p += colons;
        if (*name != letter)
            continue;
        *ret = (struct found){.name = {name, 1}, .marked = marked};
        ret->takes = colons == 0 ? TAKES_NONE : colons == 1 ? TAKES_VALUE : TAKES_MAYBE;
        return true;
    }
    return false;
}

static struct found parse_long(struct bytes entry)
{
    struct found f = {.name = entry};
    if (entry.p[0] == '!') {
        f.marked = true;
        f.name = (struct bytes){entry.p + 1, entry.n - 1};
    }
    char last = f.name.n ? f.name.p[f.name.n - 1] : '\0';
    f.takes = last == '=' ? TAKES_VALUE : last == '?' ? TAKES_MAYBE : TAKES_NONE;
    f.name.n -= f.takes != TAKES_NONE;
    return f;
}

static bool begins(struct bytes name, struct bytes with)
{
    return name.n >= with.n && memcmp(name.p, with.p, with.n) == 0;
}

/* WANTED itself, or the only name that begins with it. Of several, whether one is marked. */
static bool find_long(const struct option_table *table, struct bytes wanted, struct found *ret)
{
    struct bytes entry;
    size_t matches = 0;
    bool marked = false;
    for (const char *p = table->longs ? table->longs : ""; names_next(&p, &entry);) {
        if (wanted.n == 0 || entry.p[entry.p[0] == '!'] != wanted.p[0])
            continue;
        struct found f = parse_long(entry);
        if (bytes_eq(f.name, wanted)) {
            *ret = f;
            return true;
        }
        if ((table->flags & OPTIONS_EXACT) || !begins(f.name, wanted))
            continue;
        marked |= f.marked;
        if (matches++ == 0)
            *ret = f;
    }
    if (matches == 0)
        return false;
    ret->ambiguous = matches > 1;
    ret->marked = marked;
    return true;
}

/* ---- one word ---- */

static struct unpacked strange(struct bytes name, bool marked, size_t at)
{
    return (struct unpacked){.kind = UNPACK_STRANGE, .name = name, .marked = marked, .at = at};
}

/* The value of an option from the word behind it. */
static struct unpacked take_next(struct unpack *u, const struct found *f, size_t at)
{
    struct unpacked item = {
        .kind = UNPACK_OPTION, .name = f->name, .marked = f->marked, .known = true, .at = at};
    if (u->next >= u->n)
        return strange(f->name, f->marked, at);
    const struct command_word *word = &u->words[u->next];
    if ((u->table->flags & OPTIONS_NO_DASH) && word->text[0] == '-' && word->text[1])
        return strange(f->name, f->marked, at);
    u->next++;
    item.value = word->text;
    item.known = word->known;
    return item;
}

static struct unpacked next_long(struct unpack *u, const char *text, size_t at)
{
    struct bytes name = {text, strcspn(text, "=")};
    const char *value = text[name.n] ? text + name.n + 1 : NULL;
    struct found f;
    if (!find_long(u->table, name, &f))
        return strange(name, false, at);
    if (f.ambiguous || (value && f.takes == TAKES_NONE))
        return strange(name, f.marked, at);
    if (!value && f.takes == TAKES_VALUE)
        return take_next(u, &f, at);
    return (struct unpacked){.kind = UNPACK_OPTION,
                             .name = f.name,
                             .marked = f.marked,
                             .value = value,
                             .known = u->words[at].known,
                             .at = at};
}

static struct unpacked next_letter(struct unpack *u)
{
    const char *p = u->letters;
    size_t at = u->next - 1;
    struct found f;
    u->letters = p[1] ? p + 1 : NULL;
    if (!find_short(u->table->shorts, *p, &f))
        return strange((struct bytes){p, 1}, false, at);
    if (f.takes == TAKES_VALUE && !u->letters)
        return take_next(u, &f, at);
    const char *value = f.takes == TAKES_NONE ? NULL : u->letters;
    if (value)
        u->letters = NULL;
    return (struct unpacked){.kind = UNPACK_OPTION,
                             .name = f.name,
                             .marked = f.marked,
                             .value = value,
                             .known = u->words[at].known,
                             .at = at};
}

struct unpacked unpack_next(struct unpack *u)
{
    if (u->letters)
        return next_letter(u);
    if (u->next >= u->n)
        return (struct unpacked){.kind = UNPACK_END, .at = u->n};
    size_t at = u->next++;
    const char *text = u->words[at].text;
    if (!u->ended && text[0] == '-' && text[1]) {
        if (text[1] != '-') {
            u->letters = text + 1;
            return next_letter(u);
        }
        if (text[2])
            return next_long(u, text + 2, at);
        u->ended = true;
        return unpack_next(u);
    }
    if (u->table->flags & OPTIONS_FIRST)
        u->ended = true;
    return (struct unpacked){
        .kind = UNPACK_OPERAND, .value = text, .known = u->words[at].known, .at = at};
}
