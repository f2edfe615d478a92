/*
 * The supervisor's loop. See supervise.h. One notification at a time, in the order the kernel gives
 * them; what would have to wait (a connect to a full backlog) is kept aside and tried again, so
 * that no command can hold up another.
 *
 * The command has no capability, and what is done for it is done with none either: root's are put
 * down while calls are served, and taken up again for what the outer has to tidy away at the end.
 */
#include "sandbox/supervise.h"

#include "base/fd.h"
#include "base/sys.h"
#include "base/vec.h"
#include "sandbox/denials.h"
#include "sandbox/seccomp.h"
#include "sandbox/watch.h"

#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define PENDING_MAX 256
#define RETRY_MS    5
#define TRIES_MAX                                                                                  \
    8 /* of connects that have to wait, in a row: each may take a tick of the kernel's clock */
#define WAITERS_MS 1000 /* who waits for a FIFO may be killed, and nothing says so */

struct supervisor {
    struct watch watch;
    struct denials denials;
    struct seccomp_notif_sizes sizes;
    struct seccomp_notif *req;
    struct seccomp_notif_resp *resp;
    VEC(struct pending_connect) pending;
    size_t next_retry; /* of `pending` */
    unsigned later;    /* answers put off since supervisor_serve() began */
    struct __user_cap_data_struct rights[2];
    bool has_rights;
};

/* The command's rights instead of our own: a file of somebody else's, the kernel's log. */
static bool put_rights_down(struct supervisor *s)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct less[2];
    if (!s->has_rights)
        return true;
    memcpy(less, s->rights, sizeof(less));
    less[0].effective = less[1].effective = 0;
    return syscall(SYS_capset, &header, less) == 0;
}

static void take_rights_up(struct supervisor *s)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    if (s->has_rights)
        (void)syscall(SYS_capset, &header, s->rights);
}

int supervisor_new(struct launch *l, int listener, int diag, struct supervisor **ret,
                   struct error *err)
{
    struct supervisor *s = mem_zalloc(1, sizeof(*s));
    if (!s)
        goto oom;
    s->watch = (struct watch){.l = l, .listener = listener, .diag = diag};
    s->denials = (struct denials){.plan = l->plan, .status_fd = l->options->status_fd};
    if (l->options->log_denials)
        s->watch.denials = &s->denials;
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &s->sizes) < 0) {
        int r = error_errno(err, -errno, "seccomp notification");
        supervisor_free(s);
        return r;
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    if (syscall(SYS_capget, &header, s->rights) < 0) {
        int r = error_errno(err, -errno, "cannot look at own capabilities");
        supervisor_free(s);
        return r;
    }
    s->has_rights = s->rights[0].effective || s->rights[1].effective;
    s->req = mem_zalloc(1, MAX_OF((size_t)s->sizes.seccomp_notif, sizeof(*s->req)));
    s->resp = mem_zalloc(1, MAX_OF((size_t)s->sizes.seccomp_notif_resp, sizeof(*s->resp)));
    if (!s->req || !s->resp)
        goto oom;
    /* The one who waits and the one who answers share a processor: a third of the time per call. */
    if (listener >= 0)
        (void)sys_ioctl(listener, UAPI_SECCOMP_IOCTL_NOTIF_SET_FLAGS,
                        (void *)UAPI_SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    *ret = s;
    return 0;
oom:
    if (s)
        supervisor_free(s);
    return error_set(err, -ENOMEM, "out of memory");
}

int supervisor_fd(const struct supervisor *s)
{
    return s->watch.listener;
}

int supervisor_diag(const struct supervisor *s)
{
    return s->watch.diag;
}

/* A row that the filter denies: said, then refused with the positive errno CODE. */
static void refused_call(struct supervisor *s, struct target *t, int code, struct answer *ret)
{
    *ret = (struct answer){.kind = ANSWER_ERROR, .error = -code};
    if (!s->watch.denials)
        return;
    char exe[PATH_MAX];
    const char *name = seccomp_syscall_name(t->req->data.nr);
    target_exe(t, exe, sizeof(exe));
    const char *hint = "";
    if (name && (str_eq(name, "ptrace") || str_starts(name, "process_vm") || str_eq(name, "kcmp") ||
                 str_eq(name, "pidfd_getfd")))
        hint = "allow_ptrace = true";
    else if (name &&
             (str_eq(name, "unshare") || str_eq(name, "clone") || str_eq(name, "setns") ||
              str_eq(name, "mount") || str_eq(name, "umount2") || str_eq(name, "pivot_root")))
        hint = "allow_nested_userns = true";
    _cleanup_strbuf_ struct strbuf network = {0};
    if (name && str_eq(name, "socket")) {
        denials_network_hint(s->watch.l->plan, &network);
        hint = strbuf_text(&network);
    }
    denials_syscall(s->watch.denials, name ? name : "?",
                    !name || !str_eq(name, "socket")                ? "the system-call filter"
                    : s->watch.l->plan->network == NETWORK_FILTERED ? "the network is filtered"
                                                                    : "the network is off",
                    hint, t->tid, exe);
}

static void reply(struct supervisor *s, uint64_t id, const struct answer *a)
{
    if (a->kind == ANSWER_LATER || a->kind == ANSWER_SENT)
        return;
    struct seccomp_notif_resp *resp = s->resp;
    memset(resp, 0, MAX_OF((size_t)s->sizes.seccomp_notif_resp, sizeof(*resp)));
    resp->id = id;
    if (a->kind == ANSWER_CONTINUE)
        resp->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else if (a->kind == ANSWER_ERROR)
        resp->error = a->error;
    else
        resp->val = a->value;
    /* ENOENT: the caller died or was interrupted meanwhile. Nobody waits for the answer. */
    (void)sys_ioctl(s->watch.listener, SECCOMP_IOCTL_NOTIF_SEND, resp);
}

static bool serve_one(struct supervisor *s)
{
    memset(s->req, 0, MAX_OF((size_t)s->sizes.seccomp_notif, sizeof(*s->req)));
    int r = sys_ioctl(s->watch.listener, SECCOMP_IOCTL_NOTIF_RECV, s->req);
    if (r < 0)
        return r == -EINTR || r == -ENOENT;
    struct target t = {.listener = s->watch.listener, .req = s->req, .tid = (pid_t)s->req->pid};
    struct answer a = {.kind = ANSWER_ERROR, .error = -EPERM};
    int code = EPERM;
    if (seccomp_refuses(s->watch.l->plan->filter, &s->req->data, &code) ||
        (!watch_socket_call(&s->watch, &t, &a) && !watch_file_call(&s->watch, &t, &a)))
        refused_call(s, &t, code, &a);
    if (a.kind == ANSWER_LATER) {
        s->later++;
        struct pending_connect *slot = s->pending.n < PENDING_MAX ? vec_push(&s->pending) : NULL;
        if (slot) {
            *slot = s->watch.pending;
        } else {
            pending_release(&s->watch, &s->watch.pending);
            a = (struct answer){.kind = ANSWER_ERROR, .error = -EAGAIN};
        }
    }
    reply(s, s->req->id, &a);
    return true;
}

static bool serve_some(struct supervisor *s)
{
    /* A few in a row: after an answer the next call of the same program is often there at once. */
    for (int i = 0; i < 64 && s->later < TRIES_MAX; i++) {
        struct pollfd p = {.fd = s->watch.listener, .events = POLLIN};
        if (poll(&p, 1, 0) <= 0)
            return true;
        if (p.revents & POLLHUP || !(p.revents & POLLIN) || !serve_one(s)) {
            fd_close(s->watch.listener);
            s->watch.listener = -1;
            return false;
        }
    }
    return true;
}

bool supervisor_serve(struct supervisor *s)
{
    s->later = 0;
    bool more = put_rights_down(s) && serve_some(s);
    take_rights_up(s);
    return more;
}

int supervisor_timeout(const struct supervisor *s)
{
    return s->pending.n ? RETRY_MS : watch_waiters(&s->watch) ? WAITERS_MS : -1;
}

static void retry_connects(struct supervisor *s)
{
    for (size_t tried = 0; tried < TRIES_MAX && s->pending.n && tried < s->pending.n; tried++) {
        size_t i = s->next_retry % s->pending.n;
        struct pending_connect *p = &s->pending.v[i];
        struct answer a = {.kind = ANSWER_SENT};
        if (sys_ioctl(s->watch.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &p->id) == 0)
            watch_connect_again(&s->watch, p, &a);
        if (a.kind == ANSWER_LATER) {
            s->next_retry = i + 1;
            continue;
        }
        reply(s, p->id, &a);
        pending_release(&s->watch, p);
        s->pending.v[i] = s->pending.v[--s->pending.n];
    }
}

void supervisor_retry(struct supervisor *s)
{
    watch_reap_waiters(&s->watch);
    if (s->pending.n == 0 || !put_rights_down(s))
        return;
    retry_connects(s);
    take_rights_up(s);
}

void supervisor_limit(struct supervisor *s, const char *name)
{
    char hint[64];
    (void)snprintf(hint, sizeof(hint), "[limits]  a higher %s", name);
    if (s->watch.denials)
        denials_limit(&s->denials, name, hint);
}

bool supervisor_take(struct supervisor *s, struct denials *refused)
{
    if (s->watch.denials)
        denials_take(&s->denials, refused);
    return s->watch.denials != NULL;
}

void supervisor_report(struct supervisor *s, int status)
{
    if (s->watch.denials)
        denials_report(&s->denials, s->watch.l->options, status);
}

void supervisor_free(struct supervisor *s)
{
    watch_end_waiters(&s->watch);
    fd_close(s->watch.listener);
    fd_close(s->watch.diag);
    vec_foreach (p, &s->pending)
        pending_release(&s->watch, p);
    vec_release(&s->pending);
    closer_end(&s->watch.closer);
    denials_release(&s->denials);
    mem_free(s->req);
    mem_free(s->resp);
    mem_free(s);
}
