//! The slim bar at the bottom: a few buttons and what is being watched. It hides itself while
//! nobody moves; what the buttons do is decided by the page.

import { element, icon, keepFocus, setText, type IconName } from "./dom";

const HIDE_AFTER_MS = 2500;

/** What one button is and does. */
export interface Command {
  name: string;
  icon: IconName;
  label: string;
  keys?: string;
  toggles: boolean;
  run(): void;
}

interface Button {
  root: HTMLButtonElement;
  badge: HTMLElement;
  command: Command;
  drawn: IconName;
}

/** The bar, and the handle that brings it back where moving does not. */
export class Toolbar {
  readonly root: HTMLElement;
  readonly handle = element("button", {
    type: "button",
    className: "handle",
    ariaLabel: "Show the bar",
    onclick: () => this.wake(),
  });
  readonly #buttons = new Map<string, Button>();
  readonly #caption = element("span", { className: "caption" });
  readonly #call: HTMLButtonElement;
  #hide: ReturnType<typeof setTimeout> | undefined;
  #pinned = false;

  constructor(commands: readonly Command[], onCall: () => void) {
    const buttons = commands.map((command) => this.#button(command));
    this.#call = element("button", { type: "button", className: "call", hidden: true });
    this.#call.onclick = onCall;
    this.root = element(
      "div",
      { className: "toolbar", role: "toolbar", ariaLabel: "Viewer" },
      this.#caption,
      this.#call,
      ...buttons,
    );
    this.root.addEventListener("focusin", () => this.wake());
    keepFocus(this.root);
    keepFocus(this.handle);
    this.handle.addEventListener("pointerenter", () => this.wake());
  }

  /** Says what is being watched. */
  setCaption(text: string): void {
    setText(this.#caption, text);
    this.#caption.title = text;
  }

  /** The button with words, for what matters most now; or none. */
  setCall(text: string | undefined, enabled = true): void {
    this.#call.hidden = text === undefined;
    this.#call.disabled = !enabled;
    setText(this.#call, text ?? "");
  }

  /** Shows whether what a button toggles is on. */
  setPressed(name: string, pressed: boolean): void {
    const button = this.#buttons.get(name);
    if (button) button.root.ariaPressed = String(pressed);
  }

  /** Shows a button only where it is of use. */
  setShown(name: string, shown: boolean): void {
    this.#buttons.get(name)?.root.toggleAttribute("hidden", !shown);
  }

  /** Changes what a button is called; `badge` stands beside its icon. */
  describe(name: string, label: string, badge = ""): void {
    const button = this.#buttons.get(name);
    if (!button) return;
    setText(button.badge, badge);
    setLabel(button, label);
  }

  /** Changes what is drawn on a button. */
  setIcon(name: string, drawn: IconName): void {
    const button = this.#buttons.get(name);
    if (!button || button.drawn === drawn) return;
    button.drawn = drawn;
    button.root.querySelector(".icon")?.replaceWith(icon(drawn));
  }

  /** Puts `control` behind a button. */
  putBehind(name: string, control: HTMLElement): void {
    this.#buttons.get(name)?.root.after(control);
  }

  /** Keeps the bar on the screen, or lets it hide again. */
  pin(pinned: boolean): void {
    this.#pinned = pinned;
    this.wake();
  }

  /** Shows the bar for a while. */
  wake(): void {
    document.body.classList.remove("idle");
    clearTimeout(this.#hide);
    this.#hide = setTimeout(() => this.#sleepUnlessUsed(), HIDE_AFTER_MS);
  }

  /** Shows the bar, or hides it: what a tap on the picture does. */
  toggle(): void {
    if (document.body.classList.contains("idle")) this.wake();
    else this.#sleep();
  }

  /** Puts the focus on the first button. */
  focus(): void {
    this.wake();
    const buttons = [...this.root.querySelectorAll("button")];
    buttons.find((button) => !button.hidden && !button.disabled)?.focus();
  }

  #button(command: Command): HTMLButtonElement {
    const badge = element("span", { className: "badge" });
    const root = element("button", { type: "button" }, icon(command.icon), badge);
    const button = { root, badge, command, drawn: command.icon };
    root.onclick = () => command.run();
    setLabel(button, command.label);
    root.dataset["name"] = command.name;
    if (command.keys) root.setAttribute("aria-keyshortcuts", command.keys);
    if (command.toggles) root.ariaPressed = "false";
    this.#buttons.set(command.name, button);
    return root;
  }

  #sleepUnlessUsed(): void {
    const isUsed = this.root.matches(":hover") || this.root.querySelector(":focus-visible");
    if (isUsed || this.#pinned) this.wake();
    else this.#sleep();
  }

  #sleep(): void {
    clearTimeout(this.#hide);
    document.body.classList.add("idle");
  }
}

function setLabel({ root, command }: Button, label: string): void {
  root.ariaLabel = label;
  root.title = command.keys ? `${label} (${command.keys})` : label;
}
