/*
 * Writing JSON (RFC 8259) into a strbuf. Commas and nesting are kept by the writer. Strings are
 * bytes: a byte that is not part of well-formed UTF-8 is written as the escape \udcXX (a lone
 * surrogate, as Python's surrogateescape does), so that every file name survives the way there and
 * back.
 */
#ifndef BAWN_BASE_JSON_H
#define BAWN_BASE_JSON_H

#include "base/str.h"

struct json {
    struct strbuf *out;
    unsigned depth;
    bool comma;  /* the next value is not the first of its container */
    bool failed; /* nesting beyond MAX_JSON_DEPTH, or the strbuf failed */
};

void json_begin(struct json *j, struct strbuf *out);
void json_object(struct json *j); /* { */
void json_array(struct json *j);  /* [ */
void json_end_object(struct json *j);
void json_end_array(struct json *j);
void json_key(struct json *j, const char *key);
void json_key_bytes(struct json *j, const void *key, size_t n);
void json_bytes(struct json *j, const void *p, size_t n);
void json_string(struct json *j, const char *s); /* NULL is written as null */
void json_int(struct json *j, int64_t v);
void json_uint(struct json *j, uint64_t v);
void json_bool(struct json *j, bool v);
void json_null(struct json *j);
void json_raw(struct json *j, const char *number); /* a number, already written out */
/* "KEY": value, for the usual kinds. */
void json_kv_string(struct json *j, const char *key, const char *s);
void json_kv_int(struct json *j, const char *key, int64_t v);
void json_kv_bool(struct json *j, const char *key, bool v);
/* True when all was written. */
bool json_ok(const struct json *j);

#endif
