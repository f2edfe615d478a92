"""The everyday things. See `run` for what a row says."""
import os
import subprocess
import sys

Case = sys.modules["__main__"].Case


def repo(s):
    s.sh("git init -q; echo one > a; git add a; git commit -qm first; echo two >> a")


def npm_package(s):
    s.sh("""
mkdir -p lib/bin; cd lib
echo '{"name":"yard","version":"1.0.0","bin":{"yard":"bin/yard.js"},"main":"i.js"}' > package.json
printf '#!/usr/bin/env node\\nconsole.log("gate " + require("..").n)\\n' > bin/yard.js; chmod +x bin/yard.js
echo 'exports.n = 7' > i.js
cd ..; echo '{"name":"app","version":"1.0.0"}' > package.json
""")


def python_package(s):
    s.sh("""
mkdir -p pkg/yard
cat > pkg/setup.py <<'X'
from setuptools import setup
setup(name="yard", version="1.0", packages=["yard"])
X
echo 'N = 7' > pkg/yard/__init__.py
""")


def c_project(s):
    s.sh("""
mkdir src
for i in 1 2 3 4 5 6 7 8; do echo "int f$i(void) { return $i; }" > src/f$i.c; done
{ echo '#include <stdio.h>'; for i in 1 2 3 4 5 6 7 8; do echo "int f$i(void);"; done
  echo 'int main(void) { printf("sum %d\\n", f1()+f2()+f3()+f4()+f5()+f6()+f7()+f8()); return 0; }'; } > src/main.c
printf 'O = $(patsubst %%.c,%%.o,$(wildcard src/*.c))\\nsum: $(O)\\n\\t$(CC) -o $@ $^\\n' > Makefile
printf 'cmake_minimum_required(VERSION 3.10)\\nproject(sum C)\\nfile(GLOB S src/*.c)\\nadd_executable(sum ${S})\\nenable_testing()\\nadd_test(NAME t COMMAND sum)\\n' > CMakeLists.txt
""")


def odd_directory(name):
    def cwd(s):
        d = os.fsencode(s.w) + b"/" + name
        os.makedirs(d, exist_ok=True)
        s.own()
        return d
    return cwd


PY_NET = """
import asyncio, sys
async def main():
    async def on(r, w):
        w.write(b"echo " + await r.readline()); await w.drain(); w.close()
    srv = await asyncio.start_unix_server(on, "s.sock")
    r, w = await asyncio.open_unix_connection("s.sock")
    w.write(b"hello\\n"); print((await r.read()).decode().strip())
    p = await asyncio.create_subprocess_exec("sh", "-c", "echo child; exit 3", stdout=-1)
    o, _ = await p.communicate(); print(o.decode().strip(), p.returncode)
    srv.close()
asyncio.run(main())
"""

UNIX = """
import socket, threading, sys
p = sys.argv[1]
s = socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[2])); s.bind(p)
c = socket.socket(socket.AF_UNIX, getattr(socket, sys.argv[2]))
if sys.argv[2] == "SOCK_DGRAM":
    c.sendto(b"one", p); c.connect(p); c.send(b"two"); c.sendmsg([b"three"], [], 0, p)
    print(s.recv(9), s.recv(9), s.recv(9))
else:
    s.listen(); c.connect(p); a, _ = s.accept(); c.sendall(b"hi"); print(a.recv(9))
    print(c.getpeername() == p, c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED) != 0)
    c.shutdown(socket.SHUT_WR); print(a.recv(9))
"""

PAIR = """
import socket, array, os
a, b = socket.socketpair()
a.send(b"1"); print(b.recv(1)); a.sendmsg([b"2"]); print(b.recv(1))
r, w = os.pipe()
a.sendmsg([b"f"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [w]))])
m, anc, _, _ = b.recvmsg(1, 64); fd = array.array("i", anc[0][2])[0]
os.write(fd, b"via"); print(os.read(r, 9))
print(a.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM, a.getpeername() == "")
a.shutdown(socket.SHUT_WR); print(b.recv(1))
c, d = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); c.send(b"dg"); print(d.recv(9))
"""

INOTIFY = """
import ctypes, os, select
l = ctypes.CDLL(None); fd = l.inotify_init1(0); l.inotify_add_watch(fd, b".", 0xfff)
open("seen", "w").close()
print(bool(select.select([fd], [], [], 3)[0]), b"seen" in os.read(fd, 4096))
"""

MULTI = """
import multiprocessing as mp, os
from multiprocessing import shared_memory
def f(x): return x * x
if __name__ == "__main__":
    for how in ("fork", "spawn", "forkserver"):
        c = mp.get_context(how)
        with c.Pool(2) as p: print(how, sum(p.map(f, range(10))))
    with mp.Manager() as m:
        d = m.dict(); q = m.Queue()
        def put(d, q): d["k"] = 1; q.put(2)
        p = mp.get_context("fork").Process(target=put, args=(d, q)); p.start(); p.join()
        print("manager", d["k"], q.get())
    s = shared_memory.SharedMemory(create=True, size=64); s.buf[0] = 9
    t = shared_memory.SharedMemory(s.name); print("shared", t.buf[0]); t.close(); s.close(); s.unlink()
    q = mp.Queue(); q.put(1); print("queue", q.get()); mp.Lock(); mp.Semaphore(2)
"""

SQLITE = """
import sqlite3, threading
a = sqlite3.connect("x.db"); print(a.execute("pragma journal_mode=wal").fetchone()[0])
a.execute("create table t(x)"); a.commit()
def w():
    b = sqlite3.connect("x.db", timeout=10)
    for i in range(50): b.execute("insert into t values(?)", (i,)); b.commit()
ts = [threading.Thread(target=w) for _ in range(4)]; [t.start() for t in ts]; [t.join() for t in ts]
print(a.execute("select count(*) from t").fetchone()[0])
"""

JAVA = """
import java.io.*; import java.nio.file.*; import java.util.concurrent.*;
public class Y { public static void main(String[] a) throws Exception {
  ExecutorService e = Executors.newFixedThreadPool(4); System.out.println(e.submit(() -> 7).get()); e.shutdown();
  Process p = new ProcessBuilder("sh", "-c", "echo child").start();
  System.out.println(new BufferedReader(new InputStreamReader(p.getInputStream())).readLine());
  Files.writeString(Path.of("j"), "x"); System.out.println(Files.exists(Path.of("j"))); } }
"""

NODE_CHILD = """
const cp = require('child_process'), fs = require('fs');
if (process.argv[2] === 'kid') { process.on('message', m => { process.send(m * 2); process.disconnect(); }); }
else {
  console.log(cp.execSync('echo exec').toString().trim());
  const s = cp.spawn('sh', ['-c', 'read x; echo spawn $x']); s.stdout.on('data', d => console.log(d.toString().trim()));
  s.stdin.end('in\\n');
  s.on('close', () => { const f = cp.fork(__filename, ['kid']); f.on('message', m => console.log('fork', m)); f.send(21); });
}
"""

NODE_WORKER = """
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
if (isMainThread) { const b = new SharedArrayBuffer(4); const w = new Worker(__filename, { workerData: b });
  w.on('message', m => console.log('worker', m, new Int32Array(b)[0])); }
else { Atomics.store(new Int32Array(workerData), 0, 5); parentPort.postMessage('ok'); }
"""

NODE_HTTP = """
const http = require('http');
const s = http.createServer((q, r) => r.end('served ' + q.url)).listen(0, '127.0.0.1', async () => {
  const r = await fetch(`http://127.0.0.1:${s.address().port}/x`); console.log(await r.text()); s.close(); });
"""

JOBS = [("$ ", "sleep 30 &\n"), ("$ ", "jobs; fg\n"), ("sleep 30", "\x1a"), ("Stopped", "bg\n"),
        ("$ ", "kill %1; wait\n"), ("$ ", "cat\n"), ("cat", "\x04"), ("$ ", "sleep 30\n"), ("sleep 30", "\x03"),
        ("$ ", "echo it-is-$((130))-$?\n"), ("it-is-130-130", "exit 7\n")]

GIT_CONFIG = '[permissions.test]\nextends = ":workspace"\ninclude = ["git"]\n'


REBASE = ("git commit -qam second; git tag v1; git checkout -qb side HEAD~1; echo x > b; git add b; "
          "git commit -qm side; git rebase -q v1")


def write(name, text):
    def before(s):
        with open(f"{s.w}/{name}", "w") as f:
            f.write(text)
        s.own()
    return before


def py(name, text, args="", **kw):
    return Case(name, f"python3 {{w}}/x.py {args}", before=write("x.py", text), tools=("python3",), **kw)


def js(name, text, **kw):
    return Case(name, "node x.js", before=write("x.js", text), tools=("node",), **kw)


def open_file(path, flags=os.O_RDONLY):
    return lambda s: os.open(s.fill(path), flags)


def big_environment():
    return {f"VARIABLE_{i}": "v" * 1000 for i in range(800)}


CASES = [
    # ---- git ----
    Case("git-status", "git status --short", exact=" M a\n", before=repo, tools=("git",)),
    Case("git-diff", "git --no-pager diff --stat", out="1 file changed", before=repo, tools=("git",)),
    Case("git-log", "git --no-pager log --format=%s", exact="first\n", before=repo, tools=("git",)),
    Case("git-show-blame-grep", "git --no-pager show --stat HEAD >/dev/null && git blame a >/dev/null && "
         "git grep -q one && git ls-files", exact="a\n", before=repo, tools=("git",)),
    Case("git-commit-with-preset", "git commit -qam second && git log --format=%s -1", exact="second\n",
         before=repo, config=GIT_CONFIG, tools=("git",)),
    Case("git-branch-merge-with-preset",
         "git commit -qam second; git checkout -qb side HEAD~1; echo x > b; git add b; git commit -qm side; "
         "git checkout -q -; git merge -q --no-edit side; git stash list; git log --oneline | wc -l",
         exact="4\n", before=repo, config=GIT_CONFIG, tools=("git",)),
    Case("git-tag-pick-revert-gc-with-preset",
         "git commit -qam second; git tag v1; git checkout -qb side HEAD~1; echo x > b; git add b; "
         "git commit -qm side; git cherry-pick v1 >/dev/null && git revert --no-edit HEAD >/dev/null && git gc -q && "
         "git reset -q --hard HEAD~1 && git log --format=%s",
         exact="second\nside\nfirst\n", before=repo, config=GIT_CONFIG, tools=("git",)),
    # An unfinished rebase names commands that a later `git rebase --continue` outside would run.
    Case("git-rebase-with-preset-is-refused", f"{REBASE}; s=$?; git log --format=%s -1; git status --short; exit $s",
         status=1, inside=True, exact="side\n", err=".git/rebase-merge", before=repo, config=GIT_CONFIG, tools=("git",)),
    Case("git-rebase-where-it-is-allowed", f"{REBASE} && git log --format=%s", exact="side\nsecond\nfirst\n",
         before=repo, config=GIT_CONFIG + '[permissions.test.filesystem]\n"{w}/.git/rebase-merge" = "write"\n',
         tools=("git",)),
    Case("git-in-tmp", "d=$(mktemp -d /tmp/bawn-compat.XXXXXX); cd $d/ && mkdir r && cd r && git init -q . && "
         "echo x > f && git add f && git commit -qm x && git log --format=%s; rm -rf $d", exact="x\n",
         tools=("git",)),
    Case("git-nested-repository", "mkdir -p sub/r && cd sub/r && git init -q . && echo x > f && git add f && "
         "git commit -qm in && git log --format=%s", exact="in\n", before=repo, tools=("git",)),
    Case("git-clone-local", "git clone -q {w} {w}/sub/copy && git -C sub/copy log --format=%s", exact="first\n",
         before=repo, tools=("git",)),
    # ---- package managers, from local files ----
    Case("npm-install-folder", "npm install --offline --no-audit --no-fund --cache {w}/.cache ./lib && "
         "npx --offline yard", out="gate 7", before=npm_package, tools=("npm", "node")),
    Case("npm-install-tarball", "cd lib && npm pack --cache {w}/.cache >/dev/null && cd .. && npm install "
         "--offline --no-audit --no-fund --cache {w}/.cache ./lib/yard-1.0.0.tgz && node_modules/.bin/yard",
         out="gate 7", before=npm_package, tools=("npm", "node")),
    Case("npm-run-script", """echo '{"name":"a","scripts":{"pre":"echo pre","t":"npm run pre && node -p 40+2"}}' """
         "> package.json && npm run --silent --cache {w}/.cache t", out="42", tools=("npm",)),
    Case("pip-install-local", "python3 -m venv --system-site-packages v && v/bin/pip install -q --no-index "
         "--no-build-isolation --no-cache-dir ./pkg && v/bin/python -c 'import yard; print(yard.N)'",
         out="7", before=python_package, tools=("pip3",), timeout=120),
    Case("cargo-build", "cargo init -q --vcs none --name yard . && cargo build -q --offline && "
         "./target/debug/yard", out="Hello, world!", tools=("cargo",), own_tool=True, timeout=120),
    Case("go-build", "printf 'package main\\nimport \"fmt\"\\nfunc main() { fmt.Println(6*7) }\\n' > m.go; "
         "go mod init yard 2>/dev/null; go build -o m . && ./m", out="42", tools=("go",), timeout=240,
         env={"GOFLAGS": "-mod=mod", "GOCACHE": "{w}/.gocache", "GOPATH": "{w}/.go", "GOPROXY": "off"}),
    Case("java", "javac Y.java && java Y", out=["7", "child", "true"], before=write("Y.java", JAVA),
         tools=("java", "javac"), timeout=120),
    # ---- compilers and build systems ----
    Case("gcc", "gcc -O2 -o m src/*.c && ./m", exact="sum 36\n", before=c_project, tools=("gcc",)),
    Case("clang", "clang -O1 -o m src/*.c && ./m", exact="sum 36\n", before=c_project, tools=("clang",)),
    Case("gcc-sanitizer", "gcc -fsanitize=address,undefined -o m src/*.c && "
         "ASAN_OPTIONS=detect_leaks=0 ./m", exact="sum 36\n", before=c_project, tools=("gcc",)),
    Case("make-j2", "make -s -j2 && ./sum && touch src/f1.c && make -s -j2 && ./sum",
         exact="sum 36\nsum 36\n", before=c_project, tools=("make", "gcc")),
    Case("cmake-ninja", "cmake -G Ninja -S . -B b >/dev/null && ninja -C b >/dev/null && b/sum && "
         "cd b && ctest -j2 | tail -3", out=["sum 36", "100% tests passed"], before=c_project,
         tools=("cmake", "ninja", "gcc")),
    Case("meson", "printf \"project('p','c')\\nexecutable('sum', run_command('sh','-c','ls src/*.c',"
         "check:true).stdout().strip().split('\\\\n'))\\n\" > meson.build; meson setup b >/dev/null && "
         "meson compile -C b >/dev/null && b/sum", out="sum 36", before=c_project,
         tools=("meson", "ninja", "gcc")),
    # ---- python ----
    py("python-multiprocessing", MULTI, timeout=120,
       out=["fork 285", "spawn 285", "forkserver 285", "manager 1 2", "shared 9", "queue 1"]),
    py("python-asyncio", PY_NET, exact="echo hello\nchild 3\n"),
    py("python-subprocess-threads", "import concurrent.futures as f, subprocess as p\n"
       "with f.ThreadPoolExecutor(8) as e: print(sum(e.map(lambda i: int(p.check_output(['echo', str(i)])), "
       "range(50))))", exact="1225\n"),
    py("python-pty", "import pty, sys; r = pty.spawn(['sh', '-c', 'tty >/dev/null && echo tty']); sys.exit(r)",
       out="tty"),
    py("sqlite-wal", SQLITE, exact="wal\n200\n"),
    Case("sqlite-shell", "sqlite3 d.db 'pragma journal_mode=wal; create table t(x); insert into t values(5); "
         "select x from t;'", out="5", tools=("sqlite3",)),
    py("unix-socket-workspace", UNIX, "{w}/u.sock SOCK_STREAM", exact="b'hi'\nTrue True\nb''\n"),
    py("unix-socket-relative", UNIX, "u.sock SOCK_STREAM", out="b'hi'"),
    py("unix-socket-tmp", UNIX, "/tmp/bawn-compat-$$ SOCK_STREAM; rm -f /tmp/bawn-compat-$$", out="b'hi'"),
    # Refused on purpose (SECURITY.md): a datagram's address lies in memory, where no filter can judge it.
    py("unix-socket-dgram-is-refused", "import socket\ntry: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
       "except PermissionError: print('refused')", exact="refused\n", inside=True),
    py("unix-socket-seqpacket", UNIX, "{w}/u.sock SOCK_SEQPACKET", out="b'hi'"),
    py("unix-socket-private-tmp", UNIX, "/tmp/u SOCK_STREAM", out="b'hi'", inside=True, opts=("-c", "private_tmp=true")),
    py("unix-socket-abstract", "import socket\ns=socket.socket(socket.AF_UNIX); s.bind('\\0bawn-compat'); "
       "s.listen(); c=socket.socket(socket.AF_UNIX); c.connect('\\0bawn-compat'); a,_=s.accept(); "
       "c.send(b'abs'); print(a.recv(9))", exact="b'abs'\n"),
    py("socketpairs", PAIR, exact="b'1'\nb'2'\nb'via'\nTrue True\nb''\nb'dg'\n"),
    py("inotify", INOTIFY, exact="True True\n"),
    Case("inotifywait", "(sleep 0.3; touch f) & inotifywait -q -t 5 -e create --format %f .", exact="f\n",
         tools=("inotifywait",)),
    # ---- node ----
    js("node-child-process", NODE_CHILD, exact="exec\nspawn in\nfork 42\n"),
    js("node-worker-threads", NODE_WORKER, exact="worker ok 5\n"),
    js("node-http-fetch", NODE_HTTP, exact="served /x\n"),
    Case("node-watch", "echo 'console.log(\"first\")' > w.js; node --watch w.js > log 2>&1 & p=$!; "
         "for i in $(seq 100); do grep -q first log && break; sleep 0.1; done; sleep 0.5; "
         "echo 'console.log(\"second\")' > w.js; for i in $(seq 100); do grep -q second log && break; "
         "sleep 0.1; done; kill $p; grep -c 'first\\|second' log", exact="2\n", tools=("node",)),
    js("node-fs-watch", "const fs=require('fs'); const w=fs.watch('.', (e,f)=>{ if (f==='n') { "
       "console.log(e, f); w.close(); process.exit(0) } }); setTimeout(()=>fs.writeFileSync('n',''),200)",
       exact="rename n\n"),
    js("node-unix-server", "const n=require('net'); const s=n.createServer(c=>c.end('bye')).listen('n.sock',"
       "()=>n.connect('n.sock').on('data',d=>{console.log(d.toString());s.close()}))", exact="bye\n"),
    # ---- the loopback inside ----
    Case("loopback-http", "echo page > i.txt; python3 -m http.server 18080 --bind 127.0.0.1 >/dev/null 2>&1 & "
         "for i in $(seq 50); do curl -sf http://127.0.0.1:18080/i.txt && break; sleep 0.1; done",
         exact="page\n", tools=("curl", "python3")),
    Case("loopback-localhost", "echo page > i.txt; python3 -m http.server 18080 >/dev/null 2>&1 & "
         "for i in $(seq 50); do curl -sf http://localhost:18080/i.txt && break; sleep 0.1; done",
         exact="page\n", tools=("curl", "python3")),
    py("loopback-udp", "import socket\na=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); "
       "a.bind(('127.0.0.1',0)); b=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); "
       "b.sendto(b'u',a.getsockname()); print(a.recv(9))", exact="b'u'\n"),
    # ---- terminals ----
    Case("script", "script -qec 'tty >/dev/null && echo on-a-terminal' /dev/null", out="on-a-terminal",
         tools=("script",)),
    Case("tmux", "tmux -L c -f /dev/null new -d -s x 'echo from-tmux > {w}/o; sleep 1'; "
         "for i in $(seq 50); do test -s o && break; sleep 0.1; done; cat o; tmux -L c kill-server",
         exact="from-tmux\n", tools=("tmux",), env={"TMUX_TMPDIR": "{w}"}),
    Case("tmux-in-tmp", "tmux -L bawn-$$ -f /dev/null new -d -s x 'echo from-tmux > {w}/o; sleep 1'; "
         "for i in $(seq 50); do test -s o && break; sleep 0.1; done; cat o; tmux -L bawn-$$ kill-server; "
         "rm -f /tmp/tmux-$(id -u)/bawn-$$", exact="from-tmux\n", tools=("tmux",)),
    Case("job-control", ["/bin/bash", "--norc", "--noprofile", "-i"], status=7, tty=JOBS,
         env={"PS1": "$ ", "HISTFILE": "/dev/null"}, out="it-is-130-130"),
    Case("terminal-size", "stty size", tty=[], out="24 80", prefix=("sh", "-c", 'stty rows 24 cols 80; "$@"',
                                                                 "sh")),
    Case("terminal-is-terminal", "test -t 0 && test -t 1 && test -t 2 && test -c \"$(tty)\" && "
         ": > /dev/tty && echo yes", tty=[], out="yes"),
    Case("terminal-read-line", "read -p 'name? ' n; echo hello $n", tty=[("name? ", "yard\n")],
         out="hello yard"),
    Case("terminal-interrupt", "trap 'echo caught; exit 5' INT; echo go; sleep 20", status=5,
         tty=[("go", "\x03")], out="caught"),
    Case("vim", "vim -u NONE -es -c 'call setline(1, \"edited\")' -c 'wq' f; cat f", exact="edited\n",
         tools=("vim",)),
    Case("vim-on-terminal", ["vim", "-u", "NONE", "f"], tty=[("f\"", "ihello\x1b:wq\n")], tools=("vim",),
         check=lambda s: None if os.path.exists(f"{s.w}/f") else "nothing was written"),
    Case("less", "seq 5 | less -FX", out="5", tools=("less",)),
    Case("top-of-ps", "ps aux | tail -n +2 | wc -l; ps -o pid= -p 1", out="1", tools=("ps",)),
    Case("sees-only-the-sandbox", "ps -e -o comm= | grep -c python3", status=1, inside=True, exact="0\n", tools=("ps",)),
    # ---- processes, limits, descriptors ----
    Case("background-server", "(while read l; do echo got $l; done) < <(for i in 1 2 3; do echo $i; sleep "
         "0.05; done) & wait; echo done", out=["got 3", "done"]),
    Case("nohup-setsid-nice-timeout", "nohup nice -n 5 setsid -w timeout 5 sh -c 'echo ok'", exact="ok\n"),
    Case("timeout-status", "timeout 0.2 sleep 5", status=124),
    Case("time", "time -p true; command time -f %x true", err="real", tools=("time",)),
    Case("xargs-parallel", "seq 40 | xargs -P4 -n1 sh -c 'echo $0' | sort -n | tail -1", exact="40\n"),
    Case("coproc-and-traps", "trap 'echo bye' EXIT; coproc { read x; echo c$x; }; echo 1 >&${COPROC[1]}; "
         "read y <&${COPROC[0]}; echo $y", exact="c1\nbye\n"),
    Case("ulimit-kept", "ulimit -n; ulimit -c", exact="777\n0\n",
         prefix=("sh", "-c", 'ulimit -n 777; ulimit -c 0; exec "$@"', "sh")),
    Case("umask-kept", "umask; touch f; stat -c %a f", exact="0027\n640\n",
         prefix=("sh", "-c", 'umask 027; exec "$@"', "sh")),
    Case("nice-kept", "nice", exact="7\n", prefix=("nice", "-n", "7")),
    Case("ids-kept", "id -u; id -g", check=lambda s: None if s.out.decode().split() == [
        str((s.who.pw_uid if s.who else os.getuid())), str((s.who.pw_gid if s.who else os.getgid()))]
        else "other ids"),
    Case("names-of-users", "whoami; ls -ld . | cut -d' ' -f3",
         check=lambda s: None if len(set(s.out.split())) == 1 else "names differ"),
    Case("hostname-uname", "uname -n; hostname 2>/dev/null || true; nproc; cat /proc/loadavg /proc/meminfo "
         ">/dev/null && echo fine", out="fine"),
    Case("many-arguments", ["/bin/sh", "-c", "echo $#", "sh"] + ["argument"] * 30000, exact="30000\n"),
    Case("odd-arguments", ["printf", "[%s]", "", " ", "\n", b"\xff\x80", "--", "*", "a'b\"c"],
         exact=b"[][ ][\n][\xff\x80][--][*][a'b\"c]"),
    Case("long-argument", ["/bin/sh", "-c", "echo ${#1}", "sh", "x" * 131000], exact="131000\n"),
    Case("large-environment", "env | grep -c ^VARIABLE_", exact="800\n", env=big_environment()),
    Case("environment-marks", "echo $BAWN_SANDBOX $BAWN_SANDBOX_NETWORK_DISABLED "
         "$CODEX_SANDBOX_NETWORK_DISABLED", inside=True, exact="1 1 1\n"),
    # ---- exit statuses ----
    Case("every-status", "true", check=lambda s: every_status(s)),
    Case("signal-status", "kill -TERM $$", inside=True, status=143),
    Case("segv-status", "kill -SEGV $$", inside=True, status=139),
    Case("kill-status", "kill -KILL $$", inside=True, status=137),
    Case("not-found", ["no-such-command-here"], inside=True, status=127),
    Case("not-executable", ["{w}/plain"], inside=True, status=126, before=write("plain", "x\n")),
    Case("directory-as-command", ["{w}"], inside=True, status=126),
    Case("script-without-interpreter", ["{w}/s"], status=0, exact="ran\n",
         before=lambda s: (write("s", "#!/bin/sh\necho ran\n")(s), os.chmod(f"{s.w}/s", 0o755))),
    # ---- standard streams ----
    Case("stdin-null", "wc -c", exact="0\n"),
    Case("stdin-pipe", "cat", exact="through\n", stdin=b"through\n"),
    Case("stdin-file", "cat; cat /dev/stdin", out="127.0.0.1", stdin=open_file("/etc/hosts")),
    Case("stdin-empty-pipe", "cat; echo end", exact="end\n", stdin=b""),
    Case("stdin-binary", "md5sum", stdin=bytes(range(256)) * 4096,
         check=lambda s: same_sum(s, bytes(range(256)) * 4096)),
    Case("stderr-apart", "echo out; echo err >&2", exact="out\n", err="err"),
    Case("stderr-silent", "echo out", exact="out\n", stderr_empty=True),
    Case("closed-stdin", "cat <&- 2>/dev/null; echo $?", out="1", prefix=("sh", "-c", 'exec "$@" <&-', "sh")),
    Case("closed-stdout", "echo x 2>/dev/null; echo fine >&2", err="fine", prefix=("sh", "-c", 'exec "$@" >&-',
                                                                             "sh")),
    Case("dev-fd", "cat /dev/fd/3 3<<<three; diff <(echo a) <(echo a) && echo same; echo x | cat /dev/stdin; "
         "(echo y > /dev/stdout) | cat; { echo z > /dev/stderr; } 2>&1 | cat >&2", out=["three", "same", "x", "y"], err="z"),
    Case("broken-pipe", "yes | head -1", exact="y\n"),
    Case("gigabyte-through-pipe", "head -c 1G /dev/zero | cksum", exact="3413741448 1073741824\n", timeout=120),
    Case("gigabyte-through-bawn", "head -c 1G /dev/zero", timeout=180, out=b"\0" * 16,
         check=lambda s: None if len(s.out) == 1 << 30 else f"{len(s.out)} bytes"),
    # ---- files ----
    Case("mkfifo", "mkfifo p; (echo via > p) & cat p", exact="via\n"),
    Case("flock", "exec 9> l; flock -n 9 && ! flock -n l true && echo locked", exact="locked\n",
         tools=("flock",)),
    Case("rename-trees", "mkdir -p a/b/c d; echo x > a/b/c/f; mv a/b d/; python3 -c \"import os; "
         "os.rename('d/b','e'); os.replace('e','a/z')\"; cat a/z/c/f", exact="x\n", tools=("python3",)),
    Case("rename-into-tmp", "d=$(mktemp -d); echo x > f; mv f $d/g; mv $d/g h; cat h; rm -rf $d", exact="x\n"),
    Case("rename-package-trees", "mkdir -p node_modules/.x/p node_modules/q; echo 1 > node_modules/.x/p/f; "
         "mv node_modules/.x node_modules/y; rm -rf node_modules/q; mv node_modules n2; cat n2/y/p/f",
         exact="1\n"),
    Case("hard-links", "echo x > a; ln a b; mkdir d; ln a d/c; stat -c %h a", exact="3\n"),
    Case("symlinks", "echo x > a; ln -s a b; ln -sfn a b; cat b; readlink b; rm b; realpath .",
         exact="x\na\n{w}\n"),
    Case("chmod-and-run", "printf '#!/bin/sh\\necho ran\\n' > r; chmod +x r; ./r", exact="ran\n"),
    Case("mktemp", "f=$(mktemp); d=$(mktemp -d); echo x > $f; cp $f $d/; cat $d/*; rm -rf $f $d", exact="x\n"),
    Case("tmpdir-set", "f=$(mktemp); echo x > $f; cat $f; rm $f", exact="x\n", env={"TMPDIR": "{t}/tmp"},
         before=lambda s: (os.mkdir(f"{s.t}/tmp"), s.own())),
    Case("dev-shm", "echo x > /dev/shm/f && cat /dev/shm/f; rm /dev/shm/f", exact="x\n"),
    Case("devices", "head -c 8 /dev/urandom | wc -c; echo > /dev/null; head -c 3 /dev/zero | wc -c; "
         "echo x > /dev/full", status=1, out="8"),
    Case("tar-gzip-xz", "mkdir t; seq 1000 > t/f; tar cf - t | gzip > a.tgz; tar cJf a.txz t; rm -r t; "
         "tar xzf a.tgz; tar tf a.txz | wc -l; wc -l < t/f", exact="2\n1000\n", tools=("xz",)),
    Case("rsync", "mkdir a; seq 9 > a/f; rsync -a a/ b/; cat b/f | tail -1", exact="9\n", tools=("rsync",)),
    Case("find-delete", "mkdir -p x/y; touch x/y/{1,2,3}; find x -name '[12]' -delete; find x -type f | wc -l",
         exact="1\n"),
    Case("sparse-and-fallocate", "truncate -s 1G s; fallocate -l 1M g; stat -c %s s g",
         exact="1073741824\n1048576\n"),
    Case("extended-attributes", "python3 -c \"import os; open('f','w'); os.setxattr('f','user.a',b'1'); "
         "print(os.getxattr('f','user.a'))\"", exact="b'1'\n", tools=("python3",)),
    Case("file-times", "touch -d 2001-02-03 f; stat -c %y f | cut -c1-10", exact="2001-02-03\n"),
    Case("magic-links", "echo x > /proc/self/cwd/n && cat /proc/self/root{w}/n && cat /proc/self/fd/0 < n && "
         "cat /dev/fd/5 5< n && readlink /proc/self/cwd /proc/self/exe >/dev/null && "
         "tr -d '\\0' < /proc/self/comm", exact="x\nx\nx\ntr\n"),
    Case("perl", "perl -e 'use File::Temp; my $t = File::Temp->new; print $t \"x\"; print qx(echo perl);'",
         exact="perl\n", tools=("perl",)),
    Case("reads-the-disk", "test -r /etc/passwd && ls /usr/bin >/dev/null && test -r /proc/cpuinfo && "
         "ls /sys/class >/dev/null && echo yes", exact="yes\n"),
    Case("read-only-errors", "echo x > /usr/x", status=1, err=""),
    Case("removes-workspace-content", "rm -rf * && ls -A | grep -v '^\\.' | wc -l", exact="0\n",
         before=c_project),
    Case("no-names-added", "ls -A | grep -v '^\.'", exact="f\n", before=write("f", "x")),
    Case("nothing-left-behind", "ls", check=lambda s: None if not [n for n in os.listdir(s.w)] else
         f"left: {os.listdir(s.w)}"),
    # ---- where and how it is started ----
    Case("cwd-spaces", "pwd; touch f; ls", out="f", cwd=odd_directory(b"a b  c")),
    Case("cwd-newline", "touch f; ls", exact="f\n", cwd=odd_directory(b"two\nlines")),
    Case("cwd-not-utf8", "touch f; ls; mkdir d && cd d && touch g && ls", exact="f\ng\n",
         cwd=odd_directory(b"\xff\xfe bytes")),
    Case("cwd-octal", "touch f; ls", exact="f\n", cwd=odd_directory(b"a\\040b\tc,d:e")),
    Case("cwd-deep", "touch f; ls", exact="f\n", cwd=odd_directory(b"/".join([b"d" * 200] * 15))),
    Case("cwd-root", "ls / >/dev/null && echo yes", exact="yes\n", cwd="/"),
    Case("cwd-through-symlink", "touch f; ls {w}/real", exact="f\n", cwd=lambda s: linked(s)),
    Case("home-unset", "echo ${HOME-none}; touch f", out="", drop=("HOME",)),
    Case("path-unset", ["/bin/sh", "-c", "/bin/echo fine"], exact="fine\n", drop=("PATH",)),
    Case("everything-unset", ["/bin/sh", "-c", "/bin/echo fine"], exact="fine\n",
         drop=("PATH", "HOME", "TERM", "LANG", "BAWN_HOME")),
    # No home and no session: nothing can be written down, and missing names are held all the same.
    Case("nowhere-to-keep-state", "mkdir .git; ln -s x .claude; echo '{' > .mcp.json; mkdir d; mv d .bawn; echo fine",
         inside=True, exact="fine\n", drop=("HOME", "BAWN_HOME"), env={"XDG_RUNTIME_DIR": "{t}"},
         before=lambda s: os.chown(s.t, 0, 0) if os.geteuid() == 0 else None,
         check=lambda s: None if os.listdir(s.w) == ["d"] else f"there is {sorted(os.listdir(s.w))}"),
    Case("chosen-directory", "pwd; touch f", exact="{w}\n", opts=("-C", "{w}"), cwd=lambda s: s.t,
         inside=True, check=lambda s: None if os.path.exists(f"{s.w}/f") else "not there"),
    Case("added-directory", "echo x > {t}/more/f && cat {t}/more/f", exact="x\n", opts=("--add-dir", "{t}/more"),
         before=lambda s: (os.mkdir(f"{s.t}/more"), s.own())),
    Case("forty-at-once", "true", check=lambda s: at_once(s), timeout=120),
]


def linked(s):
    os.mkdir(f"{s.w}/real")
    os.symlink("real", f"{s.w}/link")
    s.own()
    return f"{s.w}/link"


def same_sum(s, data):
    import hashlib
    return None if hashlib.md5(data).hexdigest().encode() in s.out else "other bytes"


def every_status(s):
    for n in list(range(0, 124)) + list(range(128, 256)) + [124, 125, 126, 127]:
        s.case = Case("status", f"exit {n}")
        r = subprocess.run(s.argv(), cwd=s.w, env=s.environ(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **s.as_user())
        if r.returncode != n:
            return f"{r.returncode} for {n}"
    return None


def at_once(s):
    s.case = Case("one", "echo x > f$$.$RANDOM; sleep 0.3; ls -d .git 2>/dev/null; true")
    ps = [subprocess.Popen(s.argv(), cwd=s.w, env=s.environ(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **s.as_user())
          for _ in range(40)]
    bad = []
    for p in ps:
        out = p.communicate()[0].decode(errors="replace")
        if p.returncode or "bawn:" in out.replace("bawn: nothing was refused", ""):
            bad.append(out.strip() or f"status {p.returncode}")
    left = sorted(n for n in os.listdir(s.w) if n.startswith("."))
    if bad:
        return f"{len(bad)} of 40 failed: {bad[0]}"
    return f"left behind: {left}" if left else None
