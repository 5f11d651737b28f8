//! The dialog that takes a text to be typed at the host.

import { dialog, textButton } from "./dialog";
import { element } from "./dom";

/** The dialog. */
export class Paste {
  readonly root: HTMLDialogElement;
  readonly #text = element("textarea", {
    rows: 7,
    spellcheck: false,
    ariaLabel: "Text to type",
    placeholder: "Paste or write the text here.",
  });

  constructor(onType: (text: string) => void) {
    const type = () => {
      this.root.close();
      if (this.#text.value !== "") onType(this.#text.value);
    };
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) type();
    });
    this.root = dialog(
      "Paste as text",
      element(
        "p",
        { className: "dim" },
        "The host types it as if it came from a keyboard, whatever its layout.",
      ),
      this.#text,
      element(
        "div",
        { className: "actions" },
        textButton("Cancel", () => this.root.close(), "plain"),
        textButton("Type it", type, "primary"),
      ),
    );
    this.root.addEventListener("close", () => (this.#text.value = ""));
  }

  /** Opens it with what this device's clipboard holds, where the browser tells. */
  async open(): Promise<void> {
    if (this.root.open) return;
    // Asked before the dialog opens, while the press of the button still counts.
    const held = navigator.clipboard?.readText?.();
    this.root.showModal();
    this.#text.focus();
    const text = await held?.catch(() => undefined);
    if (text && this.root.open && this.#text.value === "") this.#text.value = text;
    this.#text.select();
  }
}
