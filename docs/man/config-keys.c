/*
 * Makes bawn-config.5 from the table of keys: copies the page on standard input and puts the rows
 * where a line names them (@READ@, @PERMISSIONS@, @UNREAD@). So the page cannot lag behind the
 * table.
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

static void put_rows(enum section section)
{
    for (size_t i = 0; i < n_config_keys; i++) {
        const struct config_key *k = &config_keys[i];
        if (section_of(k) != section)
            continue;
        putchar('*');
        put(k->name);
        printf("*\n\t");
        put(k->text);
        printf(" Value: ");
        if (k->words) {
            struct strbuf words = {0};
            key_put_words(&words, k->words);
            put(strbuf_text(&words));
            if (k->type == KEY_WORD_OR_TABLE)
                printf(", or a table");
            strbuf_release(&words);
        } else {
            put(key_type_word(k->type));
        }
        if (k->fallback[0]) {
            printf("; default ");
            put(k->fallback);
        }
        printf(".\n\n");
    }
}

int main(void)
{
    char line[4096];
    while (fgets(line, sizeof(line), stdin)) {
        if (strcmp(line, "@READ@\n") == 0)
            put_rows(READ);
        else if (strcmp(line, "@PERMISSIONS@\n") == 0)
            put_rows(PERMISSIONS);
        else if (strcmp(line, "@UNREAD@\n") == 0)
            put_rows(UNREAD);
        else
            fputs(line, stdout);
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
