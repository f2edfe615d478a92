/*
 * Which requests may be made of a host: by method and path (spec 5.6). For those whose clear text
 * is seen: plain HTTP, and TLS that is intercepted. Pure.
 *
 *   [[permissions.NAME.network.requests]]
 *   host = "api.example.com"      a pattern of pattern.h
 *   methods = ["GET", "HEAD"]     left out: any
 *   path = "/v1**"                left out: any
 *   decision = "allow"            or "deny"
 *
 * The first rule that matches decides. A host that some rule names, and no rule's method and path:
 * refused. A host that none names: whatever else holds decides.
 *
 * A path is matched without its query and normalised: escapes of letters, digits and "-._~" are
 * decoded, those of others have upper-case digits. What servers read in two ways is refused before
 * matching, on hosts that have rules: "." and ".." as segments (also as "..;x"), empty segments, a
 * slash or backslash that is encoded, a backslash, %00, a % that is no escape. In a rule's path `*`
 * stands for anything within a segment, `**` for anything at all, `?` for one byte but a slash.
 */
#ifndef BAWN_NETWORK_REQUESTS_H
#define BAWN_NETWORK_REQUESTS_H

#include "base/mem.h"
#include "network/pattern.h"
#include "network/policy.h"
#include "permissions/profile.h"

#define MAX_REQUEST_RULES   4096u
#define MAX_REQUEST_METHODS 32u
#define MAX_REQUEST_GLOB    512u /* bytes of a rule's path */
#define MAX_METHOD_BYTES    23u  /* as in http_head.h */

struct request_rule {
    struct netpattern host;
    const char *const *methods; /* none: any */
    size_t n_methods;
    const char *path; /* or NULL: any */
};

struct netrequests {
    const struct request_rule *rules;
    /* Of the same number and order: place and decision; `pattern` is the host's, `id` the index. As
     * a list of rules for wire_event_read(). */
    const struct netrule *places;
    size_t n;
};

enum requests_reason {
    REQUESTS_NO_RULES, /* nothing names the host: allowed, as far as this goes */
    REQUESTS_ALLOWED,
    REQUESTS_DENIED,
    REQUESTS_NOT_NAMED, /* the host has rules, and none matches */
    REQUESTS_BAD_PATH,
};

struct requests_answer {
    enum net_decision decision; /* NET_ALLOW or NET_DENY */
    enum requests_reason reason;
    const struct netrule *rule; /* that decided, or NULL */
    const char *text;           /* a sentence about a refusal, without its full stop; or NULL */
};

/* From the profile's tables, the nearest profile's rules first. A fault has its place. */
int requests_from_config(struct arena *a, const struct profile *profile, struct netrequests *ret,
                         struct error *err);

/* TARGET: what stands in the request after the host, "/path?query" ("" is "/", "*" of OPTIONS). */
void requests_decide(const struct netrequests *r, const struct host *host, uint16_t port,
                     struct bytes method, struct bytes target, struct requests_answer *ret);
/* Does any rule name the host? */
bool requests_name(const struct netrequests *r, const struct host *host, uint16_t port);

/* What mode = "limited" lets pass: GET, HEAD, OPTIONS. */
bool method_is_reading(struct bytes method);

/* For settings that travel (pack.h). Appends; check strbuf_failed(). */
void requests_write(const struct netrequests *r, struct strbuf *out);
/* From the beginning of *TEXT, which is moved past it and must outlive *ret. */
int requests_read(struct arena *a, struct bytes *text, struct netrequests *ret, struct error *err);

/* The path of TARGET, normalised, into BUF (CAP bytes; as long as the target is always enough).
 * NULL, or what is wrong with it: a sentence. */
const char *request_path(struct bytes target, char *buf, size_t cap, size_t *ret_n);
/* Does the path (normalised) match? In time of their lengths' product. */
bool request_glob(const char *glob, struct bytes path);

#endif
