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
#include "filter.h"

static void test_calls(void **state)
{
    (void)state;
    static const struct filter_case cases[] = {
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
    filter_check(confine_program(), cases, ARRAY_LEN(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
