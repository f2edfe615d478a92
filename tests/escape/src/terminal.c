/*
 * The caller's terminal: bytes put into its input queue are run by the shell that waits behind us.
 */
#include "escape.h"

#include <sys/ioctl.h>
#include <termios.h>

/* The request as the kernel reads it: 32 bits. Whoever compares 64 is passed by. */
static unsigned long request(unsigned long r, const char *high)
{
    return !strcmp(high, "high")     ? r | (1ul << 32)
           : !strcmp(high, "higher") ? r | (0xa5a5a5a5ul << 32)
                                     : r;
}

/* Args: "FD", "/dev/…" or "every"; "low", "high" or "higher"; text. */
static int inject_into(int fd, const char *high, const char *text)
{
    for (; *text; text++)
        if (syscall(SYS_ioctl, fd, request(TIOCSTI, high), text) < 0)
            return refused("TIOCSTI");
    return 0;
}

static int inject(char *const *a)
{
    int fd = a[0][0] == '/' ? open(a[0], O_RDWR | O_NOCTTY | O_CLOEXEC) : number(a[0]);

    return fd < 0 ? refused(a[0]) : inject_into(fd, a[1], a[2]);
}

/* TIOCLINUX reaches a virtual console only; on any other terminal the kernel's own answer, which is
 * not "not permitted", shows that the request went through. */
static int selection(char *const *a)
{
    char arg[16] = {2 /* set selection */};

    if (syscall(SYS_ioctl, number(a[0]), request(TIOCLINUX, a[1]), arg) == 0)
        return 0;
    return errno == EPERM || errno == EACCES ? refused("TIOCLINUX") : 0;
}

/* Changes the settings of the terminal named. */
static int settings(char *const *a)
{
    int fd = open(a[0], O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios t;

    if (fd < 0 || tcgetattr(fd, &t) < 0)
        return refused(a[0]);
    t.c_cc[VINTR] = 'Z';
    return tcsetattr(fd, TCSANOW, &t) == 0 ? 0 : refused("tcsetattr");
}

/* Takes the terminal on FD as our own, from a session of our own. */
static int steal(char *const *a)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        setsid();
        if (ioctl(number(a[0]), TIOCSCTTY, 1) < 0)
            _exit(refused("TIOCSCTTY"));
        _exit(inject_into(number(a[0]), "low", a[1]));
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Is there a controlling terminal at all? */
static int controlling(char *const *a)
{
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return refused("/dev/tty");
    return inject_into(fd, "low", a[0]);
}

const struct attempt terminal_attempts[] = {
    {"inject", 3, inject}, {"selection", 2, selection},     {"settings", 1, settings},
    {"steal", 2, steal},   {"controlling", 1, controlling}, {0},
};
