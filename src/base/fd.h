/*
 * Descriptors: close-on-exec from birth, closed by scope, moved by steal_fd(). Functions return a
 * descriptor or a negative errno.
 */
#ifndef BAWN_BASE_FD_H
#define BAWN_BASE_FD_H

#include "base/error.h"
#include "base/str.h"

#include <stdbool.h>
#include <sys/types.h>

void fd_close(int fd); /* keeps errno; ignores negative numbers */
void fd_closep(int *fd);
#define _cleanup_fd_ _cleanup_(fd_closep)

static inline int steal_fd(int *fd)
{
    int v = *fd;
    *fd = -1;
    return v;
}

/* Reads until end of file, at most MAX bytes (more is -EFBIG), into OUT (appended). */
int fd_read_all(int fd, size_t max, struct strbuf *out);
/* Writes all of it, through EINTR and short writes. */
int fd_write_all(int fd, const void *p, size_t n);
int fd_set_cloexec(int fd, bool on);
int fd_set_nonblock(int fd, bool on);
/* flock(2), exclusive: asked for again and again, at first every 20 microseconds. -ETIMEDOUT after
 * PATIENCE_US; 0: one try. */
int fd_lock(int fd, long patience_us);

/* One message of N bytes with up to 16 descriptors over a Unix socket. */
int fd_send(int sock, const void *p, size_t n, const int *fds, size_t nfds);
/* Receives into P (CAP bytes); descriptors arrive close-on-exec in FDS, their number in *ret_nfds
 * (at most CAP_FDS; more than that are closed and it is -EPROTO). A message longer than CAP is
 * -EMSGSIZE. Returns the bytes read, 0 at end. When ret_pid is not NULL and the sender attached
 * credentials, the sender's pid as this process sees it. */
ssize_t fd_recv(int sock, void *p, size_t cap, int *fds, size_t cap_fds, size_t *ret_nfds,
                pid_t *ret_pid);
/* As fd_send with SCM_CREDENTIALS of the caller attached (the receiver has SO_PASSCRED set). */
int fd_send_with_pid(int sock, const void *p, size_t n, const int *fds, size_t nfds);

#endif
