//! The plot's height: everything fits, and it does not flutter.
import { expect, test } from "vitest";
import { nextHeightMs } from "../src/ui/scale";

test("grows at once to what is needed", () => {
  expect(nextHeightMs(20, 21)).toBe(40);
  expect(nextHeightMs(20, 350)).toBe(400);
});

test("shrinks only when there is room to spare", () => {
  expect(nextHeightMs(40, 19)).toBe(40);
  expect(nextHeightMs(40, 14)).toBe(20);
});

test("does not flutter around a limit", () => {
  let height = 20;
  const heights = [19, 21, 19, 21, 18, 22].map((needed) => (height = nextHeightMs(height, needed)));
  expect(new Set(heights.slice(1))).toEqual(new Set([40]));
});

test("has a least and a greatest height", () => {
  expect(nextHeightMs(Infinity, 0)).toBe(20);
  expect(nextHeightMs(20, 1e6)).toBe(4000);
});
