/*
 * The schema of a document. See schema.h.
 *
 * The rows' dotted names are a tree; it is walked by prefix, each row where its name ends. A
 * component `*` is additionalProperties. Unknown keys are not forbidden: in a file they are a
 * warning, and that is said.
 *
 * Where JSON cannot say what the parser says: 1.0 is an integer to a validator and a float in TOML;
 * a size has to be below 2^63 in bytes; one exporter has one of two tables; what stands in a table
 * without rows of its own is not checked here. What a permission profile's table of paths holds is
 * said down to the first words, which is more than key_check() looks at.
 */
#include "config/schema.h"

#include "base/json.h"
#include "base/mem.h"
#include "config/value.h"

#include <errno.h>

/* Patterns of the kinds of text, under $defs. */
#define TEXT    "^[^\\u0000]*$"
#define PROGRAM "^[^/\\u0000]+$"
#define SIZE    "^[0-9]+ ?(B|K|M|G|T|KiB|MiB|GiB|TiB|KB|MB|GB|TB)?$"
#define NAME    "^(?!~)(?!\\.{1,2}(/|$))[^/*?\\[\\u0000]+(/(?!\\.{1,2}(/|$))[^/*?\\[\\u0000]+)*/?$"

/* Looser than the parser where that counts: a port, a host. */
#define URL   "^([Hh][Tt][Tt][Pp][Ss]?://[^@#\\u0000-\\u0020]+|.*\\$\\{.*)$"
#define LINE  "^[^\\u0000-\\u001f\\u007f]{0,256}$"
#define LABEL "^[A-Za-z0-9._-]{0,32}$"

struct schema {
    struct arena arena;
    const struct key_table *table;
    struct json j;
    struct error *err;
    int result;
};

static void put_node(struct schema *s, const char *name, size_t n);

/* ---- the tree of names ---- */

static const struct config_key *row_of(const struct schema *s, const char *name, size_t n)
{
    for (size_t i = 0; i < s->table->n; i++) {
        const char *row = s->table->keys[i].name;
        if (strncmp(row, name, n) == 0 && row[n] == '\0')
            return &s->table->keys[i];
    }
    return NULL;
}

/* The component of row I behind the first N bytes of NAME, or nothing when it stands elsewhere. */
static struct bytes child(const struct schema *s, size_t i, const char *name, size_t n)
{
    const char *row = s->table->keys[i].name;
    if (n) {
        if (strncmp(row, name, n) != 0 || row[n] != '.')
            return (struct bytes){0};
        row += n + 1;
    }
    return (struct bytes){row, strcspn(row, ".")};
}

static bool is_first(const struct schema *s, size_t i, const char *name, size_t n)
{
    struct bytes part = child(s, i, name, n);
    for (size_t k = 0; k < i; k++) {
        struct bytes other = child(s, k, name, n);
        if (other.n && bytes_eq(other, part))
            return false;
    }
    return true;
}

static size_t name_end(const struct schema *s, size_t i, struct bytes part)
{
    return (size_t)(part.p + part.n - s->table->keys[i].name);
}

/* ---- shapes ---- */

static void put_ref(struct json *j, const char *def)
{
    json_kv_string(j, "$ref", def);
}

static void put_enum(struct json *j, const char *const *words)
{
    json_key(j, "enum");
    json_array(j);
    for (; *words; words++)
        json_string(j, *words);
    json_end_array(j);
}

/* type, properties and additionalProperties of the table called NAME, into the open object. */
static void put_table(struct schema *s, const char *name, size_t n, const struct config_key *key)
{
    struct json *j = &s->j;
    bool opened = false;
    json_kv_string(j, "type", "object");
    for (size_t i = 0; i < s->table->n; i++) {
        struct bytes part = child(s, i, name, n);
        if (!part.n || bytes_is(part, "*") || !is_first(s, i, name, n))
            continue;
        if (!opened) {
            json_key(j, "properties");
            json_object(j);
            opened = true;
        }
        json_key_bytes(j, part.p, part.n);
        put_node(s, s->table->keys[i].name, name_end(s, i, part));
    }
    if (opened)
        json_end_object(j);
    for (size_t i = 0; i < s->table->n; i++) {
        struct bytes part = child(s, i, name, n);
        if (!bytes_is(part, "*"))
            continue;
        json_key(j, "additionalProperties");
        put_node(s, s->table->keys[i].name, name_end(s, i, part));
        return;
    }
    const char *values = !key                            ? NULL
                         : key->type == KEY_ACCESS_TABLE ? "#/$defs/access"
                         : key->type == KEY_STRING_TABLE ? "#/$defs/text"
                                                         : NULL;
    if (!values && !(key && key->type == KEY_BOOLEAN_TABLE))
        return;
    json_key(j, "additionalProperties");
    json_object(j);
    if (values)
        put_ref(j, values);
    else
        json_kv_string(j, "type", "boolean");
    json_end_object(j);
}

static void put_bounds(struct json *j, const struct config_key *key)
{
    json_kv_int(j, "minimum", key->least);
    if (key->most)
        json_kv_int(j, "maximum", key->most);
}

/* A program's name and words behind it. */
static void put_command(struct json *j)
{
    json_kv_string(j, "type", "array");
    json_kv_int(j, "minItems", 1);
    json_key(j, "prefixItems");
    json_array(j);
    json_object(j);
    put_ref(j, "#/$defs/program");
    json_end_object(j);
    json_end_array(j);
    json_key(j, "items");
    json_object(j);
    put_ref(j, "#/$defs/text");
    json_end_object(j);
}

static void put_items(struct json *j, const struct config_key *key)
{
    json_kv_string(j, "type", "array");
    if (key->flags & KEY_NOT_EMPTY)
        json_kv_int(j, "minItems", 1);
    json_key(j, "items");
    json_object(j);
    if (key->type == KEY_WORDS)
        put_enum(j, key->words);
    else if (key->type == KEY_TABLES)
        json_kv_string(j, "type", "object");
    else if (key->type == KEY_COMMANDS)
        put_command(j);
    else
        put_ref(j, key->flags & KEY_NAMES ? "#/$defs/name" : "#/$defs/text");
    json_end_object(j);
}

/* One of two: a plain value, and the table of the same name. */
static void put_or_table(struct schema *s, const struct config_key *key, size_t n)
{
    struct json *j = &s->j;
    json_key(j, "oneOf");
    json_array(j);
    json_object(j);
    if (key->type == KEY_WORD_OR_TABLE)
        put_enum(j, key->words);
    else
        json_kv_string(j, "type", "boolean");
    json_end_object(j);
    json_object(j);
    put_table(s, key->name, n, key);
    json_end_object(j);
    json_end_array(j);
}

static void put_size(struct json *j, const struct config_key *key)
{
    json_key(j, "oneOf");
    json_array(j);
    json_object(j);
    json_kv_string(j, "type", "integer");
    put_bounds(j, key);
    json_end_object(j);
    json_object(j);
    put_ref(j, "#/$defs/size");
    json_end_object(j);
    json_end_array(j);
}

static void put_type(struct schema *s, const struct config_key *key, size_t n)
{
    struct json *j = &s->j;
    switch (key->type) {
    case KEY_BOOLEAN:
        json_kv_string(j, "type", "boolean");
        return;
    case KEY_INTEGER:
        json_kv_string(j, "type", "integer");
        put_bounds(j, key);
        return;
    case KEY_SECONDS:
        json_kv_string(j, "type", "number");
        put_bounds(j, key);
        return;
    case KEY_SIZE:
        put_size(j, key);
        return;
    case KEY_STRING:
        put_ref(j, key->flags & KEY_URL     ? "#/$defs/url"
                   : key->flags & KEY_LINE  ? "#/$defs/line"
                   : key->flags & KEY_LABEL ? "#/$defs/label"
                                            : "#/$defs/text");
        return;
    case KEY_WORD:
        put_enum(j, key->words);
        return;
    case KEY_STRINGS:
    case KEY_WORDS:
    case KEY_TABLES:
    case KEY_COMMANDS:
        put_items(j, key);
        return;
    case KEY_WORD_OR_TABLE:
    case KEY_BOOLEAN_OR_TABLE:
        put_or_table(s, key, n);
        return;
    case KEY_TABLE:
    case KEY_ACCESS_TABLE:
    case KEY_STRING_TABLE:
    case KEY_BOOLEAN_TABLE:
        put_table(s, key->name, n, key);
        return;
    case KEY_ANY:
        return;
    }
}

/* ---- one key ---- */

static void put_default(struct schema *s, const struct config_key *key)
{
    struct toml_value *v;
    if (!key->fallback[0] || s->result < 0)
        return;
    int r = toml_parse_value(&s->arena, "default", bytes_of(key->fallback), TOML_1_1, &v, s->err);
    if (r < 0) {
        s->result = r;
        return;
    }
    json_key(&s->j, "default");
    value_put_json(&s->j, v);
}

static void put_words(struct schema *s, const struct config_key *key)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    strbuf_puts(&text, key->text);
    if (key->flags & KEY_UNREAD)
        strbuf_puts(&text, " Nothing reads it yet.");
    if (strbuf_failed(&text))
        s->result = error_errno(s->err, -ENOMEM, "schema");
    json_kv_string(&s->j, "description", strbuf_text(&text));
    if (s->table == &config_keys) {
        strbuf_clear(&text);
        strbuf_printf(&text, "%s.", key_project_words(key->project));
        json_kv_string(&s->j, "$comment", strbuf_text(&text));
    }
}

/* What stands at the first N bytes of NAME: a row, or a table above rows. */
static void put_node(struct schema *s, const char *name, size_t n)
{
    const struct config_key *key = row_of(s, name, n);
    json_object(&s->j);
    if (key) {
        put_words(s, key);
        put_default(s, key);
        put_type(s, key, n);
    } else {
        put_table(s, name, n, NULL);
    }
    json_end_object(&s->j);
}

/* ---- the document ---- */

static void put_pattern(struct json *j, const char *name, const char *pattern)
{
    json_key(j, name);
    json_object(j);
    json_kv_string(j, "type", "string");
    json_kv_string(j, "pattern", pattern);
    json_end_object(j);
}

static void put_defs(struct json *j)
{
    static const char *const access[] = {"read", "write", "none", "deny", NULL};
    json_key(j, "$defs");
    json_object(j);
    put_pattern(j, "text", TEXT);
    put_pattern(j, "size", SIZE);
    put_pattern(j, "name", NAME);
    put_pattern(j, "program", PROGRAM);
    put_pattern(j, "url", URL);
    put_pattern(j, "line", LINE);
    put_pattern(j, "label", LABEL);
    json_key(j, "access");
    json_object(j);
    json_key(j, "oneOf");
    json_array(j);
    json_object(j);
    put_enum(j, access);
    json_end_object(j);
    json_object(j);
    json_kv_string(j, "type", "object");
    json_end_object(j);
    json_end_array(j);
    json_end_object(j);
    json_end_object(j);
}

int schema_print(const struct key_table *table, const char *title, struct strbuf *out,
                 struct error *err)
{
    struct schema s = {.table = table, .err = err};
    json_begin(&s.j, out);
    json_object(&s.j);
    json_kv_string(&s.j, "$schema", "https://json-schema.org/draft/2020-12/schema");
    json_kv_string(&s.j, "title", title);
    json_kv_string(&s.j, "description",
                   "Keys that are not named here are allowed: in a file they are a warning, with "
                   "--strict-config an error.");
    put_table(&s, "", 0, NULL);
    put_defs(&s.j);
    json_end_object(&s.j);
    strbuf_putc(out, '\n');
    arena_release(&s.arena);
    if (s.result == 0 && !json_ok(&s.j))
        s.result = error_errno(err, -ENOMEM, "schema");
    return s.result;
}
