/*
 * Files by the calls that a shell has no command for. Each takes the path to try; whether the bytes
 * that came out were secret, or the change arrived outside, is judged by the runner.
 */
#include "escape.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

static int try_write(char *const *a)
{
    int fd = open(a[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? refused(a[0]) : mark(fd);
}

static int try_mmap(char *const *a)
{
    int fd = open(a[0], O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *p;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0)
        return refused(a[0]);
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return refused("mmap");
    fwrite(p, 1, (size_t)st.st_size, stdout);
    return 0;
}

/* copy_file_range, sendfile and splice: the bytes go to SCRATCH in the kernel and are read from
 * there. */
static int copy_out(char *const *a, int how)
{
    int in = open(a[0], O_RDONLY | O_CLOEXEC);
    int out = open(a[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int p[2];
    ssize_t n = -1;

    if (in < 0 || out < 0)
        return refused(a[0]);
    if (how == 0)
        n = copy_file_range(in, NULL, out, NULL, 4096, 0);
    else if (how == 1)
        n = sendfile(out, in, NULL, 4096);
    else if (pipe(p) == 0 && (n = splice(in, NULL, p[1], NULL, 4096, 0)) > 0)
        n = splice(p[0], NULL, out, NULL, (size_t)n, 0);
    if (n <= 0 || lseek(out, 0, SEEK_SET) < 0)
        return refused("copy");
    return show(out);
}

static int try_cfr(char *const *a)
{
    return copy_out(a, 0);
}
static int try_sendfile(char *const *a)
{
    return copy_out(a, 1);
}
static int try_splice(char *const *a)
{
    return copy_out(a, 2);
}

static int try_readlink(char *const *a)
{
    char buf[4096];
    ssize_t n = readlink(a[0], buf, sizeof buf);

    if (n < 0)
        return refused(a[0]);
    printf("%.*s\n", (int)n, buf);
    return 0;
}

/* The size of a file says something about what it holds: args are path and true size. */
static int try_size(char *const *a)
{
    struct stat st;

    if (stat(a[0], &st) < 0)
        return refused(a[0]);
    return st.st_size == strtoll(a[1], NULL, 10) ? 0 : 1;
}

static int try_list(char *const *a)
{
    DIR *d = opendir(a[0]);
    struct dirent *e;

    if (!d)
        return refused(a[0]);
    while ((e = readdir(d)))
        printf("%s\n", e->d_name);
    closedir(d);
    return 0;
}

static int try_exchange(char *const *a)
{
    return renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE) == 0 ? 0
                                                                           : refused("exchange");
}

static int try_link(char *const *a)
{
    return linkat(AT_FDCWD, a[0], AT_FDCWD, a[1], 0) == 0 ? 0 : refused("link");
}

static int try_link_fd(char *const *a)
{
    int fd = open(a[0], O_PATH | O_CLOEXEC);
    char self[64];

    if (fd < 0)
        return refused(a[0]);
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, self, AT_FDCWD, a[1], AT_SYMLINK_FOLLOW) == 0 ? 0 : refused("linkat");
}

/* A file without a name, given one afterwards. Args: directory, name. */
static int try_tmpfile(char *const *a)
{
    int fd = open(a[0], O_TMPFILE | O_WRONLY | O_CLOEXEC, 0644);
    char self[64];

    if (fd < 0)
        return refused("O_TMPFILE");
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, a[1], AT_SYMLINK_FOLLOW) < 0)
        return refused("linkat");
    return mark(fd);
}

static int try_bind(char *const *a)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(un.sun_path, sizeof un.sun_path, "%s", a[0]);
    return fd >= 0 && bind(fd, (struct sockaddr *)&un, sizeof un) == 0 ? 0 : refused("bind");
}

static int try_setxattr(char *const *a)
{
    return setxattr(a[0], "user.escaped", "1", 1, 0) == 0 ? 0 : refused("setxattr");
}

/* Reads PATH by its handle, which asks no directory on the way. Args: path, any place on that disk.
 */
static int try_handle(char *const *a)
{
    union {
        struct file_handle h;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } u = {.h.handle_bytes = MAX_HANDLE_SZ};
    int mount_id, at = open(a[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

    /* the handle is made from the file's inode number as well, for where the name is masked */
    if (name_to_handle_at(AT_FDCWD, a[0], &u.h, &mount_id, 0) < 0)
        return refused("name_to_handle_at");
    fd = open_by_handle_at(at, &u.h, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? refused("open_by_handle_at") : show(fd);
}

/* The same with a handle forged from an inode number and generation 0 (ext4, type 1). */
static int try_forged_handle(char *const *a)
{
    union {
        struct file_handle h;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } u = {.h.handle_bytes = 8, .h.handle_type = 1};
    uint32_t ino = (uint32_t)strtoul(a[0], NULL, 10), gen = (uint32_t)strtoul(a[1], NULL, 10);
    int at = open(a[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

    memcpy(u.h.f_handle, &ino, 4);
    memcpy(u.h.f_handle + 4, &gen, 4);
    fd = open_by_handle_at(at, &u.h, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? refused("open_by_handle_at") : show(fd);
}

const struct attempt files_attempts[] = {
    {"write", 1, try_write},
    {"mmap", 1, try_mmap},
    {"copy-file-range", 2, try_cfr},
    {"sendfile", 2, try_sendfile},
    {"splice", 2, try_splice},
    {"readlink", 1, try_readlink},
    {"size", 2, try_size},
    {"list", 1, try_list},
    {"exchange", 2, try_exchange},
    {"link", 2, try_link},
    {"link-fd", 2, try_link_fd},
    {"tmpfile", 2, try_tmpfile},
    {"bind", 1, try_bind},
    {"setxattr", 1, try_setxattr},
    {"handle", 2, try_handle},
    {"forged-handle", 3, try_forged_handle},
    {0},
};
