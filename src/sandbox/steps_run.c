/*
 * The processes of a plan of steps (steps.h).
 *
 *   outer    what the caller started. Makes the namespaces with one clone3, says what it was asked
 *            to say about them, then only waits. It handles no signal and forwards none: the
 * command is in the caller's session and process group and gets the terminal's by itself child in
 * the namespaces: mounts, ids, capabilities, then the command itself, or init     pid 1 of a new
 * pid namespace (or who holds locks and --sync-fd): reaps, says how the command ended, and stays as
 * long as anything else of the sandbox does
 *
 * One socketpair ties them: set-up that failed, the command about to run, one that could not be
 * executed, how it ended. All ends of it are close-on-exec, so the end of the command's copy is the
 * start of the program.
 *
 * Everything else is inherited as bubblewrap's users expect: descriptors, signal mask, umask,
 * limits.
 */
#include "sandbox/steps_run.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"
#include "sandbox/mounts.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define EXIT_FAILED 1 /* of a set-up that did not work, and of a program that could not be run */
#define FILTER_MAX  (4096u * sizeof(struct sock_filter)) /* BPF_MAXINSNS */
#define MAX_CAPS    64

struct cage {
    struct launch l;
    const struct plan *plan;
    const struct plan_steps *p;
    struct sock_fprog *filters;
    int *sources;
    char *const *env;    /* the command's */
    uid_t uid, real_uid; /* in the sandbox, outside */
    gid_t gid, real_gid;
    uint64_t caps;  /* what the command keeps */
    int proc;       /* the host's /proc */
    bool nested;    /* the command is in a second user namespace */
    bool gate;      /* the child waits for the outer's word */
    bool net_apart; /* the network namespace is made beside the mounts */
};

/* ---- capabilities ---- */

static uint64_t caps_now(bool permitted)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (syscall(SYS_capget, &header, data) < 0)
        return 0;
    return permitted ? data[0].permitted | (uint64_t)data[1].permitted << 32
                     : data[0].effective | (uint64_t)data[1].effective << 32;
}

static int caps_set(uint64_t caps)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    uint32_t low = (uint32_t)caps, high = (uint32_t)(caps >> 32);
    data[0] = (struct __user_cap_data_struct){low, low, low};
    data[1] = (struct __user_cap_data_struct){high, high, high};
    return sys_ret(syscall(SYS_capset, &header, data));
}

/* A new user namespace brings the whole bounding set back. */
static void bound_caps(uint64_t keep)
{
    for (unsigned cap = 0; cap < MAX_CAPS; cap++)
        if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno == EINVAL)
            break;
}

/* Drops what the command is not to have; in a root's own namespaces that is nothing, unless it was
 * said. */
static void drop_caps(struct cage *c)
{
    if (!c->p->caps_said && c->real_uid == 0)
        return;
    int r = caps_set(c->caps);
    if (r < 0 && !(r == -EPERM && c->real_uid == 0))
        init_fail(&c->l, r, "capset failed");
}

static void raise_ambient(uint64_t caps)
{
    for (unsigned cap = 0; cap < MAX_CAPS && caps >> cap; cap++)
        if (caps >> cap & 1)
            (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

/* ---- ids ---- */

static void write_self(struct cage *c, const char *name, const char *what, const char *fmt,
                       unsigned inside, unsigned outside)
{
    char path[64], text[64];
    (void)snprintf(path, sizeof(path), "self/%s", name);
    if (fmt)
        (void)snprintf(text, sizeof(text), "%u %u 1\n", inside, outside);
    else
        (void)snprintf(text, sizeof(text), "deny\n");
    _cleanup_fd_ int fd = openat(c->proc, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        init_fail(&c->l, -errno, "%s", what);
}

static void map_ids(struct cage *c, uid_t uid, uid_t outer_uid, gid_t gid, gid_t outer_gid,
                    bool deny)
{
    write_self(c, "uid_map", "setting up uid map", "", uid, outer_uid);
    if (deny)
        write_self(c, "setgroups", "error writing to setgroups", NULL, 0, 0);
    write_self(c, "gid_map", "setting up gid map", "", gid, outer_gid);
}

/* ---- descriptors ---- */

/* Closes all but 0, 1, 2 and KEEP (negative ones do not count). */
static void close_others(const int *keep, size_t n)
{
    for (unsigned from = 3;;) {
        unsigned next = ~0u;
        for (size_t i = 0; i < n; i++)
            if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next)
                next = (unsigned)keep[i];
        (void)sys_close_range(from, next == ~0u ? ~0u : next - 1);
        if (next == ~0u)
            return;
        from = next + 1;
    }
}

/* Waits until there is something to read, or nobody left to write it. */
static void wait_fd(int fd)
{
    char b;
    if (fd < 0)
        return;
    while (read(fd, &b, 1) < 0 && errno == EINTR)
        ;
    fd_close(fd);
}

/* ---- filters ---- */

static void read_filters(struct cage *c)
{
    for (size_t i = 0; i < c->p->n_filters; i++) {
        struct strbuf b = {.max = FILTER_MAX + 1};
        int r = fd_read_all(c->p->filters[i], FILTER_MAX, &b);
        if (r < 0)
            init_fail(&c->l, r, "Can't read seccomp data");
        if (b.n % sizeof(struct sock_filter))
            init_fail(&c->l, 0, "Invalid seccomp data, must be multiple of 8");
        fd_close(c->p->filters[i]);
        c->filters[i] = (struct sock_fprog){
            .len = (unsigned short)(b.n / sizeof(struct sock_filter)),
            .filter = (struct sock_filter *)(void *)b.p,
        };
    }
}

static void install_filters(struct cage *c)
{
    for (size_t i = 0; i < c->p->n_filters; i++)
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &c->filters[i]) < 0)
            init_fail(&c->l, errno == EINVAL ? 0 : -errno,
                      errno == EINVAL
                          ? "Unable to set up system call filtering as requested: "
                            "prctl(PR_SET_SECCOMP) reported EINVAL. (Hint: this requires a kernel "
                            "configured with CONFIG_SECCOMP and CONFIG_SECCOMP_FILTER.)"
                          : "prctl(PR_SET_SECCOMP)");
}

/* ---- the command ---- */

static const char *env_value(const struct plan *plan, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < plan->n_env; i++)
        if (strncmp(plan->env[i], name, n) == 0 && plan->env[i][n] == '=')
            return plan->env[i] + n + 1;
    return NULL;
}

static void exec_one(const char *path, char *const *argv, char *const *env, size_t n)
{
    (void)execve(path, argv, env);
    if (errno != ENOEXEC)
        return;
    /* A script without a first line that names its shell. */
    char **sh = mem_zalloc(n + 3, sizeof(*sh));
    if (!sh)
        return;
    sh[0] = (char *)(uintptr_t) "/bin/sh";
    sh[1] = (char *)(uintptr_t)path;
    for (size_t i = 1; i < n; i++)
        sh[i + 1] = argv[i];
    (void)execve(sh[0], sh, env);
    mem_free(sh);
}

/* execvp(3) with the environment of the plan; the same in every libc. Returns what failed. */
static int exec_command(const struct plan *plan, const char *file, char *const *argv,
                        char *const *env)
{
    size_t n_args = 0, n = strlen(file);
    while (argv[n_args])
        n_args++;
    if (strchr(file, '/')) {
        exec_one(file, argv, env, n_args);
        return -errno;
    }
    const char *path = env_value(plan, "PATH");
    if (!path)
        path = "/bin:/usr/bin";
    int found = -ENOENT;
    if (n == 0 || n > 255)
        return n ? -ENAMETOOLONG : -ENOENT;
    for (;; path++) {
        char full[PATH_MAX];
        size_t len = strcspn(path, ":"), at = len;
        if (len + n + 2 < sizeof(full)) {
            memcpy(full, path, len);
            if (len)
                full[at++] = '/';
            memcpy(full + at, file, n + 1);
            exec_one(full, argv, env, n_args);
            if (errno == EACCES)
                found = -EACCES;
            else if (errno != ENOENT && errno != ENOTDIR && errno != ESTALE && errno != ENODEV &&
                     errno != ETIMEDOUT)
                return -errno;
        }
        path += len;
        if (*path == '\0')
            return found;
    }
}

static _noreturn_ void command_main(struct cage *c)
{
    char *const *env = c->env;
    char *const *argv = c->l.options->argv;
    const char *file = argv[0];
    if (!file)
        init_fail(&c->l, -EINVAL, "no command");
    if (c->p->argv0) {
        size_t n = 0;
        while (argv[n])
            n++;
        char **words = mem_zalloc(n + 1, sizeof(*words));
        if (!words)
            init_fail(&c->l, -ENOMEM, "cannot start the command");
        memcpy(words, argv, n * sizeof(*words));
        words[0] = (char *)(uintptr_t)c->p->argv0;
        argv = words;
    }
    if (c->p->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        init_fail(&c->l, -errno, "prctl");
    raise_ambient(c->caps);
    struct message m = {.kind = MESSAGE_STARTED};
    if (c->p->json_status_fd >= 0)
        (void)fd_send(c->l.control[1], &m, sizeof(m), NULL, 0);
    install_filters(c);
    int r = exec_command(c->plan, file, argv, env);
    m = (struct message){.kind = MESSAGE_EXEC_FAILED, .code = r};
    (void)printable(m.text, sizeof(m.text), file, strlen(file));
    (void)fd_send(c->l.control[1], &m, sizeof(m), NULL, 0);
    _exit(EXIT_FAILED);
}

/* ---- init ---- */

static int status_of(int status)
{
    return WIFEXITED(status)     ? WEXITSTATUS(status)
           : WIFSIGNALED(status) ? 128 + WTERMSIG(status)
                                 : 255;
}

static void take_locks(struct cage *c)
{
    for (size_t i = 0; i < c->p->n_locks; i++) {
        struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        int fd = open(c->p->locks[i], O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            init_fail(&c->l, -errno, "Unable to open lock file %s", show(c->p->locks[i]));
        if (fcntl(fd, F_SETLK, &lock) < 0)
            init_fail(&c->l, -errno, "Unable to lock file %s", show(c->p->locks[i]));
    }
}

static _noreturn_ void reaper_main(struct cage *c, pid_t command)
{
    int keep[] = {c->l.control[1], c->p->sync_fd};
    (void)caps_set(0);
    close_others(keep, ARRAY_LEN(keep));
    take_locks(c);
    if (c->p->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        init_fail(&c->l, -errno, "prctl");
    install_filters(c);
    int result = EXIT_FAILED;
    for (;;) {
        int status;
        pid_t pid = wait(&status);
        if (pid == command) {
            result = status_of(status);
            struct message m = {.kind = MESSAGE_EXITED, .code = result};
            if (c->p->unshare_pid)
                (void)fd_send(c->l.control[1], &m, sizeof(m), NULL, 0);
        }
        if (pid < 0 && errno != EINTR)
            _exit(result);
    }
}

/* ---- the child: from the namespaces to the command ---- */

/* The caller's directory: as PWD spells it, where that is right, else as the kernel does. */
static const char *directory(struct cage *c, char buf[PATH_MAX])
{
    const char *pwd = env_value(c->plan, "PWD");
    struct stat a, b;
    if (pwd && pwd[0] == '/' && stat(pwd, &a) == 0 && stat(".", &b) == 0 && a.st_dev == b.st_dev &&
        a.st_ino == b.st_ino)
        return pwd;
    return getcwd(buf, PATH_MAX) && buf[0] == '/' ? buf : NULL;
}

static const char *enter_directory(struct cage *c, const char *was)
{
    const char *home;
    if (c->p->chdir) {
        if (chdir(c->p->chdir) < 0)
            init_fail(&c->l, -errno, "Can't chdir to %s", show(c->p->chdir));
        return c->p->chdir;
    }
    if (was && chdir(was) == 0)
        return was;
    home = env_value(c->plan, "HOME");
    return home && chdir(home) == 0 ? home : "/";
}

/* The plan's environment with PWD in it. */
static char *const *environment(struct cage *c, const char *pwd)
{
    char **env = mem_zalloc(c->plan->n_env + 2, sizeof(*env));
    size_t n = strlen(pwd) + sizeof("PWD="), at = 0;
    char *text = mem_alloc(n);
    if (!env || !text)
        init_fail(&c->l, -ENOMEM, "cannot start the command");
    (void)snprintf(text, n, "PWD=%s", pwd);
    bool put = false;
    for (size_t i = 0; i < c->plan->n_env; i++) {
        bool is = str_starts(c->plan->env[i], "PWD=");
        if (!is)
            env[at++] = (char *)(uintptr_t)c->plan->env[i];
        else if (!put)
            env[at++] = text;
        put = put || is;
    }
    if (!put)
        env[at] = text;
    return env;
}

static bool has_reaper(const struct plan_steps *p)
{
    return !p->as_pid_1 && (p->unshare_pid || p->n_locks || p->sync_fd >= 0);
}

static int command_entry(void *data)
{
    struct cage *c = data;
    if (!c->p->as_pid_1)
        fd_close(c->p->sync_fd);
    command_main(c);
}

/* A process of the same memory, on a stack of its own; this one sleeps until that has become
 * another program or is gone. Copying the memory to throw it away takes longer than the mounts of a
 * small sandbox. Never between the outer process and an init, which stays: whoever reached the
 * memory of the one would have that of the other. */
static pid_t start_at(int (*entry)(void *), struct cage *c, uint64_t flags)
{
    size_t size = 512u * 1024;
    char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return -errno;
    pid_t pid = clone(entry, stack + size, (int)flags | CLONE_VM | CLONE_VFORK | SIGCHLD, c);
    return pid < 0 ? -errno : pid;
}

/* A process between this one and its parent ends when what it started is in its own namespace. */
static void fork_on(struct cage *c)
{
    pid_t pid = fork();
    if (pid < 0)
        init_fail(&c->l, -errno, "Can't fork for --pidns");
    if (pid > 0)
        _exit(0);
}

static void enter_pidns(struct cage *c)
{
    if (c->p->pidns_fd < 0)
        return;
    if (setns(c->p->pidns_fd, CLONE_NEWPID) < 0)
        init_fail(&c->l, -errno, "Setting pidns failed");
    fork_on(c);
    if (c->p->unshare_pid) {
        if (unshare(CLONE_NEWPID) < 0)
            init_fail(&c->l, -errno, "unshare pid ns");
        fork_on(c);
    }
    struct message m = {.kind = MESSAGE_READY};
    if (fd_send_with_pid(c->l.control[1], &m, sizeof(m), NULL, 0) < 0)
        _exit(EXIT_FAILED);
}

/* A second user namespace in the first. Its limit of user namespaces cannot be raised from in it;
 * and whoever keeps capabilities has none over the mounts. */
static void nest(struct cage *c)
{
    if (!c->nested)
        return;
    if (c->p->disable_userns) {
        _cleanup_fd_ int fd = openat(c->proc, "sys/user/max_user_namespaces", O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            init_fail(&c->l, -errno, "cannot open /proc/sys/user/max_user_namespaces");
        if (write(fd, "1", 1) < 0)
            init_fail(&c->l, -errno, "sysctl user.max_user_namespaces = 1");
    }
    if (unshare(CLONE_NEWUSER) < 0)
        init_fail(&c->l, -errno, "unshare user ns");
    bound_caps(c->caps);
    map_ids(c, c->uid, c->uid, c->gid, c->gid, false);
}

static void check_userns(struct cage *c)
{
    if ((c->p->disable_userns || c->p->assert_userns_disabled) && unshare(CLONE_NEWUSER) == 0)
        init_fail(&c->l, 0, "creation of new user namespaces was not disabled as requested");
}

static void switch_ids(struct cage *c)
{
    if (c->p->userns_fd < 0)
        return;
    if (c->uid != c->real_uid && setuid(c->uid) < 0)
        init_fail(&c->l, -errno, "unable to switch to uid %u", c->uid);
    if (c->gid != c->real_gid && setgid(c->gid) < 0)
        init_fail(&c->l, -errno, "unable to switch to gid %u", c->gid);
}

static void await_go(struct cage *c)
{
    struct message m;
    if (c->gate && fd_recv(c->l.control[1], &m, sizeof(m), NULL, 0, NULL, NULL) != sizeof(m))
        _exit(EXIT_FAILED);
}

static void raise_nofile(struct cage *c)
{
    struct rlimit want = c->l.nofile;
    want.rlim_cur = MIN_OF(want.rlim_max, (rlim_t)(c->p->n + 1024));
    if (want.rlim_cur > c->l.nofile.rlim_cur)
        (void)setrlimit(RLIMIT_NOFILE, &want);
}

/* The command is pid 2 where it has an init: people have come to know it. The one who made the
 * network namespace had that number, and is gone. */
static void forget_helper(struct cage *c)
{
    if (!c->p->unshare_pid)
        return;
    _cleanup_fd_ int fd = openat(c->proc, "sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, "1", 1);
}

static _noreturn_ void child_main(struct cage *c)
{
    static struct net net;
    char cwd[PATH_MAX];
    const struct plan_steps *p = c->p;
    fd_close(c->l.control[0]);
    fd_close(p->info_fd);
    fd_close(p->json_status_fd);
    enter_pidns(c);
    await_go(c);
    if (p->unshare_user || p->userns_fd >= 0)
        bound_caps(c->caps);
    switch_ids(c);
    if (p->unshare_net && c->net_apart) {
        net_start(&c->l, &net, false);
    } else if (p->unshare_net) {
        int lo = net_loopback();
        if (lo < 0)
            init_fail(&c->l, lo, "loopback: Failed to bring the device up");
        fd_close(lo);
    }
    if (p->unshare_user && p->userns_block_fd < 0)
        map_ids(c, c->uid, c->real_uid, c->gid, c->real_gid, true);
    mode_t mask = umask(0);
    const char *was = directory(c, cwd);
    raise_nofile(c);
    steps_mount(&c->l, p, c->sources);
    (void)setrlimit(RLIMIT_NOFILE, &c->l.nofile);
    if (p->unshare_net && c->net_apart) {
        net_enter(&c->l, &net);
        forget_helper(c);
    }
    if (p->userns2_fd >= 0 && setns(p->userns2_fd, CLONE_NEWUSER) < 0)
        init_fail(&c->l, -errno, "Setting userns2 failed");
    nest(c);
    check_userns(c);
    drop_caps(c);
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    wait_fd(p->block_fd);
    read_filters(c);
    umask(mask);
    c->env = environment(c, enter_directory(c, was));
    if (p->new_session && setsid() < 0)
        init_fail(&c->l, -errno, "setsid");
    if (has_reaper(p)) {
        pid_t pid = start_at(command_entry, c, 0);
        if (pid < 0)
            init_fail(&c->l, pid, "Can't fork for pid 1");
        reaper_main(c, pid);
    }
    (void)command_entry(c);
    _exit(EXIT_FAILED);
}

static int child_entry(void *data)
{
    child_main(data);
}

/* ---- the outer process ---- */

/* What of the namespaces is told, in bubblewrap's order. */
static const struct {
    const char *name;
    size_t said; /* offset of the flag in struct plan_steps; 0 = always */
} told[] = {
    {"cgroup", offsetof(struct plan_steps, unshare_cgroup)},
    {"ipc", offsetof(struct plan_steps, unshare_ipc)},
    {"mnt", 0},
    {"net", offsetof(struct plan_steps, unshare_net)},
    {"pid", offsetof(struct plan_steps, unshare_pid)},
    {"uts", offsetof(struct plan_steps, unshare_uts)},
};

static void tell_child(struct cage *c, int fd, pid_t pid, bool line)
{
    struct strbuf b = {.max = 4096};
    if (fd < 0)
        return;
    strbuf_printf(&b, line ? "{ \"child-pid\": %d" : "{\n    \"child-pid\": %d", (int)pid);
    for (size_t i = 0; i < ARRAY_LEN(told); i++) {
        char path[64];
        struct stat st;
        const char *at = (const char *)c->p;
        if (told[i].said && !*(const bool *)(at + told[i].said))
            continue;
        (void)snprintf(path, sizeof(path), "%d/ns/%s", (int)pid, told[i].name);
        if (fstatat(c->proc, path, &st, 0) == 0)
            strbuf_printf(&b, line ? ", \"%s-namespace\": %ju" : ",\n    \"%s-namespace\": %ju",
                          told[i].name, (uintmax_t)st.st_ino);
    }
    strbuf_puts(&b, line ? " }\n" : "\n}\n");
    (void)fd_write_all(fd, b.p, b.n);
    strbuf_release(&b);
}

static void tell_exit(struct cage *c, int status)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "{ \"exit-code\": %i }\n", status);
    if (c->p->json_status_fd >= 0)
        (void)fd_write_all(c->p->json_status_fd, line, (size_t)n);
}

static int clone_failed(struct cage *c, int code, struct error *err)
{
    if (c->p->unshare_user && code == -EPERM) {
        error_set(err, code,
                  "No permissions to create a new namespace, likely because the kernel does not "
                  "allow non-privileged user namespaces. On e.g. debian this can be enabled with "
                  "'sysctl kernel.unprivileged_userns_clone=1'.");
        error_hint(err, "`bawn doctor` shows what forbids it");
        return code;
    }
    if (code == -ENOSPC)
        return error_set(err, code,
                         "Creating new namespace failed: nesting depth or "
                         "/proc/sys/user/max_*_namespaces exceeded (ENOSPC)");
    return error_errno(err, code, "Creating new namespace failed");
}

static uint64_t clone_flags(const struct cage *c)
{
    const struct plan_steps *p = c->p;
    return (uint64_t)CLONE_NEWNS | (p->unshare_user ? CLONE_NEWUSER : 0u) |
           (p->unshare_pid && p->pidns_fd < 0 ? CLONE_NEWPID : 0u) |
           (p->unshare_net && !c->net_apart ? CLONE_NEWNET : 0u) |
           (p->unshare_ipc ? CLONE_NEWIPC : 0u) | (p->unshare_uts ? CLONE_NEWUTS : 0u) |
           (p->unshare_cgroup ? CLONE_NEWCGROUP : 0u);
}

/* Below --pidns it is a grandchild that goes on; it says so. */
static int find_child(struct cage *c, pid_t *pid, struct error *err)
{
    struct message m;
    if (c->p->pidns_fd < 0)
        return 0;
    pid_t sender = 0;
    ssize_t n = fd_recv(c->l.control[0], &m, sizeof(m), NULL, 0, NULL, &sender);
    m.text[sizeof(m.text) - 1] = '\0';
    if (n == sizeof(m) && m.kind == MESSAGE_FAILED)
        return error_set(err, m.code < 0 ? m.code : -EIO, "%s", m.text);
    if (n != sizeof(m) || m.kind != MESSAGE_READY || sender <= 0)
        return error_set(err, -ECHILD, "Setting pidns failed");
    *pid = sender;
    return 0;
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_FAILED;
    return status_of(status);
}

/* Until the command has ended; with a pid namespace that is when its init says so, which may stay
 * for what the command left behind. */
static int supervise(struct cage *c, pid_t pid, int *ret_status, struct error *err)
{
    bool started = false, over = !c->p->unshare_pid || c->p->as_pid_1;
    /* Where nobody speaks of the end, it is waited for; what was said before can be read then. */
    if (over)
        *ret_status = wait_for(pid);
    for (;;) {
        struct message m;
        ssize_t n = fd_recv(c->l.control[0], &m, sizeof(m), NULL, 0, NULL, NULL);
        if (n == -ECONNRESET)
            continue;
        if (n != sizeof(m)) {
            if (!over)
                *ret_status = wait_for(pid);
            break;
        }
        m.text[sizeof(m.text) - 1] = '\0';
        if (m.kind == MESSAGE_FAILED)
            return error_set(err, m.code < 0 ? m.code : -EIO, "%s", m.text);
        if (m.kind == MESSAGE_STARTED)
            started = true;
        if (m.kind == MESSAGE_EXEC_FAILED)
            return error_errno(err, m.code < 0 ? m.code : -EIO, "execvp %s", m.text);
        if (m.kind == MESSAGE_EXITED) {
            *ret_status = m.code;
            break;
        }
    }
    if (started)
        tell_exit(c, *ret_status);
    return 0;
}

static int outer_main(struct cage *c, pid_t pid, int *ret_status, struct error *err)
{
    const struct plan_steps *p = c->p;
    fd_close(c->l.control[1]);
    c->l.control[1] = -1;
    int r = find_child(c, &pid, err);
    if (r < 0)
        return r;
    if (p->userns2_fd >= 0 && setns(p->userns2_fd, CLONE_NEWUSER) < 0)
        return error_errno(err, -errno, "Setting userns2 failed");
    /* Once more: with the user namespace the kernel forgot it. */
    if (p->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno(err, -errno, "prctl");
    tell_child(c, p->info_fd, pid, false);
    fd_close(p->info_fd);
    tell_child(c, p->json_status_fd, pid, true);
    wait_fd(p->userns_block_fd);
    if (c->real_uid == 0 || p->userns_fd >= 0)
        (void)caps_set(0);
    struct message go = {.kind = MESSAGE_GO};
    if (c->gate)
        (void)fd_send(c->l.control[0], &go, sizeof(go), NULL, 0);
    int keep[] = {c->l.control[0], p->json_status_fd};
    close_others(keep, ARRAY_LEN(keep));
    return supervise(c, pid, ret_status, err);
}

static int prepare(struct cage *c, struct error *err)
{
    const struct plan_steps *p = c->p;
    /* Whoever ignores the end of its children hands that down: here they are waited for. */
    (void)signal(SIGCHLD, SIG_DFL);
    if (c->real_uid != 0 && caps_now(true))
        return error_set(err, -EPERM,
                         "Unexpected capabilities but not setuid, old file caps config?");
    c->caps = ((c->real_uid == 0 ? caps_now(false) : 0) & p->caps_keep) | p->caps_add;
    for (size_t i = 0; i < p->n && !c->nested; i++)
        c->nested = c->caps && p->v[i].op == STEP_DEV;
    c->nested = (c->nested || p->disable_userns) && p->unshare_user && p->userns_block_fd < 0;
    c->gate = p->info_fd >= 0 || p->json_status_fd >= 0 || p->userns_block_fd >= 0;
    c->net_apart = p->unshare_net && !c->gate;
    c->sources = mem_zalloc(p->n + 1, sizeof(*c->sources));
    c->filters = mem_zalloc(p->n_filters + 1, sizeof(*c->filters));
    if (!c->sources || !c->filters)
        return error_set(err, -ENOMEM, "out of memory");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, -errno, "prctl(PR_SET_NO_NEW_PRIVS) failed");
    if (getrlimit(RLIMIT_NOFILE, &c->l.nofile) < 0)
        return error_errno(err, -errno, "cannot read the limit of open files");
    c->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (c->proc < 0)
        return error_errno(err, -errno, "Can't open /proc");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, c->l.control) < 0)
        return error_errno(err, -errno, "cannot make a socket");
    if (p->userns_fd >= 0 && setns(p->userns_fd, CLONE_NEWUSER) < 0)
        return errno == EINVAL
                   ? error_set(err, -EINVAL,
                               "Joining the specified user namespace failed, it might not be a "
                               "descendant of the current user namespace.")
                   : error_errno(err, -errno, "Joining specified user namespace failed");
    if (p->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return error_errno(err, -errno, "prctl");
    if (p->pidns_fd >= 0) {
        int on = 1;
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        (void)setsockopt(c->l.control[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
    }
    return 0;
}

int steps_run(const struct plan *plan, const struct run_options *options, int *ret_status,
              struct error *err)
{
    static struct cage c; /* as large as the stack of a thread, and there is one */
    uid_t uid = getuid();
    gid_t gid = getgid();
    c = (struct cage){.l = {.plan = plan,
                            .options = options,
                            .control = {-1, -1},
                            .work = {-1, -1},
                            .self_fd = -1},
                      .plan = plan,
                      .p = plan->steps,
                      .uid = plan->steps->uid,
                      .gid = plan->steps->gid,
                      .real_uid = uid,
                      .real_gid = gid};
    int r = prepare(&c, err);
    if (r < 0)
        return r;
    int pidfd = -1;
    pid_t pid;
    if (c.gate || c.p->pidns_fd >= 0 || has_reaper(c.p)) {
        pid = sys_clone3(clone_flags(&c), &pidfd);
        if (pid == 0)
            child_main(&c);
    } else {
        pid = start_at(child_entry, &c, clone_flags(&c));
    }
    if (pid < 0)
        return clone_failed(&c, pid, err);
    fd_close(pidfd);
    return outer_main(&c, pid, ret_status, err);
}
