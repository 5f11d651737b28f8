//! A real desktop in a real browser: X programs on an X server, the real binary, Chromium.

import assert from "node:assert/strict";
import { Browser } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { until } from "../harness/limits.js";
import { compare } from "../harness/picture.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

/** A still screen is refined until nobody sees a difference; 8-bit rounding alone is above 50 dB. */
const REFINED_DB = 40;
/** What is typed, in a font of this size, changes far more than noise does. */
const UNLIKE_DB = 35;

/** Waits until the decoded picture is what the screen shows at that moment, and returns both. */
async function matching(viewer, x, isExpected = () => true) {
  let last;
  const matches = async () => {
    const screen = await x.screenshot();
    const picture = await viewer.picture();
    last = compare(picture, screen);
    const worst = Math.min(last.y, last.u, last.v);
    return isExpected(screen) && worst >= REFINED_DB && { screen, picture, db: last };
  };
  return until("a picture like the screen", matches).catch((error) => {
    throw new Error(`${error.message}; the last one: ${JSON.stringify(last)}`);
  });
}

scenario("a real desktop is seen as it is, and typing into it changes the stream", async (rig) => {
  const x = await XServer.start(rig);
  const typing = await x.xterm("typing", { geometry: "60x20+20+20", shell: "exec cat" });
  const moving = await x.xterm("moving", {
    geometry: "60x20+640+340",
    shell: "while :; do date +%T.%N; sleep 0.02; done",
  });
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, "--bitrate", "12M"]);
  const browser = await Browser.start(rig);
  const viewer = await browser.watch(host.links[0]);
  await viewer.frames(60);
  await moving.child.stop();

  const before = await matching(viewer, x);
  const { y, u, v } = before.db;
  rig.report(`still picture: PSNR ${[y, u, v].map((db) => db.toFixed(1)).join(" / ")} dB`);
  assert.equal(before.picture.colour.matrix, "bt709");
  assert.equal(before.picture.colour.fullRange, false);

  // As from a keyboard: an xterm refuses keys that were sent to its window.
  await x.xdotool("windowfocus", "--sync", typing.window);
  await x.xdotool("type", "Heliostat reads what is typed here. ".repeat(5));
  const typed = (screen) => compare(screen, before.screen).y < UNLIKE_DB;
  const after = await matching(viewer, x, typed);
  assert.ok(compare(after.picture, before.picture).y < UNLIKE_DB, "the stream changed as well");
});

scenario("a desktop that goes away is said, and is back in the same session when it returns", async (rig) => {
  const x = await XServer.start(rig);
  const clock = { geometry: "60x20+20+20", shell: "while :; do date +%T.%N; sleep 0.02; done" };
  await x.xterm("before", clock);
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, "--open-access"]);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await viewer.frames(10);

  await x.child.stop();
  await viewer.page.getByText("No signal").waitFor();
  const again = await XServer.start(rig, x.display);
  await again.xterm("after", clock);
  await viewer.frames(30);
  await viewer.page.getByText("No signal").waitFor({ state: "hidden" });
  assert.equal(await viewer.page.evaluate(() => window.e2e.connections), 1);
  assert.equal(host.child.end, undefined);
});
