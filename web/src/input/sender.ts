//! Sends input over one session's two channels: numbers it, remembers what is held and says so until
//! it is not. While a channel is not open, what would go over it is dropped, never kept for later.

import {
  buttonFrame,
  heldFrame,
  keyFrame,
  moveByFrame,
  moveToFrame,
  padConnectedFrame,
  padGoneFrame,
  padStateFrame,
  releaseAllFrame,
  textFrame,
  touchFrame,
  wheelFrame,
  type PadState,
  type PicturePoint,
  type TouchPoint,
} from "./wire";

const HELD_EVERY_MS = 50;
/** After the last release, so that a lost message does not leave the host in doubt. */
const HELD_AFTERWARDS = 3;
/** The last motion may be lost, and nothing later would tell of it: it is said again after these. */
const SAY_AGAIN_AFTER_MS = [40, 120] as const;
/** More than this unsent means that the link stalls: what moves now is old when it arrives. */
const MOST_UNSENT_BYTES = 4096;

/** As much of a data channel as is needed here. */
export interface Channel {
  readonly readyState: RTCDataChannelState;
  readonly bufferedAmount: number;
  send(bytes: Uint8Array<ArrayBuffer>): void;
}

/** The two channels of a session. */
export interface InputChannels {
  /** In order, and surely. */
  input: Channel;
  /** At once, or not at all. */
  motion: Channel;
}

type Timer = ReturnType<typeof setTimeout>;

/** The input of one session. */
export class InputSender {
  #seq = 0;
  #motionSeq = 0;
  readonly #total = { x: 0, y: 0 };
  /** The numbers of the presses, by what is pressed. */
  readonly #held = new Map<string, number>();
  #heldTimer: ReturnType<typeof setInterval> | undefined;
  #heldAfterwards = 0;
  #again: Timer[] = [];

  constructor(private readonly channels: InputChannels) {}

  /** Whether what is sent now would leave. */
  get isOpen(): boolean {
    return this.channels.input.readyState === "open";
  }

  /** How much of what was sent has not left yet. */
  get unsentBytes(): number {
    return this.channels.input.bufferedAmount;
  }

  /** A key goes down or up. A press of one that is held, or a release of one that is not, is none. */
  key(code: string, down: boolean): void {
    this.#press(code, down, (seq) => keyFrame(seq, code, down));
  }

  /** A mouse button goes down or up. */
  button(button: number, down: boolean, at?: PicturePoint): void {
    this.#press(`button ${button}`, down, (seq) => buttonFrame(seq, button, { down, at }));
  }

  /** Text to be typed. */
  text(text: string): void {
    this.#sendInput(textFrame(text));
  }

  /** The wheel turns. */
  wheel(dx: number, dy: number): void {
    this.#sendInput(wheelFrame(dx, dy));
  }

  /** A finger. */
  touch(point: TouchPoint): void {
    this.#sendInput(touchFrame(point));
  }

  /** A gamepad is there. */
  padConnected(index: number, name: string): void {
    this.#sendInput(padConnectedFrame(index, name));
  }

  /** A gamepad is gone. */
  padGone(index: number): void {
    this.#sendInput(padGoneFrame(index));
  }

  /** What a gamepad shows. */
  padState(index: number, state: PadState): void {
    this.#sendMotion((seq) => padStateFrame(seq, index, state));
  }

  /** Where the pointer is. */
  moveTo(point: PicturePoint): void {
    this.#move((seq) => moveToFrame(seq, point));
  }

  /** How far the mouse went. */
  moveBy(dx: number, dy: number): void {
    this.#total.x = (this.#total.x + dx) | 0;
    this.#total.y = (this.#total.y + dy) | 0;
    const total = { ...this.#total };
    this.#move((seq) => moveByFrame(seq, total));
  }

  /** Whether this key is held, as far as the host knows. */
  isHeld(code: string): boolean {
    return this.#held.has(code);
  }

  /** The keys that are held, as far as the host knows. */
  heldKeys(): string[] {
    return [...this.#held.keys()].filter((name) => !name.startsWith("button "));
  }

  /** Nothing is held any more. */
  releaseAll(): void {
    const wasHeld = this.#held.size > 0;
    this.#held.clear();
    this.#sendInput(releaseAllFrame());
    if (wasHeld) this.#heldAfterwards = HELD_AFTERWARDS;
  }

  /** Nothing more is sent: the session ended. */
  close(): void {
    clearInterval(this.#heldTimer);
    this.#heldTimer = undefined;
    this.#held.clear();
    this.#forgetAgain();
  }

  #press(name: string, down: boolean, frame: (seq: number) => Uint8Array<ArrayBuffer> | undefined) {
    if (this.#held.has(name) === down || !this.isOpen) return;
    const seq = (this.#seq + 1) & 0xffff;
    const bytes = frame(seq);
    if (!bytes) return;
    this.#seq = seq;
    if (down) this.#held.set(name, seq);
    else this.#held.delete(name);
    this.#sendInput(bytes);
    this.#heldAfterwards = HELD_AFTERWARDS;
    this.#heldTimer ??= setInterval(() => this.#sayHeld(), HELD_EVERY_MS);
  }

  #sayHeld(): void {
    if (this.#held.size === 0 && this.#heldAfterwards-- <= 0) {
      clearInterval(this.#heldTimer);
      this.#heldTimer = undefined;
      return;
    }
    const { motion } = this.channels;
    if (motion.readyState === "open") motion.send(heldFrame(this.#seq, [...this.#held.values()]));
  }

  #move(frame: (seq: number) => Uint8Array<ArrayBuffer>): void {
    this.#sendMotion(frame);
    this.#forgetAgain();
    this.#again = SAY_AGAIN_AFTER_MS.map((afterMs) =>
      setTimeout(() => this.#sendMotion(frame), afterMs),
    );
  }

  #forgetAgain(): void {
    for (const timer of this.#again) clearTimeout(timer);
    this.#again = [];
  }

  #sendMotion(frame: (seq: number) => Uint8Array<ArrayBuffer>): void {
    const { motion } = this.channels;
    if (motion.readyState !== "open" || motion.bufferedAmount > MOST_UNSENT_BYTES) return;
    this.#motionSeq = (this.#motionSeq + 1) & 0xffff;
    motion.send(frame(this.#motionSeq));
  }

  #sendInput(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.isOpen) this.channels.input.send(bytes);
  }
}
