//! Child processes whose lines can be awaited, and that never outlive the tests.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { within } from "./limits.js";

/** Far more than a test makes a process say; later lines are still seen by who waits for them. */
const MOST_LINES_KEPT = 20_000;
/** Shown of each end of what a process said. */
const END_LINES = 30;
const STOP_LIMIT_MS = 8000;

/** Lines of one stream, old and new. */
class Lines {
  kept = [];
  #waiting = new Set();

  constructor(stream) {
    createInterface({ input: stream }).on("line", (line) => this.#add(line));
  }

  /** The first match in a line, among those since line number `from`. */
  next(pattern, from = 0) {
    for (const line of this.kept.slice(from)) {
      const match = pattern.exec(line);
      if (match) return Promise.resolve(match);
    }
    return new Promise((resolve) => this.#waiting.add({ pattern, resolve }));
  }

  #add(line) {
    if (this.kept.length < MOST_LINES_KEPT) this.kept.push(line);
    for (const waiter of this.#waiting) {
      const match = waiter.pattern.exec(line);
      if (!match) continue;
      this.#waiting.delete(waiter);
      waiter.resolve(match);
    }
  }
}

/** One process. */
export class Child {
  /**
   * `options`: `name` for messages, `env`, `namespace` to run in, `ownEnd` for programs that end
   * with their stdin and must not be killed with us.
   */
  constructor(program, args, { name, env, namespace, ownEnd = false } = {}) {
    this.name = name ?? program;
    let command = [program, ...args];
    if (namespace) command = ["ip", "netns", "exec", namespace, ...command];
    // The kernel ends it even when this process is killed without a chance to clean up.
    if (!ownEnd) command = ["setpriv", "--pdeathsig", "KILL", "--", ...command];
    this.process = spawn(command[0], command.slice(1), { env: env ?? process.env });
    this.process.stdin.on("error", () => {});
    this.out = new Lines(this.process.stdout);
    this.err = new Lines(this.process.stderr);
    this.ended = new Promise((resolve) => {
      this.process.on("error", (error) => resolve({ error }));
      this.process.on("close", (code, signal) => resolve({ code, signal }));
    });
    this.ended.then((how) => (this.end = how));
  }

  get pid() {
    return this.process.pid;
  }

  /** Waits for a line on stdout that matches; fails at once when the process ends before. */
  line(pattern, from) {
    return this.#line(this.out, pattern, from);
  }

  /** The same on stderr. */
  errorLine(pattern, from) {
    return this.#line(this.err, pattern, from);
  }

  #line(lines, pattern, from) {
    const gone = this.ended.then((how) => {
      throw new Error(`${this.name} ended (${describe(how)}) without ${pattern}\n${this.transcript()}`);
    });
    gone.catch(() => {});
    // After the end every line was read: what it printed last still counts.
    return within(Promise.race([lines.next(pattern, from), gone]), `${pattern} from ${this.name}`);
  }

  /** Writes one line to its stdin. */
  say(line) {
    this.process.stdin.write(`${line}\n`);
  }

  /** Asks it to end, waits, and kills it if it does not. Returns how it ended. */
  async stop(signal = "SIGTERM") {
    if (!this.end) this.process.kill(signal);
    await within(this.ended, `the end of ${this.name}`, STOP_LIMIT_MS).catch(() => {
      this.process.kill("SIGKILL");
    });
    return this.ended;
  }

  /** What it printed, for a failure. */
  transcript() {
    const { out, err } = this;
    const part = (title, lines) => (lines.length ? [`── ${this.name}, ${title}`, ...ends(lines)] : []);
    return [...part("stdout", out.kept), ...part("stderr", err.kept)].join("\n");
  }
}

/** Runs a program to its end; its output is text. */
export async function run(program, args, options) {
  const child = new Child(program, args, options);
  child.process.stdin.end();
  const how = await within(child.ended, `the end of ${child.name}`).catch(async (error) => {
    await child.stop("SIGKILL");
    throw new Error(`${error.message}\n${child.transcript()}`);
  });
  if (how.error) throw how.error;
  return { ...how, out: child.out.kept.join("\n"), err: child.err.kept.join("\n") };
}

/** Runs a program that must succeed, and returns its stdout as bytes. */
export async function output(program, args, options = {}) {
  const child = spawn(program, args, { env: options.env ?? process.env });
  const chunks = [];
  const words = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  child.stderr.on("data", (chunk) => words.push(chunk));
  child.stdin.end();
  const ended = within(once(child, "close"), `the end of ${program}`);
  const [code] = await ended.catch((error) => {
    child.kill("SIGKILL");
    throw error;
  });
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${code}\n${Buffer.concat(words)}`);
  return Buffer.concat(chunks);
}

/** The first and the last lines, which tell most. */
function ends(lines) {
  if (lines.length <= 2 * END_LINES) return lines;
  return [...lines.slice(0, END_LINES), "…", ...lines.slice(-END_LINES)];
}

function describe({ error, code, signal }) {
  return error ? String(error) : signal ? `signal ${signal}` : `code ${code}`;
}
