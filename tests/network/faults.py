"""The helpers and bawn itself at the worst moment: ended or stopped at every step of a start and of a request, a full
disk, a limit and one more. What must hold is the same at every moment, so that no case depends on which it was.
"""
import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import events
import scene as scenery
from events import CURL, INSIDE, Asked, Case, Running, need, until

CASES = []
# One that is allowed, one that is looked into, and one that is refused, straight and through the proxy.
REFUSED = "http://93.184.215.21/hello"
TRY = f"echo ran; curl -sS -m 8 http://www.example.com/hello; curl -sS -m 8 https://api.example.com/echo/x; " \
      f"curl -sS -m 3 -x $HTTP_PROXY {REFUSED}; curl -sS -m 3 --noproxy '*' {REFUSED}; curl -sS -m 8 https://api.example.com/hello; exit 7"
NEVER = re.compile(r"at 93\.184\.215\.21|hello api|never\.test at")


def case(f):
    CASES.append(Case(f.__name__.replace("_", "-"), f))
    return f


def marked(mark):
    """Processes that have MARK in their environment: bawn's helpers have none."""
    found = set()
    for p in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{p}/environ", "rb") as f:
            if mark.encode() in f.read():
                found.add(int(p))
    return found


def helpers():
    return {int(p) for p in filter(str.isdigit, os.listdir("/proc")) if events.comm(int(p)) in ("bawn-proxy", "bawn-intercept")
            and not events.ended(int(p))}


def mounts():
    with open("/proc/self/mountinfo") as f:
        return sorted(line.split(" ", 1)[1] for line in f)


class Left:
    """Nothing of what happens in here is there afterwards."""

    def __init__(self, s):
        self.s, self.mark = s, f"FAULT={time.monotonic_ns()}"
        self.before = self.look()

    def look(self):
        return helpers(), mounts(), events.listening(), sorted(os.listdir(self.s.w))

    def env(self, **more):
        return {"FORGE_TOKEN": "the-real-secret", "FAULT": self.mark.split("=")[1], **more}

    def __enter__(self):
        return self

    def __exit__(self, kind, *a):
        if kind:
            return
        left = until(lambda: not marked(self.mark) and helpers() <= self.before[0], 10)
        need(left, f"still there: {[(p, events.comm(p)) for p in marked(self.mark) | (helpers() - self.before[0])]}")
        # A killed bawn leaves placeholders that are written down: the next start takes them away.
        r = self.s.run("true", profile="off")
        need(r.status == 0, f"the next start: {r.errors!r}")
        now = self.look()
        for what, a, b in zip(("mounts", "listeners", "names in the workspace"), self.before[1:], now[1:]):
            need(a == b, f"other {what}: {set(map(str, b)) ^ set(map(str, a))}")


def wait_for(p, name, seconds=5):
    """The helper NAME of the run P, as soon as it is there; None when the run is over first."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and p.poll() is None:
        for k in events.tree(p.pid):
            if events.comm(k) == name:
                return k
    return None


def finish(p, seconds=30):
    try:
        out, err = p.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(OSError):
            os.killpg(p.pid, signal.SIGKILL)
        out, err = p.communicate()
        raise events.Wrong(f"it does not end: {out[-300:]!r} {err[-300:]!r}") from None
    return scenery.Result(p.returncode, out, err)


# ---- the helpers, at every moment of a start -----------------------------------------------------------

def fails_closed(r, moment):
    """Either nothing ran, and bawn said why; or the command ran, and what was not allowed did not pass."""
    need(not NEVER.search(r.text), f"{moment}: it passed: {r.text!r}")
    if "ran" not in r.text:
        need(r.status == 125 and "bawn:" in r.errors, f"{moment}: status {r.status}, {r.errors!r}")
    else:
        need(r.status == 7, f"{moment}: status {r.status}, {r.text!r} {r.errors!r}")


def at_each_moment(name, number, moments):
    def go(s):
        outcomes = set()
        with Left(s) as left:
            for ms in moments:
                p = s.popen(["/bin/bash", "-c", TRY], "looked-into", env=left.env())
                pid = wait_for(p, name)
                if pid:
                    time.sleep(ms / 1000)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                r = finish(p)
                fails_closed(r, f"{ms} ms")
                outcomes.add("ran" in r.text)
        need(outcomes, "no moment")
    CASES.append(Case(f"{name[5:]}-{number.name[3:].lower()}-at-each-moment", go))


for _name in ("bawn-proxy", "bawn-intercept"):
    at_each_moment(_name, signal.SIGKILL, [0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50])


@case
def helpers_stopped_at_start(s):
    """bawn does not wait for ever, and does not start the command without them."""
    failures = []

    def one(name, ms):
        try:
            p = s.popen(["/bin/bash", "-c", TRY], "looked-into", env=left.env())
            pid = wait_for(p, name)
            if pid:
                time.sleep(ms / 1000)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            r = finish(p, 45)
            fails_closed(r, f"{name} after {ms} ms")
            need("ran" in r.text or "did not answer in time" in r.errors, f"{name} after {ms} ms: {r.errors!r}")
        except events.Wrong as e:
            failures.append(str(e))
    with Left(s) as left:
        threads = [threading.Thread(target=one, args=x) for x in (
            ("bawn-proxy", 0), ("bawn-proxy", 1), ("bawn-proxy", 4), ("bawn-intercept", 0), ("bawn-intercept", 2), ("bawn-intercept", 8))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    need(not failures, "; ".join(failures))


# ---- and of a request ----------------------------------------------------------------------------------

def intercept_of(w):
    return next(k for k in events.tree(w.p.pid) if events.comm(k) == "bawn-intercept")


@case
def helpers_stopped_then_the_command_ends(s):
    """A helper that does nothing any more does not hold up the end."""
    for stop in ("proxy", "intercept", "both"):
        with Left(s) as left, Running(s, events.READY + "exit 7", profile="looked-into", env=left.env()) as w:
            for pid in {"proxy": [w.proxy], "intercept": [intercept_of(w)], "both": [w.proxy, intercept_of(w)]}[stop]:
                os.kill(pid, signal.SIGSTOP)
            r = w.go(timeout=10)
            need(r.status == 7, f"{stop}: status {r.status} {r.errors!r}")


@case
def intercept_killed_in_a_request(s):
    """The tunnels break, nothing is looked through unopened, and what needs no opening goes on or is closed."""
    with Running(s, "curl -sS -m 30 'https://api.example.com/echo/held?x' -o /dev/null; echo ready; read -r line; "
                 "curl -sS -m 10 https://api.example.com/echo/after; echo tls $?; curl -sS -m 10 -d x https://api.example.com/hello",
                 profile="looked-into", env={"FORGE_TOKEN": "the-real-secret"}) as w:
        os.kill(intercept_of(w), signal.SIGKILL)
        r = w.go()
    need(re.search("tls [1-9]", r.text) and not s.internet.seen("/echo/after"), f"it was not looked into: {r.text!r} {r.errors!r}")
    need("the-real-secret" not in r.text + r.errors, "the secret is shown")


@case
def intercept_starved(s):
    """No descriptors left for what is to be looked into: refused, and never let through unopened."""
    with Running(s, events.READY + "for i in $(seq 40); do curl -sS -m 10 https://api.example.com/hello -o /dev/null & done; wait; "
                 "curl -sS -m 10 https://api.example.com/hello", profile="looked-into", env={"FORGE_TOKEN": "the-real-secret"}) as w:
        pid = intercept_of(w)
        events.limit(s, pid, f"--nofile={events.descriptors(pid) + 3}")
        r = w.go()
    need("hello api" not in r.text, f"a path that no rule allows: {r.text!r}")


# ---- bawn itself ---------------------------------------------------------------------------------------

@case
def bawn_killed_at_each_moment(s):
    """Nothing of it is left: no process, socket, mount, file."""
    with Left(s) as left:
        for ms in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 23, 26, 30, 35, 40, 50, 60, 80]:
            p = s.popen(["/bin/bash", "-c", f"{CURL}; sleep 100"], "looked-into", env=left.env())
            time.sleep(ms / 1000)
            os.kill(p.pid, signal.SIGKILL)
            p.communicate()


@case
def two_at_once_and_one_is_killed(s):
    """The other goes on."""
    with Left(s) as left, Running(s, events.READY + CURL, env=left.env()) as a:
        with Running(s, events.READY + CURL, env=left.env()) as b:
            os.kill(b.p.pid, signal.SIGKILL)
            need(until(lambda: events.ended(b.proxy)), "its proxy lives")
        r = a.go()
        need("hello" in r.text, f"{r.text!r} {r.errors!r}")


def with_less(s, limit, values):
    """Runs with less and less of something until it works: at no value is the filter left out, or half there."""
    ran = []
    with Left(s) as left:
        for n in values:
            old, s.argv = s.argv, lambda *a: ["prlimit", f"--{limit}={n}", "--", *old(*a)]
            try:
                r = s.run(["/bin/bash", "-c", TRY], "looked-into", env=left.env(), timeout=40)
            finally:
                s.argv = old
            need("(did not end)" not in r.errors, f"{limit} {n}: it does not end")
            if "ran" not in r.text:  # then something may have failed before bawn could say so
                need(r.status < 0 or (r.status != 7 and r.errors), f"{limit} {n}: status {r.status}, {r.errors!r}")
                need(not NEVER.search(r.text), f"{limit} {n}: {r.text!r}")
            else:
                fails_closed(r, f"{limit} {n}")
            ran.append("ran" in r.text)
    need(ran[-1], f"with {values[-1]} it does not run: {r.text!r} {r.errors!r}")
    need(not ran[0], f"{values[0]} is enough: the row shows nothing")


@case
def few_descriptors_at_start(s):
    with_less(s, "nofile", [5, 8, 11, 14, 18, 22, 26, 30, 34, 38, 42, 50, 400])


@case
def little_memory_at_start(s):
    with_less(s, "as", [n << 20 for n in (1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 32, 48, 64, 128, 512, 4096)])


# ---- the disk ------------------------------------------------------------------------------------------

@contextlib.contextmanager
def small_home(s):
    """$BAWN_HOME on a file system of 256 KiB; yields what fills it up."""
    home = s.t + "/small"
    os.makedirs(home, exist_ok=True)
    owner = f",uid={scenery.USER.pw_uid},gid={scenery.USER.pw_gid}" if scenery.USER else ""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=256k,mode=700{owner}", "small", home], check=True)
    shutil.copy(s.t + "/bawn/config.toml", home)
    if scenery.USER:
        os.chown(home + "/config.toml", scenery.USER.pw_uid, scenery.USER.pw_gid)

    def fill():
        with contextlib.suppress(OSError), open(home + "/filler", "ab", buffering=0) as f:
            for size in (4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        f.write(bytes(size))
    try:
        yield home, fill
    finally:
        subprocess.run(["umount", "-l", home], check=True)


@case
def disk_full_at_start(s):
    """What cannot be recorded is not allowed, or the run does not start; and it is said."""
    with small_home(s) as (home, fill):
        fill()
        r = s.run(f"echo ran; {CURL}", env={"BAWN_HOME": home})
    need("bawn:" in r.errors, f"nothing is said: {r.status} {r.text!r} {r.errors!r}")
    return r


@case
def disk_full_in_the_middle(s):
    with small_home(s) as (home, fill):
        with Running(s, f"{events.READY}{CURL}; curl -sS -m 20 http://never.test/; echo end", env={"BAWN_HOME": home}) as w:
            fill()
            r = w.go()
    need(r.status == 0 and "end" in r.text and not NEVER.search(r.text), f"{r.status} {r.text!r}")
    need("bawn:" in r.errors, f"nothing is said: {r.errors!r}")
    return r


# ---- a limit, and one more -----------------------------------------------------------------------------

@case
def limit_of_questions(s):
    """65 hosts are asked about at once: 64 questions stand, and the 65th is a no; none is answered for another."""
    release = threading.Event()

    def decide(q):
        release.wait(30)
        return "once" if q["reach"].startswith("even") else "no"
    with Asked(s, decide) as ask:
        threading.Thread(target=lambda: (until(lambda: s.internet.seen("all-asked"), 20), release.set()), daemon=True).start()
        r = ask.run([*INSIDE, "questions", "65"])
    need(re.search(r"^refused-at-once 1 True$", r.text, re.M), f"{r.text!r} {r.errors[-300:]!r}")
    need(re.search(r"^mixed-up \[\]$", r.text, re.M), f"{r.text!r}")
    return r


@case
def limit_of_names(s):
    """More names than the stub has addresses: those that have one keep it, and no address stands for two."""
    # Another proxy resolves: no name is looked up here.
    r = s.run([*INSIDE, "many_names", "66000"], env={"ALL_PROXY": f"http://{events.UP}:3128"})
    need("twice 0\nfirst kept True\nserved True\n" in r.text, f"{r.text!r} {r.errors[-300:]!r}")
    m = re.search(r"addresses (\d+)", r.text)
    need(m and int(m[1]) == 65536, f"{r.text!r}")
    return r


@case
def limit_of_udp_peers(s):
    """More destinations than an association holds: the oldest is let go, nobody gets another's answer."""
    r = s.run([*INSIDE, "many_peers", "70"])
    need("answers 70 mixed 0" in r.text, f"{r.text!r} {r.errors[-300:]!r}")
    return r


@case
def associations_beside_each_other(s):
    """Of two clients each keeps its datagrams when the other goes, whoever spoke first; with the last one all end."""
    r = s.run([*INSIDE, "two_associations"])
    need("first True second True after True" in r.text and "late True" in r.text, f"{r.text!r} {r.errors[-300:]!r}")
    return r


@case
def limit_of_events(s):
    """bawn stands still and takes no decisions: refusals are dropped and counted, and what is new is not allowed."""
    with Running(s, [*INSIDE, "flood", "6000"]) as w:
        os.kill(w.p.pid, signal.SIGSTOP)
        w.p.stdin.write(b"go\n")
        w.p.stdin.flush()
        line = w.p.stdout.readline().decode()
        os.kill(w.p.pid, signal.SIGCONT)
        r = w.go()
    need(line.startswith("refused 6000"), f"{line!r} {r.text!r} {r.errors[-300:]!r}")
    need("afterwards True" in r.text, f"{r.text!r} {r.errors[-300:]!r}")
    return r
