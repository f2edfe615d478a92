"""A small internet in namespaces of its own, in which bawn runs as an ordinary user.

enter() starts this program again in new network, mount and process namespaces. All addresses there are are
local ones (a `local` route for everything on the loopback interface; none of them is an interface's own, but
OWN), so that public addresses, private ones and a cloud's metadata service can be connected to alike: whoever
gets through to one is noted by servers.py, and nothing leaves the machine, since there is no other way.
/etc/resolv.conf, /etc/hosts and the system's certificates are the scene's, by bind mounts.
"""
import asyncio
import base64
import concurrent.futures
import contextlib
import hashlib
import io
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile

import dns
import servers
from dns import Answer

HERE = os.path.dirname(os.path.abspath(__file__))
USER = pwd.getpwnam(os.environ.get("BAWN_TEST_USER", "dev")) if os.geteuid() == 0 else None
RESOLVER = "10.53.0.1"
OWN = "45.33.7.7"      # an address of the machine's own interface: public, and still the machine itself
DEAD = "93.184.215.98"  # packets to it are dropped
GONE = "93.184.215.99"  # there is no way to it
WEB, WEB6, OTHER = "93.184.215.14", "2606:2800::14", "93.184.215.15"
DENIED = "93.184.215.66"

PRIVATE = "10.1.2.3"
LOCAL_FORMS = {  # IPv6 addresses that carry one that is not public
    "mapped": "::ffff:127.0.0.1", "compatible": "::127.0.0.1", "translated": "::ffff:0:127.0.0.1",
    "nat64": "64:ff9b::7f00:1", "nat64-local": "64:ff9b:1::7f00:1", "6to4": "2002:7f00:1::1",
    "teredo": "2001:0:7f00:1::1", "unique-local": "fd12:3456::1", "link-local": "fe80::1",
    "site-local": "fec0::1", "loopback6": "::1", "multicast6": "ff02::1", "documentation6": "2001:db8::1",
    "discard": "100::1", "metadata6": "fd00:ec2::254", "unspecified6": "::"}
LOCAL_V4 = {
    "loopback": "127.0.0.1", "loopback-other": "127.8.9.10", "ten": "10.1.2.3", "seventeen": "172.20.1.1",
    "nineteen": "192.168.1.1", "cgnat": "100.64.1.1", "link-local4": "169.254.7.7", "metadata": "169.254.169.254",
    "metadata-azure": "168.63.129.16", "multicast": "224.0.0.1", "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255", "documentation": "192.0.2.1", "benchmark": "198.18.0.1",
    "this-network": "0.1.2.3", "unspecified": "0.0.0.0", "ietf": "192.0.0.1", "own": OWN}


def plain(*addresses, **more):
    return [Answer(*addresses, **more)]


ZONE = {
    **{n: plain(WEB, WEB6) for n in (
        "www.example.com", "example.com", "api.example.com", "a.b.example.com", "www.example.org", "example.org",
        "exact.example.net", "ported.example.net", "git.example.com", "registry.example.com", "pypi.example.com",
        "crates.example.com", "xn--bcher-kva.example.com", "under_score.example.com", "upstream-user.test")},
    "way.test": plain(WEB),
    "v4.example.com": plain(WEB), "v6.example.com": plain(WEB6), "db.example.com": plain(WEB),
    "other.example.com": plain(OTHER),
    # never to be asked for: no profile allows them
    **{n: plain(WEB) for n in (
        "never.test", "www.never.test", "never.example.net", "www.example.net", "x.exact.example.net",
        "never-evil.evil.example.com", "evil.example.com", "example.com.never.test", "wwwexample.com",
        "badexample.com", "example.comm", "notexample.org")},
    # what a resolver may say
    "chain.example.com": plain(WEB, via=["c1.example.net", "c2.example.net", "c3.example.net"]),
    # the rows of these run at the same time: each has its own
    **{f"{n}.example.com": [Answer(WEB), Answer("127.0.0.1")] for n in ("rebind", "rebind-later")},
    **{f"{n}.example.com": [Answer(WEB), Answer(PRIVATE)] for n in ("rebind-private", "rebind-tunnel")},
    "rebind-back.example.com": [Answer("127.0.0.1"), Answer(WEB)],
    "mixed.example.com": plain(WEB, PRIVATE), "mixed-family.example.com": plain(WEB, "fd12:3456::9"),
    "mixed-loopback.example.com": plain("127.0.0.1", WEB),
    "denied-address.example.com": plain(DENIED), "half-denied.example.com": plain(WEB, DENIED),
    "silent.example.com": plain(how="silent"), "slow.example.com": plain(WEB, how="slow"),
    "half.example.com": plain(WEB, how="half"),
    "nx.example.com": plain(code=3), "servfail.example.com": plain(code=2), "refused.example.com": plain(code=5),
    "empty.example.com": plain(), "garbage.example.com": plain(how="garbage"), "loop.example.com": plain(how="loop"),
    "other-name.example.com": plain(WEB, how="other-name"), "count.example.com": plain(WEB, how="count-lies"),
    "truncated.example.com": plain(WEB, how="truncated"),
    "spoof-id.example.com": plain(WEB, how="spoof-id"), "spoof-name.example.com": plain(WEB, how="spoof-name"),
    "many.example.com": plain(*(f"93.184.216.{i}" for i in range(1, 201))),
    "many-last.example.com": plain(*(f"93.184.216.{i}" for i in range(1, 100)), "10.0.0.9"),
    "cname-local.example.com": plain("127.0.0.1", via=["localhost.example.net"]),
    "cname-loop.example.com": plain(via=["cname-loop.example.com"]),
    "dead.example.com": plain(DEAD), "gone.example.com": plain(GONE),
    "dead-then-live.example.com": plain(GONE, WEB),
    "closed.example.com": plain(WEB),
    "granted.example.com": plain("10.9.8.7"), "granted-not.example.com": plain("10.9.8.8"),
    "pg-local.test": plain("127.0.0.1"), "private.test": plain(PRIVATE),
    "metadata.test": plain("169.254.169.254"),
    "refused-upstream.example.com": plain(WEB),
    **{f"form-{n}.example.com": plain(a) for n, a in {**LOCAL_FORMS, **LOCAL_V4}.items()},
}

CONFIG = """
default_permissions = "net"
[permissions.off]
extends = ":workspace"

[permissions.net]
extends = ":workspace"
[permissions.net.network]
enabled = true
block_message = "ask the people of the scene"
[permissions.net.network.domains]
"**.example.com" = "allow"
"evil.example.com" = "deny"
"**.evil.example.com" = "deny"
"*.example.org" = "allow"
"exact.example.net" = "allow"
"ported.example.net:8080" = "allow"
"93.184.215.20" = "allow"
"2606:2800::20" = "allow"
"93.184.220.0/24" = "allow"
"93.184.220.66" = "deny"
"93.184.215.66" = "deny"
"93.184.215.99" = "allow"
"10.9.8.7:8080" = "allow"
"localhost:8000" = "allow"

[permissions.star]
extends = ":workspace"
[permissions.star.network]
enabled = true
[permissions.star.network.domains]
"*" = "allow"
"evil.example.com" = "deny"

[permissions.local]
extends = ":workspace"
[permissions.local.network]
enabled = true
allow_local_binding = true
[permissions.local.network.domains]
"*" = "allow"
"10.1.2.4" = "deny"

[permissions.limited]
extends = ":workspace"
[permissions.limited.network]
enabled = true
mode = "limited"
[permissions.limited.network.domains]
"**.example.com" = "allow"

[permissions.looked-into]
extends = ":workspace"
[permissions.looked-into.network]
enabled = true
[permissions.looked-into.network.domains]
"**.example.com" = "allow"
[permissions.looked-into.network.mitm]
exclude = ["other.example.com"]
[[permissions.looked-into.network.requests]]
host = "api.example.com"
methods = ["GET", "POST"]
path = "/echo/**"
decision = "allow"
[permissions.looked-into.network.credentials.forge]
host = "api.example.com"
header = "authorization"
format = "Bearer {}"
from_env = "FORGE_TOKEN"
placeholder_env = "FORGE_TOKEN"

[permissions.nothing]
extends = ":workspace"
[permissions.nothing.network]
enabled = true
[permissions.nothing.network.domains]
"exact.example.net" = "deny"

[permissions.no-socks]
extends = ":workspace"
[permissions.no-socks.network]
enabled = true
enable_socks5 = false
[permissions.no-socks.network.domains]
"**.example.com" = "allow"

[permissions.sockets]
extends = ":workspace"
[permissions.sockets.network]
enabled = true
[permissions.sockets.network.domains]
"**.example.com" = "allow"
[permissions.sockets.network.unix_sockets]
"{t}/listed.sock" = "allow"
"""


def enter():
    """Starts this program again in namespaces of its own, and returns in there. Out here there is somebody who ends
    it when it is to end (unshare passes no signal on), and clears up, whatever happened in there."""
    if "BAWN_SCENE" in os.environ and os.getpid() == 1:
        return
    place = tempfile.mkdtemp(prefix="bawn-network.", dir="/var/tmp")

    def stop(number, frame):
        raise SystemExit(128 + number)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    # What is tested would inherit it when they are ignored, as they are in a background job of a shell.
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    inside = None
    try:
        inside = subprocess.Popen(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", sys.executable,
             os.path.realpath(sys.argv[0]), *sys.argv[1:]], env={**os.environ, "BAWN_SCENE": place})
        raise SystemExit(inside.wait())
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if inside is not None:
            inside.kill()
            inside.wait()
        until_gone(place)


def until_gone(place):
    """Removes PLACE, while the last of those who write there may be about to die."""
    end = time.monotonic() + 10
    while os.path.exists(place) and time.monotonic() < end:
        shutil.rmtree(place, ignore_errors=True)


def sh(text, **more):
    return subprocess.run(["bash", "-ec", text], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          **more)


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err
        self.text = out.decode(errors="replace")
        self.errors = err.decode(errors="replace")


class Scene:
    def __init__(self, direct=False):
        # The servers of the scene look names up as well, and not with the search list that bawn is given.
        os.environ["RES_OPTIONS"] = "ndots:1"
        self.direct = direct
        self.bawn_program = os.path.realpath(os.environ.get("BAWN", "build/src/cli/bawn"))
        self.t = os.environ["BAWN_SCENE"]
        os.chmod(self.t, 0o755)
        self.services = {}
        self.lock = threading.Lock()
        for d in ("home", "bawn", "w", "files", "files/git", "files/npm", "files/simple", "files/sparse",
                  "files/files", "tls", "ssh", "tmp"):
            os.makedirs(f"{self.t}/{d}")
        self.home, self.w = self.t + "/home", self.t + "/w"
        self.files = self.t + "/files"
        with open(self.t + "/bawn/config.toml", "w") as f:
            f.write(CONFIG.replace("{t}", self.t))
        self.certificates()
        self.mounts()
        self.routes()
        self.contents()
        self.own()
        self.internet = servers.Internet(self.files, None)
        self.dns = dns.Server(ZONE)
        ready = threading.Event()
        threading.Thread(target=self.serve, args=(ready,), daemon=True).start()
        if not ready.wait(30):
            raise RuntimeError("the scene's servers did not start")

    # ---- making ----

    def serve(self, ready):
        async def main():
            await self.dns.start(RESOLVER)
            await self.internet.start(self.t + "/tls/server.pem", self.t + "/tls/server.key")
            self.loop = asyncio.get_running_loop()
            self.loop.set_exception_handler(lambda *a: None)
            self.loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(4))
            ready.set()
            await asyncio.Event().wait()
        asyncio.run(main())

    def certificates(self):
        """A scratch CA, and one certificate for all names of the scene."""
        names = ["example.com", "*.example.com", "*.b.example.com", "*.example.org", "*.example.net", "*.test",
                 "upstream-user.test"]
        san = ",".join([*(f"DNS:{n}" for n in names), "IP:93.184.215.20", f"IP:{WEB}", "IP:127.0.0.1"])
        with open(self.t + "/tls/ext", "w") as f:
            f.write(f"subjectAltName={san}\nextendedKeyUsage=serverAuth\n")
        sh("""cd "$1/tls"
ec='-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
openssl req -x509 $ec -keyout ca.key -out ca.pem -days 2 -subj '/CN=scene CA' \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
openssl req $ec -keyout server.key -out server.csr -subj '/CN=scene'
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem
chmod 644 *""".replace("$1", self.t), stderr=subprocess.DEVNULL)

    def bind(self, path, text):
        """TEXT in the place of PATH, here only."""
        source = f"{self.t}/tmp/{path.strip('/').replace('/', '-')}"
        with open(source, "w") as f:
            f.write(text)
        os.chmod(source, 0o644)
        real = os.path.realpath(path)
        if not os.path.exists(real):
            raise RuntimeError(f"{real} is not there to be covered")
        subprocess.run(["mount", "--bind", source, real], check=True)

    def mounts(self):
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        # A search list must never be applied: what it would ask for is a name that nobody allowed.
        self.bind("/etc/resolv.conf", f"nameserver {RESOLVER}\nsearch never-searched.test\noptions ndots:3\n")
        self.bind("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{PRIVATE} hosts.example.com\n")
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        with open(bundle) as f, open(self.t + "/tls/ca.pem") as ca:
            self.bind(bundle, f.read() + ca.read())
        self.ca = self.t + "/tls/ca.pem"
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "scene", "/run"], check=True)
        os.mkdir("/run/sshd", 0o755)

    def routes(self):
        sh(f"""ip link set lo up
ip route add local 0.0.0.0/0 dev lo
ip -6 route add local ::/0 dev lo
ip addr add {OWN}/32 dev lo
ip route add unreachable {GONE}
echo '20000 60999' > /proc/sys/net/ipv4/ip_local_port_range
echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind
echo 8192 > /proc/sys/net/core/somaxconn
echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start
nft 'table inet scene {{ chain in {{ type filter hook input priority 0; ip daddr {DEAD} drop
}}
}}'""")

    def contents(self):
        """What git, npm, pip and cargo are to fetch: one small thing called yard."""
        def tar(entries):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w:gz") as t:
                for name, text in entries.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(text)
                    t.addfile(info, io.BytesIO(text.encode()))
            return out.getvalue()

        def put(path, data):
            path = f"{self.files}/{path}"
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data if isinstance(data, bytes) else data.encode())
        manifest = {"name": "yard", "version": "1.0.0", "main": "i.js"}
        tgz = tar({"package/package.json": json.dumps(manifest), "package/i.js": "exports.n = 7\n"})
        put("files/yard-1.0.0.tgz", tgz)
        dist = {"tarball": "{origin}/files/yard-1.0.0.tgz",
                "integrity": "sha512-" + base64.b64encode(hashlib.sha512(tgz).digest()).decode()}
        put("npm/yard/index", json.dumps({"name": "yard", "dist-tags": {"latest": "1.0.0"},
                                          "versions": {"1.0.0": {**manifest, "dist": dist}}}))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr("yard/__init__.py", "N = 7\n")
            z.writestr("yard-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: yard\nVersion: 1.0\n")
            z.writestr("yard-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: s\nRoot-Is-Purelib: true\n"
                                                   "Tag: py3-none-any\n")
            z.writestr("yard-1.0.dist-info/RECORD", "")
        put("files/yard-1.0-py3-none-any.whl", out.getvalue())
        put("simple/yard/index", "<html><a href=\"{origin}/files/yard-1.0-py3-none-any.whl#sha256="
            + hashlib.sha256(out.getvalue()).hexdigest() + "\">yard-1.0-py3-none-any.whl</a></html>")
        crate = tar({"yard-1.0.0/Cargo.toml": "[package]\nname = \"yard\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
                     "yard-1.0.0/src/lib.rs": "pub const N: u8 = 7;\n"})
        put("files/crates/yard/1.0.0/download", crate)
        put("sparse/config.json", json.dumps({"dl": "{origin}/files/crates"}))
        put("sparse/ya/rd/yard", json.dumps({"name": "yard", "vers": "1.0.0", "deps": [], "features": {},
                                             "cksum": hashlib.sha256(crate).hexdigest(), "yanked": False}) + "\n")
        put("gitconfig", "[safe]\n\tdirectory = *\n[http]\n\treceivepack = true\n")
        sh(f"""cd {self.files}/git; export GIT_CONFIG_GLOBAL={self.files}/gitconfig
git init -q --bare -b main yard.git; git init -q -b main ../work; cd ../work
head -c 300000 /dev/zero | openssl enc -aes-128-ctr -K 00 -iv 00 > big 2>/dev/null; echo 7 > n; git add .
git -c user.name=s -c user.email=s@example.com commit -qm first; git push -q ../git/yard.git main""",
           stderr=subprocess.DEVNULL)
        sh(f"ssh-keygen -q -t ed25519 -N '' -f {self.t}/ssh/host; ssh-keygen -q -t ed25519 -N '' -f {self.t}/ssh/id; "
           f"ssh-keygen -q -t ed25519 -N '' -f {self.t}/ssh/other")

    def own(self):
        if USER:
            for base, dirs, files in os.walk(self.t):
                for p in [base, *(os.path.join(base, f) for f in files)]:
                    if not p.startswith((self.t + "/tls", self.t + "/tmp/etc")):
                        os.chown(p, USER.pw_uid, USER.pw_gid, follow_symlinks=False)
        os.chown(self.t, 0, 0)
        os.chmod(self.t, 0o755)
        os.makedirs(self.t + "/run", exist_ok=True)
        if USER:
            os.chown(self.t + "/run", USER.pw_uid, USER.pw_gid)
        os.chmod(self.t + "/bawn", 0o700)

    # ---- services that are programs of their own: started by the first case that wants them ----

    def service(self, name):
        with self.lock:
            if name in self.services:
                return
            port, argv, root = getattr(self, "start_" + name)()
            log = open(f"{self.t}/tmp/{name}.log", "wb")
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                 env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.t + "/run",
                                      "RES_OPTIONS": os.environ["RES_OPTIONS"]},
                                 **({} if root else self.as_user()))
            self.services[name] = p
            end = time.monotonic() + 30
            while p.poll() is None and time.monotonic() < end:
                with contextlib.suppress(OSError), socket.create_connection((WEB, port), 1):
                    return
                time.sleep(0.02)
            with open(log.name, errors="replace") as f:
                raise RuntimeError(f"{name} does not run: {f.read()[-500:]}")

    def start_ssh(self):
        with open("/etc/passwd") as f:
            self.bind("/etc/passwd", f"{f.read()}git:x:{USER.pw_uid}:{USER.pw_gid}::{self.t}/run:/bin/sh\n")
        with open("/etc/shadow") as f:
            self.bind("/etc/shadow", f.read() + "git:*:19000:0:99999:7:::\n")
        with open(self.t + "/ssh/id.pub") as f, open("/run/keys", "w") as keys:
            keys.write(f'environment="GIT_CONFIG_GLOBAL={self.files}/gitconfig" {f.read()}')
        with open(self.t + "/ssh/host.pub") as f, open(self.t + "/ssh/known", "w") as known:
            known.write(f"git.example.com {f.read()}")
        os.chmod(self.t + "/ssh/known", 0o644)
        self.bind("/etc/ssh/ssh_config", f"Host *\n IdentityFile {self.t}/ssh/id\n IdentitiesOnly yes\n BatchMode yes\n"
                  f" StrictHostKeyChecking yes\n UserKnownHostsFile {self.t}/ssh/known\n")
        shutil.copy(self.t + "/ssh/host", "/run/host-key")
        os.chmod("/run/host-key", 0o600)
        with open("/run/sshd_config", "w") as f:
            f.write("Port 22\nHostKey /run/host-key\nAuthorizedKeysFile /run/keys\nUsePAM no\nStrictModes no\n"
                    "PasswordAuthentication no\nPidFile none\nPermitUserEnvironment yes\n")
        return 22, ["/usr/sbin/sshd", "-D", "-e", "-f", "/run/sshd_config"], True

    def start_postgres(self):
        found = [os.path.join(d, "postgres") for d in (
            *sorted((os.path.join("/usr/lib/postgresql", v, "bin") for v in os.listdir("/usr/lib/postgresql")),
                    reverse=True),)]
        d, data = os.path.dirname(found[0]), self.t + "/run/pg"
        subprocess.run([d + "/initdb", "-D", data, "-A", "trust", "-U", "scene", "-N", "--locale=C", "-E", "UTF8"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.as_user())
        with open(data + "/pg_hba.conf", "w") as f:
            f.write("host all all all trust\n")
        return 5432, [found[0], "-D", data, "-c", "listen_addresses=*", "-c", "fsync=off", "-c",
                      "unix_socket_directories=", "-c", "shared_buffers=8MB"], False

    def start_redis(self):
        return 6379, ["redis-server", "--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
                      "--dir", self.t + "/run"], False

    def start_tinyproxy(self):
        with open("/run/tinyproxy.conf", "w") as f:
            f.write("Port 8888\nTimeout 60\nMaxClients 50\nConnectPort 80\nConnectPort 443\nConnectPort 7007\n")
        return 8888, ["tinyproxy", "-d", "-c", "/run/tinyproxy.conf"], False

    # ---- running ----

    def as_user(self):
        return {"user": USER.pw_uid, "group": USER.pw_gid, "extra_groups": []} if USER else {}

    def environ(self, more=()):
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin", "HOME": self.home, "BAWN_HOME": self.t + "/bawn",
               "LANG": "C.UTF-8", "TMPDIR": "/tmp", "USER": USER.pw_name if USER else "user",
               "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "s", "GIT_AUTHOR_EMAIL": "s@example.com",
               "GIT_COMMITTER_NAME": "s", "GIT_COMMITTER_EMAIL": "s@example.com",
               "npm_config_update_notifier": "false", "npm_config_audit": "false", "npm_config_fund": "false",
               "NODE_EXTRA_CA_CERTS": self.ca}
        for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if k in os.environ:
                env[k] = os.environ[k]
        env.update(more)
        return env

    def argv(self, command, profile="net", opts=()):
        if self.direct:
            return command
        return [self.bawn_program, "sandbox", "-P", profile, *opts, "--", *command]

    def popen(self, command, profile="net", opts=(), env=(), cwd=None, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(self.argv(command, profile, opts), cwd=cwd or self.w, env=self.environ(dict(env)),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                **self.as_user(), **more)

    def run(self, command, profile="net", opts=(), env=(), input=None, timeout=60, cwd=None):
        """COMMAND (argv, or text for bash) inside; Result."""
        if isinstance(command, str):
            command = ["/bin/bash", "-c", command]
        p = self.popen(command, profile, opts, env, cwd, **({"stdin": subprocess.PIPE} if input is not None else {}))
        try:
            out, err = p.communicate(input, timeout)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(p.pid, signal.SIGKILL)
            out, err = p.communicate()
            err += b"(did not end)\n"
        return Result(p.returncode, out, err)

    def directory(self):
        """A fresh working directory of the user's."""
        d = tempfile.mkdtemp(dir=self.w)
        if USER:
            os.chown(d, USER.pw_uid, USER.pw_gid)
        return d

    def close(self):
        for p in self.services.values():
            with contextlib.suppress(OSError):
                p.terminate()
