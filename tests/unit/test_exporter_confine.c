/*
 * What bawn-exporter gives up: the filter call by call without the kernel, then the whole in a
 * process of its own. Each thing that must not work is done bare first, so that it is the
 * confinement that refuses it. Names are looked up in a network and mount namespace where the hosts
 * file and the one name server are ours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "exporter/confine.h"
#include "filter.h"

/* ---- the filter ---- */

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static void test_calls(void **state)
{
    (void)state;
    static const struct filter_case cases[] = {
        {SYS_sendto, 0, 0, 0, YES},
        {SYS_openat, 0, 0, 0, YES}, /* Landlock says what */
        {SYS_exit_group, 0, 0, 0, YES},
        {SYS_execve, 0, 0, 0, NO},
        {SYS_execveat, 0, 0, 0, NO},
        {SYS_clone, THREAD, 0, 0, YES},
        {SYS_clone, THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID, 0, 0, YES},
        {SYS_clone, SIGCHLD, 0, 0, NO},
        {SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, NO},
        {SYS_clone, THREAD | CLONE_NEWUSER, 0, 0, NO},
        {SYS_clone, THREAD | CLONE_NEWNET, 0, 0, NO},
        {SYS_clone3, 0, 0, 0, NO},
        {SYS_unshare, 0, 0, 0, NO},
        {SYS_setns, 0, 0, 0, NO},
        {SYS_ptrace, 0, 0, 0, NO},
        {SYS_bind, 0, 0, 0, NO},
        {SYS_listen, 0, 0, 0, NO},
        {SYS_kill, 0, 0, 0, NO},
        {SYS_tgkill, 0, 0, 0, NO},
        {SYS_prctl, PR_SET_DUMPABLE, 1, 0, NO},
        {SYS_symlinkat, 0, 0, 0, NO},
        {SYS_linkat, 0, 0, 0, NO},
        {SYS_renameat2, 0, 0, 0, NO},
        {SYS_fchmodat, 0, 0, 0, NO},
        {SYS_mknodat, 0, 0, 0, NO},
        {SYS_memfd_create, 0, 0, 0, NO},
        {SYS_io_uring_setup, 0, 0, 0, NO},
        {SYS_process_vm_readv, 0, 0, 0, NO},
        {SYS_pidfd_getfd, 0, 0, 0, NO},
        {SYS_ioctl, 0, FIONREAD, 0, YES},
        {SYS_ioctl, 0, TIOCSTI, 0, NO},
        {SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, YES},
        {SYS_socket, AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0, YES},
        {SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, YES},
        {SYS_socket, AF_INET6, SOCK_RAW, 0, NO},
        {SYS_socket, AF_INET, SOCK_SEQPACKET, 0, NO},
        {SYS_socket, AF_UNIX, SOCK_STREAM, 0, NO},
        {SYS_socket, AF_NETLINK, SOCK_DGRAM, 0, NO},
        {SYS_socket, AF_PACKET, SOCK_DGRAM, 0, NO},
        {SYS_mmap, 0, 0, PROT_READ | PROT_WRITE, YES},
        {SYS_mmap, 0, 0, PROT_READ | PROT_EXEC, NO},
        {SYS_mprotect, 0, 0, PROT_READ, YES},
        {SYS_mprotect, 0, 0, PROT_EXEC, NO},
    };
    filter_check(exporter_calls(), cases, ARRAY_LEN(cases));
}

/* ---- the whole ---- */

static struct {
    char dir[64], secret[96];
    int dirfd;
} here;

static int opens(const char *path, int flags)
{
    _cleanup_fd_ int fd = open(path, flags | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : 0;
}

static int makes_socket(int family, int type)
{
    _cleanup_fd_ int fd = socket(family, type | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : 0;
}

/* Each is 0 when it worked. */
static int read_secret(void)
{
    return opens(here.secret, O_RDONLY);
}
static int read_passwd(void)
{
    return opens("/etc/passwd", O_RDONLY);
}
static int read_self(void)
{
    return opens("/proc/self/maps", O_RDONLY);
}
static int list_root(void)
{
    return opens("/", O_RDONLY | O_DIRECTORY);
}
static int write_secret(void)
{
    return opens(here.secret, O_WRONLY);
}
static int write_beside(void)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s-beside", here.dir);
    int r = opens(path, O_WRONLY | O_CREAT);
    (void)unlink(path);
    return r;
}
static int forks(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        (void)waitpid(pid, NULL, 0);
    return pid < 0 ? -errno : 0;
}
static int executes(void)
{
    char *const none[] = {NULL};
    (void)execve("/nowhere", none, none);
    return errno == ENOENT ? 0 : -errno;
}
static int signals_parent(void)
{
    return kill(getppid(), 0) < 0 ? -errno : 0;
}
static int traces(void)
{
    return ptrace(PTRACE_PEEKUSER, 1, 0, 0) < 0 && errno == ESRCH ? 0 : -errno;
}
static int dials_daemons(void)
{
    return makes_socket(AF_UNIX, SOCK_STREAM);
}
static int asks_the_kernel(void)
{
    return makes_socket(AF_NETLINK, SOCK_DGRAM);
}
static int listens(void)
{
    _cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 || listen(fd, 1) < 0 ? -errno : 0;
}
static int makes_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -errno : munmap(p, 4096);
}
static int links(void)
{
    (void)unlinkat(here.dirfd, "link", 0);
    int r = symlinkat("/etc/passwd", here.dirfd, "link") < 0 ? -errno : 0;
    (void)unlinkat(here.dirfd, "link", 0);
    return r;
}
static int makes_fifo(void)
{
    int r = mkfifoat(here.dirfd, "fifo", 0600) < 0 ? -errno : 0;
    (void)unlinkat(here.dirfd, "fifo", 0);
    return r;
}
static int dumps(void)
{
    return prctl(PR_SET_DUMPABLE, 1) < 0 ? -errno : 0;
}

static const struct {
    const char *name;
    int (*fn)(void);
} refused[] = {
    {"read a file", read_secret},
    {"read /etc/passwd", read_passwd},
    {"read /proc", read_self},
    {"list a directory", list_root},
    {"write a file", write_secret},
    {"make a file elsewhere", write_beside},
    {"fork", forks},
    {"execute", executes},
    {"signal", signals_parent},
    {"trace", traces},
    {"a Unix socket", dials_daemons},
    {"a netlink socket", asks_the_kernel},
    {"listen", listens},
    {"executable memory", makes_code},
    {"a symlink", links},
    {"a FIFO", makes_fifo},
    {"become dumpable", dumps},
};

static void *look_up(void *name)
{
    static char text[INET_ADDRSTRLEN];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    text[0] = '\0';
    if (getaddrinfo(name, "443", &hints, &list) == 0)
        for (struct addrinfo *a = list; a; a = a->ai_next)
            if (a->ai_family == AF_INET)
                (void)inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)a->ai_addr)->sin_addr,
                                text, sizeof(text));
    if (list)
        freeaddrinfo(list);
    return text;
}

/* In a thread, as libcurl does. */
static const char *address_of(char *name)
{
    pthread_t thread;
    void *text = NULL;
    if (pthread_create(&thread, NULL, look_up, name) || pthread_join(thread, &text))
        return "no thread";
    return text;
}

/* What the spool does. */
static const char *uses_directory(void)
{
    char buf[4] = "";
    _cleanup_fd_ int fd = -1;
    if (mkdirat(here.dirfd, "made", 0700) < 0 && errno != EEXIST)
        return "mkdir";
    fd = openat(here.dirfd, "made/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return "open and lock";
    if (write(fd, "abc", 3) != 3 || pread(fd, buf, 3, 0) != 3 || pwrite(fd, "x", 1, 0) != 1)
        return "write and read";
    if (ftruncate(fd, 1) < 0)
        return "truncate";
    _cleanup_fd_ int list = openat(here.dirfd, "made", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (list < 0 || syscall(SYS_getdents64, list, (char[1024]){0}, 1024) <= 0)
        return "list";
    return unlinkat(here.dirfd, "made/file", 0) < 0 ? "remove" : NULL;
}

static int say(const char *what, const char *name)
{
    (void)fprintf(stderr, "%s: %s\n", what, name);
    return 1;
}

static int confined_child(void)
{
    struct error err = {0};
    const char *failed;
    if (exporter_confine(here.dirfd, &err) < 0)
        return say("confine", err.message);
    for (size_t i = 0; !SANITIZED && i < ARRAY_LEN(refused); i++)
        if (refused[i].fn() == 0)
            return say("possible", refused[i].name);
    if ((failed = uses_directory()))
        return say("impossible", failed);
    if (opens("/etc/hosts", O_RDONLY) < 0)
        return say("impossible", "read the hosts file");
    return 0;
}

static int in_child(int (*fn)(void))
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn());
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

static int bare_child(void)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        if (refused[i].fn() < 0)
            return say("does not work bare", refused[i].name);
    return 0;
}

static void test_confined(void **state)
{
    (void)state;
    assert_int_equal(in_child(bare_child), 0);
    assert_int_equal(in_child(confined_child), 0);
}

/* ---- names ---- */

static bool put(const char *path, const char *text)
{
    _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* A file of ours in the place of a file of the system's, in our mount namespace. */
static bool show_as(const char *text, const char *name, const char *place)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", here.dir, name);
    return put(path, text) && mount(path, place, NULL, MS_BIND, NULL) == 0;
}

static bool enter_world(void)
{
    char map[64];
    const uid_t uid = geteuid();
    const gid_t gid = getegid();
    int spaces = CLONE_NEWNET | CLONE_NEWNS;
    struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    if (uid != 0) {
        if (unshare(CLONE_NEWUSER) < 0)
            return false;
        (void)snprintf(map, sizeof(map), "0 %u 1", uid);
        if (!put("/proc/self/uid_map", map) || !put("/proc/self/setgroups", "deny"))
            return false;
        (void)snprintf(map, sizeof(map), "0 %u 1", gid);
        if (!put("/proc/self/gid_map", map))
            return false;
    }
    if (unshare(spaces) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return false;
    _cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &up) == 0 &&
           show_as("127.0.0.7 listed.example.test\n", "hosts", "/etc/hosts") &&
           show_as("nameserver 127.0.0.1\n", "resolv", "/etc/resolv.conf") &&
           show_as("hosts: nonsense [!UNAVAIL=return]\n", "nsswitch", "/etc/nsswitch.conf");
}

/* A name server that says 127.0.0.9 for every A, and nothing else. */
static void serve_names(int fd)
{
    for (;;) {
        unsigned char m[512];
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, m, sizeof(m) - 16, 0, (struct sockaddr *)&from, &len);
        size_t at = 12;
        while (n > 17 && at < (size_t)n - 5 && m[at])
            at += m[at] + 1u;
        if (n <= 17 || at >= (size_t)n - 4)
            continue;
        const bool a = m[at + 2] == 1;
        static const unsigned char answer[] = {0xc0, 12, 0, 1, 0,   1, 0, 0,
                                               0,    9,  0, 4, 127, 0, 0, 9};
        m[2] = 0x81;
        m[3] = 0x80;
        m[7] = a;
        memset(m + 8, 0, 4);
        memcpy(m + at + 5, answer, sizeof(answer));
        (void)sendto(fd, m, at + 5 + (a ? sizeof(answer) : 0), 0, (struct sockaddr *)&from, len);
    }
}

static int look_up_confined(int told, int tell)
{
    struct error err = {0};
    char byte;
    char listed[] = "listed.example.test", asked[] = "asked.example.test";
    if (exporter_confine(here.dirfd, &err) < 0)
        return say("confine", err.message);
    for (int i = 0; i < 3; i++) {
        if (!str_eq(address_of(listed), "127.0.0.7"))
            return say("hosts", address_of(listed));
        if (!str_eq(address_of(asked), "127.0.0.9"))
            return say("name server", address_of(asked));
    }
    if (exporter_names_changed())
        return say("names", "changed already");
    if (write(tell, "x", 1) != 1 || read(told, &byte, 1) != 1)
        return say("names", "no word");
    return exporter_names_changed() ? 0 : say("names", "not changed");
}

static int names_child(void)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(53), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int there[2], back[2], status = 1;
    char byte;
    if (!enter_world())
        return 77;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0)
        return say("set-up", strerror(errno));
    pid_t server = fork(); /* before the pipes: their ends are what the others wait for */
    if (server == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve_names(fd);
    }
    if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
        return say("set-up", strerror(errno));
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(there[1]);
        _exit(look_up_confined(there[0], back[1]));
    }
    (void)close(back[1]);
    if (read(back[0], &byte, 1) == 1 &&
        show_as("127.0.0.8 listed.example.test\n", "hosts2", "/etc/hosts"))
        (void)!write(there[1], "x", 1);
    (void)close(there[1]);
    (void)waitpid(pid, &status, 0);
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void test_names(void **state)
{
    (void)state;
    int status = in_child(names_child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        skip(); /* no namespaces for this user */
    assert_int_equal(status, 0);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(here.dir, sizeof(here.dir), "/tmp/bawn-confine-XXXXXX");
    if (!mkdtemp(here.dir))
        return -1;
    (void)snprintf(here.secret, sizeof(here.secret), "%s-secret", here.dir);
    here.dirfd = open(here.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return here.dirfd < 0 || !put(here.secret, "secret") ? -1 : 0;
}

static int take_down(void **state)
{
    static const char *const left[] = {"hosts", "hosts2", "resolv", "nsswitch", "made/file"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(left); i++)
        (void)unlinkat(here.dirfd, left[i], 0);
    (void)unlinkat(here.dirfd, "made", AT_REMOVEDIR);
    (void)unlink(here.secret);
    fd_close(here.dirfd);
    return rmdir(here.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_confined),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, set_up, take_down);
}
