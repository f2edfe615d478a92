// What came, one JSON object a line in a file, and the same in memory for those who wait for it.
// A line is written before the request is answered.
"use strict";
const fs = require("fs");

class Record {
    constructor(file) {
        this.fd = file ? fs.openSync(file, "a") : -1;
        this.lines = [];
        this.waiting = [];
        this.count = 0;
    }
    add(entry) {
        const line = { n: ++this.count, at: Date.now(), ...entry };
        if (this.fd >= 0) fs.writeSync(this.fd, JSON.stringify(line) + "\n");
        this.lines.push(line);
        this.waiting = this.waiting.filter((w) => !w());
    }
    // The lines in which every field of WHAT is so, as soon as there are COUNT, or after MS.
    wait(what, count, ms) {
        const found = () => this.lines.filter((l) =>
            Object.entries(what).every(([k, v]) => String(l[k]) === v));
        return new Promise((done) => {
            const timer = setTimeout(() => { over = true; done(found()); }, ms);
            let over = false;
            const look = () => {
                if (over) return true;
                const lines = found();
                if (lines.length < count) return false;
                over = true;
                clearTimeout(timer);
                done(lines);
                return true;
            };
            if (!look()) this.waiting.push(look);
        });
    }
}

module.exports = { Record };
