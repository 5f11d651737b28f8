//! The host clock's estimate: exact on good samples, bounded on bad ones.
import { expect, test } from "vitest";
import { HostClock } from "../src/clock";

const HOST_AHEAD_MS = 1_700_000_000_000;

/** A ping whose two ways take `outMs` and `backMs`. */
function ping(sentMs: number, outMs: number, backMs: number, aheadMs = HOST_AHEAD_MS) {
  const hostTimeUs = Math.round((sentMs + outMs + aheadMs) * 1000);
  return { sentMs, receivedMs: sentMs + outMs + backMs, hostTimeUs };
}

test("knows nothing before the first reply", () => {
  expect(new HostClock().estimate(0)).toBeUndefined();
});

test("takes the middle of the round trip", () => {
  const clock = new HostClock();
  clock.add(ping(100, 3, 3));
  const estimate = clock.estimate(106);
  expect(estimate?.offsetMs).toBeCloseTo(HOST_AHEAD_MS, 3);
  expect(estimate?.uncertaintyMs).toBeCloseTo(3, 6);
});

test("prefers the shortest round trip of the window, whatever comes after", () => {
  const clock = new HostClock();
  clock.add(ping(0, 40, 2));
  clock.add(ping(1000, 1, 1));
  clock.add(ping(2000, 2, 30));
  const estimate = clock.estimate(2032);
  expect(estimate?.rttMs).toBe(2);
  expect(estimate?.offsetMs).toBeCloseTo(HOST_AHEAD_MS, 3);
});

test("the truth stays within the bound for any asymmetry", () => {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const clock = new HostClock();
  for (let second = 0; second < 500; second++) {
    const nowMs = second * 1000;
    clock.add(ping(nowMs, random() ** 3 * 80, random() ** 3 * 80));
    const estimate = clock.estimate(nowMs + 160)!;
    expect(Math.abs(estimate.offsetMs - HOST_AHEAD_MS)).toBeLessThanOrEqual(
      estimate.uncertaintyMs + 0.001,
    );
  }
});

test("forgets a good sample that has become old, because clocks drift", () => {
  const clock = new HostClock();
  clock.add(ping(0, 0.5, 0.5));
  clock.add(ping(60_000, 2, 2));
  expect(clock.estimate(60_004)?.rttMs).toBe(4);
});

test("follows a stepped host clock at once", () => {
  const clock = new HostClock();
  clock.add(ping(0, 0.5, 0.5));
  clock.add(ping(1000, 4, 4, HOST_AHEAD_MS + 900));
  expect(clock.estimate(1008)?.offsetMs).toBeCloseTo(HOST_AHEAD_MS + 900, 3);
});

test("ignores replies that make no sense", () => {
  const clock = new HostClock();
  clock.add({ sentMs: 10, receivedMs: 5, hostTimeUs: 1 });
  clock.add({ sentMs: 10, receivedMs: 15, hostTimeUs: Number.NaN });
  expect(clock.estimate(20)).toBeUndefined();
});
