/* The filter of bawn-intercept, call by call, without the kernel. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "intercept/confine.h"
#include "sandbox/seccomp.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif
#define NO  (SECCOMP_RET_ERRNO | ENOSYS)
#define YES SECCOMP_RET_ALLOW

static uint32_t ask(uint32_t arch, int nr, uint64_t a, uint64_t b, uint64_t c)
{
    struct sock_fprog p = confine_program();
    struct seccomp_data d = {.nr = nr, .arch = arch, .args = {a, b, c}};
    return seccomp_simulate(&p, &d);
}

static void test_calls(void **state)
{
    (void)state;
    static const struct {
        int nr;
        uint64_t a, b, c;
        uint32_t want;
    } cases[] = {
        {SYS_sendto, 0, 0, 0, YES},
        {SYS_recvmsg, 0, 0, 0, YES},
        {SYS_exit_group, 0, 0, 0, YES},
        {SYS_openat, 0, 0, 0, NO},
        {SYS_execve, 0, 0, 0, NO},
        {SYS_clone, 0, 0, 0, NO},
        {SYS_ptrace, 0, 0, 0, NO},
        {SYS_bind, 0, 0, 0, NO},
        {SYS_listen, 0, 0, 0, NO},
        {SYS_kill, 0, 0, 0, NO},
        {SYS_prctl, 4, 1, 0, NO},
        {SYS_io_uring_setup, 0, 0, 0, NO},
        {SYS_process_vm_readv, 0, 0, 0, NO},
        {SYS_ioctl, 0, 0, 0, NO},
        {SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, YES},
        {SYS_socket, AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, YES},
        {SYS_socket, AF_INET, SOCK_DGRAM, 0, NO},
        {SYS_socket, AF_INET6, SOCK_RAW, 0, NO},
        {SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP, NO},
        {SYS_socket, AF_UNIX, SOCK_STREAM, 0, NO},
        {SYS_socket, AF_NETLINK, SOCK_STREAM, 0, NO},
        {SYS_mmap, 0, 0, PROT_READ | PROT_WRITE, YES},
        {SYS_mmap, 0, 0, PROT_READ | PROT_EXEC, NO},
        {SYS_mprotect, 0, 0, PROT_READ, YES},
        {SYS_mprotect, 0, 0, PROT_EXEC, NO},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (ask(ARCH, cases[i].nr, cases[i].a, cases[i].b, cases[i].c) != cases[i].want)
            fail_msg("call %d (%zu)", cases[i].nr, i);
}

static void test_other_tables(void **state)
{
    (void)state;
    assert_int_equal(ask(AUDIT_ARCH_I386, SYS_read, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
    assert_int_equal(ask(ARCH, 0x40000000 | SYS_read, 0, 0, 0), NO); /* x32 */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_other_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
