//! Gamepads: told when they change, and again while they are not at rest.
import { beforeEach, expect, test } from "vitest";
import { Pads, padState, type PadLike } from "../src/input/pads";

let told: string[];
let pads: Pads;

beforeEach(() => {
  told = [];
  pads = new Pads({
    padConnected: (index, name) => told.push(`${index} is ${name}`),
    padGone: (index) => told.push(`${index} gone`),
    padState: (index, { buttons, axes }) => told.push(`${index}: ${buttons} ${axes[0]}`),
  });
});

function pad({ index = 0, pressed = [] as number[], axes = [0, 0, 0, 0] } = {}): PadLike {
  const buttons = Array.from({ length: 17 }, (_, bit) => ({
    pressed: pressed.includes(bit),
    value: pressed.includes(bit) ? 1 : 0,
  }));
  return { index, id: "Pad", buttons, axes };
}

test("a pad is announced with what it shows, and then only when that changes", () => {
  for (let nowMs = 0; nowMs < 1000; nowMs += 16) pads.look([pad(), null], nowMs);
  pads.look([pad({ pressed: [0] })], 1000);
  pads.look([pad()], 1016);
  pads.look([], 1032);
  expect(told).toEqual(["0 is Pad", "0: 0 0", "0: 1 0", "0: 0 0", "0 gone"]);
});

test("what is held is said again every 100 ms, in case it was lost", () => {
  for (let nowMs = 0; nowMs < 1000; nowMs += 10) pads.look([pad({ pressed: [3] })], nowMs);
  expect(told.filter((line) => line === "0: 8 0")).toHaveLength(10);
});

test("a stick that trembles at rest says nothing", () => {
  for (let step = 0; step < 100; step++) {
    pads.look([pad({ axes: [step % 2 ? 0.011 : 0.012, 0, 0, 0] })], step * 16);
  }
  expect(told).toHaveLength(2);
});

test("units of the wire: bits, 0 to 255, and signed 16 bits", () => {
  const state = padState(pad({ pressed: [6, 16], axes: [1, -1, 0.5, 2] }));
  expect(state.buttons).toBe((1 << 6) | (1 << 16));
  expect([state.leftTrigger, state.rightTrigger]).toEqual([255, 0]);
  expect(state.axes).toEqual([32767, -32767, 16384, 32767]);
});

test("pads beyond the sixteenth do not exist, and leaving tells of all others", () => {
  pads.look([pad({ index: 16 }), pad({ index: 2 })], 0);
  pads.leave();
  expect(told).toEqual(["2 is Pad", "2: 0 0", "2 gone"]);
});
