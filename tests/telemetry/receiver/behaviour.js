// What the receiver does with the next request: a list of steps, `times` each, the last for ever.
// Said for all kinds of signals or for one of them. README.md has the words.
"use strict";

const WORDS = ["ok", "status", "silence", "close", "cut", "garbage", "huge", "slow", "redirect",
    "no_trailers", "no_status", "http", "goaway"];

class Behaviour {
    constructor(steps) {
        this.lists = {};
        this.set(null, steps);
    }
    set(kind, given) {
        const steps = (Array.isArray(given) ? given : [given]).map((s) => ({ ...s }));
        if (!steps.length) throw new Error("no step");
        for (const s of steps)
            if (!WORDS.includes(s.do)) throw new Error(`${JSON.stringify(s.do)}: one of ${WORDS}`);
        if (kind === null) this.lists = { all: steps };
        else this.lists[kind] = steps;
    }
    next(kind) {
        const list = this.lists[kind] ?? this.lists.all;
        const step = list[0];
        if (list.length > 1) {
            step.times = (step.times ?? 1) - 1;
            if (step.times <= 0) list.shift();
        }
        return step;
    }
}

module.exports = { Behaviour };
