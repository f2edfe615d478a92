/*
 * Starting, feeding and ending bawn-proxy. See proxy_start.h.
 *
 * Which file is executed, and how, is helper_program.h's business.
 */
#include "cli/proxy_start.h"

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "cli/helper_program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#define LISTEN_MS 10000 /* until it has read its rules and is confined */
#define END_MS    500   /* to end by itself */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008u
#endif

/* ---- the start ---- */

const char *proxy_place(struct arena *a, const char *own, const char *program)
{
    return helper_place(a, own, program);
}

int proxy_open_program(const char *path, const struct profile *profile, struct error *err)
{
    return helper_open(path, profile, "the network is to be filtered", ", or turn the network off",
                       err);
}

int proxy_start_with(struct proxy *p, const struct proxy_program *program, const int *fds,
                     size_t n_fds, struct error *err)
{
    struct wire_head head = {.kind = WIRE_START, .version = WIRE_VERSION};
    *p = (struct proxy){.fd = -1, .errors = -1};
    _cleanup_fd_ int file = proxy_open_program(program->path, program->profile, err);
    if (file < 0)
        return file;
    struct helper_start s = {
        .program = file, .fourth = program->fourth, .name = path_base(program->path)};
    int r = helper_spawn(&s, err);
    p->pid = s.pid;
    p->fd = s.fd;
    p->errors = s.errors;
    if (r == 0 && (r = wire_send(p->fd, &head, NULL, 0, fds, n_fds)) < 0 && r != -EPIPE)
        (void)error_errno(err, r, "cannot tell the proxy its rules");
    if (r < 0 && r != -EPIPE) {
        proxy_end(p, NULL);
        return r;
    }
    return 0; /* if it is gone already, proxy_await() says why */
}

int proxy_settings_file(const struct strbuf *text, struct error *err)
{
    if (strbuf_failed(text))
        return error_errno(err, -ENOMEM, "cannot tell the proxy its rules");
    _cleanup_fd_ int fd = memfd_create("bawn-settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int r = fd < 0 ? -errno : fd_write_all(fd, text->p, text->n);
    if (r == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
        r = -errno;
    return r < 0 ? error_errno(err, r, "cannot tell the proxy its rules") : steal_fd(&fd);
}

int proxy_start(struct proxy *p, const struct proxy_program *program,
                const struct wire_settings *settings, struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    *p = (struct proxy){.fd = -1, .errors = -1};
    (void)wire_settings_write(settings, &text);
    _cleanup_fd_ int fd = proxy_settings_file(&text, err);
    return fd < 0 ? fd : proxy_start_with(p, program, &fd, 1, err);
}

/* ---- messages ---- */

bool proxy_wait(const struct proxy *p, int timeout_ms)
{
    int64_t until = clock_ms() + timeout_ms;
    for (;;) {
        struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
        int64_t left = until - clock_ms();
        int r = p->fd < 0 || left < 0 ? 0 : poll(&pfd, 1, (int)left);
        if (r >= 0 || errno != EINTR)
            return r > 0;
    }
}

int proxy_recv(struct proxy *p, struct wire_head *ret, struct bytes *ret_payload)
{
    int fds[WIRE_FDS_MAX];
    size_t n = 0;
    if (p->fd < 0)
        return -EPIPE;
    int r = wire_recv(p->fd, p->buf, ret, ret_payload, fds, &n);
    for (size_t i = 0; i < n; i++)
        fd_close(fds[i]);
    return r;
}

int proxy_say(struct proxy *p, enum wire_kind kind, uint64_t id, const void *payload, size_t n)
{
    struct wire_head head = {.kind = (uint16_t)kind, .version = WIRE_VERSION, .id = id};
    return p->fd < 0 ? -EPIPE : wire_send(p->fd, &head, payload, n, NULL, 0);
}

/* It died, or is of no use: R says how that was noticed. */
static int is_gone(struct proxy *p, int r, struct error *err)
{
    _cleanup_strbuf_ struct strbuf why = {0};
    const bool late = r == -ETIMEDOUT || r == -EAGAIN;
    proxy_end(p, late ? NULL : &why); /* of one that was late the end is our own doing */
    return error_set(err, late ? -ETIMEDOUT : r, "the proxy did not start: %s",
                     late    ? "it did not answer in time"
                     : why.n ? strbuf_text(&why)
                             : strerror(-r));
}

int proxy_await(struct proxy *p, struct bytes *ret_text, struct error *err)
{
    int64_t until = clock_ms() + LISTEN_MS;
    int r = p->fd < 0 ? -EPIPE : 0;
    while (r == 0) {
        struct wire_head head;
        int64_t left = until - clock_ms();
        if (left <= 0 || !proxy_wait(p, (int)left))
            return is_gone(p, -ETIMEDOUT, err);
        r = proxy_recv(p, &head, ret_text);
        if (r == 0 && head.kind == WIRE_READY)
            return 0;
        if (r == 0 && head.kind == WIRE_FAILED) {
            (void)error_set(err, -EIO, "the proxy did not start: %s",
                            show_n(ret_text->p, ret_text->n));
            proxy_end(p, NULL);
            return -EIO;
        }
        if (r == -EAGAIN)
            r = 0;
    }
    return is_gone(p, r, err);
}

int proxy_listen(struct proxy *p, const struct net_listener *listeners, size_t n, struct error *err)
{
    struct wire_head head = {.kind = WIRE_LISTEN, .count = (uint16_t)n, .version = WIRE_VERSION};
    char kinds[WIRE_FDS_MAX];
    int fds[WIRE_FDS_MAX];
    if (n > WIRE_FDS_MAX)
        return error_set(err, -E2BIG, "more listening sockets than the proxy takes");
    for (size_t i = 0; i < n; i++) {
        kinds[i] = (char)listeners[i].kind;
        fds[i] = listeners[i].fd;
    }
    int r = p->fd < 0 ? -EPIPE : wire_send(p->fd, &head, kinds, n, fds, n);
    if (r < 0)
        return is_gone(p, r, err);
    struct bytes text;
    r = proxy_await(p, &text, err);
    p->listening = r == 0;
    return r;
}

/* ---- the end ---- */

/* Reaps within END_MS, then by force. The wait status; -1: nobody knows. */
static int reap(pid_t pid)
{
    struct timespec step = {.tv_nsec = 1000000};
    int status = -1;
    for (int i = 0; i < END_MS; i++) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            return status;
        if (got < 0 && errno != EINTR)
            return -1;
        (void)nanosleep(&step, NULL);
    }
    (void)kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

void proxy_end(struct proxy *p, struct strbuf *ret_why)
{
    fd_close(p->fd);
    p->fd = -1;
    if (p->pid > 0) {
        int status = reap(p->pid);
        if (ret_why) {
            helper_last_words(p->errors, ret_why);
            if (ret_why->n == 0 && status >= 0 && WIFSIGNALED(status))
                strbuf_printf(ret_why, "it was ended by signal %d", WTERMSIG(status));
            else if (ret_why->n == 0 && status > 0 && WIFEXITED(status))
                strbuf_printf(ret_why, "it ended with status %d", WEXITSTATUS(status));
        }
    }
    p->pid = 0;
    fd_close(p->errors);
    p->errors = -1;
}
