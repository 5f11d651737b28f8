//! What the host hears of keys, buttons and motion, and when.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { InputSender } from "../src/input/sender";
import { Typist } from "../src/input/typist";
import { ScriptedChannel } from "./scripted-host";

const [HELD, MOVE_TO, MOVE_BY, RELEASE_ALL] = [0x12, 0x10, 0x11, 0x05];
let input: ScriptedChannel;
let motion: ScriptedChannel;
let sender: InputSender;

beforeEach(() => {
  vi.useFakeTimers();
  input = new ScriptedChannel();
  motion = new ScriptedChannel();
  sender = new InputSender({ input, motion });
});
afterEach(() => {
  vi.useRealTimers();
});

/** The numbers that each `Held` lists, after the one that it is as of. */
const held = () =>
  motion.ofKind(HELD).map(([, high, low, , ...seqs]) => ({
    last: high! * 256 + low!,
    seqs: seqs.filter((_, index) => index % 2 === 1),
  }));

test("while anything is held it is said twenty times a second, and three times after", () => {
  sender.key("KeyA", true);
  vi.advanceTimersByTime(100);
  sender.button(0, true);
  vi.advanceTimersByTime(50);
  expect(held()).toEqual([
    { last: 1, seqs: [1] },
    { last: 1, seqs: [1] },
    { last: 2, seqs: [1, 2] },
  ]);
  sender.key("KeyA", false);
  sender.button(0, false);
  vi.advanceTimersByTime(5000);
  expect(held().slice(3)).toEqual(Array(3).fill({ last: 4, seqs: [] }));
  expect(vi.getTimerCount()).toBe(0);
});

test("a key pressed twice is pressed once, and what is not held is not released", () => {
  sender.key("KeyA", true);
  sender.key("KeyA", true);
  sender.key("KeyB", false);
  sender.key("KeyA", false);
  sender.key("KeyA", false);
  expect(input.sent).toHaveLength(2);
});

test("letting all go forgets what was held, and says so until the host must know", () => {
  sender.key("ShiftLeft", true);
  sender.releaseAll();
  expect(input.ofKind(RELEASE_ALL)).toHaveLength(1);
  expect(sender.heldKeys()).toEqual([]);
  sender.key("ShiftLeft", false);
  expect(input.sent, "the release that follows is none").toHaveLength(2);
  vi.advanceTimersByTime(5000);
  expect(held()).toEqual(Array(3).fill({ last: 1, seqs: [] }));
});

test("what comes before the channel is open is dropped, not kept", () => {
  input.readyState = motion.readyState = "connecting";
  sender.key("KeyA", true);
  sender.moveTo({ x: 1, y: 1 });
  input.readyState = motion.readyState = "open";
  vi.advanceTimersByTime(30);
  expect([...input.sent, ...motion.sent]).toEqual([]);
  sender.key("KeyA", false);
  expect(input.sent, "nor is its release sent").toEqual([]);
});

test("every motion leaves at once; the last one is said again in case it was lost", () => {
  sender.moveTo({ x: 1, y: 0 });
  sender.moveTo({ x: 2, y: 0 });
  expect(motion.ofKind(MOVE_TO)).toHaveLength(2);
  vi.advanceTimersByTime(5000);
  const [, , ...again] = motion.ofKind(MOVE_TO);
  expect(again.map(([, , seq, , x]) => [seq, x])).toEqual([
    [3, 2],
    [4, 2],
  ]);
});

test("relative motion is told as a sum, so that a lost message loses none of it", () => {
  sender.moveBy(5, -1);
  sender.moveBy(2, 0);
  const totals = motion.ofKind(MOVE_BY).map((bytes) => {
    const view = new DataView(new Uint8Array(bytes).buffer);
    return [view.getInt32(3), view.getInt32(7)];
  });
  expect(totals).toEqual([
    [5, -1],
    [7, -1],
  ]);
});

test("a link that stalls gets no motion that would be old on arrival", () => {
  motion.bufferedAmount = 100_000;
  sender.moveTo({ x: 1, y: 1 });
  expect(motion.sent).toEqual([]);
  motion.bufferedAmount = 0;
  vi.advanceTimersByTime(50);
  expect(motion.ofKind(MOVE_TO)).toHaveLength(1);
});

test("the numbers of presses wrap", () => {
  for (let count = 0; count < 0x8000; count++) {
    sender.key("KeyA", true);
    sender.key("KeyA", false);
  }
  sender.key("KeyA", true);
  expect(input.sent.at(-1)!.slice(1, 3)).toEqual([0, 1]);
});

test("after the session nothing is said any more", () => {
  sender.key("KeyA", true);
  sender.moveTo({ x: 1, y: 1 });
  sender.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("a long text is typed in pieces and can be cancelled half way", () => {
  const parts: number[] = [];
  const ends: boolean[] = [];
  const events = { progress: (part: number) => parts.push(part), end: (done: boolean) => ends.push(done) };
  const typist = new Typist("x\r\n".repeat(100), sender, events);
  vi.advanceTimersByTime(45);
  typist.cancel();
  typist.cancel();
  vi.advanceTimersByTime(5000);
  expect(ends).toEqual([false]);
  expect(input.sent.length).toBe(parts.length);
  expect(parts.at(-1)).toBeLessThan(1);
  expect(input.sent[0]!.includes(13), "lines end in one way").toBe(false);

  new Typist("short", sender, events);
  vi.advanceTimersByTime(5000);
  expect(ends).toEqual([false, true]);
  expect(parts.at(-1)).toBe(1);
});

test("typing waits for a slow link", () => {
  input.bufferedAmount = 100_000;
  new Typist("text", sender, { progress: () => undefined, end: () => undefined });
  vi.advanceTimersByTime(500);
  expect(input.sent).toEqual([]);
  input.bufferedAmount = 0;
  vi.advanceTimersByTime(500);
  expect(input.sent).toHaveLength(1);
});
