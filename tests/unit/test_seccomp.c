/*
 * The compiled filter against an independent one. The policy is written a second time below, in
 * libseccomp's terms and with the system headers' constants, and both programs are run side by
 * side: every number, every combination of flags, both architectures, arguments at the edges of
 * each test.
 *
 * libseccomp has one default action a filter, so the second policy is a set of filters with
 * different defaults; `owner` says which of them speaks for a call. What libseccomp does not know
 * yet (numbers from 457 on) is listed by hand.
 *
 * At the end some filters go into the kernel, in a child, to see that it takes them and means the
 * same.
 */
#include "base/macros.h"
#include "sandbox/plan.h"
#include "sandbox/seccomp.h"
#include "sandbox/seccomp_table.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/btrfs.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern const struct seccomp_table table_x86_64, table_aarch64;

#define HIGH (UINT64_C(0xdeadbeef) << 32) /* rubbish in the upper half */
#define LOW  UINT64_C(0xffffffff)
/* libseccomp wants a kernel that notifies before it builds a filter that does; TRACE stands for it.
 */
#define NOTIFY     SCMP_ACT_TRACE(1)
#define EPERM_ACT  SCMP_ACT_ERRNO(EPERM)
#define ENOSYS_ACT SCMP_ACT_ERRNO(ENOSYS)
#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

enum { MAX_NR = 1100 };

/* ---- the second policy ---- */

static const char *const always_denied[] = {"io_uring_setup",
                                            "io_uring_enter",
                                            "io_uring_register",
                                            "add_key",
                                            "request_key",
                                            "keyctl",
                                            "kexec_load",
                                            "kexec_file_load",
                                            "init_module",
                                            "finit_module",
                                            "delete_module",
                                            "bpf",
                                            "perf_event_open",
                                            "userfaultfd",
                                            "lookup_dcookie",
                                            "open_by_handle_at",
                                            "fanotify_init",
                                            "fanotify_mark",
                                            "syslog",
                                            "acct",
                                            "quotactl",
                                            "quotactl_fd",
                                            "swapon",
                                            "swapoff",
                                            "reboot",
                                            "settimeofday",
                                            "clock_settime",
                                            "sethostname",
                                            "setdomainname",
                                            "vhangup",
                                            "nfsservctl",
                                            "uselib",
                                            "iopl",
                                            "ioperm",
                                            NULL};
static const char *const mounts[] = {
    "setns",   "mount",  "umount2",   "pivot_root", "chroot",        "fsopen", "fsconfig",
    "fsmount", "fspick", "open_tree", "move_mount", "mount_setattr", NULL};
static const char *const debugging[] = {"ptrace", "process_vm_readv", "process_vm_writev",
                                        "pidfd_getfd", NULL};
static const char *const removed[] = {
    "_sysctl",       "create_module",  "get_kernel_syms", "query_module",    "getpmsg",
    "putpmsg",       "afs_syscall",    "tuxcall",         "security",        "vserver",
    "epoll_ctl_old", "epoll_wait_old", "set_thread_area", "get_thread_area", NULL};
static const char *const changing[] = {
    "rmdir",     "unlink",   "unlinkat",  "chmod",       "fchmodat",     "fchmodat2",
    "chown",     "lchown",   "fchownat",  "truncate",    "utime",        "utimes",
    "futimesat", "setxattr", "lsetxattr", "removexattr", "lremovexattr", NULL};

/* What libseccomp 2.5 has no name for: the same numbers on both architectures. */
enum newer { NEWER_ALLOW, NEWER_DENY, NEWER_MOUNT, NEWER_CHANGE };
static const struct {
    int nr;
    enum newer what;
} newer_calls[] = {
    {457, NEWER_ALLOW},  {458, NEWER_ALLOW},  {459, NEWER_ALLOW},  {460, NEWER_DENY},
    {461, NEWER_ALLOW},  {462, NEWER_ALLOW},  {463, NEWER_CHANGE}, {464, NEWER_ALLOW},
    {465, NEWER_ALLOW},  {466, NEWER_CHANGE}, {467, NEWER_MOUNT},  {468, NEWER_ALLOW},
    {469, NEWER_CHANGE},
};

enum owner { BY_ALLOW, BY_EPERM, BY_ENOSYS, BY_NOTIFY, N_OWNERS };

struct reference {
    uint32_t scmp_arch, audit_arch;
    unsigned flags;
    bool off, log;
    uint32_t deny;
    scmp_filter_ctx context[N_OWNERS];
    struct sock_fprog program[N_OWNERS];
    struct sock_filter code[N_OWNERS][4096];
    enum owner owner[MAX_NR];
};

static int number_of(const struct reference *r, const char *name)
{
    int nr = seccomp_syscall_resolve_name_arch(r->scmp_arch, name);
    assert_int_not_equal(nr, __NR_SCMP_ERROR);
    return nr; /* negative: not on this architecture */
}

static void own(struct reference *r, const char *name, enum owner owner)
{
    int nr = number_of(r, name);
    if (nr >= 0)
        r->owner[nr] = owner;
}

static void own_all(struct reference *r, const char *const *names, enum owner owner)
{
    for (; *names; names++)
        own(r, *names, owner);
}

/* NAME with these arguments has ACTION, in the filter that speaks for NAME. */
static void rule(struct reference *r, const char *name, uint32_t action, unsigned n,
                 const struct scmp_arg_cmp *args)
{
    int nr = number_of(r, name);
    if (nr < 0)
        return;
    assert_int_equal(seccomp_rule_add_array(r->context[r->owner[nr]], action,
                                            seccomp_syscall_resolve_name(name), n, args),
                     0);
}
#define RULE(r, name, action, ...)                                                                 \
    rule(r, name, action, ARRAY_LEN(((struct scmp_arg_cmp[]){__VA_ARGS__})),                       \
         (struct scmp_arg_cmp[]){__VA_ARGS__})
#define INT_IS(arg, v) SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, LOW, (uint64_t)(uint32_t)(v))

/* Which filter speaks for refused calls. */
static enum owner denied(const struct reference *r)
{
    return r->log ? BY_NOTIFY : BY_EPERM;
}

static void describe_files(struct reference *r)
{
    static const struct {
        const char *name;
        unsigned arg;
    } opens[] = {{"open", 1}, {"openat", 2}};
    static const uint64_t writing[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND, TMPFILE_BIT};
    bool watch = r->flags & FILTER_WATCH_OPEN, renames = r->flags & FILTER_WATCH_RENAME;

    for (unsigned i = 0; i < ARRAY_LEN(opens); i++) {
        if (watch)
            RULE(r, opens[i].name, NOTIFY, SCMP_CMP64(opens[i].arg, SCMP_CMP_MASKED_EQ, O_PATH, 0));
        for (unsigned w = 0; r->log && !watch && w < ARRAY_LEN(writing); w++)
            RULE(r, opens[i].name, NOTIFY,
                 SCMP_CMP64(opens[i].arg, SCMP_CMP_MASKED_EQ, O_PATH | writing[w], writing[w]));
    }
    if (watch || r->log) {
        own_all(r,
                (const char *const[]){"creat", "openat2", "link", "linkat", "mkdir", "mkdirat",
                                      "mknod", "mknodat", "symlink", "symlinkat", NULL},
                BY_NOTIFY);
    }
    if (watch || renames || r->log)
        own_all(r, (const char *const[]){"rename", "renameat", "renameat2", NULL}, BY_NOTIFY);
    if (r->log) {
        own_all(r, changing, BY_NOTIFY);
        RULE(r, "utimensat", NOTIFY, SCMP_CMP64(1, SCMP_CMP_NE, 0));
    }
}

static void describe_sockets(struct reference *r)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    bool netns = !(r->flags & FILTER_NO_NETNS);

    own(r, "socket", denied(r));
    own(r, "socketpair", denied(r));
    if (!r->off) {
        for (unsigned i = 0; i < ARRAY_LEN(families); i++)
            RULE(r, "socket", SCMP_ACT_ALLOW, INT_IS(0, families[i]));
        RULE(r, "socketpair", SCMP_ACT_ALLOW, INT_IS(0, AF_UNIX));
        return;
    }
    own(r, "connect", BY_NOTIFY);
    for (uint64_t type = 0; type < 16; type++) {
        bool fine = type == SOCK_STREAM || type == SOCK_SEQPACKET;
        if (fine)
            RULE(r, "socket", SCMP_ACT_ALLOW, INT_IS(0, AF_UNIX),
                 SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, 0xf, type));
        if (fine || !r->log) /* where refusals are notified it is the default already */
            RULE(r, "socketpair", fine ? SCMP_ACT_ALLOW : NOTIFY, INT_IS(0, AF_UNIX),
                 SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, 0xf, type));
    }
    if (netns) {
        RULE(r, "socket", SCMP_ACT_ALLOW, INT_IS(0, AF_INET));
        RULE(r, "socket", SCMP_ACT_ALLOW, INT_IS(0, AF_INET6));
        RULE(r, "socket", SCMP_ACT_ALLOW, INT_IS(0, AF_NETLINK), INT_IS(2, NETLINK_ROUTE));
    }
}

static const uint64_t namespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                      CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
static const uint64_t bad_requests[] = {TIOCSTI,
                                        TIOCLINUX,
                                        TIOCCONS,
                                        TIOCSETD,
                                        BTRFS_IOC_SNAP_CREATE,
                                        BTRFS_IOC_SNAP_CREATE_V2,
                                        BTRFS_IOC_SNAP_DESTROY,
                                        BTRFS_IOC_SNAP_DESTROY_V2};
static const uint64_t plain_personas[] = {PER_LINUX, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26,
                                          LOW};

static void describe_rest(struct reference *r)
{
    own_all(r, always_denied, denied(r));
    own_all(r, removed, BY_ENOSYS);
    if (!(r->flags & FILTER_ALLOW_PTRACE)) {
        own_all(r, debugging, denied(r));
        own(r, "move_pages", denied(r));
        own(r, "migrate_pages", denied(r));
        RULE(r, "move_pages", SCMP_ACT_ALLOW, INT_IS(0, 0));
        RULE(r, "migrate_pages", SCMP_ACT_ALLOW, INT_IS(0, 0));
    }
    if (!(r->flags & FILTER_ALLOW_USERNS)) {
        own_all(r, mounts, denied(r));
        own(r, "clone3", BY_ENOSYS);
        own(r, "unshare", denied(r));
        RULE(r, "unshare", SCMP_ACT_ALLOW,
             SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, ~(uint64_t)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM),
                        0));
        for (unsigned i = 0; i < ARRAY_LEN(namespaces); i++)
            RULE(r, "clone", r->deny,
                 SCMP_CMP64(0, SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
    }
    for (unsigned i = 0; i < ARRAY_LEN(bad_requests); i++)
        RULE(r, "ioctl", r->deny, INT_IS(1, bad_requests[i]));
    RULE(r, "ioctl", r->deny, SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, 0xff00, 0xbc00));
    own(r, "personality", denied(r));
    for (unsigned i = 0; i < ARRAY_LEN(plain_personas); i++)
        RULE(r, "personality", SCMP_ACT_ALLOW, INT_IS(0, plain_personas[i]));
}

static void describe_newer(struct reference *r)
{
    for (unsigned i = 0; i < ARRAY_LEN(newer_calls); i++) {
        enum newer what = newer_calls[i].what;
        enum owner owner = BY_ALLOW;
        if (what == NEWER_DENY || (what == NEWER_MOUNT && !(r->flags & FILTER_ALLOW_USERNS)))
            owner = denied(r);
        else if (what == NEWER_CHANGE && r->log)
            owner = BY_NOTIFY;
        r->owner[newer_calls[i].nr] = owner;
    }
    if (r->scmp_arch == SCMP_ARCH_X86_64)
        r->owner[335] = r->owner[336] = BY_ALLOW; /* uretprobe, uprobe */
}

static void export_program(struct reference *r, enum owner o)
{
    int fd = memfd_create("bpf", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(seccomp_export_bpf(r->context[o], fd), 0);
    ssize_t n = pread(fd, r->code[o], sizeof(r->code[o]), 0);
    assert_true(n > 0 && (size_t)n < sizeof(r->code[o]));
    r->program[o] =
        (struct sock_fprog){(unsigned short)((size_t)n / sizeof(r->code[o][0])), r->code[o]};
    close(fd);
    seccomp_release(r->context[o]);
}

static void reference_make(struct reference *r, uint32_t scmp_arch, uint32_t audit, unsigned flags)
{
    const uint32_t defaults[N_OWNERS] = {SCMP_ACT_ALLOW, EPERM_ACT, ENOSYS_ACT, NOTIFY};

    r->scmp_arch = scmp_arch;
    r->audit_arch = audit;
    r->flags = flags;
    r->off = flags & FILTER_NETWORK_OFF;
    r->log = flags & FILTER_LOG;
    r->deny = r->log ? NOTIFY : EPERM_ACT;
    for (unsigned o = 0; o < N_OWNERS; o++) {
        r->context[o] = seccomp_init(defaults[o]);
        assert_non_null(r->context[o]);
        assert_int_equal(
            seccomp_attr_set(r->context[o], SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
        if (scmp_arch != seccomp_arch_native()) {
            assert_int_equal(seccomp_arch_add(r->context[o], scmp_arch), 0);
            assert_int_equal(seccomp_arch_remove(r->context[o], seccomp_arch_native()), 0);
        }
    }
    for (int nr = 0; nr < MAX_NR; nr++) {
        char *name = seccomp_syscall_resolve_num_arch(scmp_arch, nr);
        r->owner[nr] = name ? BY_ALLOW : BY_ENOSYS;
        free(name);
    }
    describe_newer(r);
    describe_files(r);
    describe_sockets(r);
    describe_rest(r);
    for (unsigned o = 0; o < N_OWNERS; o++)
        export_program(r, (enum owner)o);
}

/* ---- side by side ---- */

static struct sock_fprog program_of(const struct seccomp_table *t, unsigned flags)
{
    const struct seccomp_variant *v = &t->variants[flags];
    return (struct sock_fprog){v->length, (struct sock_filter *)(uintptr_t)(t->code + v->start)};
}

static uint32_t expected(const struct reference *r, const struct seccomp_data *d)
{
    enum owner o = d->nr >= 0 && d->nr < MAX_NR ? r->owner[d->nr] : BY_ENOSYS;
    uint32_t verdict = seccomp_simulate(&r->program[o], d);
    return verdict == SCMP_ACT_TRACE(1) ? SECCOMP_RET_USER_NOTIF : verdict;
}

static unsigned long compared;

static void compare(const struct reference *r, const struct sock_fprog *ours, uint32_t arch, int nr,
                    uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct seccomp_data d = {.nr = nr,
                             .arch = arch,
                             .instruction_pointer = 0x7f0123456789,
                             .args = {a0, a1, a2, HIGH | 3, 4, HIGH | 5}};
    uint32_t want = expected(r, &d), got = seccomp_simulate(ours, &d);

    compared++;
    if (want != got)
        fail_msg("flags %#x arch %#x: %s (%d) of %#llx %#llx %#llx: libseccomp says %#x, we %#x",
                 r->flags, arch, seccomp_syscall_name(nr), nr, (unsigned long long)a0,
                 (unsigned long long)a1, (unsigned long long)a2, want, got);
}

static const uint64_t values[] = {0,
                                  1,
                                  2,
                                  3,
                                  4,
                                  5,
                                  7,
                                  8,
                                  9,
                                  10,
                                  11,
                                  16,
                                  17,
                                  31,
                                  38,
                                  40,
                                  44,
                                  0xf,
                                  0x11,
                                  0x15,
                                  0x801,
                                  0x802,
                                  0x805,
                                  0x80001,
                                  0x80002,
                                  0x80005,
                                  0x80805,
                                  O_WRONLY,
                                  O_RDWR,
                                  O_CREAT,
                                  O_TRUNC,
                                  O_APPEND,
                                  O_TMPFILE,
                                  TMPFILE_BIT,
                                  O_PATH,
                                  O_PATH | O_CREAT,
                                  O_PATH | TMPFILE_BIT,
                                  O_DIRECTORY,
                                  O_CLOEXEC | O_NONBLOCK,
                                  O_CREAT | O_EXCL | O_RDWR,
                                  O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC,
                                  CLONE_FS,
                                  CLONE_FILES,
                                  CLONE_SYSVSEM,
                                  CLONE_FS | CLONE_FILES | CLONE_SYSVSEM,
                                  CLONE_FS | CLONE_NEWNS,
                                  SIGCHLD,
                                  0x3d0f00,
                                  CLONE_NEWUSER | SIGCHLD,
                                  0x80,
                                  0x100000,
                                  PER_LINUX32,
                                  ADDR_NO_RANDOMIZE,
                                  READ_IMPLIES_EXEC,
                                  ADDR_COMPAT_LAYOUT,
                                  MMAP_PAGE_ZERO,
                                  UNAME26,
                                  UNAME26 | PER_LINUX32,
                                  UNAME26 | ADDR_NO_RANDOMIZE,
                                  0x5401,
                                  TIOCGWINSZ,
                                  TIOCSTI,
                                  TIOCSTI - 1,
                                  TIOCSTI + 1,
                                  TIOCLINUX,
                                  TIOCLINUX + 2,
                                  TIOCSETD,
                                  TIOCSETD - 1,
                                  BTRFS_IOC_SNAP_CREATE,
                                  BTRFS_IOC_SNAP_CREATE_V2,
                                  BTRFS_IOC_SNAP_DESTROY,
                                  BTRFS_IOC_SNAP_DESTROY_V2,
                                  BTRFS_IOC_SNAP_CREATE + 1,
                                  0x4020bc10,
                                  0x4020bc11,
                                  0xbc00,
                                  0x4020bd10,
                                  0x4020bb10,
                                  0x7fffffff,
                                  0x80000000,
                                  0xfffffffe,
                                  0xffffffff};

/* Each value in each of the first three arguments, alone, and with rubbish above it. */
static void compare_arguments(const struct reference *r, const struct sock_fprog *ours, int nr)
{
    for (unsigned i = 0; i < ARRAY_LEN(values) + 64; i++) {
        uint64_t v = i < ARRAY_LEN(values) ? values[i] : UINT64_C(1) << (i - ARRAY_LEN(values));
        for (unsigned high = 0; high < 2; high++, v |= HIGH) {
            compare(r, ours, r->audit_arch, nr, v, 0, 0);
            compare(r, ours, r->audit_arch, nr, 0, v, 0);
            compare(r, ours, r->audit_arch, nr, 0, 0, v);
            compare(r, ours, r->audit_arch, nr, v, v, v);
        }
    }
}

/* Family x type x protocol. */
static void compare_sockets(const struct reference *r, const struct sock_fprog *ours, int nr)
{
    static const uint64_t protocols[] = {0, 1, 15, HIGH, HIGH | 4};
    static const uint64_t type_flags[] = {0, SOCK_CLOEXEC, SOCK_NONBLOCK | HIGH, 0x70};

    for (unsigned family = 0; family < 46; family++)
        for (unsigned type = 0; type < 16; type++)
            for (unsigned f = 0; f < ARRAY_LEN(type_flags); f++)
                for (unsigned p = 0; p < ARRAY_LEN(protocols); p++)
                    compare(r, ours, r->audit_arch, nr, family | (p & 1 ? HIGH : 0),
                            type | type_flags[f], protocols[p]);
}

static void compare_all(uint32_t scmp_arch, uint32_t audit, uint32_t foreign,
                        const struct seccomp_table *t)
{
    static struct reference r;
    static const unsigned odd[] = {0x3fffffff, 0x40000000, 0x40000001, 0x40000000 | 59, 0x7fffffff,
                                   0x80000000, 0xbfffffff, 0xfffffffe, 0xffffffff};

    assert_int_equal(t->arch, audit);
    for (unsigned flags = 0; flags < FILTER_VARIANTS; flags++) {
        reference_make(&r, scmp_arch, audit, flags);
        struct sock_fprog ours = program_of(t, flags);
        for (int nr = 0; nr < MAX_NR; nr++) {
            compare(&r, &ours, audit, nr, 0, 0, 0);
            compare(&r, &ours, audit, nr, UINT64_MAX, UINT64_MAX, UINT64_MAX);
            compare(&r, &ours, audit, nr, HIGH, HIGH, HIGH);
            compare(&r, &ours, foreign, nr, 0, 0, 0);
            compare(&r, &ours, AUDIT_ARCH_I386, nr, 0, 0, 0);
            compare(&r, &ours, 0, nr, 0, 0, 0);
        }
        for (unsigned i = 0; i < ARRAY_LEN(odd); i++)
            compare(&r, &ours, audit, (int)odd[i], 0, 0, 0);
        static const char *const looked_into[] = {
            "open",       "openat",      "utimensat",  "clone",         "unshare",
            "ioctl",      "personality", "move_pages", "migrate_pages", "socket",
            "socketpair", "mmap",        "prctl"};
        for (unsigned i = 0; i < ARRAY_LEN(looked_into); i++) {
            int nr = number_of(&r, looked_into[i]);
            if (nr >= 0)
                compare_arguments(&r, &ours, nr);
        }
        compare_sockets(&r, &ours, number_of(&r, "socket"));
        compare_sockets(&r, &ours, number_of(&r, "socketpair"));
    }
}

static void test_x86_64(void **state _unused_)
{
    compared = 0;
    compare_all(SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, &table_x86_64);
    print_message("%lu calls compared\n", compared);
}

static void test_aarch64(void **state _unused_)
{
    compared = 0;
    compare_all(SCMP_ARCH_AARCH64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM, &table_aarch64);
    print_message("%lu calls compared\n", compared);
}

/* Names and numbers are libseccomp's, both ways. */
static void check_names(uint32_t scmp_arch, const struct seccomp_table *t)
{
    for (unsigned nr = 0; nr < MAX_NR; nr++) {
        char *theirs = seccomp_syscall_resolve_num_arch(scmp_arch, (int)nr);
        const char *ours = nr < t->n_names && t->name_at[nr] ? t->names + t->name_at[nr] - 1 : NULL;
        if (theirs) {
            assert_non_null(ours);
            assert_string_equal(ours, theirs);
        } else if (ours) {
            assert_true(nr >= 457 || nr == 335 || nr == 336);
        }
        free(theirs);
    }
}

static void test_names(void **state _unused_)
{
    check_names(SCMP_ARCH_X86_64, &table_x86_64);
    check_names(SCMP_ARCH_AARCH64, &table_aarch64);
    assert_string_equal(seccomp_syscall_name(SYS_openat), "openat");
    assert_null(seccomp_syscall_name(-1));
    assert_null(seccomp_syscall_name(100000));
}

/* The flags mean what their names say: notifications exist exactly where somebody has to answer. */
static void test_notifies(void **state _unused_)
{
    const unsigned asks = FILTER_NETWORK_OFF | FILTER_LOG | FILTER_WATCH_OPEN | FILTER_WATCH_RENAME;
    for (unsigned flags = 0; flags < FILTER_VARIANTS; flags++)
        assert_int_equal(seccomp_notifies(flags) != 0, (flags & asks) != 0);
}

/* Size and shape that the launcher and the kernel count on. */
static void test_shape(void **state _unused_)
{
    for (unsigned flags = 0; flags < FILTER_VARIANTS; flags++) {
        struct sock_fprog p = seccomp_program(flags);
        assert_true(p.len > 8 && p.len < 400);
        assert_int_equal(p.filter[0].k, offsetof(struct seccomp_data, arch));
    }
}

static void test_refuses(void **state _unused_)
{
    struct seccomp_data mount = {.nr = SYS_mount, .arch = seccomp_table.arch};
    struct seccomp_data connects = {.nr = SYS_connect, .arch = seccomp_table.arch};
    struct seccomp_data opens = {
        .nr = SYS_openat, .arch = seccomp_table.arch, .args = {0, 0, O_RDWR}};
    int e = 0;

    assert_true(seccomp_refuses(FILTER_LOG, &mount, &e));
    assert_int_equal(e, EPERM);
    assert_false(seccomp_refuses(FILTER_LOG | FILTER_ALLOW_USERNS, &mount, &e));
    assert_false(seccomp_refuses(FILTER_LOG | FILTER_NETWORK_OFF, &connects, &e));
    assert_false(seccomp_refuses(FILTER_LOG, &opens, &e));
}

static void test_simulate_malformed(void **state _unused_)
{
    struct seccomp_data d = {0};
    struct sock_filter past_end[] = {{BPF_JMP | BPF_JA, 0, 0, UINT32_MAX}};
    struct sock_filter wide_load[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, sizeof(d) - 2}};
    struct sock_filter unknown[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 0}};
    struct sock_filter *bad[] = {past_end, wide_load, unknown};

    for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(seccomp_simulate(&(struct sock_fprog){1, bad[i]}, &d),
                         SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(seccomp_simulate(&(struct sock_fprog){0, NULL}, &d), SECCOMP_RET_KILL_PROCESS);
}

/* ---- in the kernel ---- */

/* Runs in a child under the filter; returns what is wrong, 0 when nothing. */
static int under_filter(unsigned flags)
{
    int listener = -2;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || seccomp_install(flags, &listener) != 0)
        return 1;
    if ((listener >= 0) != (seccomp_notifies(flags) != 0))
        return 2;
    if (listener >= 0 && !(fcntl(listener, F_GETFD) & FD_CLOEXEC))
        return 3;
    if (getpid() <= 0 || syscall(1023) != -1 || errno != ENOSYS)
        return 4;
    if (syscall(-1L) != -1 || errno != ENOSYS)
        return 5;
    if (!(flags & FILTER_LOG)) {
        if (syscall(SYS_keyctl, 0, 0, 0, 0, 0) != -1 || errno != EPERM)
            return 6;
        if (syscall(SYS_ioctl, -1, HIGH | TIOCSTI, 0) != -1 || errno != EPERM)
            return 7;
        if (syscall(SYS_unshare, 0) != 0)
            return 8;
    }
    if (!(flags & FILTER_ALLOW_USERNS) && (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS))
        return 9;
    return 0;
}

static void test_kernel_takes_them(void **state _unused_)
{
    for (unsigned flags = 0; flags < FILTER_VARIANTS; flags++) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(under_filter(flags));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("flags %#x: wait status %#x", flags, (unsigned)status);
    }
}

#ifdef __x86_64__
static void test_kernel_kills_x32(void **state _unused_)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (under_filter(0) == 0)
            syscall(0x40000000L | SYS_getpid);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_x86_64),
        cmocka_unit_test(test_aarch64),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_notifies),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_simulate_malformed),
        cmocka_unit_test(test_kernel_takes_them),
#ifdef __x86_64__
        cmocka_unit_test(test_kernel_kills_x32),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
