/* bawn config schema [requirements]: the JSON Schema of a document, to standard output. */
#include "cli/cmd_config.h"
#include "cli/print.h"

#include "config/schema.h"

#include <errno.h>

int config_schema(struct setup *s, const struct options *o)
{
    static const struct {
        const char *word, *title;
        const struct key_table *table;
    } documents[] = {
        {"config", "bawn: config.toml", &config_keys},
        {"requirements", "bawn: requirements.toml", &requirement_keys},
    };
    (void)s;
    const char *word = o->n_rest > 1 ? o->rest[1] : documents[0].word;
    _cleanup_strbuf_ struct strbuf out = {0};
    struct error err = {0};
    for (size_t i = 0; o->n_rest < 3 && i < ARRAY_LEN(documents); i++) {
        if (!str_eq(word, documents[i].word))
            continue;
        if (schema_print(documents[i].table, documents[i].title, &out, &err) < 0)
            return cli_error(&err, EXIT_BROKEN);
        return print_out(&out);
    }
    (void)error_set(&err, -EINVAL, "config schema: unknown word %s",
                    show(o->rest[o->n_rest > 2 ? 2 : 1]));
    error_hint(&err, "bawn config schema, or bawn config schema requirements");
    return cli_error(&err, EXIT_USAGE);
}
