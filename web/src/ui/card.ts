//! The card in the middle of the page that says what is going on while there is no live picture.

import type { CardText } from "../words";
import { element, icon, setText } from "./dom";

/** The card. It is empty and invisible while the picture speaks for itself. */
export class Card {
  readonly root: HTMLElement;
  readonly #mark = element("div", { className: "card-mark" });
  readonly #title = element("h1");
  readonly #detail = element("p", { className: "card-detail" });
  readonly #retry = element("p", { className: "card-retry" });
  readonly #action: HTMLButtonElement;
  #tone: CardText["tone"] | undefined;

  constructor(onAction: () => void) {
    this.#action = element("button", { type: "button", className: "primary", onclick: onAction });
    const said = element("div", { role: "status" }, this.#title, this.#detail);
    this.root = element("div", { className: "card" }, this.#mark, said, this.#retry, this.#action);
    this.show(undefined);
  }

  /** Shows `text`, or nothing. */
  show(text: CardText | undefined): void {
    this.root.hidden = text === undefined;
    if (!text) return;
    setText(this.#title, text.title);
    setText(this.#detail, text.detail ?? "");
    setText(this.#retry, text.retry ?? "");
    setText(this.#action, text.action ?? "");
    this.#detail.hidden = !text.detail;
    this.#retry.hidden = !text.retry;
    this.#action.hidden = !text.action;
    if (this.#tone === text.tone) return;
    this.#tone = text.tone;
    this.root.dataset["tone"] = text.tone;
    this.#mark.replaceChildren(
      text.tone === "busy" ? element("span", { className: "spinner" }) : icon(text.tone),
    );
  }
}
