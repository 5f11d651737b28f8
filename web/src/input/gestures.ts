//! Fingers as a mouse, for hosts that take no touches: tap, drag, two-finger scroll, and a long press
//! or a two-finger tap for the right button.

import { NOTCH } from "./wheel";
import type { PicturePoint } from "./wire";

const LEFT = 0;
const RIGHT = 2;
/** A finger that moved less still taps. */
const TAP_WITHIN_PX = 10;
const LONG_PRESS_MS = 550;
/** Fingers that were down longer than this do not tap. */
const TAP_WITHIN_MS = 400;
/** How far two fingers go for one notch of the wheel. */
const PX_PER_NOTCH = 32;

/** Where the mouse's motions go. */
export interface MouseSink {
  moveTo(point: PicturePoint): void;
  button(button: number, down: boolean, at?: PicturePoint): void;
  wheel(dx: number, dy: number): void;
}

/** A finger: where on the page, in CSS pixels, and where in the picture. */
export interface Finger {
  id: number;
  pageX: number;
  pageY: number;
  at: PicturePoint;
}

type Mode =
  | "none"
  /** One finger is down and may yet become anything. */
  | "pressed"
  | "dragging"
  | "two"
  | "scrolling"
  /** What these fingers do is done; nothing more until all are up. */
  | "done";

/** The fingers on one picture. */
export class Gestures {
  #mode: Mode = "none";
  readonly #fingers = new Map<number, { first: Finger; last: Finger }>();
  #startedMs = 0;
  #restX = 0;
  #restY = 0;
  #longPress: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly sink: MouseSink,
    private readonly onLongPress: () => void = () => undefined,
  ) {}

  /** A finger comes down. */
  start(finger: Finger, nowMs: number): void {
    this.#fingers.set(finger.id, { first: finger, last: finger });
    clearTimeout(this.#longPress);
    if (this.#fingers.size === 1) {
      this.#mode = "pressed";
      this.#startedMs = nowMs;
      this.#longPress = setTimeout(() => this.#pressedLong(finger.at), LONG_PRESS_MS);
    } else if (this.#mode === "pressed" && this.#fingers.size === 2) {
      this.#mode = "two";
      this.#restX = this.#restY = 0;
    } else if (this.#mode !== "dragging") {
      this.#mode = "done";
    }
  }

  /** A finger moves. */
  move(finger: Finger): void {
    const known = this.#fingers.get(finger.id);
    if (!known) return;
    const { first, last } = known;
    known.last = finger;
    if (this.#mode === "pressed" && distance(first, finger) > TAP_WITHIN_PX) {
      clearTimeout(this.#longPress);
      this.#mode = "dragging";
      this.sink.moveTo(first.at);
      this.sink.button(LEFT, true, first.at);
    }
    if (this.#mode === "two" && distance(first, finger) > TAP_WITHIN_PX) {
      this.#mode = "scrolling";
      this.sink.moveTo(this.#firstFinger()?.at ?? first.at);
    }
    if (this.#mode === "dragging" && finger.id === this.#firstFinger()?.id) {
      this.sink.moveTo(finger.at);
    }
    if (this.#mode === "scrolling") this.#scroll(finger.pageX - last.pageX, finger.pageY - last.pageY);
  }

  /** A finger goes up. */
  end(finger: Finger, nowMs: number): void {
    const known = this.#fingers.get(finger.id);
    if (!known) return;
    clearTimeout(this.#longPress);
    const wasDragging = this.#firstFinger()?.id === finger.id;
    const isTap = nowMs - this.#startedMs <= TAP_WITHIN_MS;
    if (this.#mode === "pressed") this.#click(LEFT, known.first.at);
    if (this.#mode === "dragging" && wasDragging) this.sink.button(LEFT, false, finger.at);
    if (this.#mode === "two" && isTap) this.#click(RIGHT, this.#firstFinger()?.at ?? finger.at);
    if (this.#mode !== "scrolling" && (this.#mode !== "dragging" || wasDragging)) this.#mode = "done";
    this.#fingers.delete(finger.id);
    if (this.#fingers.size === 0) this.#mode = "none";
  }

  /** All fingers are forgotten, and what they hold is let go. */
  cancel(): void {
    clearTimeout(this.#longPress);
    const held = this.#firstFinger();
    if (this.#mode === "dragging" && held) this.sink.button(LEFT, false, held.at);
    this.#fingers.clear();
    this.#mode = "none";
  }

  #firstFinger(): Finger | undefined {
    return this.#fingers.values().next().value?.last;
  }

  #pressedLong(at: PicturePoint): void {
    this.#mode = "done";
    this.onLongPress();
    this.#click(RIGHT, at);
  }

  #click(button: number, at: PicturePoint): void {
    this.sink.moveTo(at);
    this.sink.button(button, true, at);
    this.sink.button(button, false, at);
  }

  /** The content follows the fingers: half of each one's way, since both move. */
  #scroll(x: number, y: number): void {
    this.#restX -= (x / 2 / PX_PER_NOTCH) * NOTCH;
    this.#restY -= (y / 2 / PX_PER_NOTCH) * NOTCH;
    const [dx, dy] = [Math.trunc(this.#restX), Math.trunc(this.#restY)];
    if (dx === 0 && dy === 0) return;
    this.#restX -= dx;
    this.#restY -= dy;
    this.sink.wheel(dx, dy);
  }
}

function distance(a: Finger, b: Finger): number {
  return Math.hypot(a.pageX - b.pageX, a.pageY - b.pageY);
}
