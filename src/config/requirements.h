/*
 * What an administrator fixed (spec 3.4). Requirements are never merged into configuration: they
 * are held against the result. A value that somebody chose and that is not allowed ends the start;
 * a default that is not allowed gives way to the strictest value that is. Stricter than required is
 * always allowed.
 */
#ifndef BAWN_CONFIG_REQUIREMENTS_H
#define BAWN_CONFIG_REQUIREMENTS_H

#include "config/config.h"

struct requirements {
    struct config_layer file;                                  /* requirements.toml */
    const struct toml_value *tree;                             /* of it; NULL when there is none */
    struct string_list modes, policies, reviewers, web_search; /* .set: required */
    struct string_list deny_read;
    const struct toml_value *profiles; /* allowed_permission_profiles, or NULL */
    const char *default_permissions;
    struct origin default_permissions_origin;
    const struct toml_value *network; /* experimental_network, or NULL */
    bool any;                         /* something is required */
};

/* Reads the file (-ENOENT is fine). It must belong to request->admin_uid and be writable by nobody
 * else, and so must its directory. */
int requirements_load(struct arena *a, const struct config_request *request, struct config *config,
                      struct requirements **ret, struct error *err);
/* The two fields of managed_config.toml that are requirements as well, each allowing its value and
 * what is stricter; only where requirements.toml says nothing. */
int requirements_add_managed(struct arena *a, struct requirements *r,
                             const struct config_layer *managed);
/* Holds the merged tree against them, before it is read: pins, fixed values, managed profiles, the
 * words. Everything but modes and profiles, which requirements_check_profile() is for. */
int requirements_apply(struct config *config, struct error *err);

/* May web search be WORD? */
bool requirements_allow_web_search(const struct requirements *r, const char *word);

/* The words in their order, strictest first, and where WORD stands. */
int approval_rank(const char *word);

/* May this be in force? NAME is the profile's, MODE its class (what it comes to), ORIGIN where it
 * was chosen. *ret_instead (may stay NULL): the profile to take for a default that may not. */
int requirements_check_profile(struct config *config, const char *name, enum sandbox_mode mode,
                               const struct origin *origin, const char **ret_instead,
                               struct error *err);
/* Would TEXT be good as the requirements FILE, whoever it belongs to? */
int requirements_check_text(struct arena *a, const char *file, struct bytes text,
                            struct error *err);
/* Reads FILE for an administrator's text: a regular file of ADMIN's that nobody else can write, in
 * a directory that nobody else can write. -ENOENT: there is none. */
int admin_read(const char *file, unsigned admin, struct strbuf *out, struct error *err);

#endif
