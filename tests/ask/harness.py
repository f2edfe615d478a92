"""One question on a pseudo-terminal, with tests/cli/pty.py as the person's shell."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
_spec = importlib.util.spec_from_file_location(
    "person", os.path.join(HERE, "..", "cli", "pty.py"))
person = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(person)

PROGRAM = None  # set by the runner
LIMIT = 20.0
PROMPT = "Your key ("


class Skipped(Exception):
    pass


class Terminal(person.Driver):
    """Remembers how the terminal was when the command stopped, and how it is after its end."""

    def __init__(self, argv, rows, cols, front):
        self.stop_states = []
        super().__init__(argv, rows, cols, front)
        self.mine = os.dup(self.slave)
        self.after = None

    def event(self):
        words = self.link.recv(256).split()
        if words and words[0] == b"job":
            self.job = int(words[1])
        elif words and words[0] == b"stopped":
            self.stops.append(int(words[1]))
            self.stop_states.append(words[2].decode())
        elif words and words[0] == b"ended":
            self.ended, self.state = int(words[1]), words[2].decode()
            if self.master is not None:
                self.after = termios.tcgetattr(self.mine)
            os.close(self.mine)
            self.close_slave()
        else:
            raise SystemExit("ask: the shell process died")


class Outcome:
    def __init__(self, answer, text, status, same):
        self.answer = answer    # what ask_try wrote, or None
        self.text = text        # the transcript
        self.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        self.status = None if self.signal else os.WEXITSTATUS(status)
        self.same = same        # the terminal's settings are what they were

    def is_(self, kind, **more):
        assert self.answer, f"no answer; signal {self.signal}\n{self.text!r}"
        assert self.answer.get("kind") == kind, f"{self.answer}\n{self.text!r}"
        for k, v in more.items():
            assert self.answer[k] == v, f"{k}: {self.answer}\n{self.text!r}"
        return self

    def lines(self):
        return self.text.replace("\r\n", "\n").split("\n")


def fresh_settings():
    """What every new pseudo-terminal has."""
    master, slave = os.openpty()
    try:
        return termios.tcgetattr(slave)
    finally:
        os.close(master)
        os.close(slave)


def question(steps, *options, cmd=("npm", "install", "lodash"), size=(24, 80), term="dumb",
             front=True, wrap=None, before=None, environment=None):
    """Puts a question and carries STEPS out. A step is text to expect (str), keys to type (bytes),
    a tuple for the driver, or a function that is given the driver. WRAP: a script for sh, in which
    "$@" asks. BEFORE: the settings the terminal must have afterwards (None: a new one's)."""
    scratch = tempfile.mkdtemp(prefix="ask-")
    out = os.path.join(scratch, "answer")
    argv = [PROGRAM, "--out", out, *options, "--", *cmd]
    if wrap:
        argv = ["sh", "-c", wrap.replace("SCRATCH", scratch), "sh", *argv]
    saved = dict(os.environ)
    for name in ("NO_COLOR", "TERM"):
        os.environ.pop(name, None)
    if term is not None:
        os.environ["TERM"] = term
    os.environ.update(environment or {})
    try:
        terminal = Terminal(argv, *size, front)
    finally:
        os.environ.clear()
        os.environ.update(saved)
    terminal.scratch = scratch
    try:
        for step in steps:
            if isinstance(step, str):
                terminal.step("expect", step, LIMIT)
            elif isinstance(step, bytes):
                terminal.type(step, time.monotonic() + LIMIT)
            elif callable(step):
                step(terminal)
            else:
                terminal.step(*step, LIMIT)
        terminal.finish(LIMIT)
        os.waitpid(terminal.shell, 0)
    except person.StepFailed as e:
        terminal.kill()
        raise AssertionError(f"did not come true: {e}\n{terminal.seen.decode(errors='replace')}")
    finally:
        answer = None
        if os.path.exists(out):
            with open(out, encoding="utf-8") as f:
                answer = json.loads(f.read() or "null")
        shutil.rmtree(scratch)
        if terminal.master is not None:
            os.close(terminal.master)
    same = terminal.after is None or terminal.after == (before or fresh_settings())
    return Outcome(answer, terminal.seen.decode(errors="surrogateescape"), terminal.ended, same)


def ask(steps, *options, **more):
    """As question(); the terminal must be as it was."""
    outcome = question(steps, *options, **more)
    assert outcome.same, f"the terminal was left changed\n{outcome.text!r}"
    return outcome


def without_terminal(*options, cmd=("npm", "install", "lodash"), **more):
    """In a session that has no terminal."""
    done = subprocess.run([PROGRAM, *options, "--", *cmd], stdin=subprocess.DEVNULL,
                          capture_output=True, start_new_session=True, timeout=LIMIT, check=True,
                          **more)
    return json.loads(done.stdout)


def signal_number(name):
    return getattr(signal, "SIG" + name)
