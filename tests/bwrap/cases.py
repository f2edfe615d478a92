"""The command lines of tests/bwrap/run.

In words, {W} is the fixture's directory (run: World.fresh), {P} the probe, {UID} the user's id.
"""
import dataclasses
import os
import resource
import signal
import struct

REPORT = object()  # a pipe whose other end is read when the command has ended
CASES = []


@dataclasses.dataclass
class Case:
    name: str
    args: list
    fds: dict = dataclasses.field(default_factory=dict)
    env: dict = dataclasses.field(default_factory=dict)
    cwd: str = "{W}"
    umask: int = 0o022
    nice: object = None  # runs in the child before the program
    reword: list = dataclasses.field(default_factory=list)  # of messages: (pattern, replacement)
    runs: bool = True  # the command is meant to run
    expect: object = None  # run here alone; a function of the result, which says what is wrong


def add(name, *args, **more):
    CASES.append(Case(name, list(args), **more))


def host(name, *args, walk=(), **more):
    """In the host's tree, read-only."""
    add(name, "--ro-bind", "/", "/", *args, "{P}", *walk, **more)


def bare(name, *args, walk=("/=2",), **more):
    """In an empty root with nothing but the probe."""
    add(name, "--ro-bind", "{P}", "/probe", *args, "/probe", *walk, **more)


def fails(name, *args, **more):
    add(name, *args, runs=False, **more)


# ---- namespaces, one by one and together ----

bare("nothing asked for")
host("host tree")
for ns in ("user", "user-try", "ipc", "pid", "net", "uts", "cgroup", "cgroup-try", "all"):
    bare(f"unshare {ns}", f"--unshare-{ns}")
bare("all but the network", "--unshare-all", "--share-net")
bare("network taken again", "--unshare-all", "--share-net", "--unshare-net")
host("all, with proc and dev", "--dev", "/dev", "--proc", "/proc", "--unshare-all", walk=["/dev=1"])
bare("hostname", "--unshare-uts", "--hostname", "box")
bare("hostname twice", "--unshare-uts", "--hostname", "box", "--hostname", "other")
bare("uid and gid", "--unshare-user", "--uid", "1234", "--gid", "5678")
bare("uid zero", "--unshare-user", "--uid", "0", "--gid", "0")
bare("uid with a /dev", "--unshare-user", "--uid", "77", "--gid", "78", "--dev", "/dev", walk=["/=1", "/dev=1"])
bare("uid zero with a /dev", "--uid", "0", "--dev", "/dev", walk=["/=1", "/dev=1"])
bare("uid said, user namespace implied", "--uid", "1234", runs=False)
bare("no user namespaces inside", "--unshare-user", "--disable-userns")
bare("the same asserted", "--unshare-user", "--disable-userns", "--assert-userns-disabled")
bare("the same with a /dev", "--unshare-all", "--unshare-user", "--disable-userns", "--dev", "/dev", "--proc", "/proc",
     walk=["/dev=1"])
fails("assert without", "--ro-bind", "{P}", "/probe", "--assert-userns-disabled", "/probe")
bare("as pid 1", "--unshare-pid", "--as-pid-1")
bare("as pid 1, with all", "--unshare-all", "--as-pid-1", "--proc", "/proc", walk=["/=1"])
bare("new session", "--new-session")
bare("new session and pid", "--new-session", "--unshare-pid")
bare("die with parent", "--die-with-parent")
bare("die with parent and pid", "--die-with-parent", "--unshare-pid")

# ---- binds ----

bare("bind a directory", "--bind", "{W}/dir", "/d", walk=["/"])
bare("bind a file", "--bind", "{W}/plain", "/f", walk=["/"])
bare("ro-bind a directory", "--ro-bind", "{W}/dir", "/d", walk=["/"])
bare("ro-bind a file", "--ro-bind", "{W}/plain", "/f", walk=["/"])
bare("dev-bind", "--dev-bind", "/dev", "/dev", walk=["/=1"])
bare("dev-bind a node", "--dev-bind", "/dev/zero", "/zero")
bare("bind of a node has no device", "--bind", "/dev/zero", "/zero")
bare("dev-bind-try missing", "--dev-bind-try", "{W}/none", "/n")
bare("bind-try there", "--bind-try", "{W}/dir", "/d", walk=["/"])
bare("bind-try missing", "--bind-try", "{W}/none", "/d")
bare("ro-bind-try missing", "--ro-bind-try", "{W}/none", "/d")
bare("ro-bind-try there", "--ro-bind-try", "{W}/dir", "/d", walk=["/"])
bare("into parents that are made", "--bind", "{W}/dir", "/a/b/c/d", walk=["/"])
bare("a file into parents that are made", "--ro-bind", "{W}/plain", "/a/b/c/f", walk=["/"])
bare("relative source", "--bind", "dir", "/d", walk=["/"])
bare("relative destination", "--bind", "{W}/dir", "d/e", walk=["/"])
bare("destination with slashes and dots", "--bind", "{W}/dir", "//x/.//y/", walk=["/"])
bare("destination with ..", "--bind", "{W}/dir", "/x/../y", walk=["/"])
bare("source is a link", "--bind", "{W}/links/rel", "/d", walk=["/"])
bare("source is a link to a file", "--bind", "{W}/links/file", "/f", walk=["/"])
bare("source is a link out", "--ro-bind", "{W}/links/up", "/etc", walk=["/etc/passwd", "/=1"])
bare("with a space", "--bind", "{W}/with space", "/a b", walk=["/"])
bare("one over the other", "--bind", "{W}/dir", "/d", "--bind", "{W}/ro", "/d", walk=["/"])
bare("one in the other", "--bind", "{W}/dir", "/d", "--ro-bind", "{W}/ro", "/d/sub", walk=["/"])
bare("read-only, a part writable", "--ro-bind", "{W}/dir", "/d", "--bind", "{W}/dir/sub", "/d/sub", walk=["/"])
bare("writable, a part read-only", "--bind", "{W}/dir", "/d", "--ro-bind", "{W}/dir/sub", "/d/sub", walk=["/"])
bare("made in a bound directory", "--bind", "{W}/dir", "/d", "--dir", "/d/new/deep", walk=["/"])
bare("mounted in a bound directory", "--bind", "{W}/dir", "/d", "--tmpfs", "/d/tmp", walk=["/"])
bare("file made in a bound directory", "--bind", "{W}/dir", "/d", "--ro-bind", "{W}/plain", "/d/newfile", walk=["/"])
bare("mask of a file", "--ro-bind", "{W}", "/w", "--ro-bind", "/dev/null", "/w/hidden/key", walk=["/w/hidden"])
bare("mask of a directory", "--ro-bind", "{W}", "/w", "--tmpfs", "/w/hidden", walk=["/w/hidden"])
bare("masks", "--ro-bind", "{W}", "/w", *[w for f in ("dir/file", "dir/sub/deep", "ro/secret", "ro/sub/x", "plain")
     for w in ("--ro-bind", "/dev/null", f"/w/{f}")], walk=["/w"])
add("the root is a directory", "--bind", "{W}", "/", "--ro-bind", "{P}", "/probe", "/probe", "/")
add("the root is bound twice", "--bind", "{W}/dir", "/", "--bind", "{W}", "/", "--ro-bind", "{P}", "/probe", "/probe", "/")
add("the root is a tmpfs", "--tmpfs", "/", "--ro-bind", "{P}", "/probe", "/probe", "/")
add("things below a root that came later", "--ro-bind", "{P}", "/probe", "--dir", "/gone", "--tmpfs", "/",
    "--ro-bind", "{P}", "/probe", "/probe", "/")
host("host tree, writable work", "--bind", "{W}", "{W}", walk=["{W}"])
host("host tree, protected part", "--bind", "{W}", "{W}", "--ro-bind", "{W}/ro", "{W}/ro", walk=["{W}"])
host("host tree twice", "--ro-bind", "/", "/mnt", walk=["/mnt=1"])
host("a tree of the host with mounts below", "--tmpfs", "/mnt", "--ro-bind", "/sys", "/mnt/s", walk=["/mnt=2"])
add("host tree, writable", "--bind", "/", "/", "{P}", "{W}")
add("host tree with devices", "--dev-bind", "/", "/", "{P}", "/dev/null")

# ---- file systems of its own ----

bare("tmpfs", "--tmpfs", "/tmp")
bare("tmpfs with perms", "--perms", "1777", "--tmpfs", "/tmp")
bare("tmpfs with size", "--size", "1048576", "--tmpfs", "/tmp")
bare("tmpfs with size in hex", "--size", "0x100000", "--tmpfs", "/tmp")
bare("tmpfs with both", "--perms", "0700", "--size", "65536", "--tmpfs", "/a/b", walk=["/"])
bare("tmpfs with both, the other way", "--size", "65536", "--perms", "0700", "--tmpfs", "/a/b", walk=["/"])
bare("perms once only", "--perms", "0700", "--tmpfs", "/a", "--tmpfs", "/b")
bare("dir", "--dir", "/a", "--dir", "/b/c/d", walk=["/"])
bare("dir with perms", "--perms", "0711", "--dir", "/a/b", "--perms", "0700", "--dir", "/c/d", walk=["/"])
bare("dir that is there", "--perms", "0700", "--dir", "/a", "--perms", "0755", "--dir", "/a")
bare("dir with umask", "--dir", "/a", umask=0o077)
bare("proc", "--unshare-pid", "--proc", "/proc", walk=["/=1"])
bare("proc of the host", "--proc", "/proc", walk=["/=1"])
bare("proc elsewhere", "--unshare-pid", "--proc", "/x/p", walk=["/=1"])
bare("dev", "--dev", "/dev", walk=["/"])
bare("dev elsewhere", "--dev", "/x/dev", walk=["/"])
bare("dev twice", "--dev", "/dev", "--dev", "/d2", walk=["/"])
bare("dev and shm", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm", walk=["/dev=1"])
bare("dev read-only", "--dev", "/dev", "--remount-ro", "/dev", walk=["/dev=1"])
bare("mqueue", "--unshare-ipc", "--mqueue", "/dev/mqueue")
bare("dev and mqueue", "--unshare-ipc", "--dev", "/dev", "--mqueue", "/dev/mqueue")
bare("symlink", "--symlink", "usr/bin", "/bin", "--symlink", "/abs/olute", "/a/b", walk=["/"])
bare("dangling symlink with odd bytes", "--symlink", "a b\tc", "/x\ny", walk=["/"])
bare("a bind through a symlink", "--dir", "/real", "--symlink", "real", "/link", "--bind", "{W}/dir", "/link", walk=["/"])
bare("a directory through a symlink", "--dir", "/real", "--symlink", "real", "/link", "--dir", "/link/x", walk=["/"])
bare("a file through a symlink", "--dir", "/real", "--symlink", "real", "/link", "--file", "11", "/link/f",
     fds={11: b"data"}, walk=["/"])
bare("a bound link", "--bind", "{W}", "/w", "--bind", "{W}/ro", "/w/links/rel", walk=["/w/dir"])
bare("chmod", "--dir", "/a", "--chmod", "0711", "/a", walk=["/"])
bare("chmod of a file", "--file", "11", "/f", "--chmod", "4755", "/f", fds={11: b"x"}, walk=["/"])
bare("chmod of a tmpfs", "--tmpfs", "/t", "--chmod", "1777", "/t")
bare("chmod on the host", "--bind", "{W}", "/w", "--chmod", "0600", "/w/plain", walk=["/w/plain"])
bare("remount-ro", "--tmpfs", "/t", "--dir", "/t/d", "--remount-ro", "/t", walk=["/"])
bare("remount-ro of the root", "--dir", "/x", "--remount-ro", "/", walk=["/"])
bare("remount-ro of a bind", "--bind", "{W}", "/w", "--remount-ro", "/w", walk=["/w=1"])
bare("remount-ro is not recursive", "--bind", "{W}", "/w", "--bind", "{W}/dir", "/w/ro", "--remount-ro", "/w",
     walk=["/w=1"])
bare("remount-ro of devices", "--dev-bind", "/dev", "/dev", "--remount-ro", "/dev", walk=["/=1"])

# ---- data ----

bare("file", "--file", "11", "/etc/conf", fds={11: b"hello\n"}, walk=["/"])
bare("file with perms", "--perms", "0640", "--file", "11", "/etc/conf", fds={11: b"hello\n"}, walk=["/"])
bare("file with umask", "--file", "11", "/f", fds={11: b"hello\n"}, walk=["/"], umask=0o077)
bare("file over a file", "--file", "11", "/f", "--file", "12", "/f", fds={11: b"longer text\n", 12: b"short\n"}, walk=["/"])
bare("file from a pipe", "--file", "11", "/f", fds={11: "pipe"}, walk=["/"])
bare("file on the host", "--bind", "{W}/dir", "/d", "--file", "11", "/d/made", fds={11: b"made\n"}, walk=["/d"])
bare("file over one on the host", "--bind", "{W}/dir", "/d", "--file", "11", "/d/file", fds={11: b"made\n"}, walk=["/d"])
bare("bind-data", "--bind-data", "11", "/f", fds={11: b"hello\n"}, walk=["/"])
bare("bind-data with perms", "--perms", "0444", "--bind-data", "11", "/a/f", fds={11: b"hello\n"}, walk=["/"])
bare("ro-bind-data", "--ro-bind-data", "11", "/f", fds={11: b"hello\n"}, walk=["/"])
bare("ro-bind-data, closed parents", "--perms", "0600", "--ro-bind-data", "11", "/a/f", fds={11: b"x"}, walk=["/"])
bare("data over a host file", "--ro-bind", "{W}", "/w", "--ro-bind-data", "11", "/w/plain", fds={11: b"masked\n"},
     walk=["/w/plain"])
bare("three of data", "--bind-data", "11", "/f", "--ro-bind-data", "12", "/g", "--file", "13", "/h",
     fds={11: b"1", 12: b"2", 13: b"3"}, walk=["/"])
bare("much data", "--file", "11", "/f", fds={11: b"0123456789abcdef" * 20000}, walk=["/"])

# ---- the environment and the directory ----

bare("setenv", "--setenv", "A", "1", "--setenv", "B", "x=y z")
bare("setenv over", "--setenv", "A", "1", "--setenv", "A", "2", env={"A": "0"})
bare("setenv empty", "--setenv", "A", "")
bare("unsetenv", "--unsetenv", "A", env={"A": "0", "AB": "1"})
bare("unsetenv of none", "--unsetenv", "NONE")
bare("clearenv", "--clearenv", env={"A": "0"})
bare("clearenv and setenv", "--setenv", "A", "1", "--clearenv", "--setenv", "B", "2")
bare("setenv of HOME leads home", "--dir", "/me", "--setenv", "HOME", "/me", walk=["/=1"])
bare("no home", "--unsetenv", "HOME")
host("the directory stays", cwd="{W}/dir")
host("the directory by PWD", cwd="{W}/links/rel", env={"PWD": "{W}/links/rel"})
host("a wrong PWD", cwd="{W}/dir", env={"PWD": "{W}/ro"})
host("chdir", "--chdir", "/etc")
host("chdir twice", "--chdir", "/etc", "--chdir", "/usr")
host("chdir through a link", "--chdir", "{W}/links/rel")
host("home where the directory is hidden", "--tmpfs", "{W}", "--dir", "{W}/home", cwd="{W}/dir")
bare("umask", umask=0o027)
add("words behind the command", "--ro-bind", "/", "/", "{P}", "--unshare-all", "/etc/hostname")
add("two dashes", "--ro-bind", "/", "/", "--", "{P}")
add("found on PATH", "--ro-bind", "/", "/", "echo", "a b", "c")
add("found on a PATH that was set", "--ro-bind", "/", "/", "--setenv", "PATH", "{W}:/bin", "script", "x")
add("found without PATH", "--ro-bind", "/", "/", "--clearenv", "echo", "hello")
add("a script without a shell line", "--ro-bind", "/", "/", "{W}/script", "a", "b")
add("exit status", "--ro-bind", "/", "/", "{P}", "-x", "7", runs=False)
add("exit status with a pid namespace", "--ro-bind", "/", "/", "--unshare-pid", "{P}", "-x", "7", runs=False)
add("exit status as pid 1", "--ro-bind", "/", "/", "--unshare-pid", "--as-pid-1", "{P}", "-x", "9", runs=False)
add("killed", "--ro-bind", "/", "/", "{P}", "-k", "9", runs=False)
add("killed with a pid namespace", "--ro-bind", "/", "/", "--unshare-pid", "{P}", "-k", "15", runs=False)
add("stdout and stderr", "--ro-bind", "/", "/", "sh", "-c", "echo out; echo err >&2; exit 3", runs=False)
add("what is left behind goes on", "--ro-bind", "/", "/", "--bind", "{W}", "{W}", "--unshare-pid", "sh", "-c",
    "(exec >/dev/null 2>&1; echo done >{W}/dir/background) & wait; exit 4", runs=False)

# ---- descriptors ----

bare("descriptors go through", fds={5: b"x", 20: b"y"})
bare("those of operations do not", "--file", "11", "/f", "--ro-bind-data", "12", "/g",
     fds={5: b"", 11: b"x", 12: b"y"})
bare("sync-fd", "--sync-fd", "11", fds={11: b""})
bare("sync-fd and pid", "--unshare-pid", "--sync-fd", "11", fds={11: b""})
bare("sync-fd as pid 1", "--unshare-pid", "--as-pid-1", "--sync-fd", "11", fds={11: b""})
bare("block-fd", "--block-fd", "11", fds={11: "pipe"})
bare("info-fd", "--info-fd", "11", fds={11: REPORT})
bare("info-fd with all", "--unshare-all", "--info-fd", "11", fds={11: REPORT})
bare("json-status-fd", "--json-status-fd", "11", fds={11: REPORT})
bare("json-status-fd with all", "--unshare-all", "--json-status-fd", "11", fds={11: REPORT})
add("json-status-fd and a status", "--ro-bind", "/", "/", "--unshare-pid", "--json-status-fd", "11", "{P}", "-x", "5",
    fds={11: REPORT}, runs=False)
add("json-status-fd and a signal", "--ro-bind", "/", "/", "--json-status-fd", "11", "{P}", "-k", "9",
    fds={11: REPORT}, runs=False)
add("json-status-fd without a program", "--ro-bind", "/", "/", "--json-status-fd", "11", "/none",
    fds={11: REPORT}, runs=False)
bare("both reports", "--info-fd", "11", "--json-status-fd", "12", "--unshare-pid", fds={11: REPORT, 12: REPORT})
bare("lock-file", "--bind", "{W}", "/w", "--lock-file", "/w/lock")
bare("two locks and pid", "--bind", "{W}", "/w", "--unshare-pid", "--lock-file", "/w/lock", "--lock-file", "/w/plain")
add("args", "--args", "11", "{P}", "/w", fds={11: ["--ro-bind", "/", "/", "--unshare-pid", "--setenv", "A", "b c"]})
add("args twice", "--args", "11", "--args", "12", "{P}",
    fds={11: ["--ro-bind", "/", "/"], 12: ["--unshare-pid", "--setenv", "A", ""]})
add("args with two dashes", "--args", "11", "--ro-bind", "/", "/", "{P}", fds={11: ["--unshare-pid", "--", "--none"]})
add("args, empty", "--args", "11", "--ro-bind", "/", "/", "{P}", fds={11: []})
add("args without the last zero", "--args", "11", "{P}", fds={11: b"--ro-bind\0/\0/"})

# ---- capabilities and filters ----

bare("cap-add", "--cap-add", "CAP_NET_RAW", "--unshare-net")
bare("cap-add all", "--cap-add", "ALL")
bare("cap-add and drop", "--cap-add", "ALL", "--cap-drop", "CAP_SYS_ADMIN", "--cap-drop", "cap_chown")
bare("cap-drop", "--cap-drop", "ALL")
bare("cap-drop and add", "--cap-drop", "ALL", "--cap-add", "CAP_KILL")
bare("cap-add with a /dev", "--cap-add", "CAP_NET_ADMIN", "--unshare-all", "--dev", "/dev", "--proc", "/proc", walk=["/dev=1"])
bare("cap-add as root inside", "--uid", "0", "--gid", "0", "--cap-add", "ALL", "--unshare-all", "--proc", "/proc", walk=["/=1"])
ALLOW = struct.pack("<HBBI", 6, 0, 0, 0x7fff0000)
# getppid answers EPERM-like 77 (as an errno), everything else goes on: x86-64 110, elsewhere 173
NR = 110 if os.uname().machine == "x86_64" else 173
NOPPID = struct.pack("<HBBIHBBIHBBIHBBI", 0x20, 0, 0, 0, 0x15, 0, 1, NR, 6, 0, 0, 0x00050000 | 77, 6, 0, 0, 0x7fff0000)
bare("seccomp", "--seccomp", "11", fds={11: ALLOW})
bare("seccomp that refuses", "--seccomp", "11", fds={11: NOPPID})
bare("seccomp and pid", "--unshare-pid", "--seccomp", "11", fds={11: ALLOW})
bare("seccomp twice", "--seccomp", "11", "--seccomp", "12", fds={11: ALLOW, 12: NOPPID})
bare("add-seccomp-fd", "--add-seccomp-fd", "11", "--add-seccomp-fd", "12", fds={11: ALLOW, 12: NOPPID})

# ---- what is inherited ----

bare("open files", nice=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, 2000)))
bare("a signal ignored", nice=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
bare("a signal blocked", nice=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1]))

# ---- as programs call it ----

SYSTEM = ["--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc", "--symlink", "usr/bin", "/bin", "--symlink",
          "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/sbin", "/sbin"]
add("flatpak's", "--args", "30", "--", "/app/bin/probe", "/app", "/run=3", "/dev=1", "/tmp", "/var=1", "/etc=0",
    fds={30: ["--unshare-pid", "--unshare-ipc", "--unshare-cgroup-try", "--unshare-user", "--dir", "/tmp", "--dir", "/var/tmp",
              "--dir", "/run/host", "--dir", "/run/user/{UID}", "--setenv", "XDG_RUNTIME_DIR", "/run/user/{UID}",
              "--symlink", "/run", "/var/run", "--ro-bind", "/sys/block", "/sys/block", "--ro-bind", "/sys/bus", "/sys/bus",
              "--ro-bind", "/sys/class", "/sys/class", "--ro-bind", "/sys/dev", "/sys/dev", "--ro-bind", "/sys/devices", "/sys/devices",
              "--proc", "/proc", "--dev", "/dev", "--bind", "/dev/shm", "/dev/shm",
              "--ro-bind", "/usr", "/usr", "--lock-file", "/usr/bin/env", "--ro-bind", "{W}/ro", "/app", "--bind", "{W}/dir", "/app2",
              "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin",
              "--ro-bind-data", "31", "/etc/passwd", "--ro-bind-data", "32", "/etc/group", "--file", "33", "/.flatpak-info",
              "--perms", "0600", "--ro-bind-data", "34", "/run/user/{UID}/.flatpak-info", "--remount-ro", "/etc",
              "--bind", "{W}/home", "/var/home", "--setenv", "HOME", "/var/home", "--chmod", "0755", "/etc", "--dir", "/app3/bin",
              "--ro-bind", "{P}", "/app4/probe", "--remount-ro", "/app", "--seccomp", "35", "--unsetenv", "LD_LIBRARY_PATH",
              "--die-with-parent", "--chdir", "/var/home", "--info-fd", "36"],
         31: b"root:x:0:0::/:/bin/sh\n", 32: b"root:x:0:\n", 33: b"[Application]\nname=x\n", 34: b"[Instance]\n",
         35: ALLOW, 36: REPORT}, runs=False)  # it names a program that is not there: see the next
add("flatpak's, whole", "--args", "30", "--", "/app/bin/probe", "/app", "/run=3", "/dev=1", "/tmp", "/var=1", "/etc",
    fds={30: ["--unshare-pid", "--unshare-ipc", "--unshare-cgroup-try", "--unshare-user", "--dir", "/tmp", "--dir", "/var/tmp",
              "--dir", "/run/host", "--perms", "0700", "--dir", "/run/user/{UID}", "--setenv", "XDG_RUNTIME_DIR", "/run/user/{UID}",
              "--symlink", "/run", "/var/run", "--ro-bind", "/sys/block", "/sys/block", "--ro-bind", "/sys/bus", "/sys/bus",
              "--ro-bind", "/sys/class", "/sys/class", "--ro-bind", "/sys/dev", "/sys/dev", "--ro-bind", "/sys/devices", "/sys/devices",
              "--proc", "/proc", "--dev", "/dev", "--bind", "/dev/shm", "/dev/shm",
              "--ro-bind", "/usr", "/usr", "--lock-file", "/usr/bin/env", "--tmpfs", "/app", "--ro-bind", "{P}", "/app/bin/probe",
              "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin",
              "--ro-bind-data", "31", "/etc/passwd", "--ro-bind-data", "32", "/etc/group", "--file", "33", "/.flatpak-info",
              "--perms", "0600", "--ro-bind-data", "34", "/run/user/{UID}/.flatpak-info",
              "--bind", "{W}/home", "/var/home", "--setenv", "HOME", "/var/home", "--chmod", "0755", "/etc",
              "--remount-ro", "/app", "--seccomp", "35", "--unsetenv", "LD_LIBRARY_PATH",
              "--die-with-parent", "--chdir", "/var/home", "--info-fd", "36"],
         31: b"root:x:0:0::/:/bin/sh\n", 32: b"root:x:0:\n", 33: b"[Application]\nname=x\n", 34: b"[Instance]\n",
         35: ALLOW, 36: REPORT})
add("an agent's: read-only root, writable workspace", "--new-session", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev",
    "--bind", "{W}", "{W}", "--ro-bind", "{W}/ro", "{W}/ro", "--bind", "/tmp", "/tmp", "--unshare-user", "--unshare-pid",
    "--unshare-net", "--proc", "/proc", "--chdir", "{W}", "--", "{P}", "{W}", "/dev=1")
add("an agent's: protected paths and masks", "--die-with-parent", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc",
    "--tmpfs", "/tmp", "--bind", "{W}", "{W}", "--ro-bind", "{W}/ro", "{W}/ro", "--ro-bind", "/dev/null", "{W}/hidden/key",
    "--tmpfs", "{W}/many", "--remount-ro", "{W}/many", "--ro-bind", "/dev/null", "{W}/dir/file", "--", "sh", "-c",
    "cat {W}/hidden/key; echo new >{W}/dir/new; echo no >{W}/ro/no; {P} {W}", runs=False)
add("an agent's: missing dotfiles", "--ro-bind", "/", "/", "--bind", "{W}", "{W}", "--ro-bind-try", "{W}/.git/hooks", "{W}/.git/hooks",
    "--ro-bind", "/dev/null", "{W}/.env", "--ro-bind-try", "{W}/.vscode", "{W}/.vscode", "--unshare-pid", "--dev", "/dev",
    "--proc", "/proc", "{P}", "{W}")
add("an agent's: a small root", *SYSTEM, "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run", "--bind", "{W}", "/work",
    "--ro-bind", "{P}", "/probe", "--chdir", "/work", "--unshare-all", "--clearenv", "--setenv", "PATH", "/usr/bin", "--setenv", "HOME", "/work",
    "--new-session", "--die-with-parent", "--hostname", "sandbox", "--cap-drop", "ALL", "/probe", "/work", "/=1")
add("a shell in a small root", *SYSTEM, "--dev", "/dev", "--proc", "/proc", "--unshare-all", "sh", "-c", "echo $PPID $$; ls /; id -u")
add("nix's build", "--unshare-all", "--uid", "1000", "--gid", "100", "--hostname", "localhost", "--dir", "/build", "--bind", "{W}", "/build",
    "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/lib", "/lib", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
    "--ro-bind", "{P}", "/probe", "--chdir", "/build", "/probe", "/build")

# ---- what is refused, and how ----

fails("no words")
fails("options and no command", "--ro-bind", "/", "/")
fails("unknown option", "--nonsense")
fails("unknown letter", "-x")
for option in ("--bind", "--ro-bind", "--dev-bind", "--bind-try", "--ro-bind-try", "--symlink", "--setenv", "--file",
               "--bind-data", "--ro-bind-data", "--chmod"):
    fails(f"{option} lacks a word", option, "11")
for option in ("--tmpfs", "--proc", "--dev", "--dir", "--mqueue", "--args", "--chdir", "--unsetenv", "--remount-ro", "--perms",
               "--size", "--uid", "--gid", "--hostname", "--seccomp", "--add-seccomp-fd", "--info-fd", "--json-status-fd",
               "--sync-fd", "--block-fd", "--userns", "--userns2", "--pidns", "--cap-add", "--cap-drop", "--lock-file",
               "--userns-block-fd", "--exec-label", "--file-label"):
    fails(f"{option} lacks its word", option)
fails("labels", "--exec-label", "x", "true")
for option in ("--file", "--bind-data", "--ro-bind-data"):
    fails(f"{option} with no number", option, "x", "/f", "true")
for option in ("--args", "--sync-fd", "--block-fd", "--info-fd", "--json-status-fd", "--seccomp", "--add-seccomp-fd", "--userns",
               "--userns2", "--pidns", "--userns-block-fd"):
    fails(f"{option} with no number", option, "1x", "true")
fails("a number below zero", "--sync-fd", "-1", "true")
fails("no uid", "--uid", "nobody", "true")
fails("no gid", "--gid", "", "true")
fails("no octal", "--perms", "0888", "--dir", "/x", "true")
fails("too much of it", "--perms", "17777", "--dir", "/x", "true")
fails("perms twice", "--perms", "0700", "--perms", "0700", "--dir", "/x", "true")
fails("perms for nothing", "--perms", "0700", "--bind", "/", "/", "true")
fails("size for nothing", "--size", "10", "--dir", "/x", "true")
fails("size twice", "--size", "10", "--size", "10", "--tmpfs", "/x", "true")
fails("size zero", "--size", "0", "--tmpfs", "/x", "true")
fails("size below zero", "--size", "-1", "--tmpfs", "/x", "true")
fails("size too large", "--size", "18446744073709551615", "--tmpfs", "/x", "true")
fails("chmod of no octal", "--chmod", "x", "/x", "true")
fails("an unknown capability", "--cap-add", "CAP_NONE", "true")
fails("args in a file", "--args", "11", "true", fds={11: ["--args", "12"]})
fails("seccomp both ways", "--seccomp", "11", "--add-seccomp-fd", "12", "true", fds={11: ALLOW, 12: ALLOW})
fails("seccomp the other way round", "--add-seccomp-fd", "12", "--seccomp", "11", "true", fds={11: ALLOW, 12: ALLOW})
fails("setenv of nothing", "--setenv", "", "x", "true")
fails("setenv with =", "--setenv", "a=b", "x", "true")
fails("hostname without uts", "--ro-bind", "/", "/", "--hostname", "x", "true")
fails("as-pid-1 without pid", "--ro-bind", "/", "/", "--as-pid-1", "true")
fails("as-pid-1 and a lock", "--ro-bind", "/", "/", "--unshare-pid", "--as-pid-1", "--lock-file", "/etc/passwd", "true")
fails("userns and unshare-user", "--userns", "11", "--unshare-user", "true", fds={11: b""})
fails("userns and unshare-user-try", "--userns", "11", "--unshare-user-try", "true", fds={11: b""})
fails("userns-block-fd without user", "--userns-block-fd", "11", "true", fds={11: b""})
fails("userns-block-fd without info", "--unshare-user", "--userns-block-fd", "11", "true", fds={11: b""})
fails("disable-userns without user", "--disable-userns", "true")
fails("source missing", "--bind", "{W}/none", "/x", "true")
fails("source missing is seen before anything is made", "--bind", "{W}", "/w", "--dir", "/w/dir/made", "--bind", "{W}/none", "/x", "true")
fails("a link that leads nowhere", "--bind", "{W}/links/dangling", "/x", "true")
fails("no directory on the way to a source", "--bind-try", "{W}/plain/x", "/x", "true")
fails("program missing", "--ro-bind", "/", "/", "/none/there", reword=[])
fails("program missing on PATH", "--ro-bind", "/", "/", "no-such-program")
fails("program not executable", "--ro-bind", "/", "/", "{W}/plain")
fails("program is a directory", "--ro-bind", "/", "/", "{W}")
fails("program missing with pid", "--unshare-pid", "--ro-bind", "/", "/", "/none/there")
fails("an empty root", "/bin/true")
fails("no such directory", "--ro-bind", "/", "/", "--chdir", "{W}/none", "true")
fails("a directory where a file is", "--file", "11", "/f", "--bind", "{W}/dir", "/f", "true", fds={11: b""})
fails("a file where a directory is", "--dir", "/d", "--bind", "{W}/plain", "/d", "true")
fails("a tmpfs where a file is", "--file", "11", "/f", "--tmpfs", "/f", "true", fds={11: b""})
fails("below a file", "--file", "11", "/f", "--dir", "/f/x/y", "true", fds={11: b""})
fails("a place in a read-only bind", "--ro-bind", "{W}", "/w", "--bind", "{W}/dir", "/w/none", "true")
fails("a deep place in a read-only bind", "--ro-bind", "{W}", "/w", "--bind", "{W}/dir", "/w/none/deep", "true")
fails("a file in a read-only bind", "--ro-bind", "{W}", "/w", "--ro-bind", "/dev/null", "/w/none", "true")
fails("data in a read-only bind", "--ro-bind", "{W}", "/w", "--file", "11", "/w/none", "true", fds={11: b"x"})
fails("a link in a read-only bind", "--ro-bind", "{W}", "/w", "--symlink", "x", "/w/none", "true")
fails("a link where a file is", "--file", "11", "/f", "--symlink", "x", "/f", "true", fds={11: b""},
      reword=[(r": File exists", ": destination exists and is not a symlink")])
fails("chmod of nothing", "--chmod", "0700", "/none", "true")
fails("remount of no mount", "--dir", "/d", "--remount-ro", "/d", "true")
fails("mqueue of the host's", "--mqueue", "/q", "true")
fails("lock of nothing", "--ro-bind", "/", "/", "--lock-file", "{W}/none", "true", reword=[])
fails("seccomp of a wrong length", "--ro-bind", "/", "/", "--seccomp", "11", "true", fds={11: b"12345"})
fails("a filter that is none", "--ro-bind", "/", "/", "--seccomp", "11", "true", fds={11: b"\xff" * 8})
fails("an fd that is not open", "--file", "77", "/f", "true")
fails("args of an fd that is not open", "--args", "77", "true")
fails("a pidns that is none", "--pidns", "11", "--ro-bind", "/", "/", "true", fds={11: b""},
      reword=[("bwrap: Unexpected short read from pid socket\n", "")])  # a second message of the same fault
fails("a userns that is none", "--userns", "11", "--ro-bind", "/", "/", "true", fds={11: b""})

# ---- what only 0.11 has, and what the old version gets wrong: run here alone, not counted ----


def wants(status=0, out=None, err=None, has=(), lacks=(), files=()):
    def check(r):
        if r.status != status:
            return f"status {r.status}: {r.err}"
        if out is not None and r.out != out:
            return f"stdout {r.out!r}"
        if err is not None and err not in r.err:
            return f"stderr {r.err!r}"
        for text in has:
            if text not in r.out:
                return f"not in the output: {text!r}\n{r.out}"
        for text in lacks:
            if text in r.out:
                return f"in the output: {text!r}\n{r.out}"
        there = {name: text for name, _, _, text in r.files}
        for name, text in files:
            if there.get(name) != text:
                return f"{name} on the host: {there.get(name)!r}"
        return None
    return check


def alone(name, *args, **more):
    expect = wants(**{k: more.pop(k) for k in ("status", "out", "err", "has", "lacks", "files") if k in more})
    CASES.append(Case(name, list(args), expect=expect, **more))


alone("version", "--version", has=["bubblewrap 0.11.0\n"])
alone("help", "--help", has=["usage: ", "--ro-bind SRC DEST"])
alone("argv0", "--ro-bind", "/", "/", "--argv0", "other", "{P}", has=["argv0 other\n"])
alone("argv0 twice", "--argv0", "a", "--argv0", "b", "true", status=1, err="bwrap: --argv0 used multiple times\n")
alone("level-prefix", "--level-prefix", "--bind", "{W}/none", "/x", "true", status=1, err="<3>bwrap: Can't find source path ")
alone("level-prefix of a warning", "--level-prefix", "--chdir", "/a", "--chdir", "/", "--ro-bind", "/", "/", "true",
      err="<4>bwrap: Only the last --chdir option will take effect\n")
alone("symlink that is there", "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--symlink", "a", "/tmp/l", "--symlink", "a", "/tmp/l", "true")
alone("symlink that is another", "--tmpfs", "/tmp", "--symlink", "a", "/tmp/l", "--symlink", "b", "/tmp/l", "true",
      status=1, err="bwrap: Can't make symlink at /tmp/l: existing destination is a\n")
alone("bind-fd", "--ro-bind", "/", "/", "--tmpfs", "/mnt", "--bind-fd", "11", "/mnt/d", "cat", "/mnt/d/file", fds={11: "{W}/dir"}, out="one\n")
alone("ro-bind-fd", "--ro-bind", "/", "/", "--tmpfs", "/mnt", "--ro-bind-fd", "11", "/mnt/d", "sh", "-c", "echo x >/mnt/d/new", status=2,
      fds={11: "{W}/dir"}, err="Read-only file system")
alone("overlay", "--ro-bind", "/", "/", "--tmpfs", "/mnt", "--overlay-src", "{W}/lower1", "--overlay-src", "{W}/lower2", "--overlay",
      "{W}/upper", "{W}/work", "/mnt/o", "sh", "-c", "cd /mnt/o; cat a b c; echo new >n", out="1a\n2b\n2c\n",
      files=[("upper/n", b"new\n"), ("lower1/a", b"1a\n")])
alone("tmp-overlay", "--ro-bind", "/", "/", "--tmpfs", "/mnt", "--overlay-src", "{W}/lower1", "--tmp-overlay", "/mnt/o", "sh", "-c",
      "cd /mnt/o; cat a b; echo new >n; cat n; rm a; ls", out="1a\n1b\nnew\nb\nn\n", files=[("lower1/a", b"1a\n"), ("lower1/n", None)])
alone("two tmp-overlays", "--ro-bind", "/", "/", "--tmpfs", "/mnt", "--overlay-src", "{W}/lower1", "--tmp-overlay", "/mnt/o",
      "--overlay-src", "{W}/lower2", "--tmp-overlay", "/mnt/p", "sh", "-c", "echo x >/mnt/o/x; ls /mnt/o /mnt/p",
      out="/mnt/o:\na\nb\nx\n\n/mnt/p:\nb\nc\n")
alone("ro-overlay", "--ro-bind", "/", "/", "--tmpfs", "/mnt", "--overlay-src", "{W}/lower1", "--overlay-src", "{W}/lower2", "--ro-overlay", "/mnt/o",
      "sh", "-c", "cd /mnt/o; cat a b c; echo x >n", status=2, out="1a\n2b\n2c\n", err="Read-only file system")
alone("an overlay and a root over it", "--overlay-src", "{W}/lower1", "--tmp-overlay", "/", "--ro-bind", "{P}", "/probe", "/probe", "/=1",
      has=["file /a ", "file /b "])
alone("a tmp-overlay leaves no trace of its tmpfs", "--bind", "/", "/", "--overlay-src", "{W}/lower1", "--tmp-overlay", "{W}/many",
      "{P}", "/proc/sys=1", lacks=["upper-0", "work-0"])
alone("overlay without a source", "--tmp-overlay", "/x", "true", status=1, err="bwrap: --tmp-overlay requires at least one --overlay-src\n")
alone("ro-overlay of one", "--overlay-src", "/", "--ro-overlay", "/x", "true", status=1, err="bwrap: --ro-overlay requires at least two --overlay-src\n")
alone("overlay-src for nothing", "--overlay-src", "/", "--bind", "/", "/", "true", status=1, err="bwrap: --overlay-src must be followed by ")
alone("overlay-src at the end", "--ro-bind", "/", "/", "--overlay-src", "/", "true", status=1, err="bwrap: --overlay-src must be followed by ")
# CVE-2026-87766: a link in a bound directory led the old set-up to the host's tree, at /oldroot.
alone("a bound link does not lead out", "--bind", "{W}", "/w", "--ro-bind", "{P}", "/probe", "--dir", "/target", "--dir", "/w/links/abs/made",
      "/probe", "/=2",
      has=["file /target/made "], lacks=["oldroot"])
alone("a link to the root is the new root", "--ro-bind", "{W}", "/w", "--ro-bind", "{P}", "/probe", "--dir", "/w/links/root/made", "/probe", "/=1",
      has=["file /made "])
alone("dots do not lead out", "--ro-bind", "{P}", "/probe", "--dir", "/../../made", "/probe", "/=1", has=["file /made "])
alone("parents are made with 0755", "--ro-bind", "{P}", "/a/b/probe", "/a/b/probe", "/=1", has=["file /a 40755 "])
# More words than the old one takes.
alone("12000 words", "--args", "11", "{P}", fds={11: ["--ro-bind", "/", "/"] + ["--setenv", "A", "b"] * 4000}, has=["env A=b\n"])
