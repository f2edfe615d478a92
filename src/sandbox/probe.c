/*
 * Probing the kernel. See probe.h; bwrap has its own file.
 *
 * Each try runs in a forked child that reports one fixed struct through a pipe and is killed when
 * its time is over. Namespaces and filters it makes end with it, so there is nothing to undo.
 */
#include "sandbox/probe.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRY_MS 3000

#define CGROUP2_MAGIC 0x63677270
#define TMPFS_MAGIC_  0x01021994

static void result(struct probe_result *ret, const char *id, bool ok, bool needed)
{
    *ret = (struct probe_result){.id = id, .ok = ok, .needed = needed};
}

#define detail(ret, ...) (void)snprintf((ret)->detail, sizeof((ret)->detail), __VA_ARGS__)
#define fix(ret, ...)    (void)snprintf((ret)->fix, sizeof((ret)->fix), __VA_ARGS__)

/* ---- children ---- */

struct report {
    int stage, error;
    unsigned long value;
};

/* Runs FN in a child; its report arrives in *RET. 0, or a negative errno when there is no report.
 */
static int try_in_child(void (*fn)(struct report *), struct report *ret)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return -errno;
    _cleanup_fd_ int in = p[0];
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        struct report r = {0};
        fn(&r);
        _exit(write(p[1], &r, sizeof(r)) == (ssize_t)sizeof(r) ? 0 : 1);
    }
    int e = pid < 0 ? -errno : 0;
    (void)close(p[1]);
    if (e < 0)
        return e;
    struct pollfd fd = {.fd = in, .events = POLLIN};
    int n;
    do
        n = poll(&fd, 1, TRY_MS);
    while (n < 0 && errno == EINTR);
    struct report r;
    bool complete = n > 0 && read(in, &r, sizeof(r)) == (ssize_t)sizeof(r);
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (!complete)
        return n == 0 ? -ETIMEDOUT : -EPROTO;
    *ret = r;
    return 0;
}

/* ---- reading settings ---- */

/* A small file's text without its last newline; false when it cannot be read. */
static bool read_text(const char *path, char *buf, size_t cap)
{
    _cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, cap - 1);
    if (n < 0)
        return false;
    buf[n] = '\0';
    if (n > 0 && buf[n - 1] == '\n')
        buf[n - 1] = '\0';
    return true;
}

static long read_number(const char *path)
{
    char text[32], *end;
    if (!read_text(path, text, sizeof(text)))
        return -1;
    long v = strtol(text, &end, 10);
    return end == text ? -1 : v;
}

/* WSL1 translates system calls and calls itself "…-Microsoft"; WSL2 is a kernel, "…-microsoft-…".
 */
static bool is_wsl1(const char *release)
{
    return strstr(release, "Microsoft") != NULL && !strstr(release, "WSL2");
}

static const char *container_name(void)
{
    static const struct {
        const char *file, *name;
    } marks[] = {{"/.dockerenv", "Docker"},
                 {"/run/.containerenv", "Podman"},
                 {"/run/systemd/container", "a container"},
                 {"/var/run/secrets/kubernetes.io", "Kubernetes"}};
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (access(marks[i].file, F_OK) == 0)
            return marks[i].name;
    return NULL;
}

/* Is a seccomp filter on us already? */
static bool is_filtered(void)
{
    char text[8192];
    if (!read_text("/proc/self/status", text, sizeof(text)))
        return false;
    const char *s = strstr(text, "\nSeccomp:");
    return s && strtol(s + 9, NULL, 10) == SECCOMP_MODE_FILTER;
}

/* In a chroot no mount stands at "/", and the kernel makes no user namespace there. */
static bool in_chroot(void)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    if (path_read_file(AT_FDCWD, "/proc/self/mountinfo", MAX_FILE_BYTES, &text, NULL) < 0)
        return false;
    for (const char *line = strbuf_text(&text); *line;) {
        /* id parent dev root MOUNTPOINT … */
        const char *p = line;
        for (int i = 0; i < 4 && p; i++)
            p = (p = strchr(p, ' ')) ? p + 1 : NULL;
        if (p && p[0] == '/' && p[1] == ' ')
            return false;
        const char *next = strchr(line, '\n');
        if (!next)
            break;
        line = next + 1;
    }
    return text.n > 0;
}

/* ---- kernel ---- */

/* Calls with arguments that cannot succeed: only "no such system call" is of interest. An old outer
 * container answers EPERM to what it does not know; that counts as missing too, where the kernel
 * itself has no reason to say so (MAY_MOUNT). */
static bool has_syscall(long nr, bool may_mount)
{
    (void)syscall(nr, -1, NULL, -1, NULL, 0);
    return errno != ENOSYS && (errno != EPERM || !may_mount);
}

static const struct {
    long nr;
    const char *name;
    const char *since;
} wanted_calls[] = {
    {UAPI_SYS_clone3, "clone3", "5.3"},         {UAPI_SYS_openat2, "openat2", "5.6"},
    {UAPI_SYS_pidfd_open, "pidfd_open", "5.3"}, {UAPI_SYS_open_tree, "open_tree", "5.2"},
    {UAPI_SYS_move_mount, "move_mount", "5.2"}, {UAPI_SYS_mount_setattr, "mount_setattr", "5.12"},
};

static void try_syscalls(struct report *r)
{
    bool may_mount = unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
    for (size_t i = 0; i < ARRAY_LEN(wanted_calls); i++)
        if (!has_syscall(wanted_calls[i].nr, may_mount))
            r->value |= 1ul << i;
}

void probe_kernel(struct probe_facts *facts, struct probe_result *ret)
{
    struct utsname u;
    if (uname(&u) == 0) {
        (void)snprintf(facts->release, sizeof(facts->release), "%s", u.release);
        (void)snprintf(facts->machine, sizeof(facts->machine), "%s", u.machine);
    }
    facts->wsl1 = is_wsl1(facts->release);
    struct report r = {0};
    int e = try_in_child(try_syscalls, &r);
    result(ret, "kernel", e == 0 && r.value == 0 && !facts->wsl1, true);
    if (facts->wsl1) {
        detail(ret, "%s: WSL1 has no namespaces", facts->release);
        fix(ret, "use WSL2: wsl --set-version <distribution> 2");
        return;
    }
    if (ret->ok) {
        detail(ret, "Linux %s %s", facts->release, facts->machine);
        return;
    }
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(wanted_calls) && !(r.value & 1ul << i))
        i++;
    detail(ret, "Linux %s %s lacks %s, or may not use it", facts->release, facts->machine,
           wanted_calls[i].name);
    fix(ret, "Linux %s or newer; in a container a runtime whose seccomp profile knows %s",
        wanted_calls[i].since, wanted_calls[i].name);
}

/* ---- user namespaces ---- */

static bool write_text(const char *path, const char *text)
{
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool map_self(uid_t uid, gid_t gid)
{
    char map[64];
    (void)write_text("/proc/self/setgroups", "deny");
    (void)snprintf(map, sizeof(map), "%u %u 1\n", (unsigned)uid, (unsigned)uid);
    if (!write_text("/proc/self/uid_map", map))
        return false;
    (void)snprintf(map, sizeof(map), "%u %u 1\n", (unsigned)gid, (unsigned)gid);
    return write_text("/proc/self/gid_map", map);
}

static bool fails(struct report *r, enum userns_stage stage, bool ok)
{
    r->stage = ok ? USERNS_DONE : stage;
    r->error = ok ? 0 : errno;
    return !ok;
}

/* A user namespace, and all that a sandbox needs inside it. */
static void try_userns(struct report *r)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (fails(r, USERNS_CREATE, unshare(CLONE_NEWUSER) == 0) ||
        fails(r, USERNS_MAP, map_self(uid, gid)) ||
        fails(r, USERNS_OTHERS,
              unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
                      CLONE_NEWCGROUP) == 0) ||
        fails(r, USERNS_MOUNT, mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) == 0))
        return;
    (void)fails(r, USERNS_MOUNT, mount("probe", "/", "tmpfs", 0, NULL) == 0);
}

static const char *const container_fix =
    "let the container make namespaces (docker/podman: --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined), or, if it is the boundary, sandbox_backend = "
    "\"external\"";

void probe_explain_userns(const struct userns_facts *f, struct probe_result *ret)
{
    static const char *const steps[] = {
        [USERNS_DONE] = "",
        [USERNS_CREATE] = "making a user namespace",
        [USERNS_MAP] = "mapping ids into a user namespace",
        [USERNS_OTHERS] = "making the other namespaces",
        [USERNS_MOUNT] = "mounting in a user namespace",
        [USERNS_UNKNOWN] = "trying a user namespace",
    };
    result(ret, "userns", f->failed == USERNS_DONE, true);
    if (ret->ok) {
        detail(ret, "user, mount, pid, network, ipc, uts and cgroup namespaces can be made");
        return;
    }
    const char *step = steps[f->failed], *why = strerror(f->error);
    if (f->wsl1) {
        detail(ret, "%s: %s (WSL1 has none)", step, why);
        fix(ret, "use WSL2: wsl --set-version <distribution> 2");
    } else if (!f->built_in) {
        detail(ret, "%s: %s (the kernel is built without them)", step, why);
        fix(ret, "a kernel with CONFIG_USER_NS=y");
    } else if (f->userns_clone == 0) {
        detail(ret, "%s: %s (kernel.unprivileged_userns_clone = 0 forbids it)", step, why);
        fix(ret, "sysctl -w kernel.unprivileged_userns_clone=1, and the same in /etc/sysctl.d");
    } else if (f->max_namespaces == 0) {
        detail(ret, "%s: %s (user.max_user_namespaces = 0 forbids it)", step, why);
        fix(ret, "sysctl -w user.max_user_namespaces=15000, and the same in /etc/sysctl.d");
    } else if (f->error == ENOSPC || f->error == EUSERS) {
        detail(ret, "%s: %s (user.max_user_namespaces = %ld are in use, or nested too deep)", step,
               why, f->max_namespaces);
        fix(ret, "raise user.max_user_namespaces, or end what holds so many");
    } else if (f->chroot) {
        detail(ret, "%s: %s (bawn runs in a chroot)", step, why);
        fix(ret, "leave the chroot, or use a mount namespace with pivot_root in its place");
    } else if (f->filtered && f->failed == USERNS_CREATE) {
        detail(ret, "%s: %s (a seccomp filter is on bawn itself: %s)", step, why,
               f->container ? f->container : "an outer container or sandbox");
        fix(ret, "%s", container_fix);
    } else if (f->apparmor > 0) {
        detail(ret, "%s: %s (AppArmor: kernel.apparmor_restrict_unprivileged_userns = 1)", step,
               why);
        fix(ret, "install bubblewrap and load its profile: apparmor_parser -r "
                 "/etc/apparmor.d/bwrap-userns-restrict (Ubuntu: apparmor-profiles), or one for "
                 "bawn that allows userns");
    } else if (f->container || f->filtered) {
        detail(ret, "%s: %s (%s forbids it)", step, why,
               f->container ? f->container : "an outer container or sandbox");
        fix(ret, "%s", container_fix);
    } else {
        detail(ret, "%s: %s", step, why);
        fix(ret, "see whether a security module (SELinux, AppArmor) or a service's "
                 "RestrictNamespaces= forbids it");
    }
}

void probe_userns(struct probe_facts *facts, struct probe_result *ret)
{
    struct report r = {0};
    int e = try_in_child(try_userns, &r);
    struct userns_facts f = {
        .failed = e < 0 ? USERNS_UNKNOWN : (enum userns_stage)r.stage,
        .error = e < 0 ? -e : r.error,
    };
    if (f.failed != USERNS_DONE) {
        struct utsname u;
        f.built_in = access("/proc/self/ns/user", F_OK) == 0 || access("/proc/self/ns", F_OK) < 0;
        f.userns_clone = read_number("/proc/sys/kernel/unprivileged_userns_clone");
        f.max_namespaces = read_number("/proc/sys/user/max_user_namespaces");
        f.apparmor = read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns");
        f.wsl1 = uname(&u) == 0 && is_wsl1(u.release);
        f.chroot = in_chroot();
        f.filtered = is_filtered();
        f.container = container_name();
    }
    facts->userns = f.failed == USERNS_DONE;
    probe_explain_userns(&f, ret);
}

/* ---- a fresh /proc ---- */

static void try_proc(struct report *r)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER) < 0 || !map_self(uid, gid) ||
        unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) {
        r->stage = USERNS_CREATE;
        r->error = errno;
        return;
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ? errno
                                                                                         : 0);
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        status = EIO << 8;
    r->error = WEXITSTATUS(status);
    r->stage = r->error ? USERNS_MOUNT : USERNS_DONE;
}

void probe_proc_mount(struct probe_facts *facts, struct probe_result *ret)
{
    struct report r = {0};
    int e = try_in_child(try_proc, &r);
    facts->proc_mount = e == 0 && r.stage == USERNS_DONE;
    result(ret, "proc", facts->proc_mount, false);
    if (ret->ok) {
        detail(ret, "a fresh /proc can be mounted in the sandbox");
    } else if (e == 0 && r.stage == USERNS_CREATE) {
        detail(ret, "not tried: no user namespace");
        fix(ret, "see userns");
    } else {
        detail(ret, "a fresh /proc cannot be mounted (%s): commands get a minimal read-only one",
               strerror(e < 0 ? -e : r.error));
        fix(ret, "an outer container hides parts of its own /proc; docker/podman: "
                 "--security-opt systempaths=unconfined");
    }
}

/* ---- Landlock ---- */

void probe_landlock(struct probe_facts *facts, struct probe_result *ret)
{
    long abi =
        syscall(UAPI_SYS_landlock_create_ruleset, NULL, 0, UAPI_LANDLOCK_CREATE_RULESET_VERSION);
    int e = abi < 0 ? errno : 0;
    facts->landlock_abi = abi > 0 ? (int)abi : 0;
    result(ret, "landlock", abi >= 6, false);
    if (abi >= 6) {
        detail(ret, "ABI %ld", abi);
    } else if (abi > 0) {
        detail(ret, "ABI %ld: %s%sno scopes for abstract sockets and signals", abi,
               abi < 3 ? "no truncate, " : "", abi < 4 ? "no TCP rules, " : "");
        fix(ret, "Linux 6.12 or newer for all of it; the namespaces confine without it");
    } else if (e == EOPNOTSUPP) {
        detail(ret, "built in but switched off");
        fix(ret, "add landlock to the kernel's lsm= boot parameter (cat /sys/kernel/security/lsm)");
    } else if (e == ENOSYS) {
        detail(ret, "this kernel has none");
        fix(ret, "Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK=y");
    } else {
        detail(ret, "cannot be used: %s", strerror(e));
        fix(ret, "an outer container or sandbox forbids landlock_create_ruleset: allow it there");
    }
}

/* ---- seccomp ---- */

#define NOTIFIED_CALL   SYS_getppid
#define NOTIFIED_ANSWER 4242

static int install_notifying(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)NOTIFIED_CALL, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {.len = ARRAY_LEN(code), .filter = code};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &prog);
}

enum { SECCOMP_DONE, SECCOMP_NNP, SECCOMP_FILTER, SECCOMP_LISTENER, SECCOMP_ANSWER };

/* A filter with a listener; a child makes the call, we answer it with a number of ours. */
static void try_seccomp(struct report *r)
{
    union {
        struct seccomp_notif n;
        char room[512];
    } req;
    union {
        struct seccomp_notif_resp n;
        char room[512];
    } resp;
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog prog = {.len = 1, .filter = &allow};
    r->stage = SECCOMP_NNP;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        goto failed;
    r->stage = SECCOMP_FILTER;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
        goto failed;
    r->stage = SECCOMP_LISTENER;
    int listener = install_notifying();
    if (listener < 0)
        goto failed;
    r->value = sys_ioctl(listener, UAPI_SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                         (void *)(uintptr_t)UAPI_SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP) == 0;
    r->stage = SECCOMP_ANSWER;
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        /* Whoever could answer may be gone before that: with a listener of its own it would wait
         * for ever; without any the call fails. */
        fd_close(listener);
        _exit(syscall(NOTIFIED_CALL) == NOTIFIED_ANSWER ? 0 : 1);
    }
    memset(&req, 0, sizeof(req));
    memset(&resp, 0, sizeof(resp));
    if (pid < 0 || sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &req) < 0)
        goto failed;
    resp.n.id = req.n.id;
    resp.n.val = NOTIFIED_ANSWER;
    if (sys_ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0)
        goto failed;
    int status = 1;
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        errno = EPROTO;
        goto failed;
    }
    r->stage = SECCOMP_DONE;
    return;
failed:
    r->error = errno;
}

void probe_seccomp(struct probe_facts *facts, struct probe_result *ret)
{
    struct report r = {0};
    int e = try_in_child(try_seccomp, &r);
    if (e < 0) {
        r.stage = SECCOMP_ANSWER;
        r.error = -e;
    }
    facts->seccomp_notify = r.stage == SECCOMP_DONE;
    facts->seccomp_sync_wake_up = facts->seccomp_notify && r.value;
    result(ret, "seccomp", facts->seccomp_notify, true);
    switch (r.stage) {
    case SECCOMP_DONE:
        detail(ret, "filters and user notification%s",
               r.value ? ", with synchronous wake-up" : "; no synchronous wake-up (Linux 6.6)");
        break;
    case SECCOMP_NNP:
    case SECCOMP_FILTER:
        detail(ret, "no filter can be installed: %s", strerror(r.error));
        fix(ret, "a kernel with CONFIG_SECCOMP_FILTER=y; under an emulator run natively");
        break;
    default:
        detail(ret, "filters work, user notification does not: %s%s", strerror(r.error),
               r.error == EBUSY ? " (an outer sandbox listens already)" : "");
        fix(ret, "%s",
            r.error == EBUSY ? "start bawn outside the other sandbox, or without its supervisor"
                             : "Linux 5.5 or newer, and an outer container that allows seccomp()");
    }
}

/* ---- control groups ---- */

/* Our own group of the v2 hierarchy, from a line "0::/path". */
static bool own_group(char *buf, size_t cap)
{
    char text[4096];
    if (!read_text("/proc/self/cgroup", text, sizeof(text)))
        return false;
    const char *p = str_starts(text, "0::") ? text : strstr(text, "\n0::");
    if (!p)
        return false;
    p += *p == '\n' ? 4 : 3;
    return snprintf(buf, cap, "/sys/fs/cgroup%.*s", (int)strcspn(p, "\n"), p) < (int)cap;
}

void probe_cgroups(struct probe_facts *facts, struct probe_result *ret)
{
    struct statfs fs;
    char own[MAX_PATH_BYTES];
    bool mounted = statfs("/sys/fs/cgroup", &fs) == 0;
    if (mounted && fs.f_type == CGROUP2_MAGIC)
        facts->cgroup_version = 2;
    else if (mounted && fs.f_type == TMPFS_MAGIC_ && access("/sys/fs/cgroup/memory", F_OK) == 0)
        facts->cgroup_version = 1;
    bool delegated =
        facts->cgroup_version == 2 && own_group(own, sizeof(own)) && access(own, W_OK) == 0;
    /* Nothing depends on it yet: limits are set per process where no group can be made. */
    result(ret, "cgroups", delegated, false);
    if (delegated) {
        detail(ret, "version 2, our own group may be divided");
    } else if (facts->cgroup_version == 2) {
        detail(ret, "version 2, but our group is not ours to divide: limits count per process");
        fix(ret, "run under a user manager (systemd-run --user --scope -p Delegate=yes bawn …)");
    } else {
        detail(ret, "%s: limits count per process",
               facts->cgroup_version == 1 ? "version 1 only" : "none mounted");
        fix(ret, "boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2");
    }
}
