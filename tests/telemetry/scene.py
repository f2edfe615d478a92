"""What stands round bawn-exporter and bawn in these tests: an ordinary user's directories,
certificates, the exporter's launcher, and collectors.

One Scene for all; one World for each row, which ends what the row started.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import collectors
import packed
import wire

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, f"{TOP}/tests/intercept")
from world import Certificates  # noqa: E402

USER = pwd.getpwnam(os.environ.get("BAWN_TEST_USER", "bawn-test")) if os.geteuid() == 0 else None
OTHER = "nobody"
KINDS = ("log", "span", "metric")
WORDS = {"log": "logs", "span": "traces", "metric": "metrics"}
PATHS = {"log": "/v1/logs", "span": "/v1/traces", "metric": "/v1/metrics"}
SANITIZERS = {
    k: v for k, v in os.environ.items() if k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
}


def as_user(user=USER):
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


@contextlib.contextmanager
def as_us():
    """This thread alone is the user's: a socket tells its peer who made it."""
    if USER is None:
        yield
        return
    syscall, setresuid, same = ctypes.CDLL(None, use_errno=True).syscall, 117, ctypes.c_long(-1)
    syscall(setresuid, same, ctypes.c_long(USER.pw_uid), same)
    try:
        yield
    finally:
        syscall(setresuid, same, ctypes.c_long(0), same)


def until(what, seconds=20, step=0.01):
    """What WHAT() returns, once that is true; its last word when the time is over."""
    end = time.monotonic() + seconds
    while not (got := what()) and time.monotonic() < end:
        time.sleep(step)
    return got


class Tls:
    """A CA and what it signed; another CA; each kind of wrong certificate."""

    def __init__(self, directory):
        os.mkdir(f"{directory}/ours")
        os.mkdir(f"{directory}/theirs")
        ours, theirs = Certificates(f"{directory}/ours"), Certificates(f"{directory}/theirs")
        names = "DNS:localhost,IP:127.0.0.1"
        self.ca, self.other_ca = ours.ca, theirs.ca
        self.pairs = {
            "good": ours.make("good", names),
            "expired": ours.make("old", names, "-days", "-1"),
            "name": ours.make("name", "DNS:elsewhere.example.test"),
            "stranger": theirs.make("good", names),
            "client": ours.make("client", "DNS:client.example.test"),
            "client-stranger": theirs.make("client", "DNS:client.example.test"),
        }

    def server(self, name="good", mutual=False, alpn=("h2", "http/1.1")):
        key, certificate = self.pairs[name]
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(certificate, key)
        c.set_alpn_protocols(list(alpn))
        if mutual:
            c.verify_mode = ssl.CERT_REQUIRED
            c.load_verify_locations(self.ca)
        return c


class Scene:
    def __init__(self, build, bawn):
        self.t = tempfile.mkdtemp(prefix="bawn-telemetry-", dir="/tmp")
        os.chmod(self.t, 0o755)
        os.mkdir(self.t + "/bin")
        # A clone may be where the user cannot look.
        self.exporter = shutil.copy(f"{build}/src/exporter/bawn-exporter", self.t + "/bin")
        self.spool_try = shutil.copy(f"{build}/tests/telemetry/spool_try", self.t + "/bin")
        self.build = build
        self.install(bawn, build)
        os.mkdir(self.t + "/tls")
        self.tls = Tls(self.t + "/tls")
        for base, dirs, files in os.walk(self.t + "/tls"):
            for n in dirs:
                os.chmod(f"{base}/{n}", 0o755)
            for n in files:
                os.chmod(f"{base}/{n}", 0o644)
        self.number, self.lock, self.node = 0, threading.Lock(), None

    def install(self, bawn, build):
        """The launcher and its helpers, laid down as `make install` does."""
        self.prefix = self.t + "/prefix"
        for d in ("bin", "libexec/bawn"):
            os.makedirs(f"{self.prefix}/{d}")
        self.bawn = shutil.copy(bawn, self.prefix + "/bin")
        for d in ("proxy", "intercept", "exporter"):
            program = f"{build}/src/{d}/bawn-{d}"
            if os.path.exists(program):
                shutil.copy(program, self.prefix + "/libexec/bawn")

    def receiver(self):
        with self.lock:
            if self.node is None:
                self.node = Receiver(self.tls)
            return self.node

    def world(self):
        with self.lock:
            self.number += 1
            return World(self, self.number)

    def close(self):
        if self.node:
            self.node.close()
        shutil.rmtree(self.t, ignore_errors=True)


class Receiver:
    """receiver/receiver.js: OpenTelemetry's own decoders. Ends when we do."""

    def __init__(self, tls):
        here = os.path.dirname(os.path.abspath(__file__)) + "/receiver"
        modules = subprocess.run(
            [f"{here}/install"], capture_output=True, text=True, check=True
        ).stdout.strip()
        key, certificate = tls.pairs["good"]
        self.process = subprocess.Popen(
            [
                "node",
                f"{here}/receiver.js",
                "--key",
                key,
                "--cert",
                certificate,
                "--client-ca",
                tls.ca,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "NODE_PATH": modules},
        )
        self.ports = json.loads(self.process.stdout.readline())

    def requests(self, word):
        """Those that say WORD in the header x-row, so far."""
        with urllib.request.urlopen(
            f"http://127.0.0.1:{self.ports['control']}/requests", timeout=20
        ) as f:
            return [r for r in json.load(f) if r.get("headers", {}).get("x-row") == word]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


class Exporter:
    """bawn-exporter with us as the one that started it."""

    def __init__(self, world, control=True, env=()):
        self.world = world
        with as_us():
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        directory = os.open(world.telemetry, os.O_RDONLY | os.O_DIRECTORY)
        keep = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs.fileno(), directory)]
        null = os.open("/dev/null", os.O_RDWR)
        # No code of ours between fork and exec: rows run in threads.
        place = ["bash", "-c", 'exec env -i "${@:3}" 3<&"$1"- 4<&"$2"-', "bash", *map(str, keep)]
        place += [f"{k}={v}" for k, v in {**SANITIZERS, **dict(env)}.items()]
        self.process = subprocess.Popen(
            [*place, world.scene.exporter],
            pass_fds=keep,
            cwd="/",
            stdin=null,
            stdout=null,
            stderr=world.log,
            start_new_session=True,
            **as_user(),
        )
        for fd in (*keep, directory, null):
            os.close(fd)
        theirs.close()
        self.talk = wire.Talk(ours)
        if not control:
            self.talk.close()

    @property
    def pid(self):
        return self.process.pid

    def kill(self, sig=signal.SIGKILL):
        with contextlib.suppress(OSError):
            self.process.send_signal(sig)
        if sig == signal.SIGKILL:
            self.process.wait()

    def ended(self, seconds=10):
        """Its exit status, or None."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None


class World:
    def __init__(self, scene, number):
        self.scene, self.t = scene, f"{scene.t}/{number}"
        self.home, self.bawn_home, self.work = f"{self.t}/home", f"{self.t}/bawn", f"{self.t}/work"
        self.telemetry = f"{self.bawn_home}/telemetry"
        for d in (self.t, self.home, self.work):
            self.directory(d)
        self.directory(self.bawn_home, 0o700)
        self.homes = 1
        self.things = []
        self.log = open(
            f"{self.t}/exporter.log", "ab"
        )  # nothing is written there, but by a sanitizer

    def words(self):
        """What exporters have written, which is little, and how those that have ended did."""
        with open(self.log.name, errors="replace", encoding="utf-8") as f:
            out = f.read()[-3000:]
        ended = [t.process.poll() for t in self.things if isinstance(t, Exporter)]
        ended = [status for status in ended if status is not None]
        return out + (f"exporters ended with {ended}\n" if ended else "")

    def make_telemetry(self):
        if not os.path.isdir(self.telemetry):
            self.directory(self.telemetry, 0o700)

    def keep(self, thing):
        self.things.append(thing)
        return thing

    def collector(self, *args, **more):
        return self.keep(collectors.Collector(*args, **more))

    def exporter(self, **more):
        self.make_telemetry()
        return self.keep(Exporter(self, **more))

    def kill_exporter(self):
        """The last one, as nothing else ends it."""
        e = next(t for t in reversed(self.things) if isinstance(t, Exporter))
        e.kill()
        e.talk.close()
        self.things.remove(e)

    def other_home(self):
        """Another $BAWN_HOME from now on; what serves the last one goes on."""
        self.homes += 1
        self.bawn_home = f"{self.t}/bawn-{self.homes}"
        self.telemetry = f"{self.bawn_home}/telemetry"
        self.directory(self.bawn_home, 0o700)

    def directory(self, path, mode=0o755):
        os.mkdir(path, mode)
        if USER:
            os.chown(path, USER.pw_uid, USER.pw_gid)

    def connect(self):
        """As another bawn does, when one exporter is there already."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.dial(s)
        return self.keep(wire.Talk(s))

    def dial(self, s):
        """By a path that is short enough, as bawn does it."""
        directory = os.open(self.telemetry, os.O_PATH | os.O_DIRECTORY)
        try:
            with as_us():
                s.connect(f"/proc/self/fd/{directory}/socket-{wire.VERSION}")
        finally:
            os.close(directory)

    def popen(self, argv, cwd=None, env=(), **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        base = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": self.home,
            "BAWN_HOME": self.bawn_home,
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            **SANITIZERS,
            **dict(env),
        }
        return subprocess.Popen(
            argv,
            cwd=cwd or self.work,
            env={k: v for k, v in base.items() if v is not None},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **{**as_user(), **more},
        )

    def run(self, argv, timeout=60, input=None, **more):
        p = self.popen(argv, **({"stdin": subprocess.PIPE} if input is not None else {}), **more)
        try:
            out, err = p.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            p.kill()
            raise
        return subprocess.CompletedProcess(argv, p.returncode, out, err)

    # ---- the spool ----

    def append_argv(self, k, kind, n, *more):
        self.make_telemetry()
        return [
            self.scene.spool_try,
            "append",
            self.telemetry,
            k,
            str(n),
            "--kind",
            WORDS[kind],
            *more,
        ]

    @staticmethod
    def appended(r):
        words = r.stdout.split()
        if r.returncode > 1 or words[:1] != [b"appended"]:
            raise RuntimeError(f"spool_try: {r.returncode} {r.stdout!r} {r.stderr.decode()}")
        return int(words[1])

    def append(self, k, kind, first, n, most=None, size=0, processes=1):
        """How many of N signals the spool has taken."""
        more = ["--first", str(first), "--pad", str(size), "--processes", str(processes)]
        return self.appended(
            self.run(self.append_argv(k, kind, n, *more, *(["--most", str(most)] if most else [])))
        )

    def append_signals(self, k, signals):
        """SIGNALS, packed here."""
        signals = list(signals)
        data = b"".join(struct.pack("=I", len(p)) + p for p in map(packed.pack, signals))
        if self.appended(self.run(self.append_argv(k, signals[0]["kind"], "-"), input=data)) != len(
            signals
        ):
            raise RuntimeError("the spool did not take all of them")

    def serving(self):
        """The exporter of this $BAWN_HOME, whoever started it: who holds the lock."""
        with contextlib.suppress(OSError):
            inode = os.stat(f"{self.telemetry}/lock").st_ino
            for _ in range(3):  # the list may lose a line while it is read
                with open("/proc/locks", encoding="ascii") as f:
                    for words in map(str.split, f):
                        if words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
                            return int(words[4])
        return None

    def close(self):
        pid, words = self.serving(), self.words()
        self.log.close()
        for thing in reversed(self.things):
            with contextlib.suppress(OSError, ValueError):
                (getattr(thing, "kill", None) or thing.close)()
            if isinstance(thing, Exporter):
                thing.talk.close()
        if pid and pid not in [t.pid for t in self.things if isinstance(t, Exporter)]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.t, ignore_errors=True)
        if "Sanitizer" in words or "runtime error" in words:
            raise RuntimeError(words)
