//! Percentiles by nearest rank.
import { expect, test } from "vitest";
import { percentile } from "../src/percentiles";

test("of nothing there is none", () => {
  expect(percentile([], 50)).toBeUndefined();
});

test("of one value every percentile is that value", () => {
  expect([0, 50, 95, 100].map((percent) => percentile([7], percent))).toEqual([7, 7, 7, 7]);
});

test("takes the nearest rank and leaves the values as they were", () => {
  const values = [5, 1, 4, 2, 3];
  expect(percentile(values, 50)).toBe(3);
  expect(percentile(values, 95)).toBe(5);
  expect(percentile(values, 20)).toBe(1);
  expect(percentile(values, 21)).toBe(2);
  expect(values).toEqual([5, 1, 4, 2, 3]);
});
