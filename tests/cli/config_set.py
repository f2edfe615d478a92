#!/usr/bin/env python3
"""Drives `bawn config set` through crashes, faults and other writers.

    config_set.py kill-each | kill-missing | kill-random | faults | writers

$BAWN is the program, $BAWN_HOME its directory. What must hold after every step: config.toml is the old
text or the new one, whole; the next `set` works and leaves no temporary file.
"""

import fcntl
import os
import random
import re
import subprocess
import sys
import time

BAWN = os.environ["BAWN"]
HOME = os.environ["BAWN_HOME"]
FILE = os.path.join(HOME, "config.toml")
OLD = '# mine\nsandbox_mode = "read-only" # why\n\n[limits]\nprocesses = 3\n'
NEW = OLD.replace("read-only", "workspace-write")
FIRST = 'sandbox_mode = "workspace-write"\n'
SET = [BAWN, "config", "set", "sandbox_mode", "workspace-write"]
# A sanitized program cannot look for leaks under a tracer.
ENV = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def put(text):
    if text is None:
        subprocess.run(["rm", "-rf", "--", HOME], check=True)
        return
    os.makedirs(HOME, 0o700, exist_ok=True)
    with open(FILE, "w", encoding="utf-8") as f:
        f.write(text)


def get():
    try:
        with open(FILE, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None


def temporaries():
    return [n for n in (os.listdir(HOME) if os.path.isdir(HOME) else []) if n.endswith(".tmp")]


def strace(*options):
    return subprocess.run(["strace", "-f", "-qq", *options, "--", *SET], env=ENV, capture_output=True,
                          text=True, check=False)


def calls(old):
    """Every system call of one undisturbed run, in order: (name, how many of that name, the line)."""
    trace = os.path.join(os.environ["TMPDIR"], "trace")
    put(old)
    r = strace("-y", "-s0", "-o", trace)
    assert r.returncode == 0, r.stderr
    seen, out = {}, []
    with open(trace, encoding="utf-8", errors="replace") as f:
        for line in f:
            m = re.match(r"\d+\s+(\w+)\(", line)
            if m:
                seen[m[1]] = seen.get(m[1], 0) + 1
                out.append((m[1], seen[m[1]], line))
    assert len(out) > 10, out
    return out


def next_set_works(new):
    r = subprocess.run(SET, env=ENV, capture_output=True, text=True, check=False)
    assert r.returncode == 0 and not r.stderr, r.stderr
    assert get() == new, get()
    assert not temporaries(), temporaries()


def kill_each(old, new):
    """SIGKILL on entering each system call in turn: nothing happens between two of them."""
    outcomes, leftovers = set(), 0
    for name, k, line in calls(old):
        if name == "execve" or name.startswith("exit"):
            continue
        put(old)
        r = strace("-o", "/dev/null", "-e", f"inject={name}:signal=KILL:when={k}")
        assert r.returncode in (-9, 137), (line, r.returncode, r.stderr)
        assert get() in (old, new), (line, get())
        outcomes.add(get())
        leftovers += len(temporaries())
        next_set_works(new)
    # The instants that matter were among them.
    assert outcomes == {old, new}, outcomes
    assert leftovers >= 3, leftovers


def kill_random():
    for _ in range(60):
        put(OLD)
        with subprocess.Popen(SET, env=ENV) as p:
            time.sleep(random.random() * 0.004)
            p.kill()
        assert get() in (OLD, NEW), get()
    next_set_works(NEW)


def faults():
    """Each call on the way to the new file fails once."""
    ways = {"openat": "ENOSPC", "flock": "ENOLCK", "write": "ENOSPC", "fsync": "EIO", "rename": "EIO",
            "renameat": "EIO", "renameat2": "EIO", "fchmod": "EPERM", "unlinkat": "EIO"}
    failed = set()
    for name, k, line in calls(OLD):
        about_directory = name == "fsync" and "config.toml" not in line
        if name not in ways or not ("config.toml" in line or about_directory):
            continue
        if name == "openat" and "O_CREAT" not in line:
            continue
        put(OLD)
        if name == "openat" and "lock" in line:
            os.unlink(FILE + ".lock")
        r = strace("-o", "/dev/null", "-e", f"inject={name}:error={ways[name]}:when={k}")
        where = (line, r.returncode, r.stderr)
        assert r.returncode == 1, where
        assert re.fullmatch(r"bawn: [^\n]*" + re.escape(FILE) + r"[^\n]*\n", r.stderr), where
        # The directory's fsync comes after the rename.
        assert get() == (NEW if about_directory else OLD), where
        assert not temporaries(), where
        failed.add("fsync of the directory" if about_directory else re.sub(r"at2?$", "", name))
        next_set_works(NEW)
    assert failed == {"open", "flock", "write", "fsync", "fsync of the directory", "rename", "fchmod",
                      "unlink"}, failed


def writers():
    """Eight at once. All of them are made to wait for the lock first, so that none is early by luck."""
    keys = ["cpu_seconds", "memory", "processes", "open_files", "file_size", "wall_seconds"]
    settings = [(f"limits.{k}", str(2000 + i)) for i, k in enumerate(keys)]
    settings += [("sandbox_mode", '"workspace-write"'), ("allow_ptrace", "true")]
    put("# mine\n")
    lock = os.open(FILE + ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    inode = os.fstat(lock).st_ino
    running = [subprocess.Popen([BAWN, "config", "set", k, v], env=ENV) for k, v in settings]
    end = time.monotonic() + 30
    while True:
        with open("/proc/locks", encoding="ascii") as f:
            waiting = sum(1 for line in f if "->" in line and f":{inode} " in line)
        if waiting == len(settings):
            break
        assert time.monotonic() < end, f"{waiting} wait for the lock"
        assert all(p.poll() is None for p in running), "one did not wait"
        time.sleep(0.01)
    assert get() == "# mine\n", get()
    os.close(lock)
    assert [p.wait(60) for p in running] == [0] * len(settings)
    text = get()
    assert text.startswith("# mine\n"), text
    for key, value in settings:
        line = f"{key.rsplit('.', maxsplit=1)[-1]} = {value}\n"
        assert text.count(line) == 1, (line, text)
    assert not temporaries(), temporaries()


STEPS = {"kill-each": lambda: kill_each(OLD, NEW), "kill-missing": lambda: kill_each(None, FIRST),
         "kill-random": kill_random, "faults": faults, "writers": writers}
STEPS[sys.argv[1]]()
