//! A page that watches the stream, and what can be asked of it.

import { readFileSync } from "node:fs";
import { readBarcode } from "./barcode.js";
import { GIVE_UP_MS } from "./limits.js";
import { fromFrame } from "./picture.js";

const IN_PAGE = readFileSync(new URL("in-page.js", import.meta.url), "utf8");

/** One page. Times are milliseconds since the Unix epoch, on this machine's one clock. */
export class Viewer {
  static async on(page, rig, wanted = {}) {
    const script = `${readBarcode}\n${IN_PAGE}\nobserve(${JSON.stringify(wanted)});`;
    await page.addInitScript({ content: `(() => {\n${script}\n})();` });
    return new Viewer(page, rig);
  }

  constructor(page, rig) {
    this.page = page;
    this.rig = rig;
  }

  /** Opens a link, and waits for the stream's first decoded frame and for the page's own view. */
  async goto(link) {
    await this.page.goto(link, { waitUntil: "commit" });
    // The login's own page goes on to the stream by itself.
    await this.wait("the first frame", () => (window.e2e?.frames.length ?? 0) > 0);
    await this.state("live");
  }

  /** Waits until a function of the page, given `argument`, says yes. */
  async wait(what, question, argument) {
    const options = { polling: 50, timeout: GIVE_UP_MS };
    const held = this.page.waitForFunction(question, argument, options);
    await held.catch(async (error) => {
      const now = await this.page.evaluate(() => [
        `page state ${window.heliostat?.state}, ${window.e2e?.frames.length} frames decoded`,
        document.body?.innerText,
      ]);
      throw new Error(`${what} did not come: ${error.message}\n${now.join("\n")}`);
    });
  }

  /** Waits until the page says that it is in this state. */
  state(kind) {
    return this.wait(`the state ${kind}`, (k) => window.heliostat?.state === k, kind);
  }

  /** Waits until `count` frames more were decoded than now. */
  async frames(count) {
    const now = await this.page.evaluate(() => window.e2e?.frames.length ?? 0);
    const enough = (least) => (window.e2e?.frames.length ?? 0) >= least;
    await this.wait(`${count} more frames`, enough, now + count);
  }

  /** Waits until a frame was decoded at that time or later. */
  async framesUntil(wallMs) {
    const reached = (ms) => (window.e2e.frames.at(-1)?.[0] ?? 0) >= ms;
    await this.wait("frames until then", reached, wallMs);
  }

  /** Frames decoded from `fromMs` on, in order of decoding. */
  async decoded(fromMs = 0) {
    const rows = await this.page.evaluate(
      (from) => window.e2e.frames.filter(([atMs]) => atMs >= from),
      fromMs,
    );
    return rows.map(([atMs, rtp, number, timeUs, print]) => ({ atMs, rtp, number, timeUs, print }));
  }

  /** The newest decoded frame's picture. */
  async picture() {
    const { base64, ...about } = await this.page.evaluate(() => window.e2e.picture());
    return { ...fromFrame(about, Buffer.from(base64, "base64")), colour: about.colour };
  }

  /** Asks the host over the page's own socket. */
  async rpc(method, params = {}) {
    const ask = ([name, values]) => window.e2e.rpc(name, values);
    const { result, error } = await this.page.evaluate(ask, [method, params]);
    if (error) throw new Error(`${method}: ${JSON.stringify(error)}`);
    return result;
  }

  /** Has the host tell its times of each frame from now on. */
  watchHost() {
    return this.rpc("subscribeStats", { frames: true });
  }

  /** What the host told by itself under that name so far, as {atMs, params}. */
  async told(method) {
    const all = await this.page.evaluate(() => window.e2e.told);
    const named = all.filter(([, name]) => name === method);
    return named.map(([atMs, , params]) => ({ atMs, params }));
  }

  /** Waits until the host told that by itself `count` times, and returns the last one's values. */
  async untilTold(method, count = 1) {
    const enough = ([name, least]) => window.e2e.told.filter(([, m]) => m === name).length >= least;
    await this.wait(`${method} ${count} times`, enough, [method, count]);
    return (await this.told(method))[count - 1].params;
  }

  /** Waits until this page's input goes to the host. */
  drives() {
    return this.wait("driving", () => window.heliostat?.driving === true);
  }

  /** What was noted under `name` in the page. */
  noted(name) {
    return this.page.evaluate((key) => window.e2e[key], name);
  }

  received() {
    return this.page.evaluate(() => window.e2e.received());
  }

  nowMs() {
    return this.page.evaluate(() => window.e2e.wallMs());
  }

  /** Closes the page as a person does. */
  close() {
    return this.page.close({ runBeforeUnload: true });
  }
}
