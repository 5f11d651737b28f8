//! The bytes of the two input channels, both ways. Big-endian, one frame a message; nothing here
//! decides what is sent, or when.

/** A point of the picture: 0 is its left or top edge, 65535 its right or bottom one. */
export interface PicturePoint {
  x: number;
  y: number;
}

/** Which finger, and what it does. */
export interface TouchPoint extends PicturePoint {
  id: number;
  phase: TouchPhase;
}

export const TOUCH_PHASES = ["start", "move", "end", "cancel"] as const;
export type TouchPhase = (typeof TOUCH_PHASES)[number];

/** What a gamepad shows: bit i is button i of the standard mapping; axes are lx, ly, rx, ry. */
export interface PadState {
  buttons: number;
  leftTrigger: number;
  rightTrigger: number;
  axes: readonly number[];
}

/** What the host asks of the page's devices. */
export type DeviceRequest =
  | { kind: "rumble"; index: number; strong: number; weak: number; durationMs: number }
  | { kind: "leds"; num: boolean; caps: boolean; scroll: boolean };

export const LONGEST_TEXT_BYTES = 16 * 1024;
const LONGEST_CODE_BYTES = 32;
const LONGEST_NAME_BYTES = 128;
const MOST_HELD = 255;

type Bytes = Uint8Array<ArrayBuffer>;

/** A key by its W3C code, pressed or released; `undefined` for a name that no key has. */
export function keyFrame(seq: number, code: string, down: boolean): Bytes | undefined {
  const name = new TextEncoder().encode(code);
  if (name.length === 0 || name.length > LONGEST_CODE_BYTES) return undefined;
  const { bytes, view } = frame(0x01, 3 + name.length);
  view.setUint16(1, seq);
  view.setUint8(3, Number(down));
  bytes.set(name, 4);
  return bytes;
}

/** Text to type. It must not be longer than `LONGEST_TEXT_BYTES`. */
export function textFrame(text: string): Bytes {
  const encoded = new TextEncoder().encode(text);
  const { bytes } = frame(0x02, encoded.length);
  bytes.set(encoded, 1);
  return bytes;
}

/** A mouse button; `at` is where, unless the mouse has no place. */
export function buttonFrame(
  seq: number,
  button: number,
  { down, at }: { down: boolean; at?: PicturePoint | undefined },
): Bytes {
  const { bytes, view } = frame(0x03, 9);
  view.setUint16(1, seq);
  view.setUint8(3, Number(down));
  view.setUint8(4, button);
  view.setUint8(5, Number(at !== undefined));
  view.setUint16(6, at?.x ?? 0);
  view.setUint16(8, at?.y ?? 0);
  return bytes;
}

/** Wheel motion in 120ths of a notch, right and down. */
export function wheelFrame(dx: number, dy: number): Bytes {
  const { bytes, view } = frame(0x04, 4);
  view.setInt16(1, clampInt16(dx));
  view.setInt16(3, clampInt16(dy));
  return bytes;
}

/** Everything this page holds is released. */
export function releaseAllFrame(): Bytes {
  return frame(0x05, 0).bytes;
}

/** One finger. */
export function touchFrame({ phase, id, x, y }: TouchPoint): Bytes {
  const { bytes, view } = frame(0x06, 6);
  view.setUint8(1, TOUCH_PHASES.indexOf(phase));
  view.setUint8(2, id);
  view.setUint16(3, x);
  view.setUint16(5, y);
  return bytes;
}

/** A gamepad is there. */
export function padConnectedFrame(index: number, name: string): Bytes {
  const encoded = withinBytes(name, LONGEST_NAME_BYTES);
  const { bytes, view } = frame(0x07, 1 + encoded.length);
  view.setUint8(1, index);
  bytes.set(encoded, 2);
  return bytes;
}

/** A gamepad is gone. */
export function padGoneFrame(index: number): Bytes {
  const { bytes, view } = frame(0x08, 1);
  view.setUint8(1, index);
  return bytes;
}

/** Where the pointer is. */
export function moveToFrame(seq: number, { x, y }: PicturePoint): Bytes {
  const { bytes, view } = frame(0x10, 6);
  view.setUint16(1, seq);
  view.setUint16(3, x);
  view.setUint16(5, y);
  return bytes;
}

/** How far the mouse has gone since the channel opened, in all. */
export function moveByFrame(seq: number, total: PicturePoint): Bytes {
  const { bytes, view } = frame(0x11, 10);
  view.setUint16(1, seq);
  view.setInt32(3, total.x);
  view.setInt32(7, total.y);
  return bytes;
}

/** What is still held, by the numbers of the presses, as of `lastSeq`. */
export function heldFrame(lastSeq: number, held: readonly number[]): Bytes {
  const told = held.slice(0, MOST_HELD);
  const { bytes, view } = frame(0x12, 3 + 2 * told.length);
  view.setUint16(1, lastSeq);
  view.setUint8(3, told.length);
  told.forEach((seq, index) => view.setUint16(4 + 2 * index, seq));
  return bytes;
}

/** What a gamepad shows now. */
export function padStateFrame(seq: number, index: number, state: PadState): Bytes {
  const { bytes, view } = frame(0x13, 17);
  view.setUint8(1, index);
  view.setUint16(2, seq);
  view.setUint32(4, state.buttons);
  view.setUint8(8, state.leftTrigger);
  view.setUint8(9, state.rightTrigger);
  for (let axis = 0; axis < 4; axis++) view.setInt16(10 + 2 * axis, state.axes[axis] ?? 0);
  return bytes;
}

/** Reads what the host sends; `undefined` for anything unknown or cut short. */
export function readDeviceRequest(data: unknown): DeviceRequest | undefined {
  if (!(data instanceof ArrayBuffer) || data.byteLength === 0) return undefined;
  const view = new DataView(data);
  const kind = view.getUint8(0);
  if (kind === 0x80 && view.byteLength >= 8) {
    return {
      kind: "rumble",
      index: view.getUint8(1),
      strong: view.getUint16(2),
      weak: view.getUint16(4),
      durationMs: view.getUint16(6),
    };
  }
  if (kind === 0x81 && view.byteLength >= 2) {
    const bits = view.getUint8(1);
    return {
      kind: "leds",
      num: (bits & 1) !== 0,
      caps: (bits & 2) !== 0,
      scroll: (bits & 4) !== 0,
    };
  }
  return undefined;
}

/** `text` in pieces of at most `most` characters, none of which cuts a character in two. */
export function textPieces(text: string, most: number): string[] {
  const characters = [...text];
  const pieces: string[] = [];
  for (let at = 0; at < characters.length; at += most) {
    pieces.push(characters.slice(at, at + most).join(""));
  }
  return pieces;
}

function frame(kind: number, payload: number): { bytes: Bytes; view: DataView<ArrayBuffer> } {
  const bytes = new Uint8Array(1 + payload);
  bytes[0] = kind;
  return { bytes, view: new DataView(bytes.buffer) };
}

function clampInt16(value: number): number {
  return Math.max(-0x8000, Math.min(0x7fff, value));
}

/** As many whole characters of `text` as fit. */
function withinBytes(text: string, most: number): Uint8Array {
  const room = new Uint8Array(most);
  const { written } = new TextEncoder().encodeInto(text, room);
  return room.subarray(0, written);
}
