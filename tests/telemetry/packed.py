"""Signals as the launcher packs them (src/telemetry/signal.c), made here a second time, and what
a collector is to see of them."""
import random
import struct

LOG, SPAN, METRIC = "log", "span", "metric"
KIND = {LOG: 0, SPAN: 1, METRIC: 2}
NANO = 1_000_000_000


def text(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack("=I", len(b)) + b


def attributes(d):
    out = struct.pack("=B", len(d))
    for k, v in d.items():
        out += text(k)
        if isinstance(v, bool):
            out += struct.pack("=BB", 3, v)
        elif isinstance(v, int):
            out += struct.pack("=Bq", 1, v)
        elif isinstance(v, float):
            out += struct.pack("=Bd", 2, v)
        else:
            out += b"\0" + text(v)
    return out


def context(s):
    return (
        bytes.fromhex(s.get("traceId") or "00" * 16)
        + bytes.fromhex(s.get("spanId") or "00" * 8)
        + struct.pack("=B", s.get("flags", 0))
    )


def pack(s):
    """One signal, in the form in which otlp.signals() yields it."""
    out = (
        struct.pack("=BB", 1, KIND[s["kind"]])
        + attributes(s["resource"])
        + attributes(s["attributes"])
    )
    if s["kind"] == LOG:
        return (
            out
            + struct.pack("=QB", s["timeUnixNano"], s["severityNumber"])
            + text(s["eventName"])
            + context(s)
        )
    if s["kind"] == SPAN:
        return (
            out
            + context(s)
            + bytes.fromhex(s.get("parentSpanId") or "00" * 8)
            + text(s["name"])
            + text(s.get("traceState", ""))
            + struct.pack(
                "=BBQQ", s["span_kind"], s["status"], s["startTimeUnixNano"], s["endTimeUnixNano"]
            )
        )
    value = struct.pack("=q", s["count"]) if s["type"] == "sum" else struct.pack("=d", s["value"])
    return (
        out
        + struct.pack("=B", s["type"] != "sum")
        + text(s["name"])
        + text(s["unit"])
        + struct.pack("=Q", s["timeUnixNano"])
        + value
    )


TEXTS = [
    "",
    "plain",
    'with spaces and "quotes" \\ and / and \u0001\u001f\u007f',
    "ä€𝄞\u2028\u2029",
    "<&>",
    "x" * 3000,
    "new\nline\ttab\r",
    "\0nul\0",
]


def some(kind, n, seed=7):
    """N signals with everything that the form can say, among them the greatest and the least
    values."""
    r = random.Random(seed)
    numbers = [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1, -(2**53) - 1]
    reals = [0.0, -0.0, 1.5, -2.25, 5e-324, 1.7976931348623157e308, 0.1, 1e16, 123456789.125]
    for i in range(n):
        s = {
            "kind": kind,
            "resource": {
                "service.name": "bawn",
                "service.version": "0.1.0",
                "env": "dev",
                "res.group": i // 5,
                "res.flag": i // 5 % 2 == 0,
                "res.real": 0.5,
            },
            "attributes": {
                "bawn.test.sequence": i + 1,
                "text": TEXTS[i % len(TEXTS)],
                "number": numbers[i % len(numbers)],
                "real": reals[i % len(reals)],
                "yes": i % 2 == 0,
                "ключ": "значение",
            },
        }
        start = 1_700_000_000 * NANO + r.randrange(NANO * 86400)
        if i == 0:
            s["attributes"].update({f"many.{k}": k for k in range(58)})
        if i == 1 and kind != METRIC:
            s["attributes"] = {"bawn.test.sequence": 2}
        if kind == METRIC:
            s.update(
                type=("sum", "histogram")[i % 2],
                name=f"bawn.test.{i % 3}",
                unit=("{command}", "ms")[i % 2],
                timeUnixNano=start,
                count=numbers[:4:3][i % 2] if i % 4 else i,
                value=reals[i % len(reals)],
            )
            if s["count"] < 0:
                s["count"] = 5
        else:
            s.update(traceId=r.randbytes(16).hex(), spanId=r.randbytes(8).hex(), flags=i % 2)
        if kind == LOG:
            s.update(
                timeUnixNano=start, severityNumber=(9, 13)[i % 2], eventName=f"bawn.test_{i % 4}"
            )
            if i % 3 == 2:
                s.update(traceId="", spanId="", flags=0)
        if kind == SPAN:
            s.update(
                name=f"step {i}",
                span_kind=(1, 3)[i % 2],
                status=i % 3,
                startTimeUnixNano=start,
                endTimeUnixNano=start + r.randrange(NANO),
                parentSpanId=r.randbytes(8).hex() if i % 2 else "",
                traceState="vendor=1,other=x" if i % 3 else "",
            )
        yield s


def wrong(sent, got):
    """What of GOT (as otlp.signals() yields it) is not what SENT says, or None."""

    def differ(name, wanted, default=None):
        if (value := got.get(name, default)) != wanted:
            raise ValueError(f"{name} is {value!r}, not {wanted!r}")

    try:
        differ("resource", sent["resource"])
        differ("attributes", sent["attributes"])
        for k, v in {**sent["resource"], **sent["attributes"]}.items():
            have = got["resource" if k in sent["resource"] else "attributes"][k]
            if type(have) is not type(v) or repr(have) != repr(
                v
            ):  # 1, 1.0 and True are equal in Python; 0.0 and -0.0
                raise ValueError(f"{k} is {have!r}, not {v!r}")
        differ("scope", "bawn")
        if sent["kind"] == LOG:
            differ("timeUnixNano", sent["timeUnixNano"])
            differ("severityNumber", sent["severityNumber"])
            differ("severityText", {9: "INFO", 13: "WARN"}[sent["severityNumber"]])
            differ("eventName", sent["eventName"])
            if got.get("observedTimeUnixNano", 0) < 1_700_000_000 * NANO:
                raise ValueError(f"observedTimeUnixNano is {got.get('observedTimeUnixNano')}")
        if sent["kind"] == SPAN:
            for name in ("name", "startTimeUnixNano", "endTimeUnixNano"):
                differ(name, sent[name])
            differ("kind_number", sent["span_kind"])
            differ("traceState", sent["traceState"], "")
            differ("parentSpanId", sent["parentSpanId"], "")
            differ("status_code", sent["status"])
        if sent["kind"] == METRIC:
            point(sent, got, differ)
            return None
        differ("traceId", sent["traceId"], "")
        differ("spanId", sent["spanId"], "")
        if got.get("flags", 0) & 0xFF != sent["flags"]:
            raise ValueError(f"flags are {got.get('flags', 0):#x}, not {sent['flags']}")
    except (ValueError, KeyError) as e:
        return f"{sent['attributes'].get('bawn.test.sequence')}: {e!r}"
    return None


def point(sent, got, differ):
    differ("type", sent["type"])
    differ("name", sent["name"])
    differ("unit", sent["unit"])
    differ("timeUnixNano", sent["timeUnixNano"])
    if got.get("startTimeUnixNano", 0) > sent["timeUnixNano"]:
        raise ValueError(f"it begins at {got['startTimeUnixNano']}, after its end")
    if sent["type"] == "sum":
        differ("asInt", sent["count"])
        differ("isMonotonic", True)
        return
    differ("count", 1)
    differ("sum", sent["value"] if sent["value"] >= 0 else None)  # of what only grows, says OTLP
    for name in ("min", "max"):
        differ(name, sent["value"])
    bounds, buckets = got["explicitBounds"], got["bucketCounts"]
    place = sum(1 for b in bounds if b < sent["value"])
    if bounds != sorted(set(bounds)) or buckets != [
        int(i == place) for i in range(len(bounds) + 1)
    ]:
        raise ValueError(f"buckets {buckets} of {bounds} for {sent['value']}")
