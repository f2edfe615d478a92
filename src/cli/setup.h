/*
 * The outside world, gathered once: working directory, home, configuration, profile, the survey of
 * the disk, the plan. Only here does bawn read its environment variables; everything below src/cli
 * is handed what it needs.
 *
 * Four steps, each built on the one before: setup_world(), setup_profile(), setup_survey(),
 * setup_plan().
 */
#ifndef BAWN_CLI_SETUP_H
#define BAWN_CLI_SETUP_H

#include "cli/options.h"
#include "permissions/resolve.h"
#include "sandbox/plan.h"

/* What it is all for: how much is looked at, and whether anything may be made. */
enum setup_purpose {
    SETUP_RUN,   /* a command runs: the state directory is made when it may be needed */
    SETUP_PLAN,  /* the plan is shown */
    SETUP_PATHS, /* only the answer about paths: no backend is looked for, nothing is made */
    SETUP_NET,   /* only the answer about destinations */
};

struct setup {
    struct arena arena;
    const struct options *options;
    enum setup_purpose purpose;
    const char *cwd;       /* canonical; the workspace. "/" when the directory is gone */
    bool cwd_lost;         /* bawn was started in a directory that no longer has a name */
    const char *home;      /* absolute, or NULL */
    const char *bawn_home; /* canonical where it exists, or NULL */
    const char *tmpdir;    /* $TMPDIR as it is, or NULL */
    const char **add_dirs; /* absolute */
    const char *own[4];    /* bawn's programs; the first is bawn itself */
    size_t n_own;
    struct config *config;
    struct profile *profile;
    struct net_settings network; /* with the profile */
    const char *state_dir;       /* setup_state_dir() */
    bool state_looked;
    /* Set with the plan when a run finds $BAWN_HOME/state there and not fit, else NULL: what is
     * wrong, the command that mends it, and both in words when the run goes without. */
    const char *state_problem, *state_fix, *state_warning;
    struct bwrap_facts bwrap;
    const char *start_warning; /* about bwrap, or NULL; static */
    struct survey survey;
    struct plan *plan;
    const struct net_asker *net_asker; /* who is asked about destinations, or NULL */
    struct telling *telling;           /* what a collector is told (telling.h), or NULL */
    struct net_front *net_front;       /* proxy_front.h; the caller's to free */
};

/* A zeroed struct setup is ready; released with setup_release(). */
void setup_release(struct setup *s);
#define _cleanup_setup_ _cleanup_(setup_release)

/* Changes into -C, finds the directories. */
int setup_world(struct setup *s, const struct options *options, struct error *err);
/* Loads the configuration and resolves the profile in force. */
int setup_profile(struct setup *s, struct error *err);
/* What profiles are resolved with. */
struct perm_context setup_context(const struct setup *s);
/* Looks at the disk (and, before, for a backend). */
int setup_survey(struct setup *s, struct error *err);
/* Makes the plan; on failure s->plan stays NULL. */
int setup_plan(struct setup *s, struct error *err);

/* bawn's state directory (0700, the caller's own), or NULL when there is none. MAKE: make it when
 * it is missing. $BAWN_HOME/state, or where the home is missing or read-only $XDG_RUNTIME_DIR/bawn
 * or /run/user/UID/bawn, unless the command can write there. */
const char *setup_state_dir(struct setup *s, bool make);

/* $BAWN_HOME/NAME, made (0700) when it is missing; NULL where it cannot be made, or is not the
 * caller's own alone. */
const char *setup_home_dir(struct setup *s, const char *name);

/* Where Codex keeps its configuration: NAMED, or $CODEX_HOME, or ~/.codex. Absolute; NULL without a
 * home. After setup_world(). */
const char *setup_codex_home(struct setup *s, const char *named);

/* The home of UID in a passwd(5) file, in A; NULL when it names none. No NSS: the launcher is
 * static, and what a name service says is reached through $HOME. */
const char *passwd_home(struct arena *a, const char *file, unsigned long uid);
/* Is DIR (canonical) in a tree that Git, Mercurial, Jujutsu or Subversion keeps? A .git that bawn
 * put there as a placeholder does not count, nor does what strangers put into a shared directory.
 */
bool in_version_control(struct setup *s, const char *dir);

/* ---- what every subcommand begins with ---- */

/* Parses; prints a mistake or --help. True: go on; false: exit with *ret_status. */
bool cli_parse(unsigned command, int argc, char **argv, struct setup *s, struct options *ret,
               int *ret_status);
/* setup_world() and setup_profile(), errors printed: 0, or what to exit with. */
int cli_load(struct setup *s, const struct options *options);

#endif
