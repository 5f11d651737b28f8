//! The phone's own keyboard for the host: a hidden text field that it types into, and a row of the
//! keys that phones lack.

import { codeOf, typed } from "../input/keyboard";
import type { InputSender } from "../input/sender";
import { element, keepFocus } from "./dom";

/** Something to delete, so that every Backspace is told. */
const PADDING = "\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0\u00a0";
/** The field starts afresh before it grows long. */
const LONGEST = 200;

/** What the row has: modifiers stay down until the next key. */
const KEYS: readonly { label: string; code: string; name: string; stays?: boolean }[] = [
  { label: "Esc", code: "Escape", name: "Escape" },
  { label: "Tab", code: "Tab", name: "Tab" },
  { label: "Ctrl", code: "ControlLeft", name: "Control", stays: true },
  { label: "Alt", code: "AltLeft", name: "Alt", stays: true },
  { label: "Shift", code: "ShiftLeft", name: "Shift", stays: true },
  { label: "Win", code: "MetaLeft", name: "Windows or Super", stays: true },
  { label: "←", code: "ArrowLeft", name: "Left" },
  { label: "↑", code: "ArrowUp", name: "Up" },
  { label: "↓", code: "ArrowDown", name: "Down" },
  { label: "→", code: "ArrowRight", name: "Right" },
  { label: "Del", code: "Delete", name: "Delete" },
  { label: "Home", code: "Home", name: "Home" },
  { label: "End", code: "End", name: "End" },
  { label: "PgUp", code: "PageUp", name: "Page up" },
  { label: "PgDn", code: "PageDown", name: "Page down" },
];

/** The keyboard of a touch screen. */
export class TouchKeyboard {
  readonly #field = element("textarea", {
    className: "offscreen",
    ariaLabel: "Typed text goes to the host",
    autocapitalize: "off",
    autocomplete: "off",
    spellcheck: false,
    rows: 1,
  });
  readonly #row = element("div", { className: "keys", role: "toolbar", ariaLabel: "More keys" });
  readonly root = element("div", { className: "touch-keyboard", hidden: true }, this.#field, this.#row);
  /** Called when it opens and when it closes. */
  onToggle: (open: boolean) => void = () => undefined;
  readonly #modifiers = new Map<string, HTMLButtonElement>();
  #told = PADDING;

  constructor(private readonly sender: () => InputSender | undefined) {
    this.#field.setAttribute("autocorrect", "off");
    // Without the focus in the field the phone's keyboard would close.
    keepFocus(this.#row);
    for (const key of KEYS) this.#row.append(this.#key(key));
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#keyed(event));
    this.#field.addEventListener("blur", () => this.close());
    // The keyboard covers the page in some browsers instead of making it smaller.
    visualViewport?.addEventListener("resize", () => this.#lift());
    visualViewport?.addEventListener("scroll", () => this.#lift());
  }

  get isOpen(): boolean {
    return !this.root.hidden;
  }

  /** Opens the phone's keyboard, or closes it. It opens only within a touch. */
  toggle(): void {
    if (this.isOpen) return this.close();
    this.root.hidden = false;
    this.#restart();
    this.#field.focus({ preventScroll: true });
    this.#lift();
    this.onToggle(true);
  }

  /** Closes it. */
  close(): void {
    if (!this.isOpen) return;
    this.#letModifiersGo();
    this.root.hidden = true;
    this.onToggle(false);
  }

  #key({ label, code, name, stays }: (typeof KEYS)[number]): HTMLButtonElement {
    const button = element("button", { type: "button", ariaLabel: name }, label);
    if (stays) {
      button.ariaPressed = "false";
      this.#modifiers.set(code, button);
    }
    button.addEventListener("click", () => {
      if (stays) this.#modify(code, button.ariaPressed !== "true");
      else this.#stroke(code);
    });
    return button;
  }

  #modify(code: string, down: boolean): void {
    const button = this.#modifiers.get(code);
    if (button) button.ariaPressed = String(down);
    this.sender()?.key(code, down);
  }

  #letModifiersGo(): void {
    for (const [code, button] of this.#modifiers) {
      if (button.ariaPressed === "true") this.#modify(code, false);
    }
  }

  #stroke(code: string): void {
    this.sender()?.key(code, true);
    this.sender()?.key(code, false);
    this.#letModifiersGo();
  }

  #typed(): void {
    const { value } = this.#field;
    const { backspaces, text } = typed(this.#told, value);
    this.#told = value;
    for (let count = 0; count < backspaces; count++) this.#stroke("Backspace");
    if (text !== "") this.#send(text);
    if (value.length > LONGEST || value.length < PADDING.length / 2) this.#restart();
  }

  /** With a modifier held, a letter is a key; otherwise it is a letter. */
  #send(text: string): void {
    const held = [...this.#modifiers.values()].some((button) => button.ariaPressed === "true");
    const code = held ? codeOf(text) : undefined;
    if (code) return this.#stroke(code);
    text.split("\n").forEach((line, index) => {
      if (index > 0) this.#stroke("Enter");
      if (line !== "") this.sender()?.text(line);
    });
    this.#letModifiersGo();
  }

  /** What makes no text comes as a key, from keyboards that tell it. */
  #keyed(event: KeyboardEvent): void {
    const isText = event.key.length === 1 || event.isComposing;
    if (isText || !event.code || event.code === "Backspace" || event.code === "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat && !/^(Shift|Control|Alt|Meta)/.test(event.code)) this.#stroke(event.code);
  }

  #restart(): void {
    this.#field.value = this.#told = PADDING;
    this.#field.setSelectionRange(PADDING.length, PADDING.length);
  }

  #lift(): void {
    const view = visualViewport;
    if (!view || !this.isOpen) return;
    const covered = Math.max(0, innerHeight - view.height - view.offsetTop);
    this.root.style.bottom = `${covered}px`;
  }
}
