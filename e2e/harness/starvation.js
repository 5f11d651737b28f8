//! Tells when the machine, not the stream, held pictures up: how long threads were ready to run and
//! got no processor. Other programs on the machine must not decide what a test says.

import { readdirSync, readFileSync } from "node:fs";

const SAMPLE_MS = 50;
/** Samples between two looks for new threads. */
const NEW_THREADS_EVERY = 20;
/** Waits shorter than this are everyday life. */
const NOTABLE_MS = 3;
/** The kernel counts a wait when it is over, and the next sample sees it. */
const COUNTED_LATE_MS = 2 * SAMPLE_MS;

/** Watches the threads of some processes from now on. */
export class Starvation {
  #waited = new Map();
  #held = [];
  #threads = [];
  #samples = 0;

  constructor(rig, pids) {
    this.pids = pids;
    const timer = setInterval(() => this.#sample(), SAMPLE_MS);
    rig.atEnd(() => clearInterval(timer));
    this.#sample();
  }

  /** The longest that one thread waited for a processor in this interval, in milliseconds. */
  worst(fromMs, toMs) {
    const sums = new Map();
    for (const { atMs, thread, waitedMs } of this.#held) {
      if (atMs < fromMs || atMs > toMs + COUNTED_LATE_MS) continue;
      sums.set(thread, (sums.get(thread) ?? 0) + waitedMs);
    }
    return Math.max(0, ...sums.values());
  }

  #sample() {
    if (this.#samples++ % NEW_THREADS_EVERY === 0) this.#threads = this.pids.flatMap(threadsOf);
    const atMs = Date.now();
    for (const thread of this.#threads) {
      const totalMs = waitedMs(thread);
      const waited = totalMs - (this.#waited.get(thread) ?? totalMs);
      this.#waited.set(thread, totalMs);
      if (waited >= NOTABLE_MS) this.#held.push({ atMs, thread, waitedMs: waited });
    }
  }
}

/** The processes of a process group. */
export function processGroup(leader) {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    const stat = read(`/proc/${name}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[2] === `${leader}`;
  });
}

function threadsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`);
  } catch {
    return []; // It has ended.
  }
}

function waitedMs(path) {
  return Number(read(path).split(" ")[1] ?? 0) / 1e6;
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // It ended in between.
  }
}
