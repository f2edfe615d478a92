/* See confine.h. */
#include "helper/confine.h"

#include "base/fd.h"
#include "base/sys.h"
#include "helper/limits.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>

int confine_memory(struct error *err)
{
    const struct rlimit none = {0, 0};
    if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, -errno, "cannot keep the memory to itself");
    return setrlimit(RLIMIT_CORE, &none) < 0 ? error_errno(err, -errno, "cannot do without a core")
                                             : 0;
}

/* Whatever strangers do, the machine's memory is not theirs: what is beyond fails, one connection
 * at a time. */
int confine_growth(struct error *err)
{
    _cleanup_strbuf_ struct strbuf text = {.max = 4096};
    _cleanup_fd_ int fd =
        SANITIZED ? -1 : open("/proc/self/statm", O_RDONLY | O_CLOEXEC); /* terabytes */
    if (fd < 0 || fd_read_all(fd, 4096, &text) < 0)
        return 0; /* without /proc */
    const rlim_t now = strtoul(strbuf_text(&text), NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE);
    const struct rlimit most = {now + LIMIT_MEMORY, now + LIMIT_MEMORY};
    return setrlimit(RLIMIT_AS, &most) < 0 ? error_errno(err, -errno, "cannot limit the memory")
                                           : 0;
}

/* ---- Landlock ---- */

/* Rights on files by version: each knows those before it. */
static uint64_t rights_of(int version)
{
    uint64_t rights = (1ull << 13) - 1;
    if (version >= 2)
        rights |= UAPI_LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3)
        rights |= UAPI_LANDLOCK_ACCESS_FS_TRUNCATE;
    if (version >= 5)
        rights |= UAPI_LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return rights;
}

static int make_ruleset(int version)
{
    struct uapi_landlock_ruleset_attr a = {.handled_access_fs = rights_of(version)};
    if (version >= 4)
        a.handled_access_net = UAPI_LANDLOCK_ACCESS_NET_BIND_TCP;
    if (version >= 6)
        a.scoped = UAPI_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | UAPI_LANDLOCK_SCOPE_SIGNAL;
    const size_t size = version >= 6 ? sizeof(a) : version >= 4 ? 16 : 8;
    return sys_ret(syscall(UAPI_SYS_landlock_create_ruleset, &a, size, 0));
}

static int allow(int set, int fd, uint64_t rights, struct error *err)
{
    const struct landlock_path_beneath_attr rule = {rights, fd};
    if (syscall(UAPI_SYS_landlock_add_rule, set, UAPI_LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return error_errno(err, -errno, "cannot add a Landlock rule");
    return 0;
}

/* Of what a tree allows, links to elsewhere, devices and programs are left out. */
static uint64_t rights_of_tree(int version)
{
    uint64_t rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                      LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG |
                      LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                      LANDLOCK_ACCESS_FS_REMOVE_DIR;
    return version >= 3 ? rights | UAPI_LANDLOCK_ACCESS_FS_TRUNCATE : rights;
}

int confine_files_and_tree(const char *const *files, size_t n, int tree, struct error *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, -errno, "cannot set no_new_privs");
    int version = sys_ret(
        syscall(UAPI_SYS_landlock_create_ruleset, NULL, 0, UAPI_LANDLOCK_CREATE_RULESET_VERSION));
    if (version <= 0)
        return 0;
    _cleanup_fd_ int set = make_ruleset(version);
    if (set < 0)
        return error_errno(err, set, "cannot make a Landlock ruleset");
    int r = tree < 0 ? 0 : allow(set, tree, rights_of_tree(version), err);
    for (size_t i = 0; r == 0 && i < n; i++) {
        _cleanup_fd_ int fd = open(files[i], O_PATH | O_CLOEXEC);
        r = fd < 0 ? 0 : allow(set, fd, LANDLOCK_ACCESS_FS_READ_FILE, err);
    }
    if (r == 0 && (r = sys_ret(syscall(UAPI_SYS_landlock_restrict_self, set, 0))) < 0)
        (void)error_errno(err, r, "cannot enter the Landlock ruleset");
    return r;
}

int confine_files(const char *const *files, size_t n, struct error *err)
{
    return confine_files_and_tree(files, n, -1, err);
}

/* ---- capabilities ---- */

int confine_capabilities(struct error *err)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    for (int cap = 0; cap < 64; cap++)
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            break; /* without CAP_SETPCAP there is nothing to drop either: nothing is executed */
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    int r = sys_ret(syscall(SYS_capset, &head, none));
    return r < 0 ? error_errno(err, r, "cannot drop capabilities") : 0;
}
