/*
 * Names that change in memory or on disk between the moment somebody judges a call and the moment
 * the kernel carries it out. Whoever judges for the command and then lets the call go on is fooled
 * by these.
 */
#include "escape.h"

#include <sys/mman.h>
#include <time.h>

/* Bare, the other side needs a moment to be scheduled; counts alone would be over before that. */
static int time_left(void)
{
    static struct timespec end;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!end.tv_sec)
        end = (struct timespec){now.tv_sec + 3, now.tv_nsec};
    return now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec);
}

/* Shows what is not the harmless file's content, once. */
static int tell(int fd)
{
    char buf[256];
    ssize_t n = read(fd, buf, sizeof buf - 1);

    if (n <= 0 || !strncmp(buf, "fine", 4))
        return 1;
    printf("%.*s", (int)n, buf);
    fflush(stdout);
    return 0;
}

/* A page that another process fills with A and B in turn. */
static char *flipping(const char *a, const char *b, pid_t *ret_pid)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t na = strlen(a) + 1, nb = strlen(b) + 1;

    if (page == MAP_FAILED)
        exit(1);
    memcpy(page, a, na);
    *ret_pid = fork();
    if (*ret_pid == 0)
        for (;;) {
            memcpy(page, a, na);
            __asm__ volatile("" ::: "memory");
            memcpy(page, b, nb);
            __asm__ volatile("" ::: "memory");
        }
    return page;
}

static int end(pid_t pid, int r)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return r;
}

/* Args: harmless file, file to read. */
static int racing_read(char *const *a)
{
    pid_t pid;
    char *path = flipping(a[0], a[1], &pid);
    int r = 1;

    while (r && time_left()) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            r = tell(fd);
            close(fd);
        }
    }
    return end(pid, r);
}

/* Args: harmless file, file to write. */
static int racing_write(char *const *a)
{
    pid_t pid;
    char *path = flipping(a[0], a[1], &pid);

    while (access(a[1], F_OK) < 0 && time_left()) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd >= 0) {
            mark(fd);
            close(fd);
        }
    }
    return end(pid, 0);
}

/* Args: harmless directory, directory that may not be moved, new name. */
static int racing_rename(char *const *a)
{
    pid_t pid;
    char *path = flipping(a[0], a[1], &pid);
    int r = 1;

    while (r && time_left()) {
        if (rename(path, a[2]) < 0)
            continue;
        r = access(a[1], F_OK) < 0 ? 0 : 1;
        if (r)
            rename(a[2], a[0]);
    }
    return end(pid, r);
}

/* The name is a link that points at each in turn. Args: link, harmless file, file to read. */
static int racing_link_read(char *const *a)
{
    pid_t pid = fork();
    char tmp[4200];
    int r = 1;

    if (pid == 0)
        for (int i = 0;; i++) {
            snprintf(tmp, sizeof tmp, "%s.%d", a[0], i & 1);
            unlink(tmp);
            if (symlink(a[1 + (i & 1)], tmp) == 0)
                rename(tmp, a[0]);
        }
    while (r && time_left()) {
        int fd = open(a[0], O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            r = tell(fd);
            close(fd);
        }
    }
    return end(pid, r);
}

/* A directory on the way is exchanged with another. Args: directory, other directory, name in them.
 */
static int racing_directory_read(char *const *a)
{
    pid_t pid = fork();
    char path[4200];
    int r = 1;

    if (pid == 0)
        for (;;)
            if (renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE) < 0)
                usleep(10);
    snprintf(path, sizeof path, "%s/%s", a[0], a[2]);
    while (r && time_left()) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd >= 0) {
            r = tell(fd);
            close(fd);
        }
    }
    return end(pid, r);
}

const struct attempt races_attempts[] = {
    {"racing-read", 2, racing_read},
    {"racing-write", 2, racing_write},
    {"racing-rename", 3, racing_rename},
    {"racing-link-read", 3, racing_link_read},
    {"racing-directory-read", 3, racing_directory_read},
    {0},
};
