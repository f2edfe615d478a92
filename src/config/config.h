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
#include "config/trust.h"
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

/* How commands begin: a program's name and words behind it. */
struct config_command {
    const char **words;
    size_t n; /* at least one */
};
struct config_command_list {
    struct config_command *v;
    size_t n;
};

/* What the built-in tables of commands are extended and shortened by. */
struct config_commands {
    struct config_command_list known_safe, not_safe, dangerous, not_dangerous;
};

/* What the policy "granular" asks about; the rest of it is refused. All false for other policies.
 */
struct config_granular {
    bool sandbox_approval, rules, mcp_elicitations, request_permissions, skill_approval;
};

struct config_limits { /* 0 = unset */
    uint64_t cpu_seconds, memory_bytes, processes, open_files, file_size_bytes;
    double wall_seconds;
};

/* Where a layer stands (spec 3.1), lowest first. */
enum config_rank {
    RANK_DEFAULT,
    RANK_SYSTEM,
    RANK_USER,
    RANK_PROFILE,
    RANK_PROJECT,
    RANK_SESSION,
    RANK_MANAGED,
    RANK_FLAG,
    RANK_REQUIREMENTS, /* not a layer: what was put in the place of something refused */
};

struct config_layer {
    enum config_rank rank;
    const char *name; /* config_rank_word(rank), or "preset:NAME" */
    const char *file; /* NULL for built-in; "-c" or "--option" for the command line */
    bool read;
    const char *reason;      /* why it was not read */
    struct bytes text;       /* for excerpts */
    const char *dir;         /* relative paths belong to it */
    struct toml_value *tree; /* what it says, checked; NULL when it was not read */
};

/* Something that nobody reopens: an administrator's deny_read, or what a project's file shuts. */
struct config_floor {
    const struct toml_value *table; /* filesystem table of `none` entries */
    bool required;                  /* a fault in it is an error; else a warning */
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
    struct string_list *env_narrow; /* more include_only lists, each of which a name must pass */
    size_t n_env_narrow;
    const char *approval_policy; /* a word; "granular" when it is a table */
    struct origin approval_policy_origin;
    struct config_granular granular;
    struct config_commands commands;
    const char *approvals_reviewer, *web_search; /* web_search: NULL when nobody chose */
    struct origin approvals_reviewer_origin, web_search_origin;
    enum sandbox_mode default_mode; /* when nobody chose: by version control */
    bool strict;                    /* --strict-config: what would be a warning is an error */

    /* What projects' files may say of modes and profiles: less. MODE_UNSET: nothing. */
    enum sandbox_mode mode_cap;
    struct origin mode_cap_origin;
    bool network_cap; /* the network stays off, unless a layer above the projects turned it on */
    struct origin network_cap_origin;
    struct config_floor *floors;
    size_t n_floors;
    const struct toml_value **lost_roots; /* writable_roots that projects' files took away */
    size_t n_lost_roots;
    const struct toml_value **project_domains; /* `deny` tables of projects' files, for the proxy */
    size_t n_project_domains;

    struct project project; /* root NULL: nobody asked (config_request.find_project) */
    enum trust_level trust;
    const struct trust_entry *trust_entry; /* what decided, or NULL */
    struct trust trust_entries;
    const char *profile_name;                /* of the configuration profile, or NULL */
    const struct requirements *requirements; /* never NULL once loaded */
    const char *required;                    /* what they changed, "; " between; or NULL */
    struct string_list applied;              /* the keys of it */
};

/* A dedicated flag, as the configuration it stands for. */
struct config_flag {
    const char *flag;  /* "--sandbox" */
    const char *key;   /* dotted */
    const char *value; /* a string */
};

/* What the outside world tells the loader: nothing in config/ reads the environment or the passwd
 * database by itself. */
struct config_request {
    const char *system_file;       /* /etc/bawn/config.toml; NULL = none, as with all of them */
    const char *managed_file;      /* /etc/bawn/managed_config.toml */
    const char *requirements_file; /* /etc/bawn/requirements.toml */
    unsigned admin_uid;            /* who must own the last two: 0, but for tests */
    const char *bawn_home;         /* $BAWN_HOME or the default; NULL when there is no home */
    const char *home;              /* absolute, or NULL */
    const char *cwd;               /* the workspace, canonical */
    const char *profile;           /* --profile */
    const char *const *overrides;  /* -c KEY=VALUE, in order */
    size_t n_overrides;
    const struct config_flag *flags;
    size_t n_flags;
    bool strict;             /* --strict-config */
    bool in_version_control; /* decides the default mode */
    bool find_project;       /* look for the project that cwd is in, and read its files */
};

/* Loads and merges. -ENOENT of a file is fine; everything else about it is an error with a place.
 */
int config_load(struct arena *a, const struct config_request *request, struct config **ret,
                struct error *err);

/* ---- for those who read the tree themselves ---- */

#define MAX_CONFIG_WARNINGS 200u /* one line each; past that a reader has stopped reading */
#define MAX_PROJECT_FILES   64u  /* from the project's root to the working directory */

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
const char *sandbox_mode_word(enum sandbox_mode mode);  /* "workspace-write"; NULL for MODE_UNSET */
const char *sandbox_backend_word(enum backend backend); /* "bundled", … */
const char *config_rank_word(enum config_rank rank);    /* "system", "session", … */
/* Did somebody say so, in a layer above the projects' files? */
bool config_is_above_projects(const struct origin *origin);
bool config_is_default(const struct origin *origin); /* nobody chose it */
/* The right side of -c: TOML, else the raw string. NULL without memory. */
struct toml_value *config_parse_override(struct arena *a, struct bytes text);
/* May what the project brings in DIR (at its root or below) be read? */
bool config_trusts(const struct config *config, const char *dir);
/* One more table of entries that nobody reopens. 0 or -ENOMEM. */
int config_add_floor(struct config *config, const struct toml_value *table, bool required);
/* Would TEXT be good as the user's FILE? What `config set` asks before it writes. */
int config_check_text(struct arena *a, const char *file, struct bytes text, struct error *err);
/* The value at a dotted NAME of the merged tree, or NULL. */
const struct toml_value *config_find(const struct config *config, const char *name);
/* The web search that holds: what was chosen, else cached, and live with FULL_ACCESS. */
const char *config_web_search(const struct config *config, bool full_access);

#endif
