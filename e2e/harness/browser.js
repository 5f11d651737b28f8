//! A real Chromium, as headless as it gets, in a namespace if need be.

import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Viewer } from "./viewer.js";

const PROGRAM = "/usr/bin/chromium";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--autoplay-policy=no-user-gesture-required",
];

const WINDOW = { width: 1024, height: 640 };

/** One browser process with its children. */
export class Browser {
  /** Starts one; `namespace` is where its network is. */
  static async start(rig, { namespace } = {}) {
    const directory = await rig.directory();
    const files = { start: join(directory, "chromium"), pid: join(directory, "pid") };
    // The process that writes its number becomes the browser, so that it can be killed like one.
    const inside = namespace ? `ip netns exec ${namespace} ` : "";
    const script = `#!/bin/sh\necho $$ >"${files.pid}"\nexec ${inside}${PROGRAM} "$@"\n`;
    await writeFile(files.start, script);
    await chmod(files.start, 0o755);
    const playwright = await chromium.launch({ executablePath: files.start, args: FLAGS });
    const browser = new Browser(rig, playwright);
    rig.atEnd(() => playwright.close());
    browser.pid = Number(await readFile(files.pid, "utf8"));
    return browser;
  }

  constructor(rig, playwright) {
    this.rig = rig;
    this.playwright = playwright;
  }

  /** Opens an empty page in a profile of its own. */
  async open(options = {}) {
    const settings = { viewport: WINDOW, ignoreHTTPSErrors: true, ...options };
    const context = await this.playwright.newContext(settings);
    const page = await context.newPage();
    const tell = (kind, text) => this.rig.note(`── page, ${kind}: ${text}`);
    page.on("console", (message) => tell(message.type(), message.text()));
    page.on("pageerror", (error) => tell("error", error.stack ?? error.message));
    return page;
  }

  /**
   * Opens `link`, and waits until pictures arrive. `wanted` is what to remember of them, `screen`
   * the device they are watched on.
   */
  async watch(link, wanted, screen) {
    const viewer = await Viewer.on(await this.open(screen), this.rig, wanted);
    await viewer.goto(link);
    return viewer;
  }

  /** Kills the browser and everything it started, as a crash would. */
  kill() {
    process.kill(-this.pid, "SIGKILL");
  }
}
