//! A setting that is applied when it is changed: its control, and what the host says against it.

import { errorText } from "../rpc";
import { element, setText } from "./dom";

/** One setting. */
export class Field<C extends HTMLInputElement | HTMLSelectElement = HTMLInputElement | HTMLSelectElement> {
  readonly root: HTMLElement;
  readonly #error = element("span", { className: "field-error", role: "alert" });

  constructor(
    label: string,
    readonly control: C,
    apply: (value: string) => Promise<unknown>,
  ) {
    this.root = element("label", { className: "field" }, element("span", {}, label), control, this.#error);
    control.addEventListener("change", () => void this.#apply(apply));
  }

  /** Shows the present value, unless somebody is about to change it. */
  show(value: string): void {
    if (this.control instanceof HTMLInputElement && document.activeElement === this.control) return;
    this.control.value = value;
  }

  async #apply(apply: (value: string) => Promise<unknown>): Promise<void> {
    this.root.classList.add("busy");
    const failure = await apply(this.control.value).then(
      () => "",
      (error: unknown) => errorText(error),
    );
    this.root.classList.remove("busy");
    this.root.classList.toggle("wrong", failure !== "");
    setText(this.#error, failure);
  }
}

/** A control that offers values, each with its words. */
export function select(options: readonly (readonly [string, string])[]): HTMLSelectElement {
  const made = options.map(([value, text]) => element("option", { value }, text));
  return element("select", {}, ...made);
}
