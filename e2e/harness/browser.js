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
];
/** Most tests look at what comes, not at whether a person allowed it to be heard. */
const AUTOPLAY = "--autoplay-policy=no-user-gesture-required";

const WINDOW = { width: 1024, height: 640 };

/** One browser process with its children. */
export class Browser {
  /** Starts one; `namespace` is where its network is, `autoplay` whether sound needs no touch. */
  static async start(rig, { namespace, autoplay = true } = {}) {
    const directory = await rig.directory();
    const files = { start: join(directory, "chromium"), pid: join(directory, "pid") };
    // The process that writes its number becomes the browser, so that it can be killed like one.
    const inside = namespace ? `ip netns exec ${namespace} ` : "";
    const script = `#!/bin/sh\necho $$ >"${files.pid}"\nexec ${inside}${PROGRAM} "$@"\n`;
    await writeFile(files.start, script);
    await chmod(files.start, 0o755);
    const args = autoplay ? [...FLAGS, AUTOPLAY] : FLAGS;
    const playwright = await chromium.launch({ executablePath: files.start, args });
    const browser = new Browser(rig, playwright);
    rig.atEnd(() => playwright.close());
    browser.pid = Number(await readFile(files.pid, "utf8"));
    return browser;
  }

  /**
   * Starts one whose pages are tabs of one window and one profile, as people have them: the one
   * behind another is hidden, which pages of `start` never are.
   */
  static async startWithTabs(rig) {
    const profile = `--user-data-dir=${await rig.directory()}`;
    const window = `--window-size=${WINDOW.width},${WINDOW.height}`;
    const flags = ["--headless", "--remote-debugging-port=0", profile, window];
    const child = rig.spawn(PROGRAM, [...FLAGS, AUTOPLAY, ...flags], { name: "chromium" });
    const [, address] = await child.errorLine(/^DevTools listening on (\S+)/);
    const playwright = await chromium.connectOverCDP(address, { noDefaults: true });
    const browser = new Browser(rig, playwright, playwright.contexts()[0]);
    rig.atEnd(() => playwright.close());
    return browser;
  }

  /** `profile` is where all pages are, if not each in one of its own. */
  constructor(rig, playwright, profile) {
    this.rig = rig;
    this.playwright = playwright;
    this.profile = profile;
  }

  /** Opens an empty page, in a profile of its own unless all share one. */
  async open(options = {}) {
    const settings = { viewport: WINDOW, ignoreHTTPSErrors: true, ...options };
    const context = this.profile ?? (await this.playwright.newContext(settings));
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

  /** Stops all of it where it stands, as a suspended laptop does. It goes on at the test's end. */
  freeze() {
    this.rig.atEnd(() => process.kill(-this.pid, "SIGCONT"));
    process.kill(-this.pid, "SIGSTOP");
  }
}
