#!/usr/bin/python3
"""A collector that takes whatever it is sent.

    otel_collector.py DIR [STATUS]

Listens on a port of its own, whose number is in DIR/port once it does, and answers every POST with
STATUS (200). What it was sent is told in DIR/requests, a line each: path, names of the headers, how
many bytes of body.
"""
import http.server
import os
import sys


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        with open(os.path.join(where, "requests"), "a", encoding="ascii") as f:
            names = ",".join(sorted(name.lower() for name in self.headers))
            f.write(f"{self.path} {names} {len(body)}\n")
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


where = sys.argv[1]
status = int(sys.argv[2]) if len(sys.argv) > 2 else 200
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
with open(os.path.join(where, "port.new"), "w", encoding="ascii") as f:
    f.write(f"{server.server_port}\n")
os.rename(os.path.join(where, "port.new"), os.path.join(where, "port"))
server.serve_forever()
