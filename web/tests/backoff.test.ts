//! The delays between connection attempts.
import { expect, test } from "vitest";
import { Backoff } from "../src/backoff";

test("doubles from a quarter of a second to four and stays there", () => {
  const backoff = new Backoff();
  const delays = Array.from({ length: 7 }, () => backoff.failed(0));
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 4000, 4000]);
});

test("starts again after a connection that lived, not after one that died at once", () => {
  const backoff = new Backoff();
  backoff.failed(0);
  backoff.failed(0);
  expect(backoff.failed(200)).toBe(1000);
  expect(backoff.failed(60_000)).toBe(250);
});
