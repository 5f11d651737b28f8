//! Turns wheel events, which browsers count in three units, into 120ths of a notch. Fractions are
//! kept for the next event, so that a slow finger on a touchpad still scrolls.

/** A notch of a wheel. */
export const NOTCH = 120;
/** What browsers scroll for one notch where they count pixels. */
const PIXELS_PER_NOTCH = 100;
/** And where they count lines. */
const LINES_PER_NOTCH = 3;
const DOM_DELTA_LINE = 1;
const DOM_DELTA_PAGE = 2;

/** What is read of a wheel event; the last two only some browsers have. */
export interface WheelLike {
  deltaX: number;
  deltaY: number;
  deltaMode: number;
  shiftKey: boolean;
  wheelDeltaX?: number;
  wheelDeltaY?: number;
}

/** What to scroll, in whole 120ths of a notch: + is right and down. */
export interface WheelMotion {
  dx: number;
  dy: number;
}

/** One wheel. */
export class Wheel {
  #restX = 0;
  #restY = 0;

  /** `swapsShift`: this system's browsers turn Shift + wheel sideways, which is up to the host. */
  constructor(private readonly swapsShift: boolean) {}

  /** What `event` scrolls, or undefined while it is less than can be told. */
  turn(event: WheelLike): WheelMotion | undefined {
    let x = notches(event.deltaX, event.wheelDeltaX, event.deltaMode);
    let y = notches(event.deltaY, event.wheelDeltaY, event.deltaMode);
    if (this.swapsShift && event.shiftKey && y === 0 && x % NOTCH === 0) [x, y] = [0, x];
    this.#restX = withRest(this.#restX, x);
    this.#restY = withRest(this.#restY, y);
    const [dx, dy] = [Math.trunc(this.#restX), Math.trunc(this.#restY)];
    this.#restX -= dx;
    this.#restY -= dy;
    return dx === 0 && dy === 0 ? undefined : { dx: dx + 0, dy: dy + 0 };
  }
}

function notches(delta: number, wheelDelta: number | undefined, mode: number): number {
  if (delta === 0) return 0;
  // A real wheel tells its notches exactly; the pixels depend on the system's settings.
  if (wheelDelta && wheelDelta % NOTCH === 0) return -wheelDelta;
  if (mode === DOM_DELTA_LINE) return (delta * NOTCH) / LINES_PER_NOTCH;
  if (mode === DOM_DELTA_PAGE) return delta * NOTCH;
  return (delta * NOTCH) / PIXELS_PER_NOTCH;
}

/** A fraction kept from the other direction would eat the first bit of this one. */
function withRest(rest: number, delta: number): number {
  return rest * delta < 0 ? delta : rest + delta;
}
