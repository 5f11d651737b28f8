//! The bytes of the input channels, as the host reads them.
import { expect, test } from "vitest";
import {
  buttonFrame,
  heldFrame,
  keyFrame,
  moveByFrame,
  moveToFrame,
  padConnectedFrame,
  padStateFrame,
  readDeviceRequest,
  textFrame,
  textPieces,
  touchFrame,
  wheelFrame,
} from "../src/input/wire";

const bytes = (frame: Uint8Array | undefined) => [...(frame ?? [])];
const ascii = (text: string) => [...text].map((character) => character.charCodeAt(0));

test("keys, by name; a name that no key has is not sent", () => {
  expect(bytes(keyFrame(0x1234, "KeyA", true))).toEqual([1, 0x12, 0x34, 1, ...ascii("KeyA")]);
  expect(keyFrame(1, "", true)).toBeUndefined();
  expect(keyFrame(1, "K".repeat(33), true)).toBeUndefined();
});

test("buttons, with and without a place", () => {
  const at = { x: 0xabcd, y: 1 };
  expect(bytes(buttonFrame(2, 4, { down: true, at }))).toEqual([3, 0, 2, 1, 4, 1, 0xab, 0xcd, 0, 1]);
  expect(bytes(buttonFrame(2, 0, { down: false }))).toEqual([3, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
});

test("motion, absolute and as a wrapping sum", () => {
  expect(bytes(moveToFrame(0xffff, { x: 65535, y: 0 }))).toEqual([16, 255, 255, 255, 255, 0, 0]);
  expect(bytes(moveByFrame(1, { x: -1, y: 0x7fffffff }))).toEqual([
    17, 0, 1, 255, 255, 255, 255, 127, 255, 255, 255,
  ]);
  expect(bytes(wheelFrame(-120, 99_999))).toEqual([4, 0xff, 0x88, 0x7f, 0xff]);
});

test("touches and what is held", () => {
  expect(bytes(touchFrame({ phase: "end", id: 3, x: 1, y: 2 }))).toEqual([6, 2, 3, 0, 1, 0, 2]);
  expect(bytes(heldFrame(7, [5, 7]))).toEqual([18, 0, 7, 2, 0, 5, 0, 7]);
  expect(heldFrame(7, Array.from({ length: 300 }, (_, seq) => seq))).toHaveLength(4 + 2 * 255);
});

test("gamepads; a long name ends at a whole character", () => {
  const frame = padConnectedFrame(2, `${"x".repeat(127)}é`);
  expect(bytes(frame).slice(0, 2)).toEqual([7, 2]);
  expect(frame).toHaveLength(2 + 127);
  const state = { buttons: 0x80000001, leftTrigger: 9, rightTrigger: 255, axes: [1, -1, 32767, -32767] };
  expect(bytes(padStateFrame(3, 1, state))).toEqual([
    19, 1, 0, 3, 0x80, 0, 0, 1, 9, 255, 0, 1, 255, 255, 127, 255, 128, 1,
  ]);
});

test("text is UTF-8, and pieces of it never cut a character", () => {
  expect(bytes(textFrame("é"))).toEqual([2, 0xc3, 0xa9]);
  expect(textPieces("a😀b", 2)).toEqual(["a😀", "b"]);
  expect(textPieces("", 2)).toEqual([]);
});

test("what the host asks of devices; anything else is nothing", () => {
  const buffer = (...values: number[]) => new Uint8Array(values).buffer;
  expect(readDeviceRequest(buffer(0x80, 1, 0xff, 0xff, 0, 0, 0, 200))).toEqual({
    kind: "rumble",
    index: 1,
    strong: 65535,
    weak: 0,
    durationMs: 200,
  });
  expect(readDeviceRequest(buffer(0x81, 2))).toMatchObject({ num: false, caps: true });
  for (const data of ["text", buffer(), buffer(0x80, 1), buffer(0x55, 1, 2, 3), undefined]) {
    expect(readDeviceRequest(data)).toBeUndefined();
  }
});
