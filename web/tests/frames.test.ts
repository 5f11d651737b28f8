//! Joining the host's and the browser's knowledge of a frame.
import { expect, test } from "vitest";
import { FrameLog, STAGES, type ViewFrame } from "../src/frames";
import type { HostFrame } from "../src/protocol";

const HOST_AHEAD_MS = 5_000_000;

/** A frame captured at `atMs` on the page's clock: 0.5 + 0.2 + 4 + 0.3 ms until it is sent. */
function hostFrame(rtp: number, atMs: number): HostFrame {
  return {
    rtp,
    capturedUs: (atMs + HOST_AHEAD_MS) * 1000,
    grabUs: 500,
    queueUs: 200,
    encodeUs: 4000,
    sendUs: 300,
  };
}

function viewFrame(rtp: number, receivedMs: number, presentedMs: number): ViewFrame {
  return { rtp, receivedMs, presentedMs };
}

test("the stages tile the time from capture to display", () => {
  const log = new FrameLog();
  log.addView(viewFrame(9000, 107, 119));
  log.addHost([hostFrame(9000, 100)], 300);
  const [record] = log.records(300, HOST_AHEAD_MS);
  expect(record?.stages.network).toBeCloseTo(2, 6);
  expect(record?.stages.decodeRender).toBeCloseTo(12, 6);
  expect(record?.totalMs).toBeCloseTo(19, 6);
  const sum = STAGES.reduce((total, stage) => total + record!.stages[stage]!, 0);
  expect(sum).toBeCloseTo(record!.totalMs!, 6);
  expect(record).not.toHaveProperty("unsplitMs");
});

test("it joins in either order of arrival", () => {
  const log = new FrameLog();
  log.addHost([hostFrame(9000, 100)], 100);
  log.addView(viewFrame(9000, 107, 119));
  expect(log.records(120, HOST_AHEAD_MS)[0]?.stages.network).toBeCloseTo(2, 6);
});

test("without a clock estimate nothing that spans both machines is told", () => {
  const log = new FrameLog();
  log.addView(viewFrame(9000, 107, 119));
  log.addHost([hostFrame(9000, 100)], 300);
  const [record] = log.records(300, undefined);
  expect(record?.stages).not.toHaveProperty("network");
  expect(record).not.toHaveProperty("totalMs");
  expect(record?.stages.encode).toBe(4);
});

test("a stage that the host did not measure is absent, and so is what depends on it", () => {
  const log = new FrameLog();
  const { queueUs: _, ...frame } = hostFrame(9000, 100);
  log.addView(viewFrame(9000, 107, 119));
  log.addHost([frame], 300);
  const [record] = log.records(300, HOST_AHEAD_MS);
  expect(Object.keys(record!.stages).sort()).toEqual(["decodeRender", "encode", "grab", "send"]);
  expect(record?.totalMs).toBeCloseTo(19, 6);
});

test("without the host the browser's own capture time gives the total", () => {
  const log = new FrameLog();
  log.addView({ rtp: 9000, receivedMs: 107, presentedMs: 119, capturedMs: 101, decodeMs: 3 });
  const [record] = log.records(119, HOST_AHEAD_MS);
  expect(record?.totalMs).toBe(18);
  expect(record?.unsplitMs).toBe(6);
  expect(record?.decodeMs).toBe(3);
  expect(record?.stages).toEqual({ decodeRender: 12 });
});

test("frames of which more news is due are held back, but not for ever", () => {
  const log = new FrameLog();
  log.addHost([hostFrame(3000, 100)], 110);
  log.addView(viewFrame(3000, 107, 119));
  log.addView(viewFrame(6000, 124, 136));
  log.addHost([hostFrame(9000, 133)], 140);
  const rtps = (nowMs: number) => log.records(nowMs, HOST_AHEAD_MS).map(({ rtp }) => rtp);
  expect(rtps(140)).toEqual([3000, 6000]);

  const silent = new FrameLog();
  silent.addHost([hostFrame(3000, 100)], 110);
  silent.addView(viewFrame(3000, 107, 119));
  silent.addView(viewFrame(6000, 124, 136));
  expect(silent.records(140, HOST_AHEAD_MS)).toHaveLength(1);
  expect(silent.records(1200, HOST_AHEAD_MS)).toHaveLength(2);
});

test("a sent frame that was passed over is told as not shown", () => {
  const log = new FrameLog();
  log.addHost([0, 3000, 6000, 9000].map((rtp) => hostFrame(rtp, 100 + rtp / 90)), 210);
  log.addView(viewFrame(3000, 140, 150));
  log.addView(viewFrame(9000, 207, 215));
  const shown = log.records(220, HOST_AHEAD_MS).map(({ rtp, shown }) => [rtp, shown]);
  // The one before the first frame seen here was not missed: nobody was looking yet.
  expect(shown).toEqual([
    [3000, true],
    [6000, false],
    [9000, true],
  ]);
});

test("the order holds across the wrap of the RTP timestamp", () => {
  const log = new FrameLog();
  const rtps = [2 ** 32 - 6000, 2 ** 32 - 3000, 0, 3000];
  for (const rtp of [rtps[2]!, rtps[0]!, rtps[3]!, rtps[1]!]) log.addView(viewFrame(rtp, 1, 2));
  expect(log.records(10, undefined).map(({ rtp }) => rtp)).toEqual(rtps);
});

test("it keeps a bounded number of frames, the newest", () => {
  const log = new FrameLog();
  for (let frame = 0; frame < 5000; frame++) log.addView(viewFrame(frame * 1500, frame, frame));
  const records = log.records(5000, undefined);
  expect(records.length).toBeGreaterThan(180);
  expect(records.length).toBeLessThan(400);
  expect(records.at(-1)?.rtp).toBe(4999 * 1500);
});

test("after a pause of hours old frames cannot be taken for newer ones", () => {
  const log = new FrameLog();
  const hoursMs = 7 * 3_600_000;
  log.addView(viewFrame(1000, 0, 0));
  log.addView(viewFrame((1000 + hoursMs * 90) % 2 ** 32, hoursMs, hoursMs));
  expect(log.records(hoursMs, undefined)).toHaveLength(1);
});
