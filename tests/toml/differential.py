#!/usr/bin/env python3
"""Our parser beside Python's tomllib (another reading of TOML 1.0) on documents made by mutating the
corpus: both must accept or both refuse, and the values must be the same.

    tests/toml/differential.py PATH-OF-toml_json [DOCUMENTS [SEED]]

The documents follow from SEED alone. Where the two are known to differ on purpose, and who is right:

  year 0000              RFC 3339 has it; Python's datetime has not. Ours accepts.
  a second of 60         RFC 3339 has leap seconds; Python's datetime has not. Ours accepts.
  digits beyond 1e-6 s   Python keeps microseconds, we nanoseconds. Compared to the microsecond.
  integers beyond 64 bit Python has big ones; TOML says an error is right. Ours refuses.
  floats beyond 64 bit   Python reads inf; ours refuses, as for integers.
  the byte order mark    tomllib is given the text without it.
  nesting beyond 80      ours refuses (-E2BIG).
"""

import json
import os
import random
import re
import sys
import tomllib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import corpus  # noqa: E402

TOKENS = [t.encode() for t in """
= . , [ ] [[ ]] { } {} [] " ' \"\"\" ''' # \\ \\n \\u0041 \\UDFFF \\e \\x41 _ + - : T Z e E 0 1 9 inf nan true
false 0x 0o 0b 1979-05-27 07:32:00 07:32 .5 +01:00 1e3 1_0 99999999999999999999 a b a.b "a" 'a.b' a=1
[a] [a.b] [[a]] {a=1} {a.b=1} [1,2]
""".split()] + [b" ", b"\t", b"\n", b"\r\n", b"\r", b"\0", b"\x7f", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf",
                b"\n[a]\n", b"\na = 1\n", b"\na.b = 1\n", b"\n[[a]]\n", b"\n[a.b]\n", b"\\\n"]


def mutate(rng, documents):
    text = rng.choice(documents)
    if len(text) > 1500:  # a piece that begins and ends with a line
        lines = text.splitlines(keepends=True)
        at = rng.randrange(len(lines))
        text = b"".join(lines[at:at + rng.randint(1, 25)])
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 6))):
        at, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        end = min(end, at + rng.choice((0, 1, 1, 2, 8, 40)))
        kind = rng.randrange(7)
        if kind == 0:  # cut
            text = text[:at] + text[end:]
        elif kind == 1:  # one byte
            text = text[:at] + bytes([rng.randrange(256)]) + text[at + 1:]
        elif kind in (2, 3):  # a token in
            text = text[:at] + rng.choice(TOKENS) + text[end if kind == 3 else at:]
        elif kind == 4:  # a piece twice
            text = text[:end] + text[at:end] + text[end:]
        elif kind == 5:  # a line of another document
            lines = rng.choice(documents).splitlines(keepends=True) or [b""]
            where = text.rfind(b"\n", 0, at) + 1
            text = text[:where] + rng.choice(lines) + text[where:]
        else:  # two lines change places
            lines = text.splitlines(keepends=True)
            if len(lines) > 1:
                i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
                lines[i], lines[j] = lines[j], lines[i]
                text = b"".join(lines)
    return text


def python_reads(text):
    """(values, None) or (None, why not)."""
    if text.startswith(b"\xef\xbb\xbf"):
        text = text[3:]
    try:
        return corpus.tagged(tomllib.loads(text.decode())), None
    except RecursionError:
        return None, "recursion"
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError) as e:
        return None, str(e)


def cut_to_microseconds(value):
    if isinstance(value, list):
        return [cut_to_microseconds(v) for v in value]
    if set(value) == {"type", "value"} and isinstance(value["type"], str):
        if value["type"].startswith(("date", "time")):
            return dict(value, value=re.sub(r"(\.\d{6})\d+", r"\1", value["value"]))
        return value
    return {k: cut_to_microseconds(v) for k, v in value.items()}


def known(ours, python, why, text):
    """Is the disagreement one of those in the list above?"""
    if ours.startswith("no "):
        return python is not None and bool(re.search(r"does not fit 64 bits|nested deeper than|parts$", ours))
    return python is None and bool(
        re.search(rb"(?<!\d)0000-\d\d-\d\d|:60(?!\d)", text)
        and re.search(r"date|time|year|second|range|Expected newline|after a statement", why))


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: tests/toml/differential.py PATH-OF-toml_json [DOCUMENTS [SEED]]")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    documents = []
    for d, dirs, files in os.walk(corpus.corpus_dir()):
        dirs.sort()
        for f in sorted(files):
            if f.endswith(".toml"):
                with open(os.path.join(d, f), "rb") as file:
                    # Good ones more often: a second fault in a bad one tells nothing.
                    documents += [file.read()] * (1 if "/invalid" in d else 8)
    decoder = corpus.Decoder(sys.argv[1], "1.0")
    passed = failed = excused = accepted = 0
    for _ in range(count):
        text = mutate(rng, documents)
        ours = decoder.decode(text)
        python, why = python_reads(text)
        if ours.startswith("ok "):
            accepted += 1
            good = python is not None and corpus.same(
                cut_to_microseconds(json.loads(ours[3:])), python)
        else:
            good = python is None
        if not good and known(ours, python, why, text):
            excused += 1
        elif good:
            passed += 1
        else:
            failed += 1
            if failed <= 20:
                print(f"FAIL {text!r}\n  ours   {ours}\n  python {why or json.dumps(python)}")
    decoder.close()
    print(f"{accepted} of {count} documents accepted by ours, {excused} known differences")
    if accepted < count // 10 or excused > count // 20:
        failed += 1
        print("FAIL the mutations are not what they were meant to be")
    print(f"differential: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
