/*
 * Loaded where LD_PRELOAD or its kin point: leaves a mark in $EVIL_MARK, unless the program is bawn
 * itself, which its caller started with these variables and which may be linked dynamically in a
 * development build.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((visibility("default"))) unsigned la_version(unsigned version);

static void leave_mark(void)
{
    char exe[4096] = "";
    const char *mark = getenv("EVIL_MARK"), *name;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 2);
    int fd;

    exe[n > 0 ? n : 0] = 0;
    name = strrchr(exe, '/');
    if (!mark || !name || !strcmp(name, "/bawn"))
        return;
    fd = open(mark, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    exe[n] = '\n';
    if (write(fd, exe, (size_t)n + 1) < 0)
        _exit(1);
    close(fd);
}

__attribute__((constructor)) static void loaded(void)
{
    leave_mark();
}

/* LD_AUDIT asks for this one, and loads nothing without it. */
unsigned la_version(unsigned version)
{
    leave_mark();
    return version;
}

/* What bwrap wants of libselinux and libcap, so that it starts with this in their place. */
int is_selinux_enabled(void);
int security_check_context(void);
int setexeccon(void);
int setfscreatecon(void);
int cap_from_name(void);

int is_selinux_enabled(void)
{
    return 0;
}
int security_check_context(void)
{
    return 0;
}
int setexeccon(void)
{
    return 0;
}
int setfscreatecon(void)
{
    return 0;
}
int cap_from_name(void)
{
    return -1;
}
