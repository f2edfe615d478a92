/*
 * What is decided from a table of keys alone: look-up, nearest spelling, type of a value. The
 * tables are in keys_config.c and keys_requirements.c. See keys.h. Pure.
 */
#include "config/keys.h"

#include "config/otel_text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

const char *key_type_word(enum key_type type)
{
    static const char *const words[] = {
        [KEY_BOOLEAN] = "a boolean",
        [KEY_INTEGER] = "an integer",
        [KEY_SECONDS] = "a number of seconds",
        [KEY_SIZE] = "a size (an integer of bytes, or a string such as \"2GiB\")",
        [KEY_STRING] = "a string",
        [KEY_WORD] = "a string",
        [KEY_STRINGS] = "an array of strings",
        [KEY_STRING_TABLE] = "a table of strings",
        [KEY_TABLE] = "a table",
        [KEY_WORD_OR_TABLE] = "a string or a table",
        [KEY_BOOLEAN_OR_TABLE] = "a boolean or a table",
        [KEY_ACCESS_TABLE] = "a table of paths",
        [KEY_WORDS] = "an array of strings",
        [KEY_BOOLEAN_TABLE] = "a table of booleans",
        [KEY_TABLES] = "an array of tables",
        [KEY_COMMANDS] = "an array of arrays of strings",
        [KEY_ANY] = "any value",
    };
    return words[type];
}

const char *key_project_words(enum key_project project)
{
    static const char *const words[] = {
        [PROJECT_NO] = "A project's file may not set it",
        [PROJECT_EARLIER] = "A project's file may take a value that stands earlier in the list",
        [PROJECT_LATER] = "A project's file may take a value that stands later in the list",
        [PROJECT_TRUE] = "A project's file may turn it on, not off",
        [PROJECT_FALSE] = "A project's file may turn it off, not on",
        [PROJECT_ADD] = "A project's file may add to it, not take away",
        [PROJECT_SUBSET] = "A project's file may take away from it, not add",
        [PROJECT_LESS] = "A project's file may lower it",
        [PROJECT_MORE] = "A project's file may raise it",
        [PROJECT_NARROW] = "A project's file may give a list of its own, which holds as well",
        [PROJECT_DENY] = "A project's file may shut what is open; that holds for every profile",
    };
    return words[project];
}

/* The component of a row's name at *P, advanced past it and its dot. */
static bool next_part(const char **p, struct bytes *ret)
{
    const char *s = *p;
    size_t n = strcspn(s, ".");
    *ret = (struct bytes){s, n};
    *p = s[n] ? s + n + 1 : s + n;
    return n != 0;
}

static bool part_fits(struct bytes row, struct bytes part)
{
    return bytes_is(row, "*") || bytes_eq(row, part);
}

/* Do PARTS match the beginning of NAME? *ret_rest is what of NAME is left. */
static bool name_begins(const char *name, const struct bytes *parts, size_t n,
                        const char **ret_rest)
{
    for (size_t i = 0; i < n; i++) {
        struct bytes row;
        if (!next_part(&name, &row) || !part_fits(row, parts[i]))
            return false;
    }
    *ret_rest = name;
    return true;
}

const struct config_key *keys_find(const struct key_table *table, const struct bytes *parts,
                                   size_t n, bool *ret_inner)
{
    const struct config_key *found = NULL;
    bool inner = false;
    for (size_t i = 0; i < table->n; i++) {
        const char *rest;
        if (!name_begins(table->keys[i].name, parts, n, &rest))
            continue;
        if (*rest)
            inner = true;
        else if (!found)
            found = &table->keys[i];
    }
    if (ret_inner)
        *ret_inner = inner;
    return found;
}

const char *keys_nearest(const struct key_table *table, const struct bytes *parent, size_t n,
                         const char *word)
{
    static __thread char names[256][64];
    const char *list[ARRAY_LEN(names)];
    size_t count = 0;
    for (size_t i = 0; i < table->n && count < ARRAY_LEN(names); i++) {
        const char *rest;
        struct bytes part;
        if (!name_begins(table->keys[i].name, parent, n, &rest) || !next_part(&rest, &part) ||
            bytes_is(part, "*") || part.n >= sizeof(names[0]))
            continue;
        if (count && bytes_is(part, names[count - 1])) /* rows of one table stand together */
            continue;
        memcpy(names[count], part.p, part.n);
        names[count][part.n] = '\0';
        list[count] = names[count];
        count++;
    }
    const char *near = nearest_word(word, list, count);
    /* A key that is right but stands in the wrong table: say where it belongs. */
    for (size_t i = 0; !near && i < table->n; i++) {
        const char *dot = strrchr(table->keys[i].name, '.');
        if (dot && !strchr(table->keys[i].name, '*') && str_eq(dot + 1, word))
            near = table->keys[i].name;
    }
    return near;
}

bool key_parse_size(struct bytes text, uint64_t *ret)
{
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {
        {"", 1},
        {"B", 1},
        {"K", 1ull << 10},
        {"M", 1ull << 20},
        {"G", 1ull << 30},
        {"T", 1ull << 40},
        {"KiB", 1ull << 10},
        {"MiB", 1ull << 20},
        {"GiB", 1ull << 30},
        {"TiB", 1ull << 40},
        {"KB", 1000ull},
        {"MB", 1000000ull},
        {"GB", 1000000000ull},
        {"TB", 1000000000000ull},
    };
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text.p[i] - '0'), &value))
            return false;
    if (i == 0)
        return false;
    if (i < text.n && text.p[i] == ' ')
        i++;
    struct bytes unit = {text.p + i, text.n - i};
    for (size_t u = 0; u < ARRAY_LEN(units); u++)
        if (bytes_is(unit, units[u].unit))
            return !__builtin_mul_overflow(value, units[u].factor, ret) && *ret <= INT64_MAX;
    return false;
}

void key_put_words(struct strbuf *out, const char *const *words)
{
    for (size_t i = 0; words[i]; i++)
        strbuf_printf(out, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

static bool bare(struct bytes part)
{
    for (size_t i = 0; i < part.n; i++) {
        unsigned char c = (unsigned char)part.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return part.n != 0;
}

void key_put_dotted(struct strbuf *out, const struct bytes *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_putc(out, '.');
        if (bare(parts[i])) {
            strbuf_put(out, parts[i].p, parts[i].n);
            continue;
        }
        strbuf_putc(out, '"');
        for (size_t k = 0; k < parts[i].n; k++) {
            unsigned char c = (unsigned char)parts[i].p[k];
            if (c == '"' || c == '\\')
                strbuf_printf(out, "\\%c", c);
            else if (c < 0x20 || c == 0x7f)
                strbuf_printf(out, "\\u%04x", c);
            else
                strbuf_putc(out, (char)c);
        }
        strbuf_putc(out, '"');
    }
}

/* ---- values ---- */

static int wrong_type(const struct config_key *key, const struct toml_value *v, struct error *err)
{
    const char *is = toml_type_name(v->type);
    bool vowel = strchr("aeiou", is[0]) != NULL;
    return error_set(err, -EINVAL, "expected %s, found %s %s", key_type_word(key->type),
                     vowel ? "an" : "a", is);
}

static int check_string(const struct toml_value *v, struct error *err)
{
    if (v->type != TOML_STRING)
        return error_set(err, -EINVAL, "expected a string, found %s %s",
                         strchr("aeiou", toml_type_name(v->type)[0]) ? "an" : "a",
                         toml_type_name(v->type));
    if (memchr(v->string.p, '\0', v->string.n))
        return error_set(err, -EINVAL, "a NUL byte cannot stand in this string");
    return 0;
}

static int check_word(const struct config_key *key, const struct toml_value *v, struct error *err)
{
    size_t n = 0;
    int r = check_string(v, err);
    if (r < 0)
        return r;
    for (; key->words[n]; n++)
        if (bytes_is(v->string, key->words[n]))
            return 0;
    _cleanup_strbuf_ struct strbuf list = {0};
    key_put_words(&list, key->words);
    (void)error_set(err, -EINVAL, "unknown value \"%s\"; expected %s",
                    show_n(v->string.p, v->string.n), strbuf_text(&list));
    const char *near = nearest_word(v->string.p, key->words, n);
    if (near)
        error_note(err, "did you mean \"%s\"?", near);
    return -EINVAL;
}

/* A name under a writable root: a relative path that stays below it and is taken literally. */
static int check_name(const struct toml_value *v, struct error *err)
{
    const char *s = v->string.p;
    if (!*s || *s == '/' || *s == '~')
        return error_set(err, -EINVAL, "\"%s\" is not a name below a writable root", show(s));
    if (strpbrk(s, "*?["))
        return error_set(err, -EINVAL, "\"%s\": names are taken literally, without wildcards",
                         show(s));
    for (const char *p = s; *p;) {
        size_t n = strcspn(p, "/");
        if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
            return error_set(err, -EINVAL,
                             "\"%s\": empty, \".\" and \"..\" components are not allowed", show(s));
        p += n;
        p += *p == '/';
    }
    return 0;
}

/* What has a ${NAME} in it is looked at when that is known. */
static int check_url(const struct toml_value *v, struct error *err)
{
    struct otel_url url;
    struct otel_fault why;
    if (strstr(v->string.p, "${") || otel_url_read(v->string, &url, &why))
        return 0;
    (void)error_set(err, -EINVAL, "%s", why.what);
    if (why.hint)
        error_hint(err, "%s", why.hint);
    return -EINVAL;
}

static int check_line(const struct toml_value *v, struct error *err)
{
    bool good = v->string.n <= 256;
    for (size_t i = 0; i < v->string.n; i++)
        good = good && (unsigned char)v->string.p[i] >= 0x20 && v->string.p[i] != 0x7f;
    return good ? 0 : error_set(err, -EINVAL, "expected one line of at most 256 bytes");
}

static int check_label(const struct toml_value *v, struct error *err)
{
    bool good = v->string.n <= 32;
    for (size_t i = 0; i < v->string.n; i++) {
        char c = v->string.p[i];
        good = good && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-');
    }
    return good ? 0
                : error_set(err, -EINVAL,
                            "expected at most 32 letters, digits, dots, dashes and underscores");
}

static int check_text(const struct config_key *key, const struct toml_value *v, struct error *err)
{
    int r = check_string(v, err);
    if (r == 0 && (key->flags & KEY_URL))
        r = check_url(v, err);
    if (r == 0 && (key->flags & KEY_LINE))
        r = check_line(v, err);
    if (r == 0 && (key->flags & KEY_LABEL))
        r = check_label(v, err);
    return r;
}

static int check_string_item(const struct config_key *key, const struct toml_value *v,
                             struct error *err)
{
    int r = check_string(v, err);
    return r == 0 && (key->flags & KEY_NAMES) ? check_name(v, err) : r;
}

static int check_is_table(const struct config_key *key, const struct toml_value *v,
                          struct error *err)
{
    (void)key;
    return v->type == TOML_TABLE
               ? 0
               : error_set(err, -EINVAL, "expected a table, found %s", toml_type_name(v->type));
}

/* How a command begins: its program's base name, and words behind it. */
static int check_command(const struct config_key *key, const struct toml_value *v,
                         struct error *err)
{
    (void)key;
    if (v->type != TOML_ARRAY)
        return error_set(
            err, -EINVAL, "expected an array of words such as [\"git\", \"push\"], found %s %s",
            strchr("aeiou", toml_type_name(v->type)[0]) ? "an" : "a", toml_type_name(v->type));
    for (size_t i = 0; i < v->array.n; i++) {
        int r = check_string(v->array.items[i], err);
        if (r < 0)
            return r;
    }
    if (v->array.n == 0 || v->array.items[0]->string.n == 0)
        return error_set(err, -EINVAL, "a command begins with the name of a program");
    if (strchr(v->array.items[0]->string.p, '/'))
        return error_set(err, -EINVAL, "\"%s\": a program is named without its directory",
                         show(v->array.items[0]->string.p));
    return 0;
}

static int check_items(const struct config_key *key, const struct toml_value *v,
                       int (*check)(const struct config_key *, const struct toml_value *,
                                    struct error *),
                       const struct toml_value **ret_at, struct error *err)
{
    if (v->type != TOML_ARRAY)
        return wrong_type(key, v, err);
    if (v->array.n == 0 && (key->flags & KEY_NOT_EMPTY))
        return error_set(err, -EINVAL, "an empty list allows nothing; name at least one");
    for (size_t i = 0; i < v->array.n; i++) {
        int r = check(key, v->array.items[i], err);
        if (r < 0) {
            *ret_at = v->array.items[i];
            return r;
        }
    }
    return 0;
}

static int check_boolean_table(const struct config_key *key, const struct toml_value *v,
                               const struct toml_value **ret_at, struct error *err)
{
    if (v->type != TOML_TABLE)
        return wrong_type(key, v, err);
    for (const struct toml_member *m = v->table.first; m; m = m->next) {
        if (m->value->type == TOML_BOOLEAN)
            continue;
        *ret_at = m->value;
        return error_set(err, -EINVAL, "%s: expected a boolean, found %s",
                         show_n(m->key.p, m->key.n), toml_type_name(m->value->type));
    }
    return 0;
}

static int check_string_table(const struct config_key *key, const struct toml_value *v,
                              const struct toml_value **ret_at, struct error *err)
{
    if (v->type != TOML_TABLE)
        return wrong_type(key, v, err);
    for (const struct toml_member *m = v->table.first; m; m = m->next) {
        int r = check_string(m->value, err);
        if (r == 0 && memchr(m->key.p, '\0', m->key.n))
            r = error_set(err, -EINVAL, "a NUL byte cannot stand in this key");
        if (r < 0) {
            *ret_at = m->value;
            return error_wrap(err, r, "%s", show_n(m->key.p, m->key.n));
        }
    }
    return 0;
}

static int check_range(const struct config_key *key, int64_t n, struct error *err)
{
    if (n < key->least)
        return error_set(err, -EINVAL, "%lld is too small; at least %lld", (long long)n,
                         (long long)key->least);
    if (key->most && n > key->most)
        return error_set(err, -EINVAL, "%lld is too large; at most %lld", (long long)n,
                         (long long)key->most);
    return 0;
}

static int check_seconds(const struct config_key *key, const struct toml_value *v,
                         struct error *err)
{
    if (v->type == TOML_INTEGER)
        return check_range(key, v->integer, err);
    if (v->type != TOML_FLOAT)
        return wrong_type(key, v, err);
    if (!isfinite(v->floating) || v->floating < 0)
        return error_set(err, -EINVAL, "expected a finite number that is not negative");
    return 0;
}

static int check_size(const struct config_key *key, const struct toml_value *v, struct error *err)
{
    uint64_t bytes;
    if (v->type == TOML_INTEGER)
        return check_range(key, v->integer, err);
    if (v->type != TOML_STRING)
        return wrong_type(key, v, err);
    if (!key_parse_size(v->string, &bytes))
        return error_set(err, -EINVAL,
                         "\"%s\" is not a size; write bytes or a string such as \"2GiB\"",
                         show_n(v->string.p, v->string.n));
    return 0;
}

int key_check(const struct config_key *key, const struct toml_value *v,
              const struct toml_value **ret_at, struct error *err)
{
    *ret_at = v;
    switch (key->type) {
    case KEY_BOOLEAN:
        return v->type == TOML_BOOLEAN ? 0 : wrong_type(key, v, err);
    case KEY_INTEGER:
        return v->type == TOML_INTEGER ? check_range(key, v->integer, err)
                                       : wrong_type(key, v, err);
    case KEY_SECONDS:
        return check_seconds(key, v, err);
    case KEY_SIZE:
        return check_size(key, v, err);
    case KEY_STRING:
        return check_text(key, v, err);
    case KEY_WORD:
        return check_word(key, v, err);
    case KEY_STRINGS:
        return check_items(key, v, check_string_item, ret_at, err);
    case KEY_STRING_TABLE:
        return check_string_table(key, v, ret_at, err);
    case KEY_WORD_OR_TABLE:
        if (v->type != TOML_TABLE && v->type != TOML_STRING)
            return wrong_type(key, v, err);
        return v->type == TOML_TABLE ? 0 : check_word(key, v, err);
    case KEY_BOOLEAN_OR_TABLE:
        return v->type == TOML_BOOLEAN || v->type == TOML_TABLE ? 0 : wrong_type(key, v, err);
    case KEY_TABLE:
    case KEY_ACCESS_TABLE:
        return v->type == TOML_TABLE ? 0 : wrong_type(key, v, err);
    case KEY_WORDS:
        return check_items(key, v, check_word, ret_at, err);
    case KEY_BOOLEAN_TABLE:
        return check_boolean_table(key, v, ret_at, err);
    case KEY_TABLES:
        return check_items(key, v, check_is_table, ret_at, err);
    case KEY_COMMANDS:
        return check_items(key, v, check_command, ret_at, err);
    case KEY_ANY:
        return 0;
    }
    return 0;
}
