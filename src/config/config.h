/*
 * The effective configuration: every key that something reads, typed, with the origin of its value.
 * Layers (spec 3.1) are merged into one tree; `struct config` is what the rest of the program sees.
 * Plain data in the arena it was loaded into.
 */
#ifndef BAWN_CONFIG_CONFIG_H
#define BAWN_CONFIG_CONFIG_H

#include "base/error.h"
#include "base/mem.h"
#include "base/toml.h"
#include "permissions/profile.h"

#include <stdbool.h>
#include <stdint.h>

enum sandbox_mode { MODE_UNSET, MODE_READ_ONLY, MODE_WORKSPACE_WRITE, MODE_DANGER_FULL_ACCESS };
enum backend { BACKEND_AUTO, BACKEND_BWRAP, BACKEND_BUNDLED, BACKEND_LANDLOCK, BACKEND_EXTERNAL };
enum env_inherit { INHERIT_ALL, INHERIT_CORE, INHERIT_NONE };

struct string_list {
    const char **v;
    size_t n;
    bool set; /* some layer named it */
    struct origin origin;
};

struct config_limits { /* 0 = unset */
    uint64_t cpu_seconds, memory_bytes, processes, open_files, file_size_bytes;
    double wall_seconds;
};

struct config_layer {
    const char *name; /* "default", "system", "user", "session", "flag" */
    const char *file; /* NULL for built-in and flags */
    bool read;
    const char *reason; /* why it was not read */
    struct bytes text;  /* for excerpts */
    const char *dir;    /* relative paths belong to it */
};

struct config {
    struct arena *arena;
    struct toml_value *tree; /* merged; a leaf's `owner` is its struct config_layer */
    struct config_layer *layers;
    size_t n_layers;
    const char **warnings; /* one line each, no "bawn: " before it */
    size_t n_warnings;

    enum sandbox_mode sandbox_mode;
    struct origin sandbox_mode_origin;
    const char *default_permissions; /* NULL when unset */
    struct origin default_permissions_origin;
    struct string_list writable_roots;
    struct origin network_access_origin;
    bool network_access, exclude_tmpdir_env_var, exclude_slash_tmp;
    bool private_tmp;
    struct string_list protected_names; /* default: .git .agents .codex .bawn .aws */
    struct string_list
        protected_agent_names; /* default: .claude .cursor .gemini .mcp.json .vscode/tasks.json … */
    enum backend backend;
    struct origin backend_origin;
    bool strict_hardlinks, allow_nested_userns, allow_ptrace;
    struct string_list allow_unix_sockets, devices;
    unsigned nested_repo_depth, nested_repo_count; /* defaults 4, 256 */
    struct config_limits limits;
    enum env_inherit env_inherit;
    bool env_ignore_default_excludes;
    struct string_list env_exclude, env_include_only;
    struct string_list env_set;     /* "NAME=VALUE" */
    const char *approval_policy;    /* a word; "granular" when it is a table */
    enum sandbox_mode default_mode; /* when nobody chose: by version control */
    bool strict;                    /* --strict-config: what would be a warning is an error */
};

/* What the outside world tells the loader: nothing in config/ reads the environment or the passwd
 * database by itself. */
struct config_request {
    const char *system_file;      /* /etc/bawn/config.toml; NULL = none */
    const char *bawn_home;        /* $BAWN_HOME or the default; NULL when there is no home */
    const char *home;             /* absolute, or NULL */
    const char *cwd;              /* the workspace */
    const char *const *overrides; /* -c KEY=VALUE, in order */
    size_t n_overrides;
    enum sandbox_mode flag_mode; /* --sandbox */
    bool strict;                 /* --strict-config */
    bool in_version_control;     /* decides the default mode */
};

/* Loads and merges. -ENOENT of a file is fine; everything else about it is an error with a place.
 */
int config_load(struct arena *a, const struct config_request *request, struct config **ret,
                struct error *err);

/* ---- for those who read the tree themselves ---- */

#define MAX_CONFIG_WARNINGS 200u /* one line each; past that a reader has stopped reading */

/* Where VALUE (of the merged tree) came from; SPAN is the place in its layer, e.g. its key's. */
struct origin config_origin(const struct toml_value *value, struct toml_span span);
/* Sets err's place to SPAN in the layer that VALUE came from. */
void config_error_at(struct error *err, const struct toml_value *value, struct toml_span span);
/* Appends a warning; the variant takes over an error's place, message and note. 0 or -ENOMEM. */
int config_warn(struct config *config, const char *fmt, ...) _printf_(2, 3);
int config_warn_error(struct config *config, const struct error *what);
/* "FILE:LINE:COLUMN", "-c", "--sandbox" or "the default": for messages. In A; "" without memory. */
const char *config_place(struct arena *a, const struct origin *origin);
/* TEXT as a layer parsed under NAME and FILE: every node of *ret is owned by it. For presets and,
 * later, more layers. */
int config_parse_layer(struct arena *a, struct config_layer *layer, struct toml_value **ret,
                       struct error *err);
const char *sandbox_mode_word(enum sandbox_mode mode); /* "workspace-write"; NULL for MODE_UNSET */

#endif
