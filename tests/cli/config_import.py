#!/usr/bin/env python3
"""Drives `bawn config import` through crashes and faults.

    config_import.py kill-each | kill-force | faults

$BAWN is the program, $BAWN_HOME its directory, $CODEX_HOME what is imported. What must hold after every
step: each file is absent, the old text or the new one, whole; the same import again brings all of them and
leaves no temporary file.
"""

import os
import re
import shutil
import subprocess
import sys

BAWN = os.environ["BAWN"]
HOME = os.environ["BAWN_HOME"]
IMPORT = [BAWN, "config", "import", "--from", "codex", "-q"]
# A sanitized program cannot look for leaks under a tracer.
ENV = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


def files():
    out = {}
    for top, _, names in os.walk(HOME):
        for n in names:
            path = os.path.join(top, n)
            with open(path, encoding="utf-8") as f:
                out[os.path.relpath(path, HOME)] = f.read()
    return {n: t for n, t in out.items() if not n.endswith(".lock")}


def put(old):
    shutil.rmtree(HOME, ignore_errors=True)
    for name, text in old.items():
        path = os.path.join(HOME, name)
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)


def strace(more, *options):
    return subprocess.run(["strace", "-f", "-qq", *options, "--", *IMPORT, *more], env=ENV, capture_output=True,
                          text=True, check=False)


def calls(old, more):
    """Every system call of one undisturbed run, in order: (name, how many of that name, the line)."""
    trace = os.path.join(os.environ["TMPDIR"], "trace")
    put(old)
    r = strace(more, "-y", "-s0", "-o", trace)
    assert r.returncode == 0, r.stderr
    seen, out = {}, []
    with open(trace, encoding="utf-8", errors="replace") as f:
        for line in f:
            m = re.match(r"\d+\s+(\w+)\(", line)
            if m:
                seen[m[1]] = seen.get(m[1], 0) + 1
                out.append((m[1], seen[m[1]], line))
    assert len(out) > 20, out
    return out, files()


def whole(old, new):
    """Nothing but whole files; a .import may be half-written, its place may not."""
    now = files()
    for name, text in now.items():
        if name.endswith(".import"):
            continue
        base = re.sub(r"\.bak\d*$", "", name)
        allowed = [old.get(base)] if name != base else [old.get(name), new[name]]
        assert text in allowed, (name, text)
    for name in old:
        assert name in now, f"{name} is lost"


def once_more(new, more):
    r = subprocess.run([*IMPORT, *more], env=ENV, capture_output=True, text=True, check=False)
    assert r.returncode == 0 and not r.stderr, r.stderr
    now = {n: t for n, t in files().items() if ".bak" not in n}
    assert now == {n: t for n, t in new.items() if ".bak" not in n}, now


def kill_each(old, more):
    """SIGKILL on entering each system call in turn: nothing happens between two of them."""
    every, new = calls(old, more)
    killed = partial = 0
    # From the first that could change anything on.
    first = next(i for i, (_, _, line) in enumerate(every) if HOME in line)
    for name, n, _ in every[first:]:
        put(old)
        r = strace(more, "-e", f"inject={name}:signal=KILL:when={n}", "-e", f"trace={name}")
        if r.returncode == 0:
            continue
        killed += 1
        whole(old, new)
        partial += 0 < sum(t == new.get(f) != old.get(f) for f, t in files().items()) < len(new)
        once_more(new, more)
    assert killed > 20, killed
    assert partial > 2, "no kill came between two files: the test proves nothing"
    print(f"{killed} kills")


def faults(old, more):
    """Each call that writes fails once: one line, status 1, and what was there is there."""
    every, new = calls(old, more)
    failed = 0
    for name, n, line in every:
        error = {"write": "ENOSPC", "fsync": "EIO", "renameat": "EIO", "flock": "EIO", "linkat": "EPERM",
                 "mkdir": "ENOSPC", "mkdirat": "ENOSPC"}.get(name)
        if not error or (name == "write" and HOME not in line):
            continue
        put(old)
        r = strace(more, "-e", f"inject={name}:error={error}:when={n}", "-e", f"trace={name}")
        if r.returncode == 0:
            continue
        failed += 1
        assert r.returncode == 1 and "bawn: " in r.stderr, (name, r.stderr)
        whole(old, new)
        left = [f for f in files() if f.endswith(".import")]
        assert not left, (name, left)
        once_more(new, more)
    assert failed > 6, failed
    print(f"{failed} faults")


OLD = {"config.toml": "# mine\nsandbox_mode = \"read-only\"\n", "rules/codex-default.rules": "# mine\n", "trust.toml": ""}
{"kill-each": lambda: kill_each({}, []), "kill-force": lambda: kill_each(OLD, ["--force"]),
 "faults": lambda: (faults({}, []), faults(OLD, ["--force"]))}[sys.argv[1]]()
