/*
 * Is the project in this folder trusted (spec 3.3)? Entries come from $BAWN_HOME/trust.toml and
 * from `[projects."PATH"]` of the configuration; the decision is pure. Only what a person said is
 * trust: nothing here writes.
 */
#ifndef BAWN_CONFIG_TRUST_H
#define BAWN_CONFIG_TRUST_H

#include "base/error.h"
#include "base/mem.h"
#include "base/toml.h"
#include "permissions/profile.h"

enum trust_level { TRUST_NONE, TRUST_TRUSTED, TRUST_UNTRUSTED };

struct trust_entry {
    const char *path; /* canonical: absolute, normalised */
    enum trust_level level;
    bool recursive; /* covers the folders below PATH too */
    struct origin origin;
};

struct trust {
    struct trust_entry *v;
    size_t n;
};

/* What the folder belongs to. */
struct project {
    const char *root;            /* canonical; the nearest folder at or above that holds a marker;
                                    the folder itself when none does */
    bool marked;                 /* a marker was found */
    const char *main_repository; /* of a linked worktree whose back-pointer was verified, or NULL */
};

/* The project that CWD (canonical) is in. MARKERS are names such as ".git"; with none, CWD is its
 * own root. Looks at the disk: one stat a marker and level, and the three files of a linked
 * worktree.
 *
 * ".git" is a marker as a directory with a HEAD or as a regular file: the empty directory that bawn
 * puts there itself is none. In a directory that everybody can write (/tmp) what another user put
 * there marks nothing.
 *
 * A linked worktree counts as one only when the main repository's own record of it
 * (.git/worktrees/NAME/gitdir) names this very .git file, and all of it belongs to one user: what a
 * stranger writes into a folder cannot borrow another repository's trust. What cannot be verified
 * is no error: NULL. A submodule has no main repository. */
int project_find(struct arena *a, const char *cwd, const char *const *markers, size_t n_markers,
                 struct project *ret, struct error *err);

/* Appends the entries of PROJECTS (a table PATH -> { trust_level, recursive }; NULL = none). `~` is
 * HOME's (canonical, or NULL); other relative paths and paths with . or .. are errors, as are wrong
 * types (with their place: config_error_at()). An entry without trust_level is none. */
int trust_add(struct arena *a, struct trust *trust, const struct toml_value *projects,
              const char *home, struct error *err);

/* The level that holds for CWD in PROJECT (may be NULL). The nearest entry at or above CWD decides
 * that is CWD's own, the project root's own, or recursive; where there is none, the main
 * repository's own. So "untrusted" for a project holds in its sub-folders also where a folder above
 * it is trusted recursively. Of several entries for one path "untrusted" wins, and covers what any
 * of them covers. *ret_entry (may be NULL): what decided, or NULL. */
enum trust_level trust_decide(const struct trust *trust, const char *cwd,
                              const struct project *project, const struct trust_entry **ret_entry);

const char *trust_word(enum trust_level level); /* "trusted", "untrusted", "unknown" */

#endif
