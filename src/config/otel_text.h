/*
 * The forms that `[otel]` and the standard variables have: URLs, ${NAME}, lists of NAME=VALUE,
 * header fields. Pure; a fault is said in words that hold no part of what was read, which may be
 * secret.
 */
#ifndef BAWN_CONFIG_OTEL_TEXT_H
#define BAWN_CONFIG_OTEL_TEXT_H

#include "config/otel.h"

struct otel_fault {
    const char *what, *hint; /* static; hint: NULL where there is none */
};

struct otel_url {
    bool tls;
    struct bytes authority;   /* host and port */
    struct bytes path, query; /* with their first byte; or empty */
};

/* An absolute http or https URL, its parts in TEXT. Faults: name and password, fragments, bytes
 * that no URL has. */
bool otel_url_read(struct bytes text, struct otel_url *ret, struct otel_fault *ret_fault);

/* TEXT with ${NAME} replaced by what GET says, in A. -EINVAL: the form is wrong; -ENOENT: there is
 * no such variable, its name is in *ret_missing. -ENOMEM. */
int otel_expand(struct arena *a, struct bytes text, const char *(*get)(void *data, const char *),
                void *data, const char **ret, struct bytes *ret_missing);

/* NAME=VALUE,NAME=VALUE with %XX in values, as W3C Baggage without properties. In A. -EINVAL with
 * the fault, -ENOMEM. */
int otel_list_read(struct arena *a, const char *text, struct otel_pairs *ret,
                   struct otel_fault *ret_fault);

/* NULL: it can be sent; else what is wrong with it. A name is in lower case already. */
const char *otel_header_name_fault(const char *name);
const char *otel_header_value_fault(const char *value);
/* Of an attribute: NULL, or what is wrong. */
const char *otel_attribute_fault(struct bytes name, const char *value);
/* 1 to MOST milliseconds in decimal. */
bool otel_milliseconds(const char *text, uint32_t most, uint32_t *ret);

#endif
