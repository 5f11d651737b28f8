//! The page on a desktop's and a phone's screen, with its statistics open. With UPDATE_SCREENSHOTS=1
//! it also takes the pictures that the README shows.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Browser } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { show } from "../harness/scene.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

const DOCS = fileURLToPath(new URL("../../docs/", import.meta.url));
const UPDATES = process.env.UPDATE_SCREENSHOTS === "1";
const SCREENS = {
  "screenshot.png": { viewport: { width: 1280, height: 800 } },
  "screenshot-phone.png": {
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2,
    hasTouch: true,
    isMobile: true,
  },
};
/** Enough to fill the plot for the pictures, or only to have numbers. */
const PLOTTED_FRAMES = UPDATES ? 200 : 30;
/** Facts that a stream has from its second second on, and what they look like. */
const FACTS = {
  "Frame rate": /\d/,
  Bitrate: /\d+.*b\/s/,
  Picture: /1280\s*×\s*720/,
  Encoder: /x264/,
  Viewers: /^1$/,
};

scenario("the statistics tell the truth about a stream, on a desktop and on a phone", async (rig) => {
  const x = await XServer.start(rig);
  await show(x);
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, "--open-access"]);
  const browser = await Browser.start(rig);
  for (const [name, screen] of Object.entries(SCREENS)) {
    const { page, ...viewer } = await watchWithStatistics(browser, host, screen);
    await page.mouse.move(4, 4);
    if (UPDATES) {
      await mkdir(DOCS, { recursive: true });
      await page.screenshot({ path: `${DOCS}${name}` });
    }
    const facts = await page.evaluate(() =>
      [...document.querySelectorAll(".facts dt")].map((term) => [
        term.textContent,
        term.nextElementSibling.textContent,
      ]),
    );
    for (const [fact, looks] of Object.entries(FACTS)) {
      const shown = Object.fromEntries(facts)[fact] ?? "";
      assert.match(shown, looks, `${name}: ${fact} of ${JSON.stringify(facts)}`);
    }
    const frames = await page.evaluate(() => window.heliostat.frames.filter(({ totalMs }) => totalMs));
    const stagesMs = ({ stages }) => Object.values(stages).reduce((sum, ms) => sum + ms, 0);
    const untoldMs = (frame) => frame.totalMs - stagesMs(frame) - (frame.unsplitMs ?? 0);
    const untold = frames.filter((frame) => Math.abs(untoldMs(frame)) > 0.01);
    assert.deepEqual(untold, [], "the stages make up the whole");
    await viewer.close();
  }
});

async function watchWithStatistics(browser, host, screen) {
  const viewer = await browser.watch(host.links[0], {}, screen);
  const { page } = viewer;
  await page.keyboard.press("Control+Alt+Shift+S");
  const plotted = (count) => window.heliostat.frames.filter(({ shown }) => shown).length >= count;
  await viewer.wait("joined frames", plotted, PLOTTED_FRAMES);
  const known = () => /\d/.test(document.querySelector(".facts")?.innerText.split("Bitrate")[1] ?? "");
  await viewer.wait("the host's numbers", known);
  return { page, close: () => viewer.close() };
}
