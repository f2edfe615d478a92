/*
 * unix_diag: a dump of the namespace's Unix sockets with the file each is bound to (sock_diag(7),
 * linux/unix_diag.h). The dump gives the low 32 bits of the inode number and the device of the super
 * block; the latter may differ from st_dev (btrfs subvolumes), then mountinfo tells it.
 */
#include "sandbox/unixsock.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/sys.h"

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

/* The super block's device of the mount FILE is on, from FD's fdinfo and mountinfo. The mount may be of
 * the sandbox's namespace only; then it is not found and the answer stays "not inside". */
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

static int request(int diag)
{
    struct {
        struct nlmsghdr header;
        struct unix_diag_req body;
    } req = {
        .header = {.nlmsg_len = sizeof(req),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = 1},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = ~0u,
                 .udiag_show = UDIAG_SHOW_VFS},
    };
    return send(diag, &req, sizeof(req), MSG_NOSIGNAL) == (ssize_t)sizeof(req) ? 0 : -errno;
}

/* What one datagram of the dump said. */
struct heard {
    bool found, done;
    int error;
};

/* Netlink pads everything to four bytes. */
static size_t padded(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* One socket's attributes: is it bound to the file asked for? */
static bool is_bound_to(struct bytes attributes, uint32_t ino, uint32_t dev)
{
    while (attributes.n >= sizeof(struct rtattr)) {
        struct rtattr a;
        memcpy(&a, attributes.p, sizeof(a));
        if (a.rta_len < sizeof(a) || a.rta_len > attributes.n)
            return false;
        struct unix_diag_vfs vfs;
        if (a.rta_type == UNIX_DIAG_VFS && a.rta_len >= sizeof(a) + sizeof(vfs)) {
            memcpy(&vfs, attributes.p + sizeof(a), sizeof(vfs));
            if (vfs.udiag_vfs_ino == ino && vfs.udiag_vfs_dev == dev)
                return true;
        }
        size_t step = MIN_OF(padded(a.rta_len), attributes.n);
        attributes = (struct bytes){attributes.p + step, attributes.n - step};
    }
    return false;
}

static void listen_to(struct bytes datagram, uint32_t ino, uint32_t dev, struct heard *h)
{
    while (datagram.n >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr m;
        memcpy(&m, datagram.p, sizeof(m));
        if (m.nlmsg_len < sizeof(m) || m.nlmsg_len > datagram.n) {
            h->error = -EPROTO;
            return;
        }
        const size_t head = sizeof(m) + padded(sizeof(struct unix_diag_msg));
        if (m.nlmsg_type == NLMSG_DONE) {
            h->done = true;
        } else if (m.nlmsg_type == NLMSG_ERROR) {
            int32_t code = 0;
            if (m.nlmsg_len >= sizeof(m) + sizeof(code))
                memcpy(&code, datagram.p + sizeof(m), sizeof(code));
            h->error = code ? code : -EPROTO;
            return;
        } else if (m.nlmsg_len >= head) {
            struct bytes attributes = {datagram.p + head, m.nlmsg_len - head};
            h->found = h->found || is_bound_to(attributes, ino, dev);
        }
        size_t step = MIN_OF(padded(m.nlmsg_len), datagram.n);
        datagram = (struct bytes){datagram.p + step, datagram.n - step};
    }
}

static int search(int diag, uint32_t ino, uint32_t dev)
{
    struct heard h = {0};
    int r = request(diag);
    if (r < 0)
        return r;
    /* The whole dump is read even after a hit: what stays in the queue would answer the next one. */
    while (!h.done) {
        char buf[32768];
        ssize_t n = recv(diag, buf, sizeof(buf), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        listen_to((struct bytes){buf, (size_t)n}, ino, dev, &h);
        if (h.error)
            return h.error;
    }
    return h.found;
}

int unixsock_is_inside(int diag, int file)
{
    struct stat st;
    if (fstat(file, &st) < 0)
        return -errno;
    if (!S_ISSOCK(st.st_mode))
        return 0;
    int r = search(diag, (uint32_t)st.st_ino, kernel_dev(major(st.st_dev), minor(st.st_dev)));
    uint32_t dev;
    if (r == 0 && mount_device(file, &dev) == 0)
        r = search(diag, (uint32_t)st.st_ino, dev);
    return r;
}
