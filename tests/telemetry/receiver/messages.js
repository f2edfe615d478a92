// OTLP's messages, read strictly, and a collector's answers. What decodes is the code that the
// OpenTelemetry JavaScript project generates from opentelemetry-proto; nothing here comes from bawn.
//
// A decoded body is in OTLP's JSON form, whichever way it came: ids in hex, 64-bit numbers as
// strings, enumerations as numbers.
"use strict";
const root = require("@opentelemetry/otlp-transformer/build/src/generated/root");
const collector = root.opentelemetry.proto.collector;

const KINDS = {
    logs: kind(collector.logs.v1, "Logs", "rejectedLogRecords"),
    traces: kind(collector.trace.v1, "Trace", "rejectedSpans"),
    metrics: kind(collector.metrics.v1, "Metrics", "rejectedDataPoints"),
};
const IDS = new Set(["traceId", "spanId", "parentSpanId"]);
const WHOLE = new Set(["intValue", "asInt", "count"]); // of 64 bits

function kind(space, name, rejected) {
    return {
        request: space[`Export${name}ServiceRequest`],
        response: space[`Export${name}ServiceResponse`],
        path: `/opentelemetry.proto.collector.${name.toLowerCase()}.v1.${name}Service/Export`,
        rejected,
    };
}

const kindOfGrpc = (path) => Object.keys(KINDS).find((k) => KINDS[k].path === path) ?? null;
const kindOfHttp = (url) =>
    /\/v1\/(logs|traces|metrics)$/.exec(new URL(url, "http://x").pathname)?.[1] ?? null;

// V with F over each value that stands under a name.
function each(v, f) {
    if (Array.isArray(v)) return v.map((item) => each(item, f));
    if (v === null || typeof v !== "object" || Buffer.isBuffer(v)) return v;
    return Object.fromEntries(Object.entries(v).map(([k, item]) => [k, f(k, each(item, f))]));
}

// protobuf.js' own form, with ids in hex and other bytes in base64.
function normal(type, message) {
    const plain = type.toObject(message, { longs: String, enums: Number, bytes: Buffer });
    return each(plain, (key, v) =>
        Buffer.isBuffer(v) ? v.toString(IDS.has(key) ? "hex" : "base64") : v);
}

// `canonical`: written again these are the same bytes. That is not asked of every client, but where
// it holds nothing in them is unknown, twice, out of order or ill-formed UTF-8.
function readProtobuf(k, bytes) {
    const type = KINDS[k].request;
    const message = type.decode(bytes);
    return { body: normal(type, message), canonical: bytes.equals(type.encode(message).finish()) };
}

// Every name must be known and every value survive: protobuf.js by itself ignores the rest.
function readJson(k, bytes) {
    const type = KINDS[k].request;
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const given = JSON.parse(text);
    const message = type.fromObject(each(given, (key, v) => {
        if (WHOLE.has(key) && typeof v === "number" && !Number.isSafeInteger(v))
            throw new Error(`${key}: ${v} is no number that JSON can tell`);
        if (/UnixNano$/.test(key) && typeof v !== "string") throw new Error(`${key} is no string`);
        if (!IDS.has(key)) return v;
        if (!/^([0-9a-f]{16}|[0-9a-f]{32})?$/i.test(v)) throw new Error(`${key} is no hex`);
        return Buffer.from(v, "hex");
    }));
    const wrong = type.verify(message);
    if (wrong) throw new Error(wrong);
    const body = normal(type, message);
    same(given, body, "");
    return { body, canonical: true };
}

function same(given, read, where) {
    if (given === null || typeof given !== "object") {
        if (String(given) !== String(read))
            throw new Error(`${where}: ${JSON.stringify(given)} is not what is meant there`);
        return;
    }
    for (const [key, v] of Object.entries(given)) {
        const empty = v === null || (Array.isArray(v) && v.length === 0);
        if (empty && (read === undefined || read[key] === undefined)) continue;
        if (read === undefined || !(key in read)) throw new Error(`${where}.${key} is unknown`);
        same(v, read[key], `${where}.${key}`);
    }
}

// A protobuf message by hand, for google.rpc.Status: [[field, number|string|Buffer], …].
function message(fields) {
    const varint = (n) => {
        const out = [];
        for (n = BigInt(n); n > 127n; n >>= 7n) out.push(Number(n & 127n) | 128);
        return Buffer.from([...out, Number(n)]);
    };
    return Buffer.concat(fields.flatMap(([field, v]) => {
        if (typeof v === "number") return [varint(field << 3), varint(v)];
        const bytes = Buffer.from(v);
        return [varint(field << 3 | 2), varint(bytes.length), bytes];
    }));
}

function rpcStatus(code, text, retryMs) {
    const fields = [[1, code], [2, text]];
    if (retryMs !== undefined) {
        const delay = message([[1, Math.floor(retryMs / 1000)], [2, (retryMs % 1000) * 1e6]]);
        const info = message([[1, delay]]);
        fields.push([3, message([[1, "type.googleapis.com/google.rpc.RetryInfo"], [2, info]])]);
    }
    return message(fields);
}

// What a collector says when it took the request: `step.rejected` of it not, `step.message` why.
function success(k, step, json) {
    const { response, rejected } = KINDS[k];
    const partial = step.rejected !== undefined || step.message !== undefined;
    const said = response.fromObject(!partial ? {} : {
        partialSuccess: { [rejected]: step.rejected ?? 0, errorMessage: step.message ?? "" },
    });
    return json ? Buffer.from(JSON.stringify(response.toObject(said, { longs: String })))
                : Buffer.from(response.encode(said).finish());
}

function failure(code, text, json) {
    return json ? Buffer.from(JSON.stringify({ code, message: text })) : rpcStatus(code, text);
}

module.exports = { KINDS, kindOfGrpc, kindOfHttp, readProtobuf, readJson, rpcStatus, success, failure };
