"""More attacks on whoever judges calls for the command: what it reads twice, what it waits for, rights it
has and the command has not, names that grow too long, globs that a new name of a directory leaves."""
import os
import select
import socket
import threading
import time


def profile(body):
    return '[permissions.test]\nextends = ":workspace"\n[permissions.test.filesystem]\n' + body + "\n"


GLOB = profile('":project_roots" = { "**/*.env" = "none" }')
ANCHORED = profile('":project_roots" = { "sub/*.sec" = "none" }')
WAIT = "touch ready; for i in $(seq 200); do test -e go && break; sleep 0.05; done; "
BOTH = {"mode": None, "leak": True}


def late(path):
    def during(s, p):
        s.wait_for("{w}/ready")
        s.put(path, "{token}\n")
        s.put("{w}/go")
    return during


# openat2 with flags in shared memory that another process keeps changing between harmless and not
FLAGS = r'''
import ctypes, mmap, os, struct, sys, time
how = mmap.mmap(-1, 4096)
libc = ctypes.CDLL(None, use_errno=True)
at = ctypes.addressof(ctypes.c_char.from_buffer(how))
quiet = int(sys.argv[2], 0)
path = sys.argv[1].encode()
pid = os.fork()
if pid == 0:
    a, b = struct.pack("Q", quiet), struct.pack("Q", 0)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        for _ in range(1000):
            how[0:8] = a
            how[0:8] = b
    os._exit(0)
end = time.monotonic() + 6
while time.monotonic() < end:
    fd = libc.syscall(437, -100, path, ctypes.c_void_p(at), ctypes.c_size_t(24))
    if fd >= 0:
        try:
            print(os.read(fd, 100).decode())
            break
        except OSError:
            pass
        os.close(fd)
os.kill(pid, 9)
'''

# a file at the end of a path longer than the kernel can tell: two renames, each of a path that is short
# enough, and a link that makes the way there short again
DEEP = r'''
import os
w, n = os.getcwd(), "n" * 200
os.mkdir("l")
os.mkdir("m")
def below(base, levels):
    for _ in range(levels):
        base += "/" + n
        os.mkdir(base)
    return base
a, b = below(w + "/l", 11), below(w + "/m", 14)
os.rename("d", a + "/d")
os.rename("l", b + "/l")
os.symlink(b + "/l", "s")
print(open("s" + a[len(w) + 2:] + "/d/x.env").read())
'''

# a descriptor that gives no access to a file that is then removed
REMOVED = r'''
import os
fd = os.open("late.env", os.O_PATH)
os.unlink("late.env")
print(open(f"/proc/self/fd/{fd}").read())
'''

# the judge's open waits for as long as the lease is not given back
LEASE = r'''
import fcntl, os, signal, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open("leased", os.O_CREAT | os.O_RDWR, 0o600)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
pid = os.fork()
if pid == 0:
    os.open("leased", os.O_RDONLY)
    os._exit(0)
time.sleep(0.5)
open("ready", "w").close()
time.sleep(25)
'''

# openings of a FIFO that nobody will ever open from the other end, each given up at once
FIFOS = r'''
import os, signal, time
os.mkfifo("fifo")
for _ in range(30):
    pid = os.fork()
    if pid == 0:
        os.open("fifo", os.O_RDONLY)
        os._exit(0)
    time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
time.sleep(2.5)
open("ready", "w").close()
for _ in range(200):
    if os.path.exists("go"):
        break
    time.sleep(0.05)
'''

# connects that wait for a server that accepts nobody
CONNECTS = r'''
import os, socket, time
s = socket.socket(socket.AF_UNIX)
s.bind("full.sock")
s.listen(0)
for _ in range(300):
    if os.fork() == 0:
        socket.socket(socket.AF_UNIX).connect("full.sock")
        time.sleep(25)
        os._exit(0)
time.sleep(1)
open("ready", "w").close()
time.sleep(25)
'''


# connects by sockets that are closed meanwhile, whose last close waits for a peer that reads nothing
LINGERS = r'''
import ctypes, os, resource, socket, struct, threading, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
libc = ctypes.CDLL(None, use_errno=True)
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
server.bind(("127.0.0.1", 0))
server.listen(4096)
at = struct.pack("=H", 2) + struct.pack("!H", server.getsockname()[1]) + socket.inet_aton("127.0.0.1") + bytes(8)
kept = []
def full():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    s.connect(server.getsockname())
    kept.append(server.accept()[0])
    s.setblocking(False)
    try:
        while True:
            s.send(b"x" * 65536)
    except BlockingIOError:
        pass
    s.setblocking(True)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    return s.detach()
began = time.monotonic()
for i in range(min(3000, most - 100)):
    if time.monotonic() > began + 8:
        break
    def close(fd=full(), wait=(i % 100) * 2e-6):
        end = time.perf_counter() + wait
        while time.perf_counter() < end:
            pass
        os.close(fd)
    fd = close.__defaults__[0]
    threading.Thread(target=close, daemon=True).start()
    libc.connect(fd, at, 16)
open("ready", "w").close()
time.sleep(25)
'''


def python(text):
    def before(s):
        s.put("{w}/try.py", text.encode())
        s.mkdir("{w}/d")
        s.mkdir("{w}/sub")
    return before


def terminated(s, p):
    """Has it gone soon after it was told to? Bare, a shell that has been told to ignores the signal."""
    s.wait_for("{w}/ready", 15)
    p.terminate()
    time.sleep(8)
    s.data["held"] = p.poll() is None


def helpers(s, p):
    s.wait_for("{w}/ready", 15)
    mark, n = f"ESC_RUN={s.run_id}".encode(), 0
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and mark in open(f"/proc/{pid}/environ", "rb").read():
                n += 1
        except OSError:
            pass
    s.data["held"] = n
    s.put("{w}/go")


def held(s):
    return s.data.get("held") is True


def serve(s, sock):
    stop = threading.Event()

    def run():
        while not stop.is_set():
            if select.select([sock], [], [], 0.05)[0]:
                sock.accept()[0].close()
                s.data["connected"] = True
        sock.close()

    t = threading.Thread(target=run, daemon=True)
    t.start()
    s.stack.callback(t.join)
    s.stack.callback(stop.set)


def listening(name):
    name = "\0" + name[1:] if name[0] == "@" else name
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(name)
    if name[0] != "\0":
        os.chmod(name, 0o777)
    sock.listen(8)
    return sock


def connected(s):
    time.sleep(0.2)
    return bool(s.data.get("connected"))


def linked_socket(s):
    """A listed socket in the workspace; an earlier command put a link to another one in its place."""
    serve(s, listening(s.fill("{t}/host.sock")))
    s.link("{t}/host.sock", "{w}/listed.sock")


def unconnected(s):
    """A socket of the host's network namespace on stdin that is not connected to anybody yet."""
    serve(s, listening(s.fill("@{token}")))
    sock = socket.socket(socket.AF_UNIX)
    s.stack.callback(sock.close)
    s.stdin = sock


TO_NAME = ("python3 -c 'import socket; s = socket.socket(fileno=0); s.connect(\"\\0{token}\")'")
TO_PATH = "python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"%s\")'"
THEIRS = 'test "$(head -c 16 /proc/kallsyms)" != 0000000000000000'


ATTEMPTS = [
    A("flags-in-memory-path", WAIT + "python3 try.py late.env 0x200000", before=python(FLAGS),
      during=late("{w}/late.env"), config=GLOB, timeout=60, **BOTH),
    A("flags-in-memory-tmpfile", WAIT + "python3 try.py late.env 0x410002", before=python(FLAGS),
      during=late("{w}/late.env"), config=GLOB, timeout=60, **BOTH),
    A("path-too-long", WAIT + "python3 try.py", before=python(DEEP), during=late("{w}/d/x.env"), config=GLOB,
      **BOTH),
    A("removed-by-descriptor", WAIT + "python3 try.py", before=python(REMOVED), during=late("{w}/late.env"),
      config=GLOB, **BOTH),
    A("late-leaves-anchored-glob", WAIT + "mv sub bus; cat bus/x.sec", before=python(""),
      during=late("{w}/sub/x.sec"), config=ANCHORED, **BOTH),
    A("late-leaves-anchored-glob-above", WAIT + "mkdir n; mv sub n/sub; cat n/sub/x.sec", before=python(""),
      during=late("{w}/sub/x.sec"), config=ANCHORED, **BOTH),
    A("late-leaves-anchored-glob-by-exchange", WAIT +
      "mkdir bus; python3 -c 'import ctypes; ctypes.CDLL(None).renameat2(-100, b\"bus\", -100, b\"sub\", 2)'; "
      "cat bus/x.sec", before=python(""), during=late("{w}/sub/x.sec"), config=ANCHORED, **BOTH),
    A("leaves-anchored-glob-for-next-start", "mv sub bus", before=lambda s: s.put("{w}/sub/x.sec", "{token}\n"),
      mode=None, config=ANCHORED, effect=lambda s: os.path.exists(f"{s.w}/bus/x.sec")),
    A("judges-kernel-log", "timeout 2 head -c 20 /proc/kmsg | grep .", user="root", mode=None, config=GLOB,
      needs="/proc/kmsg"),
    A("judges-kernel-symbols", THEIRS, user="root", mode=None, config=GLOB, needs="/proc/kallsyms"),
    A("judge-waits-for-lease", "trap '' TERM; python3 try.py", before=python(LEASE), during=terminated,
      effect=held, mode=None, config=GLOB, timeout=60),
    A("judge-waits-for-connects", "trap '' TERM; python3 try.py", before=python(CONNECTS), during=terminated,
      effect=held, timeout=60),
    A("judge-waits-for-linger", "trap '' TERM; python3 try.py", before=python(LINGERS), during=terminated,
      effect=held, timeout=60),
    A("judge-waits-for-fifos", "python3 try.py", before=python(FIFOS), during=helpers, mode=None, config=GLOB,
      effect=lambda s: s.data["held"] > 5 if s.inside else True),
    A("listed-socket-is-a-link", TO_PATH % "{t}/host.sock", before=linked_socket, effect=connected, o_changes=True,
      opts=("-c", 'allow_unix_sockets=["{w}/listed.sock"]')),
    A("listed-socket-is-a-link-by-link", TO_PATH % "{w}/listed.sock", before=linked_socket, effect=connected,
      o_changes=True, opts=("-c", 'allow_unix_sockets=["{w}/listed.sock"]')),
    A("unconnected-stdin-abstract", TO_NAME, before=unconnected, effect=connected, o_changes=True, refusal=True),
]
