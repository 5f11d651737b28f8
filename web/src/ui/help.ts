//! The dialog that lists the keys.

import { element, icon } from "./dom";

const KEYS: readonly (readonly [string[], string])[] = [
  [["F"], "Full screen (or double-click the picture)"],
  [["S", "I"], "Statistics: latency of each frame"],
  [["Z"], "Actual pixels, or fit the window"],
  [["?", "H"], "This help"],
  [["Esc"], "Close what is open"],
];

/** The help dialog. */
export class Help {
  readonly root: HTMLDialogElement;
  readonly #version = element("p", { className: "dim" });

  constructor() {
    const rows = KEYS.flatMap(([keys, text]) => [
      element("dt", {}, ...keys.map((key) => element("kbd", {}, key))),
      element("dd", {}, text),
    ]);
    const close = element(
      "button",
      { type: "button", className: "close", ariaLabel: "Close", onclick: () => this.root.close() },
      icon("close"),
    );
    const heading = element("h2", { id: "help-heading" }, "Keys");
    const touch = "On a touch screen, tap the picture to show or hide the bar.";
    this.root = element(
      "dialog",
      { className: "help" },
      element("header", {}, heading, close),
      element("dl", {}, ...rows),
      element("p", { className: "dim" }, touch),
      this.#version,
    );
    this.root.setAttribute("aria-labelledby", heading.id);
    this.root.addEventListener("click", (event) => {
      if (event.target === this.root) this.root.close();
    });
  }

  /** Says which host this is. */
  setVersion(version: string): void {
    this.#version.textContent = `Heliostat ${version}`;
  }

  /** Opens the dialog, or closes it. */
  toggle(): void {
    if (this.root.open) this.root.close();
    else this.root.showModal();
  }
}
