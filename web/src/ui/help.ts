//! The dialog that lists the keys.

import { HOST_KEYS, SHORTCUTS, type PageCommand } from "../shortcuts";
import { dialog } from "./dialog";
import { element } from "./dom";

const TOUCH =
  "On a touch screen: tap to click, drag to drag, two fingers to scroll, a long press for the right button. While you only watch, a tap shows or hides the bar.";

/** The help dialog. */
export class Help {
  readonly root: HTMLDialogElement;
  readonly #version = element("p", { className: "dim" });
  readonly #rows = new Map<PageCommand, HTMLElement[]>();

  constructor() {
    const rows = SHORTCUTS.flatMap(({ command, keys, text }) => {
      const made = row(keys, text);
      this.#rows.set(command, made);
      return made;
    });
    this.setShown("moonlight", false);
    const driving = element(
      "p",
      { className: "note" },
      "While your keyboard goes to the host, hold ",
      ...HOST_KEYS.split(" + ").map((key) => element("kbd", {}, key)),
      " along with these keys.",
    );
    this.root = dialog(
      "Keys",
      driving,
      element("dl", {}, ...rows, ...row(["Esc"], "Close what is open; held: leave full screen")),
      element("p", { className: "dim" }, TOUCH),
      this.#version,
    );
    this.root.classList.add("help");
  }

  /** Lists a command only where there is something for it to do. */
  setShown(command: PageCommand, shown: boolean): void {
    for (const part of this.#rows.get(command) ?? []) part.hidden = !shown;
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

function row(keys: readonly string[], text: string): HTMLElement[] {
  return [
    element("dt", {}, ...keys.map((key) => element("kbd", {}, key))),
    element("dd", {}, text),
  ];
}
