//! What of the physical keyboard goes to the host: presses and releases by W3C code, without the
//! repeats, and with what systems and browsers get wrong put right.

import type { KeyLike } from "../shortcuts";

/** What is read of a key event. */
export interface KeyEventLike extends KeyLike {
  type: string;
  repeat: boolean;
  timeStamp: number;
}

/** Where presses and releases go. */
export interface KeySink {
  key(code: string, down: boolean): void;
  heldKeys(): string[];
}

/** What kind of system the browser runs on, as far as its keyboards differ. */
export type KeySystem = "windows" | "mac" | "other";

/** Windows tells AltGr as Control and then Alt, this close together. */
const ALT_GR_WITHIN_MS = 50;
/** A lone Control waits no longer than this for an AltGr that does not come. */
const CONTROL_WAITS_MS = 60;
const MODIFIER = /^(Shift|Control|Alt|Meta|CapsLock)/;

/** The keyboard of one page. */
export class Keyboard {
  #control: { timeStamp: number; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(
    private readonly sink: KeySink,
    private readonly system: KeySystem,
  ) {}

  /** Takes in a key event that is meant for the host. */
  take(event: KeyEventLike): void {
    // Screen keyboards tell no code: their text comes another way.
    if (event.code === "" || event.code === "Unidentified") return;
    const down = event.type === "keydown";
    if (down && event.repeat) return;
    if (this.#control && this.#settleControl(event, down)) return;
    if (this.system === "windows" && event.code === "ControlLeft" && down) {
      const timer = setTimeout(() => this.#sendControl(), CONTROL_WAITS_MS);
      this.#control = { timeStamp: event.timeStamp, timer };
    } else if (this.system === "mac" && event.code === "CapsLock") {
      // It is told as down when it goes on and as up when it goes off: each is a whole stroke.
      this.sink.key(event.code, true);
      this.sink.key(event.code, false);
    } else {
      this.sink.key(event.code, down);
      if (!down) this.#releaseSilent(event.code);
    }
  }

  /** Forgets what it waited for. */
  reset(): void {
    clearTimeout(this.#control?.timer);
    this.#control = undefined;
  }

  /** Decides about a Control that waited; true when `event` is thereby done. */
  #settleControl(event: KeyEventLike, down: boolean): boolean {
    const waitedMs = event.timeStamp - (this.#control?.timeStamp ?? 0);
    if (down && event.code === "AltRight" && waitedMs < ALT_GR_WITHIN_MS) {
      this.reset();
      this.sink.key("AltRight", true);
      return true;
    }
    this.#sendControl();
    return false;
  }

  #sendControl(): void {
    this.reset();
    this.sink.key("ControlLeft", true);
  }

  /** Releases what the system does not tell the release of. */
  #releaseSilent(code: string): void {
    if (this.system === "mac" && code.startsWith("Meta")) {
      for (const held of this.sink.heldKeys()) if (!MODIFIER.test(held)) this.sink.key(held, false);
    }
    if (this.system === "windows" && code.startsWith("Shift")) {
      this.sink.key("ShiftLeft", false);
      this.sink.key("ShiftRight", false);
    }
  }
}

/** Which system `platform` (as a browser names it) is. */
export function keySystem(platform: string): KeySystem {
  if (/^win/i.test(platform)) return "windows";
  return /^(mac|iphone|ipad)/i.test(platform) ? "mac" : "other";
}

/** One change that a screen keyboard made to a text field. */
export interface Typed {
  backspaces: number;
  text: string;
}

/** What was typed to make `after` of `before`: corrections of a screen keyboard included. */
export function typed(before: string, after: string): Typed {
  const [old, now] = [[...before], [...after]];
  let same = 0;
  while (same < old.length && same < now.length && old[same] === now[same]) same++;
  return { backspaces: old.length - same, text: now.slice(same).join("") };
}

/** The key that types `character` on a US keyboard, for keys pressed together with a modifier. */
export function codeOf(character: string): string | undefined {
  if (/^[a-z]$/i.test(character)) return `Key${character.toUpperCase()}`;
  if (/^\d$/.test(character)) return `Digit${character}`;
  return { " ": "Space", "-": "Minus", "=": "Equal", ",": "Comma", ".": "Period", "/": "Slash" }[
    character
  ];
}
