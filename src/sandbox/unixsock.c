/*
 * unix_diag: a dump of the namespace's Unix sockets with the file each is bound to (sock_diag(7),
 * linux/unix_diag.h). The dump gives the low 32 bits of the inode number and the device of the
 * super block; the latter may differ from st_dev (btrfs subvolumes), then mountinfo tells it.
 */
#include "sandbox/unixsock.h"

#include "base/fd.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/sys.h"
#include "sandbox/asker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The kernel's own dev_t: major << 20 | minor. */
static uint32_t kernel_dev(unsigned major_no, unsigned minor_no)
{
    return (uint32_t)major_no << 20 | minor_no;
}

/* The super block's device of the mount FILE is on, from FD's fdinfo and mountinfo. The mount may
 * be of the sandbox's namespace only; then it is not found and the answer stays "not inside". */
static int mount_device(int file, uint32_t *ret)
{
    int64_t mount = sys_mount_id(file);
    if (mount < 0)
        return (int)mount;
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[8192];
    int r = -ENOENT;
    while (f && r < 0 && fgets(line, sizeof(line), f)) {
        long long id;
        unsigned major_no, minor_no;
        if (sscanf(line, "%lld %*u %u:%u", &id, &major_no, &minor_no) == 3 && id == mount) {
            *ret = kernel_dev(major_no, minor_no);
            r = 0;
        }
    }
    if (f)
        (void)fclose(f);
    return r;
}

static int request(int diag, uint32_t show)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req body;
    } req = {
        .header = {.nlmsg_len = sizeof(req),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = 1},
        .body = {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = show},
    };
    return send(diag, &req, sizeof(req), MSG_NOSIGNAL) == (ssize_t)sizeof(req) ? 0 : -errno;
}

/* What is looked for, and what the dump said of it. */
struct search {
    uint32_t ino, dev;
    bool found, done;
    uint32_t socket; /* inode number of the socket itself */
    int error;
    char *name; /* NULL: nobody asks for it */
    size_t cap, n;
    bool differs; /* there are several of the file, and not all have this name */
};

/* Netlink pads everything to four bytes. */
static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* One attribute off the front; false at the end, or where there is rubbish. */
static bool next_attribute(struct bytes *left, unsigned *ret_type, struct bytes *ret)
{
    struct rtattr a;
    if (left->n < sizeof(a))
        return false;
    memcpy(&a, left->p, sizeof(a));
    if (a.rta_len < sizeof(a) || a.rta_len > left->n)
        return false;
    *ret_type = a.rta_type;
    *ret = (struct bytes){left->p + sizeof(a), a.rta_len - sizeof(a)};
    size_t step = MIN_OF(padded(a.rta_len), left->n);
    *left = (struct bytes){left->p + step, left->n - step};
    return true;
}

static void take_name(struct search *s, struct bytes name)
{
    if (!s->name)
        return;
    if (name.n > s->cap)
        name.n = 0; /* no name that anybody asks for */
    if (s->found)
        s->differs = s->differs || !bytes_eq(name, (struct bytes){s->name, s->n});
    else if (name.n)
        memcpy(s->name, name.p, name.n);
    if (!s->found)
        s->n = name.n;
}

/* One socket's attributes: is it bound to the file asked for? Those that it accepted have its name
 * and file as well. */
static void take_socket(struct search *s, uint32_t ino, struct bytes attributes)
{
    struct bytes value, name = {"", 0};
    struct unix_diag_vfs vfs;
    unsigned type;
    bool bound = false;
    while (next_attribute(&attributes, &type, &value)) {
        if (type == UNIX_DIAG_NAME)
            name = value;
        if (type != UNIX_DIAG_VFS || value.n < sizeof(vfs))
            continue;
        memcpy(&vfs, value.p, sizeof(vfs));
        bound = vfs.udiag_vfs_ino == s->ino && vfs.udiag_vfs_dev == s->dev;
    }
    if (!bound)
        return;
    take_name(s, name);
    if (!s->found)
        s->socket = ino;
    s->found = true;
}

static void listen_to(struct bytes datagram, struct search *s)
{
    while (datagram.n >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr m;
        memcpy(&m, datagram.p, sizeof(m));
        if (m.nlmsg_len < sizeof(m) || m.nlmsg_len > datagram.n) {
            s->error = -EPROTO;
            return;
        }
        const size_t head = sizeof(m) + padded(sizeof(struct unix_diag_msg));
        if (m.nlmsg_type == NLMSG_DONE) {
            s->done = true;
        } else if (m.nlmsg_type == NLMSG_ERROR) {
            int32_t code = 0;
            if (m.nlmsg_len >= sizeof(m) + sizeof(code))
                memcpy(&code, datagram.p + sizeof(m), sizeof(code));
            s->error = code ? code : -EPROTO;
            return;
        } else if (m.nlmsg_len >= head) {
            struct unix_diag_msg socket;
            memcpy(&socket, datagram.p + sizeof(m), sizeof(socket));
            take_socket(s, socket.udiag_ino, (struct bytes){datagram.p + head, m.nlmsg_len - head});
        }
        size_t step = MIN_OF(padded(m.nlmsg_len), datagram.n);
        datagram = (struct bytes){datagram.p + step, datagram.n - step};
    }
}

static int search(int diag, struct search *s)
{
    int r = request(diag, s->name ? UDIAG_SHOW_VFS | UDIAG_SHOW_NAME : UDIAG_SHOW_VFS);
    if (r < 0)
        return r;
    /* The whole dump is read even after a hit: what stays in the queue would answer the next one.
     */
    while (!s->done) {
        char buf[32768];
        ssize_t n = recv(diag, buf, sizeof(buf), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        listen_to((struct bytes){buf, (size_t)n}, s);
        if (s->error)
            return s->error;
    }
    return s->found;
}

static int find(int diag, int file, struct search *s)
{
    struct stat st;
    if (fstat(file, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return 0;
    s->ino = (uint32_t)st.st_ino;
    s->dev = kernel_dev(major(st.st_dev), minor(st.st_dev));
    int r = search(diag, s);
    if (r == 0 && mount_device(file, &s->dev) == 0) {
        s->done = false;
        r = search(diag, s);
    }
    return r;
}

int unixsock_is_inside(int diag, int file)
{
    struct search s = {0};
    return find(diag, file, &s);
}

int unixsock_name(int diag, int file, char *buf, size_t cap)
{
    struct search s = {.name = buf, .cap = cap};
    int r = find(diag, file, &s);
    return r < 0 ? r : r == 0 ? -ENOENT : s.differs ? 0 : (int)s.n;
}

/* ---- without a namespace of its own ---- */

#define PROCESSES_MAX 4096
#define THREADS_MAX   65536 /* of all of them */
#define PATH_ROOM     80

static void close_directory(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

static bool holds(pid_t pid, const char *name)
{
    char path[PATH_ROOM], link[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    _cleanup_(close_directory) DIR *d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d));) {
        ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
        if (n <= 0)
            continue;
        link[n] = '\0';
        if (str_eq(link, name))
            return true;
    }
    return false;
}

int unixsock_is_held_below(int diag, int file, pid_t top)
{
    struct search s = {0};
    int r = find(diag, file, &s);
    if (r <= 0 || top <= 0)
        return r < 0 ? r : 0;
    char name[PATH_ROOM];
    (void)snprintf(name, sizeof(name), "socket:[%u]", s.socket);
    _cleanup_free_ pid_t *list = mem_zalloc(PROCESSES_MAX, sizeof(*list));
    if (!list)
        return -ENOMEM;
    size_t n = 1, left = THREADS_MAX;
    list[0] = top;
    for (size_t i = 0; i < n; i++) {
        if (i && holds(list[i], name)) /* `top` is bawn's own */
            return 1;
        n = children_of(list[i], list, n, PROCESSES_MAX, &left);
    }
    return 0;
}
