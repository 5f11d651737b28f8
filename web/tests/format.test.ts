//! Numbers for readers.
import { expect, test } from "vitest";
import { bitrate, counted, milliseconds, percent, rate, size, withMs } from "../src/format";

test("what was not measured is a dash", () => {
  const texts = [withMs(undefined), bitrate(undefined), rate(undefined), percent(undefined)];
  expect(texts).toEqual(["–", "–", "–", "–"]);
  expect(size(undefined, 720)).toBe("–");
});

test("milliseconds keep tenths while they matter", () => {
  expect([0, -0.04, -0.3, 8.14, 99.94, 99.96, 123.4].map(milliseconds)).toEqual([
    "0.0",
    "0.0",
    "−0.3",
    "8.1",
    "99.9",
    "100",
    "123",
  ]);
});

test("bitrates change their unit where they should", () => {
  expect([0, 96_400, 999_499, 999_500, 7_840_000, 120e6].map(bitrate)).toEqual([
    "0 kb/s",
    "96 kb/s",
    "999 kb/s",
    "1.0 Mb/s",
    "7.8 Mb/s",
    "120 Mb/s",
  ]);
});

test("one is not many", () => {
  expect([counted(0, "PLI"), counted(1, "PLI"), counted(2, "PLI")]).toEqual([
    "0 PLIs",
    "1 PLI",
    "2 PLIs",
  ]);
});
