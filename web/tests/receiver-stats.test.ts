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

test("sound has figures while it comes, and silence that is made up is no loss", () => {
  const stats = new ReceiverStats();
  const sound = (inbound: Record<string, unknown>) => {
    const inSecond = { type: "inbound-rtp", kind: "audio", ...inbound };
    return stats.read(new Map<string, unknown>([["A", inSecond]])).sound;
  };
  const before = {
    timestamp: 1000,
    bytesReceived: 1000,
    packetsLost: 1,
    totalSamplesReceived: 48_000,
    concealedSamples: 100,
    silentConcealedSamples: 100,
    jitterBufferDelay: 10,
    jitterBufferEmittedCount: 48_000,
  };
  expect(sound(before)).toBeUndefined();
  const after = {
    timestamp: 2000,
    bytesReceived: 17_000,
    packetsLost: 3,
    totalSamplesReceived: 96_000,
    concealedSamples: 1060,
    silentConcealedSamples: 580,
    jitterBufferDelay: 10 + 0.04 * 48_000,
    jitterBufferEmittedCount: 96_000,
  };
  const second = sound(after);
  expect(second).toMatchObject({ bitrateBps: 128_000, lost: 2, concealedPct: 1 });
  expect(second?.bufferMs).toBeCloseTo(40, 6);
  expect(sound({ ...after, timestamp: 3000 })).toBeUndefined();
});
