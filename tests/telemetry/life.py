"""The exporter's own life: killed, stopped, started twice, with a full disk, a damaged spool,
and clients that mean harm."""
import array
import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time

import wire
from collectors import Answer
from feed import Feed, arrived, check, each, row, same, whole
from scene import OTHER, SANITIZERS, USER, as_user, until


def quiet_end(w, e):
    """It has ended by itself, and left nothing."""
    same(e.ended(10), 0, "its exit status")
    check(
        not os.path.exists(f"{w.telemetry}/socket-{wire.VERSION}"),
        "the socket's name is still there",
    )
    same(w.serving(), None, "who holds the lock")


@row("idle.ends")
def idle(w):
    c, e = w.collector(), w.exporter()
    feed = Feed(w, e.talk, c.url(), idle_ms=400)
    feed.append(5)
    feed.sent()
    began = time.monotonic()
    e.talk.close()
    quiet_end(w, e)
    took = time.monotonic() - began
    check(0.2 < took < 3, f"ended after {took:.1f} s, idle after 0.4 s")
    whole(c, feed)
    left = [
        f
        for f in os.listdir(f"{w.telemetry}/{feed.key}")
        if os.path.getsize(f"{w.telemetry}/{feed.key}/{f}") > 4096
    ]
    same(left, [], "files that are not empty")


@row("idle.a-silent-client-keeps-it-not-for-ever")
def idle_client(w):
    """A bawn that is there, and says nothing for long."""
    c, e = w.collector(), w.exporter()
    feed = Feed(w, e.talk, c.url(), idle_ms=300)
    feed.append(5)
    feed.sent()
    time.sleep(1)
    if e.process.poll() is None:  # it may stay for as long as somebody is connected
        feed.append(5)
        feed.sent()
        e.talk.close()
    else:
        quiet_end(w, e)
        feed.tell(w.exporter().talk)
        feed.append(5)
        feed.sent()
    whole(c, feed)


@row("idle.not-while-something-waits-soon")
def idle_waiting(w):
    c = w.collector(lambda n, r: Answer(503) if n < 2 else Answer())
    e = w.exporter()
    feed = Feed(w, e.talk, c.url(), idle_ms=4000)
    feed.append(5)
    feed.flush()
    e.talk.close()
    whole(c, feed)
    quiet_end(w, e)


@row("idle.kept-for-the-next")
def idle_failing(w):
    """The collector stays away, the exporter goes; what waits is sent by the next one."""
    up = threading.Event()
    c = w.collector(lambda n, r: Answer() if up.is_set() else Answer(503))
    e = w.exporter()
    feed = Feed(w, e.talk, c.url(), idle_ms=300)
    feed.append(700)
    feed.flush()
    e.talk.close()
    quiet_end(w, e)
    up.set()
    feed.tell(w.exporter().talk)
    feed.append(3)
    feed.sent()
    whole(c, feed)


@row("idle.nobody-tells-it-anything")
def nobody(w):
    e = w.exporter(control=False)
    quiet_end(w, e)


@row("idle.sigterm")
def sigterm(w):
    c, e = w.collector(), w.exporter()
    feed = Feed(w, e.talk, c.url())
    feed.append(5)
    feed.sent()
    e.kill(signal.SIGTERM)
    quiet_end(w, e)


@row("directory.removed")
def removed(w):
    """`rm -rf $BAWN_HOME`: nobody can find it any more, and it goes."""
    import shutil

    e = w.exporter()
    feed = Feed(w, e.talk, w.collector().url(), idle_ms=200)
    feed.append(1)
    feed.sent()
    shutil.rmtree(w.telemetry)
    e.talk.close()
    check(e.ended(15) is not None, "it still runs")


@row("one.of-two-serves")
def two(w):
    c = w.collector()
    started = [w.exporter() for _ in range(6)]
    end = until(lambda: sum(e.process.poll() is not None for e in started) == 5, 10)
    check(end, f"{sum(e.process.poll() is None for e in started)} exporters at once")
    same(
        {e.process.returncode for e in started} - {None},
        {0},
        "exit statuses of those that were too many",
    )
    alive = next(e for e in started if e.process.poll() is None)
    same(w.serving(), alive.pid, "who holds the lock")
    for e in started:
        if e is not alive:
            check(e.talk.ended(2), "who is not served sees no end")
    feed = Feed(w, w.connect(), c.url())  # by the socket, as the others do
    feed.append(4)
    feed.sent()
    whole(c, feed)


@row("one.stale-socket")
def stale(w):
    e = w.exporter()
    check(until(lambda: os.path.exists(f"{w.telemetry}/socket-{wire.VERSION}")), "no socket")
    e.kill()
    check(os.path.exists(f"{w.telemetry}/socket-{wire.VERSION}"), "SIGKILL leaves the name")
    c = w.collector()
    feed = Feed(w, w.exporter().talk, c.url())
    feed.append(2)
    feed.sent()
    Feed(w, w.connect(), c.url("/2")).sent()


@row("one.deep-directory")
def deep(w):
    """A path longer than a socket's name may be."""
    w.telemetry = w.bawn_home + "/" + "/".join(["d" * 60] * 4)
    os.makedirs(w.telemetry, 0o700)
    if USER:
        subprocess.run(["chown", "-R", f"{USER.pw_uid}:{USER.pw_gid}", w.bawn_home], check=True)
    c = w.collector()
    feed = Feed(w, w.exporter().talk, c.url())
    feed.append(2)
    feed.sent()
    check(until(lambda: os.path.exists(f"{w.telemetry}/socket-{wire.VERSION}"), 2), "no socket")


@row("killed.none-lost", alone=True)
def killed(w):
    """100,000 signals from 8 processes; the exporter is killed at random instants and started
    again all the time."""
    c = w.collector(keep=False)
    rounds, n = 10, 10_000
    r = random.Random(6)
    feed = Feed(w, w.exporter().talk, c.url(), timeout_ms=10_000)
    kept = []

    def write():
        for i in range(rounds):
            kept.append(w.append(feed.key, "log", 10**6 * (i + 1), n, most=64 << 20, processes=8))
            time.sleep(0.5)

    writer = threading.Thread(target=write)
    writer.start()
    kills = 0
    while writer.is_alive():
        time.sleep(r.random() * r.choice((0.0, 0.004, 0.02, 0.06, 0.2, 0.6)))
        w.kill_exporter()
        kills += 1
        with contextlib.suppress(OSError):  # who is not up yet is told by the next one
            feed.tell(w.exporter().talk)
            feed.talk.wake(feed.key)
    writer.join()
    same(kept, [n] * rounds, "signals that the spool took")
    feed.ids = [10**6 * (i + 1) + k for i in range(rounds) for k in range(n)]
    feed.tell()
    feed.sent(60)
    whole(c, feed, seconds=5)
    came = len(c.signals(counted=False))
    print(
        f"      {kills} kills; {came - len(feed.ids)} of {len(feed.ids)} signals came twice",
        flush=True,
    )
    check(kills > 20, f"only {kills} kills")


@each("killed.then-started.{}", {p: p for p in ("protobuf", "json", "grpc")})
def killed_in_flight(w, protocol):
    """The collector has it, the exporter dies before it hears so: the same comes again."""
    c = w.collector(lambda n, r: Answer(delay=0.5) if n == 0 else Answer())
    e = w.exporter()
    feed = Feed(w, e.talk, c.url(), protocol=protocol, timeout_ms=10_000)
    feed.append(10)
    check(c.wait(lambda: c.requests), "no request")
    e.kill()
    feed.tell(w.exporter().talk)
    feed.append(3)
    feed.sent()
    whole(c, feed)
    check(len(c.signals(counted=False)) >= 23, "the first request was not sent again")


@row("stopped.appends-go-on")
def stopped(w):
    c, e = w.collector(), w.exporter()
    feed = Feed(w, e.talk, c.url())
    feed.append(5)
    feed.sent()
    os.kill(e.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        for _ in range(20):
            feed.append(20)  # and wakes it, which must not wait for it either
        check(time.monotonic() - began < 5, "appending waits for the exporter")
    finally:
        os.kill(e.pid, signal.SIGCONT)
    feed.sent()
    whole(c, feed)


# ---- no room ----


def spool_bytes(w, feed):
    d = f"{w.telemetry}/{feed.key}"
    return sum(os.path.getsize(f"{d}/{f}") for f in os.listdir(d) if f.endswith(".spool"))


@row("full.spool")
def full_spool(w):
    """The bound is kept, the first ones are kept, and what there was no room for is counted and
    told."""
    up = threading.Event()
    c = w.collector(lambda n, r: Answer() if up.is_set() else Answer(503))
    talk = w.exporter().talk
    feed, metrics = Feed(w, talk, c.url()), Feed(w, talk, c.url(), "metric")
    most = 3 << 20
    feed.append(3000, most=most, size=2000)
    check(spool_bytes(w, feed) <= most, f"{spool_bytes(w, feed)} bytes, of {most}")
    check(1000 < len(feed.ids) < 3000, f"{len(feed.ids)} of 3000 fitted into {most} bytes")
    up.set()
    feed.tell()
    feed.sent()
    whole(c, feed)
    feed.append(5, most=most, size=2000)
    feed.sent()
    whole(c, feed)

    def told():
        metrics.flush()
        return sum(
            s.get("asInt", 0)
            for s in c.signals()
            if s["kind"] == "metric" and s["name"] == "bawn.exporter.dropped"
        )

    until(lambda: told() >= feed.refused, 10, 0.1)
    same(told(), feed.refused, "dropped, as the collector is told")
    same(feed.flush().dropped, feed.refused, "dropped, as EXPORT_STATE tells")


@row("full.disk")
def full_disk(w):
    """A file system of 600 KiB in a namespace: appending fails and harms nobody; what is there
    arrives; then there is room again."""
    script = 'mount -t tmpfs -o size=600k,mode=700 none "$1" && echo ready && exec sleep 600'
    w.make_telemetry()
    holder = w.keep(
        w.popen(
            ["unshare", "-Urm", "--propagation", "private", "bash", "-c", script, "-", w.telemetry]
        )
    )
    same(holder.stdout.readline(), b"ready\n", "the namespace")
    w.telemetry = f"/proc/{holder.pid}/root{w.telemetry}"
    c = w.collector()
    e = w.exporter()
    feed = Feed(w, e.talk, c.url("/a"))
    place = socket.socket()
    place.bind(("127.0.0.1", 0))
    bad = Feed(
        w, e.talk, f"http://127.0.0.1:{place.getsockname()[1]}"
    )  # nobody is there: it fills the disk
    bad.append(2000, size=2000, wake=False)
    check(100 < len(bad.ids) < 400, f"{len(bad.ids)} of 2000 fitted")
    feed.append(50, size=2000)
    check(feed.refused > 0, "the disk is not full: the row tests nothing")
    state = feed.flush().state
    check(state in ("sent", "waits"), state)
    late = w.collector(place=place)
    bad.tell()
    bad.sent(30)
    whole(late, bad)
    before = feed.refused
    feed.append(20, size=2000)
    same(feed.refused, before, "refused when there was room again")
    feed.sent()
    whole(c, feed)
    check(e.process.poll() is None, "the exporter ended")


@row("full.read-only")
def read_only(w):
    """A spool that cannot be written any more: the exporter does not spin, and does not end."""
    c = w.collector(lambda n, r: Answer(503))
    e = w.exporter()
    feed = Feed(w, e.talk, c.url())
    feed.append(5)
    feed.flush()
    os.chmod(f"{w.telemetry}/{feed.key}", 0o500)
    c.answer = lambda n, r: Answer()
    feed.tell()
    until(lambda: len(arrived(c)) == 5, 10)
    before = sum(os.times()[:2])
    ticks = cpu(e.pid)
    time.sleep(1)
    check(cpu(e.pid) - ticks < 30, "it spins")
    same(arrived(c), set(feed.ids), "what arrived")
    os.chmod(f"{w.telemetry}/{feed.key}", 0o700)
    del before


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


@row("away.long-and-back", alone=True)
def away(w):
    """A collector that is away for a while: nothing spins, the pauses grow, all of it comes in
    the end."""
    up = threading.Event()
    c = w.collector(lambda n, r: Answer() if up.is_set() else Answer(503))
    e = w.exporter()
    feed = Feed(w, e.talk, c.url())
    for _ in range(10):
        feed.append(200)
        time.sleep(0.4)
    asked, ticks = len(c.requests), cpu(e.pid)
    check(asked < 12, f"{asked} requests within 4 s of an outage")
    check(ticks < 100, f"{ticks} ticks of processor time")
    up.set()
    whole(c, feed, seconds=30)
    same(feed.sent().dropped, 0, "dropped")


# ---- damage ----


def segments(w, feed):
    d = f"{w.telemetry}/{feed.key}"
    return sorted(
        (f"{d}/{f}" for f in os.listdir(d) if f.endswith(".spool")),
        key=lambda p: int(os.path.basename(p)[:-6]),
    )


@each(
    "damage.{}",
    {
        "flipped": 0,
        "cut": 1,
        "cursor": 2,
        "zeros": 3,
        "garbage-behind": 4,
        "cursor-removed": 5,
        "empty-frames": 6,
    },
)
def damage(w, what):
    """What is damaged is lost and counted; what stands round it is not."""
    c = w.collector()
    w.make_telemetry()
    e = w.exporter()
    feed = Feed(w, e.talk, c.url())
    feed.append(50, wake=False)
    e.kill()
    path = segments(w, feed)[0]
    size = os.path.getsize(path)
    lost = 0
    with open(path, "r+b") as f:
        if what in (0, 3):
            f.seek(size // 2)
            b = f.read(1)
            f.seek(size // 2)
            f.write(bytes([b[0] ^ 0x55]) if what == 0 else bytes(600))
            lost = 1 if what == 0 else 8
        if what == 1:
            f.truncate(size - 7)
            lost = 1
        if what == 4:
            f.seek(size)
            f.write(os.urandom(5000))
            lost = 1
        if what == 6:
            f.seek(size)
            f.write(bytes(4096))
            lost = 1
    if what == 2:
        with open(f"{w.telemetry}/{feed.key}/cursor", "wb") as f:
            f.write(os.urandom(200))
        if USER:
            os.chown(f.name, USER.pw_uid, USER.pw_gid)
        os.chmod(f.name, 0o600)
    if what == 5:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{w.telemetry}/{feed.key}/cursor")
    before = set(feed.ids)
    feed.tell(w.exporter().talk)
    feed.append(5)
    feed.sent()
    got = arrived(c)
    gone = (before | set(feed.ids)) - got
    check(len(gone) <= lost, f"{len(gone)} are lost by damage to {lost}")
    dropped = feed.flush().dropped
    check((dropped > 0) == (lost > 0), f"{dropped} counted as dropped, {len(gone)} lost")
    check(set(feed.ids[-5:]) <= got, "what was appended later")


@each("damage.name.{}", {"symlink": 0, "file": 1, "fifo": 2, "huge-number": 3, "directory": 4})
def names(w, what):
    """Names in the spool that are none of bawn's."""
    c, e = w.collector(), w.exporter()
    feed = Feed(w, e.talk, c.url())
    feed.append(3)
    feed.sent()
    d = f"{w.telemetry}/{feed.key}"
    secret = f"{w.t}/secret"
    with open(secret, "w", encoding="ascii") as f:
        f.write("hunter2" * 100)
    place = f"{d}/{int(os.path.basename(segments(w, feed)[-1])[:-6]) + 1}.spool"
    if what == 0:
        os.symlink(secret, place)
    if what == 1:
        open(place, "w", encoding="ascii").close()
        os.chmod(place, 0o644)
    if what == 2:
        os.mkfifo(place)
    if what == 3:
        open(f"{d}/99999999999999999999.spool", "w", encoding="ascii").close()
    if what == 4:
        os.mkdir(place)
    feed.append(4)
    feed.sent()
    whole(c, feed)
    check(e.process.poll() is None, "the exporter ended")
    with open(secret, encoding="ascii") as f:
        same(f.read(), "hunter2" * 100, "the file that a symlink leads to")


# ---- who talks to it ----


@row("socket.modes")
def modes(w):
    e = w.exporter()
    feed = Feed(w, e.talk, w.collector().url())
    feed.append(1)
    feed.sent()
    wrong = []
    for base, dirs, files in os.walk(w.telemetry):
        for n in (*dirs, *files):
            st = os.lstat(f"{base}/{n}")
            if st.st_mode & 0o077 or (USER and st.st_uid != USER.pw_uid):
                wrong.append((n, oct(st.st_mode), st.st_uid))
    same(wrong, [], "what others may open")


FOREIGN = """import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(3)
try:
    s.connect(sys.argv[1])
    s.send(bytes.fromhex(sys.argv[2]))
    s.send(bytes.fromhex(sys.argv[3]))
    print("answered" if s.recv(65536) else "hung up")
except PermissionError:
    print("refused")
except OSError as e:
    print("hung up" if not isinstance(e, TimeoutError) else "ignored")
"""


@row("socket.foreign-user", root=True)
def foreign(w):
    """Another user cannot reach the socket; one who can (modes were changed) is not heard."""
    import pwd

    c, theirs = w.collector(), w.collector()
    e = w.exporter()
    feed = Feed(w, e.talk, c.url())
    feed.append(1)
    feed.sent()
    path = f"{w.telemetry}/socket-{wire.VERSION}"
    told = wire.pack_destination(
        feed.key,
        "log",
        "protobuf",
        theirs.url("/v1/logs"),
        timeout_ms=1000,
        delay_ms=10,
        idle_ms=60000,
    )
    argv = ["/usr/bin/python3", "-c", FOREIGN, path, told.hex(), wire.pack_flush(feed.key).hex()]

    def as_other(user):
        who = {"user": 0, "group": 0} if user == "root" else as_user(pwd.getpwnam(OTHER))
        return subprocess.run(
            argv, capture_output=True, text=True, timeout=20, cwd="/", **who
        ).stdout.strip()

    same(as_other(OTHER), "refused", "another user, with the modes as they are")
    for d in (w.t, w.bawn_home, w.telemetry):
        os.chmod(d, 0o755)
    os.chmod(path, 0o666)
    for user in (OTHER, "root"):
        said = as_other(user)
        check(said in ("hung up", "ignored"), f"{user}: {said}")
    feed.append(3)
    feed.sent()
    whole(c, feed)
    same(len(theirs.lines), 0, "connections to where the other user wanted it")


def alive(w, e, feed, c):
    """An honest client is served, soon."""
    began = time.monotonic()
    honest = until(lambda: connected(w), 10)
    check(honest, "nobody can connect any more")
    feed.tell(honest)
    feed.append(3)
    feed.sent(10)
    check(time.monotonic() - began < 8, "an honest client waits")
    whole(c, feed)
    check(e.process.poll() is None, f"the exporter ended: {e.process.returncode}")
    check(
        len(os.listdir(f"/proc/{e.pid}/fd")) < 200 if os.geteuid() == 0 else True,
        "it holds descriptors",
    )


def connected(w):
    """A connection that is answered, or None."""
    try:
        talk = w.connect()
        talk.flush("0" * 16)
        return talk if talk.answer(None, 2) else None
    except OSError:
        return None


def hostile(fn):
    def run(w, *args):
        c = w.collector()
        e = w.exporter()
        feed = Feed(w, e.talk, c.url())
        feed.append(2)
        feed.sent()
        fn(w, e, feed, *args)
        alive(w, e, feed, c)

    return run


def attempt(w):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.setblocking(False)
    w.dial(s)
    return s


@row("hostile.random-bytes")
@hostile
def random_bytes(w, e, feed):
    r = random.Random(3)
    good = [
        wire.pack_flush(feed.key),
        wire.pack_wake(feed.key),
        wire.pack_destination(
            feed.key,
            "log",
            "protobuf",
            feed.endpoint,
            headers={"a": "b"},
            timeout_ms=1000,
            delay_ms=10,
            idle_ms=60000,
        ),
    ]
    for i in range(600):
        with contextlib.suppress(OSError):
            s = attempt(w)
            data = r.randbytes(r.choice((0, 1, 2, 5, 40, 4000, 60_000)))
            if i % 3:  # a good one, with something in it that is not
                b = bytearray(r.choice(good))
                for _ in range(r.randrange(1, 4)):
                    b[r.randrange(2, len(b))] = r.choice((0, 255, r.randrange(256)))
                data = bytes(b[: r.randrange(2, len(b) + 1)] if i % 2 else b)
            s.send(data)
            s.close()
    feed.how.update(timeout_ms=1000)


@row("hostile.connects")
@hostile
def connects(w, e, feed):
    held = []
    for _ in range(1000):
        with contextlib.suppress(OSError):
            held.append(attempt(w))
    time.sleep(0.2)
    for s in held:
        s.close()


@row("hostile.connections-are-kept")
@hostile
def kept_connections(w, e, feed):
    """All places are taken by clients that say nothing: another one is served all the same."""
    for _ in range(200):
        with contextlib.suppress(OSError):
            w.keep(attempt(w))
    time.sleep(0.2)


@row("hostile.descriptors")
@hostile
def descriptors(w, e, feed):
    null = os.open("/dev/null", os.O_RDONLY)
    for data in (wire.pack_flush(feed.key), b"x" * 100, b"\0" * 10):
        s = attempt(w)
        for _ in range(50):
            with contextlib.suppress(OSError):
                s.sendmsg(
                    [data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * 250))]
                )
        s.close()
    os.close(null)


@row("hostile.destinations")
@hostile
def destinations(w, e, feed):
    talk = w.connect()
    for i in range(300):
        endpoint = f"http://127.0.0.1:9/{i}"
        with contextlib.suppress(OSError):
            talk.destination(
                wire.key("log", "protobuf", endpoint),
                "log",
                "protobuf",
                endpoint,
                timeout_ms=1000,
                delay_ms=10,
                idle_ms=60000,
            )


@each(
    "hostile.url.{}",
    {
        "file": "file:///etc/passwd",
        "ftp": "ftp://127.0.0.1/x",
        "gopher": "gopher://127.0.0.1:9/x",
        "unix": "http://[::1",
        "scp": "scp://127.0.0.1/x",
        "empty": "",
        "spaces": "http://a b/",
        "user": "http://user:pass@127.0.0.1:9/v1/logs",
        "newline": "http://127.0.0.1:9/\r\nx: y",
        "long": "http://127.0.0.1:9/" + "a" * 30_000,
    },
)
@hostile
def urls(w, e, feed, url):
    with contextlib.suppress(OSError):
        talk = w.connect()
        k = wire.key("log", "protobuf", url)
        talk.destination(k, "log", "protobuf", url, timeout_ms=500, delay_ms=10, idle_ms=60000)
        talk.flush(k)
        answer = talk.answer(k, 3)
        check(answer is None or answer.sent == 0, "sent:", answer)


@each(
    "hostile.header.{}",
    {
        "newline": {"x": "a\r\ny: b"},
        "name": {"x y": "a"},
        "colon": {"x:": "a"},
        "empty": {"": "a"},
        "length": {"content-length": "5"},
        "host": {"host": "elsewhere.example"},
        "long": {"x": "a" * 30_000},
        "nul": {"x": "a\0b"},
        "te": {"transfer-encoding": "chunked"},
    },
)
@hostile
def header_values(w, e, feed, headers):
    with contextlib.suppress(OSError):
        talk = w.connect()
        other = w.collector()
        k = wire.key("log", "protobuf", other.url("/v1/logs"))
        talk.destination(
            k,
            "log",
            "protobuf",
            other.url("/v1/logs"),
            headers=headers,
            timeout_ms=500,
            delay_ms=10,
            idle_ms=60000,
        )
        w.append(k, "log", 10**9, 2)
        talk.flush(k)
        talk.answer(k, 3)
        for r in other.requests:
            check(not r.error, f"a request that cannot be read: {r.error}")
            check(r.get("y") != "b", "a header was smuggled in")


@row("hostile.flush-and-never-read")
@hostile
def never_read(w, e, feed):
    talk = w.connect()
    for _ in range(5000):
        with contextlib.suppress(OSError):
            talk.flush(feed.key)
    w.keep(talk)


@row("hostile.pem-that-never-ends")
@hostile
def endless_pem(w, e, feed):
    """Descriptors for certificates that are a pipe, a device, a directory."""
    r, wr = os.pipe()
    for fd in (
        r,
        os.open("/dev/zero", os.O_RDONLY),
        os.open("/", os.O_RDONLY),
        os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        if os.path.exists("/dev/tty") and os.isatty(0)
        else os.open("/dev/full", os.O_RDWR),
    ):
        with contextlib.suppress(OSError):
            talk = w.connect()
            url = f"https://127.0.0.1:9/{fd}"
            talk.send(
                wire.pack_destination(
                    wire.key("log", "protobuf", url),
                    "log",
                    "protobuf",
                    url,
                    timeout_ms=500,
                    delay_ms=10,
                    idle_ms=60000,
                    fds=1,
                ),
                [fd],
            )
        os.close(fd)
    os.close(wr)


# ---- what it has given up ----


@row("confined")
def confined(w):
    e = w.exporter()
    feed = Feed(w, e.talk, w.collector().url())
    feed.append(1)
    feed.sent()
    with open(f"/proc/{e.pid}/status", encoding="ascii") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    same(status["NoNewPrivs"], "1", "no_new_privs")
    same(status["Seccomp"], "2", "seccomp")
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
        if name != "CapBnd" or os.geteuid() == 0:
            check(int(status[name], 16) == 0 or name == "CapBnd", f"{name} {status[name]}")
    limits = {}
    with open(f"/proc/{e.pid}/limits", encoding="ascii") as f:
        for line in f:
            limits[line[:26].strip()] = line[26:].split()[0]
    same(limits["Max core file size"], "0", "core dumps")
    check(
        limits["Max address space"] != "unlimited" or limits["Max data size"] != "unlimited",
        "no ceiling for memory",
    )
    if os.geteuid() == 0:
        same(
            open(f"/proc/{e.pid}/environ", "rb").read().replace(b"\0", b""),
            "".join(f"{k}={v}" for k, v in SANITIZERS.items()).encode(),
            "its environment",
        )
        same(os.readlink(f"/proc/{e.pid}/cwd"), "/", "its directory")
        st = os.stat(f"/proc/{e.pid}/mem")
        same(st.st_uid, 0, "the owner of its /proc/PID/mem (not dumpable: root)")
        for fd in os.listdir(f"/proc/{e.pid}/fd"):
            target = os.readlink(f"/proc/{e.pid}/fd/{fd}")
            check(
                target in (w.log.name, "/dev/null")
                or target.startswith((w.telemetry, "socket:", "anon_inode:", "/memfd:")),
                f"descriptor {fd} is {target}",
            )
