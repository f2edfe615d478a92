"""The network's rows of `make bench`: bawn-proxy beside squid, tinyproxy and a plain relay, all on loopback, in turn.

The load is net_load.c's. For bawn it runs inside the sandbox and reaches the server on the host's loopback through
the proxy, which a rule allows; for the others it runs bare. A row is the median of its rounds, and in each round
every way has its turn. What is not installed is left out.
"""
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess

SQUID = """http_port 127.0.0.1:{port}
http_access allow all
cache deny all
access_log none
cache_store_log none
cache_log {dir}/squid.log
pid_filename none
coredump_dir {dir}
pinger_enable off
netdb_filename none
via off
forwarded_for delete
visible_hostname bench
shutdown_lifetime 0 seconds
max_filedescriptors 8192
"""
TINYPROXY = """Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 2000
LogLevel Critical
DisableViaHeader Yes
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


class Network:
    def __init__(self, s, top, bawn, quick):
        self.s, self.top, self.bawn, self.quick = s, top, bawn, quick
        self.dir = s.make("network")
        self.rounds = 3 if quick else 7
        self.load = os.path.join(s.bin, "net_load")
        subprocess.run(["cc", "-O2", "-o", self.load, os.path.join(top, "tests/bench/net_load.c")], check=True)
        self.running, self.proxies = [], {}
        self.server = free_port()
        self.start([self.load, "serve", str(self.server)])
        self.relay = free_port()
        self.start([self.load, "relay", str(self.relay), str(self.server)])
        self.install()
        for name, argv, text in (("squid", ["squid", "-N", "-n", f"bench{os.getpid()}", "-f"], SQUID), ("tinyproxy", ["tinyproxy", "-d", "-c"], TINYPROXY)):
            program = shutil.which(argv[0], path=s.path_env)
            if program:
                self.proxies[name] = port = free_port()
                path = f"{self.dir}/{name}.conf"
                with open(path, "w") as f:
                    f.write(text.format(port=port, dir=self.dir))
                self.start([program, *argv[1:], path], port)

    def build(self):
        """Where libraries and helpers are. The release build is the launcher alone: then the ordinary one."""
        build = os.path.dirname(os.path.dirname(os.path.dirname(self.bawn)))
        return build if os.path.exists(os.path.join(build, "src/proxy/bawn-proxy")) else os.path.join(self.top, "build")

    def install(self):
        """bawn and its proxy, where they look for each other; and a profile for each way to start."""
        libexec = os.path.join(self.s.path, "libexec/bawn")
        os.makedirs(libexec, exist_ok=True)
        shutil.copy(os.path.join(self.build(), "src/proxy/bawn-proxy"), libexec)
        home = self.s.make("network/home")
        with open(f"{home}/config.toml", "w") as f:
            f.write("sandbox_backend = \"bundled\"\n[permissions.filtered]\nextends = \":workspace\"\n[permissions.filtered.network]\nenabled = true\n"
                    f"domains = {{ \"127.0.0.1:{self.server}\" = \"allow\" }}\n"
                    "[permissions.open]\nextends = \":workspace\"\n[permissions.open.network]\nenabled = true\n"
                    "[permissions.off]\nextends = \":workspace\"\n")
        self.s.give(home)
        self.env = {**self.s.env, "BAWN_HOME": home}

    def popen(self, argv, **more):
        ids = {"user": self.s.uid, "group": self.s.gid, "extra_groups": []} if os.getuid() == 0 else {}
        return subprocess.Popen(argv, cwd=self.dir, env=self.env, stderr=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                start_new_session=True, **ids, **more)

    def start(self, argv, port=0):
        self.env = self.s.env
        p = self.popen(argv, stdin=subprocess.DEVNULL)
        self.running.append(p)
        if not port:
            p.stdout.readline()  # "ready"
        while port and p.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                signal.sigtimedwait([], 0.02)

    def close(self):
        for p in self.running:
            p.terminate()  # squid puts away what it has in /dev/shm
        for p in self.running:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()

    def sandbox(self, profile, *command):
        return [self.s.bawn, "sandbox", "-q", "-P", profile, "--", *command]

    def once(self, way, *args):
        """Numbers that net_load prints."""
        argv, env = [self.load, *map(str, args)], dict(self.env)
        if way == "bawn":
            argv = self.sandbox("filtered", *argv)
        elif way == "relay":
            env["NET_LOAD_VIA"] = str(self.relay)
        elif way != "direct":
            env["http_proxy"] = f"http://127.0.0.1:{self.proxies[way]}"
        ids = {"user": self.s.uid, "group": self.s.gid, "extra_groups": []} if os.getuid() == 0 else {}
        r = subprocess.run(argv, cwd=self.dir, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, **ids)
        if r.returncode:
            raise RuntimeError(f"{way}: {' '.join(map(str, args))}: {r.stderr.strip()[-300:]}")
        return [float(x) for x in r.stdout.split()]

    def measure(self, ways, *args):
        """{way: median of each number}, of rounds in which each has its turn."""
        got = {}
        for _ in range(self.rounds):
            for way in list(ways):
                try:
                    got.setdefault(way, []).append(self.once(way, *args))
                except RuntimeError as e:
                    if way in ("bawn", "direct"):
                        raise
                    ways.remove(way)  # one that cannot do it is not compared with
                    got.pop(way, None)
                    print(f"  left out: {e}", flush=True)
        return {way: [statistics.median(x) for x in zip(*rows)] for way, rows in got.items()}

    def held_by(self, pid, name):
        """Resident KiB of the process called NAME below PID (or PID itself)."""
        todo = [pid]
        while todo:
            p = todo.pop()
            with open(f"/proc/{p}/comm") as f:
                if f.read().strip() == name:
                    with open(f"/proc/{p}/status") as f:
                        return int(re.search(r"^VmRSS:\s+(\d+)", f.read(), re.M)[1])
            with open(f"/proc/{p}/task/{p}/children") as f:
                todo += map(int, f.read().split())
        raise RuntimeError(f"no process is called {name}")

    def tunnels(self, n):
        """What bawn-proxy has resident while N tunnels are open, KiB."""
        p = self.popen(self.sandbox("filtered", self.load, "idle", str(self.server), str(n)), stdin=subprocess.PIPE)
        try:
            if p.stdout.readline() != "ready\n":
                raise RuntimeError(f"{n} tunnels were not opened")
            return self.held_by(p.pid, "bawn-proxy")
        finally:
            p.stdin.close()
            p.wait()

    def starts(self):
        """{profile: median ns} to run `true`. In blocks of one profile: the kernel takes a network namespace apart after
        its last process is gone, and whoever makes the next one waits for that. Each is to pay for its own."""
        got, old = {}, self.s.env
        self.s.env = self.env
        try:
            for _ in range(self.rounds):
                for k in ("filtered", "off", "open"):
                    times, reasons = self.s.time(self.dir, {k: self.sandbox(k, "/usr/bin/true")}, 10 if self.quick else 30)
                    if reasons:
                        raise RuntimeError(f"{reasons}")
                    got.setdefault(k, []).append(times[k])
        finally:
            self.s.env = old
        return {k: statistics.median(v) for k, v in got.items()}

    def policy(self):
        """(ms to read 100,000 patterns, ns a decision)."""
        build = self.build()
        program = os.path.join(self.s.bin, "bench_netpolicy")
        subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-I" + os.path.join(self.top, "src"), "-o", program,
                        os.path.join(self.top, "tests/bench/bench_netpolicy.c"),
                        *(os.path.join(build, f"src/{r}/lib{r}.a") for r in ("network", "config", "base"))], check=True)
        out = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        read, laid = re.search(r"read ([\d.]+) ms, laid out ([\d.]+) ms", out).groups()
        return float(read) + float(laid), max(map(int, re.findall(r"(\d+) ns", out)))


COLUMNS = ("direct", "relay", "bawn", "squid", "tinyproxy")


def network(s, top, bawn, quick, failures, say):
    """The table as text."""
    out = ["| the network | " + " | ".join(COLUMNS) + " | result | target | held? |", "|" + "---|" * (len(COLUMNS) + 4)]

    def add(what, cells, result, target, held):
        out.append("| " + " | ".join([what, *(cells.get(c, "") for c in COLUMNS), result, target, "yes" if held else "**no**"]) + " |")
        say(f"  {'held    ' if held else 'NOT HELD'} {what}: " + ", ".join(f"{k} {v}" for k, v in cells.items()) + f"; {result}, target {target}")
        if not held:
            failures.append(what)
    say("network")
    n = Network(s, top, bawn, quick)
    n.env = {**n.env, "BAWN_HOME": f"{n.dir}/home"}
    try:
        # Before the loads: what they leave behind in the kernel is taken apart for a while.
        times = n.starts()
        ms = max(times["filtered"] - times["open"], times["filtered"] - times["off"]) / 1e6
        add(f"start: open {times['open'] / 1e6:.2f} ms, off {times['off'] / 1e6:.2f} ms, filtered", {"bawn": f"{times['filtered'] / 1e6:.2f} ms"},
            f"{ms:.2f} ms more", "≤ 5 ms more", ms <= 5)
        count = 8000 if quick else 60000
        got = n.measure(["direct", "bawn", *n.proxies], "requests", n.server, 8, count)
        rate = {k: v[0] for k, v in got.items()}
        cells = {k: f"{v:.0f}" for k, v in rate.items()}
        if "squid" in rate:
            add("plain HTTP, kept alive, 8 connections: requests a second", cells, f"bawn / squid = {rate['bawn'] / rate['squid']:.2f}",
                "≥ 1", rate["bawn"] >= rate["squid"])
        else:
            add("plain HTTP, kept alive, 8 connections: requests a second", cells, "squid did not run", "≥ squid's", False)
        late = got["bawn"][2] / 1e6
        add("99th percentile from inside the sandbox, 8 connections, ms", {k: f"{v[2] / 1e6:.2f}" for k, v in got.items()}, f"{late:.2f} ms", "≤ 2 ms",
            late <= 2)
        got = n.measure(["direct", "bawn", *n.proxies], "requests", n.server, 1, count // 4)
        more = (got["bawn"][1] - got["direct"][1]) / 1000
        add("one connection: median latency, µs", {k: f"{v[1] / 1000:.1f}" for k, v in got.items()}, f"{more:.1f} µs more", "≤ 60 µs more", more <= 60)
        got = n.measure(["relay", "bawn", *n.proxies], "stream", n.server, (500 if quick else 4000) * 1000 * 1000)
        ratio = got["bawn"][0] / got["relay"][0]
        add("one CONNECT stream, MB a second", {k: f"{v[0] / 1e6:.0f}" for k, v in got.items()}, f"bawn / relay = {ratio:.2f}", "≥ 0.8", ratio >= 0.8)
        kib = n.tunnels(1000) - n.tunnels(1)
        add("1,000 idle tunnels: KiB more resident", {"bawn": str(kib)}, f"{kib / 1024:.1f} MiB", "≤ 8 MB", kib <= 8000)
        read, decide = n.policy()
        add("100,000 patterns: ms to read them, ns a decision", {"bawn": f"{read:.0f}, {decide}"}, f"{read:.0f} ms, {decide / 1000:.2f} µs",
            "≤ 100 ms, ≤ 2 µs", read <= 100 and decide <= 2000)
    except (RuntimeError, OSError, subprocess.CalledProcessError) as e:
        say(f"  NOT MEASURED: {e}")
        out.append(f"| not measured: {e} |" + " |" * (len(COLUMNS) + 3))
        failures.append("network")
    finally:
        n.close()
    out.append("\nAll on loopback, the median of rounds in which each has its turn. The load for bawn runs inside the sandbox, for the "
               "others bare;\ntinyproxy keeps no connection, and is left out where they are kept.")
    return "\n".join(out)
