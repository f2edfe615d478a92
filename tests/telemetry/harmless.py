"""What telemetry costs a command: nothing, whatever the collector does; and the exporter that a
launcher leaves behind."""
import contextlib
import os
import shutil
import signal
import socket
import time

import collectors
from collectors import Answer
from feed import check, each, row, same
from launcher import Run, has, otel, tree, write
from scene import until

# ---- it costs the command nothing ----


def outcomes(w, run, **env):
    """Exit status, output and seconds of a few commands."""
    out, began = [], time.monotonic()
    for argv in (
        ("run", "--", "sh", "-c", "echo out; echo err >&2; exit 5"),
        ("sandbox", "-s", "read-only", "--", "true"),
        ("sandbox", "-s", "workspace-write", "--", "sh", "-c", "cat; kill -15 $$"),
    ):
        r = run.bawn(*argv, env=env, input=b"in\n")
        out.append((r.returncode, r.stdout, r.stderr))
    return out, time.monotonic() - began


BAD = {
    "hanging": Answer(cut=0, end="hang"),
    "resetting": Answer(cut=0, end="reset"),
    "refusing": Answer(400),
    "failing": Answer(500),
    "garbage": Answer(raw=b"\xff\x00garbage\r\n", cut=100, end="close"),
    "redirecting": Answer(302, (("location", "http://127.0.0.1:9/"),)),
}


@each(
    "costs-nothing.{}",
    {
        **{k: (v, p) for k, v in BAD.items() for p in ("protobuf",)},
        **{f"{k}.grpc": (BAD[k], "grpc") for k in ("hanging", "failing")},
        "nobody-there": (None, "json"),
        "silent": ("silent", "protobuf"),
        "no-such-host": ("host", "protobuf"),
    },
)
def costs_nothing(w, case):
    answer, protocol = case
    run = Run(
        w, answer=(lambda n, r: answer) if isinstance(answer, Answer) else None, protocol=protocol
    )
    good = run.c.url()
    run.configure("")
    plain, plain_time = outcomes(w, run)
    url = good
    if answer is None:
        place = w.keep(socket.socket())
        place.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{place.getsockname()[1]}"
    if answer == "silent":
        url = f"http://127.0.0.1:{w.keep(collectors.Silent()).port}"
    if answer == "host":
        url = "http://collector.invalid:4318"
    run.configure(otel(url, protocol=protocol))
    got, took = outcomes(w, run)
    same(got, plain, "exit status, output and messages")
    check(
        took < plain_time + 1.0,
        f"{took:.2f} s with a collector that is {case}, {plain_time:.2f} s without",
    )
    began = time.monotonic()
    r = run.bawn("run", "--", "true", env={"CI": "true"})  # waits for the flush, and not for long
    took = time.monotonic() - began
    same(r.returncode, 0, "the exit status")
    check(took < 2.8, f"the flush made it {took:.2f} s")


@row("costs-nothing.no-exporter")
def no_exporter(w):
    """bawn-exporter is not installed: a word, and the command runs."""
    prefix = f"{w.t}/alone"
    os.makedirs(f"{prefix}/bin")
    bawn = shutil.copy(w.scene.bawn, f"{prefix}/bin")
    Run(w)
    r = w.run([bawn, "sandbox", "-s", "read-only", "--", "sh", "-c", "echo out; exit 4"])
    same((r.returncode, r.stdout), (4, b"out\n"), "exit status and output")


@row("costs-nothing.telemetry-directory")
def directory(w):
    """$BAWN_HOME/telemetry cannot be used: a file, a symlink, somebody else's, not writable."""
    run = Run(w)
    path = w.telemetry
    os.mkdir(f"{w.t}/elsewhere", 0o777)
    for make in (
        lambda: write(path, "x"),
        lambda: os.symlink(f"{w.t}/elsewhere", path),
        lambda: os.mkdir(path, 0o000),
    ):
        make()
        r = run.bawn("sandbox", "-s", "read-only", "--", "sh", "-c", "echo out; exit 4")
        same((r.returncode, r.stdout), (4, b"out\n"), "exit status and output")
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    same(os.listdir(f"{w.t}/elsewhere"), [], "what a symlink led to")


@row("costs-nothing.exporter-stopped")
def exporter_stopped(w):
    run = Run(w)
    run.bawn("run", "--", "true")
    run.event("sandbox_outcome")
    pid = until(w.serving)
    os.kill(pid, signal.SIGSTOP)
    try:
        for env in ({}, {"CI": "true"}):
            began = time.monotonic()
            for _ in range(3):
                same(run.bawn("run", "--", "true", env=env).returncode, 0, "the exit status")
            took = (time.monotonic() - began) / 3
            check(took < (2.8 if env else 1), f"{took:.2f} s a run with a stopped exporter")
    finally:
        os.kill(pid, signal.SIGCONT)
    check(until(lambda: len(run.events("sandbox_outcome")) == 7, 10), "not all has come in the end")


@row("costs-nothing.flush-in-ci")
def flush(w):
    """With $CI what was recorded has come before bawn ends."""
    run = Run(w)
    same(run.bawn("run", "--", "true", env={"CI": "true"}).returncode, 0, "the exit status")
    same(
        sorted({s["kind"] for s in run.c.signals()}),
        ["log", "metric", "span"],
        "what has come by then",
    )


# ---- the exporter of a launcher ----


@row("exporter.is-one-of-many")
def many(w):
    """Ten at once: one exporter, and everything of all of them."""
    run = Run(w)
    started = [
        w.popen([w.scene.bawn, "run", "--", "true"], env={"OTEL_BLRP_SCHEDULE_DELAY": "40"})
        for _ in range(10)
    ]
    for p in started:
        p.communicate(timeout=60)
        same(p.returncode, 0, "the exit status")
    check(
        until(lambda: len(run.events("sandbox_outcome")) == 10, 15),
        f"{len(run.events('sandbox_outcome'))} of 10",
    )
    same(len(exporters(w)), 1, "exporters")
    same(
        {e["id"] for e in run.audit()},
        {s["attributes"]["call_id"] for s in run.events("tool_decision")},
        "ids of the audit log",
    )
    for trace in {s["traceId"] for s in run.spans(n=10)}:
        tree([s for s in run.spans() if s["traceId"] == trace], "bawn.run")


def exporters(w):
    """Those that run from the scene's prefix and have this world's directory."""
    out = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/exe").startswith(w.scene.prefix) and os.readlink(
                f"/proc/{pid}/fd/4"
            ).startswith(w.bawn_home):
                out.append(int(pid))
    return out or [p for p in [w.serving()] if p]


@row("exporter.gone-when-idle", long=True)
def gone(w):
    """Half a minute after the last word there is no process and no socket any more, and nothing
    that waits."""
    run = Run(w)
    same(run.bawn("run", "--", "true").returncode, 0, "the exit status")
    run.spans()
    pid = until(w.serving)
    check(pid, "no exporter")
    check(until(lambda: not os.path.exists(f"/proc/{pid}"), 45, 0.2), "it is there after 45 s")
    same([exporters(w), os.path.exists(f"{w.telemetry}/socket-1")], [[], False], "what is left")
    left = {f: os.path.getsize(f"{b}/{f}") for b, _, files in os.walk(w.telemetry) for f in files}
    check(sum(left.values()) < 16384, f"files that are left: {left}")
    has(run.event("sandbox_outcome"), outcome="ok")


@row("exporter.inherits-nothing")
def inherits(w):
    run = Run(w)
    r, wr = os.pipe()
    run.bawn("run", "--", "true", env={"SECRET_OF_MINE": "hunter2"}, pass_fds=(r, wr))
    run.event("sandbox_outcome")
    os.close(wr)
    began = time.monotonic()
    same(
        os.read(r, 1), b"", "what comes out of a pipe"
    )  # returns only when nobody has its other end
    check(time.monotonic() - began < 2, "the exporter holds a descriptor of who started bawn")
    pid = until(w.serving)
    if os.geteuid() == 0:
        with open(f"/proc/{pid}/environ", "rb") as f:
            check(b"SECRET_OF_MINE" not in f.read(), "it has bawn's environment")
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        words = f.read().rpartition(")")[2].split()
    same(int(words[3]), pid, "its session")


@row("exporter.survives-the-group")
def group(w):
    """What ends bawn's process group does not end it: the records of that are still to be sent."""
    run = Run(w)
    p = w.popen(
        [w.scene.bawn, "sandbox", "-s", "read-only", "--", "sleep", "60"], start_new_session=True
    )
    pid = until(w.serving, 10)
    check(pid, "no exporter while the command runs")
    os.killpg(p.pid, signal.SIGTERM)
    p.communicate(timeout=20)
    run.event("sandbox_outcome")
    same(w.serving(), pid, "who serves")


@row("exporter.killed-bawn")
def killed_bawn(w):
    """bawn itself is killed: what was recorded by then is sent by the next one's exporter."""
    run = Run(w)
    p = w.popen([w.scene.bawn, "run", "--", "sleep", "60"])
    check(until(w.serving, 10), "no exporter while the command runs")
    p.kill()
    p.communicate()
    run.bawn("run", "--", "true")
    check(
        until(lambda: len(run.events("tool_decision")) == 2, 10),
        f"{len(run.events('tool_decision'))} of 2 decisions",
    )
