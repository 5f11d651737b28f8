//! The slider for how loud the sound is, in the bar behind its button.

import { element } from "./dom";

const STEPS = 20;

/** The slider. */
export class Volume {
  readonly root = element("input", {
    type: "range",
    className: "volume",
    min: "0",
    max: String(STEPS),
    ariaLabel: "Volume",
    title: "Volume",
  });

  /** `onReleased` is called when a pointer lets go of it: it keeps no keys from the host. */
  constructor(onVolume: (volume: number) => void, onReleased: () => void) {
    const { root } = this;
    root.addEventListener("input", () => {
      this.#paint();
      onVolume(Number(root.value) / STEPS);
    });
    // The bar leaves the focus where it is by refusing to be pressed; this has to be.
    root.addEventListener("mousedown", (event) => event.stopPropagation());
    root.addEventListener("pointerup", () => {
      root.blur();
      onReleased();
    });
  }

  /** Shows how loud it is, 0 to 1. */
  show(volume: number): void {
    const value = String(Math.round(volume * STEPS));
    if (this.root.value !== value) this.root.value = value;
    const words = volume === 0 ? "muted" : `${Math.round(volume * 100)} %`;
    this.root.setAttribute("aria-valuetext", words);
    this.#paint();
  }

  #paint(): void {
    this.root.style.setProperty("--filled", `${(Number(this.root.value) * 100) / STEPS}%`);
  }
}
