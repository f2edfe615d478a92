/*
 * A plan that says each step itself: what `bawn bwrap` hands over. Where a profile's plan is a list
 * of mounts over the host's tree or an empty one, this is a list of operations that are carried out
 * in their order in a new, empty root, with the namespaces, ids, capabilities and system-call
 * filters somebody asked for one by one. The bundled backend carries it out (steps_mount.c,
 * steps_run.c); bawn adds no policy of its own to it: no filter, no Landlock, no environment.
 *
 * Plain data, made by src/bwrap/; strings live as long as the plan.
 */
#ifndef BAWN_SANDBOX_STEPS_H
#define BAWN_SANDBOX_STEPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum step_op {
    STEP_BIND,     /* SOURCE, or what stands behind FD, with all that is mounted below it */
    STEP_OVERLAY,  /* of LAYERS; UPPER and WORK: writable; TEMPORARY: writes go to a tmpfs */
    STEP_PROC,     /* a fresh one of a new pid namespace, else the host's */
    STEP_DEV,      /* a tmpfs with the usual nodes, links and a devpts of its own */
    STEP_TMPFS,    /* PERMS, SIZE (0 = the kernel's default) */
    STEP_MQUEUE,   /* POSIX message queues */
    STEP_DIR,      /* PERMS, if it is made */
    STEP_FILE,     /* what can be read from FD, PERMS */
    STEP_DATA,     /* the same, as a file of its own bound over DEST */
    STEP_SYMLINK,  /* to SOURCE */
    STEP_READONLY, /* the mount at DEST */
    STEP_CHMOD,    /* PERMS */
    STEP_HOSTNAME, /* DEST */
};

struct plan_step {
    enum step_op op;
    bool read_only; /* STEP_BIND, STEP_DATA */
    bool devices;   /* STEP_BIND: device nodes work */
    bool optional;  /* STEP_BIND: skipped when SOURCE does not exist */
    bool temporary; /* STEP_OVERLAY */
    int fd;         /* -1 = none */
    int perms;      /* -1 = not said */
    uint32_t n_layers;
    uint64_t size;
    const char *source;        /* on the host, followed as any path */
    const char *dest;          /* in the new root, never followed out of it */
    const char *const *layers; /* of STEP_OVERLAY, the topmost first */
    const char *upper, *work;
};

struct plan_steps {
    const struct plan_step *v;
    size_t n;

    bool unshare_user, unshare_ipc, unshare_pid, unshare_net, unshare_uts, unshare_cgroup;
    int userns_fd, userns2_fd, pidns_fd; /* entered; -1 = none */
    bool disable_userns, assert_userns_disabled;
    uid_t uid; /* in a new user namespace these; else the caller's */
    gid_t gid;

    /* What the command holds of what the caller has: (has & keep) | add. */
    uint64_t caps_keep, caps_add;
    bool caps_said;

    const char *argv0; /* NULL: the command's own name */
    const char *chdir; /* NULL: where the caller is, else HOME, else / */
    bool new_session, die_with_parent, as_pid_1;

    int sync_fd, block_fd, userns_block_fd, info_fd, json_status_fd; /* -1 = none */
    const int *filters; /* descriptors of cBPF programs, in the order they are loaded */
    size_t n_filters;
    const char *const *locks; /* files in the new root that are locked while it lives */
    size_t n_locks;
};

#endif
