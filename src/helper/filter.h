/*
 * Words to write a filter of system calls with. A call that is not in the list does not exist
 * (ENOSYS): libraries try newer ones first and take that for an answer.
 */
#ifndef BAWN_HELPER_FILTER_H
#define BAWN_HELPER_FILTER_H

#include "helper/confine.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ALLOW              BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)
#define LOAD(what)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define IF(value, t, f)    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (t), (f))
#define IF_SET(bits, t, f) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (bits), (t), (f))
#define CALL(name)         IF((uint32_t)SYS_##name, 0, 1), ALLOW
/* How every filter begins: the number is loaded, and it is one of this machine's table. */
#define BEGIN                                                                                      \
    LOAD(arch), IF(CONFINE_ARCH, 1, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),       \
        LOAD(nr)

/* How both end: memory, but none that is executable; everything else does not exist. */
#define END_WITHOUT_CODE                                                                           \
    IF((uint32_t)SYS_mmap, 1, 0), IF((uint32_t)SYS_mprotect, 0, 3), LOAD(args[2]),                 \
        IF_SET(PROT_EXEC, 1, 0), ALLOW, REFUSE

#endif
