// A TLS server that speaks h2, http/1.1 or both, and notes what it was asked, one JSON a line.
//
//   node server.js KEY CERT LOG PROTOCOL[,PROTOCOL] [ADDRESS PORT]       prints its port
"use strict";
const fs = require("fs");
const http2 = require("http2");
const https = require("https");
const zlib = require("zlib");

const [key, cert, log, protocols, address = "127.0.0.1", port = 0] = process.argv.slice(2);
const options = { key: fs.readFileSync(key), cert: fs.readFileSync(cert), ALPNProtocols: protocols.split(",") };

let connections = 0;

process.on("uncaughtException", (e) => console.error(e)); // a client that went away; tests look at what is seen

function pattern(n) {
    const block = Buffer.alloc(65536);
    for (let i = 0; i < block.length; i++) block[i] = (i * 31 + (i >> 8)) & 255;
    return n <= block.length ? block.subarray(0, n) : Buffer.concat(Array(Math.ceil(n / block.length)).fill(block), n);
}

function plain(headers) {
    return Object.fromEntries(Object.entries(headers).filter(([k]) => typeof k === "string"));
}

const pages = {
    "/echo": (q, s, body) => s.end(JSON.stringify({ method: q.method, url: q.url, version: q.httpVersion,
        headers: plain(q.headers), length: body.length, sum: body.reduce((a, b) => (a * 31 + b) >>> 0, 7) })),
    "/big": (q, s) => s.end(pattern(Number(new URL(q.url, "https://x").searchParams.get("n")))),
    "/length": (q, s) => { s.setHeader("content-length", "5"); s.end(q.method === "HEAD" ? "" : "hello"); },
    "/drip": (q, s) => {
        let i = 0;
        const next = () => i < 5 ? (s.write(`drip ${i++}\n`), setTimeout(next, 10)) : s.end();
        next();
    },
    "/empty": (q, s) => { s.statusCode = 204; s.end(); },
    "/not-modified": (q, s) => { s.statusCode = 304; s.setHeader("etag", "\"x\""); s.end(); },
    "/marked": (q, s) => {
        s.setHeader("x-proxy-error", "blocked-by-policy");
        s.setHeader("alt-svc", "h3=\":443\"");
        s.end("marked");
    },
    "/redirect": (q, s) => { s.statusCode = 302; s.setHeader("location", q.headers["x-to"]); s.end(); },
    // What was sent as a credential, back in a header and, byte by byte, in the body.
    "/reflect": (q, s) => {
        const text = `<${q.headers["authorization"]}>`;
        s.setHeader("x-reflect", text);
        let i = 0;
        const next = () => i < text.length ? (s.write(text[i++]), setImmediate(next)) : s.end();
        next();
    },
    "/reflect-whole": (q, s) => s.end(`<${q.headers["authorization"]}>`),
    "/gzip": (q, s) => {
        s.setHeader("content-encoding", "gzip");
        s.end(zlib.gzipSync(`<${q.headers["authorization"]}>`));
    },
    "/hints": (q, s) => { s.writeEarlyHints({ link: "</a.css>; rel=preload" }); s.end("hinted"); },
    "/trailers": (q, s) => { s.setHeader("trailer", "x-trailer"); s.write("with "); s.addTrailers({ "x-trailer": "here" }); s.end("trailers"); },
    "/hang-up": (q, s) => { s.write("half"); setTimeout(() => (s.stream ? s.stream.session : s.socket).destroy(), 50); },
    "/reset": (q) => (q.stream ? q.stream.close(2) : q.socket.destroy()),
    // The connection ends a moment after the answer, as a server's does that is tired of waiting.
    "/tired": (q, s) => { s.end("tired"); setTimeout(() => q.socket.destroy(), 30); },
};

function handle(request, response) {
    const parts = [];
    const note = (body) => fs.appendFileSync(log, JSON.stringify({ method: request.method, url: request.url,
        version: request.httpVersion, headers: plain(request.headers), length: body.length,
        connection: (request.stream ? request.stream.session : request.socket)?.number }) + "\n");
    response.on("error", () => {});
    request.on("error", () => {});
    request.on("data", (d) => parts.push(d));
    request.on("end", () => {
        const body = Buffer.concat(parts);
        const path = request.url.split("?")[0];
        note(body);
        (pages[path] || ((q, s) => { s.statusCode = 404; s.end("no such page"); }))(request, response, body);
    });
    if (request.url.startsWith("/no-thanks")) { // answers before it has read the body
        response.statusCode = 413;
        response.end("no, thanks");
    }
}

const server = protocols.includes("h2") ? http2.createSecureServer({ ...options, allowHTTP1: protocols.includes("http/1.1") },
    handle) : https.createServer(options, handle);
server.on("secureConnection", (socket) => { socket.number = ++connections; socket.on("error", () => {}); });
server.on("session", (session) => { session.number = ++connections; session.on("error", () => {}); });
server.on("tlsClientError", () => {});
server.on("sessionError", () => {});
server.keepAliveTimeout = 60000;
server.listen(Number(port), address, () => console.log(server.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
