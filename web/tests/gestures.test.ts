//! Fingers as a mouse.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Gestures } from "../src/input/gestures";

let done: string[];
let gestures: Gestures;

beforeEach(() => {
  vi.useFakeTimers();
  done = [];
  gestures = new Gestures({
    moveTo: ({ x, y }) => done.push(`to ${x},${y}`),
    button: (button, down) => done.push(`${down ? "+" : "-"}${button}`),
    wheel: (dx, dy) => done.push(`wheel ${dx},${dy}`),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

const finger = (id: number, x: number, y: number) => ({ id, pageX: x, pageY: y, at: { x, y } });
const start = (id: number, x: number, y: number) => gestures.start(finger(id, x, y), performance.now());
const end = (id: number, x: number, y: number) => gestures.end(finger(id, x, y), performance.now());

test("a tap clicks where the finger came down", () => {
  start(0, 50, 60);
  gestures.move(finger(0, 53, 61));
  end(0, 53, 61);
  expect(done).toEqual(["to 50,60", "+0", "-0"]);
});

test("a finger that moves drags from where it came down", () => {
  start(0, 50, 60);
  gestures.move(finger(0, 90, 60));
  gestures.move(finger(0, 95, 60));
  end(0, 95, 60);
  expect(done).toEqual(["to 50,60", "+0", "to 90,60", "to 95,60", "-0"]);
});

test("two fingers scroll: the content follows them", () => {
  start(0, 100, 100);
  start(1, 200, 100);
  for (let y = 100; y >= 20; y -= 4) {
    gestures.move(finger(0, 100, y));
    gestures.move(finger(1, 200, y));
  }
  end(0, 100, 20);
  end(1, 200, 20);
  const turned = done.filter((what) => what.startsWith("wheel"));
  const sum = turned.reduce((total, what) => total + Number(what.split(",")[1]), 0);
  expect(sum).toBeGreaterThan(200);
  expect(done.some((what) => /[+-]\d$/.test(what) && !what.startsWith("wheel"))).toBe(false);
});

test("a long press and a two-finger tap are the right button", () => {
  start(0, 10, 10);
  vi.advanceTimersByTime(600);
  end(0, 10, 10);
  expect(done).toEqual(["to 10,10", "+2", "-2"]);
  done.length = 0;
  start(0, 10, 10);
  start(1, 60, 10);
  end(1, 60, 10);
  end(0, 10, 10);
  expect(done).toEqual(["to 10,10", "+2", "-2"]);
});

test("a drag goes on when another finger touches, and ends when it is cancelled", () => {
  start(0, 0, 0);
  gestures.move(finger(0, 40, 0));
  start(1, 90, 90);
  end(1, 90, 90);
  gestures.move(finger(0, 50, 0));
  expect(done.at(-1)).toBe("to 50,0");
  gestures.cancel();
  expect(done.at(-1)).toBe("-0");
  end(0, 50, 0);
  expect(done.at(-1)).toBe("-0");
  expect(vi.getTimerCount()).toBe(0);
});

test("three fingers do nothing", () => {
  for (const id of [0, 1, 2]) start(id, id * 40, 0);
  for (const id of [0, 1, 2]) end(id, id * 40, 0);
  expect(done).toEqual([]);
});
