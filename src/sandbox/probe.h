/*
 * Probes: can this machine confine a command, and if not, who forbids it and what helps? For `bawn
 * doctor`, and the part about bwrap for every start.
 *
 * A probe tries the thing itself, in a forked child with a time limit, and leaves nothing behind;
 * what files under /proc say is only used to explain a failure. None of them needs rights, none of
 * them fails: the answer is in the result.
 */
#ifndef BAWN_SANDBOX_PROBE_H
#define BAWN_SANDBOX_PROBE_H

#include "base/error.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "permissions/profile.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct probe_result {
    const char *id;
    bool ok;
    bool needed;      /* without it no backend works */
    char detail[256]; /* what was found */
    char fix[256];    /* what to do; "" when nothing is to be done */
};

/* What the probes learn besides ok or not. A zeroed one is ready. */
struct probe_facts {
    char release[65], machine[65];
    bool wsl1;
    bool userns, proc_mount;
    int landlock_abi; /* 0 = none */
    bool seccomp_notify, seccomp_sync_wake_up;
    int cgroup_version; /* 0 = none */
};

void probe_kernel(struct probe_facts *facts, struct probe_result *ret);
void probe_userns(struct probe_facts *facts, struct probe_result *ret);
void probe_seccomp(struct probe_facts *facts, struct probe_result *ret);
void probe_landlock(struct probe_facts *facts, struct probe_result *ret);
void probe_cgroups(struct probe_facts *facts, struct probe_result *ret);
void probe_proc_mount(struct probe_facts *facts, struct probe_result *ret);

/* ---- who forbids user namespaces: pure, so that every case can be tested ---- */

enum userns_stage {
    USERNS_DONE,    /* all of it worked */
    USERNS_CREATE,  /* unshare(CLONE_NEWUSER) */
    USERNS_MAP,     /* writing uid_map */
    USERNS_OTHERS,  /* mount, pid, network… namespaces inside it */
    USERNS_MOUNT,   /* mounting inside it */
    USERNS_UNKNOWN, /* the try itself did not come to its end */
};

struct userns_facts {
    enum userns_stage failed;
    int error;           /* errno of that stage */
    bool built_in;       /* /proc/self/ns/user exists */
    long userns_clone;   /* kernel.unprivileged_userns_clone, -1 = no such setting */
    long max_namespaces; /* user.max_user_namespaces, -1 = unknown */
    long apparmor;       /* kernel.apparmor_restrict_unprivileged_userns, -1 = no such setting */
    bool wsl1, chroot, filtered /* a seccomp filter is on us already */;
    const char *container; /* "docker", "podman", "lxc"…, "a container", or NULL */
};
void probe_explain_userns(const struct userns_facts *facts, struct probe_result *ret);

/* ---- bwrap ---- */

enum bwrap_state {
    BWRAP_FIT,
    BWRAP_MISSING, /* none on PATH */
    BWRAP_PLACE,   /* others could put another one there */
    BWRAP_SETUID,  /* setuid, setgid or file capabilities */
    BWRAP_BROKEN,  /* it cannot make a sandbox here */
    BWRAP_ESCAPES, /* CVE-2026-87766: its set-up follows symlinks to the host */
    BWRAP_UNTRIED, /* it could not be found out */
};

struct bwrap_request {
    const char *path_env;          /* $PATH; NULL = none */
    const char *const *unfit_dirs; /* workspace, working directory, writable roots; absolute */
    size_t n_unfit_dirs;
    /* Private directory (0700) for the cache and for trying; must exist. NULL: only what is cached
     * nowhere and needs no try can be told, so every candidate is BWRAP_UNTRIED. */
    const char *state_dir;
    bool fresh; /* do not believe the cache (doctor) */
};

struct bwrap_probe {
    enum bwrap_state state;    /* of the first fit one, else of the first found */
    char path[MAX_PATH_BYTES]; /* canonical; to be executed when fit, "" when missing */
    bool cached;
    bool pins; /* of a fit one: it takes what it binds as descriptors (--bind-fd, since 0.10) */
    struct probe_result result; /* id "bwrap" */
};

/* The first bwrap on PATH that is fit (spec 1.6). A few stat calls when the answer is cached, a few
 * milliseconds when not. Returns ret->state == BWRAP_FIT. */
bool probe_bwrap(const struct bwrap_request *request, struct bwrap_probe *ret);

/* unfit_dirs of a profile: the working directory (may be NULL), the workspace roots and everything
 * the command may write. In A. 0 or -ENOMEM. */
int probe_unfit_dirs(struct arena *a, const struct profile *profile, const char *cwd,
                     const char *const **ret, size_t *ret_n);

/* One line for the start of bawn when bwrap is missing or cannot make user namespaces, else NULL.
 */
const char *probe_start_warning(const struct bwrap_probe *bwrap);

/* ---- trying things ---- */

struct probe_run {
    const char *program;     /* path, or "/proc/self/exe" */
    const char *const *argv; /* NULL-terminated */
    const char *const *envp; /* NULL-terminated */
    int timeout_ms;
    struct strbuf *out, *err; /* what it wrote (first 64 KiB each); NULL = discarded */
};

/* Runs a program in a process group of its own, stdin from /dev/null; kills the group when the time
 * is over (-ETIMEDOUT) or a signal handler of the caller ran (-EINTR). *ret_status is wait()'s. */
int probe_exec(const struct probe_run *run, int *ret_status);

/* Removes PATH with all below it; symlinks are removed, not followed. */
int probe_remove_tree(const char *path);

#endif
