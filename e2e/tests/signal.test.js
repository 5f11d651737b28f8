//! A source that goes away, comes back, changes or is changed under a running stream: no session
//! ends, everybody is told why there is no picture, and nothing is left behind.

import assert from "node:assert/strict";
import { Browser } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { press } from "../harness/keys.js";
import { until } from "../harness/limits.js";
import { compare } from "../harness/picture.js";
import { holdings } from "../harness/process.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

const OPEN = ["--open-access"];
/** A picture and a slate, or two slates of different words, are further apart than this. */
const UNLIKE_DB = 30;
const REASONS = ["source_restarting", "no_signal"];

const CLOCK = { geometry: "60x20+20+20", shell: "while :; do date +%T.%N; sleep 0.05; done" };

/** A host for that source, and a page that watches it. */
async function watched(rig, source, flags = []) {
  const host = await Host.start(rig, ["--source", source, ...OPEN, ...flags]);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  return { host, viewer };
}

/** It is still the one session over the one connection. */
async function sameSession(host, viewer) {
  assert.equal(await viewer.page.evaluate(() => window.e2e.connections), 1, "one peer connection");
  assert.deepEqual(await viewer.told("sessionEnded"), []);
  const started = host.child.err.kept.filter((line) => line.includes("session started"));
  assert.equal(started.length, 1);
}

/** The line over the picture that says this. */
function banner(viewer, words) {
  return viewer.page.locator(".banners").getByText(words);
}

/** The size of the newest decoded picture. */
async function size(viewer) {
  const { width, height } = await viewer.picture();
  return `${width}x${height}`;
}

/** Waits until pictures of that size come. */
function untilSize(viewer, wanted) {
  return until(`pictures of ${wanted}`, async () => (await size(viewer)) === wanted);
}

scenario("an X server that is killed leaves a slate, and its successor's picture follows", async (rig) => {
  const x = await XServer.start(rig);
  await x.xterm("before", CLOCK);
  const { host, viewer } = await watched(rig, `x11:${x.display}`);
  await viewer.watchHost();
  await viewer.frames(20);
  const before = await viewer.picture();

  await x.child.stop("SIGKILL");
  const { reason, why } = await viewer.untilTold("signal_lost");
  assert.ok(REASONS.includes(reason), reason);
  assert.ok(why.includes(x.display), why);
  await banner(viewer, "No signal").waitFor();
  const isSlate = async () => compare(await viewer.picture(), before).y < UNLIKE_DB;
  await until("the slate", isSlate);
  const slate = await viewer.picture();
  assert.equal(await size(viewer), "1280x720", "the slate is as large as the stream was");
  const keyframes = async () => (await viewer.noted("hostFrames")).filter(({ keyframe }) => keyframe);
  const first = (await keyframes()).length;
  await until("four more keyframes", async () => (await keyframes()).length >= first + 4);
  const slates = (await keyframes()).slice(first, first + 4).map(({ capturedUs }) => capturedUs / 1e6);
  const pauses = slates.slice(1).map((at, index) => at - slates[index]);
  rig.report(`seconds between slates: ${pauses.map((pause) => pause.toFixed(2))}`);
  assert.ok(pauses.every((pause) => pause > 0.5), "a slate a second, not a flood");
  const state = (await viewer.told("videoInputState")).at(-1).params;
  assert.equal(state.reason, "no_signal", "after a second it is more than a restart");

  const again = await XServer.start(rig, x.display);
  await again.xterm("after", CLOCK);
  await viewer.untilTold("signal_restored");
  await viewer.frames(20);
  await banner(viewer, "No signal").waitFor({ state: "hidden" });
  assert.ok(compare(await viewer.picture(), slate).y < UNLIKE_DB, "the slate is gone");
  // Input finds the successor as well.
  const typewriter = await again.typewriter({ geometry: "40x8+700+400" });
  await viewer.drives();
  await press(viewer.page, "KeyH", "KeyI");
  await until("keys", async () => (await typewriter.typed()) === "hi");
  await sameSession(host, viewer);
});

scenario("a screen of another size is streamed in the same session, and the mouse still fits", async (rig) => {
  const x = await XServer.start(rig);
  await x.xterm("clock", CLOCK);
  const { host, viewer } = await watched(rig, `x11:${x.display}`);
  await viewer.drives();
  for (const [width, height] of [[800, 600], [1024, 400], [1280, 720]]) {
    await x.resize(width, height);
    await untilSize(viewer, `${width}x${height}`);
    const shown = ([w, h]) => {
      const { videoWidth, videoHeight } = window.heliostat.video;
      return videoWidth === w && videoHeight === h;
    };
    await viewer.wait("the page's new picture", shown, [width, height]);
    for (const [column, row] of [[0, 0], [width - 1, height - 1], [width >> 1, 123]]) {
      const box = await viewer.page.evaluate(() => {
        const { left, top, width: w, height: h } = window.heliostat.video.getBoundingClientRect();
        return { left, top, width: w, height: h };
      });
      const scale = Math.min(box.width / width, box.height / height);
      const left = box.left + (box.width - width * scale) / 2;
      const top = box.top + (box.height - height * scale) / 2;
      await viewer.page.mouse.move(left + (column + 0.5) * scale, top + (row + 0.5) * scale);
      await x.untilPointer(column, row);
    }
  }
  await sameSession(host, viewer);
});

const FLAPS = 100;
/** Losses before anything is counted: pools and caches fill up. */
const FIRST_FLAPS = 3;
/** What an allocator keeps by chance; one screen of leaked pixels alone is 3.5 MiB. */
const RSS_SLACK_BYTES = 12 * 1024 * 1024;

const ALL_FLAPS = { limitMs: 150_000 };

scenario("a hundred losses leave no thread, file or memory behind", ALL_FLAPS, async (rig) => {
  const x = await XServer.start(rig);
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, ...OPEN, "--fps", "10"]);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await viewer.drives();
  let losses = 0;
  const flap = async () => {
    // The server cuts off everybody: picture, pointer, input and clipboard.
    assert.ok((await x.cut()) > 0, "somebody was connected");
    await viewer.untilTold("signal_restored", ++losses);
  };
  for (let at = 0; at < FIRST_FLAPS; at++) await flap();
  const before = await holdings(host.pid);
  for (let at = 0; at < FLAPS; at++) await flap();
  // The clipboard and the pointer take their time to come back.
  const sameCounts = async () => {
    const { threads, files } = await holdings(host.pid);
    return threads <= before.threads && files <= before.files;
  };
  await until("as few threads and files as before", sameCounts).catch(() => {});
  const after = await holdings(host.pid);
  rig.report(`before ${JSON.stringify(before)}, after ${FLAPS} losses ${JSON.stringify(after)}`);
  assert.ok(after.threads <= before.threads, `${before.threads} to ${after.threads} threads`);
  assert.ok(after.files <= before.files, `${before.files} to ${after.files} files`);
  assert.ok(after.rss <= before.rss + RSS_SLACK_BYTES, `${before.rss} to ${after.rss} bytes`);
  assert.equal((await viewer.told("signal_lost")).length, losses);

  // Everything that was cut off is back: keys, clipboard and pointer.
  const typewriter = await x.typewriter();
  await press(viewer.page, "KeyH", "KeyI");
  await until("keys", async () => (await typewriter.typed()) === "hi");
  x.program("xclip", ["-quiet", "-selection", "clipboard"]).process.stdin.end("still here");
  const last = async (method) => (await viewer.told(method)).at(-1)?.params;
  await until("the clipboard", async () => (await last("clipboard"))?.text === "still here");
  // Only over a window has a bare X server a pointer to be seen.
  await x.xdotool("mousemove", "100", "90");
  const row = async () => Math.floor(((await last("cursorMoved"))?.y / 65535) * 720);
  await until("the pointer", async () => (await row()) === 90 && (await last("cursorMoved")).visible);
  await sameSession(host, viewer);
});

scenario("a source that is not there yet gives a session with a slate, and then comes", async (rig) => {
  const before = await XServer.start(rig);
  await before.child.stop();
  const { host, viewer } = await watched(rig, `x11:${before.display}`);
  const { reason } = await viewer.untilTold("signal_lost");
  assert.equal(reason, "no_device");
  await banner(viewer, "No device").waitFor();
  const slate = await viewer.picture();
  const x = await XServer.start(rig, before.display);
  await x.xterm("clock", CLOCK);
  await viewer.untilTold("signal_restored");
  await viewer.frames(20);
  assert.ok(compare(await viewer.picture(), slate).y < UNLIKE_DB, "the slate is gone");
  await banner(viewer, "No device").waitFor({ state: "hidden" });
  await sameSession(host, viewer);
});

/** The error of a call that must fail. */
async function failure(viewer, method, params) {
  const ask = ([name, values]) => window.e2e.rpc(name, values);
  const { error, result } = await viewer.page.evaluate(ask, [method, params]);
  assert.ok(error, `${method} ${JSON.stringify(params)}: ${JSON.stringify(result)}`);
  return error;
}

scenario("source and encoder change under a running session, and a bad one changes nothing", async (rig) => {
  const x = await XServer.start(rig);
  await x.xterm("clock", CLOCK);
  const away = await XServer.start(rig);
  await away.child.stop();
  const { host, viewer } = await watched(rig, "test-pattern", ["--size", "640x360"]);
  await untilSize(viewer, "640x360");
  const numbered = async () => (await viewer.decoded()).at(-1)?.number !== null;
  await until("the pattern", numbered);
  const selected = async (list, key) => {
    const listed = (await viewer.rpc(list))[key];
    return listed.filter((one) => one.selected).map(({ name }) => name);
  };
  assert.deepEqual(await selected("listSources", "sources"), ["test-pattern"]);

  await viewer.rpc("selectSource", { source: `x11:${x.display}` });
  await until("the desktop", async () => !(await numbered()));
  await viewer.frames(5);
  assert.deepEqual(await selected("listSources", "sources"), [`x11:${x.display}`]);
  await until("input", async () => (await viewer.told("inputState")).at(-1)?.params.backend === "xtest");

  for (const [source, words] of [
    ["hdmi:7", /hdmi/],
    [`x11:${away.display}`, new RegExp(away.display)],
    ["", /source/],
  ]) {
    const error = await failure(viewer, "selectSource", { source });
    assert.match(`${error.message} ${JSON.stringify(error.data)}`, words);
  }
  await viewer.frames(5);
  assert.equal(await numbered(), false, "the desktop is still there");
  assert.deepEqual(await selected("listSources", "sources"), [`x11:${x.display}`]);

  const bad = await failure(viewer, "selectEncoder", { encoder: "abacus" });
  assert.match(`${bad.message} ${JSON.stringify(bad.data)}`, /abacus/);
  const { encoders } = await viewer.rpc("listEncoders");
  for (const { name, available } of encoders) {
    if (!available) continue;
    const keyframes = (await viewer.received()).keyFramesDecoded;
    await viewer.rpc("selectEncoder", { encoder: name });
    await viewer.frames(5);
    assert.deepEqual(await selected("listEncoders", "encoders"), [name]);
    assert.ok((await viewer.received()).keyFramesDecoded > keyframes, `${name} began with a keyframe`);
  }

  await viewer.rpc("selectSource", { source: "test-pattern" });
  await until("the pattern again", numbered);
  assert.deepEqual(await viewer.told("signal_lost"), [], "a change is no loss");
  await sameSession(host, viewer);
});
