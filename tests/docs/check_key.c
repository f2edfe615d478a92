/*
 * What the parser says of a setting, for tests/docs/keys_schema.py:
 *
 *   check_key --rows          one row a line: TABLE NAME TYPE FLAGS LEAST MOST DEFAULT WORDS…, by
 * tabs check_key <FILE           lines of TABLE, ROW, DOCUMENT by tabs; DOCUMENT is TOML on one
 * line, with the one key that ROW is about. For each: "ok JSON" or "no MESSAGE" check_key --json
 * <FILE    one document as JSON
 *
 * TABLE is config or requirements. Judged is what a file is judged by, and the row itself, since
 * what stands in a permission profile is looked at later.
 */
#include "base/fd.h"
#include "base/limits.h"
#include "config/layers.h"
#include "config/value.h"

#include <stdio.h>
#include <unistd.h>

static const struct key_table *table_of(const char *word)
{
    return str_eq(word, "requirements") ? &requirement_keys : &config_keys;
}

static void put_rows(const char *word)
{
    const struct key_table *table = table_of(word);
    for (size_t i = 0; i < table->n; i++) {
        const struct config_key *k = &table->keys[i];
        printf("%s\t%s\t%d\t%u\t%lld\t%lld\t%s", word, k->name, (int)k->type, k->flags,
               (long long)k->least, (long long)k->most, k->fallback);
        for (size_t w = 0; k->words && k->words[w]; w++)
            printf("\t%s", k->words[w]);
        printf("\n");
    }
}

static const struct config_key *row_of(const struct key_table *table, const char *name)
{
    for (size_t i = 0; i < table->n; i++)
        if (str_eq(table->keys[i].name, name))
            return &table->keys[i];
    return NULL;
}

/* The value behind as many tables as the row's name has components. */
static const struct toml_value *value_of(const char *row, const struct toml_value *v)
{
    for (; *row; row += strcspn(row, "."), row += *row == '.')
        v = v->table.first->value;
    return v;
}

static void judge(const char *word, const char *row, const char *text)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    struct config config = {.arena = &a};
    struct config_layer layer = {
        .rank = RANK_USER, .name = "user", .file = word, .text = bytes_of(text)};
    struct toml_value *tree;
    const struct toml_value *at;
    const struct config_key *key = row_of(table_of(word), row);
    int r = config_parse_layer(&a, &layer, &tree, &err);
    if (r == 0)
        r = layer_check(&config, table_of(word), &layer, tree, false, &err);
    if (r == 0)
        r = key_check(key, value_of(row, tree), &at, &err);
    if (r < 0) {
        printf("no %s\n", err.message);
        return;
    }
    struct json j;
    json_begin(&j, &out);
    value_put_json(&j, tree);
    printf("ok %s\n", strbuf_text(&out));
}

static int put_document(void)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf text = {0}, out = {0};
    struct error err = {0};
    struct toml_value *tree;
    if (fd_read_all(0, MAX_FILE_BYTES, &text) < 0)
        return 2;
    if (toml_parse(&a, "input", (struct bytes){strbuf_text(&text), text.n}, TOML_1_1, &tree, &err) <
        0) {
        fprintf(stderr, "%u: %s\n", err.line, err.message);
        return 1;
    }
    struct json j;
    json_begin(&j, &out);
    value_put_json(&j, tree);
    printf("%s\n", strbuf_text(&out));
    return 0;
}

int main(int argc, char **argv)
{
    static char line[65536];
    if (argc > 1 && str_eq(argv[1], "--json"))
        return put_document();
    if (argc > 1) {
        put_rows("config");
        put_rows("requirements");
        return 0;
    }
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        char *row = strchr(line, '\t'), *text = row ? strchr(row + 1, '\t') : NULL;
        if (!text)
            return 2;
        *row++ = '\0';
        *text++ = '\0';
        judge(line, row, text);
    }
    return 0;
}
