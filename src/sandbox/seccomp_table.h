/*
 * What tools/gen-seccomp makes out of syscalls.def: all programs of one architecture in one array.
 * No pointers per variant, so a position-independent launcher has nothing to relocate.
 */
#ifndef BAWN_SANDBOX_SECCOMP_TABLE_H
#define BAWN_SANDBOX_SECCOMP_TABLE_H

#include <linux/filter.h>
#include <stdint.h>

struct seccomp_variant {
    uint32_t start;  /* first instruction in `code` */
    uint16_t length; /* instructions */
    uint16_t notifies;
};

struct seccomp_table {
    uint32_t arch;                          /* AUDIT_ARCH_* */
    const struct sock_filter *code;         /* programs one after another, each once */
    const struct seccomp_variant *variants; /* FILTER_VARIANTS of them, by the flags */
    const char *names;                      /* terminated names one after another */
    const uint16_t *name_at;                /* by number: offset in `names` + 1, 0 = no such call */
    unsigned n_names;
};

extern const struct seccomp_table seccomp_table;

#endif
