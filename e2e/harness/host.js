//! The real binary: started as a user would, read as a user would, stopped as a user would.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { run } from "./child.js";

const BUILT = fileURLToPath(new URL("../../target/debug/", import.meta.url));

/** Where one of the project's programs is. */
export function binary(name) {
  const path = `${process.env.E2E_BIN_DIR ?? BUILT}/${name}`;
  if (!existsSync(path)) throw new Error(`there is no ${path}: run \`make e2e\`, which builds it`);
  return path;
}

/** Only what a test says: neither the developer's display nor settings nor home. */
async function surroundings(rig, more = {}) {
  const home = await rig.directory();
  return { PATH: process.env.PATH, HOME: home, ...more };
}

/** Runs the binary to its end, for what it says and how it ends. */
export async function heliostat(rig, args, env) {
  return run(binary("heliostat"), args, { name: "heliostat", env: await surroundings(rig, env) });
}

/** A running host. */
export class Host {
  /** Starts `heliostat serve` with `args`, and waits until it can be opened. */
  static async start(rig, args, { listen = "127.0.0.1:0", env, namespace } = {}) {
    const all = ["serve", "--listen", listen, ...args];
    const options = { name: "heliostat", env: await surroundings(rig, env), namespace };
    const host = new Host(rig.spawn(binary("heliostat"), all, options));
    const [, link] = await host.child.line(/^Open (\S+)/);
    host.links.push(link);
    return host;
  }

  constructor(child) {
    this.child = child;
    this.links = [];
  }

  get pid() {
    return this.child.pid;
  }

  /** Where the page is, without a path. */
  get origin() {
    return new URL(this.links[0]).origin;
  }

  get port() {
    return Number(new URL(this.origin).port);
  }

  /** What players show to be let in. */
  get playerToken() {
    const line = this.child.out.kept.find((said) => said.includes("bearer token"));
    return line?.split(" ").at(-1);
  }

  /** The printed fingerprint of its certificate, as colon-separated bytes. */
  get fingerprint() {
    const words = this.child.out.kept.join(" ");
    return /fingerprint is\s+(\S+)/.exec(words)?.[1];
  }

  /** The link after the last one, once it is printed. */
  async nextLink() {
    const [, link] = await this.child.line(nthLink(this.links.length));
    this.links.push(link);
    return link;
  }

  /** Waits for a line of its log; `from` is how many lines are old. */
  log(pattern, from) {
    return this.child.errorLine(pattern, from);
  }

  get logLines() {
    return this.child.err.kept.length;
  }
}

/** Matches only the link after `used` others. */
function nthLink(used) {
  let seen = 0;
  const pattern = /^That link is used up\. The next one: (\S+)/;
  return { exec: (line) => (pattern.test(line) && ++seen === used ? pattern.exec(line) : null) };
}
