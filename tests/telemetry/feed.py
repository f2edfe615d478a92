"""One destination as a row uses it: signals go in by spool_try, and are looked for at the
collector.

Each signal carries its number in the attribute "bawn.test.sequence": what is lost, and what
comes twice with another content, is seen by that.
"""
import itertools
from dataclasses import dataclass

import wire
from scene import PATHS, until

GRPC_PATH = ""
ROWS = []


class Failed(Exception):
    pass


@dataclass
class Row:
    """A test: fn(w). ALONE: not beside others. ROOT: cannot be done by an ordinary user. LONG:
    it waits long, and begins first."""

    name: str
    fn: object
    alone: bool = False
    root: bool = False
    long: bool = False


def row(name, **flags):
    def add(fn):
        ROWS.append(Row(name, fn, **flags))
        return fn

    return add


def each(form, cases, **flags):
    """A row for each of {word: value}: fn(w, value)."""

    def add(fn):
        for word, value in cases.items():
            ROWS.append(Row(form.format(word), lambda w, value=value: fn(w, value), **flags))
        return fn

    return add


def check(good, *words):
    if not good:
        raise Failed(" ".join(map(str, words)))


def same(got, wanted, what):
    check(got == wanted, f"{what}: {got!r}, not {wanted!r}")


class Feed:
    numbers = itertools.count(1)

    def __init__(self, w, talk, url, kind="log", protocol="protobuf", **more):
        self.w, self.talk, self.kind, self.protocol = w, talk, kind, protocol
        self.endpoint = url + (PATHS[kind] if protocol != "grpc" else GRPC_PATH)
        self.key = wire.key(kind, protocol, self.endpoint)
        self.how = {"timeout_ms": 1000, "delay_ms": 20, "idle_ms": 60_000, **more}
        self.ids, self.refused = [], 0
        self.tell()

    def tell(self, talk=None, **more):
        self.talk, self.how = talk or self.talk, {**self.how, **more}
        self.talk.destination(self.key, self.kind, self.protocol, self.endpoint, **self.how)

    def append(self, n=5, most=None, size=0, wake=True):
        """N signals. Those that there was no room for are `refused`."""
        first = next(self.numbers)
        for _ in range(n - 1):
            next(self.numbers)
        kept = self.w.append(self.key, self.kind, first, n, most=most, size=size)
        self.ids += range(first, first + kept)
        self.refused += n - kept
        if wake:
            self.talk.wake(self.key)
        return kept

    def flush(self, seconds=20):
        """The exporter's word on what waits here."""
        self.talk.flush(self.key)
        answer = self.talk.answer(self.key, seconds)
        check(answer, f"EXPORT_FLUSH was not answered in {seconds} s")
        return answer

    def sent(self, seconds=20):
        """Flushes until all is sent."""
        last = []

        def done():
            last[:] = [self.flush(seconds)]
            return last[0].state == "sent"

        check(until(done, seconds, 0.1), "not sent:", last)
        return last[0]


def arrived(collector, counted=True):
    """Which numbers came; one that came twice must have come as the same."""
    seen = {}
    for s in collector.signals(counted):
        plain = {k: v for k, v in s.items() if k != "observedTimeUnixNano"}
        n = s["attributes"].get("bawn.test.sequence")
        if n is None:  # what the exporter tells of itself
            continue
        check(seen.setdefault(n, plain) == plain, f"{n} came twice, and not as the same")
    return set(seen)


def whole(collector, *feeds, seconds=30):
    """All that was appended has come, and nothing else; nobody waits for it longer than SECONDS."""
    wanted = {n for f in feeds for n in f.ids}
    until(lambda: len(arrived(collector)) >= len(wanted), seconds, 0.05)
    got = arrived(collector)
    check(
        got == wanted,
        f"{len(wanted - got)} of {len(wanted)} did not come, {len(got - wanted)} were never sent;",
        collector.errors()[:3],
    )
    same(collector.errors(), [], "what could not be read")
