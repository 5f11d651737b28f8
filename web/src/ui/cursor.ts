//! The host's pointer, drawn here without the delay of the picture: as the browser's own cursor for
//! who drives, and as an image over the picture for who watches.

import { toPage, type Box } from "../input/coordinates";
import type { CursorPlace, CursorShape } from "../news";
import { element } from "./dom";

/** Browsers show none that are larger. */
const LARGEST_PX = 128;

/** Who draws the pointer, and where it is. */
export type CursorMode =
  /** It follows the mouse of this page. */
  | "own"
  /** It is where the host says. */
  | "told";

/** Where the picture is. */
export interface CursorGround {
  readonly root: HTMLElement;
  readonly pictureSize: { width: number; height: number };
  pictureBox(): Box | undefined;
}

/** The pointer of one host. */
export class HostCursor {
  readonly root = element("canvas", { className: "host-cursor", hidden: true });
  #mode: CursorMode = "told";
  #shape: CursorShape | undefined;
  #place: CursorPlace | undefined;
  #isInPicture = false;

  constructor(private readonly ground: CursorGround) {
    this.root.ariaHidden = "true";
  }

  /** Forgets everything: another session begins. */
  clear(): void {
    this.#shape = this.#place = undefined;
    this.show();
  }

  /** The host says what it looks like. */
  setShape(shape: CursorShape): void {
    if (this.#shape?.id === shape.id) return;
    this.#shape = shape;
    this.#isInPicture = false;
    void this.#draw(shape);
    this.show();
  }

  /** The host says where it is. */
  setPlace(place: CursorPlace): void {
    this.#place = place;
    this.show();
  }

  /** Whether this page's mouse moves it. */
  setMode(mode: CursorMode): void {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.show();
  }

  /** The host draws it into the picture, where a second one would only be in the way. */
  setInPicture(inPicture: boolean): void {
    this.#isInPicture = inPicture;
    this.show();
  }

  /** Puts everything where it belongs; to be called as well when the picture moved. */
  show(): void {
    const { style } = this.ground.root;
    style.cursor = this.#mode === "own" ? this.#ownCursor() : "";
    const box = this.ground.pictureBox();
    const isTold = this.#mode === "told" && !this.#isInPicture;
    const visible = isTold && this.#shape && this.#place?.visible;
    this.root.hidden = !visible || !box;
    if (!this.#shape || !this.#place || !box) return;
    const scale = box.width / (this.ground.pictureSize.width || 1);
    const { x, y } = toPage(box, this.#place);
    const [left, top] = [x - this.#shape.hotX * scale, y - this.#shape.hotY * scale];
    this.root.style.transform = `translate(${left}px, ${top}px) scale(${scale})`;
  }

  #ownCursor(): string {
    if (this.#isInPicture || this.#place?.visible === false) return "none";
    if (!this.#shape) return "default";
    const { png, hotX, hotY } = this.#shape;
    return `url("data:image/png;base64,${png}") ${hotX} ${hotY}, default`;
  }

  async #draw(shape: CursorShape): Promise<void> {
    const bytes = Uint8Array.from(atob(shape.png), (character) => character.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" })).catch(
      () => undefined,
    );
    if (!image || this.#shape?.id !== shape.id) return;
    this.root.width = Math.min(image.width, LARGEST_PX);
    this.root.height = Math.min(image.height, LARGEST_PX);
    this.root.getContext("2d")?.drawImage(image, 0, 0);
    image.close();
  }
}
