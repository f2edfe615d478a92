"""Other processes, and outliving one's own."""
import os
import signal
import time


def victim(s):
    s.victim()


def in_time(s, condition):
    """Whether CONDITION comes true. Bare it has to, however busy the machine is; inside it is given what it
    takes on an idle one."""
    end = time.monotonic() + (0.3 if s.inside else 10)
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def died(s):
    return in_time(s, lambda: s.data["victim"].poll() is not None)


def limited(s):
    with open(f"/proc/{s.data['victim'].pid}/limits") as f:
        return any(line.split()[3] == "16" for line in f if line.startswith("Max open files"))


def niced(s):
    return os.getpriority(os.PRIO_PROCESS, s.data["victim"].pid) == 19


def pinned(s):
    return os.sched_getaffinity(s.data["victim"].pid) == {0}


def ticking(s):
    """Whether somebody still writes into the file."""
    def size():
        try:
            return os.stat(f"{s.w}/tick").st_size
        except OSError:
            return 0
    time.sleep(0.3)
    before = size()
    return in_time(s, lambda: size() > before)


def kill_it(number):
    def during(s, p):
        s.wait_for("{w}/tick")
        time.sleep(0.1)
        os.kill(p.pid, number)
        time.sleep(0.05)
        if number != signal.SIGKILL:
            for _ in range(60):  # bawn may give a grace period; bare, the shell is gone at once
                if p.poll() is not None:
                    break
                time.sleep(0.1)
            else:
                os.kill(p.pid, signal.SIGKILL)
    return during


def stop_and_kill(s, p):
    """All processes of bawn that can be found, ended at the same time, the last one first."""
    s.wait_for("{w}/tick")
    kids = [p.pid]
    if s.inside:
        with open(f"/proc/{p.pid}/task/{p.pid}/children") as f:
            kids += [int(k) for k in f.read().split()]
    os.kill(kids[-1 if len(kids) > 1 else 0], signal.SIGKILL)
    time.sleep(0.1)


def filtered(s):
    s.env["ESC_HELD"] = "{token}"


ATTEMPTS = [
    A("proc-root", "{esc} proc-create root {o}/new", before=victim),
    A("proc-cwd", "{esc} proc-create cwd new {o}", before=victim, effect=lambda s: os.path.exists(f"{s.o}/new")),
    A("proc-fd", "{esc} proc-fd {w}/victim", before=victim),
    A("proc-mem", "{esc} proc-mem {w}/victim", before=victim, leak=True),
    A("proc-mem-any", "{esc} proc-mem-any {o}/secret", before=victim),
    A("proc-environ", "{esc} proc-search environ {o}/secret", before=victim),
    A("own-environ", "{esc} proc-search environ {o}/secret", before=filtered,
      opts=("-c", 'shell_environment_policy.exclude=["ESC_HELD"]')),
    A("pid1-environ", "tr '\\0' '\\n' < /proc/1/environ | grep . || {esc} proc-search environ {o}/secret",
      before=filtered, opts=("-c", 'shell_environment_policy.exclude=["ESC_HELD"]')),
    A("proc-cmdline", "{esc} proc-search cmdline {o}/secret",
      before=lambda s: s.outside("sh", "-c", "sleep 60; : {token}")),
    A("policy-in-cmdline", "{esc} proc-search cmdline {o}/secret", mode=None,
      before=lambda s: (s.put("{w}/{token}.key"), s.outside("sh", "-c", "sleep 60; : {token}")),
      config='[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n'
             '"{w}/{token}.key" = "none"\n'),
    A("vm-readv", "{esc} vm-readv {w}/victim", before=victim, leak=True),
    A("vm-writev", "{esc} vm-writev {w}/victim", before=victim),
    A("vm-readv-child", "{esc} vm-readv-child"),
    A("ptrace-attach", "{esc} ptrace-attach {w}/victim", before=victim),
    A("ptrace-seize", "{esc} ptrace-seize {w}/victim", before=victim),
    A("ptrace-any", "{esc} ptrace-any", before=victim),
    A("ptrace-child", "{esc} ptrace-child"),
    A("pidfd-getfd", "{esc} pidfd-getfd {w}/victim", before=victim),
    A("pidfd-getfd-any", "{esc} pidfd-getfd-any", before=victim),
    A("kill", "{esc} kill {w}/victim", before=victim, effect=died),
    A("kill-thread", "{esc} tgkill {w}/victim", before=victim, effect=died),
    A("kill-group", "{esc} kill-group {w}/victim", before=victim, effect=died),
    A("kill-queue", "{esc} sigqueue {w}/victim", before=victim, effect=died),
    A("kill-pidfd", "{esc} pidfd-kill {w}/victim", before=victim, effect=died),
    A("kill-by-sigio", "{esc} sigio {w}/victim", before=victim, effect=died),
    A("prlimit", "{esc} prlimit {w}/victim", before=victim, effect=limited),
    A("setpriority", "{esc} setpriority {w}/victim", before=victim, effect=niced),
    A("affinity", "{esc} affinity {w}/victim", before=victim, effect=pinned),
    A("caller-visible", "test -d /proc/$(head -1 {w}/victim | cut -d' ' -f1)", before=victim),
    A("survive-end", "{esc} survive {w}/tick", effect=ticking),
    A("survive-nohup", "nohup setsid sh -c 'while :; do echo . >> {w}/tick; sleep 0.02; done' "
      ">/dev/null 2>&1 & sleep 0.2", effect=ticking),
    A("survive-storm", "{esc} survive-storm {w}/tick; sleep 0.6", effect=ticking),
    A("survive-sigkill", "{esc} survive-kill {w}/tick", during=kill_it(signal.SIGKILL), effect=ticking),
    A("survive-sigterm", "{esc} survive-kill {w}/tick", during=kill_it(signal.SIGTERM), effect=ticking),
    A("survive-sighup", "{esc} survive-kill {w}/tick", during=kill_it(signal.SIGHUP), effect=ticking),
    A("survive-helper-killed", "{esc} survive-kill {w}/tick & wait", during=stop_and_kill, effect=ticking),
    A("setuid-copy", "{o}/suid am-i-root", needs_root=True,
      before=lambda s: (s.sh("cp {esc} {o}/suid"), os.chown(f"{s.o}/suid", 0, 0),
                        os.chmod(f"{s.o}/suid", 0o4755))),
    A("setuid-in-workspace", "{w}/suid am-i-root", needs_root=True,
      before=lambda s: (s.sh("cp {esc} {w}/suid"), os.chown(f"{s.w}/suid", 0, 0),
                        os.chmod(f"{s.w}/suid", 0o4755))),
    A("file-capability", "{o}/capped chroot-only {w}", needs_root=True,
      before=lambda s: (s.sh("cp {esc} {o}/capped"), os.chown(f"{s.o}/capped", 0, 0),
                        os.setxattr(f"{s.o}/capped", "security.capability",
                                    bytes.fromhex("0100000200000400000000000000000000000000")))),
]
