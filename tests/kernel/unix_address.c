/* Why AF_UNIX datagram sockets are refused and the other kinds are not: only on datagrams does an
 * address given with a send go anywhere. SOCK_RAW is a datagram socket by another name. */
#include "probe.h"
#include <sys/socket.h>
#include <sys/un.h>
PROBE("unix sockets: stream refuses and seqpacket ignores the address of a send; raw is datagram");

static socklen_t name(struct sockaddr_un *a, const char *what)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "probe-%d-%s", (int)getpid(), what);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int main(void)
{
    struct sockaddr_un a;
    socklen_t len = name(&a, "sink");
    char c;
    int sink = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), pair[2], type;
    socklen_t size = sizeof type;

    must(sink >= 0 && bind(sink, (struct sockaddr *)&a, len) == 0);

    must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    must(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&a, len) < 0 && errno == EISCONN);
    int stream = socket(AF_UNIX, SOCK_STREAM, 0);
    must(sendto(stream, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&a, len) < 0);

    must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0);
    must(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&a, len) == 1 && read(pair[1], &c, 1) == 1);
    int seq = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    must(sendto(seq, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&a, len) < 0 && errno == ENOTCONN);

    must(read(sink, &c, 1) < 0 && errno == EAGAIN);

    int raw = socket(AF_UNIX, SOCK_RAW, 0);
    must(raw >= 0 && getsockopt(raw, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM);
    must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
    must(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&a, len) == 1 && read(sink, &c, 1) == 1);
    yes();
}
