"""What tests/toml/run and tests/toml/differential.py share: the corpus and the decoder."""

import datetime
import math
import os
import re
import subprocess
import sys

PACKAGE = "golang-github-burntsushi-toml-dev"
CORPUS = "/usr/share/gocode/src/github.com/BurntSushi/toml/internal/toml-test/tests"


def corpus_dir():
    """The corpus, or an end with a failure: a missing corpus is not a passed test."""
    path = os.environ.get("TOML_TEST_DIR", CORPUS)
    if not os.path.isdir(os.path.join(path, "valid")):
        sys.exit(f"toml: no toml-test corpus in {path}; install the Debian package {PACKAGE}")
    return path


class Decoder:
    """A running `toml_json --batch`; decode() gives the line it answers with."""

    def __init__(self, program, version):
        self.child = subprocess.Popen(
            [program, "--" + version, "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def decode(self, text):
        try:
            self.child.stdin.write(b"%d\n" % len(text) + text)
            self.child.stdin.flush()
            line = self.child.stdout.readline().decode()
        except BrokenPipeError:
            line = ""
        if not line.endswith("\n"):
            raise RuntimeError(f"the decoder died (status {self.child.wait()})")
        return line[:-1]

    def close(self):
        self.child.stdin.close()
        if self.child.wait() != 0:
            raise RuntimeError(f"the decoder ended with status {self.child.returncode}")


def normal_time(text):
    """A date or time with upper-case letters, Z as +00:00 and no needless zeros of a second."""
    text = text.upper().replace(" ", "T").replace("Z", "+00:00").replace("-00:00", "+00:00")
    return re.sub(r"(\.\d*?)0+(?!\d)", r"\1", text).replace(".+", "+").rstrip(".")


def same(a, b):
    """Is the tagged JSON value A what B is?"""
    if isinstance(a, list) or isinstance(b, list):
        return (isinstance(a, list) and isinstance(b, list) and len(a) == len(b)
                and all(map(same, a, b)))
    if set(a) != set(b):
        return False
    if set(a) != {"type", "value"} or not isinstance(a["type"], str):
        return all(same(a[k], b[k]) for k in a)
    if a["type"] != b["type"]:
        return False
    x, y = a["value"], b["value"]
    if a["type"] == "float":
        x, y = float(x), float(y)
        return x == y or (math.isnan(x) and math.isnan(y))
    if a["type"].startswith(("date", "time")):
        return normal_time(x) == normal_time(y)
    return x == y


def tagged(value):
    """A value of Python's tomllib as tagged JSON."""
    if isinstance(value, dict):
        return {k: tagged(v) for k, v in value.items()}
    if isinstance(value, list):
        return [tagged(v) for v in value]
    if isinstance(value, bool):
        return {"type": "bool", "value": "true" if value else "false"}
    if isinstance(value, datetime.datetime):
        kind = "datetime-local" if value.tzinfo is None else "datetime"
        return {"type": kind, "value": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"type": "date-local", "value": value.isoformat()}
    if isinstance(value, datetime.time):
        return {"type": "time-local", "value": value.isoformat()}
    kind = {str: "string", int: "integer", float: "float"}[type(value)]
    return {"type": kind, "value": repr(value) if kind == "float" else str(value)}
