//! The host's sound in the page: heard by everybody who wants it, in step with the pictures, and sent
//! to nobody who does not.

import assert from "node:assert/strict";
import { Browser } from "../harness/browser.js";
import { Host, heliostat } from "../harness/host.js";
import { until, within } from "../harness/limits.js";
import { hears, inbound, soundBytes } from "../harness/listener.js";
import { threads } from "../harness/process.js";
import { scenario } from "../harness/scenario.js";
import { SoundServer } from "../harness/sound-server.js";
import { Viewer } from "../harness/viewer.js";

const FPS = 30;
const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", `${FPS}`];
const OPEN = [...PATTERN, "--open-access"];
/** Tones of whole hertz, none a harmonic of another. */
const [LEFT_HZ, RIGHT_HZ] = [1000, 1370];
/** What people begin to notice between lips and voice. */
const IN_STEP_MS = 100;

const captures = async (host) => (await threads(host.pid)).some(({ name }) => name === "audio");

/** Waits until nothing is captured. */
const silent = (host) => until("no capture", async () => !(await captures(host)));

/** Has the page show its bar, as somebody who moves the mouse does. */
async function wakeBar({ page }) {
  for (const x of [300, 310]) await page.mouse.move(x, 300);
  await page.locator("body:not(.idle)").waitFor();
}

/**
 * Waits until the page asks for no sound. It looks at the wire: whatever is evaluated in a page counts
 * as a person's touch, and after one no browser holds sound back.
 */
function declines(page) {
  return new Promise((resolve) => {
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => {
        const { method, params } = JSON.parse(payload);
        if (method === "setAudioMuted" && params.muted) resolve();
      });
    });
  });
}

scenario("a tone that the host plays is heard on its side, by everybody, until they mute", async (rig) => {
  const server = await SoundServer.start(rig);
  const host = await Host.start(rig, OPEN, { env: server.env });
  const browser = await Browser.start(rig);
  server.play(LEFT_HZ, RIGHT_HZ);
  const first = await browser.watch(host.links[0]);
  await hears(first, LEFT_HZ, RIGHT_HZ);
  const second = await browser.watch(host.links[0]);
  await hears(second, LEFT_HZ, RIGHT_HZ);
  await until("both in one capture", () => captures(host));

  await first.page.keyboard.press("m");
  await first.wait("muted", () => window.heliostat.sound.muted);
  await first.rpc("ping");
  // What was under way when the host heard of it has come with the pictures after it.
  await first.frames(FPS / 2);
  const before = await soundBytes(first);
  await first.frames(2 * FPS);
  assert.equal(await soundBytes(first), before, "no packet while muted");
  await hears(second, LEFT_HZ, RIGHT_HZ);

  await wakeBar(second);
  await second.page.getByRole("button", { name: "Mute" }).click();
  await silent(host);
  await first.page.keyboard.press("m");
  await hears(first, LEFT_HZ, RIGHT_HZ);
  await until("packets again", async () => (await soundBytes(first)) > before);

  await first.page.keyboard.press("p");
  await silent(host);
  await first.page.keyboard.press("p");
  await hears(first, LEFT_HZ, RIGHT_HZ);
  await first.page.close();
  await silent(host);
});

scenario("sound and pictures are played in step", async (rig) => {
  const host = await Host.start(rig, [...OPEN, "--audio", "tone"]);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await hears(viewer, 440, 570);
  let apart;
  await until(`sound and pictures within ${IN_STEP_MS} ms`, async () => {
    const [sound, pictures] = await Promise.all([inbound(viewer, "audio"), inbound(viewer, "video")]);
    if (!sound.estimatedPlayoutTimestamp || !pictures.estimatedPlayoutTimestamp) return false;
    apart = sound.estimatedPlayoutTimestamp - pictures.estimatedPlayoutTimestamp;
    return Math.abs(apart) < IN_STEP_MS;
  });
  const [sound, pictures] = await Promise.all([inbound(viewer, "audio"), inbound(viewer, "video")]);
  const delay = (one) => ((1000 * one.jitterBufferDelay) / one.jitterBufferEmittedCount).toFixed(1);
  rig.report(`sound ${apart.toFixed(0)} ms ahead of pictures`);
  rig.report(`waited in the browser: sound ${delay(sound)} ms, pictures ${delay(pictures)} ms`);
});

scenario("a browser that holds sound back is asked to let it go, and the host sends none until then", async (rig) => {
  const host = await Host.start(rig, [...OPEN, "--audio", "tone"]);
  const browser = await Browser.start(rig, { autoplay: false });
  const viewer = await Viewer.on(await browser.open(), rig);
  const refused = declines(viewer.page);
  await viewer.page.goto(host.links[0], { waitUntil: "commit" });
  await within(refused, "a page that asks for no sound");
  await viewer.state("live");
  const button = viewer.page.getByRole("button", { name: "Click for sound" });
  await button.waitFor();
  await silent(host);
  await button.click();
  await hears(viewer, 440, 570);
  await button.waitFor({ state: "detached" });
  await wakeBar(viewer);
  await viewer.page.getByRole("slider", { name: "Volume" }).focus();
  await viewer.page.keyboard.press("Home");
  await silent(host);
  await viewer.page.reload();
  await viewer.state("live");
  await viewer.wait("what was chosen", () => window.heliostat.sound.muted);
  await silent(host);
  assert.equal(await button.count(), 0, "who wants none is not asked");
});

scenario("a host without sound streams silently, and the page shows nothing of it", async (rig) => {
  const host = await Host.start(rig, OPEN);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await until("the host knows", async () => {
    const { sound } = await viewer.rpc("getHostState");
    return sound?.available === false && sound.detail.includes("PulseAudio");
  });
  const control = viewer.page.getByRole("button", { name: /Mute|Sound/ });
  assert.equal(await control.count(), 0);
  assert.equal(await viewer.page.getByRole("slider").count(), 0);
  assert.equal(await soundBytes(viewer), 0);
  await viewer.frames(FPS);
});

scenario("the doctor says which sound server there is, or what starts one", async (rig) => {
  const line = (text) => text.split("\n").find((one) => /\bsound\b/.test(one));
  const without = await heliostat(rig, ["doctor"]);
  assert.match(line(without.out), /^note +sound +no sound server: the stream is silent/);
  assert.match(without.out, /fix: .*(pulseaudio|pipewire)/);
  const server = await SoundServer.start(rig);
  const present = await heliostat(rig, ["doctor"], server.env);
  assert.match(line(present.out), /^ok +sound +pulse: /);
  const none = await heliostat(rig, ["doctor", "--audio", "none"]);
  assert.match(line(none.out), /^ok +sound +none, as configured/);
});
