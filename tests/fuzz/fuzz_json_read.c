/* Bytes as JSON: what is read is written and read again as the same, places lie in the text, and
 * nothing that the reader refuses is without a place. */
#include "base/json_read.h"

#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(struct json *j, const struct json_value *v, size_t size)
{
    if ((size_t)v->at + v->length > size || v->length == 0)
        abort();
    switch (v->type) {
    case JSON_NULL:
        json_null(j);
        break;
    case JSON_BOOL:
        json_bool(j, v->boolean);
        break;
    case JSON_NUMBER:
        json_raw(j, v->text.p);
        break;
    case JSON_STRING:
        if (v->text.p[v->text.n] != '\0')
            abort();
        json_bytes(j, v->text.p, v->text.n);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        v->type == JSON_ARRAY ? json_array(j) : json_object(j);
        for (size_t i = 0; i < v->n; i++) {
            if (v->type == JSON_OBJECT)
                json_key_bytes(j, v->names[i].p, v->names[i].n);
            write_value(j, &v->items[i], size);
        }
        v->type == JSON_ARRAY ? json_end_array(j) : json_end_object(j);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena a = {0};
    _cleanup_strbuf_ struct strbuf once = {0}, twice = {0};
    const struct json_value *v;
    struct error err = {0};
    struct json j;
    if (json_parse(&a, "f", (struct bytes){(const char *)data, size}, &v, &err) < 0) {
        if (err.line == 0 || err.column == 0 || err.message[0] == '\0')
            abort();
        return 0;
    }
    json_begin(&j, &once);
    write_value(&j, v, size);
    if (!json_ok(&j) || json_parse(&a, NULL, (struct bytes){once.p, once.n}, &v, &err) < 0)
        abort();
    json_begin(&j, &twice);
    write_value(&j, v, once.n);
    if (once.n != twice.n || memcmp(once.p, twice.p, once.n) != 0)
        abort();
    return 0;
}
