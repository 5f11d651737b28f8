//! Where in the picture a point of the page is, and how far a wheel turned.
import { expect, test } from "vitest";
import { isOnPicture, panStep, pictureBox, toPage, toPicture } from "../src/input/coordinates";
import { Wheel, type WheelLike } from "../src/input/wheel";

const WINDOW = { left: 0, top: 0, width: 960, height: 960 };
const WIDE = { width: 1920, height: 1080 };

test("a wide picture has bars above and below, a tall one at its sides", () => {
  expect(pictureBox(WINDOW, WIDE)).toEqual({ left: 0, top: 210, width: 960, height: 540 });
  const tall = pictureBox({ left: 10, top: 20, width: 400, height: 100 }, { width: 50, height: 100 });
  expect(tall).toEqual({ left: 185, top: 20, width: 50, height: 100 });
});

test("before there is a picture there is no place in it", () => {
  expect(pictureBox(WINDOW, { width: 0, height: 0 })).toBeUndefined();
  expect(pictureBox({ ...WINDOW, width: 0 }, WIDE)).toBeUndefined();
});

test("corners are corners, and what is beside the picture is its edge", () => {
  const box = pictureBox(WINDOW, WIDE)!;
  expect(toPicture(box, 0, 210)).toEqual({ x: 0, y: 0 });
  expect(toPicture(box, 960, 750)).toEqual({ x: 65535, y: 65535 });
  expect(toPicture(box, 480, 480)).toEqual({ x: 32768, y: 32768 });
  expect(toPicture(box, -40, 950)).toEqual({ x: 0, y: 65535 });
});

test("a picture that is scrolled away from begins outside the window", () => {
  const box = pictureBox({ left: -300, top: -200, width: 1920, height: 1080 }, WIDE)!;
  const { x, y } = toPicture(box, 0, 0);
  expect([(x / 65535) * 1920, (y / 65535) * 1080].map(Math.round)).toEqual([300, 200]);
});

test("there and back again", () => {
  const box = pictureBox(WINDOW, WIDE)!;
  const page = toPage(box, toPicture(box, 123, 456));
  expect(page.x).toBeCloseTo(123, 1);
  expect(page.y).toBeCloseTo(456, 1);
});

test("a click just beside the picture is meant for it, one in the bars is not", () => {
  const box = pictureBox(WINDOW, WIDE)!;
  expect(isOnPicture(box, 480, 190)).toBe(true);
  expect(isOnPicture(box, 480, 100)).toBe(false);
});

test("a larger picture moves at the edges only, faster nearer to them", () => {
  expect(panStep(WINDOW, 480, 480)).toEqual({ dx: 0, dy: 0 });
  const near = panStep(WINDOW, 950, 480).dx;
  const nearest = panStep(WINDOW, 960, 480).dx;
  expect(near).toBeGreaterThan(0);
  expect(nearest).toBeGreaterThan(near);
  expect(panStep(WINDOW, 0, 0)).toEqual({ dx: -nearest, dy: -nearest });
});

const turn = (more: Partial<WheelLike>): WheelLike => ({
  deltaX: 0,
  deltaY: 0,
  deltaMode: 0,
  shiftKey: false,
  ...more,
});

test("a notch is a notch, in pixels, in lines and in pages", () => {
  const wheel = new Wheel(false);
  expect(wheel.turn(turn({ deltaY: 100 }))).toEqual({ dx: 0, dy: 120 });
  expect(wheel.turn(turn({ deltaY: -3, deltaMode: 1 }))).toEqual({ dx: 0, dy: -120 });
  expect(wheel.turn(turn({ deltaY: 1, deltaMode: 2 }))).toEqual({ dx: 0, dy: 120 });
  expect(wheel.turn(turn({ deltaY: 53, wheelDeltaY: -120 }))).toEqual({ dx: 0, dy: 120 });
});

test("small steps of a touchpad add up to what they are", () => {
  const wheel = new Wheel(false);
  let sum = 0;
  for (let step = 0; step < 1000; step++) sum += wheel.turn(turn({ deltaY: 0.1 }))?.dy ?? 0;
  expect(Math.abs(sum - 120)).toBeLessThanOrEqual(1);
  expect(wheel.turn(turn({ deltaY: -1 }))).toEqual({ dx: 0, dy: -1 });
});

test("Shift is the host's business where browsers turn the wheel sideways", () => {
  const sideways = turn({ deltaX: 100, wheelDeltaX: -120, shiftKey: true });
  expect(new Wheel(true).turn(sideways)).toEqual({ dx: 0, dy: 120 });
  expect(new Wheel(false).turn(sideways)).toEqual({ dx: 120, dy: 0 });
});
