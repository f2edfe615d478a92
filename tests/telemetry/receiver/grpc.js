// OTLP/gRPC twice: with the published gRPC library, which does what is right, and as a bare HTTP/2
// server, which does whatever it is told.
"use strict";
const grpc = require("@grpc/grpc-js");
const http2 = require("http2");
const zlib = require("zlib");
const { KINDS, kindOfGrpc, readProtobuf, rpcStatus, success } = require("./messages");
const { garbage, pour } = require("./http1");

// The code for what HTTP would say, where a step names only that.
const CODES = { 400: 3, 401: 16, 403: 7, 404: 12, 429: 14, 500: 13, 502: 14, 503: 14, 504: 14 };

function codeOf(step) {
    return step.grpc ?? CODES[step.code] ?? 2;
}

function details(step) {
    const ms = step.retry_ms ?? (step.retry_after === undefined ? undefined : step.retry_after * 1000);
    return ms === undefined ? null : rpcStatus(codeOf(step), step.message ?? "as told", ms);
}

function read(entry, kind, bytes) {
    try {
        Object.assign(entry, { type: "protobuf", bytes: bytes.length, ...readProtobuf(kind, bytes) });
    } catch (e) {
        Object.assign(entry, { did: "refused", error: e.message });
    }
}

/* ---- the library ---- */

function library(name, { behaviour, record, tls }) {
    let server = null;
    const same = (bytes) => bytes;
    const service = (kind) => ({ Export: {
        path: KINDS[kind].path, requestStream: false, responseStream: false,
        requestDeserialize: same, requestSerialize: same,
        responseDeserialize: same, responseSerialize: same,
    } });
    const credentials = () => !tls ? grpc.ServerCredentials.createInsecure()
        : grpc.ServerCredentials.createSsl(tls.ca ?? null,
            [{ private_key: tls.key, cert_chain: tls.cert }], Boolean(tls.requestCert));
    const start = (port, host) => new Promise((done, failed) => {
        server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
        for (const kind of Object.keys(KINDS))
            server.addService(service(kind), { Export: (call, end) => exported(kind, call, end) });
        server.bindAsync(`${host}:${port}`, credentials(), (e, bound) => e ? failed(e) : done(bound));
    });
    function exported(kind, call, end) {
        const step = behaviour.next(kind);
        const entry = {
            kind, transport: name, path: call.getPath(), headers: plain(call.metadata.getMap()),
            peer: call.getAuthContext()?.sslPeerCertificate?.subject?.CN ?? null, did: step.do,
        };
        read(entry, kind, call.request);
        record.add(entry);
        if (entry.error) return end({ code: 3, details: entry.error });
        respond(step, kind, end);
    }
    return { start, stop: async () => server.forceShutdown() };
}

function plain(map) {
    return Object.fromEntries(Object.entries(map).map(([k, v]) =>
        [k, Buffer.isBuffer(v) ? v.toString("base64") : v]));
}

function respond(step, kind, end) {
    switch (step.do) {
    case "ok":
        return end(null, success(kind, step, false));
    case "slow":
        return setTimeout(() => end(null, success(kind, step, false)), step.ms);
    case "status": {
        const metadata = new grpc.Metadata();
        if (details(step)) metadata.set("grpc-status-details-bin", details(step));
        return end({ code: codeOf(step), details: step.message ?? "as told", metadata });
    }
    case "silence":
        return;
    case "garbage":
        return end(null, step.hex ? Buffer.from(step.hex, "hex") : garbage(300));
    case "huge":
        return end(null, Buffer.alloc(step.bytes || 64 << 20, 32));
    default:
        return end({ code: 13, details: `${step.do} is for the bare ports` });
    }
}

/* ---- by hand ---- */

let connections = 0;

function bare(name, { behaviour, record, tls, elsewhere }) {
    const server = tls ? http2.createSecureServer(tls) : http2.createServer();
    const sessions = new Set();
    server.on("session", (session) => {
        session.number = ++connections;
        sessions.add(session);
        session.on("close", () => sessions.delete(session));
        session.on("error", () => {});
    });
    server.on("tlsClientError", (e) =>
        record.add({ note: "tls", transport: name, error: e.code ?? e.message }));
    server.on("sessionError", () => {});
    server.on("stream", (stream, headers) => {
        stream.on("error", () => {});
        serve(name, stream, headers, { behaviour, record, elsewhere })
            .catch((e) => record.add({ note: "failed", transport: name, error: String(e.stack) }));
    });
    return {
        start: (port, host) => new Promise((done, failed) =>
            server.once("error", failed).listen(port, host, () => done(server.address().port))),
        stop: () => new Promise((done) => {
            server.close(done);
            for (const session of sessions) session.destroy();
        }),
    };
}

async function serve(name, stream, headers, { behaviour, record, elsewhere }) {
    const kind = kindOfGrpc(headers[":path"]);
    const step = behaviour.next(kind);
    const entry = {
        kind, transport: name, connection: stream.session.number, path: headers[":path"],
        headers: { ...headers }, peer: peer(stream.session), did: step.do,
    };
    if (step.do === "goaway") {
        record.add(entry);
        return stream.session.goaway(0, stream.id - 2 < 0 ? 0 : stream.id - 2), stream.close(7);
    }
    const session = stream.session; // gone with the loop below
    const parts = [];
    let n = 0;
    for await (const part of stream) {
        parts.push(part);
        n += part.length;
        if (step.do === "close" && n >= (step.after ?? 0)) break;
    }
    if (step.do === "close") {
        record.add(entry);
        return session.destroy();
    }
    request(entry, kind, headers, Buffer.concat(parts));
    record.add(entry);
    if (!stream.destroyed) answer(step, entry, kind, stream, { record, elsewhere });
}

function peer(session) {
    return session.socket.getPeerCertificate?.()?.subject?.CN ?? null;
}

// What gRPC asks of a request, to the letter.
function request(entry, kind, headers, bytes) {
    const coding = headers["grpc-encoding"] ?? "identity";
    const wrong = headers[":method"] !== "POST" ? "no POST"
        : !/^application\/grpc(\+proto)?$/.test(headers["content-type"]) ? "content-type"
        : headers["te"] !== "trailers" ? "no te: trailers"
        : !kind ? "no such method"
        : bytes.length < 5 || bytes.readUInt32BE(1) !== bytes.length - 5 ? "not one whole message"
        : bytes[0] > 1 ? "the flag is neither 0 nor 1"
        : bytes[0] === 1 && coding !== "gzip" ? `compressed with ${coding}` : null;
    entry.wire_bytes = bytes.length;
    entry.encoding = coding;
    if (wrong) return Object.assign(entry, { did: "refused", error: wrong });
    let body = bytes.subarray(5);
    try {
        if (bytes[0] === 1) body = zlib.gunzipSync(body, { maxOutputLength: 64 << 20 });
    } catch (e) {
        return Object.assign(entry, { did: "refused", error: e.message });
    }
    read(entry, kind, body);
}

function frame(body, flag = 0, length = body.length) {
    const head = Buffer.alloc(5);
    head[0] = flag;
    head.writeUInt32BE(length, 1);
    return Buffer.concat([head, body]);
}

const HEADERS = { ":status": 200, "content-type": "application/grpc" };

// A message (or none) and trailers (or none).
function respondBare(stream, body, trailers) {
    stream.respond(HEADERS, { waitForTrailers: Boolean(trailers) });
    if (trailers) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
    stream.end(body);
}

function status(step) {
    const trailers = { "grpc-status": String(codeOf(step)),
        "grpc-message": encodeURIComponent(step.message ?? "as told") };
    const bin = details(step);
    if (bin) trailers["grpc-status-details-bin"] = bin.toString("base64").replace(/=+$/, "");
    return trailers;
}

function answer(step, entry, kind, stream, { record, elsewhere }) {
    const good = { "grpc-status": "0" };
    const body = kind ? success(kind, step, false) : Buffer.alloc(0);
    if (entry.error)
        return respondBare(stream, null, status({ grpc: 3, message: entry.error }));
    switch (step.do) {
    case "ok":
        if (step.compressed) return respondBare(stream, frame(zlib.gzipSync(body), 1), good);
        return respondBare(stream, frame(body), good);
    case "slow":
        return setTimeout(() => !stream.destroyed && respondBare(stream, frame(body), good), step.ms);
    case "silence":
        return;
    case "status":
        if (step.form === "trailers") return respondBare(stream, null, status(step));
        return stream.respond({ ...HEADERS, ...status(step) }, { endStream: true });
    case "no_trailers":
        return respondBare(stream, frame(body), null);
    case "no_status":
        return respondBare(stream, frame(body), { "x-other": "1" });
    case "http":
        stream.respond({ ":status": step.code, "content-type": "text/html" });
        return stream.end(`<p>${step.message ?? "not here"}</p>`);
    case "redirect":
        return stream.respond({ ":status": step.code ?? 307,
            location: step.to ?? elsewhere() + entry.path }, { endStream: true });
    case "garbage": {
        const bytes = step.hex !== undefined ? Buffer.from(step.hex, "hex") : garbage(300);
        return respondBare(stream, step.where === "frame" ? bytes : frame(bytes), good);
    }
    case "cut":
        stream.respond(HEADERS, {});
        return stream.write(frame(body, 0, 100).subarray(0, Math.max(1, step.after ?? 3)),
            () => step.reset === false ? stream.end() : stream.destroy(new Error("as told")));
    case "huge":
        stream.respond(HEADERS, {});
        stream.write(frame(Buffer.alloc(0), 0, Math.min(step.bytes || 0x7fffffff, 0x7fffffff)));
        return pour(stream, step, record);
    default:
        return respondBare(stream, null, status({ grpc: 13, message: `${step.do}?` }));
    }
}

module.exports = { library, bare };
