// OTLP/HTTP: protobuf and JSON, gzip; and everything a collector can do wrong on the way.
"use strict";
const http = require("http");
const https = require("https");
const zlib = require("zlib");
const { kindOfHttp, readProtobuf, readJson, success, failure } = require("./messages");

const BODY_MAX = 64 << 20;
const MUCH = 64 << 20; // of an answer that is too large
const TYPES = { "application/x-protobuf": readProtobuf, "application/json": readJson };
let connections = 0;

function listener(name, { behaviour, record, tls, elsewhere }) {
    const handle = (req, res) => serve(name, req, res, { behaviour, record, elsewhere })
        .catch((e) => { record.add({ note: "failed", transport: name, error: String(e.stack) }); });
    const server = tls ? https.createServer(tls, handle) : http.createServer(handle);
    server.on(tls ? "secureConnection" : "connection", (socket) => { socket.number = ++connections; });
    server.on("tlsClientError", (e) =>
        record.add({ note: "tls", transport: name, error: e.code ?? e.message }));
    server.on("clientError", (e, socket) => {
        record.add({ note: "client", transport: name, error: e.code ?? e.message });
        if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    });
    server.timeout = server.requestTimeout = server.headersTimeout = 0;
    server.keepAliveTimeout = 60000;
    return {
        start: (port, host) => new Promise((done, failed) =>
            server.once("error", failed).listen(port, host, () => done(server.address().port))),
        stop: () => new Promise((done) => { server.close(done); server.closeAllConnections(); }),
    };
}

async function serve(name, req, res, { behaviour, record, elsewhere }) {
    const kind = kindOfHttp(req.url);
    const step = name === "elsewhere" ? { do: "ok" } : behaviour.next(kind);
    const entry = {
        kind, transport: name, connection: req.socket.number, method: req.method, path: req.url,
        headers: req.headers, peer: peer(req.socket), did: step.do,
    };
    req.on("error", () => {}); // a client that went away: the body ends early
    if (step.do === "close") return closeAfter(req, step.after ?? 0, () => record.add(entry));
    const raw = await readAll(req);
    const problem = raw ? read(entry, kind, req, raw) : [400, "the request ended early"];
    if (problem) Object.assign(entry, { did: "refused", error: problem[1] });
    record.add(entry);
    const json = req.headers["content-type"] === "application/json";
    const type = json ? "application/json" : "application/x-protobuf";
    if (name === "elsewhere" || !problem)
        return answer(step, kind, json, type, { req, res, record, elsewhere });
    send(res, problem[0], { "content-type": type }, failure(3, problem[1], json));
}

function peer(socket) {
    const certificate = socket.getPeerCertificate?.();
    return certificate?.subject?.CN ?? null;
}

async function readAll(req) {
    const parts = [];
    let n = 0;
    try {
        for await (const part of req) {
            if ((n += part.length) > BODY_MAX) return null;
            parts.push(part);
        }
    } catch {
        return null;
    }
    return req.complete ? Buffer.concat(parts) : null;
}

function closeAfter(req, bytes, seen) {
    let left = bytes;
    const close = () => { seen(); seen = () => {}; req.socket.destroy(); };
    if (left === 0) return close();
    req.on("data", (part) => { if ((left -= part.length) <= 0) close(); });
    req.on("end", close);
}

// Null, or [status, why not].
function read(entry, kind, req, raw) {
    const how = TYPES[req.headers["content-type"]];
    const coding = req.headers["content-encoding"] ?? "identity";
    entry.wire_bytes = raw.length;
    entry.encoding = coding;
    if (req.method !== "POST") return [405, `${req.method} is no POST`];
    if (!kind) return [404, `${req.url}: nothing is here`];
    if (!how) return [415, `content-type ${req.headers["content-type"]}`];
    if (coding !== "gzip" && coding !== "identity") return [415, `content-encoding ${coding}`];
    try {
        const body = coding === "gzip" ? zlib.gunzipSync(raw, { maxOutputLength: BODY_MAX }) : raw;
        entry.bytes = body.length;
        Object.assign(entry, { type: how === readJson ? "json" : "protobuf", ...how(kind, body) });
    } catch (e) {
        return [400, e.message];
    }
    return null;
}

function send(res, status, headers, body) {
    res.writeHead(status, { ...headers, "content-length": body.length });
    res.end(body);
}

function answer(step, kind, json, type, { req, res, record, elsewhere }) {
    const body = kind ? success(kind, step, json) : Buffer.alloc(0);
    const headers = { "content-type": step.type ?? type };
    const raw = step.hex !== undefined ? Buffer.from(step.hex, "hex") : null;
    switch (step.do) {
    case "ok":
        return send(res, step.code ?? 200, headers, body);
    case "status":
        if (step.retry_after !== undefined) headers["retry-after"] = String(step.retry_after);
        return send(res, step.code, headers, raw ?? failure(2, step.message ?? "as told", json));
    case "silence":
        return;
    case "slow":
        return step.drip ? drip(res, headers, body, step.ms)
                         : setTimeout(() => send(res, 200, headers, body), step.ms);
    case "cut":
        return cut(req.socket, headers, body, step);
    case "garbage":
        if (step.where === "head") return req.socket.end(raw ?? Buffer.from(garbage(400)));
        return send(res, step.code ?? 200, headers, raw ?? garbage(300));
    case "huge":
        res.writeHead(200, step.bytes === 0 ? headers
            : { ...headers, "content-length": step.bytes ?? MUCH });
        return pour(res, step, record);
    case "redirect":
        headers.location = step.to ?? elsewhere() + req.url;
        return send(res, step.code ?? 307, headers, Buffer.alloc(0));
    default:
        return send(res, 500, headers, failure(13, `${step.do} is gRPC's`, json));
    }
}

const garbage = (n) => Buffer.from(Array.from({ length: n }, (_, i) => (i * 151 + 255) & 255));

function drip(res, headers, body, ms) {
    const text = body.length ? body : Buffer.from(" ".repeat(20));
    res.writeHead(200, { ...headers, "content-length": text.length });
    res.flushHeaders();
    let i = 0;
    const next = () => i < text.length && !res.destroyed
        ? (res.write(text.subarray(i, ++i)), setTimeout(next, ms)) : res.end();
    next();
}

// The first `after` bytes of a whole answer, head and all, then an end or a reset.
function cut(socket, headers, body, step) {
    const text = body.length ? body : Buffer.from(" ".repeat(64));
    const head = `HTTP/1.1 200 OK\r\ncontent-type: ${headers["content-type"]}\r\n` +
        `content-length: ${text.length}\r\n\r\n`;
    const whole = Buffer.concat([Buffer.from(head), text]);
    socket.write(whole.subarray(0, step.after ?? 20), () => reset(socket, step.reset ?? true));
}

function reset(socket, hard) {
    try {
        hard ? socket.resetAndDestroy() : socket.destroy();
    } catch {
        socket.destroy(); // TLS
    }
}

// `bytes` of nothing (0: as many as the client takes), and a note of how many went out.
function pour(stream, step, record) {
    const most = step.bytes === 0 ? Infinity : step.bytes ?? MUCH;
    const block = Buffer.alloc(65536, 32);
    let n = 0;
    stream.on("close", () => record.add({ note: "huge", sent: n }));
    const next = () => {
        while (n < most && !stream.destroyed) {
            const part = block.subarray(0, Math.min(block.length, most - n));
            n += part.length;
            if (!stream.write(part)) return stream.once("drain", next);
        }
        if (!stream.destroyed) stream.end();
    };
    next();
}

module.exports = { listener, garbage, pour };
