/*
 * A permission profile, resolved: what a command may read and write, as one flat list of entries.
 * This header is the documentation of the format. Plain data in an arena; deciding code only reads
 * it.
 */
#ifndef BAWN_PERMISSIONS_PROFILE_H
#define BAWN_PERMISSIONS_PROFILE_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct toml_value;

enum access { ACCESS_NONE, ACCESS_READ, ACCESS_WRITE };

/* Where a value came from. `file` is NULL for built-in defaults and "-c" or "--option" for flags.
 */
struct origin {
    const char *layer; /* "default", "system", "user", "session", "flag", "preset:NAME" */
    const char *file;
    unsigned line, column;
};

enum entry_kind {
    ENTRY_NAMED,     /* a profile or a mode names it */
    ENTRY_PROTECTED, /* a protected name under a writable root (spec 1.2) */
    ENTRY_GITDIR,    /* the directory a .git file points to, or the common directory behind it */
    ENTRY_NESTED,    /* hooks and config of a nested repository */
    ENTRY_OWN,       /* bawn's own configuration, rules, state and programs: caps, never grants */
    ENTRY_BASE,      /* what a mode or `:minimal` brings with it */
};

struct perm_entry {
    const char *path; /* absolute and normalised. For a glob: the fixed directory it stands under */
    const char
        *glob; /* NULL, or the rest below PATH: components with * ? [] and ** (ACCESS_NONE only) */
    enum access access;
    enum entry_kind kind;
    bool create;   /* make it when it does not exist */
    bool one_name; /* a file with a second hard link ends the start */
    bool
        keep_absent; /* while missing: its making is refused call by call, no placeholder is made */
    bool if_exists;  /* a protected name that is left alone while it does not exist */
    bool floor;      /* nobody reopens it: caps what is granted at and below its path */
    unsigned max_depth; /* of a glob: bounds an unbounded **; 0 = no bound */
    const char
        *written; /* as it stands in the file, e.g. ":workspace_roots"."**"/"*.env" or "~/.ssh" */
    struct origin origin;
};

static inline bool perm_of_preset(const struct perm_entry *e)
{
    return e->origin.layer && str_starts(e->origin.layer, "preset:");
}

enum network_mode { NETWORK_OFF, NETWORK_OPEN, NETWORK_FILTERED };

struct profile {
    const char *name; /* ":workspace" or the user's name for it */
    const char
        *mode; /* the nearest of read-only, workspace-write, danger-full-access, or "custom" */
    bool full_access; /* :danger-full-access: nothing is confined */
    bool full_read;   /* "/" is readable: the root of the sandbox is the host's, read-only */
    struct perm_entry *entries; /* any order; permissions_sort() orders by path */
    size_t n_entries;
    const char **roots; /* workspace roots (writable or not), the first is the workspace */
    size_t n_roots;
    enum network_mode network;
    struct origin network_origin;
    /* What is said of destinations: features.network_proxy where it is a table and on, then the
     * `network` tables of the `extends` chain from the base up. For src/network. */
    const struct toml_value **network_tables;
    size_t n_network_tables;
    struct origin origin; /* where the profile was chosen */
};

#endif
