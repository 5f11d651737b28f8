//! What all windows over the picture share: panels at its side, which leave it usable, and dialogs,
//! which do not.

import { element, icon } from "./dom";

/** A panel at the side of the picture. */
export class Panel {
  readonly root: HTMLElement;
  readonly body = element("div", { className: "panel-body" });
  /** Called when it opens and when it closes. */
  onToggle: (open: boolean) => void = () => undefined;

  constructor(title: string) {
    const close = closeButton(() => this.toggle(false));
    this.root = element(
      "section",
      { className: "panel", ariaLabel: title, hidden: true, tabIndex: -1 },
      element("header", {}, element("h2", {}, title), close),
      this.body,
    );
    this.root.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle(false);
    });
  }

  get isOpen(): boolean {
    return !this.root.hidden;
  }

  /** Opens it, or closes it. */
  toggle(open = !this.isOpen): void {
    if (open === this.isOpen) return;
    this.root.hidden = !open;
    if (open) this.root.focus({ preventScroll: true });
    this.onToggle(open);
  }
}

/** A dialog over the page, with what it says. It closes by Esc and by a press beside it. */
export function dialog(title: string, ...children: Node[]): HTMLDialogElement {
  const id = `dialog-${title.toLowerCase().replace(/\W+/g, "-")}`;
  // It gets the focus, so that no button looks as if it were meant.
  const heading = element("h2", { id, tabIndex: -1, autofocus: true }, title);
  const root: HTMLDialogElement = element(
    "dialog",
    { className: "dialog" },
    element("header", {}, heading, closeButton(() => root.close())),
    ...children,
  );
  root.setAttribute("aria-labelledby", heading.id);
  root.addEventListener("pointerdown", (event) => {
    if (event.target === root && isBeside(root, event)) root.close();
  });
  return root;
}

/** A button with a word. */
export function textButton(label: string, run: () => void, className = "small"): HTMLButtonElement {
  return element("button", { type: "button", className, onclick: run }, label);
}

function closeButton(run: () => void): HTMLButtonElement {
  return element(
    "button",
    { type: "button", className: "close", ariaLabel: "Close", onclick: run },
    icon("close"),
  );
}

function isBeside(root: HTMLElement, { clientX, clientY }: PointerEvent): boolean {
  const { left, right, top, bottom } = root.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}
