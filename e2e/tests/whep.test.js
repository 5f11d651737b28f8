//! A player that nobody here wrote fetches the stream through WHEP.

import assert from "node:assert/strict";
import { Desk, login } from "../harness/desk.js";
import { Host } from "../harness/host.js";
import { Player } from "../harness/player.js";
import { scenario } from "../harness/scenario.js";

const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", "30"];
const FRAMES = 30;

scenario("aiortc decodes the stream, and leaves with DELETE", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const desk = await Desk.open(rig, host.origin, await login(host.links[0]));
  const player = await Player.start(rig, host);
  const frames = await player.frames(FRAMES);
  assert.equal(await desk.viewers(), 1);

  const numbers = frames.map(({ number }) => number);
  assert.ok(!numbers.includes(null), "every barcode can be read");
  assert.ok(numbers.every((number, at) => at === 0 || number > numbers[at - 1]), "the pattern moves");
  assert.ok(frames.every(({ size }) => size.join("x") === "640x360"));

  await player.leave();
  await desk.untilViewers(0);
});
