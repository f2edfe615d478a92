"""The question to another program: over a descriptor and over a socket."""

import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

import harness

ID = "0123456789abcdef0123456789abcdef"
NPM = ("npm", "install", "lodash")


class Exchange:
    """ask_try at one end of a socket pair, the test at the other."""

    def __init__(self, *options, cmd=NPM, pair=None, small=False):
        self.ours, theirs = pair or socket.socketpair()
        if small:
            for s in (self.ours, theirs):
                s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.ours.settimeout(harness.LIMIT)
        self.process = subprocess.Popen(
            [harness.PROGRAM, "--fd", str(theirs.fileno()), *options, "--", *cmd],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        theirs.close()
        self.asked = None

    def read(self):
        data = b""
        while not data.endswith(b"\n"):
            more = self.ours.recv(65536)
            assert more, data
            data += more
        self.asked = json.loads(data)
        assert data.count(b"\n") == 1
        return self.asked

    def result(self):
        out, _ = self.process.communicate(timeout=harness.LIMIT)
        self.ours.close()
        assert self.process.returncode == 0, self.process.returncode
        return json.loads(out)


def answered(answer, *options, cmd=NPM, **more):
    """The result of ANSWER: an object, to which the id is added, or bytes as they are."""
    x = Exchange(*options, cmd=cmd, **more)
    asked = x.read()
    if not isinstance(answer, bytes):
        answer = json.dumps({"id": asked["id"], **answer}).encode() + b"\n"
    x.ours.sendall(answer)
    return x.result()


def is_(got, kind, **more):
    assert got["result"] == 0 and got["kind"] == kind, got
    assert more.get("problem") or got["problem"] is None, got
    for k, v in more.items():
        assert (v in got[k] if k == "problem" else got[k] == v), (k, got)


def refused(got, problem):
    is_(got, "no", problem=problem, by="config", word=None, lengths=None)


def test_the_question():
    x = Exchange("--what", "write", "--what", "reach", "--program", "/usr/bin/npm", "--text",
                 "npm \x1b install")
    asked = x.read()
    x.ours.close()
    x.result()
    assert asked == {
        "type": "approval_request", "id": ID, "command": list(NPM), "text": "npm \x1b install",
        "cwd": "/work", "program": "/usr/bin/npm", "why": "no rule allows it",
        "what": ["write", "reach"], "outside": False,
        "choices": ["once", "session", "remember", "no", "abort"],
        "suggestions": [{
            "prefix": ["npm", "install"], "words": list(NPM), "max": 3, "min": 2,
            "rule": 'prefix_rule(pattern = ["npm", "install"], decision = "allow", sandbox = True)',
        }],
        "rules_file": "/home/ada/.bawn/rules/default.rules",
    }, asked


def test_what_is_not_offered_is_not_listed():
    x = Exchange("--no-session", "--no-suggestions", "--outside")
    asked = x.read()
    x.ours.close()
    x.result()
    assert asked["choices"] == ["once", "no", "abort"] and asked["suggestions"] == []
    assert asked["outside"] is True


def test_answers():
    for kind in ("once", "session", "no", "abort"):
        is_(answered({"decision": kind}), kind, by="user", lengths=None, word=None)
    is_(answered({"decision": "no", "message": "use pnpm ä"}), "no", word="use pnpm ä")
    is_(answered({"decision": "no", "message": None}), "no", word=None)
    is_(answered({"decision": "no", "message": ""}), "no", word=None)
    is_(answered({"decision": "no", "message": "x" * 500}), "no", word="x" * 500)
    is_(answered({"decision": "once", "message": "fine", "more": [1, {}]}), "once", word=None)
    is_(answered({"decision": "once", "by": "reviewer"}), "once", by="reviewer")


def test_remember():
    chain = ("npm", "install", "x", "&&", "cargo", "test", "-q")
    is_(answered({"decision": "remember"}), "remember", lengths=[2])
    for answer, lengths in (
            ({"lengths": [2]}, [2]), ({"lengths": [3]}, [3]),
            ({"prefixes": [["npm", "install", "lodash"]]}, [3]),
            ({"prefixes": [["npm", "install"]], "lengths": [2]}, [2])):
        is_(answered({"decision": "remember", **answer}), "remember", lengths=lengths)
    for answer, lengths in (
            ({"lengths": [0, 3]}, [0, 3]), ({"prefixes": [["cargo", "test"]]}, [0, 2]),
            ({"prefixes": [["cargo", "test"], ["npm", "install"]]}, [2, 2])):
        is_(answered({"decision": "remember", **answer}, cmd=chain), "remember", lengths=lengths)


def test_nothing_wider_is_taken():
    for answer in (
            {"lengths": [1]}, {"lengths": [4]}, {"lengths": [-1]}, {"lengths": [2.5]},
            {"lengths": ["2"]}, {"lengths": []}, {"lengths": [2, 2]}, {"lengths": 2},
            {"lengths": None}, {"lengths": [18446744073709551618]}, {"lengths": [4294967298]},
            {"prefixes": [["npm"]]}, {"prefixes": [[]]}, {"prefixes": [["npm", "run"]]},
            {"prefixes": [["npm", "install", "lodash", "x"]]}, {"prefixes": ["npm install"]},
            {"prefixes": [["npm", "install"], ["npm", "install"]]}, {"prefixes": [["rm"]]},
            {"prefixes": {}}, {"prefixes": [["npm", 1]]}, {"prefixes": [["npm\0x", "install"]]},
            {"prefixes": [["npm", "install"]], "lengths": [3]}):
        refused(answered({"decision": "remember", **answer}), "does not count")
    refused(answered({"decision": "remember", "lengths": [0]}), "nothing to remember")
    refused(answered({"decision": "remember", "prefixes": []}), "nothing to remember")


def test_what_was_not_offered():
    refused(answered({"decision": "session"}, "--no-session"), "not offered")
    refused(answered({"decision": "remember"}, "--no-remember"), "not offered")
    refused(answered({"decision": "remember"}, "--no-suggestions"), "not offered")
    refused(answered({"decision": "always"}), "not one that there is")
    refused(answered({"decision": "YES"}), "not one that there is")
    refused(answered({"decision": True}), 'no "decision"')
    refused(answered({}), 'no "decision"')


def test_broken():
    good = '"id":"%s","decision":"once"' % ID
    for text in ("", "y", "null", "[]", '"once"', "{}", "{" + good, "{%s,}" % good, "{%s}}" % good,
                 "{%s} x" % good, "{%s,%s}" % (good, good), "{%s,\"a\":1,\"a\":2}" % good,
                 "// x", "{%s,\"x\":\"\x01\"}" % good, "{%s,\"x\":NaN}" % good,
                 "{%s,\"x\":%s}" % (good, "[" * 2000 + "]" * 2000)):
        refused(answered(text.encode() + b"\n"), "does not count")
    refused(answered(b'{"id":"\xff","decision":"once"}\n'), "does not count")
    refused(answered(b'{"id":"0123456789abcdef0123456789abcdee","decision":"once"}\n'), "the id")
    refused(answered(b'{"id":"","decision":"once"}\n'), "the id")
    refused(answered(b'{"decision":"once"}\n'), "the id")
    refused(answered(('{"id":"%s\\u0000","decision":"once"}\n' % ID).encode()), "the id")
    refused(answered({"decision": "no", "message": "x" * 501}), "too long")
    refused(answered({"decision": "once", "message": 1}), "no text")
    refused(answered({"decision": "no", "message": "a\0b"}), "no text")
    refused(answered({"decision": "once", "by": "hook"}), '"by"')


def test_more_behind_it():
    good = b'{"id":"%s","decision":"once"}\n' % ID.encode()
    refused(answered(good + good), "more behind")
    refused(answered(good + b"\n"), "more behind")
    refused(answered(good + b" "), "more behind")


def test_too_long():
    pad = '{"id":"%s","decision":"once","x":"' % ID
    fits = pad + "x" * (65536 - len(pad) - 2) + '"}'
    assert len(fits) == 65536
    is_(answered(fits.encode() + b"\n"), "once")
    refused(answered(pad.encode() + b"x" * 66000), "too long")


def test_it_goes_away():
    for text, problem in ((b"", "went away"), (b'{"id":', "broke off"),
                          (b'{"id":"%s","decision":"once"}' % ID.encode(), "broke off")):
        x = Exchange()
        x.read()
        x.ours.sendall(text)
        x.ours.shutdown(socket.SHUT_WR)
        refused(x.result(), problem)


def test_it_was_gone_before():
    ours, theirs = socket.socketpair()
    ours.close()
    done = subprocess.run([harness.PROGRAM, "--fd", str(theirs.fileno()), "--", "x"],
                          pass_fds=[theirs.fileno()], capture_output=True, check=True,
                          timeout=harness.LIMIT)
    theirs.close()
    refused(json.loads(done.stdout), "cannot put the question")


def test_a_descriptor_that_is_none():
    done = subprocess.run([harness.PROGRAM, "--fd", "77", "--", "x"], capture_output=True,
                          check=True, timeout=harness.LIMIT)
    refused(json.loads(done.stdout), "cannot put the question")


def test_too_late():
    begin = time.monotonic()
    x = Exchange("--timeout", "300")
    x.read()
    got = x.result()
    refused(got, "within 300 ms")
    assert got["milliseconds"] >= 300 and time.monotonic() - begin >= 0.3
    x = Exchange("--timeout", "300")  # the line never ends
    x.read()
    x.ours.sendall(b'{"id":')
    refused(x.result(), "within 300 ms")
    # Nobody reads: the question itself does not get through.
    x = Exchange("--timeout", "300", "--text", "x" * 100000, small=True)
    refused(x.result(), "within 300 ms")


def test_in_small_pieces():
    x = Exchange("--text", "x" * 100000, small=True)
    assert x.read()["text"] == "x" * 100000
    for byte in json.dumps({"id": ID, "decision": "session"}).encode() + b"\n":
        x.ours.sendall(bytes([byte]))
    is_(x.result(), "session")


def test_a_descriptor_that_does_not_wait():
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    x = Exchange("--text", "x" * 100000, pair=(ours, theirs), small=True)
    x.read()
    x.ours.sendall(json.dumps({"id": ID, "decision": "once"}).encode() + b"\n")
    is_(x.result(), "once")


def test_a_terminal_or_a_pipe_as_descriptor():
    import tty
    master, slave = os.openpty()
    tty.setraw(slave)
    p = subprocess.Popen([harness.PROGRAM, "--fd", str(slave), "--text", "x" * 20000, "--", *NPM],
                         pass_fds=[slave], stdout=subprocess.PIPE)
    data = b""
    while not data.endswith(b"\n"):
        data += os.read(master, 65536)
    os.write(master, json.dumps({"id": ID, "decision": "once"}).encode() + b"\n")
    is_(json.loads(p.communicate(timeout=harness.LIMIT)[0]), "once")
    os.close(master)
    os.close(slave)
    # The writing end of a pipe: what nobody reads must not end the process, what cannot be read is
    # no answer.
    for gone in (True, False):
        r, w = os.pipe()
        p = subprocess.Popen([harness.PROGRAM, "--timeout", "300", "--fd", str(w), "--text",
                              "x" * 100000, "--", *NPM], pass_fds=[w], stdout=subprocess.PIPE)
        os.close(w)
        if gone:
            os.close(r)
        refused(json.loads(p.communicate(timeout=harness.LIMIT)[0]),
                "Broken pipe" if gone else "within 300 ms")
        assert p.returncode == 0, p.returncode
        if not gone:
            os.close(r)


# ---- sockets -------------------------------------------------------------------------------------

class Place:
    """A directory that is ours alone, with a listening socket in it."""

    def __init__(self, name="s", under=None, listen=True):
        self.top = tempfile.mkdtemp(prefix="ask-", dir=under)
        self.path = os.path.join(self.top, name)
        self.server = None
        if listen:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            before = os.getcwd()
            os.chdir(os.path.dirname(self.path))  # a name can be longer than an address
            self.server = socket.socket(socket.AF_UNIX)
            self.server.bind(os.path.basename(self.path))
            os.chdir(before)
            self.server.listen(1)
            self.server.settimeout(harness.LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.close()
        shutil.rmtree(self.top)

    def serve(self, answer=None):
        def run():
            s, _ = self.server.accept()
            data = b""
            while not data.endswith(b"\n"):
                data += s.recv(65536)
            s.sendall(json.dumps(answer or {"id": ID, "decision": "once"}).encode() + b"\n")
            s.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread


def at_socket(path, **more):
    done = subprocess.run([harness.PROGRAM, "--socket", path, "--", *NPM], capture_output=True,
                          check=True, timeout=harness.LIMIT, **more)
    return json.loads(done.stdout)


def test_socket():
    with Place() as p:
        p.serve()
        is_(at_socket(p.path), "once")
    with Place("d" * 100 + "/" + "e" * 100 + "/s") as p:
        p.serve()
        is_(at_socket(p.path), "once")
    with Place() as p:
        p.serve()
        is_(at_socket("./s", cwd=p.top), "once")


def test_no_socket():
    with Place(listen=False) as p:
        refused(at_socket(p.path), "No such file")
        open(p.path, "w").close()
        refused(at_socket(p.path), "no socket")
        refused(at_socket(p.top), "no socket")
    with Place() as p:
        p.server.close()
        refused(at_socket(p.path), "refused")
        os.symlink(p.path, p.path + "2")
        refused(at_socket(p.path + "2"), "no socket")


def test_a_way_that_others_can_change():
    with Place("d/s") as p:
        for mode in (0o777, 0o775, 0o722):
            os.chmod(os.path.join(p.top, "d"), mode)
            refused(at_socket(p.path), "others may write")
        os.chmod(os.path.join(p.top, "d"), 0o1777)
        p.serve()
        is_(at_socket(p.path), "once")


def test_somebody_elses():
    if os.geteuid() != 0:
        raise harness.Skipped("only root can give files away")
    import pwd
    user = os.environ.get("BAWN_TEST_USER", "nobody")
    uid = pwd.getpwnam(user).pw_uid
    with Place() as p:
        os.chown(p.path, uid, 0)
        refused(at_socket(p.path), "belongs to somebody else")
    with Place("d/s") as p:
        os.chown(os.path.join(p.top, "d"), uid, 0)
        refused(at_socket(p.path), "others may write")
    # The file is root's, but who listens is not.
    with Place(listen=False) as p:
        os.chmod(p.top, 0o711)
        s = socket.socket(socket.AF_UNIX)
        s.bind(p.path)
        child = os.fork()
        if child == 0:
            try:
                os.setresuid(uid, uid, uid)
                s.listen(1)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        refused(at_socket(p.path), "somebody else listens")
        s.close()
