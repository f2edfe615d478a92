/*
 * unix_diag: a dump of the namespace's Unix sockets with the file each is bound to (sock_diag(7),
 * linux/unix_diag.h). The dump gives the low 32 bits of the inode number and the device of the super
 * block; the latter may differ from st_dev (btrfs subvolumes), then mountinfo tells it.
 */
#include "sandbox/unixsock.h"

#include "base/fd.h"
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

/* Looks through one datagram of the dump. 1 found, 0 go on, 2 end, negative errno. */
static int look(const char *buf, size_t n, uint32_t ino, uint32_t dev)
{
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;
    int found = 0;
    for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
        if (h->nlmsg_type == NLMSG_DONE)
            return found ? 1 : 2;
        if (h->nlmsg_type == NLMSG_ERROR) {
            const struct nlmsgerr *e = NLMSG_DATA(h);
            return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) && e->error ? e->error : -EPROTO;
        }
        if (h->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
            continue;
        const struct unix_diag_msg *m = NLMSG_DATA(h);
        size_t left = h->nlmsg_len - NLMSG_LENGTH(sizeof(*m));
        for (const struct rtattr *a = (const struct rtattr *)(const void *)(m + 1); RTA_OK(a, left);
             a = RTA_NEXT(a, left)) {
            struct unix_diag_vfs vfs;
            if (a->rta_type != UNIX_DIAG_VFS || RTA_PAYLOAD(a) < sizeof(vfs))
                continue;
            memcpy(&vfs, RTA_DATA(a), sizeof(vfs));
            if (vfs.udiag_vfs_ino == ino && vfs.udiag_vfs_dev == dev)
                found = 1;
        }
    }
    return found ? 1 : 0;
}

static int search(int diag, uint32_t ino, uint32_t dev)
{
    int r = request(diag), found = 0;
    if (r < 0)
        return r;
    /* The whole dump is read even after a hit: what stays in the queue would answer the next one. */
    for (;;) {
        _Alignas(struct nlmsghdr) char buf[32768];
        ssize_t n = recv(diag, buf, sizeof(buf), 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bool done = false;
        r = look(buf, (size_t)n, ino, dev);
        if (r < 0)
            return r;
        if (r == 1)
            found = 1;
        /* NLMSG_DONE closes the dump, in a datagram of its own or behind the last sockets. */
        const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)buf;
        for (size_t left = (size_t)n; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
            done = done || h->nlmsg_type == NLMSG_DONE;
        if (done)
            return found;
    }
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
