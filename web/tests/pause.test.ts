//! Why the video is paused: reasons are counted.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Pause } from "../src/pause";

let changes: boolean[];
let pause: Pause;

beforeEach(() => {
  vi.useFakeTimers();
  changes = [];
  pause = new Pause((paused) => changes.push(paused));
});
afterEach(() => {
  vi.useRealTimers();
});

test("a page hidden for five seconds pauses, and runs again when it is shown", () => {
  pause.setHidden(true);
  vi.advanceTimersByTime(4900);
  expect(changes).toEqual([]);
  vi.advanceTimersByTime(200);
  expect(changes).toEqual([true]);
  pause.setHidden(false);
  expect(changes).toEqual([true, false]);
});

test("a page hidden for a moment does not pause", () => {
  pause.setHidden(true);
  vi.advanceTimersByTime(4000);
  pause.setHidden(false);
  vi.advanceTimersByTime(60_000);
  expect(changes).toEqual([]);
});

test("hidden twice without being shown is hidden once", () => {
  pause.setHidden(true);
  vi.advanceTimersByTime(3000);
  pause.setHidden(true);
  vi.advanceTimersByTime(2100);
  pause.setHidden(true);
  pause.setHidden(false);
  expect(changes).toEqual([true, false]);
});

test("two reasons end when both have ended, in any order", () => {
  const letGo = pause.hold("dialog");
  pause.setHidden(true);
  vi.advanceTimersByTime(6000);
  letGo();
  expect(changes).toEqual([true]);
  pause.setHidden(false);
  expect(changes).toEqual([true, false]);
});

test("two dialogs count twice, and one cannot be closed twice", () => {
  const [first, second] = [pause.hold("dialog"), pause.hold("dialog")];
  first();
  first();
  expect(pause.isPaused).toBe(true);
  second();
  expect(changes).toEqual([true, false]);
});

test("a person's pause outlasts the hidden page, and is one however often it is asked for", () => {
  pause.setByUser(true);
  pause.setByUser(true);
  pause.setHidden(true);
  vi.advanceTimersByTime(6000);
  pause.setHidden(false);
  expect(pause.isPaused).toBe(true);
  pause.setByUser(false);
  pause.setByUser(false);
  expect(changes).toEqual([true, false]);
});

test("a second reason is told, though it changes nothing", () => {
  const told: boolean[] = [];
  pause = new Pause(
    () => undefined,
    () => told.push(pause.has("user")),
  );
  const dialog = pause.hold("dialog");
  pause.setByUser(true);
  dialog();
  pause.setByUser(false);
  expect(told).toEqual([false, true, true, false]);
});
