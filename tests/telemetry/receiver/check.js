// Is the receiver itself right? OpenTelemetry's own exporters send to it, in every way it offers, and
// what it wrote down is compared with what was said; then a few of its faults, seen from outside.
//
//   NODE_PATH=$(./install) node check.js DIR [VERSION]
//
// DIR has ca.pem, server.{pem,key}, client.{pem,key}. With bawn's VERSION it has also what
// `test_otlp --write DIR` leaves: what bawn's encoder made of its samples is sent to the receiver and
// compared, every field of it.
"use strict";
const assert = require("assert");
const fs = require("fs");
const http2 = require("http2");
const path = require("path");
const { Receiver } = require("./client");
const { credentials } = require("@grpc/grpc-js");
const { trace, context, TraceFlags } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { LoggerProvider, SimpleLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { BasicTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { MeterProvider, PeriodicExportingMetricReader, AggregationTemporality } =
    require("@opentelemetry/sdk-metrics");

const [dir, version] = process.argv.slice(2);
const pem = (name) => fs.readFileSync(path.join(dir, name));
const resource = resourceFromAttributes({ "service.name": "check", "service.version": "1.2.3" });
const PARENT = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331",
    traceFlags: TraceFlags.SAMPLED };
const DELTA = { temporalityPreference: AggregationTemporality.DELTA };

async function logs(exporter) {
    const processors = [new SimpleLogRecordProcessor(exporter)];
    const provider = new LoggerProvider({ resource, processors });
    provider.getLogger("scope", "9").emit({
        eventName: "check.event", severityNumber: 13, timestamp: [1700000000, 123456789],
        attributes: { text: "naïve \u{1f600}", whole: 42, real: 0.5, yes: true, negative: -7 },
        context: trace.setSpanContext(context.active(), PARENT),
    });
    await provider.shutdown();
}

async function traces(exporter) {
    const spanProcessors = [new SimpleSpanProcessor(exporter)];
    const provider = new BasicTracerProvider({ resource, spanProcessors });
    const span = provider.getTracer("scope", "9").startSpan("check span",
        { kind: 2, startTime: 1700000000000, attributes: { a: "b" } },
        trace.setSpanContext(context.active(), PARENT));
    span.setStatus({ code: 2, message: "bad" });
    span.end(1700000000250);
    await provider.shutdown();
}

async function metrics(exporter) {
    const provider = new MeterProvider({ resource, readers: [
        new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3600000 })] });
    const meter = provider.getMeter("scope", "9");
    meter.createCounter("check.count", { unit: "{thing}" }).add(3, { a: "b" });
    const histogram = meter.createHistogram("check.time",
        { unit: "ms", advice: { explicitBucketBoundaries: [1, 10, 100] } });
    [0.5, 5, 50, 500, 7].forEach((v) => histogram.record(v));
    await provider.shutdown();
}

const SAY = { logs, traces, metrics };

const attributes = (list) => Object.fromEntries(list.map(({ key, value }) => [key, value]));

const SEEN = {
    logs({ resourceLogs: [{ resource: r, scopeLogs: [{ scope, logRecords: [l] }] }] }) {
        assert.deepEqual(attributes(r.attributes)["service.name"], { stringValue: "check" });
        assert.deepEqual(scope, { name: "scope", version: "9" });
        assert.equal(l.eventName, "check.event");
        assert.equal(l.severityNumber, 13);
        assert.equal(l.timeUnixNano, "1700000000123456789");
        assert.equal(l.traceId, PARENT.traceId);
        assert.equal(l.spanId, PARENT.spanId);
        assert.equal(l.flags, 1);
        const { text, whole, real, yes, negative } = attributes(l.attributes);
        assert.equal(text.stringValue, "naïve \u{1f600}");
        assert.equal(String(whole.intValue), "42");
        assert.equal(String(negative.intValue), "-7");
        assert.equal(real.doubleValue, 0.5);
        assert.equal(yes.boolValue, true);
    },
    traces({ resourceSpans: [{ scopeSpans: [{ spans: [s] }] }] }) {
        assert.equal(s.traceId, PARENT.traceId);
        assert.equal(s.parentSpanId, PARENT.spanId);
        assert.match(s.spanId, /^[0-9a-f]{16}$/);
        assert.equal(s.name, "check span");
        assert.equal(s.kind, 3);
        assert.equal(s.startTimeUnixNano, "1700000000000000000");
        assert.equal(s.endTimeUnixNano, "1700000000250000000");
        assert.deepEqual(s.status, { message: "bad", code: 2 });
    },
    metrics({ resourceMetrics: [{ scopeMetrics: [{ metrics: [count, time] }] }] }) {
        const [point] = count.sum.dataPoints;
        assert.equal(Number(point.asInt ?? point.asDouble), 3);
        assert.equal(count.unit, "{thing}");
        assert.equal(count.sum.isMonotonic, true);
        assert.equal(count.sum.aggregationTemporality, 1);
        const [h] = time.histogram.dataPoints;
        assert.deepEqual(h.bucketCounts.map(Number), [1, 2, 1, 1]);
        assert.deepEqual(h.explicitBounds, [1, 10, 100]);
        assert.equal(h.sum, 562.5);
        assert.equal(h.min, 0.5);
        assert.equal(h.max, 500);
    },
};

const CLASSES = { logs: "OTLPLogExporter", traces: "OTLPTraceExporter", metrics: "OTLPMetricExporter" };

function exporter(kind, how, options) {
    const what = kind === "traces" ? "trace" : kind;
    const Class = require(`@opentelemetry/exporter-${what}-otlp-${how}`)[CLASSES[kind]];
    return new Class({ ...options, ...DELTA });
}

// name: [package, port, path?, options]
const mutual = { ca: pem("ca.pem"), key: pem("client.key"), cert: pem("client.pem") };
const WAYS = {
    json: ["http", "http", {}],
    "json gzip": ["http", "http", { compression: "gzip" }],
    protobuf: ["proto", "http", {}],
    "protobuf gzip": ["proto", "http", { compression: "gzip" }],
    "protobuf TLS": ["proto", "https", { httpAgentOptions: { ca: mutual.ca } }],
    "protobuf mutual TLS": ["proto", "https_mutual", { httpAgentOptions: mutual }],
    grpc: ["grpc", "grpc", { credentials: credentials.createInsecure() }],
    "grpc gzip": ["grpc", "grpc", { credentials: credentials.createInsecure(), compression: "gzip" }],
    "grpc by hand": ["grpc", "grpc_bare", { credentials: credentials.createInsecure() }],
    "grpc by hand, gzip": ["grpc", "grpc_bare", { credentials: credentials.createInsecure(),
        compression: "gzip" }],
    "grpc TLS": ["grpc", "grpcs", { credentials: credentials.createSsl(mutual.ca) }],
    "grpc mutual TLS": ["grpc", "grpcs_mutual",
        { credentials: credentials.createSsl(mutual.ca, mutual.key, mutual.cert) }],
    "grpc mutual TLS by hand": ["grpc", "grpcs_mutual_bare",
        { credentials: credentials.createSsl(mutual.ca, mutual.key, mutual.cert) }],
};

async function strangers(receiver, kind, name) {
    const [how, port, options] = WAYS[name];
    const at = `${receiver.ports[port]}`;
    const secure = port.startsWith("https") || port.startsWith("grpcs");
    const url = how === "grpc" ? `http${secure ? "s" : ""}://127.0.0.1:${at}`
        : `http${secure ? "s" : ""}://127.0.0.1:${at}/v1/${kind}`;
    const headers = how === "grpc" ? undefined : { "x-key": "k" };
    await SAY[kind](exporter(kind, how, { url, headers, ...options }));
    const [line, ...more] = await receiver.get("wait?count=1");
    assert.equal(more.length, 0);
    assert.equal(line.error, undefined);
    assert.equal(line.kind, kind);
    assert.equal(line.transport, port);
    assert.equal(line.did, "ok");
    if (name.includes("gzip") && port !== "grpc") assert.equal(line.encoding, "gzip");
    if (port !== "grpc" && how !== "grpc") assert.equal(line.headers["x-key"], "k");
    assert.equal(line.peer, port.includes("mutual") ? "client.test" : null);
    SEEN[kind](line.body);
}

/* ---- bawn's encoder ---- */

const TYPES = { pb: "application/x-protobuf", json: "application/json" };

async function encoded(receiver, post, kind, suffix) {
    const answer = await post({ method: "POST", headers: { "content-type": TYPES[suffix] },
        body: pem(`${kind}.${suffix}`) }, `/v1/${kind}`);
    const [line] = await receiver.get("wait?count=1");
    assert.equal(answer.status, 200, line.error);
    assert.deepStrictEqual(line.body, require("./samples")(version)[kind]);
    assert.equal(line.canonical, true);
}

/* ---- faults ---- */

const EMPTY = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };

const FAULTS = {
    async "a list of steps"(receiver, post) {
        const busy = { do: "status", code: 503, retry_after: 2, times: 2 };
        await receiver.put("behaviour", [busy, { do: "ok" }]);
        const answers = [await post(), await post(), await post()];
        assert.deepEqual(answers.map((a) => a.status), [503, 503, 200]);
        assert.equal(answers[0].headers.get("retry-after"), "2");
    },
    async "partial success"(receiver, post) {
        await receiver.put("behaviour/logs", { do: "ok", rejected: 3, message: "no" });
        assert.deepEqual(await (await post()).json(),
            { partialSuccess: { rejectedLogRecords: "3", errorMessage: "no" } });
    },
    async "wrong requests"(receiver, post) {
        const json = (body, where) => post({ ...EMPTY, body: JSON.stringify(body) }, where);
        const record = (r) => json({ resourceLogs: [{ scopeLogs: [{ logRecords: [r] }] }] });
        const typed = (type, body) => post({ ...EMPTY, headers: { "content-type": type }, body });
        const refused = async (answer, status) => assert.equal((await answer).status, status);
        await refused(json({ unknown: 1 }), 400);
        await refused(record({ traceId: "zz" }), 400);
        await refused(record({ timeUnixNano: 5 }), 400);
        await refused(record({ severityNumber: "SEVERITY_NUMBER_INFO" }), 400);
        await refused(json({}, "/v1/nothing"), 404);
        await refused(typed("text/plain", "{}"), 415);
        await refused(typed("application/json", Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])), 400);
        await refused(typed("application/x-protobuf", Buffer.from([0x0a, 0x05, 0x01])), 400);
    },
    async "what hangs up"(receiver, post) {
        for (const step of [{ do: "close" }, { do: "close", after: 1 }, { do: "cut", after: 30 },
            { do: "cut", after: 3, reset: false }, { do: "garbage", where: "head" }]) {
            await receiver.put("behaviour", step);
            await assert.rejects(post().then((a) => a.text()), undefined, JSON.stringify(step));
        }
    },
    async "silence, garbage, much, slow, elsewhere"(receiver, post) {
        await receiver.put("behaviour", { do: "silence" });
        await assert.rejects(post({ ...EMPTY, signal: AbortSignal.timeout(100) }),
            { name: "TimeoutError" });
        await receiver.put("behaviour", { do: "garbage" });
        assert.equal((await (await post()).arrayBuffer()).byteLength, 300);
        await receiver.put("behaviour", { do: "huge", bytes: 3000000 });
        assert.equal((await (await post()).arrayBuffer()).byteLength, 3000000);
        await receiver.put("behaviour", { do: "slow", ms: 1, drip: true });
        assert.equal((await post()).status, 200);
        await receiver.put("behaviour", { do: "redirect" });
        const answer = await post({ ...EMPTY, redirect: "manual" });
        assert.equal(answer.status, 307);
        assert.equal(answer.headers.get("location"),
            `http://127.0.0.1:${receiver.ports.elsewhere}/v1/logs`);
    },
    async "stopped and started"(receiver, post) {
        await receiver.put("stop/http");
        await assert.rejects(post());
        await receiver.put("start/http");
        assert.equal((await post()).status, 200);
        await receiver.put("stop/grpc");
        await receiver.put("start/grpc");
        await strangers(await receiver.fresh(), "logs", "grpc");
    },
    async "gRPC's faults"(receiver) {
        const ask = (body) => call(receiver.ports.grpc_bare, body);
        const step = (s) => receiver.put("behaviour", s);
        const empty = Buffer.alloc(5);
        assert.equal((await ask(empty)).trailers["grpc-status"], "0");
        assert.equal((await ask(Buffer.from([0, 0, 0, 0, 9]))).trailers["grpc-status"], "3");
        await step({ do: "status", code: 503, retry_ms: 1500 });
        const only = await ask(empty);
        assert.equal(only.headers["grpc-status"], "14");
        assert.match(Buffer.from(only.headers["grpc-status-details-bin"], "base64").toString("latin1"),
            /google\.rpc\.RetryInfo/);
        assert.equal(only.trailers, null);
        await step({ do: "status", grpc: 8, form: "trailers" });
        assert.equal((await ask(empty)).trailers["grpc-status"], "8");
        await step({ do: "no_trailers" });
        assert.equal((await ask(empty)).trailers, null);
        await step({ do: "no_status" });
        assert.equal((await ask(empty)).trailers["x-other"], "1");
        await step({ do: "http", code: 502 });
        assert.equal((await ask(empty)).headers[":status"], 502);
        for (const s of [{ do: "goaway" }, { do: "close", after: 1 }, { do: "cut", after: 3 }]) {
            await step(s);
            await assert.rejects(ask(empty), undefined, JSON.stringify(s));
        }
    },
};

function call(port, body) {
    return new Promise((done, failed) => {
        const session = http2.connect(`http://127.0.0.1:${port}`);
        const stream = session.request({ ":method": "POST", "content-type": "application/grpc",
            te: "trailers", ":path": "/opentelemetry.proto.collector.logs.v1.LogsService/Export" });
        const got = { headers: null, trailers: null, body: [] };
        session.on("error", failed);
        stream.on("response", (h) => { got.headers = h; }).on("trailers", (t) => { got.trailers = t; })
            .on("data", (d) => got.body.push(d)).on("error", failed)
            .on("close", () => {
                session.close();
                if (stream.rstCode || !got.headers) failed(new Error("cut"));
                done(got);
            });
        stream.end(body);
    });
}

async function main() {
    let passed = 0, failed = 0;
    const receiver = await Receiver.start(["--key", path.join(dir, "server.key"), "--cert",
        path.join(dir, "server.pem"), "--client-ca", path.join(dir, "ca.pem")]);
    const one = async (name, f) => {
        try {
            await receiver.fresh();
            await f();
            passed++;
            console.log(`ok receiver: ${name}`);
        } catch (e) {
            failed++;
            const seen = JSON.stringify(await receiver.get("requests"));
            console.log(`FAIL receiver: ${name}\n${e.stack}\n${seen.slice(0, 5000)}`);
        }
    };
    const post = (what = EMPTY, where = "/v1/logs") =>
        fetch(`http://127.0.0.1:${receiver.ports.http}${where}`, what);
    for (const name of Object.keys(WAYS))
        for (const kind of Object.keys(SAY))
            await one(`${kind}, ${name}`, () => strangers(receiver, kind, name));
    for (const kind of version ? Object.keys(SAY) : [])
        for (const suffix of Object.keys(TYPES))
            await one(`bawn's ${kind}, ${suffix}`, () => encoded(receiver, post, kind, suffix));
    for (const [name, f] of Object.entries(FAULTS)) await one(name, () => f(receiver, post));
    receiver.stop();
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
}

main();
