//! The digest of the browser's own statistics.
import { expect, test } from "vitest";
import { ReceiverStats } from "../src/receiver-stats";

function report(inbound: Record<string, unknown>): Map<string, unknown> {
  return new Map<string, unknown>([
    ["T", { type: "transport", selectedCandidatePairId: "P" }],
    ["P", { type: "candidate-pair", currentRoundTripTime: 0.0014, localCandidateId: "L" }],
    ["L", { type: "local-candidate", protocol: "udp" }],
    ["C", { type: "codec", mimeType: "video/H264" }],
    ["A", { type: "inbound-rtp", kind: "audio", bytesReceived: 1 }],
    ["V", { type: "inbound-rtp", kind: "video", codecId: "C", ...inbound }],
  ]);
}

const BEFORE = {
  timestamp: 1000,
  framesDecoded: 100,
  bytesReceived: 50_000,
  packetsReceived: 500,
  packetsLost: 3,
  jitterBufferDelay: 1,
  jitterBufferEmittedCount: 100,
  nackCount: 4,
};

test("the first reading names things and has no rates", () => {
  const second = new ReceiverStats().read(report(BEFORE));
  expect(second).toEqual({ rttMs: 1.4, transport: "UDP", codec: "H264" });
});

test("the second reading has what happened in between", () => {
  const stats = new ReceiverStats();
  stats.read(report(BEFORE));
  const second = stats.read(
    report({
      timestamp: 3000,
      framesDecoded: 220,
      bytesReceived: 2_050_000,
      packetsReceived: 1490,
      packetsLost: 13,
      jitterBufferDelay: 1.12,
      jitterBufferEmittedCount: 220,
      nackCount: 6,
    }),
  );
  expect(second).toMatchObject({ fps: 60, bitrateBps: 8_000_000, lossPct: 1, nacks: 2 });
  expect(second.bufferMs).toBeCloseTo(1, 6);
  expect(second).not.toHaveProperty("plis");
});

test("a pause gives no average of nothing", () => {
  const stats = new ReceiverStats();
  stats.read(report(BEFORE));
  const second = stats.read(report({ ...BEFORE, timestamp: 2000 }));
  expect(second.fps).toBe(0);
  expect(second).not.toHaveProperty("bufferMs");
  expect(second).not.toHaveProperty("lossPct");
});

test("an empty report gives nothing", () => {
  expect(new ReceiverStats().read(new Map())).toEqual({});
});
