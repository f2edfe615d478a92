/*
 * Not attempts: what stands outside, started by the runner.
 */
#include "escape.h"

#include <linux/fs.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/shm.h>

/* Waits with a secret in its memory and a file open for writing. Args: file with the secret, where
 * to write "PID ADDRESS FD", file to hold open. */
static int victim(char *const *a)
{
    char *secret = strdup(first_line(a[0]));
    int fd = open(a[2], O_RDWR | O_CLOEXEC);
    char tmp[4200];
    FILE *f;

    setsid();
    prctl(PR_SET_DUMPABLE, 1);
    snprintf(tmp, sizeof tmp, "%s.new", a[1]);
    f = fopen(tmp, "we");
    if (!f)
        return 1;
    fprintf(f, "%d %lx %d\n", getpid(), (unsigned long)secret, fd);
    fclose(f);
    if (rename(tmp, a[1]) < 0)
        return 1;
    for (;;)
        pause();
}

/* The same in a user namespace of its own. */
static int victim_userns(char *const *a)
{
    return unshare(CLONE_NEWUSER) < 0 ? 1 : victim(a);
}

/* Runs a command with a key in its session keyring. Args: name, value, command… */
static int with_key(char *const *a)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ||
        syscall(SYS_add_key, "user", a[0], a[1], strlen(a[1]), KEY_SPEC_SESSION_KEYRING) < 0)
        return refused("keys");
    execvp(a[2], a + 2);
    return refused(a[2]);
}

/* A shared segment, a message queue and a POSIX queue, made or removed. Args: key, mq name, secret.
 */
static int ipc_make(char *const *a)
{
    key_t key = (key_t)strtol(a[0], NULL, 0);
    struct {
        long type;
        char text[128];
    } m = {1, ""};
    struct mq_attr at = {.mq_maxmsg = 2, .mq_msgsize = 256};
    int shm = shmget(key, 4096, IPC_CREAT | 0600), msg = msgget(key, IPC_CREAT | 0600);
    mqd_t q = mq_open(a[1], O_CREAT | O_RDWR, 0600, &at);
    char *p = shmat(shm, NULL, 0);

    if (p == (void *)-1 || msg < 0 || q < 0)
        return refused("ipc");
    snprintf(p, 4096, "%s", a[2]);
    snprintf(m.text, sizeof m.text, "%s", a[2]);
    if (msgsnd(msg, &m, sizeof m.text, 0) < 0 || mq_send(q, a[2], strlen(a[2]) + 1, 0) < 0)
        return refused("ipc");
    printf("%d\n", shm);
    return 0;
}

static int ipc_remove(char *const *a)
{
    key_t key = (key_t)strtol(a[0], NULL, 0);

    shmctl(shmget(key, 0, 0), IPC_RMID, NULL);
    msgctl(msgget(key, 0), IPC_RMID, NULL);
    mq_unlink(a[1]);
    return 0;
}

/* Exchanges two names as fast as it can, until ended. */
static int swap(char *const *a)
{
    while (renameat2(AT_FDCWD, a[0], AT_FDCWD, a[1], RENAME_EXCHANGE) == 0 || errno != ESRCH)
        continue;
    return 1;
}

/* Prints the generation of a file, which its handle holds. */
static int generation(char *const *a)
{
    int fd = open(a[0], O_RDONLY | O_CLOEXEC);
    unsigned gen = 0;

    if (fd < 0 || ioctl(fd, FS_IOC_GETVERSION, &gen) < 0)
        return refused("generation");
    printf("%u\n", gen);
    return 0;
}

static int uids(char *const *a)
{
    (void)a;
    return geteuid() == 0 ? 0 : 1;
}

const struct attempt outside_helpers[] = {
    {"victim", 3, victim},
    {"victim-userns", 3, victim_userns},
    {"with-key", 3, with_key},
    {"ipc-make", 3, ipc_make},
    {"ipc-remove", 2, ipc_remove},
    {"swap", 2, swap},
    {"generation", 1, generation},
    {"am-i-root", 0, uids},
    {0},
};
