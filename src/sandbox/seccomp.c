/*
 * Handing a finished filter to the kernel. The programs were compiled at build time (gen-seccomp,
 * syscalls.def); here they are only looked up, so this runs between clone and exec: no heap, no
 * locks, nothing but system calls. The simulation at the end is for the supervisor and for tests.
 */
#include "sandbox/seccomp.h"

#include "sandbox/plan.h"
#include "sandbox/seccomp_table.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Newer than our headers (kernel 5.19): while the supervisor has taken a call up, only a fatal
 * signal interrupts the caller. Without it a program with a periodic signal restarts its calls for
 * ever, and what the supervisor did on its behalf would be done twice. */
#define UAPI_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)

static const struct seccomp_variant *variant(unsigned filter)
{
    return &seccomp_table.variants[filter & (FILTER_VARIANTS - 1)];
}

struct sock_fprog seccomp_program(unsigned filter)
{
    const struct seccomp_variant *v = variant(filter);
    return (struct sock_fprog){
        .len = v->length,
        .filter = (struct sock_filter *)(uintptr_t)(seccomp_table.code + v->start),
    };
}

int seccomp_notifies(unsigned filter)
{
    return variant(filter)->notifies;
}

int seccomp_install(unsigned filter, int *ret_listener)
{
    struct sock_fprog program = seccomp_program(filter);
    /* Before 5.16 a filter switched speculative store bypass off for the program, which costs up to
     * a fifth of its speed and guards only its own memory from itself. */
    unsigned long flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long r;

    if (seccomp_notifies(filter))
        flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | UAPI_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    if (r < 0 && errno == EINVAL && (flags & UAPI_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)) {
        flags &= ~UAPI_SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
    }
    if (r < 0)
        return -errno;
    *ret_listener = seccomp_notifies(filter) ? (int)r : -1;
    return 0;
}

const char *seccomp_syscall_name(int nr)
{
    if (nr < 0 || (unsigned)nr >= seccomp_table.n_names || !seccomp_table.name_at[nr])
        return NULL;
    return seccomp_table.names + seccomp_table.name_at[nr] - 1;
}

bool seccomp_refuses(unsigned filter, const struct seccomp_data *data, int *ret_errno)
{
    struct sock_fprog program = seccomp_program(filter & ~(unsigned)FILTER_LOG);
    uint32_t verdict = seccomp_simulate(&program, data);

    switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_USER_NOTIF:
        return false;
    case SECCOMP_RET_ERRNO:
        *ret_errno = (int)(verdict & SECCOMP_RET_DATA);
        return true;
    default:
        *ret_errno = EPERM;
        return true;
    }
}

/* Is the jump of OP taken when A meets K? */
static bool taken(unsigned op, uint32_t a, uint32_t k)
{
    switch (op) {
    case BPF_JEQ:
        return a == k;
    case BPF_JGT:
        return a > k;
    case BPF_JGE:
        return a >= k;
    default: /* BPF_JSET */
        return (a & k) != 0;
    }
}

uint32_t seccomp_simulate(const struct sock_fprog *program, const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (size_t pc = 0; pc < program->len; pc++) {
        const struct sock_filter *f = &program->filter[pc];
        switch (f->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (f->k > sizeof *data - sizeof a || f->k % sizeof a)
                return SECCOMP_RET_KILL_PROCESS;
            memcpy(&a, (const char *)data + f->k, sizeof a);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= f->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += f->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K:
            pc += taken(BPF_OP(f->code), a, f->k) ? f->jt : f->jf;
            break;
        case BPF_RET | BPF_K:
            return f->k;
        default:
            return SECCOMP_RET_KILL_PROCESS;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}
