/*
 * The body of a refusal or a failure, for programs and for people: one line of JSON with the rule,
 * the reason and the line that would allow it (spec 5.4). Agents read this.
 */
#ifndef BAWN_HELPER_REFUSAL_H
#define BAWN_HELPER_REFUSAL_H

#include "network/policy.h"

struct refusal_body {
    unsigned status;
    const char *reason;               /* a word */
    const struct netrequest *request; /* or NULL */
    const char *text;                 /* a sentence without its full stop */
    bool decided;                     /* a decision, and not something that failed */
    const struct netrule *rule;       /* that refused, or NULL */
    const char *rule_of;              /* what kind of rule, "" or with a space at its end */
    const char *block_message;        /* of the configuration, or NULL */
    const char *hint;                 /* or NULL */
};

/* The line with its end. */
void refusal_json(const struct refusal_body *r, struct strbuf *out);
/* What is said in it for people: "example.com:443: no rule allows it; rule …. block_message". */
void refusal_message(const struct refusal_body *r, struct strbuf *out);

#endif
