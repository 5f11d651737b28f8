//! Gamepads: looked at once a screen refresh and only while there are any, told when they change.

import type { PadState } from "./wire";

const MOST_PADS = 16;
const MOST_BUTTONS = 32;
const LEFT_TRIGGER = 6;
const RIGHT_TRIGGER = 7;
/** A stick at rest is never quite still; less than this is no motion. */
const AXIS_STEP = 96;
/** And this far from the middle it still is at rest. */
const AXIS_REST = 3300;
/** What is not at rest is said again this often, because it may have been lost. */
const AGAIN_AFTER_MS = 100;

/** Where the state of gamepads goes. */
export interface PadSink {
  padConnected(index: number, name: string): void;
  padGone(index: number): void;
  padState(index: number, state: PadState): void;
}

/** What is read of a gamepad. */
export interface PadLike {
  index: number;
  id: string;
  buttons: readonly { pressed: boolean; value: number }[];
  axes: readonly number[];
}

interface Told {
  state: PadState;
  atMs: number;
}

/** The gamepads of one page. */
export class Pads {
  readonly #told = new Map<number, Told>();

  constructor(private readonly sink: PadSink) {}

  /** Takes in what all gamepads show at `nowMs`. */
  look(pads: readonly (PadLike | null)[], nowMs: number): void {
    const present = pads.filter((pad) => pad !== null && pad.index < MOST_PADS) as PadLike[];
    for (const index of this.#told.keys()) {
      if (present.some((pad) => pad.index === index)) continue;
      this.#told.delete(index);
      this.sink.padGone(index);
    }
    for (const pad of present) this.#lookAt(pad, nowMs);
  }

  /** All gamepads are taken from the host. */
  leave(): void {
    for (const index of this.#told.keys()) this.sink.padGone(index);
    this.#told.clear();
  }

  #lookAt(pad: PadLike, nowMs: number): void {
    const told = this.#told.get(pad.index);
    if (!told) this.sink.padConnected(pad.index, pad.id);
    const state = padState(pad);
    const due = told && !isAtRest(state) && nowMs - told.atMs >= AGAIN_AFTER_MS;
    if (told && !due && !differ(told.state, state)) return;
    this.sink.padState(pad.index, state);
    this.#told.set(pad.index, { state, atMs: nowMs });
  }
}

/** What `pad` shows, in the units of the wire. */
export function padState({ buttons, axes }: PadLike): PadState {
  let bits = 0;
  buttons.slice(0, MOST_BUTTONS).forEach(({ pressed }, bit) => {
    if (pressed) bits |= 1 << bit;
  });
  const trigger = (index: number) =>
    Math.round(Math.max(0, Math.min(1, buttons[index]?.value ?? 0)) * 255);
  return {
    buttons: bits >>> 0,
    leftTrigger: trigger(LEFT_TRIGGER),
    rightTrigger: trigger(RIGHT_TRIGGER),
    axes: [0, 1, 2, 3].map(
      (axis) => Math.round(Math.max(-1, Math.min(1, axes[axis] ?? 0)) * 32767) + 0,
    ),
  };
}

function isAtRest({ buttons, leftTrigger, rightTrigger, axes }: PadState): boolean {
  const still = axes.every((axis) => Math.abs(axis) < AXIS_REST);
  return buttons === 0 && leftTrigger === 0 && rightTrigger === 0 && still;
}

function differ(a: PadState, b: PadState): boolean {
  if (a.buttons !== b.buttons) return true;
  if (a.leftTrigger !== b.leftTrigger || a.rightTrigger !== b.rightTrigger) return true;
  return a.axes.some((axis, index) => {
    const other = b.axes[index] ?? 0;
    return Math.abs(axis - other) >= AXIS_STEP || (axis === 0) !== (other === 0);
  });
}
