//! Takes keyboard, pointers and gamepads from the page to the host while this session drives, and
//! gives them back: at a blur, a dialog, a pause, and whenever the person asks. It decides nothing
//! about who drives.

import type { InputState } from "../news";
import { pageCommand, type PageCommand } from "../shortcuts";
import { Keyboard, keySystem, type KeyEventLike } from "./keyboard";
import { Pads } from "./pads";
import { Pointer, type PointerPlace } from "./pointer";
import type { InputSender } from "./sender";
import type { DeviceRequest } from "./wire";

/** Keys wait no longer than this for the host to take the clipboard. */
const CLIPBOARD_WAITS_MS = 400;

/** Somebody who lost the keyboard in the middle of a word is still typing it. */
const STILL_TYPING_MS = 1500;

/** What the page does about it. */
export interface CaptureEvents {
  /** Where the input goes has changed. */
  changed(): void;
  command(command: PageCommand): void;
  /** The person pastes: whether the host should have the text first. */
  sharesClipboard(): boolean;
  shareClipboard(text: string): Promise<void>;
}

interface KeyboardLock {
  keyboard?: { lock(): Promise<void>; unlock(): void };
}

/** The devices of one page. */
export class Capture {
  readonly pointer: Pointer;
  readonly #keyboard: Keyboard;
  readonly #isMac: boolean;
  #sender: InputSender | undefined;
  #pads: Pads | undefined;
  #able: InputState | undefined;
  #engaged = false;
  #keysLocked = false;
  #looking = false;
  #typingUntilMs = 0;
  /** Key events that wait for the clipboard. */
  #waiting: KeyEventLike[] | undefined;
  #onPaste: ((text: string) => void) | undefined;

  constructor(
    private readonly place: PointerPlace,
    private readonly events: CaptureEvents,
  ) {
    const system = keySystem(navigator.platform);
    this.#isMac = system === "mac";
    this.pointer = new Pointer(place, this.#isMac);
    this.pointer.onLockChange = () => this.events.changed();
    const sink = {
      key: (code: string, down: boolean) => this.#sender?.key(code, down),
      heldKeys: () => this.#sender?.heldKeys() ?? [],
    };
    this.#keyboard = new Keyboard(sink, system);
    this.#listen();
  }

  /** Whether input goes to the host. */
  get isEngaged(): boolean {
    return this.#engaged;
  }

  /** Whether keys go to the host at this moment. */
  get hasKeyboard(): boolean {
    const hasFocus = document.activeElement === this.place.root && document.hasFocus();
    return this.#engaged && this.#able?.keyboard === true && hasFocus;
  }

  /** Whether keys would go to the host if the picture had the focus. */
  get wantsKeyboard(): boolean {
    return this.#engaged && this.#able?.keyboard === true;
  }

  /** Whether full screen gives even the system's keys to the host. */
  get locksKeyboard(): boolean {
    return (navigator as KeyboardLock).keyboard !== undefined;
  }

  /** Where input goes from now on: to `sender`, as far as the host is `able`; or nowhere. */
  engage(sender: InputSender | undefined, able: InputState | undefined): void {
    const isNew = sender !== this.#sender;
    const hadKeyboard = this.hasKeyboard;
    if (isNew) this.#letGo();
    const wasEngaged = this.#engaged;
    this.#sender = sender;
    this.#able = able;
    this.#engaged = sender !== undefined && able !== undefined && takesAnything(able);
    if (hadKeyboard && !this.#engaged) this.#typingUntilMs = performance.now() + STILL_TYPING_MS;
    const target = this.#engaged ? sender : undefined;
    this.pointer.connect(target, { mouse: able?.pointer === true, touch: takesFingers(able) });
    if (isNew || !able?.pads) {
      this.#pads?.leave();
      this.#pads = undefined;
    }
    if (target && able?.pads) this.#pads ??= new Pads(target);
    if (this.#engaged && !wasEngaged && isNothing(document.activeElement)) this.takeKeyboard();
    this.#lockKeys();
    this.#lookAtPads();
    this.events.changed();
  }

  /** Whether a key is still meant for the host, which does not get it any more. */
  isStray(nowMs: number): boolean {
    if (nowMs >= this.#typingUntilMs) return false;
    this.#typingUntilMs = nowMs + STILL_TYPING_MS;
    return true;
  }

  /** The picture takes the keys. */
  takeKeyboard(): void {
    this.place.root.focus({ preventScroll: true });
  }

  /** Everything held is let go, on the host as well. */
  releaseAll(): void {
    this.#keyboard.reset();
    this.#waiting = this.#onPaste = undefined;
    this.pointer.reset();
    this.#sender?.releaseAll();
  }

  /** A gamepad shakes. */
  obey(request: DeviceRequest): void {
    if (request.kind !== "rumble") return;
    const actuator = navigator.getGamepads?.()[request.index]?.vibrationActuator;
    const effect = {
      duration: request.durationMs,
      strongMagnitude: request.strong / 0xffff,
      weakMagnitude: request.weak / 0xffff,
    };
    // A gamepad without motors is no fault of anybody's.
    actuator?.playEffect("dual-rumble", effect).catch(() => undefined);
  }

  #listen(): void {
    const { root } = this.place;
    for (const name of ["keydown", "keyup"] as const) {
      addEventListener(name, (event) => this.#key(event), { capture: true });
    }
    addEventListener("paste", (event) => this.#pasted(event));
    addEventListener("blur", () => this.#letGo());
    addEventListener("focus", () => this.events.changed());
    root.addEventListener("blur", () => this.#letGo());
    root.addEventListener("focus", () => this.events.changed());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.#letGo();
    });
    document.addEventListener("fullscreenchange", () => this.#lockKeys());
    addEventListener("gamepadconnected", () => this.#lookAtPads());
    addEventListener("focus", () => this.#lookAtPads());
  }

  #key(event: KeyboardEvent): void {
    const goesToHost = this.hasKeyboard;
    if (goesToHost && event.type === "keydown") {
      const altGraph = event.getModifierState("AltGraph");
      const command = pageCommand(Object.assign(copyOf(event), { altGraph }), true);
      if (command) {
        event.preventDefault();
        event.stopImmediatePropagation();
        if (event.repeat) return;
        this.releaseAll();
        return this.events.command(command);
      }
    }
    if (!goesToHost) return;
    event.stopImmediatePropagation();
    const pastes = event.type === "keydown" && !event.repeat && this.#pastes(event);
    if (!pastes) event.preventDefault();
    if (pastes && !this.#waiting) this.#waitForPaste();
    if (this.#waiting) this.#waiting.push(copyOf(event));
    else this.#keyboard.take(event);
  }

  #pastes({ code, ctrlKey, metaKey, shiftKey, altKey }: KeyboardEvent): boolean {
    if (altKey || !this.events.sharesClipboard()) return false;
    if (code === "Insert") return shiftKey && !ctrlKey && !metaKey;
    return code === "KeyV" && (this.#isMac ? metaKey : ctrlKey);
  }

  /** The browser tells what is pasted right after the key; until the host has it, keys wait. */
  #waitForPaste(): void {
    this.#waiting = [];
    const timer = setTimeout(() => this.#goOn(), 0);
    this.#onPaste = (text) => {
      clearTimeout(timer);
      const limit = setTimeout(() => this.#goOn(), CLIPBOARD_WAITS_MS);
      const done = () => {
        clearTimeout(limit);
        this.#goOn();
      };
      this.events.shareClipboard(text).then(done, done);
    };
  }

  #pasted(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData("text/plain");
    if (!this.#onPaste || !text) return;
    event.preventDefault();
    const onPaste = this.#onPaste;
    this.#onPaste = undefined;
    onPaste(text);
  }

  #goOn(): void {
    const events = this.#waiting ?? [];
    this.#waiting = this.#onPaste = undefined;
    for (const event of events) this.#keyboard.take(event);
  }

  #letGo(): void {
    if (this.#engaged) this.releaseAll();
    this.events.changed();
  }

  /** In full screen even the system's keys go to the host, where the browser lets them. */
  #lockKeys(): void {
    const { keyboard } = navigator as KeyboardLock;
    const wanted = document.fullscreenElement !== null && this.wantsKeyboard;
    if (wanted === this.#keysLocked) return;
    this.#keysLocked = wanted;
    // A browser that refuses leaves the system its keys.
    if (wanted) keyboard?.lock().catch(() => undefined);
    else keyboard?.unlock();
  }

  #lookAtPads(): void {
    if (this.#looking || !this.#pads || !navigator.getGamepads) return;
    const look = (nowMs: number) => {
      const present = this.#pads && document.hasFocus() ? navigator.getGamepads() : [];
      this.#looking = present.some((pad) => pad !== null);
      this.#pads?.look(present, nowMs);
      if (this.#looking) requestAnimationFrame(look);
    };
    this.#looking = true;
    requestAnimationFrame(look);
  }
}

/** One finger as a mouse button is all that XTEST makes of touches: gestures made here do more. */
function takesFingers(able: InputState | undefined): boolean {
  return able?.touch === true && !able.backend?.startsWith("xtest");
}

function takesAnything({ keyboard, pointer, touch, pads, text }: InputState): boolean {
  return keyboard || pointer || touch || pads || text;
}

function isNothing(active: Element | null): boolean {
  return active === null || active === document.body || active === document.documentElement;
}

/** Events are empty once they are over. */
function copyOf(event: KeyboardEvent): KeyEventLike {
  const { type, code, key, repeat, timeStamp, ctrlKey, altKey, shiftKey, metaKey } = event;
  return { type, code, key, repeat, timeStamp, ctrlKey, altKey, shiftKey, metaKey };
}
