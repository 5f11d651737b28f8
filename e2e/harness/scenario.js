//! A test and all that it started: whatever happens, everything is stopped, last first, and when it
//! failed the words of every process are shown.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Child } from "./child.js";
import { within } from "./limits.js";

const TEST_LIMIT_MS = 90_000;
/** For ending everything after that. */
const END_LIMIT_MS = 20_000;

/** What one test owns. */
export class Scenario {
  #endings = [];
  #children = [];
  #notes = [];

  constructor(context) {
    this.context = context;
  }

  /** Starts a process that ends with the test. */
  spawn(program, args, options) {
    const child = new Child(program, args, options);
    this.#children.push(child);
    this.atEnd(() => child.stop());
    return child;
  }

  /** Makes a directory that goes with the test. */
  async directory() {
    const path = await mkdtemp(join(tmpdir(), "heliostat-e2e-"));
    this.atEnd(() => rm(path, { recursive: true, force: true }));
    return path;
  }

  /** Does `work` at the end, before what was asked for earlier. */
  atEnd(work) {
    this.#endings.push(work);
  }

  /** Keeps something worth reading when the test fails. */
  note(text) {
    this.#notes.push(text);
  }

  /** Puts a measured number into the test's report. */
  report(text) {
    this.context.diagnostic(text);
  }

  async end() {
    const problems = [];
    for (const work of this.#endings.reverse()) {
      try {
        await work();
      } catch (error) {
        problems.push(error);
      }
    }
    if (problems.length) throw new AggregateError(problems, "the test's parts did not end well");
  }

  transcript() {
    return [...this.#notes, ...this.#children.map((child) => child.transcript())].join("\n");
  }
}

/** Declares a test that gets a scenario, and `limitMs` for all of it. */
export function scenario(name, options, body) {
  if (typeof options === "function") [options, body] = [{}, options];
  const { limitMs = TEST_LIMIT_MS } = options;
  test(name, { timeout: limitMs + END_LIMIT_MS }, async (context) => {
    const rig = new Scenario(context);
    try {
      await within(body(rig), "the end of the test", limitMs);
    } catch (error) {
      process.stderr.write(`\n${name}\n${rig.transcript()}\n`);
      throw error;
    } finally {
      await rig.end();
    }
  });
}
