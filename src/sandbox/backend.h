/*
 * What run.c and the backends share. Three processes take part:
 *
 *   outer    the bawn a person started: supervises, relays signals and the terminal, never confined
 *   init     pid 1 of the sandbox (with landlock: the reaper): carries the set-up out, then only
 *            reaps, forwards signals and performs file operations the outer asks it to perform with
 *            the sandbox's own rights
 *   command  what is to run
 *
 * Two SEQPACKET socketpairs tie outer and init: `control` for messages, `work` for operations that
 * the outer waits for. End of file on `control` tells init that the outer is gone: it exits, and
 * with it everything. Messages are fixed structs; both sides are bawn, but the command's process
 * holds `control` until its exec, so the outer checks each as if it were a stranger's.
 */
#ifndef BAWN_SANDBOX_BACKEND_H
#define BAWN_SANDBOX_BACKEND_H

#include "sandbox/sandbox.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

enum message_kind {
    MESSAGE_FAILED = 1, /* set-up failed: code, text. The sender exits */
    MESSAGE_NOTE,       /* init: something the person should know, in `text` */
    MESSAGE_READY,      /* init: mounts stand; descriptors: netns diagnostics socket, pty master */
    MESSAGE_STARTED, /* command: about to exec; carries the notification descriptor if there is one
                      */
    MESSAGE_EXEC_FAILED, /* command: exec did not work: code, text says which program */
    MESSAGE_LISTENERS,   /* init: the sockets of a filtered network, `code` of them; `text` has an
                            enum wire_listener byte for each */
    MESSAGE_STOPPED,     /* init: the command stopped (code = signal) */
    MESSAGE_EXITED,      /* init: the command ended (code = wait status), rusage follows */
    MESSAGE_GO,          /* outer: ids are mapped, go on */
    MESSAGE_HELD,        /* outer: the placeholders stand */
    MESSAGE_FILTERED,    /* outer: the proxy listens, the command may start */
    MESSAGE_SIGNAL,      /* outer: send signal `code` to the command's process group */
    MESSAGE_KILL,        /* outer: end everything */
};

enum { MESSAGE_HAS_DIAG = 1u << 0, MESSAGE_HAS_PTY = 1u << 1, MESSAGE_HAS_LISTENER = 1u << 2 };

struct message {
    int kind;
    int code;
    unsigned has; /* MESSAGE_HAS_*: which descriptors came along, in that order */
    bool alone;   /* of MESSAGE_EXITED: the command left nothing behind */
    uint64_t maxrss_kib;
    int64_t input_at; /* of MESSAGE_EXITED: how far the command read its stdin, -1 when it cannot
                         seek */
    char text[512];
};

/* Operations the outer has init perform with the sandbox's own rights. */
enum work_kind {
    WORK_RENAME = 1, /* fds: old parent, new parent; names and flags of renameat2(2) */
    WORK_LINK,       /* the same for linkat(2) */
    WORK_MKDIR,      /* fds: the parent, twice; the first name, mode in `flags` */
    WORK_MKNOD,      /* the same, and `device` */
    WORK_SYMLINK,    /* the same, and the link's `text` */
};
struct work {
    int kind;
    unsigned flags;
    unsigned mask; /* the caller's umask */
    uint64_t device;
    char name[2][256];
    char text[PATH_MAX];
};
struct work_reply {
    int code; /* 0 or negative errno */
};

struct file_id {
    dev_t dev;
    ino_t ino;
};

/* Everything a backend needs to start; made by run.c. */
struct launch {
    const struct plan *plan;
    const struct run_options *options;
    int control[2], work[2]; /* [0] the outer's end, [1] init's */
    bool want_pty;           /* stdin is a terminal */
    sigset_t old_mask;       /* what the command starts with */
    mode_t umask;            /* the same */
    struct rlimit nofile;    /* the caller's own limit, for the command */
    struct journal *journal;
    struct file_id *listed; /* of plan->unix_sockets, as they were at the start; 0, 0: not there */
    int self_fd;            /* bawn's own program, for the bwrap backend; else -1 */
    pid_t init;             /* the reaper, for backends without a pid namespace; else 0 */
    int ruleset;            /* of the landlock backend; 0 = none */
    int said;               /* what bwrap wrote on its standard error; 0 = no such thing */
};

/* Each starts init, which ends in init_main(); *ret_pid/pidfd is the outer's direct child. */
int bundled_spawn(struct launch *l, pid_t *ret_pid, int *ret_pidfd, struct error *err);
int landlock_spawn(struct launch *l, pid_t *ret_pid, int *ret_pidfd, struct error *err);
int bwrap_spawn(struct launch *l, pid_t *ret_pid, int *ret_pidfd, struct error *err);
/* When the sandbox ended before it stood: what bwrap said of it, as an error. 0 when it said
 * nothing. */
int bwrap_said(const struct launch *l, struct error *err);

/* init.c: from a confined file view to the running command; never returns. `pty_slave` is -1 or the
 * command's terminal, `pty_master` and `diag` travel to the outer with MESSAGE_READY. */
_noreturn_ void init_main(struct launch *l, int diag, int pty_master, int pty_slave);
/* Tells the outer why set-up failed and ends the process; for init and the command before exec. */
_noreturn_ void init_fail(struct launch *l, int code, const char *fmt, ...) _printf_(3, 4);
/* Waits for the outer to say so; ends the process when it is gone or says something else. */
void init_await(struct launch *l, int kind);
/* The sandbox's own pseudo-terminal from the devpts mounted at /dev/pts. */
int init_open_pty(int *ret_master, int *ret_slave);
/* Network diagnostics socket of this network namespace (unix_diag), or a negative errno. */
int init_open_diag(void);

#endif
