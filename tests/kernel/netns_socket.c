/* A socket belongs to the network namespace it was made in, whoever holds it. */
#include "probe.h"
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
PROBE("netns: a listener made inside a namespace is served from outside it");

static int tcp(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int loopback_up(void)
{
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    return ioctl(s, SIOCSIFFLAGS, &r);
}

int main(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int ready[2], fd, go[2];
    char c;

    must(pipe(ready) == 0 && pipe(go) == 0);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        child_must(enter_userns(CLONE_NEWNET) == 0 && loopback_up() == 0);
        int s = tcp(), client = tcp();
        child_must(bind(s, (struct sockaddr *)&a, len) == 0 && listen(s, 1) == 0);
        child_must(getsockname(s, (struct sockaddr *)&a, &len) == 0);
        child_must(write(ready[1], &s, sizeof s) == sizeof s);
        child_must(connect(client, (struct sockaddr *)&a, len) == 0);
        child_must(read(client, &c, 1) == 1 && c == 'n');
        _exit(0);
    }
    must(pid > 0 && read(ready[0], &fd, sizeof fd) == sizeof fd);
    int peer = accept(fd, NULL, NULL);
    must(peer >= 0 && write(peer, "n", 1) == 1 && status_of(pid) == 0);
    yes();
}
