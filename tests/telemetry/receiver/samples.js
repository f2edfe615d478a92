// What has to come of bawn's samples (tests/unit/otlp_samples.h), in OTLP's JSON form, written from
// what the samples mean and not from what bawn makes of them.
"use strict";

const W = "\ufffd";
const TIME = 1700000000123456789n;
const at = (n) => String(TIME + BigInt(n));
const text = (key, v) => ({ key, value: { stringValue: v } });
const int = (key, v) => ({ key, value: { intValue: v } });
const real = (key, v) => ({ key, value: { doubleValue: v } });
const bool = (key, v) => ({ key, value: { boolValue: v } });

const RESOURCE = { attributes: [text("service.name", "bawn"), text("host.name", `h${W}${W}ost`)] };
const OTHER = { attributes: [text("service.name", "other")] };
const TRACE = "0af7651916cd43dd8448eb211c80319c", SPAN = "b7ad6b7169203331";

module.exports = function samples(version) {
    const scope = { name: "bawn", version };
    const observedTimeUnixNano = "1700000009000000001";
    const info = { severityNumber: 9, severityText: "INFO", observedTimeUnixNano };
    const values = [
        text("text", "na\u00efve \u{1f600}"), text("empty", ""),
        text("odd", "a\0b\"\\\n\t\x1b[31m\u202e/"),
        text("wrong", `${W}a${W.repeat(11)}`), text(`k${W}y`, "v"),
        int("zero", "0"), int("least", "-9223372036854775808"), int("most", "9223372036854775807"),
        real("tenth", 0.1), real("tiny", 5e-324), real("large", -1.5e300), real("none", 0),
        bool("yes", true), bool("no", false),
    ];
    const logs = { resourceLogs: [
        { resource: RESOURCE, scopeLogs: [{ scope, logRecords: [
            { timeUnixNano: at(0), observedTimeUnixNano, severityNumber: 13, severityText: "WARN",
              eventName: "bawn.sandbox_outcome", traceId: TRACE, spanId: SPAN, flags: 1,
              attributes: values },
            { ...info, timeUnixNano: at(1), eventName: "bawn.second" },
        ] }] },
        { resource: {}, scopeLogs: [{ scope, logRecords: [
            { ...info, timeUnixNano: at(2), eventName: "bawn.third" },
        ] }] },
        { resource: RESOURCE, scopeLogs: [{ scope, logRecords: [
            { ...info, timeUnixNano: "9223372036854775807", eventName: `bawn.${W}` },
        ] }] },
    ] };

    const traces = { resourceSpans: [
        { resource: RESOURCE, scopeSpans: [{ scope, spans: [
            { traceId: TRACE, spanId: SPAN, name: "bawn run", kind: 1, startTimeUnixNano: at(0),
              endTimeUnixNano: at(1000), flags: 1 },
            { traceId: "01" + "00".repeat(15), spanId: "0000000000000002", parentSpanId: SPAN,
              traceState: "a=1,b=2", name: "connect", kind: 3, startTimeUnixNano: at(10),
              endTimeUnixNano: at(20), status: { code: 2 },
              attributes: [text("outcome", "denied"), int("status", "1")] },
        ] }] },
        { resource: OTHER, scopeSpans: [{ scope, spans: [
            { traceId: "01" + "00".repeat(15), spanId: "0300000000000000", name: "set-up", kind: 1,
              status: { code: 1 }, flags: 255 },
        ] }] },
    ] };

    // Deltas; the start is just before the first measurement.
    const count = (...dataPoints) => ({ name: "bawn.commands", unit: "{command}",
        sum: { aggregationTemporality: 1, isMonotonic: true, dataPoints } });
    const ok = { attributes: [text("outcome", "ok"), int("status", "0")] };
    const denied = { attributes: [text("outcome", "denied"), int("status", "1")] };
    const span = (from, to) => ({ startTimeUnixNano: at(from - 1), timeUnixNano: at(to) });
    const number = (from, to, asInt, what) => ({ ...what, ...span(from, to), asInt });
    const time = (name, from, to, point) => {
        const bucketCounts = Array(19).fill("0");
        for (const i of point.in) bucketCounts[i] = String(Number(bucketCounts[i]) + 1);
        const { in: buckets, ...rest } = point;
        return { name, unit: "ms", histogram: { aggregationTemporality: 1, dataPoints: [{
            ...span(from, to), count: String(buckets.length), bucketCounts,
            explicitBounds: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000,
                10000, 30000, 60000], ...rest }] } };
    };
    const most = Number.MAX_VALUE;
    const metrics = { resourceMetrics: [
        { resource: RESOURCE, scopeMetrics: [{ scope, metrics: [
            count(number(3, 5, "42", ok), number(7, 7, "0", denied)),
            time("bawn.time", 1, 9, { in: [0, 0, 1, 17, 18, 6], min: 0, max: 60000.5,
                sum: 0.1 + 0.0 + 0.100001 + 60000 + 60000.5 + 7 }),
            time("bawn.most", 1, 1, { in: [18, 18], min: most, max: most, sum: most }),
            time("bawn.below", 1, 1, { in: [0], min: -2.5, max: -2.5 }),
        ] }] },
        { resource: OTHER, scopeMetrics: [{ scope, metrics: [
            count(number(6, 6, "1", ok), number(1, 2, "9223372036854775807", denied)),
        ] }] },
    ] };
    return { logs, traces, metrics };
};
