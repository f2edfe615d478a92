"""The rows of `make bench` for the record over OpenTelemetry: what an event costs the launcher,
what a collector (up, hanging, down) costs a command, and how fast the exporter sends.

The collector is a small one of its own process, which reads and says yes, or reads and says
nothing.
"""
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

COLLECTOR = """import asyncio, re, sys
async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            n = int(re.search(rb"content-length: *(\\d+)", head, re.I)[1])
            await reader.readexactly(n)
            if sys.argv[1] == "up":
                writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 0\\r\\n\\r\\n")
                await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 23)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
CONFIG = """sandbox_backend = "bundled"
[otel]
exporter = {{ {0} }}
trace_exporter = {{ {0} }}
metrics_exporter = {{ {0} }}
"""
STATES = ("off", "up", "hanging", "down")


class Telemetry:
    def __init__(self, s, top, bawn, quick):
        self.s, self.top, self.quick = s, top, quick
        build = os.path.dirname(os.path.dirname(os.path.dirname(bawn)))
        # The release build is the launcher alone: then the ordinary one.
        self.build = (
            build
            if os.path.exists(os.path.join(build, "src/exporter/bawn-exporter"))
            else os.path.join(top, "build")
        )
        self.running, self.ports = [], {}
        self.dir = s.make("telemetry")
        libexec = os.path.join(s.path, "libexec/bawn")
        os.makedirs(libexec, exist_ok=True)
        self.exporter = shutil.copy(os.path.join(self.build, "src/exporter/bawn-exporter"), libexec)
        self.spool_try = shutil.copy(os.path.join(self.build, "tests/telemetry/spool_try"), s.bin)
        self.event_bench = shutil.copy(
            os.path.join(self.build, "tests/bench/bench_telemetry"), s.bin
        )
        for state in ("up", "hanging"):
            p = subprocess.Popen(
                [sys.executable, "-c", COLLECTOR, state], stdout=subprocess.PIPE, text=True
            )
            self.running.append(p)
            self.ports[state] = int(p.stdout.readline())
        self.nobody = socket.socket()
        self.nobody.bind(("127.0.0.1", 0))  # and does not listen
        self.ports["down"] = self.nobody.getsockname()[1]

    def close(self):
        for p in self.running:
            p.kill()
            p.wait()
        self.nobody.close()

    def events(self):
        """[(name, signals, median µs, 99th percentile µs)]"""
        d = self.s.make("telemetry/events")
        os.chmod(d, 0o700)
        r = self.s.run([self.event_bench, d], "/", capture_output=True, text=True)
        if r.returncode:
            raise RuntimeError(f"bench_telemetry: {r.stderr.strip()}")
        rows = [line.split() for line in r.stdout.splitlines()]
        return [
            (name, int(n), int(median) / 1000, int(most) / 1000) for name, n, median, most in rows
        ]

    def home(self, state):
        d = self.s.make(f"telemetry/home-{state}")
        os.chmod(d, 0o700)
        with open(f"{d}/config.toml", "w") as f:
            if state == "off":
                f.write('sandbox_backend = "bundled"\n')
            else:
                f.write(
                    CONFIG.format(
                        f'otlp-http = {{ endpoint = "http://127.0.0.1:{self.ports[state]}" }}'
                    )
                )
        self.s.give(d)
        return d

    def runs(self, rounds):
        """{state: median ns} of `bawn run true`. One $BAWN_HOME each, in turn, in blocks."""
        cwd = self.s.make("telemetry/work")
        for name in (".git", ".agents", ".codex", ".bawn", ".aws"):
            os.makedirs(os.path.join(cwd, name), exist_ok=True)
        self.s.give(cwd)
        homes, got, old = {state: self.home(state) for state in STATES}, {}, self.s.env
        try:
            for _ in range(3 if self.quick else 8):
                for state in STATES:
                    self.s.env = {**old, "BAWN_HOME": homes[state]}
                    times, why = self.s.time(
                        cwd,
                        {
                            state: [
                                self.s.bawn,
                                "run",
                                "-q",
                                "-s",
                                "workspace-write",
                                "--",
                                "/usr/bin/true",
                            ]
                        },
                        rounds,
                    )
                    if why:
                        raise RuntimeError(f"{state}: {why}")
                    got.setdefault(state, []).append(times[state])
        finally:
            self.s.env = old
        return {k: statistics.median(v) for k, v in got.items()}

    def throughput(self, protocol, n):
        """Signals a second that the exporter takes out of a spool and sends, gzipped."""
        d = self.s.make(f"telemetry/spool-{protocol}")
        os.chmod(d, 0o700)
        url = f"http://127.0.0.1:{self.ports['up']}/v1/logs"
        key = subprocess.run(
            [self.spool_try, "key", "logs", protocol, url],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        argv = [self.spool_try, "append", d, key, str(n), "--pad", "300", "--most", str(1 << 30)]
        r = self.s.run(argv, "/", capture_output=True, text=True)
        if r.stdout.split() != ["appended", str(n), "refused", "0"]:
            raise RuntimeError(f"spool_try: {r.stdout}{r.stderr}")
        begin = time.monotonic()
        r = self.s.run(
            [
                self.spool_try,
                "start",
                self.exporter,
                d,
                "--endpoint",
                url,
                "--protocol",
                protocol,
                "--gzip",
                "--idle",
                "100",
                "destination",
                "flush=300",
            ],
            "/",
            capture_output=True,
            text=True,
        )
        seconds = time.monotonic() - begin
        sent = re.search(r"state sent .* sent=(\d+) dropped=0 ", r.stdout)
        if not sent or int(sent[1]) != n:
            raise RuntimeError(f"spool_try: {r.stdout}{r.stderr}")
        return n / seconds


def telemetry(s, top, bawn, quick, failures, say):
    """The table as text."""
    out = ["| telemetry | result | target | held? |", "|---|---|---|---|"]

    def add(what, result, target, held):
        out.append(f"| {what} | {result} | {target} | {'yes' if held else '**no**'} |")
        say(f"  {'held    ' if held else 'NOT HELD'} {what}: {result}, target {target}")
        if not held:
            failures.append(what)

    say("telemetry")
    t = None
    try:
        t = Telemetry(s, top, bawn, quick)
        for name, n, median, most in t.events():
            signals = f"{n} signal{'s' if n > 1 else ''}"
            add(
                f"{name} ({signals}), in the launcher",
                f"{median:.1f} µs, 99 % {most:.1f} µs",
                "≤ 20 µs",
                median <= 20,
            )
        times = t.runs(10 if quick else 25)
        off = times["off"]
        for state in STATES[1:]:
            ms = (times[state] - off) / 1e6
            add(
                f"`bawn run true`, a collector that is {state}: {times[state] / 1e6:.2f} ms; "
                f"off: {off / 1e6:.2f} ms",
                f"{times[state] / off:.2f} times, {ms:.2f} ms more",
                "≤ 0.5 ms more",
                ms <= 0.5,
            )
        for protocol, least in (("http-protobuf", 20_000), ("http-json", 10_000)):
            rate = t.throughput(protocol, 20_000 if quick else 200_000)
            add(
                f"the exporter, {protocol}, gzip: signals a second",
                f"{rate:,.0f}",
                f"≥ {least:,}",
                rate >= least,
            )
    except (RuntimeError, OSError, subprocess.CalledProcessError) as e:
        say(f"  NOT MEASURED: {e}")
        out.append(f"| not measured: {e} | | | |")
        failures.append("telemetry")
    finally:
        if t:
            t.close()
    return "\n".join(out)
