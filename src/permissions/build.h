/*
 * Between the files of this room: a profile while it is being put together.
 *
 * Entries carry a level: the built-in base is 0, and each profile of the `extends` chain, from the
 * base up, has one level for what it includes and the next for what it says itself. What a profile
 * says itself replaces what lower levels say of the same path.
 */
#ifndef BAWN_PERMISSIONS_BUILD_H
#define BAWN_PERMISSIONS_BUILD_H

#include "base/vec.h"
#include "permissions/resolve.h"

struct build_entry {
    struct perm_entry e;
    unsigned level;
    bool preset;   /* a preset says so */
    bool anywhere; /* a pattern with no fixed directory: expanded over the granted roots */
};

struct build {
    struct arena *a;
    struct config *config;
    const struct perm_context *context;
    const char *name;       /* of the profile */
    const char *where;      /* "permissions.NAME" or "preset:NAME": before messages */
    enum sandbox_mode base; /* MODE_UNSET: nothing to start from */
    bool quiet;             /* only checking: warnings are dropped */
    bool capped;            /* a project's file says read-only: nothing is written */
    const char *tmpdir;     /* normalised, or NULL */
    VEC(struct build_entry) entries;
    VEC(const char *) roots;
    VEC(struct perm_entry) flat; /* entries as permissions_check() takes them */
};

void build_release(struct build *b);
/* A warning about what is being built. 0 or -ENOMEM. */
int build_warn(struct build *b, const char *fmt, ...) _printf_(2, 3);
/* An error at SPAN in the layer of VALUE, "WHERE: " before it. */
int build_error(struct build *b, struct error *err, const struct toml_value *value,
                struct toml_span span, const char *fmt, ...) _printf_(5, 6);
/* Appends. PATH is normalised here; NULL when memory ran out. */
struct build_entry *build_add(struct build *b, unsigned level, const char *path, const char *glob,
                              enum access access, enum entry_kind kind);
int build_add_root(struct build *b, const char *path);
/* What the entries so far say of PATH. */
struct permission build_check(struct build *b, const char *path);
/* Makes `flat` anew; called whenever entries changed. 0 or -ENOMEM. */
int build_flatten(struct build *b);

/* chain.c: names, `extends`, and tables against the table of keys. */
#define MAX_EXTENDS 32u /* profiles in one chain */

struct chain {
    struct bytes names[MAX_EXTENDS];
    const struct toml_value *tables[MAX_EXTENDS]; /* the chosen one first */
    size_t n;
    enum sandbox_mode base;
};

enum sandbox_mode mode_of_name(const char *name); /* MODE_UNSET when it is not built in */
const char *mode_name(enum sandbox_mode mode);    /* ":workspace"; NULL for MODE_UNSET */
const struct toml_value *chain_profiles(const struct config *config); /* [permissions], or NULL */
/* The nearest name of a profile, built in or the user's, or NULL. */
const char *chain_nearest(const struct config *config, const char *name);
int chain_no_such(const struct config *config, const char *name, struct error *err);
/* "PREFIX.NAME" with quotes where TOML wants them. */
const char *build_where(struct build *b, const char *prefix, struct bytes name);
/* Follows `extends` from TABLE, the profile called NAME. */
int chain_collect(struct build *b, struct bytes name, const struct toml_value *table,
                  struct chain *c, struct error *err);
/* Keys and types of one profile; what is in `filesystem` is for paths.c. */
int chain_check_keys(struct build *b, const struct toml_value *table, struct error *err);

/* mode.c: what a mode brings. */
int mode_tmpdir(struct build *b); /* takes $TMPDIR into account, or says why not */
int mode_add(struct build *b, struct error *err);
/* --add-dir: as workspace roots, and later (ENTRIES) as entries. */
int mode_add_dirs(struct build *b, const struct chain *chain, bool entries, struct error *err);
int mode_network(struct build *b, const struct chain *c, struct profile *p, struct error *err);

/* paths.c: the `filesystem` and `workspace_roots` tables of one profile or preset. */
int build_filesystem(struct build *b, const struct toml_value *table, unsigned level, bool preset,
                     struct error *err);
int build_workspace_roots(struct build *b, const struct toml_value *table, struct error *err);
/* "~" and "~/x" against home, absolute ones as they are; NULL when it is neither. */
const char *build_expand(struct build *b, const char *text);
/* Patterns with no fixed directory, over what the profile grants by now. */
int build_spread(struct build *b, struct error *err);

/* protect.c: bawn's own files, then protected names. */
int build_protect(struct build *b, struct error *err);

#endif
