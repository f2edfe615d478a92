/* sock_diag lists the Unix sockets of its own network namespace, and only of that. */
#include "probe.h"
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
PROBE("unix_diag: a socket made in a network namespace is listed there and nowhere else");

/* Is the socket with this inode listed through DIAG? */
static int listed(int diag, ino_t ino)
{
    struct {
        struct nlmsghdr h;
        struct unix_diag_req r;
    } q = {{sizeof q, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0},
           {.sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_NAME}};
    static _Alignas(struct nlmsghdr) char buffer[65536];
    int found = 0;

    if (send(diag, &q, sizeof q, 0) < 0)
        return -1;
    for (;;) {
        ssize_t n = recv(diag, buffer, sizeof buffer, 0);
        if (n <= 0)
            return -1;
        unsigned left = (unsigned)n;
        for (struct nlmsghdr *h = (void *)buffer; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
            if (h->nlmsg_type == NLMSG_DONE)
                return found;
            if (h->nlmsg_type == NLMSG_ERROR)
                return -1;
            const struct unix_diag_msg *m = NLMSG_DATA(h);
            found |= m->udiag_ino == (uint32_t)ino;
        }
    }
}

static ino_t listening(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct stat st;
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    /* an address of two bytes asks for an abstract name of the kernel's choice */
    if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(sa_family_t)) < 0 || listen(s, 1) < 0 ||
        fstat(s, &st) < 0)
        return 0;
    return st.st_ino;
}

int main(void)
{
    int diag = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
    ino_t outer = listening();
    must(diag >= 0 && outer && listed(diag, outer) == 1);
    must(enter_userns(CLONE_NEWNET) == 0);
    int diag_inside = socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
    ino_t inside = listening();
    must(diag_inside >= 0 && inside);
    must(listed(diag_inside, inside) == 1 && listed(diag_inside, outer) == 0);
    must(listed(diag, outer) == 1 && listed(diag, inside) == 0);
    yes();
}
