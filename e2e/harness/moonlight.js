//! A host that Moonlight clients find too, and such a client: the one that is part of the program.

import { binary, Host } from "./host.js";
import { run } from "./child.js";

/** From the port that clients know, to each that the host has beside it; below those that systems give out. */
const FIRST_PORT = 10_000;
const PORTS = 20_000;
const STEP = 32;
const ATTEMPTS = 10;

/** Starts a host on ports of its own. */
export async function moonlightHost(rig, args) {
  for (let attempt = 1; ; attempt++) {
    const port = FIRST_PORT + STEP * Math.floor((Math.random() * PORTS) / STEP);
    try {
      const host = await Host.start(rig, ["--moonlight", "--moonlight-port", String(port), ...args]);
      return { host, port };
    } catch (error) {
      if (attempt === ATTEMPTS || !String(error).includes("in use")) throw error;
    }
  }
}

/** One client, with a key of its own. */
export class Moonlight {
  static async create(rig, port) {
    return new Moonlight(rig, port, await rig.directory());
  }

  constructor(rig, port, directory) {
    this.rig = rig;
    this.port = port;
    this.directory = directory;
  }

  #args(...verb) {
    return ["probe", "moonlight", `127.0.0.1:${this.port}`, "--state-dir", this.directory, ...verb];
  }

  #options() {
    return { name: "moonlight", env: { PATH: process.env.PATH, HOME: this.directory } };
  }

  /** Begins to do something; it ends by itself, or with the test. */
  start(...verb) {
    return this.rig.spawn(binary("heliostat"), this.#args(...verb), this.#options());
  }

  /** Shows a PIN and waits for it to be entered. */
  async pair(pin) {
    const child = this.start("pair", pin);
    await child.line(/waiting/);
    return child;
  }

  /** Streams, and waits until pictures come. */
  async stream(...flags) {
    const size = ["--size", "640x360", "--fps", "30", "--seconds", "600"];
    const child = this.start("stream", "Desktop", "--json", ...size, ...flags);
    await child.line(/"frames":[1-9]/);
    return child;
  }

  /** Asks for the apps; how that ends. */
  list() {
    return run(binary("heliostat"), this.#args("list"), this.#options());
  }
}
