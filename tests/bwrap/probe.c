/*
 * What a command finds in its sandbox, one "key value" line each, for tests/bwrap/run to compare
 * between two programs that made it. Descriptor 9 is the host's /proc: "self" in it is this
 * process, whatever namespaces it is in, and it works without a /proc of the sandbox's own.
 *
 *     probe [PATH…]      with the trees at PATH listed ("PATH=N": N levels deep, else all)
 *     probe -x N         exits with N;  -k N kills itself with signal N
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

static void put(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == '\\')
            printf("\\%03o", (unsigned char)*s);
        else
            putchar(*s);
}

static void copy(const char *key, const char *path, const char *only)
{
    char line[8192];
    int fd = openat(9, path, O_RDONLY);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
    if (!f) {
        printf("%s: %s\n", key, strerror(errno));
        return;
    }
    while (fgets(line, sizeof(line), f))
        if (!only || (strstr(only, "|") && strchr(line, ':') &&
                      memmem(only, strlen(only), line, (size_t)(strchr(line, ':') - line))))
            printf("%s %s", key, line);
    fclose(f);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path, int depth)
{
    struct stat st;
    char *names[4096], text[4096];
    size_t n = 0;
    printf("file ");
    put(path);
    if (lstat(path, &st) < 0) {
        printf(" %s\n", strerror(errno));
        return;
    }
    printf(" %o %u:%u", (unsigned)st.st_mode, st.st_uid, st.st_gid);
    if (S_ISREG(st.st_mode))
        printf(" %ld", (long)st.st_size);
    if (S_ISCHR(st.st_mode))
        printf(" dev %lx", (long)st.st_rdev);
    if (S_ISLNK(st.st_mode)) {
        ssize_t len = readlink(path, text, sizeof(text) - 1);
        text[len < 0 ? 0 : len] = '\0';
        printf(" -> ");
        put(text);
    }
    int fd = S_ISREG(st.st_mode) && st.st_size < 256 ? open(path, O_RDONLY) : -1;
    ssize_t len = fd < 0 ? -1 : read(fd, text, 255);
    if (len > 0) {
        text[len] = '\0';
        printf(" = ");
        put(text);
    }
    if (fd >= 0)
        close(fd);
    printf("%s\n", access(path, W_OK) == 0 ? " w" : "");
    DIR *d = S_ISDIR(st.st_mode) && depth ? opendir(path) : NULL;
    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d)) && n < 4096;)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            names[n++] = strdup(e->d_name);
    closedir(d);
    qsort(names, n, sizeof(*names), by_name);
    for (size_t i = 0; i < n; i++) {
        char below[4096];
        snprintf(below, sizeof(below), "%s/%s", strcmp(path, "/") == 0 ? "" : path, names[i]);
        list(below, depth - 1);
    }
}

int main(int argc, char **argv)
{
    static const char *const spaces[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};
    char text[4096];
    struct utsname u;
    if (argc == 3 && strcmp(argv[1], "-x") == 0)
        return atoi(argv[2]);
    if (argc == 3 && strcmp(argv[1], "-k") == 0)
        return kill(getpid(), atoi(argv[2]));
    printf("argv0 %s\n", argv[0]);
    for (char **e = environ; *e; e++) {
        printf("env ");
        put(*e);
        putchar('\n');
    }
    printf("cwd %s\n", getcwd(text, sizeof(text)) ? text : strerror(errno));
    mode_t mask = umask(0);
    printf("umask %o\nuid %u %u\ngid %u %u\n", mask, getuid(), geteuid(), getgid(), getegid());
    umask(mask);
    printf("pid %d ppid %d leader %d group %d\n", getpid() < 100 ? getpid() : 0,
           getppid() < 100 ? getppid() : 0, getsid(0) == getpid(), getpgrp() == getpid());
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq lo = {.ifr_name = "lo"};
    printf("loopback %s\n", sock < 0 || ioctl(sock, SIOCGIFFLAGS, &lo) < 0 ? strerror(errno)
                            : lo.ifr_flags & IFF_UP                        ? "up"
                                                                           : "down");
    uname(&u);
    printf("host %s\n", u.nodename);
    copy("status", "self/status",
         "|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|"
         "Seccomp_filters|SigBlk|SigIgn|");
    copy("limits", "self/limits", NULL);
    close(sock);
    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("fd %d\n", fd);
    for (size_t i = 0; i < sizeof(spaces) / sizeof(*spaces); i++) {
        char path[64];
        snprintf(path, sizeof(path), "self/ns/%s", spaces[i]);
        ssize_t n = readlinkat(9, path, text, sizeof(text) - 1);
        text[n < 0 ? 0 : n] = '\0';
        printf("ns %s %s\n", spaces[i], text);
    }
    copy("mount", "self/mountinfo", NULL);
    for (int i = 1; i < argc; i++) {
        char *is = strrchr(argv[i], '=');
        if (is)
            *is = '\0';
        list(argv[i], is ? atoi(is + 1) : 99);
    }
    return fflush(stdout) != 0;
}
