/*
 * Init: pid 1 of the sandbox, and the last steps of the command's process before exec.
 *
 * Order in init, each step irreversible: capabilities gone, no_new_privs, keyring left, command
 * forked, own arguments and environment wiped, not dumpable, own filter. From then on it holds no
 * right that the command has not, reads only the two sockets to the outer, and allocates nothing.
 *
 * In a pid namespace its death ends everything at once. Without one (landlock backend) it is the
 * subreaper of all that the command starts and kills them one by one before it goes.
 */
#include "sandbox/backend.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "sandbox/journal.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <linux/securebits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

static bool own_pidns; /* init is pid 1 of a namespace */

_noreturn_ void init_fail(struct launch *l, int code, const char *fmt, ...)
{
    struct message m = {.kind = MESSAGE_FAILED, .code = code};
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(m.text, sizeof(m.text), fmt, ap);
    va_end(ap);
    if (code < 0 && code != -ESTALE && n >= 0 && (size_t)n < sizeof(m.text))
        (void)snprintf(m.text + n, sizeof(m.text) - (size_t)n, ": %s", strerror(-code));
    (void)fd_send(l->control[1], &m, sizeof(m), NULL, 0);
    _exit(125);
}

void init_await(struct launch *l, int kind)
{
    struct message m;
    do /* that the placeholders stand is said even where none are waited for */
        if (fd_recv(l->control[1], &m, sizeof(m), NULL, 0, NULL, NULL) != sizeof(m))
            _exit(125);
    while (m.kind == MESSAGE_HELD && kind != MESSAGE_HELD);
    if (m.kind != kind)
        _exit(125);
}

int init_open_pty(int *ret_master, int *ret_slave)
{
    _cleanup_fd_ int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int unlock = 0;
    if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return -errno;
    _cleanup_fd_ int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0)
        return -errno;
    *ret_master = steal_fd(&master);
    *ret_slave = steal_fd(&slave);
    return 0;
}

int init_open_diag(void)
{
    return sys_ret(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
}

/* ---- rights ---- */

static void drop_capabilities(struct launch *l)
{
    /* Root's uid brings nothing back: no capability is regained on exec or on a change of ids. */
    (void)prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
                                       SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
                                       SECBIT_NO_CAP_AMBIENT_RAISE |
                                       SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED);
    for (int cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
            break;
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (syscall(SYS_capset, &header, data) < 0)
        init_fail(l, -errno, "cannot drop capabilities");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        init_fail(l, -errno, "cannot set no_new_privs");
    struct __user_cap_data_struct now[2];
    if (syscall(SYS_capget, &header, now) < 0 || now[0].effective || now[1].effective ||
        now[0].permitted || now[1].permitted)
        init_fail(l, -EPERM, "capabilities were not dropped");
}

/* ---- descriptors from outside ---- */

/* Copies what is left of FROM into a sealed memfd, read from its beginning. */
static int sealed_copy(int from)
{
    _cleanup_fd_ int copy = memfd_create("bawn-input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    char buf[65536];
    if (copy < 0)
        return -errno;
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(from, buf, sizeof(buf), at);
        if (n == 0)
            break;
        if (n < 0)
            return -errno;
        int r = fd_write_all(copy, buf, (size_t)n);
        if (r < 0)
            return r;
        at += n;
    }
    if (fcntl(copy, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        return -errno;
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", copy);
    return sys_ret(open(link, O_RDONLY | O_CLOEXEC));
}

/* The same file as FD, opened with FLAGS by its name in the sandbox, or a negative errno. */
static int open_here(int fd, const struct stat *st, int flags)
{
    char link[64], path[PATH_MAX];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n <= 0 || path[0] != '/')
        return -ENOENT;
    path[n] = '\0';
    struct stat got;
    _cleanup_fd_ int here = path_openat2(AT_FDCWD, path, flags, 0,
                                         UAPI_RESOLVE_NO_SYMLINKS | UAPI_RESOLVE_NO_MAGICLINKS);
    if (here < 0 || fstat(here, &got) < 0 || got.st_dev != st->st_dev || got.st_ino != st->st_ino)
        return -ESTALE;
    return steal_fd(&here);
}

/* A directory, or a mere place (O_PATH): every name looked up from it would be on the host's
 * mounts, past masks and read-only binds. The command gets the same one through the sandbox's
 * mounts, or nothing. */
static void bring_place_inside(struct launch *l, int fd, const struct stat *st, int flags)
{
    _cleanup_fd_ int here = open_here(
        fd, st, flags & O_PATH ? O_PATH | O_NOFOLLOW : O_RDONLY | O_DIRECTORY | O_NONBLOCK);
    if (here < 0)
        init_fail(l, 0,
                  "descriptor %d is a %s that the sandbox does not show: it cannot be passed in; "
                  "pass a file, or let the profile read it",
                  fd, S_ISDIR(st->st_mode) ? "directory" : "place (O_PATH)");
    if (dup2(here, fd) < 0)
        init_fail(l, -errno, "cannot bring descriptor %d into the sandbox", fd);
}

/* A file that was opened only to be read stands on the host's mount, and could be opened again for
 * writing through /proc/self/fd. The command gets the same file through the sandbox's own mount,
 * where it is as writable as the plan says; what has no name there is copied. The place in the file
 * is kept. */
static void bring_inside(struct launch *l, int fd)
{
    struct stat st;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fstat(fd, &st) < 0)
        return;
    if (S_ISDIR(st.st_mode) || (flags & O_PATH)) {
        bring_place_inside(l, fd, &st, flags);
        return;
    }
    if ((flags & O_ACCMODE) != O_RDONLY || !S_ISREG(st.st_mode) || st.st_nlink == 0)
        return;
    _cleanup_fd_ int here = open_here(fd, &st, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (here >= 0 && fd_set_nonblock(here, false) < 0)
        init_fail(l, -EIO, "cannot bring descriptor %d into the sandbox", fd);
    if (here < 0)
        here = sealed_copy(fd);
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (here < 0 || (at > 0 && lseek(here, at, SEEK_SET) < 0) || dup2(here, fd) < 0)
        init_fail(l, here < 0 ? here : -errno, "cannot bring descriptor %d into the sandbox", fd);
}

/* ---- the command's process ---- */

static void set_limit(struct launch *l, int what, uint64_t value, const char *name)
{
    struct rlimit now, want;
    if (value == 0)
        return;
    if (getrlimit(what, &now) < 0)
        init_fail(l, -errno, "cannot read the limit of %s", name);
    rlim_t v = value > (uint64_t)now.rlim_max ? now.rlim_max : (rlim_t)value;
    want.rlim_cur = v;
    want.rlim_max = v;
    /* A second above the soft limit of processor time, so that SIGXCPU comes before SIGKILL. */
    if (what == RLIMIT_CPU && v < now.rlim_max)
        want.rlim_max = v + 1;
    if (setrlimit(what, &want) < 0)
        init_fail(l, -errno, "cannot set the limit of %s", name);
}

static void set_limits(struct launch *l)
{
    const struct config_limits *c = &l->plan->config->limits;
    (void)setrlimit(RLIMIT_NOFILE, &l->nofile);
    set_limit(l, RLIMIT_CPU, c->cpu_seconds, "cpu_seconds");
    set_limit(l, RLIMIT_DATA, c->memory_bytes, "memory");
    set_limit(l, RLIMIT_NPROC, c->processes, "processes");
    set_limit(l, RLIMIT_NOFILE, c->open_files, "open_files");
    set_limit(l, RLIMIT_FSIZE, c->file_size_bytes, "file_size");
}

static void set_descriptors(struct launch *l, int slave)
{
    if (slave >= 0) {
        struct stat in, st;
        bool all = fstat(0, &in) == 0;
        for (int fd = 0; fd < 3; fd++)
            if (fd == 0 ||
                (all && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == in.st_rdev))
                if (dup2(slave, fd) < 0)
                    init_fail(l, -errno, "cannot give the command its terminal");
    }
    if (syscall(UAPI_SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        init_fail(l, -errno, "cannot close descriptors");
    for (size_t i = 0; i < l->options->n_pass_fds; i++)
        if (fcntl(l->options->pass_fds[i], F_SETFD, 0) < 0)
            init_fail(l, -errno, "--pass-fd %d", l->options->pass_fds[i]);
}

static const char *env_value(const struct plan *plan, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < plan->n_env; i++)
        if (strncmp(plan->env[i], name, n) == 0 && plan->env[i][n] == '=')
            return plan->env[i] + n + 1;
    return NULL;
}

/* execvp with the command's own PATH. Returns the errno that tells most. */
static int exec_by_path(const struct plan *plan, char *const *argv)
{
    char *const *env = (char *const *)(uintptr_t)plan->env;
    const char *file = argv[0];
    if (strchr(file, '/')) {
        (void)execve(file, argv, env);
        return -errno;
    }
    const char *path = env_value(plan, "PATH");
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin";
    int found = -ENOENT;
    size_t n = strlen(file);
    if (n == 0 || n > 255)
        return n ? -ENAMETOOLONG : -ENOENT;
    for (;;) {
        size_t len = strcspn(path, ":");
        char full[PATH_MAX];
        if (len + n + 2 < sizeof(full)) {
            memcpy(full, path, len);
            size_t at = len;
            if (len && full[len - 1] != '/')
                full[at++] = '/';
            memcpy(full + at, file, n + 1);
            (void)execve(full, argv, env);
            if (errno == ENOENT && access(full, F_OK) == 0)
                return -ENOEXEC; /* its interpreter is missing */
            if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                return -errno;
            if (errno == EACCES && access(full, F_OK) == 0)
                found = -EACCES;
        }
        if (path[len] == '\0')
            return found;
        path += len + 1;
    }
}

static _noreturn_ void command_main(struct launch *l, int slave, mode_t mask)
{
    if (setpgid(0, 0) < 0)
        init_fail(l, -errno, "cannot make a process group");
    if (slave >= 0)
        (void)tcsetpgrp(slave, getpid());
    if (chdir(l->plan->cwd) < 0) {
        int r = -errno;
        if (l->plan->root_is_host || chdir("/") < 0)
            init_fail(l, r, "cannot enter %s", show(l->plan->cwd));
    }
    umask(mask);
    set_descriptors(l, slave);
    set_limits(l);
    /* Inside the landlock backend's domain the same rules once more: a second domain keeps the
     * command's signals from init, and one without rules for files would forbid every rename across
     * directories. */
    int r = l->ruleset > 0 ? landlock_enforce(l->ruleset) : landlock_scope_install();
    if (r < 0 && r != -EOPNOTSUPP && r != -ENOSYS)
        init_fail(l, r, "cannot apply Landlock scopes");
    (void)sigprocmask(SIG_SETMASK, &l->old_mask, NULL);
    int listener = -1;
    r = seccomp_install(l->plan->filter, &listener);
    if (r < 0)
        init_fail(l, r, "cannot install the system-call filter");
    struct message m = {.kind = MESSAGE_STARTED, .has = listener >= 0 ? MESSAGE_HAS_LISTENER : 0};
    if (fd_send_with_pid(l->control[1], &m, sizeof(m), &listener, listener >= 0) < 0)
        _exit(125);
    fd_close(listener);
    r = exec_by_path(l->plan, l->options->argv);
    m = (struct message){.kind = MESSAGE_EXEC_FAILED, .code = r};
    (void)printable(m.text, sizeof(m.text), l->options->argv[0], strlen(l->options->argv[0]));
    (void)fd_send(l->control[1], &m, sizeof(m), NULL, 0);
    _exit(r == -ENOENT || r == -ENOTDIR ? 127 : 126);
}

/* ---- pid 1 ---- */

/* What ps shows of init: its arguments and environment are bawn's own, with the policy in them. */
static void wipe_arguments(void)
{
    char buf[2048];
    _cleanup_fd_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
    (void)prctl(PR_SET_NAME, "bawn-init");
    if (n <= 0)
        return;
    buf[n] = '\0';
    /* proc(5): fields 48 to 51 are arg_start, arg_end, env_start, env_end; field 2 is in
     * parentheses. */
    const char *p = strrchr(buf, ')');
    unsigned long v[4] = {0};
    for (int field = 2; p && field < 48; field++)
        p = strchr(p + 1, ' ');
    for (int i = 0; p && i < 4; i++) {
        char *end;
        v[i] = strtoul(p + 1, &end, 10);
        p = end;
    }
    static const char title[] = "bawn-init";
    if (v[0] && v[1] > v[0]) {
        memset((void *)v[0], 0, v[1] - v[0]);
        memcpy((void *)v[0], title, MIN_OF(sizeof(title) - 1, (size_t)(v[1] - v[0] - 1)));
    }
    if (v[2] && v[3] > v[2])
        memset((void *)v[2], 0, v[3] - v[2]);
}

/* Every descendant, without a pid namespace to end them together. */
static void kill_children_of(pid_t pid, int depth)
{
    char path[64], buf[4096];
    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
    if (n <= 0)
        return;
    buf[n] = '\0';
    for (char *p = buf; *p;) {
        char *end;
        long child = strtol(p, &end, 10);
        if (end == p)
            break;
        p = end + (*end == ' ');
        (void)kill((pid_t)child, SIGSTOP);
        if (depth < 64)
            kill_children_of((pid_t)child, depth + 1);
        (void)kill((pid_t)child, SIGKILL);
    }
}

static _noreturn_ void end_everything(void)
{
    if (!own_pidns) {
        for (;;) {
            kill_children_of(getpid(), 0);
            pid_t pid = waitpid(-1, NULL, __WALL);
            if (pid < 0 && errno == ECHILD)
                break;
        }
    }
    _exit(0);
}

static int do_work(struct work *w, const int fds[2])
{
    w->name[0][sizeof(w->name[0]) - 1] = '\0';
    w->name[1][sizeof(w->name[1]) - 1] = '\0';
    w->text[sizeof(w->text) - 1] = '\0';
    (void)umask((mode_t)w->mask & 0777);
    switch (w->kind) {
    case WORK_RENAME:
        return sys_ret(syscall(SYS_renameat2, fds[0], w->name[0], fds[1], w->name[1], w->flags));
    case WORK_LINK:
        return sys_ret(
            linkat(fds[0], w->name[0], fds[1], w->name[1], (int)w->flags & AT_SYMLINK_FOLLOW));
    case WORK_MKDIR:
        return sys_ret(mkdirat(fds[0], w->name[0], (mode_t)w->flags));
    case WORK_MKNOD:
        return sys_ret(mknodat(fds[0], w->name[0], (mode_t)w->flags, (dev_t)w->device));
    case WORK_SYMLINK:
        return sys_ret(symlinkat(w->text, fds[0], w->name[0]));
    default:
        return -EPROTO;
    }
}

static void serve_work(struct launch *l)
{
    struct work w;
    int fds[2] = {-1, -1};
    size_t nfds = 0;
    ssize_t n = fd_recv(l->work[1], &w, sizeof(w), fds, 2, &nfds, NULL);
    if (n == 0)
        end_everything();
    struct work_reply reply = {.code = -EPROTO};
    if (n == sizeof(w) && nfds == 2)
        reply.code = do_work(&w, fds);
    for (size_t i = 0; i < nfds; i++)
        fd_close(fds[i]);
    (void)fd_send(l->work[1], &reply, sizeof(reply), NULL, 0);
}

/* Reaps. Returns false when the command itself has ended (status sent). */
static bool reap(struct launch *l, pid_t command, int input)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED | __WALL);
        if (pid <= 0)
            return true;
        if (pid != command)
            continue;
        struct message m = {.code = status};
        if (WIFSTOPPED(status)) {
            m.kind = MESSAGE_STOPPED;
            m.code = WSTOPSIG(status);
            (void)fd_send(l->control[1], &m, sizeof(m), NULL, 0);
            continue;
        }
        struct rusage use;
        m.kind = MESSAGE_EXITED;
        m.input_at = input >= 0 ? lseek(input, 0, SEEK_CUR) : -1;
        if (getrusage(RUSAGE_CHILDREN, &use) == 0)
            m.maxrss_kib = (uint64_t)use.ru_maxrss;
        /* Nobody left: the outer may put away what it holds before this process's own end. */
        m.alone = waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD;
        (void)fd_send(l->control[1], &m, sizeof(m), NULL, 0);
        return false;
    }
}

static void serve_control(struct launch *l, pid_t command)
{
    struct message m;
    ssize_t n = fd_recv(l->control[1], &m, sizeof(m), NULL, 0, NULL, NULL);
    if (n != sizeof(m) || m.kind == MESSAGE_KILL)
        end_everything();
    if (m.kind == MESSAGE_SIGNAL && m.code > 0 && m.code < 65)
        if (kill(-command, m.code) < 0)
            (void)kill(command, m.code);
}

_noreturn_ void init_main(struct launch *l, int diag, int master, int slave)
{
    own_pidns = getpid() == 1;
    umask(l->umask);
    (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0);
    if (setsid() < 0 && errno != EPERM)
        init_fail(l, -errno, "cannot start a session");
    if (slave >= 0 && ioctl(slave, TIOCSCTTY, 0) < 0)
        init_fail(l, -errno, "cannot give the command its terminal");
    if (!own_pidns)
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    drop_capabilities(l);

    struct message ready = {.kind = MESSAGE_READY};
    int fds[2];
    size_t nfds = 0;
    if (diag >= 0) {
        ready.has |= MESSAGE_HAS_DIAG;
        fds[nfds++] = diag;
    }
    if (master >= 0) {
        ready.has |= MESSAGE_HAS_PTY;
        fds[nfds++] = master;
    }
    if (nfds && fd_send(l->control[1], &ready, sizeof(ready), fds, nfds) < 0)
        _exit(125);
    fd_close(diag);
    fd_close(master);

    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    _cleanup_fd_ int sigfd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    if (sigfd < 0)
        init_fail(l, -errno, "cannot watch the command");
    for (int fd = 0; fd < 3; fd++)
        bring_inside(l, fd);
    for (size_t i = 0; i < l->options->n_pass_fds; i++)
        bring_inside(l, l->options->pass_fds[i]);
    _cleanup_fd_ int input = lseek(0, 0, SEEK_CUR) >= 0 ? fcntl(0, F_DUPFD_CLOEXEC, 3) : -1;
    /* Nothing runs before the proxy holds the sockets. */
    if (l->plan->network == NETWORK_FILTERED)
        init_await(l, MESSAGE_FILTERED);
    pid_t command = sys_ret(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    if (command == 0)
        command_main(l, slave, l->umask);
    if (command < 0)
        init_fail(l, command, "cannot start the command");
    /* Both sides do this, so that neither order of running matters. */
    (void)setpgid(command, command);
    wipe_arguments();
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        init_fail(l, -errno, "cannot shut init");
    int none;
    int r = seccomp_install(0, &none);
    if (r < 0)
        init_fail(l, r, "cannot install init's filter");
    /* Only the two sockets and the signal descriptor stay open. */
    int keep[] = {l->control[1], l->work[1], sigfd, input};
    for (unsigned from = 0; from < 4096;) {
        unsigned next = ~0u;
        for (size_t i = 0; i < ARRAY_LEN(keep); i++)
            if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        (void)sys_close_range(from, next == ~0u ? ~0u : next - 1);
        if (next == ~0u)
            break;
        from = next + 1;
    }
    for (;;) {
        struct pollfd p[3] = {{.fd = sigfd, .events = POLLIN},
                              {.fd = l->control[1], .events = POLLIN},
                              {.fd = l->work[1], .events = POLLIN}};
        if (poll(p, 3, -1) < 0 && errno != EINTR)
            end_everything();
        if (p[0].revents) {
            struct signalfd_siginfo info;
            (void)!read(sigfd, &info, sizeof(info));
            if (!reap(l, command, input))
                end_everything();
        }
        if (p[1].revents)
            serve_control(l, command);
        if (p[2].revents)
            serve_work(l);
    }
}
