"""`bawn run` and `bawn sandbox` with [otel]: every event with all of its attributes, one tree of
spans, and a collector that costs the command nothing."""
import contextlib
import datetime
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

from feed import check, each, row, same
from scene import KINDS, USER, until

KEYS = {"log": "exporter", "span": "trace_exporter", "metric": "metrics_exporter"}
WORDS = {
    "protobuf": ("otlp-http", 'protocol = "binary", '),
    "json": ("otlp-http", 'protocol = "json", '),
    "grpc": ("otlp-grpc", ""),
}
ROUNDED = re.compile(r"[0-9a-f]{32}")


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    if USER:
        os.chown(path, USER.pw_uid, USER.pw_gid)


def otel(url, protocol="protobuf", kinds=KINDS, inside="", more=""):
    """The text of config.toml. INSIDE: more of each exporter; MORE: more of [otel], and tables
    behind it."""
    word, form = WORDS[protocol]
    out = '[otel]\nenvironment = "test-env"\naccount_id = "acct-7"\n'
    for k in kinds:
        out += f'{KEYS[k]} = {{ {word} = {{ {form}endpoint = "{url}"{inside} }} }}\n'
    return out + more


class Run:
    """One $BAWN_HOME with a collector."""

    def __init__(self, w, answer=None, config=None, **how):
        self.w = w
        self.c = w.collector(answer)
        self.configure(config or otel(self.c.url(), **how))

    def configure(self, text):
        write(f"{self.w.bawn_home}/config.toml", text)

    def rules(self, text):
        d = f"{self.w.bawn_home}/rules"
        if not os.path.isdir(d):
            self.w.directory(d, 0o700)
        write(f"{d}/default.rules", text)

    def bawn(self, *argv, env=(), **more):
        return self.w.run(
            [self.w.scene.bawn, *argv], env={"OTEL_BLRP_SCHEDULE_DELAY": "40", **dict(env)}, **more
        )

    def asked(self, said, *argv, after=0.0, env=(), **more):
        """`bawn run ARGV`, whose one question is answered with SAID: (exit status, output,
        messages)."""
        ours, theirs = socket.socketpair()
        p = self.w.popen(
            [
                self.w.scene.bawn,
                "run",
                "--ask-timeout",
                "20",
                "--ask-via",
                str(theirs.fileno()),
                *argv,
            ],
            env={"OTEL_BLRP_SCHEDULE_DELAY": "40", **dict(env)},
            pass_fds=(theirs.fileno(),),
            **more,
        )
        theirs.close()
        question = json.loads(ours.makefile().readline())
        time.sleep(after)
        ours.sendall(json.dumps({"id": question["id"], **said}).encode() + b"\n")
        out, err = p.communicate(timeout=30)
        ours.close()
        return p.returncode, out, err

    def events(self, name=None):
        return [
            s
            for s in self.c.signals()
            if s["kind"] == "log" and (name is None or s["eventName"] == "bawn." + name)
        ]

    def event(self, name, seconds=8):
        got = until(lambda: self.events(name), seconds)
        check(
            got,
            f"no {name}; there are: {[s['eventName'] for s in self.events()]}",
            *self.c.errors()[:2],
        )
        same(len(got), 1, f"how many {name}")
        return got[0]

    def spans(self, root="bawn.run", n=1, seconds=8):
        """Once N roots are there: they are written last."""

        def spans():
            return [s for s in self.c.signals() if s["kind"] == "span"]

        got = until(lambda: sum(s["name"] == root for s in spans()) >= n, seconds)
        check(
            got, f"no span {root}; there are: {[s['name'] for s in spans()]}", *self.c.errors()[:2]
        )
        return spans()

    def adds_up(self, name, wanted=1, **attributes):
        """The metric NAME with just these attributes comes to WANTED in all."""

        def total():
            return sum(
                s["asInt"]
                for s in self.c.signals()
                if s["kind"] == "metric" and s["name"] == name and s["attributes"] == attributes
            )

        until(lambda: total() >= wanted, 8)
        same(total(), wanted, f"{name} {attributes}")

    def audit(self):
        r = self.bawn("audit", "list", "--json")
        text = r.stdout.decode()
        with contextlib.suppress(ValueError):
            got = json.loads(text)
            return got if isinstance(got, list) else [got]
        return [json.loads(line) for line in text.splitlines()]


def has(s, **wanted):
    for k, v in wanted.items():
        k = k.replace("__", ".")
        check(k in s["attributes"], f"{s['eventName']} has no {k}: {sorted(s['attributes'])}")
        got = s["attributes"][k]
        good = v(got) if callable(v) else got == v
        check(good, f"{s['eventName']}: {k} is {got!r}")


def common(run, logs):
    conversations = set()
    for s in logs:
        has(
            s,
            event__timestamp=lambda v: True,
            conversation__id=lambda v: v,
            app__version=lambda v: re.match(r"\d+\.\d+", v),
            originator=lambda v: v,
            terminal__type=lambda v: v,
            user__account_id="acct-7",
            event__name=s["eventName"],
        )
        conversations.add(s["attributes"]["conversation.id"])
        at = datetime.datetime.fromisoformat(
            s["attributes"]["event.timestamp"].replace("Z", "+00:00")
        ).timestamp()
        check(
            abs(at - s["timeUnixNano"] / 1e9) < 0.002,
            "event.timestamp is another time than the record's",
        )
        check(abs(time.time() - at) < 120, f"event.timestamp {s['attributes']['event.timestamp']}")
        check(at <= s["observedTimeUnixNano"] / 1e9 + 0.002, "it was observed before it happened")
        same(s["scope"], "bawn", "the scope")
        resource = s["resource"]
        for k, v in {
            "service.name": "bawn",
            "env": "test-env",
            "host.name": os.uname().nodename,
            "os.type": "linux",
        }.items():
            same(resource.get(k), v, f"resource {k}")
        check(
            re.match(r"\d+\.\d+", resource.get("service.version", "")),
            f"service.version of {resource}",
        )
        same(
            (s["severityNumber"], s["severityText"]) in ((9, "INFO"), (13, "WARN")),
            True,
            "the severity",
        )
    return conversations


def tree(spans, root):
    """All are below one ROOT, inside its time; {name: span}."""
    ids = {s["spanId"]: s for s in spans}
    roots = [s for s in spans if s.get("parentSpanId", "") not in ids]
    same([s["name"] for s in roots], [root], "roots")
    same(len(ids), len(spans), "different span ids")
    same(len({s["traceId"] for s in spans}), 1, "traces")
    for s in spans:
        check(s["startTimeUnixNano"] <= s["endTimeUnixNano"], f"{s['name']} ends before it begins")
        above = ids.get(s.get("parentSpanId", ""))
        if above:
            check(
                above["startTimeUnixNano"] <= s["startTimeUnixNano"]
                and s["endTimeUnixNano"] <= above["endTimeUnixNano"],
                f"{s['name']} is not within {above['name']}",
            )
    return {s["name"]: s for s in spans}


# ---- events ----


@each("run.events.{}", {p: p for p in WORDS})
def run_events(w, protocol):
    run = Run(w, protocol=protocol)
    read, wr = os.pipe()
    r = run.bawn("run", "--status-fd", str(wr), "--", "true", pass_fds=(wr,))
    os.close(wr)
    with os.fdopen(read) as f:
        status = [json.loads(line) for line in f]
    same((r.returncode, r.stdout), (0, b""), "exit status and output")
    decision, result, outcome = (
        run.event(n) for n in ("tool_decision", "tool_result", "sandbox_outcome")
    )
    same(len(common(run, run.events())), 1, "conversations")
    call = decision["attributes"]["call_id"]
    check(ROUNDED.fullmatch(call), f"call_id {call!r}")
    same({s["attributes"]["call_id"] for s in run.events()}, {call}, "call ids")
    same(
        [e["id"] for e in status if e["event"] == "decision"],
        [call],
        "the id on the status descriptor",
    )
    audit = run.audit()
    same([e["id"] for e in audit], [call], "ids of the audit log")
    has(
        decision,
        tool_name="shell",
        decision="approved",
        source="config",
        action="run",
        place="sandbox",
    )
    has(result, success=True, exit_status=0, duration_ms=lambda v: 0 <= v < 20_000)
    has(
        outcome,
        outcome="ok",
        backend="bundled",
        network="off",
        setup_us=lambda v: 0 < v < 20_000_000,
        **{f"denials__{k}": 0 for k in ("read", "write", "network", "other")},
    )
    check(
        outcome["attributes"].get("sandbox_mode") or outcome["attributes"].get("profile"),
        "neither mode nor profile",
    )
    same({s["severityText"] for s in run.events()}, {"INFO"}, "severities")
    spans = tree(run.spans(), "bawn.run")
    for s in run.events():
        same(
            (s.get("traceId"), s.get("spanId")),
            (spans["bawn.run"]["traceId"], spans["bawn.run"]["spanId"]),
            f"the context of {s['eventName']}",
        )
    same(run.c.errors(), [], "what could not be read")


@row("run.result-of-a-failure")
def failure(w):
    run = Run(w)
    same(run.bawn("run", "--", "sh", "-c", "exit 7").returncode, 7, "the exit status")
    has(run.event("tool_result"), success=False, exit_status=7)
    named = tree(run.spans(), "bawn.run")
    same(
        (named["bawn.run"]["status_code"], named["bawn.command"]["status_code"]),
        (2, 2),
        "the status of the spans",
    )


@row("run.killed-by-a-signal")
def killed(w):
    run = Run(w)
    same(run.bawn("run", "--", "sh", "-c", "kill -9 $$").returncode, 137, "the exit status")
    has(run.event("tool_result"), success=False, signal=9)


@row("run.refused")
def refused(w):
    run = Run(w)
    run.rules(
        'prefix_rule(pattern = ["touch"], decision = "forbidden", justification = "not here")\n'
    )
    same(run.bawn("run", "--", "touch", "x").returncode, 3, "the exit status")
    decision = run.event("tool_decision")
    has(decision, decision="denied", action="refuse", rule__line=1)
    same(decision["severityText"], "WARN", "the severity of a refusal")
    outcome = run.event("sandbox_outcome")
    has(outcome, outcome="refused")
    same(outcome["severityText"], "WARN", "the severity of a refused sandbox")
    same(
        [e["id"] for e in run.audit()], [decision["attributes"]["call_id"]], "ids of the audit log"
    )
    time.sleep(0.3)
    same(run.events("tool_result"), [], "a result of what never ran")
    tree(run.spans(), "bawn.run")


@row("run.set-up-fails")
def setup_fails(w):
    run = Run(w)
    status = run.bawn("sandbox", "-s", "read-only", "--", "/nonexistent/program").returncode
    check(status in (125, 126, 127), f"exit status {status}")
    outcome = run.event("sandbox_outcome")
    has(outcome, outcome=lambda v: v in ("failed", "ok"))


@row("run.denials-are-counted")
def denials(w):
    run = Run(w)
    run.bawn(
        "sandbox",
        "-s",
        "read-only",
        "--log-denials",
        "--",
        "sh",
        "-c",
        "echo x >file; echo x >file; true",
    )
    outcome = run.event("sandbox_outcome")
    has(outcome, outcome="denied", denials__write=lambda v: v >= 1)
    run.adds_up("bawn.denials", outcome["attributes"]["denials.write"], kind="write")
    same(outcome["severityText"], "WARN", "the severity")


@row("run.approval")
def approval(w):
    run = Run(w)
    run.rules('prefix_rule(pattern = ["touch"], decision = "prompt")\n')
    for said, status, word in (("once", 0, "approved"), ("no", 3, "denied")):
        got = run.asked({"decision": said}, "-s", "workspace-write", "--", "touch", "x", after=0.3)
        same(got[0], status, f"the exit status after {said}")
        n = 1 if said == "once" else 2
        check(
            until(
                lambda: len(run.events("approval")) == n and len(run.events("tool_decision")) == n,
                8,
            ),
            f"there are: {[s['eventName'] for s in run.events()]}",
        )
        a, d = run.events("approval")[-1], run.events("tool_decision")[-1]
        has(d, decision=word, answer=lambda v: v)
        has(
            a,
            call_id=d["attributes"]["call_id"],
            scope="command",
            answer=d["attributes"]["answer"],
            source=d["attributes"]["source"],
            asked_ms=lambda v: 250 < v < 20_000,
        )
    common(run, run.events())
    same(
        {e["id"] for e in run.audit()},
        {s["attributes"]["call_id"] for s in run.events("approval")},
        "ids of the audit log",
    )
    names = {s["name"] for s in run.spans(n=2)}
    check("bawn.question" in names, f"no span for the question: {names}")
    for s in run.events("approval"):
        run.adds_up("bawn.approvals", answer=s["attributes"]["answer"])


@row("run.again-with-more")
def again(w):
    """The sandbox refuses, somebody is asked, it runs again: two decisions of which one leads to
    the other."""
    run = Run(w)
    write(f"{w.home}/out", "")
    got = run.asked(
        {"decision": "once"},
        "-s",
        "workspace-write",
        "-c",
        "sandbox_workspace_write.exclude_slash_tmp=true",
        "-a",
        "on-request",
        "--",
        "sh",
        "-c",
        f"echo x >{w.home}/out",
    )
    same(got[0], 0, f"the exit status ({got[2].decode()})")
    check(
        until(
            lambda: len(run.events("sandbox_outcome")) == 2
            and len(run.events("tool_decision")) == 2,
            8,
        ),
        f"there are: {[s['eventName'] for s in run.events()]}",
    )
    first, second = sorted(run.events("tool_decision"), key=lambda s: s["timeUnixNano"])
    has(second, parent_call_id=first["attributes"]["call_id"], escalation="permissions")
    same(
        [e["id"] for e in sorted(run.audit(), key=lambda e: e["time"])],
        [s["attributes"]["call_id"] for s in (first, second)],
        "ids of the audit log",
    )
    outcomes = {
        s["attributes"]["call_id"]: s["attributes"]["outcome"]
        for s in run.events("sandbox_outcome")
    }
    same(
        [outcomes.get(s["attributes"]["call_id"]) for s in (first, second)],
        ["denied", "ok"],
        "outcomes",
    )
    spans = run.spans()
    ids = {s["spanId"] for s in spans}
    same([s["name"] for s in spans if s.get("parentSpanId", "") not in ids], ["bawn.run"], "roots")
    same(sum(s["name"] == "bawn.command" for s in spans), 2, "spans of commands")


@each("run.backend.{}", {"landlock": "landlock", "bundled": "bundled"})
def backend(w, name):
    """Whatever confines: the same is reported, and what a command may is the same as without."""
    run = Run(w)
    command = (
        "run",
        "-c",
        f'sandbox_backend="{name}"',
        "-s",
        "read-only",
        "--",
        "sh",
        "-c",
        "ls -d / /tmp && ls / >/dev/null",
    )
    written = otel(run.c.url())
    run.configure("")
    plain = run.bawn(*command)
    run.configure(written)
    told = run.bawn(*command)
    told = run.bawn(*command)  # what the first one made is there now
    same(
        (told.returncode, told.stdout, told.stderr),
        (plain.returncode, plain.stdout, plain.stderr),
        "status, output and messages",
    )
    same(told.returncode, 0, "the exit status")
    check(until(lambda: len(run.events("sandbox_outcome")) == 2, 8), "no sandbox_outcome")
    has(run.events("sandbox_outcome")[0], outcome="ok", backend=name, setup_us=lambda v: v > 0)
    spans = run.spans(n=2)
    spans = tree([s for s in spans if s["traceId"] == spans[0]["traceId"]], "bawn.run")
    same(
        {"bawn.run", "bawn.rules", "bawn.setup", "bawn.command"} - set(spans),
        set(),
        "missing spans",
    )


@row("run.outside")
def outside(w):
    run = Run(w)
    got = run.asked({"decision": "once"}, "--escalate", "outside", "--", "touch", f"{w.home}/out")
    same(got, (0, b"", b""), "exit status, output and messages")
    has(run.event("tool_decision"), place="outside", escalation="outside", decision="approved")
    has(run.event("tool_result"), success=True)
    has(run.event("approval"), scope="outside")


NETWORK = """default_permissions = "net"
[permissions.net]
extends = ":workspace"
[permissions.net.network]
enabled = true
[permissions.net.network.domains]
"allowed.test" = "allow"
"""


def with_network(url, **more):
    first, rest = NETWORK.split("\n", 1)
    return f"{first}\n{otel(url, **more)}{rest}"


TALK = """
import socket, sys, time, urllib.parse, os
def tunnel(to):
    p = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
    s = socket.create_connection((p.hostname, p.port))
    s.sendall(f"CONNECT {to} HTTP/1.1\\r\\nHost: {to}\\r\\n\\r\\n".encode())
    return s, s.recv(4096).split(b" ")[1].decode()
a, first = tunnel(sys.argv[1])
b, second = tunnel(sys.argv[1])
c, third = tunnel("127.0.0.1:1")
c.close()
time.sleep(0.2)
b.close()
time.sleep(0.3)
print(first, second, third)
"""  # a stays open until the end


def answer_ends(server):
    """A server that says nothing and closes when its client does."""

    def one(s):
        with s, contextlib.suppress(OSError):
            while s.recv(4096):
                pass

    while True:
        threading.Thread(target=one, args=(server.accept()[0],), daemon=True).start()


REQUESTS = """[[permissions.net.network.requests]]
host = "127.0.0.1"
methods = ["GET"]
path = "/**"
decision = "allow"
"""


@each("sandbox.connections.{}", {"tunnels": "", "looked-into": REQUESTS})
def connections(w, more):
    """A span is as long as its connection, and each connection has one."""
    c = w.collector()
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=answer_ends, args=(server,), daemon=True).start()
    at = f"127.0.0.1:{server.getsockname()[1]}"
    rules = f'"{at}" = "allow"\n"127.0.0.1:1" = "allow"\n'
    run = Run(w, config=with_network(c.url()) + rules + more)
    run.c = c
    r = run.bawn("sandbox", "--", "/usr/bin/python3", "-c", TALK, at)
    same(r.stdout, b"200 200 502\n", f"what the proxy said ({r.stderr[-300:]!r})")
    spans = run.spans("bawn.sandbox")
    tree(spans, "bawn.sandbox")
    command = next(s for s in spans if s["name"] == "bawn.command")
    found = sorted(
        (s for s in spans if s["name"] == "bawn.network"),
        key=lambda s: s["endTimeUnixNano"] - s["startTimeUnixNano"],
    )
    same([s["status_code"] for s in found], [2, 1, 1], "their status (that to port 1 could not be made)")
    for s in found:
        same(s["parentSpanId"], command["spanId"], "the parent")
        same(s["attributes"]["server.address"], "127.0.0.1", "server.address")
        same(s["attributes"]["network.policy.decision"], "allow", "the decision")
    lasted = [(s["endTimeUnixNano"] - s["startTimeUnixNano"]) / 1e9 for s in found]
    check(lasted[1] >= 0.19 and lasted[2] >= lasted[1] + 0.28, f"they lasted {lasted}")
    three = until(lambda: len(run.events("network_proxy.policy_decision")) == 3, 8)
    check(three, "the decisions are not two, for two places, and one sum")


DATAGRAMS = """
import os, socket, struct, sys, time, urllib.parse
p = urllib.parse.urlsplit(os.environ["ALL_PROXY"])
control = socket.create_connection((p.hostname, p.port))
control.sendall(b"\\5\\1\\0")
control.recv(2)
control.sendall(b"\\5\\3\\0\\1" + bytes(6))
answer = control.recv(64)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
for part in b"one", b"two":
    head = b"\\0\\0\\0\\1" + socket.inet_aton("127.0.0.1") + struct.pack(">H", int(sys.argv[1]))
    s.sendto(head + part, (socket.inet_ntoa(answer[4:8]), struct.unpack(">H", answer[8:10])[0]))
    print(s.recv(64)[-3:].decode())
    time.sleep(0.2)
control.close()
time.sleep(0.3)
"""


@row("sandbox.datagrams")
def datagrams(w):
    """What goes by UDP to one destination is one span, as long as the association."""
    c = w.collector()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def echo():
        while True:
            server.sendto(*server.recvfrom(2000))

    threading.Thread(target=echo, daemon=True).start()
    port = server.getsockname()[1]
    run = Run(w, config=with_network(c.url()) + f'"127.0.0.1:{port}" = "allow"\n')
    run.c = c
    r = run.bawn("sandbox", "--", "/usr/bin/python3", "-c", DATAGRAMS, str(port))
    same(r.stdout, b"one\ntwo\n", f"what came back ({r.stderr[-300:]!r})")
    spans = run.spans("bawn.sandbox")
    command = tree(spans, "bawn.sandbox")["bawn.command"]
    found = [s for s in spans if s["name"] == "bawn.network"]
    same(len(found), 1, "spans")
    same(found[0]["status_code"], 1, "its status")
    same(found[0]["attributes"]["network.transport.protocol"], "socks5_udp", "its protocol")
    lasted = (found[0]["endTimeUnixNano"] - found[0]["startTimeUnixNano"]) / 1e9
    check(lasted >= 0.39, f"it lasted {lasted}")
    after = (command["endTimeUnixNano"] - found[0]["endTimeUnixNano"]) / 1e9
    check(after >= 0.29, f"the command went on for {after} after it")


def below(pid):
    """(pid, comm) of the processes below one, of those that are still there."""
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                children = [int(x) for x in f.read().split()]
            for child in children:
                with open(f"/proc/{child}/comm", encoding="ascii") as f:
                    yield child, f.read().rstrip("\n")
                yield from below(child)


HOLD = """
import socket, sys, time, urllib.parse, os
p = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
s = socket.create_connection((p.hostname, p.port))
s.sendall(f"CONNECT {sys.argv[1]} HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\n\\r\\n".encode())
print(s.recv(4096).split(b" ")[1].decode(), flush=True)
sys.stdin.read()
"""


@row("sandbox.late-end")
def late_end(w):
    """An end that is noticed after the command has ended is within the command's span."""
    c = w.collector()
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=answer_ends, args=(server,), daemon=True).start()
    at = f"127.0.0.1:{server.getsockname()[1]}"
    run = Run(w, config=with_network(c.url()) + f'"{at}" = "allow"\n')
    run.c = c
    p = w.popen(
        [w.scene.bawn, "sandbox", "--", "/usr/bin/python3", "-c", HOLD, at],
        env={"OTEL_BLRP_SCHEDULE_DELAY": "40"},
        stdin=subprocess.PIPE,
    )
    same(p.stdout.readline(), b"200\n", "what the proxy said")
    proxies = [pid for pid, comm in below(p.pid) if comm == "bawn-proxy"]
    check(proxies, "no bawn-proxy")
    for pid in proxies:
        os.kill(pid, signal.SIGSTOP)
    try:
        p.stdin.close()
        time.sleep(0.1)
    finally:
        for pid in proxies:
            os.kill(pid, signal.SIGCONT)
    same(p.wait(20), 0, "the exit status")
    spans = run.spans("bawn.sandbox")
    command = tree(spans, "bawn.sandbox")["bawn.command"]
    found = [s for s in spans if s["name"] == "bawn.network"]
    same(len(found), 1, "spans")
    same(found[0]["endTimeUnixNano"], command["endTimeUnixNano"], "its end, and the command's")


REQUEST = """
import http.client, os, sys, urllib.parse
p = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
c = http.client.HTTPConnection(p.hostname, p.port)
for i in range(int(sys.argv[2])):
    c.request("GET", f"http://{sys.argv[1]}{sys.argv[3]}")
    r = c.getresponse()
    print(r.status, r.read().decode())
"""


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(0.1)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *a):
        pass


def requests(w, n, path):
    """N requests over one connection, their spans."""
    c = w.collector()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"127.0.0.1:{server.server_port}"
    run = Run(w, config=with_network(c.url()) + f'"{at}" = "allow"\n')
    run.c = c
    r = run.bawn("sandbox", "--", "/usr/bin/python3", "-c", REQUEST, at, str(n), path)
    same(r.stdout, b"200 ok\n" * n, f"what the server said ({r.stderr[-300:]!r})")
    spans = run.spans("bawn.sandbox")
    tree(spans, "bawn.sandbox")
    server.shutdown()
    return [s for s in spans if s["name"] == "bawn.network"]


@row("sandbox.requests")
def some_requests(w):
    """Of plain HTTP each request has its span, though one connection carries them."""
    found = requests(w, 3, "/slow")
    same(len(found), 3, "spans")
    for s in found:
        check(s["endTimeUnixNano"] - s["startTimeUnixNano"] >= 10**8, "it is shorter than its answer took")


@row("sandbox.many-requests")
def many_requests(w):
    same(len(requests(w, 1100, "/")), 1000, "spans")


@row("sandbox.network-decisions")
def network(w):
    c = w.collector()
    run = Run(w, config=with_network(c.url()))
    run.c = c
    r = run.bawn(
        "sandbox",
        "--",
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "http://refused.test:8080/path?q=1",
    )
    same(r.stdout, b"403", "what the proxy said")
    got = until(lambda: run.events("network_proxy.policy_decision"), 8)
    check(got, "no network_proxy.policy_decision")
    e = got[0]
    has(
        e,
        network__policy__scope="domain",
        network__policy__decision="deny",
        server__address="refused.test",
        server__port=8080,
        network__transport__protocol="http",
        network__policy__override=lambda v: True,
    )
    same(e["severityText"], "WARN", "the severity of a refusal")
    common(run, run.events())
    check(
        {s["attributes"]["event.id"] for s in got} <= {e["id"] for e in run.audit()},
        "its id is not in the audit log",
    )
    run.adds_up("bawn.network.decisions", decision="deny")
    run.adds_up("bawn.denials", kind="network")
    spans = tree(run.spans("bawn.sandbox"), "bawn.sandbox")
    check("bawn.network" in spans, f"no span for the connection: {sorted(spans)}")
    same(spans["bawn.network"].get("parentSpanId"), spans["bawn.command"]["spanId"], "its parent")
    same(spans["bawn.network"]["status_code"], 2, "its status")
    same(spans["bawn.network"]["kind_number"], 3, "its kind (client)")
    same(
        spans["bawn.network"]["attributes"].get("server.address"),
        "refused.test",
        "its server.address",
    )
    has(
        run.event("sandbox_outcome"),
        network="filtered",
        outcome="denied",
        denials__network=lambda v: v >= 1,
    )


@row("sandbox.events")
def sandbox(w):
    """A sandbox without any network reports all the same."""
    run = Run(w)
    same(run.bawn("sandbox", "-s", "read-only", "--", "true").returncode, 0, "the exit status")
    has(run.event("sandbox_outcome"), outcome="ok", sandbox_mode="read-only", network="off")
    has(run.event("tool_result"), success=True)
    common(run, run.events())
    same(len({s["attributes"]["call_id"] for s in run.events()}), 1, "call ids")
    tree(run.spans("bawn.sandbox"), "bawn.sandbox")


@row("sandbox.full-access")
def full_access(w):
    run = Run(w)
    r = run.bawn("sandbox", "-s", "danger-full-access", "--", "true")
    same((r.returncode, r.stderr), (0, b""), "exit status and messages")
    has(run.event("sandbox_outcome"), outcome="ok", network="open")


IN_ETC = """set -e
mount --make-rprivate /
mount -t tmpfs none "$1"
mkdir -m 755 "$1/upper" "$1/work"
mount -t overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" none /etc
rm -rf /etc/bawn
mkdir -m 755 /etc/bawn
cp "$2" /etc/bawn/requirements.toml
chmod 644 /etc/bawn/requirements.toml
exec setpriv --reuid "$3" --regid "$4" --clear-groups "${@:5}\""""


def administered(run, requirements, *argv, env=()):
    """bawn under an administrator's requirements: another /etc, in a mount namespace."""
    w = run.w
    write(f"{w.t}/requirements.toml", requirements)
    os.chown(f"{w.t}/requirements.toml", 0, 0)
    os.makedirs(f"{w.t}/over", exist_ok=True)
    return w.run(
        [
            "unshare",
            "-m",
            "bash",
            "-c",
            IN_ETC,
            "-",
            f"{w.t}/over",
            f"{w.t}/requirements.toml",
            str(USER.pw_uid),
            str(USER.pw_gid),
            w.scene.bawn,
            *argv,
        ],
        user=0,
        group=0,
        env={"OTEL_BLRP_SCHEDULE_DELAY": "40", **dict(env)},
    )


@row("requirement.applied", root=True)
def requirement(w):
    run = Run(w)
    r = administered(run, 'allowed_web_search_modes = ["disabled"]\n', "sandbox", "--", "true")
    same(r.returncode, 0, f"the exit status ({r.stderr.decode()})")
    e = run.event("config.requirement_applied")
    has(
        e,
        requirement__key="web_search",
        requirement__effect="replaced",
        requirement__source=lambda v: v,
    )
    common(run, [e])


@row("requirement.fixes-otel", root=True)
def fixed(w):
    """An administrator's [otel] holds, whatever a person has written and whatever variables say."""
    ours = w.collector()
    run = Run(w, config=otel(ours.url()))
    command = ("sandbox", "-s", "read-only", "--", "echo", "ran")
    r = administered(run, otel(run.c.url()), *command)
    same((r.returncode, r.stdout), (1, b""), "exit status and output with a table of one's own")
    check(b"requirements.toml" in r.stderr, f"message: {r.stderr.decode()}")
    run.configure("")
    r = administered(run, otel(run.c.url()), *command, env={"OTEL_SDK_DISABLED": "true"})
    same((r.returncode, r.stdout), (0, b"ran\n"), f"exit status and output ({r.stderr.decode()})")
    run.event("sandbox_outcome")
    same(len(ours.lines), 0, "connections to where the person wanted it")


# ---- spans ----

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@each(
    "spans.{}",
    {
        "root": None,
        "child": PARENT,
        "later-version": "01" + PARENT[2:] + "-more",
        "bad": PARENT.upper(),
        "zero": "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "short": PARENT[:-1],
    },
)
def spans(w, parent):
    run = Run(w)
    env = {"TRACEPARENT": parent} if parent else {}
    if parent == PARENT:
        env["TRACESTATE"] = "vendor=value"
    r = run.bawn("run", "--", "sh", "-c", 'echo "$TRACEPARENT"', env=env)
    same(r.returncode, 0, f"the exit status ({r.stderr.decode()})")
    named = tree(run.spans(), "bawn.run")
    check(
        {"bawn.run", "bawn.rules", "bawn.setup", "bawn.command"} <= set(named),
        f"spans {sorted(named)}",
    )
    root, command = named["bawn.run"], named["bawn.command"]
    taken = parent in (PARENT, "01" + PARENT[2:] + "-more")
    same(
        (root["traceId"], root.get("parentSpanId", "")) == tuple(PARENT.split("-")[1:3]),
        taken,
        "the parent is taken",
    )
    if not taken:
        same(root.get("parentSpanId", ""), "", "the parent of a root")
    same(
        r.stdout.decode().strip(),
        f"00-{command['traceId']}-{command['spanId']}-01",
        "$TRACEPARENT of the command",
    )
    same(root.get("traceState", ""), "vendor=value" if parent == PARENT else "", "the trace state")
    same(run.c.errors(), [], "what could not be read")


@row("spans.not-sampled")
def unsampled(w):
    run = Run(w)
    r = run.bawn(
        "run", "--", "sh", "-c", 'echo "$TRACEPARENT"', env={"TRACEPARENT": PARENT[:-1] + "0"}
    )
    event = run.event("sandbox_outcome")
    time.sleep(0.5)
    same(
        [s["name"] for s in run.c.signals() if s["kind"] == "span"],
        [],
        "spans of what is not sampled",
    )
    same(r.stdout.decode().strip(), PARENT[:-1] + "0", "$TRACEPARENT of the command")
    same(event.get("traceId"), PARENT[3:35], "the trace of the records")


@row("spans.own-attributes")
def own(w):
    c = w.collector()
    run = Run(
        w,
        config=otel(
            c.url(),
            more='[otel.span_attributes]\n"team" = "red"\n[otel.resource]\n"deployment" = "lab"\n',
        ),
    )
    run.c = c
    run.bawn("run", "--", "true")
    for s in run.spans():
        same(s["attributes"].get("team"), "red", f"team of {s['name']}")
        same(s["resource"].get("deployment"), "lab", "the resource's deployment")


@row("spans.nested")
def nested(w):
    """Who is given what a command has in $TRACEPARENT is below that command."""
    run = Run(w)
    r = run.bawn("sandbox", "--", "sh", "-c", 'echo "$TRACEPARENT"')
    run.bawn("sandbox", "--", "true", env={"TRACEPARENT": r.stdout.decode().strip()})
    spans = run.spans("bawn.sandbox", 2)
    same(len({s["traceId"] for s in spans}), 1, "traces")
    outer = [
        s
        for s in spans
        if s["name"] == "bawn.command"
        and any(t.get("parentSpanId") == s["spanId"] and t["name"] == "bawn.sandbox" for t in spans)
    ]
    same(len(outer), 1, "commands that another bawn is below")


@row("spans.variable-without-telemetry")
def passed_on(w):
    r = w.run(
        [w.scene.bawn, "sandbox", "--", "sh", "-c", 'echo "$TRACEPARENT"'],
        env={"TRACEPARENT": PARENT},
    )
    same(r.stdout.decode().strip(), PARENT, "$TRACEPARENT of the command")


# ---- measurements ----


@row("metrics.of-a-run")
def metrics(w):
    run = Run(w)
    run.bawn("run", "--", "true")

    def points():
        return {s["name"]: s for s in run.c.signals() if s["kind"] == "metric"}

    wanted = {
        "bawn.commands": ("sum", "{command}"),
        "bawn.sandbox.setup.duration": ("histogram", "ms"),
        "bawn.command.duration": ("histogram", "ms"),
    }
    check(until(lambda: set(wanted) <= set(points()), 8), f"there are: {sorted(points())}")
    for name, (shape, unit) in wanted.items():
        same((points()[name]["type"], points()[name]["unit"]), (shape, unit), name)
    same(points()["bawn.commands"]["attributes"], {"outcome": "ok"}, "attributes of bawn.commands")
    same(points()["bawn.commands"]["asInt"], 1, "bawn.commands")
    same(points()["bawn.commands"]["resource"].get("service.name"), "bawn", "service.name")
