// A collector for tests: OpenTelemetry's OTLP over HTTP and gRPC, plain, TLS and mutual TLS, which
// writes down what it got and can be told to fail in many ways. README.md says how it is used.
"use strict";
const fs = require("fs");
const http = require("http");
const net = require("net");
const { Behaviour } = require("./behaviour");
const { Record } = require("./record");
const http1 = require("./http1");
const grpc = require("./grpc");

const OPTIONS = ["record", "key", "cert", "client-ca", "behaviour", "host"];

function options(args) {
    const o = { host: "127.0.0.1", behaviour: '{"do":"ok"}' };
    for (let i = 0; i < args.length; i += 2) {
        const name = args[i].replace(/^--/, "");
        if (!OPTIONS.includes(name) || args[i + 1] === undefined)
            throw new Error(`usage: receiver.js [${OPTIONS.map((w) => `--${w} …`).join("] [")}]`);
        o[name] = args[i + 1];
    }
    return o;
}

// Accepts, and never says a word.
function mute(record) {
    const sockets = new Set();
    const server = net.createServer((socket) => {
        record.add({ note: "mute", transport: "mute" });
        sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)).resume());
    });
    return {
        start: (port, host) => new Promise((done, failed) =>
            server.once("error", failed).listen(port, host, () => done(server.address().port))),
        stop: () => new Promise((done) => { server.close(done); sockets.forEach((s) => s.destroy()); }),
    };
}

// How the test talks to the receiver.
function control(behaviour, record, ports, listeners, host) {
    const routes = {
        "PUT behaviour": (what, body) => behaviour.set(what[0] ?? null, JSON.parse(body)),
        "GET requests": (what, body, q) => record.wait(q, 0, 0),
        "DELETE requests": () => { record.lines = []; },
        "GET wait": (what, body, { count, ms, ...q }) =>
            record.wait(q, Number(count ?? 1), Number(ms ?? 10000)),
        "PUT stop": (what) => listeners[what[0]].stop(),
        "PUT start": async (what) => { await listeners[what[0]].start(ports[what[0]], host); },
    };
    return http.createServer(async (req, res) => {
        const url = new URL(req.url, "http://control");
        const [, verb, ...what] = url.pathname.split("/");
        try {
            let body = "";
            for await (const part of req) body += part;
            const route = routes[`${req.method} ${verb}`];
            if (!route) throw new Error(`${req.method} ${req.url}: nothing is here`);
            const said = await route(what, body, Object.fromEntries(url.searchParams));
            res.end(said === undefined ? "" : JSON.stringify(said));
        } catch (e) {
            res.statusCode = 400;
            res.end(e.message + "\n");
        }
    });
}

async function main() {
    const o = options(process.argv.slice(2));
    const behaviour = new Behaviour(JSON.parse(o.behaviour));
    const record = new Record(o.record);
    const ports = {};
    const elsewhere = () => `http://${o.host}:${ports.elsewhere}`;
    const given = { behaviour, record, elsewhere };
    const listeners = {
        http: http1.listener("http", given),
        elsewhere: http1.listener("elsewhere", given),
        grpc: grpc.library("grpc", given),
        grpc_bare: grpc.bare("grpc_bare", given),
        mute: mute(record),
    };
    if (o.key) {
        const tls = { key: fs.readFileSync(o.key), cert: fs.readFileSync(o.cert) };
        listeners.https = http1.listener("https", { ...given, tls });
        listeners.grpcs = grpc.library("grpcs", { ...given, tls });
        listeners.grpcs_bare = grpc.bare("grpcs_bare", { ...given, tls });
        if (o["client-ca"]) {
            const both = { ...tls, ca: fs.readFileSync(o["client-ca"]), requestCert: true };
            listeners.https_mutual = http1.listener("https_mutual", { ...given, tls: both });
            listeners.grpcs_mutual = grpc.library("grpcs_mutual", { ...given, tls: both });
            listeners.grpcs_mutual_bare = grpc.bare("grpcs_mutual_bare", { ...given, tls: both });
        }
    }
    for (const [name, listener] of Object.entries(listeners))
        ports[name] = await listener.start(0, o.host);
    const server = control(behaviour, record, ports, listeners, o.host);
    server.keepAliveTimeout = 60000;
    await new Promise((done) => server.listen(0, o.host, done));
    console.log(JSON.stringify({ control: server.address().port, ...ports }));
    // Whoever started this holds its standard input: no receiver outlives its test.
    process.stdin.resume().on("end", () => process.exit(0)).on("error", () => process.exit(0));
}

process.on("uncaughtException", (e) => console.error(e)); // a client that went away
main().catch((e) => { console.error(e.message); process.exit(1); });
