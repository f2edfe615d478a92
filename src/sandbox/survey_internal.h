/*
 * What the parts of the survey share: survey.c (entries, access, hard links), survey_resolve.c
 * (paths), survey_git.c (.git files, nested repositories), survey_glob.c (patterns) and
 * survey_walk.c (the walk).
 */
#ifndef BAWN_SANDBOX_SURVEY_INTERNAL_H
#define BAWN_SANDBOX_SURVEY_INTERNAL_H

#include "base/limits.h"
#include "base/vec.h"
#include "sandbox/survey.h"

#include <sys/stat.h>

#define SURVEY_MAX_LINKS             40u       /* symlinks of one resolution, as the kernel's */
#define SURVEY_MAX_SCANNED           50000000u /* directory entries one survey looks at */
#define SURVEY_MAX_MATCHES           MAX_PLAN_MOUNTS /* of all globs together */
#define SURVEY_MAX_RESULT_BYTES      (1024ul << 20)  /* of the matches' paths */
#define SURVEY_MAX_GIT_DIRS          20000u /* directories the search for nested repositories opens */
#define SURVEY_MAX_HARDLINK_WARNINGS 64u
#define SURVEY_MANY_MOUNTS           1000u /* the kernel's limit on mounts is asked for from here on */

/* ---- survey_resolve.c: from a path to what stands there, with one look-up ---- */

struct resolved_link {
    const char *path; /* the link's own canonical place */
    dev_t dev;
    ino_t ino;
    nlink_t nlink;
    bool named; /* the path given names this link itself */
};

struct resolved {
    const char *path; /* canonical; with `missing` components that do not exist at its end */
    enum file_kind kind;
    unsigned missing;
    bool closed; /* missing, and this user cannot make it */
    dev_t dev;
    ino_t ino;
    nlink_t nlink;
    const char *blocker; /* a file stands where a directory is needed: its path. Else NULL */
    bool no_target;      /* only links: a loop, or a directory on the way may not be searched */
    int error;           /* no_target: why */
    struct resolved_link links[SURVEY_MAX_LINKS];
    size_t n_links;
};

struct known_dir {
    const char *key;  /* the path it was asked for */
    int fd;           /* O_PATH; of the deepest directory that exists */
    const char *path; /* of FD */
    unsigned missing; /* components of KEY below FD */
    dev_t dev;
    ino_t ino;
    bool asked;       /* the two below are known: what is missing in the directory shares them */
    bool closed;      /* nothing can be made in it */
    bool placeholder; /* it is one itself */
};

#define KNOWN_DIRS 32u
struct resolver {
    struct arena *a;
    const char *state_dir;
    int root; /* O_PATH of "/" */
    struct known_dir known[KNOWN_DIRS];
    size_t n_known, oldest;
};

int resolver_init(struct resolver *r, struct arena *a, const char *state_dir);
void resolver_release(struct resolver *r);
/* After something was made: what is remembered may be out of date. */
void resolver_forget(struct resolver *r);
/* PATH is absolute and normalised. Negative only for faults of the machine (memory, descriptors,
 * EIO). */
int resolver_look(struct resolver *r, const char *path, struct resolved *ret);
/* The same for a PATH that is absolute but may hold "." and "..", which are taken where they stand.
 */
int resolver_walk(struct resolver *r, const char *path, struct resolved *ret);
enum file_kind kind_of_mode(unsigned mode);

/* ---- survey_glob.c: patterns as one automaton ---- */

struct glob_test;    /* a component pattern that a node waits for */
struct glob_pattern; /* one entry's, compiled */

/* The positions of all patterns that are open in one directory, with the tests a name there is put
 * to, sorted by the byte it has to begin or end with. */
struct glob_node {
    struct glob_node *next; /* in its bucket */
    uint64_t *set;
    uint64_t *rest;              /* what stays open in a directory that no test matches */
    struct glob_node *otherwise; /* the node of `rest`, once known; NULL: nothing can match there */
    bool otherwise_known;
    const struct glob_test *by_first[256], *by_last[256], *others;
};

struct glob_set {
    struct arena *a;
    struct glob_pattern *patterns;
    size_t n;
    size_t words;   /* of a set */
    bool has_limit; /* some pattern has a max_depth */
    uint64_t *scratch;
    struct glob_node *buckets[64];
    size_t n_nodes;
};

/* Compiles the globs of N entries; BASES are their fixed directories, canonical. */
int glob_set_init(struct glob_set *g, struct arena *a, const struct perm_entry *const *entries,
                  const char *const *bases, size_t n);
/* The node of the directory PATH (canonical), by all patterns whose base is PATH or above it. NULL
 * when nothing can match in it. */
int glob_set_start(struct glob_set *g, const char *path, struct glob_node **ret);
/* The node of a raw set (as another process sent it). */
int glob_set_node(struct glob_set *g, const uint64_t *set, struct glob_node **ret);
/* Which pattern matches NAME (N bytes, terminated, no directory) in a directory of NODE that is
 * DEPTH components deep? -1: none. */
ptrdiff_t glob_match_name(const struct glob_set *g, const struct glob_node *node, const char *name,
                          size_t n, size_t depth);
/* The same for a directory; when none matches, *ret_next is its node, or NULL: nothing can match in
 * it. Returns the pattern, -1, or -2 when memory ran out. */
ptrdiff_t glob_match_dir(struct glob_set *g, struct glob_node *node, const char *name, size_t n,
                         size_t depth, struct glob_node **ret_next);

/* Some pattern that is open in NODE. */
ptrdiff_t glob_any_pattern(const struct glob_set *g, const struct glob_node *node);

/* ---- survey_walk.c ---- */

struct walk_match {
    const char *path;
    ptrdiff_t pattern;
    enum file_kind kind;
    dev_t dev;
    ino_t ino;
    nlink_t nlink;
    bool shut; /* not a match: a directory that cannot be looked into and is masked whole */
    bool full; /* not a match: a directory with nothing but matches in it */
};

/* Told of each match; PATH lives in the arena. */
typedef int walk_report(void *data, const struct walk_match *match, struct error *err);

struct walk {
    struct arena *a;
    struct glob_set *globs;
    const char *const *starts; /* canonical directories, each is walked on its own */
    size_t n_starts;
    const char *const *skips; /* canonical directories that are not entered */
    size_t n_skips;
    walk_report *report;
    void *data;
    bool wants_full;   /* tell of directories that hold nothing but matches */
    unsigned workers;  /* 0: as many as there are processors, at most WALK_MAX_WORKERS */
    size_t fork_after; /* entries looked at before helpers are started; 0: the default */
};
int walk_globs(struct walk *w, struct error *err);

/* ---- survey.c: what is being put together ---- */

struct survey_built {
    struct survey_item item;
    ptrdiff_t extra; /* item.entry is this one of `extra`; -1: it is set */
};

struct survey_builder {
    struct arena *a;
    const struct survey_request *request;
    struct resolver resolver;
    VEC(struct survey_built) items;
    VEC(struct perm_entry) extra;
    VEC(struct survey_full) full;
    VEC(const char *) warnings;
    VEC(struct perm_entry) canonical; /* the profile's entries where they really are, and `extra` */
    size_t hardlinks;                 /* that a warning was given for */
};

int survey_memory(struct error *err);
int survey_warn(struct survey_builder *b, const char *fmt, ...) _printf_(2, 3);
/* What the profile and the extra entries found so far allow on a canonical path. */
enum access survey_access(const struct survey_builder *b, const char *path);
/* Does an entry grant writing for exactly this canonical path? */
bool survey_lifted(const struct survey_builder *b, const char *path);
/* An entry (KIND, read) for what RES describes, on behalf of BECAUSE, and its item. */
int survey_add_extra(struct survey_builder *b, const struct resolved *res, enum entry_kind kind,
                     const struct perm_entry *because, struct error *err);
/* Holds the symlinks that RES went through and the command could replace; named ones only when
 * NAMED. */
int survey_hold_links(struct survey_builder *b, const struct resolved *res, enum entry_kind kind,
                      const struct perm_entry *because, bool named, struct error *err);

/* ---- survey_git.c ---- */

/* Is `.git` among the protected names? */
bool survey_wants_git(const struct config *config);
/* ROOT is a writable directory, canonical: follows its .git. */
int survey_gitfile(struct survey_builder *b, const char *root, const struct perm_entry *because,
                   struct error *err);
/* ROOT is a writable workspace root, canonical: finds the repositories below. */
int survey_nested(struct survey_builder *b, const char *root, struct error *err);

#endif
