//! Several viewers of one source: they share an encoder, do not disturb each other, and the last
//! one to leave stops everything.

import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Browser } from "../harness/browser.js";
import { Desk } from "../harness/desk.js";
import { Host } from "../harness/host.js";
import { until } from "../harness/limits.js";
import { cpuSeconds, sleeps, threads } from "../harness/process.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

const FPS = 30;
const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", `${FPS}`];
/** Pictures in a row that a viewer may miss while somebody else leaves: a fifth of a second. */
const MOST_MISSED = FPS / 5;
/** What the moving program writes while the host's effort is measured: 100 lines. */
const DRAWN_BYTES = 1900;

/** How many pictures are missing between two that were decoded, at worst. */
function worstHole(frames) {
  const numbers = frames.map(({ number }) => number);
  assert.ok(!numbers.includes(null), "every barcode can be read");
  const steps = numbers.slice(1).map((number, at) => number - numbers[at]);
  assert.ok(steps.every((step) => step >= 0), "pictures come in order");
  return Math.max(...steps) - 1;
}

scenario("two browsers share one encoder, and neither notices how the other comes and goes", async (rig) => {
  const host = await Host.start(rig, [...PATTERN, "--open-access"]);
  const desk = await Desk.open(rig, host.origin);
  const first = await (await Browser.start(rig)).watch(host.links[0]);
  await first.watchHost();
  await first.frames(FPS);
  const other = await Browser.start(rig);
  const startedMs = await first.nowMs();
  // The encoder's own threads have the name of the one that opened it.
  const isEncoder = ({ name }) => name.startsWith("encode-");
  const encodeThreads = async () => (await threads(host.pid)).filter(isEncoder).length;
  const forOne = await encodeThreads();
  const second = await other.watch(host.links[0]);
  await second.watchHost();
  await second.frames(2 * FPS);
  await desk.untilViewers(2);

  assert.equal(await encodeThreads(), forOne, "no second encoder was started");
  await until("the host's own times of frames that both have", async () => {
    const [one, two] = [await first.noted("hostFrames"), await second.noted("hostFrames")];
    const mine = new Map(one.map((frame) => [frame.capturedUs, frame]));
    const shared = two.filter(({ capturedUs }) => mine.has(capturedUs));
    const differing = shared.filter((frame) => mine.get(frame.capturedUs).bytes !== frame.bytes);
    assert.deepEqual(differing, [], "both are sent the same bytes");
    return shared.length >= FPS;
  });

  const sent = new Map((await second.noted("hostFrames")).map((frame) => [frame.rtp, frame]));
  const [newcomer] = await second.decoded();
  assert.equal(sent.get(newcomer.rtp)?.keyframe, true, "a newcomer starts with a keyframe");

  const before = await first.received();
  await second.close();
  await desk.untilViewers(1);
  await first.frames(2 * FPS);
  const after = await first.received();
  assert.equal(after.keyFramesDecoded, before.keyFramesDecoded, "nobody left needs a keyframe");
  assert.equal(after.pliCount, 0);
  const hole = worstHole(await first.decoded(startedMs));
  rig.report(`most pictures missing in a row for the one who stayed: ${hole}`);
  assert.ok(hole <= MOST_MISSED, `${hole} pictures are missing in a row`);
});

scenario("the last viewer to leave stops capture and encoding", async (rig) => {
  const x = await XServer.start(rig);
  const log = join(await rig.directory(), "drawn");
  const shell = `while :; do date +%T.%N | tee -a ${log}; sleep 0.02; done`;
  await x.xterm("moving", { geometry: "100x40+20+20", shell });
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, "--open-access"]);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);

  /** The host's CPU time and wake-ups while the screen changes as much each time. */
  const effort = async () => {
    const read = async () => ({ cpu: await cpuSeconds(host.pid), sleeps: await sleeps(host.pid) });
    const drawn = async () => (await stat(log)).size;
    const [from, drawnFrom] = [await read(), await drawn()];
    await until("the screen to change", async () => (await drawn()) > drawnFrom + DRAWN_BYTES);
    const to = await read();
    return { cpu: to.cpu - from.cpu, sleeps: to.sleeps - from.sleeps };
  };
  await viewer.frames(30);
  const streaming = await effort();

  await viewer.close();
  const captures = async () =>
    (await threads(host.pid)).some(({ name }) => name.startsWith("capture-"));
  await until("the end of capture", async () => !(await captures()));
  const idle = await effort();
  rig.report(`CPU streaming ${streaming.cpu.toFixed(2)} s, idle ${idle.cpu.toFixed(2)} s`);
  rig.report(`wake-ups streaming ${streaming.sleeps}, idle ${idle.sleeps}`);
  assert.ok(idle.cpu <= streaming.cpu / 20, "an idle host uses no CPU");
  assert.ok(idle.sleeps <= streaming.sleeps / 20, "an idle host sleeps");
});
