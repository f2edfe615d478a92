/* What a helper program's filter of system calls answers, without the kernel. */
#ifndef BAWN_TEST_FILTER_H
#define BAWN_TEST_FILTER_H

#include "helper/confine.h"
#include "sandbox/seccomp.h"

#include <errno.h>

#define NO  (SECCOMP_RET_ERRNO | ENOSYS)
#define YES SECCOMP_RET_ALLOW

struct filter_case {
    int nr;
    uint64_t a, b, c;
    uint32_t want;
};

static inline uint32_t filter_ask(struct sock_fprog p, uint32_t arch, int nr, uint64_t a,
                                  uint64_t b, uint64_t c)
{
    struct seccomp_data d = {.nr = nr, .arch = arch, .args = {a, b, c}};
    return seccomp_simulate(&p, &d);
}

static inline void filter_check(struct sock_fprog p, const struct filter_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct filter_case *c = &cases[i];
        if (filter_ask(p, CONFINE_ARCH, c->nr, c->a, c->b, c->c) != c->want)
            fail_msg("call %d (%zu)", c->nr, i);
    }
    assert_int_equal(filter_ask(p, AUDIT_ARCH_I386, SYS_read, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
    assert_int_equal(filter_ask(p, CONFINE_ARCH, 0x40000000 | SYS_read, 0, 0, 0), NO); /* x32 */
#endif
}

#endif
