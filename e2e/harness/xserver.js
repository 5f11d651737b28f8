//! A real X server without a screen, programs on it, and what it shows.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { output } from "./child.js";
import { until } from "./limits.js";
import { fromBgrx } from "./picture.js";

const PYTHON = "/usr/bin/python3";
const WITNESS = fileURLToPath(new URL("xwitness.py", import.meta.url));

const WIDTH = 1280;
const HEIGHT = 720;

/** A running Xvfb. */
export class XServer {
  /** Starts one on a display of its own choice, or on the one given. */
  static async start(rig, display) {
    const screen = ["-screen", "0", `${WIDTH}x${HEIGHT}x24`];
    const args = ["-displayfd", "1", ...screen, "-noreset", "-nolisten", "tcp"];
    const child = rig.spawn("Xvfb", display ? [display, ...args] : args);
    const [, number] = await child.line(/^(\d+)$/);
    return new XServer(rig, `:${number}`, child);
  }

  constructor(rig, display, child) {
    this.rig = rig;
    this.display = display;
    this.child = child;
    this.modes = 0;
    this.env = { ...process.env, DISPLAY: display, LC_ALL: "C.UTF-8" };
  }

  /** Starts an X program. */
  program(name, args) {
    return this.rig.spawn(name, args, { env: this.env });
  }

  /** Starts an xterm that runs `shell`, and waits until its window is there. */
  async xterm(title, { geometry, shell, size = 11 }) {
    const look = ["-fa", "Monospace", "-fs", `${size}`, "-bg", "#10141c", "-fg", "#d7dce5", "-b", "8"];
    const what = ["-e", "sh", "-c", shell];
    const args = ["-title", title, "-geometry", geometry, ...look, ...what];
    const child = this.program("xterm", args);
    const window = await this.xdotool("search", "--sync", "--onlyvisible", "--name", `^${title}$`);
    return { child, window: window.trim() };
  }

  /** Starts an xterm that has the keyboard and keeps every byte that is typed into it. */
  async typewriter({ geometry = "60x12+20+20" } = {}) {
    const file = join(await this.rig.directory(), "typed");
    const shell = `stty raw -echo && exec cat >${file}`;
    const { window } = await this.xterm("typewriter", { geometry, shell });
    await until("the typewriter", () => existsSync(file));
    await this.xdotool("windowfocus", "--sync", window);
    return { window, typed: () => readFile(file, "utf8") };
  }

  /** A window over the whole screen that tells of every button and every movement. */
  async buttons() {
    const look = ["-name", "buttons", "-geometry", `${WIDTH}x${HEIGHT}+0+0`, "-bw", "0"];
    const child = this.program("xev", [...look, "-event", "button", "-event", "structure"]);
    await this.xdotool("search", "--sync", "--onlyvisible", "--name", "^buttons$");
    // An event takes three lines.
    const pattern = /^Button(Press|Release) event[^]*?root:\((-?\d+),(-?\d+)\)[^]*?button (\d+)/gm;
    /** Presses (+) and releases (-) so far, as `+1 at 3,4`. */
    const seen = () =>
      [...child.out.kept.join("\n").matchAll(pattern)].map(
        ([, kind, x, y, button]) => `${kind === "Press" ? "+" : "-"}${button} at ${x},${y}`,
      );
    return { seen };
  }

  /** What the server knows about its keyboard and pointer. */
  async state() {
    return this.#ask("state");
  }

  /** Closes the connections of all other programs, and returns how many there were. */
  async cut() {
    return (await this.#ask("cut")).cut;
  }

  async #ask(what) {
    this.witness ??= this.program(PYTHON, [WITNESS]);
    const { witness } = this;
    const from = witness.out.kept.length;
    witness.say(what);
    const [line] = await witness.line(/^\{.*/, from);
    return JSON.parse(line);
  }

  /** Waits until the pointer is there. */
  async untilPointer(x, y) {
    let last;
    const isThere = async () => {
      last = await this.state();
      return last.x === x && last.y === y;
    };
    await until(`the pointer at ${x},${y}`, isThere).catch((error) => {
      throw new Error(`${error.message}; it is at ${last.x},${last.y}`);
    });
  }

  /** Gives the screen another size. */
  async resize(width, height) {
    const name = `${width}x${height}-${this.modes++}`;
    const line = [width, width, width, width, height, height, height, height].map(String);
    const run = (...args) => output("xrandr", args, { env: this.env });
    await run("--newmode", name, `${(width * height * 60) / 1e6}`, ...line);
    await run("--addmode", "screen", name);
    await run("--output", "screen", "--mode", name);
  }

  /** Runs xdotool, and returns what it says. */
  async xdotool(...args) {
    return (await output("xdotool", args, { env: this.env })).toString();
  }

  /** What the screen shows now, pointer included. */
  async screenshot() {
    const from = ["-f", "x11grab", "-video_size", `${WIDTH}x${HEIGHT}`, "-i", this.display];
    const to = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "bgr0", "-"];
    const bytes = await output("ffmpeg", ["-loglevel", "error", ...from, ...to]);
    return fromBgrx(bytes, WIDTH, HEIGHT);
  }
}
