/*
 * The command's environment: what of bawn's own it inherits (`shell_environment_policy`), what is
 * set for it, what the sandbox adds. Pure.
 *
 * In this order, as files written for other agents expect: inherit (all, core, none); drop names
 * that look like secrets unless `ignore_default_excludes`; drop `exclude`; put `set`; keep only
 * `include_only`. What the sandbox itself adds comes last and wins.
 */
#ifndef BAWN_SANDBOX_ENVIRONMENT_H
#define BAWN_SANDBOX_ENVIRONMENT_H

#include "config/config.h"

struct environment {
    const char **env; /* "NAME=VALUE", NULL-terminated; strings of the input, not copies */
    size_t n_env;
    const char **removed; /* names the command does not get, in the order met, each once */
    size_t n_removed;
};

/* ENVIRON is bawn's own (NULL-terminated); ADDED holds N_ADDED "NAME=VALUE" of the sandbox. Arrays
 * are in A, strings are borrowed. -ENOMEM is the only failure. */
int environment_build(struct arena *a, const struct config *config, const char *const *environ,
                      const char *const *added, size_t n_added, struct environment *ret,
                      struct error *err);

/* Does PATTERN ('*' and '?', letters without case) match the whole NAME (N bytes)? */
bool environment_glob(const char *pattern, const char *name, size_t n);

#endif
