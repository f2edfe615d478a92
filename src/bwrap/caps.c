/*
 * Names of capabilities, by their numbers. libcap has the same list; the launcher links no library.
 * Source: capabilities(7).
 */
#include "bwrap/args.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

int bwrap_capability(const char *name)
{
    static const char *const names[] = {"chown",
                                        "dac_override",
                                        "dac_read_search",
                                        "fowner",
                                        "fsetid",
                                        "kill",
                                        "setgid",
                                        "setuid",
                                        "setpcap",
                                        "linux_immutable",
                                        "net_bind_service",
                                        "net_broadcast",
                                        "net_admin",
                                        "net_raw",
                                        "ipc_lock",
                                        "ipc_owner",
                                        "sys_module",
                                        "sys_rawio",
                                        "sys_chroot",
                                        "sys_ptrace",
                                        "sys_pacct",
                                        "sys_admin",
                                        "sys_boot",
                                        "sys_nice",
                                        "sys_resource",
                                        "sys_time",
                                        "sys_tty_config",
                                        "mknod",
                                        "lease",
                                        "audit_write",
                                        "audit_control",
                                        "setfcap",
                                        "mac_override",
                                        "mac_admin",
                                        "syslog",
                                        "wake_alarm",
                                        "block_suspend",
                                        "audit_read",
                                        "perfmon",
                                        "bpf",
                                        "checkpoint_restore"};
    if (isdigit((unsigned char)name[0])) {
        char *end;
        unsigned long v = strtoul(name, &end, 10);
        return *end || v > 63 ? -1 : (int)v;
    }
    if (strncasecmp(name, "cap_", 4) != 0)
        return -1;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcasecmp(names[i], name + 4) == 0)
            return (int)i;
    return -1;
}
