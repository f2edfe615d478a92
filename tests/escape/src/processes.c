/*
 * Other processes: a victim of the same user waits outside; its number, the address of a secret in
 * its memory and the number of one of its descriptors are in a file ("PID ADDRESS FD").
 */
#include "escape.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/prctl.h>

struct victim {
    pid_t pid;
    unsigned long address;
    int fd;
};

static struct victim victim(const char *file)
{
    struct victim v = {0};
    int pid = 0;

    sscanf(first_line(file), "%d %lx %d", &pid, &v.address, &v.fd);
    v.pid = pid;
    return v;
}

/* ---- by way of /proc: every process that can be seen is tried ---- */

static int create_below(const char *pid, void *data)
{
    char *const *a = data; /* "root" or "cwd", name below it, the directory that is meant or NULL */
    char path[4300];
    struct stat here, there;
    int fd;

    /* Others of the same user, and this program itself, stand elsewhere; which comes first depends
     * on process numbers. */
    snprintf(path, sizeof path, "/proc/%s/%s", pid, a[0]);
    if (a[2] && (stat(path, &here) < 0 || stat(a[2], &there) < 0 || here.st_dev != there.st_dev ||
                 here.st_ino != there.st_ino))
        return 1;
    snprintf(path, sizeof path, "/proc/%s/%s/%s", pid, a[0], a[1]);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return 1;
    return mark(fd);
}

static int proc_create(char *const *a)
{
    return each_process(create_below, (void *)a) == 0 ? 0 : refused("every process");
}

/* Args: file ("environ", "cmdline", …), file that holds what to look for. */
static int search_file(const char *pid, void *data)
{
    char *const *a = data;
    static char buf[1 << 18];
    char path[64];
    int fd;
    ssize_t n, have = 0;

    if (atol(pid) == getpid())
        return 1;
    snprintf(path, sizeof path, "/proc/%s/%s", pid, a[0]);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 1;
    while (have < (ssize_t)sizeof buf && (n = read(fd, buf + have, sizeof buf - (size_t)have)) > 0)
        have += n;
    close(fd);
    return contains(buf, (size_t)have, first_line(a[1])) ? 0 : 1;
}

static int proc_search(char *const *a)
{
    return each_process(search_file, (void *)a) == 0 ? 0 : refused("every process");
}

/* Looks through the whole memory of every process but this one and its shell. */
static int search_memory(const char *pid, void *data)
{
    char *const *a = data;
    static char buf[1 << 16];
    char path[64], line[512];
    int mem, r = 1;
    FILE *maps;

    if (atol(pid) == getpid() || atol(pid) == getppid())
        return 1;
    snprintf(path, sizeof path, "/proc/%s/maps", pid);
    maps = fopen(path, "re");
    snprintf(path, sizeof path, "/proc/%s/mem", pid);
    mem = open(path, O_RDONLY | O_CLOEXEC);
    while (r && maps && mem >= 0 && fgets(line, sizeof line, maps)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx rw", &from, &to) != 2 || !strstr(line, " rw"))
            continue;
        if (to - from > (64ul << 20))
            continue;
        for (; r && from < to; from += sizeof buf) {
            ssize_t n = pread(mem, buf, sizeof buf, (off_t)from);
            if (n > 0 && contains(buf, (size_t)n, first_line(a[0])))
                r = 0;
        }
    }
    if (maps)
        fclose(maps);
    if (mem >= 0)
        close(mem);
    return r;
}

static int proc_mem_any(char *const *a)
{
    return each_process(search_memory, (void *)a) == 0 ? 0 : refused("every process");
}

static int proc_fd(char *const *a)
{
    struct victim v = victim(a[0]);
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", v.pid, v.fd);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? refused(path) : mark(fd);
}

static int proc_mem(char *const *a)
{
    struct victim v = victim(a[0]);
    char path[64], buf[64] = "";
    int fd;

    snprintf(path, sizeof path, "/proc/%d/mem", v.pid);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || pread(fd, buf, sizeof buf - 1, (off_t)v.address) <= 0)
        return refused(path);
    puts(buf);
    return 0;
}

/* ---- by system call ---- */

static int vm_readv(char *const *a)
{
    struct victim v = victim(a[0]);
    char buf[64] = "";
    struct iovec here = {buf, sizeof buf - 1}, there = {(void *)v.address, sizeof buf - 1};

    if (process_vm_readv(v.pid, &here, 1, &there, 1, 0) <= 0)
        return refused("process_vm_readv");
    puts(buf);
    return 0;
}

static int vm_readv_child(char *const *a)
{
    static char secret[] = "child", buf[6];
    struct iovec here = {buf, sizeof buf}, there = {secret, sizeof secret};
    pid_t pid = fork();
    ssize_t n;

    (void)a;
    if (pid == 0) {
        pause();
        _exit(0);
    }
    n = process_vm_readv(pid, &here, 1, &there, 1, 0);
    if (n < 0)
        refused("process_vm_readv");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return n > 0 ? 0 : 1;
}

static int vm_writev(char *const *a)
{
    struct victim v = victim(a[0]);
    char buf[] = "overwritten";
    struct iovec here = {buf, sizeof buf}, there = {(void *)v.address, sizeof buf};

    return process_vm_writev(v.pid, &here, 1, &there, 1, 0) > 0 ? 0 : refused("process_vm_writev");
}

static int ptrace_attach(char *const *a)
{
    struct victim v = victim(a[0]);

    if (ptrace(PTRACE_ATTACH, v.pid, NULL, NULL) < 0)
        return refused("PTRACE_ATTACH");
    waitpid(v.pid, NULL, __WALL);
    ptrace(PTRACE_DETACH, v.pid, NULL, NULL);
    return 0;
}

static int ptrace_seize(char *const *a)
{
    struct victim v = victim(a[0]);

    return ptrace(PTRACE_SEIZE, v.pid, NULL, NULL) == 0 ? 0 : refused("PTRACE_SEIZE");
}

static int ptrace_child(char *const *a)
{
    pid_t pid = fork();
    int status;

    (void)a;
    if (pid == 0)
        _exit(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : refused("PTRACE_TRACEME"));
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int seize_one(const char *pid, void *data)
{
    pid_t p = (pid_t)atol(pid);

    (void)data;
    if (p == getpid() || p == getppid())
        return 1;
    return ptrace(PTRACE_SEIZE, p, NULL, NULL) == 0 ? 0 : 1;
}

static int ptrace_any(char *const *a)
{
    (void)a;
    return each_process(seize_one, NULL) == 0 ? 0 : refused("PTRACE_SEIZE of every process");
}

static int getfd(char *const *a)
{
    struct victim v = victim(a[0]);
    int pidfd = (int)syscall(SYS_pidfd_open, v.pid, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, v.fd, 0);

    return fd < 0 ? refused("pidfd_getfd") : mark(fd);
}

/* A descriptor of any process but our own family: pid 1 of the sandbox holds interesting ones. */
static int getfd_one(const char *pid, void *data)
{
    pid_t p = (pid_t)atol(pid);
    int pidfd;

    (void)data;
    if (p == getpid() || p == getppid())
        return 1;
    pidfd = (int)syscall(SYS_pidfd_open, p, 0);
    for (int i = 0; pidfd >= 0 && i < 64; i++)
        if (syscall(SYS_pidfd_getfd, pidfd, i, 0) >= 0)
            return 0;
    if (pidfd >= 0)
        close(pidfd);
    return 1;
}

static int getfd_any(char *const *a)
{
    (void)a;
    return each_process(getfd_one, NULL) == 0 ? 0 : refused("pidfd_getfd of every process");
}

static int kill_plain(char *const *a)
{
    return kill(victim(a[0]).pid, SIGKILL) == 0 ? 0 : refused("kill");
}

static int kill_thread(char *const *a)
{
    pid_t p = victim(a[0]).pid;

    return syscall(SYS_tgkill, p, p, SIGKILL) == 0 ? 0 : refused("tgkill");
}

static int kill_group(char *const *a)
{
    return kill(-victim(a[0]).pid, SIGKILL) == 0 ? 0 : refused("kill group");
}

static int kill_queue(char *const *a)
{
    return sigqueue(victim(a[0]).pid, SIGKILL, (union sigval){0}) == 0 ? 0 : refused("sigqueue");
}

static int kill_pidfd(char *const *a)
{
    int fd = (int)syscall(SYS_pidfd_open, victim(a[0]).pid, 0);

    return fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0 ? 0
                                                                                : refused("pidfd");
}

static int kill_by_io(char *const *a)
{
    int p[2];

    /* the signal of a readable pipe, owned by the victim */
    if (pipe(p) < 0 || fcntl(p[0], F_SETSIG, SIGTERM) < 0 ||
        fcntl(p[0], F_SETOWN, victim(a[0]).pid) < 0 || fcntl(p[0], F_SETFL, O_ASYNC) < 0)
        return refused("F_SETOWN");
    if (write(p[1], "x", 1) != 1)
        return 1;
    usleep(100000);
    return kill(victim(a[0]).pid, 0) < 0 && errno == ESRCH ? 0 : 1;
}

static int limit(char *const *a)
{
    struct rlimit few = {16, 16};

    return prlimit(victim(a[0]).pid, RLIMIT_NOFILE, &few, NULL) == 0 ? 0 : refused("prlimit");
}

static int nice_other(char *const *a)
{
    return setpriority(PRIO_PROCESS, (id_t)victim(a[0]).pid, 19) == 0 ? 0 : refused("setpriority");
}

static int affinity(char *const *a)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(0, &set);
    return sched_setaffinity(victim(a[0]).pid, sizeof set, &set) == 0
               ? 0
               : refused("sched_setaffinity");
}

/* ---- outliving the command: a child of a child ticks in a file ---- */

static void tick(const char *file)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

    for (int i = 0; i < 600; i++) {
        if (write(fd, ".", 1) != 1)
            _exit(1);
        usleep(20000);
    }
    _exit(0);
}

static void ignore_signals(void)
{
    for (int s = 1; s < 32; s++)
        signal(s, SIG_IGN);
}

static int survive(char *const *a)
{
    if (fork() == 0) {
        setsid();
        ignore_signals();
        if (fork() == 0) {
            setsid();
            for (int i = 0; i < 3; i++)
                close(i);
            tick(a[0]);
        }
        _exit(0);
    }
    wait(NULL);
    usleep(100000);
    return 0;
}

/* Stays, with a child that ticks; the runner ends what started us. */
static int survive_kill(char *const *a)
{
    ignore_signals();
    prctl(PR_SET_PDEATHSIG, 0);
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            for (int i = 0; i < 3; i++)
                close(i);
            tick(a[0]);
        }
        _exit(0);
    }
    wait(NULL);
    for (;;)
        pause();
}

/* As many as may be: a fork storm that keeps a head start on whoever kills one by one. */
static int survive_storm(char *const *a)
{
    if (fork() == 0) {
        setsid();
        ignore_signals();
        for (int i = 0; i < 300; i++) {
            if (fork() != 0)
                _exit(0);
            usleep(1000);
        }
        tick(a[0]);
    }
    usleep(50000);
    return 0;
}

const struct attempt processes_attempts[] = {
    {"proc-create", 2, proc_create},
    {"proc-search", 2, proc_search},
    {"proc-mem-any", 1, proc_mem_any},
    {"proc-fd", 1, proc_fd},
    {"proc-mem", 1, proc_mem},
    {"vm-readv", 1, vm_readv},
    {"vm-readv-child", 0, vm_readv_child},
    {"vm-writev", 1, vm_writev},
    {"ptrace-attach", 1, ptrace_attach},
    {"ptrace-seize", 1, ptrace_seize},
    {"ptrace-child", 0, ptrace_child},
    {"ptrace-any", 0, ptrace_any},
    {"pidfd-getfd", 1, getfd},
    {"pidfd-getfd-any", 0, getfd_any},
    {"kill", 1, kill_plain},
    {"tgkill", 1, kill_thread},
    {"kill-group", 1, kill_group},
    {"sigqueue", 1, kill_queue},
    {"pidfd-kill", 1, kill_pidfd},
    {"sigio", 1, kill_by_io},
    {"prlimit", 1, limit},
    {"setpriority", 1, nice_other},
    {"affinity", 1, affinity},
    {"survive", 1, survive},
    {"survive-kill", 1, survive_kill},
    {"survive-storm", 1, survive_storm},
    {0},
};
