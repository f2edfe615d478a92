"""Servers outside: Unix sockets by path and by name, the host's loopback, other families."""
import array
import os
import select
import socket
import struct
import threading
import time


def listen(path, kind=socket.SOCK_STREAM, give=None):
    """A server outside that notes whether anything was sent to it."""
    def before(s):
        where = s.fill(path)
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind("\0" + where[1:] if where[0] == "@" else where)
        if where[0] != "@":
            os.chmod(where, 0o777)
            if where.startswith("/tmp"):
                s.stack.callback(remove, where)
        if kind != socket.SOCK_DGRAM:
            sock.listen(8)
        serve(s, sock, kind, give)
    return before


def remove(path):
    try:
        os.unlink(path)
        os.rmdir(os.path.dirname(path))
    except OSError:
        pass


def serve(s, sock, kind, give=None):
    stop = threading.Event()

    def run():
        peers = []
        while not stop.is_set():
            ready, _, _ = select.select([sock] + peers, [], [], 0.05)
            for r in ready:
                try:
                    if r is sock and kind != socket.SOCK_DGRAM:
                        peers.append(sock.accept()[0])
                        s.data["connected"] = True
                        continue
                    if b"escaped" in r.recv(4096):
                        s.data["arrived"] = True
                        if give:
                            fd = os.open(s.fill(give), os.O_RDONLY)
                            r.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                                array.array("i", [fd]))])
                            os.close(fd)
                    elif r is not sock:
                        peers.remove(r)
                except OSError:
                    if r in peers:
                        peers.remove(r)
        for p in peers:
            p.close()
        sock.close()

    t = threading.Thread(target=run, daemon=True)
    t.start()
    s.stack.callback(t.join)
    s.stack.callback(stop.set)


def arrived(s):
    time.sleep(0.1)
    return bool(s.data.get("arrived"))


def inet(kind):
    def before(s):
        sock = socket.socket(socket.AF_INET, kind)
        sock.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            sock.listen(8)
        s.put("{w}/port", str(sock.getsockname()[1]))
        serve(s, sock, kind)
    return before


def agent(s):
    """An agent's socket, in a directory of its own in /tmp, named by the environment."""
    os.mkdir(f"/tmp/ssh-{s.token}", 0o755)
    listen("/tmp/ssh-{token}/agent.1")(s)
    s.env["SSH_AUTH_SOCK"] = "/tmp/ssh-{token}/agent.1"


def after_start(path):
    def during(s, p):
        s.wait_for("{w}/ready")
        listen(path)(s)
        s.put("{w}/go")
    return during


WAIT = "touch ready; for i in $(seq 200); do test -e go && break; sleep 0.05; done; "
STREAM, DGRAM, SEQ = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET
PORT = " $(cat {w}/port)"


def S(name, cmd, before=None, **kw):
    return A(name, cmd, before=before, effect=arrived, o_changes=True, **kw)


ATTEMPTS = [
    S("unix-connect", "{esc} stream {o}/s", listen("{o}/s")),
    S("unix-connect-relative", "{esc} stream-relative {o} s", listen("{o}/s")),
    S("unix-connect-symlink", "ln -s {o}/s l; {esc} stream l", listen("{o}/s")),
    S("unix-connect-proc", "{esc} stream /proc/self/root{o}/s", listen("{o}/s")),
    S("unix-connect-abstract", "{esc} stream @{token}", listen("@{token}")),
    S("unix-connect-seqpacket", "{esc} seqpacket {o}/s", listen("{o}/s", SEQ)),
    S("unix-connect-dgram", "{esc} dgram-connect {o}/s", listen("{o}/s", DGRAM)),
    S("unix-sendto", "{esc} dgram-sendto {o}/s", listen("{o}/s", DGRAM)),
    S("unix-sendmsg", "{esc} dgram-sendmsg {o}/s", listen("{o}/s", DGRAM)),
    S("unix-sendmmsg", "{esc} dgram-sendmmsg {o}/s", listen("{o}/s", DGRAM)),
    S("unix-sendto-abstract", "{esc} dgram-sendto @{token}", listen("@{token}", DGRAM)),
    S("unix-sendmsg-abstract", "{esc} dgram-sendmsg @{token}", listen("@{token}", DGRAM)),
    S("unix-pair-sendto", "{esc} pair-sendto {o}/s", listen("{o}/s", DGRAM)),
    S("unix-pair-sendmsg", "{esc} pair-sendmsg {o}/s", listen("{o}/s", DGRAM)),
    S("unix-32-bit", "{esc} socketcall32 {o}/s", listen("{o}/s")),
    S("unix-in-workspace", "{esc} stream {w}/s", listen("{w}/s")),
    S("unix-in-tmp", "{esc} stream /tmp/x-{token}", listen("/tmp/x-{token}")),
    S("unix-in-tmp-dgram", "{esc} dgram-sendto /tmp/x-{token}", listen("/tmp/x-{token}", DGRAM)),
    S("unix-in-tmp-later", WAIT + "{esc} stream /tmp/x-{token}", during=after_start("/tmp/x-{token}")),
    S("unix-in-workspace-later", WAIT + "{esc} stream {w}/s", during=after_start("{w}/s")),
    S("unix-ssh-agent", "{esc} stream /tmp/ssh-{token}/agent.1", agent),
    S("unix-read-only", "{esc} stream {o}/s", listen("{o}/s"), mode="read-only"),
    S("unix-rights", "{esc} stream-receive {o}/s new", listen("{o}/s", give="{o}")),
    S("unix-racing-address", "mkdir in; {esc} racing-address {w}/in/none {o}/s", listen("{o}/s", DGRAM),
      timeout=90),
    S("unix-racing-link", "mkdir in; {esc} racing-link {w}/l {w}/in/none {o}/s", listen("{o}/s", DGRAM),
      timeout=90),
    S("unix-other-allowed", "{esc} stream {o}/s2", listen("{o}/s2"),
      opts=("-c", 'allow_unix_sockets=["{o}/s"]')),
    S("tcp", "{esc} tcp" + PORT, inet(STREAM)),
    S("tcp-read-only", "{esc} tcp" + PORT, inet(STREAM), mode="read-only"),
    S("tcp-mapped", "{esc} tcp6" + PORT, inet(STREAM)),
    S("tcp-fastopen", "{esc} tcp-fastopen" + PORT, inet(STREAM)),
    S("tcp-multipath", "{esc} mptcp" + PORT, inet(STREAM)),
    S("tcp-bash", "bash -c 'echo escaped > /dev/tcp/127.0.0.1/'" + PORT.strip(), inet(STREAM)),
    S("udp", "{esc} udp" + PORT, inet(DGRAM)),
    S("udp-sendmmsg", "{esc} udp-sendmmsg" + PORT, inet(DGRAM)),
    A("raw", "{esc} raw", user="root"),
    A("packet", "{esc} packet", user="root"),
    A("vsock", "{esc} vsock"),
    A("netlink", "{esc} netlink"),
    A("interfaces", "{esc} interfaces"),
]
