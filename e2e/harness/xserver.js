//! A real X server without a screen, programs on it, and what it shows.

import { output } from "./child.js";
import { fromBgrx } from "./picture.js";

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
