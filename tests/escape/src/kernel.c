/*
 * The kernel's own doors: io_uring, keyrings, old system call tables, tracing, shared memory.
 */
#include "escape.h"

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <sys/acct.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>

static int succeeded(long r, const char *what)
{
    return r >= 0 ? 0 : refused(what);
}

/* ---- io_uring: a file made by the ring, of which no filter sees an open ---- */

static int uring_open(char *const *a)
{
    struct io_uring_params p = {0};
    int fd = (int)syscall(SYS_io_uring_setup, 4, &p);
    char *sq, *cq;
    struct io_uring_sqe *sqe;
    struct io_uring_cqe *cqe;
    unsigned *tail, *array, *cq_head;

    if (fd < 0)
        return refused("io_uring_setup");
    sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
              IORING_OFF_SQ_RING);
    cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof *cqe, PROT_READ | PROT_WRITE, MAP_SHARED,
              fd, IORING_OFF_CQ_RING);
    sqe = mmap(NULL, p.sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
               IORING_OFF_SQES);
    if (sq == MAP_FAILED || cq == MAP_FAILED || (void *)sqe == MAP_FAILED)
        return refused("ring");
    tail = (void *)(sq + p.sq_off.tail);
    array = (void *)(sq + p.sq_off.array);
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_OPENAT;
    sqe->fd = AT_FDCWD;
    sqe->addr = (uintptr_t)a[0];
    sqe->open_flags = O_WRONLY | O_CREAT;
    sqe->len = 0644;
    array[0] = 0;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
        return refused("io_uring_enter");
    cq_head = (void *)(cq + p.cq_off.head);
    cqe = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes) + *cq_head;
    if (cqe->res < 0) {
        errno = -cqe->res;
        return refused("openat in the ring");
    }
    return mark(cqe->res);
}

static int uring(char *const *a)
{
    struct io_uring_params p = {0};

    (void)a;
    return succeeded(syscall(SYS_io_uring_setup, 4, &p), "io_uring_setup");
}

/* ---- keyrings ---- */

static int key_read(char *const *a)
{
    char buf[256] = "";
    long id = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", a[0], 0);

    if (id < 0 || syscall(SYS_keyctl, KEYCTL_READ, id, buf, sizeof buf - 1) < 0)
        return refused("keyctl");
    puts(buf);
    return 0;
}

static int key_request(char *const *a)
{
    return succeeded(syscall(SYS_request_key, "user", a[0], NULL, 0), "request_key");
}

static int key_add(char *const *a)
{
    return succeeded(syscall(SYS_add_key, "user", a[0], "x", 1, KEY_SPEC_PROCESS_KEYRING),
                     "add_key");
}

/* The user's own keyring is shared by all that the user runs. */
static int key_user(char *const *a)
{
    long id = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1);

    (void)a;
    return succeeded(id, "user keyring");
}

static int key_list(char *const *a)
{
    char line[1024];
    FILE *f = fopen("/proc/keys", "re");
    int r = 1;

    while (f && fgets(line, sizeof line, f))
        if (strstr(line, a[0]))
            r = 0;
    if (f)
        fclose(f);
    return r;
}

/* ---- other tables of system calls ---- */

static long call32(long nr)
{
    long r;

    __asm__ volatile("int $0x80"
                     : "=a"(r)
                     : "a"(nr), "b"(0), "c"(0), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    return (int)r;
}

static int int80(char *const *a)
{
    (void)a;
    return call32(20 /* getpid */) > 0 ? 0 : 1;
}

/* Whatever such a number answers, a filter that ends the process never lets it answer. */
static int x32(char *const *a)
{
    (void)a;
    syscall(0x40000000 | SYS_getpid);
    return 0;
}

static int x32_open(char *const *a)
{
    long fd = syscall(0x40000000 | SYS_openat, AT_FDCWD, a[0], O_WRONLY | O_CREAT, 0644);

    if (fd < 0 && errno != ENOSYS)
        return refused("openat");
    return 0;
}

/* ---- tracing and memory ---- */

static int uffd(char *const *a)
{
    (void)a;
    return succeeded(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY), "userfaultfd");
}

static int perf(char *const *a)
{
    struct perf_event_attr at = {.type = PERF_TYPE_SOFTWARE,
                                 .size = sizeof at,
                                 .config = PERF_COUNT_SW_TASK_CLOCK,
                                 .exclude_kernel = 1,
                                 .exclude_hv = 1};

    (void)a;
    return succeeded(syscall(SYS_perf_event_open, &at, 0, -1, -1, 0), "perf_event_open");
}

static int bpf_map(char *const *a)
{
    union bpf_attr at = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

    (void)a;
    return succeeded(syscall(SYS_bpf, BPF_MAP_CREATE, &at, sizeof at), "bpf");
}

static int aslr(char *const *a)
{
    (void)a;
    if (personality(ADDR_NO_RANDOMIZE) < 0)
        return refused("personality");
    return personality(0xffffffff) & ADDR_NO_RANDOMIZE ? 0 : 1;
}

static int read_implies_exec(char *const *a)
{
    (void)a;
    if (personality(READ_IMPLIES_EXEC | ADDR_COMPAT_LAYOUT) < 0)
        return refused("personality");
    return personality(0xffffffff) & READ_IMPLIES_EXEC ? 0 : 1;
}

/* ---- shared memory and queues made outside ---- */

static int shm_read(char *const *a)
{
    int id = shmget((key_t)strtol(a[0], NULL, 0), 0, 0);
    char *p = id < 0 ? (void *)-1 : shmat(id, NULL, SHM_RDONLY);

    if (p == (void *)-1)
        return refused("shm");
    puts(p);
    return 0;
}

static int shm_number(char *const *a)
{
    char *p = shmat((int)strtol(a[0], NULL, 0), NULL, SHM_RDONLY);

    if (p == (void *)-1)
        return refused("shmat");
    puts(p);
    return 0;
}

static int msg_read(char *const *a)
{
    struct {
        long type;
        char text[128];
    } m = {0};
    int id = msgget((key_t)strtol(a[0], NULL, 0), 0);

    if (id < 0 || msgrcv(id, &m, sizeof m.text, 0, IPC_NOWAIT) < 0)
        return refused("msg");
    puts(m.text);
    return 0;
}

static int mq_read(char *const *a)
{
    mqd_t q = mq_open(a[0], O_RDONLY);
    char buf[8192] = "";

    if (q < 0 || mq_receive(q, buf, sizeof buf, NULL) < 0)
        return refused("mq_open");
    puts(buf);
    return 0;
}

/* ---- what only root may try: each writes back what is there, or changes nothing ---- */

static int write_back(char *const *a)
{
    char buf[4096];
    int fd = open(a[0], O_RDWR | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf);

    if (n < 0 || lseek(fd, 0, SEEK_SET) < 0)
        return refused(a[0]);
    if (n == 0)
        buf[n++] = '\n';
    return succeeded(write(fd, buf, (size_t)n), a[0]);
}

static int device(char *const *a)
{
    int fd = open(a[0], O_RDONLY | O_CLOEXEC);
    char sector[512];

    return fd >= 0 && read(fd, sector, sizeof sector) == sizeof sector ? 0 : refused(a[0]);
}

/* A node of the disk behind PATH, made and read. Args: path on the disk, name of the node. */
static int device_node(char *const *a)
{
    struct stat st;

    if (stat(a[0], &st) < 0 || mknod(a[1], S_IFBLK | 0600, st.st_dev) < 0)
        return refused("mknod");
    return device(a + 1);
}

static int kmsg(char *const *a)
{
    int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

    (void)a;
    return fd < 0 ? refused("/dev/kmsg") : mark(fd);
}

static int clock_now(char *const *a)
{
    struct timespec t;

    (void)a;
    clock_gettime(CLOCK_REALTIME, &t);
    return succeeded(clock_settime(CLOCK_REALTIME, &t), "clock_settime");
}

static int host_name(char *const *a)
{
    char name[65];

    (void)a;
    gethostname(name, sizeof name);
    return succeeded(sethostname(name, strlen(name)), "sethostname");
}

static int accounting(char *const *a)
{
    (void)a;
    return succeeded(acct(NULL), "acct");
}

/* Anything but "not permitted" means that the call was reached. */
static int module(char *const *a)
{
    (void)a;
    syscall(SYS_finit_module, -1, "", 0);
    return errno == EPERM || errno == ENOSYS ? refused("finit_module") : 0;
}

static int kexec(char *const *a)
{
    (void)a;
    if (syscall(SYS_kexec_load, 0, 1000, NULL, 0) >= 0)
        return 0;
    return errno == EPERM ? refused("kexec_load") : 0;
}

const struct attempt kernel_attempts[] = {
    {"uring-open", 1, uring_open},
    {"uring", 0, uring},
    {"key-read", 1, key_read},
    {"key-request", 1, key_request},
    {"key-add", 1, key_add},
    {"key-user", 0, key_user},
    {"key-list", 1, key_list},
    {"int80", 0, int80},
    {"x32", 0, x32},
    {"x32-open", 1, x32_open},
    {"userfaultfd", 0, uffd},
    {"perf", 0, perf},
    {"bpf", 0, bpf_map},
    {"aslr", 0, aslr},
    {"read-implies-exec", 0, read_implies_exec},
    {"shm", 1, shm_read},
    {"shm-number", 1, shm_number},
    {"msg", 1, msg_read},
    {"mqueue", 1, mq_read},
    {"write-back", 1, write_back},
    {"device", 1, device},
    {"device-node", 2, device_node},
    {"kmsg", 0, kmsg},
    {"clock", 0, clock_now},
    {"hostname", 0, host_name},
    {"acct", 0, accounting},
    {"module", 0, module},
    {"kexec", 0, kexec},
    {0},
};
