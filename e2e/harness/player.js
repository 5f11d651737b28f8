//! aiortc, a WebRTC implementation in Python, as a WHEP player.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { until } from "./limits.js";

const PYTHON = "/usr/bin/python3";
const SCRIPT = fileURLToPath(new URL("whep.py", import.meta.url));

/** A player that watches. */
export class Player {
  /** Starts one; with `fingerprints` it also tells of each picture what is in it. */
  static async start(rig, host, { namespace, fingerprints = false } = {}) {
    const args = [SCRIPT, host.origin, host.playerToken ?? ""];
    if (fingerprints) args.push("fingerprints");
    const child = rig.spawn(PYTHON, args, { name: "whep.py", namespace });
    const player = new Player(child);
    const [line] = await child.line(/.*"event": "(answer|refused)".*/);
    assert.equal(JSON.parse(line).status, 201);
    return player;
  }

  constructor(child) {
    this.child = child;
    // Frames may be many more than the lines that are kept for a failure.
    this.decoded = [];
    child.out.next({ exec: (line) => this.#told(line) });
  }

  /** Waits until `count` frames were decoded, and returns all so far. */
  async frames(count) {
    await until(`${count} frames in aiortc`, () => this.decoded.length >= count || this.#failed());
    return this.decoded;
  }

  /** Ends the session with DELETE. */
  async leave() {
    this.child.say("leave");
    const [, status] = await this.child.line(/"event": "deleted", "status": (\d+)/);
    assert.equal(Number(status), 200);
    await this.child.ended;
  }

  #failed() {
    if (this.child.end) throw new Error(`aiortc ended\n${this.child.transcript()}`);
  }

  /** Never matches, so it is asked about every line. */
  #told(line) {
    const seen = line.startsWith("{") ? JSON.parse(line) : {};
    if ("number" in seen) this.decoded.push(seen);
    return null;
  }
}
