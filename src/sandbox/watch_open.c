/*
 * An open that the supervisor makes for the command: of the very file that was judged, handed over
 * as the result of the call.
 *
 * It may have to wait: a FIFO for its other end, a file with a lease until whoever holds that gives
 * it back. The command chooses both, so the supervisor waits for neither. A process of its own
 * does, and is ended when the caller is gone.
 */
#include "sandbox/watch.h"

#include "base/fd.h"
#include "base/sys.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

void watch_hand_over(struct watch *w, struct target *t, int fd, uint64_t flags, struct answer *ret)
{
    struct seccomp_notif_addfd add = {
        .id = t->req->id,
        .flags = SECCOMP_ADDFD_FLAG_SEND,
        .srcfd = (uint32_t)fd,
        .newfd_flags = (uint32_t)(flags & O_CLOEXEC),
    };
    int r = sys_ioctl(w->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    if (r < 0) {
        ret->kind = r == -ENOENT ? ANSWER_SENT : ANSWER_ERROR;
        ret->error = r;
        return;
    }
    ret->kind = ANSWER_SENT;
}

/* Opens the very file behind the O_PATH descriptor. */
static int reopen(int path_fd, uint64_t flags)
{
    char link[64];
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
    int f = (int)(flags & ~(uint64_t)(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC | O_NOCTTY;
    return sys_ret(open(link, f));
}

#define WAITERS_MAX 256

size_t watch_waiters(const struct watch *w)
{
    return w->waiters.n;
}

static bool has_ended(struct waiter *one, int options)
{
    if (waitpid(one->pid, NULL, options | __WALL) == 0)
        return false;
    (void)munmap(one->opened, sizeof(*one->opened));
    return true;
}

static bool is_pointless(const struct watch *w, const struct waiter *one)
{
    return !__atomic_load_n(one->opened, __ATOMIC_ACQUIRE) &&
           sys_ioctl(w->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, (void *)(uintptr_t)&one->id) < 0;
}

void watch_reap_waiters(struct watch *w)
{
    for (size_t i = 0; i < w->waiters.n;) {
        struct waiter *one = &w->waiters.v[i];
        if (!has_ended(one, WNOHANG)) {
            if (!is_pointless(w, one)) {
                i++;
                continue;
            }
            (void)kill(one->pid, SIGKILL);
            (void)has_ended(one, 0);
        }
        *one = w->waiters.v[--w->waiters.n];
    }
}

void watch_end_waiters(struct watch *w)
{
    vec_foreach (one, &w->waiters) {
        (void)kill(one->pid, SIGKILL);
        (void)has_ended(one, 0);
    }
    vec_release(&w->waiters);
}

/* Takes no signal but SIGKILL: one that ended it between the open and the answer would leave the
 * caller with an answer that nobody gave, descriptor 0. */
static _noreturn_ void waiter_main(struct watch *w, struct target *t, int path_fd, uint64_t flags,
                                   pid_t parent, bool *opened)
{
    sigset_t all;
    sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
    (void)sys_close_range(0, 2);
    int fd = reopen(path_fd, flags);
    __atomic_store_n(opened, true, __ATOMIC_RELEASE);
    struct answer a = {.kind = ANSWER_ERROR, .error = fd};
    if (fd >= 0)
        watch_hand_over(w, t, fd, flags, &a);
    if (a.kind == ANSWER_ERROR) {
        struct seccomp_notif_resp resp = {.id = t->req->id, .error = a.error};
        (void)sys_ioctl(w->listener, SECCOMP_IOCTL_NOTIF_SEND, &resp);
    }
    _exit(0);
}

/* A FIFO waits for its other end, a file with a lease for whoever holds that: a process of its own
 * does, and hands over when it may. The supervisor waits for nobody. */
static void open_waiting(struct watch *w, struct target *t, int path_fd, uint64_t flags,
                         struct answer *ret)
{
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = -EAGAIN};
    if (w->waiters.n >= WAITERS_MAX)
        watch_reap_waiters(w);
    bool *opened =
        mmap(NULL, sizeof(*opened), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (opened == MAP_FAILED)
        return;
    struct waiter *one = vec_push_max(&w->waiters, WAITERS_MAX);
    pid_t parent = getpid();
    pid_t pid = one ? sys_ret(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) : -EAGAIN;
    if (pid == 0)
        waiter_main(w, t, path_fd, flags, parent, opened);
    if (pid < 0) {
        if (one)
            w->waiters.n--;
        (void)munmap(opened, sizeof(*opened));
        ret->error = pid;
        return;
    }
    *one = (struct waiter){.pid = pid, .id = t->req->id, .opened = opened};
    ret->kind = ANSWER_SENT;
}

void watch_open_for(struct watch *w, struct target *t, int path_fd, uint64_t flags,
                    struct answer *ret)
{
    bool waits = !(flags & O_NONBLOCK);
    struct stat st;
    if (waits && fstat(path_fd, &st) == 0 && S_ISFIFO(st.st_mode) &&
        (flags & O_ACCMODE) != O_RDWR) {
        open_waiting(w, t, path_fd, flags, ret);
        return;
    }
    _cleanup_fd_ int fd = reopen(path_fd, flags | O_NONBLOCK);
    if (fd == -EAGAIN && waits) {
        open_waiting(w, t, path_fd, flags, ret);
        return;
    }
    if (fd >= 0 && waits) {
        int r = fd_set_nonblock(fd, false);
        if (r < 0) {
            *ret = (struct answer){.kind = ANSWER_ERROR, .error = r};
            return;
        }
    }
    if (fd < 0)
        ret->error = fd;
    else
        watch_hand_over(w, t, fd, flags, ret);
}
