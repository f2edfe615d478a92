/*
 * Kernel interfaces newer than the headers we build with (Debian 12: 6.1), negotiated at run time.
 * Numbers and structures are ABI; the source is the kernel's include/uapi. System-call numbers from
 * 424 on are the same on every architecture.
 */
#ifndef BAWN_BASE_UAPI_H
#define BAWN_BASE_UAPI_H

#include <stdint.h>

#define UAPI_SYS_pidfd_send_signal       424
#define UAPI_SYS_open_tree               428
#define UAPI_SYS_move_mount              429
#define UAPI_SYS_fsopen                  430
#define UAPI_SYS_fsconfig                431
#define UAPI_SYS_fsmount                 432
#define UAPI_SYS_pidfd_open              434
#define UAPI_SYS_clone3                  435
#define UAPI_SYS_close_range             436
#define UAPI_SYS_openat2                 437
#define UAPI_SYS_pidfd_getfd             438
#define UAPI_SYS_faccessat2              439
#define UAPI_SYS_mount_setattr           442
#define UAPI_SYS_landlock_create_ruleset 444
#define UAPI_SYS_landlock_add_rule       445
#define UAPI_SYS_landlock_restrict_self  446
#define UAPI_SYS_fchmodat2               452
#define UAPI_SYS_setxattrat              463
#define UAPI_SYS_removexattrat           466
#define UAPI_SYS_file_setattr            469

/* statx(2): the fields up to stx_mnt_id; libc's own structure is not in every libc we build with.
 */
struct uapi_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad;
    uint64_t ino, size, blocks, attributes_mask;
    uint64_t times[8]; /* access, birth, change, modification: 16 bytes each */
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mnt_id;
    uint64_t rest[13];
};
_Static_assert(sizeof(struct uapi_statx) == 256, "statx(2): 256 bytes");
#define UAPI_STATX_MNT_ID 0x1000u

/* openat2(2) */
struct uapi_open_how {
    uint64_t flags, mode, resolve;
};
#define UAPI_RESOLVE_NO_XDEV       0x01u
#define UAPI_RESOLVE_NO_MAGICLINKS 0x02u
#define UAPI_RESOLVE_NO_SYMLINKS   0x04u
#define UAPI_RESOLVE_BENEATH       0x08u
#define UAPI_RESOLVE_IN_ROOT       0x10u

/* open_tree(2), move_mount(2), mount_setattr(2), fsopen(2) */
#define UAPI_OPEN_TREE_CLONE         1u
#define UAPI_AT_RECURSIVE            0x8000u
#define UAPI_MOVE_MOUNT_F_EMPTY_PATH 0x04u
#define UAPI_MOVE_MOUNT_T_EMPTY_PATH 0x40u
#define UAPI_MOUNT_ATTR_RDONLY       0x01u
#define UAPI_MOUNT_ATTR_NOSUID       0x02u
#define UAPI_MOUNT_ATTR_NODEV        0x04u
#define UAPI_MOUNT_ATTR_NOEXEC       0x08u
#define UAPI_FSOPEN_CLOEXEC          1u
#define UAPI_FSMOUNT_CLOEXEC         1u
#define UAPI_FSCONFIG_SET_FLAG       0
#define UAPI_FSCONFIG_SET_STRING     1
#define UAPI_FSCONFIG_CMD_CREATE     6
struct uapi_mount_attr {
    uint64_t attr_set, attr_clr, propagation, userns_fd;
};

/* clone3(2) */
struct uapi_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};

/* seccomp user notification, kernel 6.6: the listener wakes the supervisor on the same processor.
 */
#define UAPI_SECCOMP_IOCTL_NOTIF_SET_FLAGS      0x40082104ul /* _IOW('!', 4, __u64) */
#define UAPI_SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul

/* landlock(7) */
struct uapi_landlock_ruleset_attr {
    uint64_t handled_access_fs, handled_access_net, scoped;
};
#define UAPI_LANDLOCK_CREATE_RULESET_VERSION     1u
#define UAPI_LANDLOCK_RULE_PATH_BENEATH          1
#define UAPI_LANDLOCK_RULE_NET_PORT              2
#define UAPI_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET 1ull
#define UAPI_LANDLOCK_SCOPE_SIGNAL               2ull
#define UAPI_LANDLOCK_ACCESS_FS_REFER            (1ull << 13)
#define UAPI_LANDLOCK_ACCESS_FS_TRUNCATE         (1ull << 14)
#define UAPI_LANDLOCK_ACCESS_FS_IOCTL_DEV        (1ull << 15)
#define UAPI_LANDLOCK_ACCESS_NET_BIND_TCP        1ull
#define UAPI_LANDLOCK_ACCESS_NET_CONNECT_TCP     2ull

#endif
