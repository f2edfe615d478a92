/*
 * The maker of namespaces. See namespaces.h.
 *
 *   outer                      maker                            network
 *   -----                      -----                            -------
 *   namespaces_begin()  ---->  unshare: user, mount, ipc, uts,
 *   survey, plan               cgroup; maps its ids      ---->  unshare: net; lo up
 *   namespaces_spawn()  ---->  init = clone3 (pid)              sends the namespace's descriptor
 *   waits for init's pid       waits for "network", ends        ends
 *
 * Making namespaces takes the kernel as long as all that bawn has to decide, and most of it needs
 * no decision. Maker and network share the outer's memory (no page is copied for them), but neither
 * descriptors nor directory nor signals; init is a copy made while the outer waits, so that it
 * never sees a heap in the middle of a change. Init is made with CLONE_PARENT: it is the outer's
 * own child, as if the outer had made it.
 *
 * Sharing memory is sharing errno, and the outer is at work meanwhile: what may fail here is called
 * past libc (sys_raw). Nothing here touches the heap. Both die with the outer, and before the
 * command is waited for both are gone.
 *
 * The four states are passed through in order; each is set by one side only and waited for by the
 * other with a futex that looks every now and then whether the maker still lives.
 */
#include "sandbox/namespaces.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/sys.h"
#include "sandbox/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_SHADOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define HAS_SHADOW 1
#endif
#endif

enum state {
    NOTHING,
    WORKING, /* by the outer: the maker is started */
    MADE,    /* by the maker: it is in the namespaces */
    GO,      /* by the outer: ids are mapped, init may be made */
    DONE,    /* by the maker: init is there, or `code` says why not */
};

#define SPINS   4000     /* 100 µs or so */
#define LOOK_NS 50000000 /* how long is waited before the maker's life is doubted */

static struct {
    int state; /* futex */
    int code;  /* of DONE: negative errno */
    const char *what;
    pid_t maker, outer, init_pid;
    uid_t uid;
    gid_t gid;
    bool network;      /* wanted, as far as is known */
    bool map_self;     /* by the outer, of root: more than itself cannot be mapped */
    pid_t network_pid; /* of the maker's child; 0 = none was started */
    int sock[2];       /* from network to init */
    void (*init)(void *);
    void *data;
} ns;

/* Init goes on with a copy of the maker's. Pages that are not touched cost nothing. */
static char network_stack[16384] __attribute__((aligned(16)));
#define MAKER_STACK (256u * 1024)

static void set_state(int state)
{
    __atomic_store_n(&ns.state, state, __ATOMIC_SEQ_CST);
    (void)sys_raw(SYS_futex, (long)&ns.state, FUTEX_WAKE, INT32_MAX, 0, 0);
}

static int get_state(void)
{
    return __atomic_load_n(&ns.state, __ATOMIC_SEQ_CST);
}

/* ---- the network's process ---- */

/* One message to init: a code and what it is of, and on success the namespace and a socket in it.
 */
struct network_message {
    int code;
    const char *what; /* init's memory is a copy of ours */
};

static int tell_network(int sock, long code, const char *what, const int *fds, size_t nfds)
{
    struct network_message m = {.code = (int)code, .what = what};
    (void)fd_send(sock, &m, sizeof(m), fds, nfds);
    return 0;
}

static int network_main(void *data)
{
    int sock = (int)(intptr_t)data; /* the outer closes its own and forgets the number */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    long r = sys_raw(SYS_unshare, CLONE_NEWNET, 0, 0, 0, 0);
    if (r < 0)
        return tell_network(sock, r, "cannot make a network namespace", NULL, 0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
        return tell_network(sock, -errno, "cannot bring the loopback device up", NULL, 0);
    int fds[2] = {ioctl(fd, SIOCGSKNS), -1};
    if (fds[0] < 0)
        return tell_network(sock, -errno, "cannot hold the network namespace", NULL, 0);
    fds[1] = init_open_diag();
    return tell_network(sock, 0, NULL, fds, fds[1] < 0 ? 1 : 2);
}

static void start_network(void)
{
    pid_t pid = clone(network_main, network_stack + sizeof(network_stack), CLONE_VM | SIGCHLD,
                      (void *)(intptr_t)ns.sock[1]);
    if (pid > 0)
        ns.network_pid = pid;
    else
        (void)tell_network(ns.sock[1], -EAGAIN, "cannot make a network namespace", NULL, 0);
}

int namespaces_enter_network(int *ret_diag, const char **ret_what)
{
    struct network_message m = {0};
    int fds[2] = {-1, -1};
    size_t nfds = 0;
    /* Whoever has it open could still write: then no end of file would say that nobody will. */
    fd_close(ns.sock[1]);
    *ret_what = "cannot make a network namespace";
    *ret_diag = -1;
    ssize_t n = fd_recv(ns.sock[0], &m, sizeof(m), fds, 2, &nfds, NULL);
    _cleanup_fd_ int net = nfds > 0 ? fds[0] : -1;
    _cleanup_fd_ int diag = nfds > 1 ? fds[1] : -1;
    fd_close(ns.sock[0]);
    if (n != sizeof(m) || (m.code == 0 && net < 0))
        return -EIO;
    if (m.code < 0) {
        *ret_what = m.what;
        return m.code;
    }
    *ret_what = "cannot enter the network namespace";
    if (setns(net, CLONE_NEWNET) < 0)
        return -errno;
    *ret_diag = steal_fd(&diag);
    return 0;
}

/* ---- ids ---- */

/* Past libc: see above. */
static long write_file(const char *path, const char *text)
{
    long fd = sys_raw(SYS_openat, AT_FDCWD, (long)path, O_WRONLY | O_CLOEXEC, 0, 0);
    if (fd < 0)
        return fd;
    long r = sys_raw(SYS_write, fd, (long)text, (long)strlen(text), 0, 0);
    (void)sys_raw(SYS_close, fd, 0, 0, 0, 0);
    return r < 0 ? r : 0;
}

/* The same ids inside as outside; what an ordinary user may map is itself. */
static long map_self(void)
{
    char map[64];
    (void)snprintf(map, sizeof(map), "%u %u 1", (unsigned)ns.uid, (unsigned)ns.uid);
    long r = write_file("/proc/self/uid_map", map);
    if (r == 0)
        r = write_file("/proc/self/setgroups", "deny");
    if (r == 0) {
        (void)snprintf(map, sizeof(map), "%u %u 1", (unsigned)ns.gid, (unsigned)ns.gid);
        r = write_file("/proc/self/gid_map", map);
    }
    return r;
}

/* The host's root maps all of them so that owners show as they are; it has no capability inside
 * either way. Only the outer may, from outside. False: one is all that can be had (a container). */
static bool map_all(void)
{
    char path[64];
    static const char *const names[] = {"uid_map", "gid_map"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)ns.maker, names[i]);
        if (write_file(path, "0 0 4294967295") < 0)
            return false;
    }
    return true;
}

/* ---- the maker ---- */

static int maker_fails(long code, const char *what)
{
    ns.code = (int)code;
    ns.what = what;
    set_state(DONE);
    return 1;
}

static int maker_main(void *unused)
{
    (void)unused;
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != ns.outer)
        return 1;
    long r = sys_raw(SYS_unshare,
                     CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, 0,
                     0, 0, 0);
    if (r < 0)
        return maker_fails(r, "cannot make namespaces for the sandbox");
    if (ns.uid != 0 && (r = map_self()) < 0)
        return maker_fails(r, "cannot map user and group ids into the sandbox");
    if (ns.network)
        start_network();
    set_state(MADE);
    while (get_state() == MADE)
        (void)sys_raw(SYS_futex, (long)&ns.state, FUTEX_WAIT, MADE, 0, 0);
    if (ns.map_self && (r = map_self()) < 0)
        return maker_fails(r, "cannot map user and group ids into the sandbox");
    if (ns.network && !ns.network_pid)
        start_network();
    struct uapi_clone_args args = {.flags = CLONE_NEWPID | CLONE_PARENT};
    r = sys_raw(UAPI_SYS_clone3, (long)&args, sizeof(args), 0, 0, 0);
    if (r == 0) {
        ns.init(ns.data);
        _exit(125);
    }
    if (r < 0)
        return maker_fails(r, "cannot make namespaces for the sandbox");
    ns.init_pid = (pid_t)r;
    set_state(DONE);
    if (ns.network_pid)
        while (waitpid(ns.network_pid, NULL, 0) < 0 && errno == EINTR)
            ;
    return 0;
}

/* ---- the outer ---- */

static void begin(bool network, char *stack)
{
    memset(&ns, 0, sizeof(ns));
    ns.state = WORKING;
    ns.network = network;
    ns.outer = getpid();
    ns.uid = geteuid();
    ns.gid = getegid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ns.sock) < 0) {
        ns.code = -errno;
        ns.sock[0] = ns.sock[1] = -1;
    } else {
        pid_t pid = clone(maker_main, stack + MAKER_STACK, CLONE_VM | SIGCHLD, NULL);
        ns.code = pid < 0 ? -errno : 0;
        ns.maker = pid > 0 ? pid : 0;
    }
    if (ns.code < 0) {
        ns.what = "cannot start what makes the namespaces";
        ns.state = DONE;
    }
}

void namespaces_begin(bool network)
{
#ifdef HAS_SHADOW
    (void)network; /* the sanitizer's record of a stack would be shared by two that run at once */
#else
    static char stack[MAKER_STACK] __attribute__((aligned(16)));
    if (ns.state == NOTHING)
        begin(network, stack);
#endif
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Until the maker is past STATE. False: it is gone without a word. */
static bool wait_past(int state)
{
    /* Making init takes less than to be woken behind it, on a machine of two processors. */
    for (int i = 0; i < SPINS && get_state() == state; i++)
        pause_briefly();
    while (get_state() == state) {
        struct timespec look = {.tv_nsec = LOOK_NS};
        (void)sys_raw(SYS_futex, (long)&ns.state, FUTEX_WAIT, state, (long)&look, 0);
        if (get_state() == state && waitpid(ns.maker, NULL, WNOHANG) != 0) {
            ns.maker = 0;
            return false;
        }
    }
    return true;
}

void namespaces_wait(void)
{
    while (ns.maker > 0 && waitpid(ns.maker, NULL, 0) < 0 && errno == EINTR)
        ;
    ns.maker = 0;
}

pid_t namespaces_spawn(bool network, void (*init)(void *), void *data, struct error *err)
{
#ifdef HAS_SHADOW
    char stack[MAKER_STACK] __attribute__((aligned(16))); /* where the sanitizer looks for one */
    begin(network, stack);
#else
    namespaces_begin(network);
#endif
    ns.init = init;
    ns.data = data;
    bool alive = wait_past(WORKING);
    if (alive && get_state() == MADE) {
        ns.network = network;
        ns.map_self = ns.uid == 0 && !map_all();
        set_state(GO);
        alive = wait_past(GO);
    }
#ifdef HAS_SHADOW
    namespaces_wait();
#endif
    for (int i = 0; i < 2; i++) {
        fd_close(ns.sock[i]);
        ns.sock[i] = -1;
    }
    if (!alive)
        return error_set(err, -EIO, "what makes the namespaces was killed");
    if (ns.code == 0)
        return ns.init_pid;
    error_errno(err, ns.code, "%s", ns.what);
    error_hint(err, "`bawn doctor` shows what forbids them and how to allow it");
    return ns.code;
}

void namespaces_end(void)
{
    if (ns.state == NOTHING)
        return;
    if (ns.maker > 0 && get_state() != DONE) {
        pid_t network = __atomic_load_n(&ns.network_pid, __ATOMIC_SEQ_CST);
        if (network > 0) /* the maker has not waited for it yet */
            (void)kill(network, SIGKILL);
        (void)kill(ns.maker, SIGKILL);
    }
    namespaces_wait();
    fd_close(ns.sock[0]);
    fd_close(ns.sock[1]);
    ns.state = NOTHING;
}
