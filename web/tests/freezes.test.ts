//! Freezes: told apart from still screens, counted once.
import { expect, test } from "vitest";
import type { FrameRecord } from "../src/frames";
import { FreezeCounter } from "../src/freezes";

/** A frame captured at `capturedAtMs` and shown after `totalMs`, or never. */
function frame(capturedAtMs: number, totalMs?: number): FrameRecord {
  const record: FrameRecord = {
    rtp: capturedAtMs * 90,
    shown: totalMs !== undefined,
    stages: {},
    capturedAtMs,
  };
  return totalMs === undefined
    ? record
    : { ...record, totalMs, presentedAtMs: capturedAtMs + totalMs };
}

function count(records: FrameRecord[]): FreezeCounter {
  const counter = new FreezeCounter();
  counter.update(records);
  return counter;
}

test("a still screen is no freeze", () => {
  expect(count([frame(0, 20), frame(5000, 20), frame(5017, 25)]).count).toBe(0);
});

test("a frame that comes late is one", () => {
  const counter = count([frame(0, 20), frame(17, 320), frame(33, 305), frame(50, 290)]);
  expect(counter.count).toBe(1);
  expect(counter.longestMs).toBeCloseTo(300, 6);
});

test("frames that never came make the wait count from the first of them", () => {
  const counter = count([frame(0, 20), frame(17), frame(33), frame(300, 20)]);
  expect(counter.count).toBe(1);
  expect(counter.longestMs).toBeCloseTo(283, 6);
});

test("a repeated frame that never came is not missed", () => {
  expect(count([frame(0, 20), { ...frame(17), repeated: true }, frame(900, 20)]).count).toBe(0);
});

test("the same records seen again count once", () => {
  const counter = new FreezeCounter();
  const records = [frame(0, 20), frame(17, 320)];
  counter.update(records);
  counter.update(records);
  counter.update([...records, frame(337, 20)]);
  expect(counter.count).toBe(1);
});

test("without times from the host nothing is counted", () => {
  const shown = { rtp: 0, shown: true, stages: {}, presentedAtMs: 0 };
  expect(count([shown, { ...shown, rtp: 90_000, presentedAtMs: 9000 }]).count).toBe(0);
});
