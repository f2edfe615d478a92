/*
 * Makes bawn-config.5 and bawn-requirements.5 from the tables of keys: copies the page on standard
 * input and puts the rows where a line names them (@READ@, @PERMISSIONS@, @UNREAD@). So a page
 * cannot lag behind its table.
 *
 *   config-keys config|requirements <PAGE.scd.in >PAGE.scd
 */
#include "config/keys.h"

#include <stdio.h>
#include <string.h>

enum section { READ, PERMISSIONS, UNREAD };

static enum section section_of(const struct config_key *k)
{
    return k->flags & KEY_UNREAD ? UNREAD : k->flags & KEY_PROFILE ? PERMISSIONS : READ;
}

/* Text for scdoc: what it would take for markup is escaped. */
static void put(const char *s)
{
    for (; *s; s++) {
        if (strchr("\\*_+#`[]|<~.", *s))
            putchar('\\');
        putchar(*s);
    }
}

static void put_value(const struct config_key *k)
{
    if (k->words) {
        struct strbuf words = {0};
        key_put_words(&words, k->words);
        printf(k->type == KEY_WORDS ? "a list of " : "");
        put(strbuf_text(&words));
        strbuf_release(&words);
        printf(k->type == KEY_WORD_OR_TABLE ? ", or a table" : "");
    } else {
        put(key_type_word(k->type));
        printf(k->flags & KEY_NAMES ? ", relative names without wildcards" : "");
        printf(k->flags & KEY_URL ? ", a URL" : "");
        printf(k->flags & KEY_LINE ? ", one line" : "");
        printf(k->flags & KEY_LABEL ? ", at most 32 letters, digits, dots, dashes and underscores"
                                    : "");
    }
    if (k->most)
        printf(" from %lld to %lld", (long long)k->least, (long long)k->most);
    printf(k->flags & KEY_NOT_EMPTY ? ", not empty" : "");
    if (k->fallback[0]) {
        printf("; default ");
        put(k->fallback);
    }
    printf(".");
}

static void put_rows(const struct key_table *table, enum section section)
{
    for (size_t i = 0; i < table->n; i++) {
        const struct config_key *k = &table->keys[i];
        if (section_of(k) != section)
            continue;
        putchar('*');
        put(k->name);
        printf("*\n\t");
        put(k->text);
        printf(" Value: ");
        put_value(k);
        if (k->flags & KEY_FILTER)
            printf(" Means something only with the filtering proxy.");
        if (k->flags & KEY_TOP)
            printf(" Cannot stand in a configuration profile.");
        if (table == &config_keys && k->project != PROJECT_NO) {
            putchar(' ');
            put(key_project_words(k->project));
            printf(".");
        }
        printf("\n\n");
    }
}

int main(int argc, char **argv)
{
    char line[4096];
    const struct key_table *table =
        argc > 1 && str_eq(argv[1], "requirements") ? &requirement_keys : &config_keys;
    while (fgets(line, sizeof(line), stdin)) {
        if (str_eq(line, "@READ@\n"))
            put_rows(table, READ);
        else if (str_eq(line, "@PERMISSIONS@\n"))
            put_rows(table, PERMISSIONS);
        else if (str_eq(line, "@UNREAD@\n"))
            put_rows(table, UNREAD);
        else
            fputs(line, stdout);
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
