#!/usr/bin/python3
"""Runs inside the sandbox: bytes to the proxy, as the rows of hostile.py say, many rows at a time.

Standard input has one row a line, as JSON: {"name", "to", "steps"}; standard output one result a line:
{"name", "got": [base64 of what each reading step read], "end"}. `to` is "http", "socks", [host, port] (which the
sandbox redirects), or ["udp", host, port]. A step is a list:

    send TEXT       (base64)          drip TEXT      byte by byte
    read N          exactly N bytes   until PATTERN  of what came since the last step
    rest            up to the end     eof            no more comes from this side
    reset           ends at once      again          a new connection, to the same place
    wait NAME, tell NAME              between rows

`end` says how the connection ended: "eof", "reset", "open" (it did not, in the time that a step may take).
"""
import base64
import json
import os
import re
import resource
import socket
import struct
import sys
import threading
import urllib.parse

LONG = 50  # seconds: beyond every limit of the proxy that a row waits for
events, guard, out = {}, threading.Lock(), threading.Lock()


def place(to):
    if to in ("http", "socks"):
        url = urllib.parse.urlsplit(os.environ["HTTP_PROXY" if to == "http" else "ALL_PROXY"])
        return url.hostname, url.port
    return tuple(to[-2:])


def event(name):
    with guard:
        return events.setdefault(name, threading.Event())


class Talk:
    def __init__(self, to):
        self.to, self.got, self.end, self.left = to, [], None, b""
        self.connect()

    def connect(self):
        host, port = place(self.to)
        kind = socket.SOCK_DGRAM if self.to[0] == "udp" else socket.SOCK_STREAM
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.s = socket.socket(family, kind)
        self.s.settimeout(LONG)
        self.s.connect((host, port))
        if kind == socket.SOCK_STREAM:
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def recv(self):
        """More into self.left; False at the end."""
        if self.end:
            return False
        try:
            data = self.s.recv(65536)
            if not data:
                self.end = "eof"
        except socket.timeout:
            self.end, data = "open", b""
        except OSError:
            self.end, data = "reset", b""
        self.left += data
        return bool(data)

    def take(self, n):
        self.got.append(self.left[:n])
        self.left = self.left[n:]

    def step(self, what, arg=None):
        if what in ("send", "drip"):
            data = base64.b64decode(arg)
            try:
                for part in ([data] if what == "send" else [data[i:i + 1] for i in range(len(data))]):
                    self.s.sendall(part)
            except OSError:
                pass  # it may have been refused already: what came back is what counts
        elif what == "read":
            while len(self.left) < arg and self.recv():
                pass
            self.take(arg)
        elif what == "until":
            while not (m := re.search(arg.encode("latin-1"), self.left, re.S)) and self.recv():
                pass
            self.take(m.end() if m else len(self.left))
        elif what == "rest":
            while self.recv():
                pass
            self.take(len(self.left))
        elif what == "eof":
            try:
                self.s.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        elif what == "reset":
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.s.close()
        elif what == "again":
            self.s.close()
            self.end = None
            self.connect()
        elif what == "tell":
            event(arg).set()
        elif what == "wait":
            event(arg).wait(LONG)
        else:
            raise ValueError(what)


def run(row):
    result = {"name": row["name"], "got": [], "end": None}
    try:
        t = Talk(row["to"])
        try:
            for step in row["steps"]:
                t.step(*step)
        finally:
            result["got"] = [base64.b64encode(x).decode() for x in t.got]
            result["end"] = t.end
            t.s.close()
    except OSError as e:
        result["end"] = f"error: {e}"
    except Exception as e:
        result["end"] = f"fault: {type(e).__name__}: {e}"
    with out:
        print(json.dumps(result), flush=True)


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    rows = [json.loads(line) for line in sys.stdin]
    slots = threading.Semaphore(200)
    threads = []
    for row in rows:
        slots.acquire()

        def one(row=row):
            try:
                run(row)
            finally:
                slots.release()
        threads.append(threading.Thread(target=one))
        threads[-1].start()
    for t in threads:
        t.join()


if __name__ == "__main__":
    main()
