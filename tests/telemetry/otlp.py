"""A collector's reading of OTLP, written down from the specification a second time: protobuf and
JSON become the same plain values. Strict: a field that is not in the tables, a wrong wire type or
an id of a wrong form is an error.

SCHEMA: message: {number: (name in JSON, kind)}; "*" is repeated, a capital letter begins a
message's name.
"""
import gzip
import json
import struct

SCHEMA = {
    "Logs": {1: ("resourceLogs", "*ResourceLogs")},
    "Traces": {1: ("resourceSpans", "*ResourceSpans")},
    "Metrics": {1: ("resourceMetrics", "*ResourceMetrics")},
    "ResourceLogs": {
        1: ("resource", "Resource"),
        2: ("scopeLogs", "*ScopeLogs"),
        3: ("schemaUrl", "string"),
    },
    "ResourceSpans": {
        1: ("resource", "Resource"),
        2: ("scopeSpans", "*ScopeSpans"),
        3: ("schemaUrl", "string"),
    },
    "ResourceMetrics": {
        1: ("resource", "Resource"),
        2: ("scopeMetrics", "*ScopeMetrics"),
        3: ("schemaUrl", "string"),
    },
    "Resource": {1: ("attributes", "*KeyValue"), 2: ("droppedAttributesCount", "uint32")},
    "ScopeLogs": {
        1: ("scope", "Scope"),
        2: ("logRecords", "*LogRecord"),
        3: ("schemaUrl", "string"),
    },
    "ScopeSpans": {1: ("scope", "Scope"), 2: ("spans", "*Span"), 3: ("schemaUrl", "string")},
    "ScopeMetrics": {1: ("scope", "Scope"), 2: ("metrics", "*Metric"), 3: ("schemaUrl", "string")},
    "Scope": {
        1: ("name", "string"),
        2: ("version", "string"),
        3: ("attributes", "*KeyValue"),
        4: ("droppedAttributesCount", "uint32"),
    },
    "KeyValue": {1: ("key", "string"), 2: ("value", "AnyValue")},
    "AnyValue": {
        1: ("stringValue", "string"),
        2: ("boolValue", "bool"),
        3: ("intValue", "int64"),
        4: ("doubleValue", "double"),
    },
    "LogRecord": {
        1: ("timeUnixNano", "fixed64"),
        11: ("observedTimeUnixNano", "fixed64"),
        2: ("severityNumber", "enum"),
        3: ("severityText", "string"),
        5: ("body", "AnyValue"),
        6: ("attributes", "*KeyValue"),
        7: ("droppedAttributesCount", "uint32"),
        8: ("flags", "fixed32"),
        9: ("traceId", "id"),
        10: ("spanId", "id"),
        12: ("eventName", "string"),
    },
    "Span": {
        1: ("traceId", "id"),
        2: ("spanId", "id"),
        3: ("traceState", "string"),
        4: ("parentSpanId", "id"),
        16: ("flags", "fixed32"),
        5: ("name", "string"),
        6: ("kind", "enum"),
        7: ("startTimeUnixNano", "fixed64"),
        8: ("endTimeUnixNano", "fixed64"),
        9: ("attributes", "*KeyValue"),
        15: ("status", "Status"),
    },
    "Status": {2: ("message", "string"), 3: ("code", "enum")},
    "Metric": {
        1: ("name", "string"),
        2: ("description", "string"),
        3: ("unit", "string"),
        7: ("sum", "Sum"),
        9: ("histogram", "Histogram"),
    },
    "Sum": {
        1: ("dataPoints", "*NumberDataPoint"),
        2: ("aggregationTemporality", "enum"),
        3: ("isMonotonic", "bool"),
    },
    "NumberDataPoint": {
        7: ("attributes", "*KeyValue"),
        2: ("startTimeUnixNano", "fixed64"),
        3: ("timeUnixNano", "fixed64"),
        4: ("asDouble", "double"),
        6: ("asInt", "sfixed64"),
    },
    "Histogram": {1: ("dataPoints", "*HistogramDataPoint"), 2: ("aggregationTemporality", "enum")},
    "HistogramDataPoint": {
        9: ("attributes", "*KeyValue"),
        2: ("startTimeUnixNano", "fixed64"),
        3: ("timeUnixNano", "fixed64"),
        4: ("count", "fixed64"),
        5: ("sum", "double"),
        6: ("bucketCounts", "*fixed64"),
        7: ("explicitBounds", "*double"),
        11: ("min", "double"),
        12: ("max", "double"),
    },
}
REQUEST = {"log": "Logs", "span": "Traces", "metric": "Metrics"}
PATH = {
    "/v1/logs": "log",
    "/v1/traces": "span",
    "/v1/metrics": "metric",
    **{
        f"/opentelemetry.proto.collector.{a}.v1.{b}Service/Export": k
        for a, b, k in (
            ("logs", "Logs", "log"),
            ("trace", "Trace", "span"),
            ("metrics", "Metrics", "metric"),
        )
    },
}
FIXED = {"fixed64": "<Q", "sfixed64": "<q", "double": "<d", "fixed32": "<I"}
INTEGERS = ("fixed64", "sfixed64", "int64", "uint32", "fixed32", "enum")


class Bad(Exception):
    pass


# ---- protobuf ----


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Bad("a number does not end")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
        shift += 7


def fields(data):
    """(number, wire type, value) of each; a value is an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(wire)
            if wire == 2:
                size, at = varint(data, at)
            if size is None or at + size > len(data):
                raise Bad(f"field {number} of wire type {wire} does not fit")
            value, at = data[at : at + size], at + size
        yield number, wire, value


def one(kind, wire, value):
    if kind in FIXED:
        if wire != (5 if kind == "fixed32" else 1):
            raise Bad(f"{kind} with wire type {wire}")
        return struct.unpack(FIXED[kind], value)[0]
    if kind in ("int64", "uint32", "enum", "bool"):
        if wire != 0:
            raise Bad(f"{kind} with wire type {wire}")
        if kind == "bool":
            return bool(value)
        return value - (1 << 64) if kind == "int64" and value >> 63 else value
    if wire != 2:
        raise Bad(f"{kind} with wire type {wire}")
    if kind == "string":
        return value.decode("utf-8")
    return value.hex() if kind == "id" else from_protobuf(kind, value)


def from_protobuf(message, data):
    out = {}
    for number, wire, value in fields(data):
        if number not in SCHEMA[message]:
            raise Bad(f"{message} has field {number}")
        name, kind = SCHEMA[message][number]
        if kind[0] != "*":
            if name in out:
                raise Bad(f"{message}.{name} twice")
            out[name] = one(kind, wire, value)
        elif kind[1:] in FIXED and wire == 2:  # packed
            form = FIXED[kind[1:]]
            if len(value) % 8:
                raise Bad(f"{message}.{name} is cut")
            out.setdefault(name, []).extend(v[0] for v in struct.iter_unpack(form, value))
        else:
            out.setdefault(name, []).append(one(kind[1:], wire, value))
    return out


# ---- JSON ----


def json_one(kind, value):
    if kind in INTEGERS:
        # 64 bits are text in protobuf's JSON; enumerations are numbers in OTLP's.
        if (
            isinstance(value, bool)
            or not isinstance(value, (str, int))
            or (isinstance(value, str) and kind == "enum")
        ):
            raise Bad(f"{kind} as {value!r}")
        if isinstance(value, int) and abs(value) > 2**53:
            raise Bad(f"{kind} {value} as a number loses bits in JSON")
        return int(value)
    if kind == "double":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Bad(f"double as {value!r}")
        return float(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind in ("string", "id") and isinstance(value, str):
        if kind == "id" and (bytes.fromhex(value).hex() != value):
            raise Bad(f"id {value!r}")
        return value
    if kind[0].isupper() and isinstance(value, dict):
        return from_json(kind, value)
    raise Bad(f"{kind} as {value!r}")


def no_doubles(pairs):
    out = dict(pairs)
    if len(out) != len(pairs):
        raise Bad(f"a member twice: {[k for k, _ in pairs]}")
    return out


def integer(digits):
    return -0.0 if digits == "-0" else int(digits)


def from_json(message, value):
    names = {name: kind for name, kind in SCHEMA[message].values()}
    out = {}
    for k, v in value.items():
        if k not in names:
            raise Bad(f"{message} has a member {k!r}")
        kind = names[k]
        out[k] = [json_one(kind[1:], x) for x in v] if kind[0] == "*" else json_one(kind, v)
    return out


# ---- signals ----


def attributes(m):
    """{key: value}; int, float, bool and str stay what they are. A key twice is an error."""
    out = {}
    for kv in m.get("attributes", []):
        value = kv.get("value", {})
        if len(value) != 1 or not kv.get("key") or kv["key"] in out:
            raise Bad(f"attribute {kv}")
        ((name, v),) = value.items()
        out[kv["key"]] = v if name != "doubleValue" else float(v)
    return out


def ids(m):
    for name, size in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
        if m.get(name) and (len(m[name]) != size or set(m[name]) == {"0"}):
            raise Bad(f"{name} is {m[name]!r}")


def signals(kind, request):
    """Each log record, span or data point with its resource: a flat dictionary."""
    group = {"log": "Logs", "span": "Spans", "metric": "Metrics"}[kind]
    items = {"log": "logRecords", "span": "spans", "metric": "metrics"}[kind]
    for r in request.get("resource" + group, []):
        resource = attributes(r.get("resource", {}))
        for s in r["scope" + group]:
            scope = s.get("scope", {})
            for m in s[items]:
                one = {
                    "kind": kind,
                    "resource": resource,
                    "scope": scope.get("name"),
                    "scope_version": scope.get("version"),
                }
                if kind == "metric":
                    yield from points(one, m)
                    continue
                ids(m)
                if kind == "span":
                    one = {
                        **one,
                        "kind_number": m.pop("kind", 0),
                        "status_code": m.pop("status", {}).get("code", 0),
                    }
                yield {
                    **one,
                    **{k: v for k, v in m.items() if k != "attributes"},
                    "attributes": attributes(m),
                }


def points(one, m):
    shape = [k for k in ("sum", "histogram") if k in m]
    if len(shape) != 1:
        raise Bad(f"metric with {shape}")
    if m[shape[0]].get("aggregationTemporality") != 1:
        raise Bad(f"metric {m.get('name')} is not delta")
    for p in m[shape[0]]["dataPoints"]:
        if (
            shape[0] == "histogram"
            and len(p.get("bucketCounts", [])) != len(p.get("explicitBounds", [])) + 1
        ):
            raise Bad(f"buckets of {m.get('name')}")
        yield {
            **one,
            "type": shape[0],
            "name": m.get("name"),
            "unit": m.get("unit"),
            "isMonotonic": m[shape[0]].get("isMonotonic"),
            **{k: v for k, v in p.items() if k != "attributes"},
            "attributes": attributes(p),
        }


def decode(path, content_type, body):
    """(kind, signals) of one request's body, after gzip and gRPC's frame were taken off."""
    kind = next((k for p, k in PATH.items() if path == p or path.endswith(p)), None)
    if kind is None:
        raise Bad(f"nothing of OTLP is at {path}")
    if content_type == "application/json":
        request = from_json(
            REQUEST[kind], json.loads(body, object_pairs_hook=no_doubles, parse_int=integer)
        )
    elif content_type in ("application/x-protobuf", "application/grpc", "application/grpc+proto"):
        request = from_protobuf(REQUEST[kind], body)
    else:
        raise Bad(f"content-type {content_type!r}")
    return kind, list(signals(kind, request))


def grpc_message(data, encoding):
    """The one message of a unary request."""
    if len(data) < 5 or struct.unpack(">I", data[1:5])[0] != len(data) - 5 or data[0] > 1:
        raise Bad("not one gRPC message")
    if data[0]:
        if encoding != "gzip":
            raise Bad(f"compressed with {encoding!r}")
        return gzip.decompress(data[5:])
    return data[5:]
