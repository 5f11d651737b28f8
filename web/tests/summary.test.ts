//! Percentiles of recent frames, without those that say nothing of the stream.
import { expect, test } from "vitest";
import type { FrameRecord } from "../src/frames";
import { summarise } from "../src/summary";

const frame = (encode: number, more: Partial<FrameRecord> = {}): FrameRecord => ({
  rtp: 0,
  shown: true,
  stages: { encode },
  totalMs: encode + 10,
  ...more,
});

test("repeated and not shown frames are left out, and the latter counted", () => {
  const summary = summarise([
    frame(4),
    frame(6),
    frame(900, { repeated: true }),
    frame(900, { shown: false }),
  ]);
  expect(summary.stages.encode).toEqual({ p50: 4, p95: 6 });
  expect(summary.total).toEqual({ p50: 14, p95: 16 });
  expect(summary.notShown).toBe(1);
});

test("a stage that no frame measured has no percentiles", () => {
  expect(summarise([frame(4)]).stages.network).toEqual({ p50: undefined, p95: undefined });
});
