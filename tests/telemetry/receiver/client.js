// Starts a receiver and talks to its control port.
"use strict";
const { spawn } = require("child_process");
const path = require("path");
const readline = require("readline");

class Receiver {
    static async start(args = []) {
        const r = new Receiver();
        r.child = spawn(process.execPath, [path.join(__dirname, "receiver.js"), ...args],
            { stdio: ["pipe", "pipe", "inherit"] });
        for await (const line of readline.createInterface({ input: r.child.stdout })) {
            r.ports = JSON.parse(line);
            return r;
        }
        throw new Error("the receiver did not start");
    }
    async ask(method, what, body) {
        const answer = await fetch(`http://127.0.0.1:${this.ports.control}/${what}`,
            { method, body: body === undefined ? undefined : JSON.stringify(body) });
        const text = await answer.text();
        if (answer.status !== 200) throw new Error(text);
        return text ? JSON.parse(text) : undefined;
    }
    get(what) { return this.ask("GET", what); }
    put(what, body) { return this.ask("PUT", what, body); }
    async fresh() {
        await this.put("behaviour", { do: "ok" });
        await this.ask("DELETE", "requests");
        return this;
    }
    stop() { this.child.stdin.end(); }
}

module.exports = { Receiver };
