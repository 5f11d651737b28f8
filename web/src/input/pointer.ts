//! Mouse, pen and fingers on the picture, while they go to the host: places, relative motion while
//! the mouse is locked, buttons, wheel and touches. Whether they go there is decided elsewhere.

import { isOnPicture, panStep, toPicture, type Box } from "./coordinates";
import { Gestures, type Finger } from "./gestures";
import type { InputSender } from "./sender";
import { Wheel, type WheelLike } from "./wheel";
import type { PicturePoint, TouchPhase } from "./wire";

/** The wire's number of each button, by its bit in `MouseEvent.buttons`. */
const BUTTON_OF_BIT = [0, 2, 1, 3, 4] as const;
/** The host knows no more. */
const MOST_FINGERS = 10;
const VIBRATE_MS = 15;

/** Where the picture is. */
export interface PointerPlace {
  readonly root: HTMLElement;
  /** Whether the picture may be larger than its window. */
  readonly actualPixels: boolean;
  pictureBox(): Box | undefined;
}

/** What the host takes. */
export interface PointerAbilities {
  mouse: boolean;
  touch: boolean;
}

/** The pointers of one page. */
export class Pointer {
  /** Called when the mouse was locked or set free. */
  onLockChange: () => void = () => undefined;
  #abilities: PointerAbilities = { mouse: false, touch: false };
  #sender: InputSender | undefined;
  #bits = 0;
  /** Buttons that were released for another reason and are still down: they count as up. */
  #ignoredBits = 0;
  #lastPoint: PicturePoint | undefined;
  readonly #rest = { x: 0, y: 0 };
  readonly #wheel: Wheel;
  readonly #gestures: Gestures;
  readonly #slots = new Map<number, number>();
  #panning: { x: number; y: number } | undefined;

  constructor(
    private readonly place: PointerPlace,
    isMac: boolean,
  ) {
    this.#wheel = new Wheel(!isMac);
    const to = (act: (sender: InputSender) => void) => {
      if (this.#sender) act(this.#sender);
    };
    this.#gestures = new Gestures(
      {
        moveTo: (point) => to((sender) => sender.moveTo(point)),
        button: (button, down, at) => to((sender) => sender.button(button, down, at)),
        wheel: (dx, dy) => to((sender) => sender.wheel(dx, dy)),
      },
      () => navigator.vibrate?.(VIBRATE_MS),
    );
    this.#listen();
  }

  /** Whether the mouse is locked to the picture. */
  get isLocked(): boolean {
    return document.pointerLockElement === this.place.root;
  }

  /** Whether there is a mouse, and a browser that locks it. */
  get canLock(): boolean {
    return "requestPointerLock" in this.place.root && matchMedia("(any-pointer: fine)").matches;
  }

  /** Sends everything there from now on; nowhere when it is undefined. */
  connect(sender: InputSender | undefined, abilities: PointerAbilities): void {
    if (this.#sender === sender && this.#isSame(abilities)) return;
    this.reset();
    this.#sender = sender;
    this.#abilities = abilities;
    if (!sender && this.isLocked) document.exitPointerLock();
  }

  /** What is down is let go; the host hears of it otherwise. */
  reset(): void {
    this.#gestures.cancel();
    this.#slots.clear();
    this.#ignoredBits |= this.#bits;
    this.#bits = 0;
    this.#lastPoint = undefined;
    this.#panning = undefined;
  }

  /** Locks the mouse to the picture, or sets it free. Fails in the browser's words. */
  async toggleLock(): Promise<void> {
    if (this.isLocked) return document.exitPointerLock();
    const { root } = this.place;
    try {
      // Acceleration is the host's business. Old browsers take no options and answer nothing.
      await root.requestPointerLock({ unadjustedMovement: true });
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotSupportedError") throw error;
      await root.requestPointerLock();
    }
  }

  get #takesMouse(): boolean {
    return this.#sender !== undefined && this.#abilities.mouse;
  }

  get #takesTouch(): boolean {
    return this.#sender !== undefined && (this.#abilities.touch || this.#abilities.mouse);
  }

  #isSame({ mouse, touch }: PointerAbilities): boolean {
    return this.#abilities.mouse === mouse && this.#abilities.touch === touch;
  }

  #listen(): void {
    const { root } = this.place;
    // Raw updates come as the mouse tells them, moves only once a screen refresh.
    const motion = "onpointerrawupdate" in root ? "pointerrawupdate" : "pointermove";
    root.addEventListener(motion as "pointermove", (event) => this.#moved(event));
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"] as const) {
      root.addEventListener(name, (event) => {
        if (event.pointerType === "touch") this.#touched(event);
        else this.#pressed(event);
      });
    }
    root.addEventListener("wheel", (event) => this.#turned(event), { passive: false });
    const own = (event: Event) => {
      if (this.#takesMouse || this.#takesTouch) event.preventDefault();
    };
    // Among what browsers do by themselves are their menu, and going back a page.
    for (const name of ["mousedown", "mouseup", "auxclick", "contextmenu", "dragstart"] as const) {
      root.addEventListener(name, own);
    }
    document.addEventListener("pointerlockchange", () => {
      this.reset();
      this.#sender?.releaseAll();
      this.onLockChange();
    });
  }

  #moved(event: PointerEvent): void {
    if (event.pointerType === "touch" || !this.#takesMouse || !document.hasFocus()) return;
    if (this.isLocked) return this.#movedBy(event.movementX, event.movementY);
    const at = this.#at(event);
    if (!at || (at.x === this.#lastPoint?.x && at.y === this.#lastPoint.y)) return;
    this.#lastPoint = at;
    this.#sender?.moveTo(at);
    this.#panNear(event);
  }

  /** Scaled screens move by fractions. */
  #movedBy(x: number, y: number): void {
    this.#rest.x += x;
    this.#rest.y += y;
    const [dx, dy] = [Math.trunc(this.#rest.x), Math.trunc(this.#rest.y)];
    this.#rest.x -= dx;
    this.#rest.y -= dy;
    if (dx !== 0 || dy !== 0) this.#sender?.moveBy(dx, dy);
  }

  /** Second and third buttons come as moves, so that all of them are read from the bits. */
  #pressed(event: PointerEvent): void {
    if (!this.#takesMouse) return;
    const all = event.type === "pointercancel" ? 0 : event.buttons;
    this.#ignoredBits &= all;
    if (event.type === "pointerdown") this.#hold(event.pointerId);
    const bits = all & ~this.#ignoredBits;
    const changed = bits ^ this.#bits;
    this.#bits = bits;
    if (changed === 0) return;
    const box = this.place.pictureBox();
    const beside = !this.isLocked && !(box && isOnPicture(box, event.clientX, event.clientY));
    BUTTON_OF_BIT.forEach((button, bit) => {
      if ((changed & (1 << bit)) === 0) return;
      const down = (bits & (1 << bit)) !== 0;
      if (!down || !beside) this.#sender?.button(button, down, this.#at(event));
    });
  }

  #hold(pointerId: number): void {
    const { root } = this.place;
    root.focus({ preventScroll: true });
    // A locked mouse needs no holding, and refuses it.
    if (!this.isLocked) root.setPointerCapture(pointerId);
  }

  #turned(event: WheelEvent): void {
    if (!this.#takesMouse) return;
    event.preventDefault();
    const motion = this.#wheel.turn(event as WheelEvent & WheelLike);
    if (motion) this.#sender?.wheel(motion.dx, motion.dy);
  }

  #touched(event: PointerEvent): void {
    if (!this.#takesTouch) return;
    event.preventDefault();
    const at = this.#at(event);
    if (!at) return;
    const phase = phaseOf(event);
    // A tap must not close the phone's keyboard.
    if (phase === "start" && !isTextField(document.activeElement)) {
      this.place.root.focus({ preventScroll: true });
    }
    const id = this.#slot(event.pointerId, phase);
    if (id === undefined) return;
    if (this.#abilities.touch) this.#sender?.touch({ ...at, id, phase });
    else this.#gesture({ id, pageX: event.clientX, pageY: event.clientY, at }, phase);
    if (phase === "start" || phase === "move") this.#panNear(event);
    else this.#panning = undefined;
  }

  #gesture(finger: Finger, phase: TouchPhase): void {
    if (phase === "start") this.#gestures.start(finger, performance.now());
    else if (phase === "move") this.#gestures.move(finger);
    else if (phase === "end") this.#gestures.end(finger, performance.now());
    else this.#gestures.cancel();
  }

  /** Browsers number fingers ever on; the host wants small numbers. */
  #slot(pointerId: number, phase: TouchPhase): number | undefined {
    const known = this.#slots.get(pointerId);
    if (phase === "end" || phase === "cancel") this.#slots.delete(pointerId);
    if (known !== undefined || phase !== "start") return known;
    const taken = [...this.#slots.values()];
    for (let slot = 0; slot < MOST_FINGERS; slot++) {
      if (taken.includes(slot)) continue;
      this.#slots.set(pointerId, slot);
      return slot;
    }
    return undefined;
  }

  #at({ clientX, clientY }: PointerEvent): PicturePoint | undefined {
    if (this.isLocked) return undefined;
    const box = this.place.pictureBox();
    return box && toPicture(box, clientX, clientY);
  }

  /** A picture larger than its window follows the pointer at the window's edges. */
  #panNear({ clientX, clientY }: PointerEvent): void {
    if (!this.place.actualPixels) return;
    const isPanning = this.#panning !== undefined;
    this.#panning = { x: clientX, y: clientY };
    if (!isPanning) requestAnimationFrame(() => this.#pan());
  }

  #pan(): void {
    if (!this.#panning || !this.place.actualPixels) return;
    const { x, y } = this.#panning;
    const { root } = this.place;
    const { dx, dy } = panStep(root.getBoundingClientRect(), x, y);
    const before = [root.scrollLeft, root.scrollTop];
    root.scrollBy(dx, dy);
    if (root.scrollLeft === before[0] && root.scrollTop === before[1]) this.#panning = undefined;
    else requestAnimationFrame(() => this.#pan());
  }
}

function isTextField(active: Element | null): boolean {
  return active instanceof HTMLTextAreaElement || active instanceof HTMLInputElement;
}

function phaseOf({ type }: PointerEvent): TouchPhase {
  if (type === "pointerdown") return "start";
  if (type === "pointerup") return "end";
  return type === "pointercancel" ? "cancel" : "move";
}
