/*
 * Permissions beyond the profile, for one run: what somebody asked for with --grant, or what a run
 * was refused and a person then allowed. A grant never passes what requirements, a project's file
 * or bawn itself shut.
 */
#ifndef BAWN_CLI_GRANTS_H
#define BAWN_CLI_GRANTS_H

#include "base/vec.h"
#include "cli/setup.h"
#include "sandbox/denials.h"

enum grant_kind { GRANT_READ, GRANT_WRITE, GRANT_SOCKET, GRANT_NETWORK };

struct grant {
    enum grant_kind kind;
    const char *what; /* an absolute path, resolved; NULL for the network */
    const char *text; /* KIND:WHAT, as --grant takes it */
};

struct grants {
    VEC(struct grant) v;
};

/* "write:PATH" and so on; relative to CWD. -EINVAL with what would be right. */
int grant_parse(struct arena *a, const char *cwd, const char *text, struct grant *ret,
                struct error *err);
/* What would have let DENIAL pass, as little as there is. -ENOENT: nothing that can be granted;
 * then *ret_why (may stay NULL) says why in one phrase. */
int grant_of_denial(struct arena *a, const struct setup *s, const struct denial *denial,
                    struct grant *ret, const char **ret_why);
/* Adds one unless it is there. */
int grants_add(struct grants *g, const struct grant *grant);
/* Widens the profile of S, which setup_profile() made, before the survey. -EPERM where something
 * stands above what a person can allow. */
int grants_apply(struct setup *s, const struct grants *g, struct error *err);
/* "write to /x/y": for a person, in A. NULL without memory. */
const char *grant_words(struct arena *a, const struct grant *grant);

#endif
