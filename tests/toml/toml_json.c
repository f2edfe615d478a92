/*
 * The decoder of the toml-test corpus: TOML in, tagged JSON out, {"type": "integer", "value": "1"}.
 *
 *   toml_json [--1.0|--1.1] <FILE    one document; exit 1 and a message when it is refused
 *   toml_json [--1.0|--1.1] --batch  documents framed as "LENGTH\n" and LENGTH bytes; for each one
 *                                    line: "ok JSON" or "no LINE:COLUMN: MESSAGE"
 */
#include "base/fd.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/toml.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void put_date(struct strbuf *b, const struct toml_datetime *d)
{
    strbuf_printf(b, "%04d-%02d-%02d", d->year, d->month, d->day);
}

static void put_time(struct strbuf *b, const struct toml_datetime *d)
{
    strbuf_printf(b, "%02d:%02d:%02d", d->hour, d->minute, d->second);
    if (d->nanosecond)
        strbuf_printf(b, ".%09d", d->nanosecond);
}

static void put_scalar(struct strbuf *b, const struct toml_value *v)
{
    switch (v->type) {
    case TOML_STRING:
        strbuf_put(b, v->string.p, v->string.n);
        break;
    case TOML_INTEGER:
        strbuf_printf(b, "%lld", (long long)v->integer);
        break;
    case TOML_FLOAT:
        if (isnan(v->floating))
            strbuf_puts(b, "nan");
        else
            strbuf_printf(b, "%.17g", v->floating);
        break;
    case TOML_BOOLEAN:
        strbuf_puts(b, v->boolean ? "true" : "false");
        break;
    case TOML_LOCAL_DATE:
        put_date(b, &v->datetime);
        break;
    case TOML_LOCAL_TIME:
        put_time(b, &v->datetime);
        break;
    default:
        put_date(b, &v->datetime);
        strbuf_putc(b, 'T');
        put_time(b, &v->datetime);
        if (v->type == TOML_OFFSET_DATETIME) {
            int minutes = abs(v->datetime.offset_minutes);
            strbuf_printf(b, "%c%02d:%02d", v->datetime.offset_minutes < 0 ? '-' : '+',
                          minutes / 60, minutes % 60);
        }
        break;
    }
}

static const char *const tags[] = {
    [TOML_STRING] = "string",
    [TOML_INTEGER] = "integer",
    [TOML_FLOAT] = "float",
    [TOML_BOOLEAN] = "bool",
    [TOML_OFFSET_DATETIME] = "datetime",
    [TOML_LOCAL_DATETIME] = "datetime-local",
    [TOML_LOCAL_DATE] = "date-local",
    [TOML_LOCAL_TIME] = "time-local",
};

/* Recursion is bounded by MAX_TOML_DEPTH. */
static void put_value(struct json *j, const struct toml_value *v)
{
    if (v->type == TOML_TABLE) {
        json_object(j);
        for (const struct toml_member *m = v->table.first; m; m = m->next) {
            json_bytes(j, m->key.p, m->key.n);
            strbuf_putc(j->out, ':');
            j->comma = false;
            put_value(j, m->value);
        }
        json_end_object(j);
    } else if (v->type == TOML_ARRAY) {
        json_array(j);
        for (size_t i = 0; i < v->array.n; i++)
            put_value(j, v->array.items[i]);
        json_end_array(j);
    } else {
        _cleanup_strbuf_ struct strbuf text = {0};
        put_scalar(&text, v);
        json_object(j);
        json_kv_string(j, "type", tags[v->type]);
        json_key(j, "value");
        json_bytes(j, strbuf_text(&text), text.n);
        json_end_object(j);
    }
}

static int decode(struct bytes text, enum toml_version version, struct strbuf *out,
                  struct error *err)
{
    _cleanup_arena_ struct arena a = {0};
    struct toml_value *root;
    struct json j;
    int r = toml_parse(&a, "stdin", text, version, &root, err);
    if (r < 0)
        return r;
    json_begin(&j, out);
    put_value(&j, root);
    return json_ok(&j) ? 0 : error_set(err, -E2BIG, "too deep or too large for the JSON writer");
}

static int batch(enum toml_version version)
{
    char head[32], *text = malloc(MAX_FILE_BYTES);
    if (!text)
        return 2;
    while (fgets(head, sizeof(head), stdin)) {
        struct error err = {0};
        _cleanup_strbuf_ struct strbuf out = {0};
        size_t n = strtoul(head, NULL, 10);
        if (n > MAX_FILE_BYTES || fread(text, 1, n, stdin) != n) {
            free(text);
            return 2;
        }
        /* A copy of exactly the document, so that a sanitizer sees a read past it. */
        char *exact = malloc(n ? n : 1);
        if (!exact)
            abort();
        memcpy(exact, text, n);
        if (decode((struct bytes){exact, n}, version, &out, &err) == 0)
            printf("ok %s\n", strbuf_text(&out));
        else
            printf("no %u:%u: %s\n", err.line, err.column, err.message);
        (void)fflush(stdout);
        free(exact);
    }
    free(text);
    return 0;
}

int main(int argc, char **argv)
{
    enum toml_version version = TOML_1_0;
    for (int i = 1; i < argc; i++) {
        if (str_eq(argv[i], "--1.1")) {
            version = TOML_1_1;
        } else if (str_eq(argv[i], "--batch")) {
            return batch(version);
        } else if (!str_eq(argv[i], "--1.0")) {
            (void)fprintf(stderr, "usage: toml_json [--1.0|--1.1] [--batch]\n");
            return 2;
        }
    }
    struct error err = {0};
    _cleanup_strbuf_ struct strbuf in = {0}, out = {0};
    if (fd_read_all(STDIN_FILENO, MAX_FILE_BYTES, &in) < 0)
        return 2;
    if (decode((struct bytes){in.p, in.n}, version, &out, &err) < 0) {
        (void)fprintf(stderr, "%u:%u: %s\n", err.line, err.column, err.message);
        return 1;
    }
    return puts(strbuf_text(&out)) < 0 ? 2 : 0;
}
