/*
 * The plan: everything a backend has to do, as data. Made by plan_build() from a resolved profile
 * and a survey of the disk; printed by --explain; carried out by bundled.c, bwrap.c or landlock.c,
 * which make no policy of their own. All paths are absolute, normalised, free of symlinks, and
 * bytes.
 */
#ifndef BAWN_SANDBOX_PLAN_H
#define BAWN_SANDBOX_PLAN_H

#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "config/config.h"
#include "network/settings.h"
#include "permissions/permissions.h"
#include "sandbox/steps.h"

#include <sys/types.h>

/* ---- the survey: what the disk says about the entries of a profile (survey.c makes it) ---- */

enum file_kind { FILE_MISSING, FILE_REGULAR, FILE_DIRECTORY, FILE_SYMLINK, FILE_OTHER };

struct survey_item {
    const struct perm_entry *entry; /* the entry (or the glob) that names it */
    const char *path;               /* canonical; of a missing one: canonical parent + rest */
    enum file_kind kind;            /* of what stands at `path` */
    unsigned missing;               /* how many last components do not exist */
    bool closed;                    /* missing, in a directory this user cannot write or open up */
    bool is_link;                   /* this item is a symlink that must itself be held in place */
    dev_t dev;
    ino_t ino;
    nlink_t nlink;
};

/* A directory in which every name is a match of a glob to be masked. */
struct survey_full {
    const char *path;
    dev_t dev;
    ino_t ino;
};

struct survey {
    struct survey_item
        *items; /* every entry without glob, every match of every glob, gitdirs, nested */
    size_t n_items;
    struct perm_entry *extra; /* entries the survey found by itself: gitdir, nested repositories */
    size_t n_extra;
    struct survey_full *full; /* in order of their paths; looked for when `room` is known */
    size_t n_full;
    size_t room; /* mounts the kernel would still make; asked where many are needed, else 0 */
    const char **warnings;
    size_t n_warnings;
};

/* Looks at the disk. Entries' paths are resolved, globs expanded (hidden files too, symlinked
 * directories not entered, masked directories not entered), .git files followed, nested
 * repositories found. In A. */
int survey_take(struct arena *a, const struct config *config, const struct profile *profile,
                struct survey *ret, struct error *err);

/* ---- the plan ---- */

enum mount_op {
    MOUNT_BIND, /* the host's PATH at PATH, read-only or writable, with all that is mounted below */
    MOUNT_MASK, /* nothing readable at PATH; is_dir tells the kind. reopened: something below is
                   bound */
    MOUNT_MISSING, /* PATH does not exist and must not be created: placeholder, then an empty
                      read-only dir */
    MOUNT_TMPFS,   /* a fresh writable tmpfs (private /tmp) */
    MOUNT_PROC,
    MOUNT_DEV,
    MOUNT_DEVICE, /* a device node (or a directory of them) of the host; skipped when missing */
    MOUNT_SOCKET, /* a Unix socket of the host that may be connected to; skipped when missing */
    MOUNT_SELF,   /* bawn's own program, read-only; skipped when its file is gone */
    MOUNT_TEXT,   /* a file of the sandbox's own /dev; run_network has what is in it */
};

struct plan_mount {
    enum mount_op op;
    const char *path;
    bool write; /* MOUNT_BIND */
    bool is_dir;
    bool reopened; /* MOUNT_MASK of a directory with a bind below it */
    dev_t dev;     /* as surveyed; 0,0 = not checked */
    ino_t ino;
    const struct perm_entry *entry; /* the reason; NULL for the sandbox's own (/proc, /dev) */
};

/* Of NETWORK_FILTERED: what the sandbox has inside (net_inside.h). */
struct plan_net {
    bool socks, socks_udp;
    bool transparent; /* what ignores the proxy is redirected, where the kernel can */
    uint16_t http_port, socks_port;
    bool loopback_is_host; /* the loopback's names go to the proxy: a rule opens the host's */
    const char *upstream;  /* the proxy's own way out in words, to be shown; NULL: straight */
};

enum {
    FILTER_NETWORK_OFF = 1u << 0, /* no way out by socket; connect goes to the supervisor. Also of a
                                     filtered network: its namespace has loopback only */
    FILTER_ALLOW_PTRACE = 1u << 1,
    FILTER_ALLOW_USERNS = 1u << 2,
    FILTER_LOG = 1u << 3,        /* what is refused goes to the supervisor first (--log-denials) */
    FILTER_WATCH_OPEN = 1u << 4, /* opens are judged: files that come to match a glob later */
    FILTER_WATCH_RENAME = 1u << 5, /* renames are judged: guarded parents exist */
    FILTER_NO_NETNS = 1u << 6,     /* no network namespace (landlock): AF_INET is refused too */
    FILTER_VARIANTS = 1u << 7,
};

struct plan {
    enum backend backend; /* never BACKEND_AUTO */
    const char *backend_reason;
    const struct profile *profile; /* with what the survey found appended */
    const struct config *config;
    const char *workspace;
    const char *cwd;        /* of the command */
    const char *bwrap_path; /* of BACKEND_BWRAP */
    const char *bwrap_why;  /* why there is none */
    bool bwrap_pins;        /* see struct bwrap_facts */

    bool root_is_host;         /* else the root is an empty read-only tmpfs with what is bound */
    bool root_write;           /* with root_is_host: "/" itself is writable (`:root = "write"`) */
    struct plan_mount *mounts; /* in order: a parent before what lies in it */
    size_t n_mounts;
    const char **guarded; /* directories that may not be renamed or replaced */
    size_t n_guarded;
    const char **absent; /* names that must not come to be; the supervisor refuses their making */
    size_t n_absent;

    enum network_mode network;
    struct plan_net net;
    const char **unix_sockets; /* of the host, that may be connected to; absolute */
    size_t n_unix_sockets;
    bool all_unix_sockets;
    unsigned filter; /* FILTER_* */
    bool nested_userns;
    const char **env; /* "NAME=VALUE", complete */
    size_t n_env;
    const char **env_removed; /* names */
    size_t n_env_removed;
    const char **env_set; /* "NAME=VALUE" that the sandbox adds */
    size_t n_env_set;
    const char **warnings;
    size_t n_warnings;

    /* Else NULL: the whole of the plan is these steps, in a root of their own. Only `env` counts
     * beside them; there is no profile and no configuration. */
    const struct plan_steps *steps;
};

/* What is known of the bwrap backend before the plan is made (probe.c finds out). */
struct bwrap_facts {
    const char *path; /* the first on PATH that is fit, or NULL */
    const char *why;  /* why none is fit, for --explain */
    /* It takes what it binds as descriptors: a name that changes while it mounts ends the start
     * before anything is made below the wrong directory. */
    bool pins;
};

/* Past so many mounts bwrap's own cost, which grows with the square of them, is felt. */
#define PLAN_BWRAP_MOUNTS 64

/* What a command needs whose TLS connections are opened (spec 5.6). The launcher knows it. */
struct plan_opening {
    const char *const *set; /* "NAME=VALUE": roots to trust, placeholders of secrets */
    size_t n_set;
    const char *const *unset; /* names of variables with secrets: never passed on */
    size_t n_unset;
    const char *const *files; /* to be made, in /dev */
    size_t n_files;
};

struct plan_input {
    const struct config *config;
    const struct profile *profile;
    const struct plan_opening *opening; /* or NULL */
    const struct net_settings *network; /* network/settings.h; NULL: what nobody configured */
    const struct survey *survey;
    const char *workspace, *cwd;
    const char *const *environ; /* bawn's own, NULL-terminated */
    struct bwrap_facts bwrap;
    bool log_denials;
    bool stateless; /* nothing can be written down, so no placeholder: missing names are watched */
};

/* Pure. */
int plan_build(struct arena *a, const struct plan_input *input, struct plan **ret,
               struct error *err);
/* --explain: words, or the JSON of spec 0.3. */
void plan_print(const struct plan *plan, struct strbuf *out);
void plan_json(const struct plan *plan, struct json *j);

#endif
