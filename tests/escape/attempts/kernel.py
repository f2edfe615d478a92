"""The kernel's other doors: rings, keyrings, old call tables, tracing, shared memory, files of root."""
import os


def key(s):
    s.argv_prefix = ["{esc}", "with-key", "held-outside", "{token}"]


def ipc(s):
    number = str(0x20000000 + int(s.token[2:8], 16))
    s.put("{w}/key", number)
    s.put("{w}/id", s.sh("{esc} ipc-make %s /bawn-{token} {token}" % number))
    s.put("{w}/mq", "/bawn-{token}")
    s.stack.callback(s.sh, "{esc} ipc-remove %s /bawn-{token}" % number)


def harmless_mount_point(s):
    s.mkdir("{w}/m")
    s.argv_prefix = ["unshare", "--mount", "--propagation", "private"]



def opens(path):
    """Some machines forbid their own root a device (by the device cgroup): nothing to escape from."""
    try:
        os.close(os.open(path, os.O_RDONLY))
        return None
    except OSError:
        return "readable " + path

ATTEMPTS = [
    A("uring-open", "{esc} uring-open {o}/new"),
    A("uring-setup", "{esc} uring"),
    A("keyring-session", "{esc} key-read held-outside", before=key, leak=True),
    A("keyring-request", "{esc} key-request held-outside", before=key),
    A("keyring-proc", "{esc} key-list held-outside", before=key),
    A("keyring-add", "{esc} key-add made-inside"),
    A("keyring-user", "{esc} key-user"),
    A("int80", "{esc} int80"),
    A("x32", "{esc} x32"),
    A("x32-open", "{esc} x32-open {o}/new"),
    A("userfaultfd", "{esc} userfaultfd"),
    A("userfaultfd-device", "test -c /dev/userfaultfd && exec 3<> /dev/userfaultfd", user="root", needs="/dev/userfaultfd"),
    A("perf", "{esc} perf"),
    A("aslr", "{esc} aslr"),
    A("read-implies-exec", "{esc} read-implies-exec"),
    A("shared-memory-key", "{esc} shm $(cat {w}/key)", before=ipc, leak=True),
    A("shared-memory-number", "{esc} shm-number $(cat {w}/id)", before=ipc, leak=True),
    A("message-queue", "{esc} msg $(cat {w}/key)", before=ipc, leak=True),
    A("posix-queue", "{esc} mqueue $(cat {w}/mq)", before=ipc, leak=True),
    # ---- as root ----
    A("root-bpf", "{esc} bpf", user="root"),
    A("root-core-pattern", "{esc} write-back /proc/sys/kernel/core_pattern", user="root"),
    A("root-modprobe-path", "{esc} write-back /proc/sys/kernel/modprobe", user="root",
      needs="/proc/sys/kernel/modprobe"),
    A("root-sysctl", "{esc} write-back /proc/sys/fs/protected_hardlinks", user="root"),
    A("root-binfmt", "{esc} write-back /proc/sys/fs/binfmt_misc/status", user="root",
      needs="/proc/sys/fs/binfmt_misc/status"),
    A("root-sysrq", "echo h > /proc/sysrq-trigger", user="root", needs="/proc/sysrq-trigger"),
    A("root-oom-score", "{esc} write-back /proc/$PPID/oom_score_adj; "
      "test -d /proc/$(cut -d' ' -f1 {w}/victim) && "
      "echo 500 > /proc/$(cut -d' ' -f1 {w}/victim)/oom_score_adj", user="root",
      before=lambda s: s.victim()),
    A("root-sys-write", "{esc} write-back /sys/kernel/rcu_expedited", user="root",
      needs="/sys/kernel/rcu_expedited"),
    A("root-sys-block", "{esc} write-back /sys/block/vda/queue/read_ahead_kb", user="root",
      needs="/sys/block/vda/queue/read_ahead_kb"),
    A("root-cgroup-mkdir", "mkdir /sys/fs/cgroup/unified/esc-{token}", user="root",
      needs="/sys/fs/cgroup/unified/cgroup.procs", effect=lambda s: _rmdir(
          f"/sys/fs/cgroup/unified/esc-{s.token}")),
    A("root-cgroup2-mkdir", "mkdir /sys/fs/cgroup/esc-{token}", user="root",
      needs="/sys/fs/cgroup/cgroup.procs", effect=lambda s: _rmdir(f"/sys/fs/cgroup/esc-{s.token}")),
    A("root-release-agent", "{esc} write-back /sys/fs/cgroup/systemd/release_agent", user="root",
      needs="/sys/fs/cgroup/systemd/release_agent"),
    A("root-release-agent-mount", "mount -t cgroup -o memory none {w}/m && ls {w}/m/release_agent",
      user="root", before=harmless_mount_point, needs="/sys/fs/cgroup/memory/release_agent"),
    A("root-debugfs", "ls /sys/kernel/debug/ | grep . || mount -t debugfs none {w}/m", user="root",
      before=harmless_mount_point, needs="/sys/kernel/debug"),
    A("root-disk", "{esc} device /dev/vda", user="root", needs=opens("/dev/vda")),
    A("root-disk-node", "{esc} device-node {w} {w}/node", user="root", needs=opens("/dev/vda")),
    A("root-device-node", "mknod {w}/node c 1 11 && echo escaped > {w}/node", user="root"),
    A("root-device-node-dev", "mknod /dev/esc-{token} c 1 11 && echo escaped > /dev/esc-{token}; r=$?; "
      "rm -f /dev/esc-{token}; exit $r", user="root"),
    A("root-kmsg", "{esc} kmsg", user="root", needs="/dev/kmsg"),
    A("root-dmesg", "dmesg --kernel -l info | grep .", user="root"),
    A("root-kvm", "test -c /dev/kvm && exec 3<> /dev/kvm", user="root", needs="/dev/kvm"),
    A("root-console", "test -c /dev/tty0 && exec 3<> /dev/tty0", user="root", needs="/dev/tty0"),
    A("root-mem", "exec 3< /dev/mem", user="root", needs="/dev/mem"),
    A("root-kcore", "head -c 64 /proc/kcore | grep -q ELF", user="root", needs="/proc/kcore"),
    A("root-clock", "{esc} clock", user="root"),
    A("root-hostname", "{esc} hostname", user="root"),
    A("root-acct", "{esc} acct", user="root"),
    A("root-module", "{esc} module", user="root", needs="/proc/modules"),
    A("root-kexec", "{esc} kexec", user="root", needs="/sys/kernel/kexec_loaded"),
]


def _rmdir(path):
    try:
        os.rmdir(path)
        return True
    except OSError:
        return False
