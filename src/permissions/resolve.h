/*
 * From configuration to one resolved profile: `extends`, `include`, path forms, presets, protected
 * names. Pure over what it is handed.
 */
#ifndef BAWN_PERMISSIONS_RESOLVE_H
#define BAWN_PERMISSIONS_RESOLVE_H

#include "config/config.h"
#include "permissions/permissions.h"

struct perm_context {
    const char *workspace;       /* canonical, absolute */
    const char *home;            /* or NULL */
    const char *tmpdir;          /* $TMPDIR as given, or NULL */
    const char *bawn_home;       /* canonical where it exists, or NULL */
    const char *const *add_dirs; /* --add-dir, absolute */
    size_t n_add_dirs;
    const char *const *own; /* more of bawn's own that nothing inside may write: its programs */
    size_t n_own;
};

/* Which profile is in force: NAME (-P, or NULL) over sandbox_mode over default_permissions over the
 * requirements' own over the default mode; less where a project's file caps it; and refused, or
 * replaced when it is a default, where the requirements do not allow it (-EPERM). Warnings are
 * appended to config->warnings. */
int profile_resolve(struct config *config, const char *name, const struct perm_context *context,
                    struct profile **ret, struct error *err);
/* Built-in presets, for `include`, `bawn permissions list|show`. */
struct preset {
    const char *name, *summary;
    const char *toml; /* what `bawn permissions show preset:NAME` prints and `include` reads */
};
extern const struct preset presets[];
extern const size_t n_presets;

#endif
