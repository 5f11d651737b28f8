//! The slim bar at the bottom: a few buttons and what is being watched. It hides itself while
//! nobody moves; what the buttons do is decided by the page.

import { element, icon, setText, type IconName } from "./dom";

const HIDE_AFTER_MS = 2500;

/** What one button is and does. */
export interface Command {
  name: string;
  icon: IconName;
  label: string;
  keys: string;
  toggles: boolean;
  run(): void;
}

/** The bar. */
export class Toolbar {
  readonly root: HTMLElement;
  readonly #buttons = new Map<string, HTMLButtonElement>();
  readonly #caption = element("span", { className: "caption" });
  #hide: ReturnType<typeof setTimeout> | undefined;

  constructor(commands: readonly Command[]) {
    this.root = element("div", { className: "toolbar", role: "toolbar", ariaLabel: "Viewer" });
    this.root.append(this.#caption);
    for (const command of commands) {
      const button = element(
        "button",
        { type: "button", ariaLabel: command.label, onclick: () => command.run() },
        icon(command.icon),
      );
      button.title = `${command.label} (${command.keys})`;
      button.setAttribute("aria-keyshortcuts", command.keys);
      if (command.toggles) button.ariaPressed = "false";
      this.#buttons.set(command.name, button);
      this.root.append(button);
    }
    this.root.addEventListener("focusin", () => this.wake());
  }

  /** Says what is being watched. */
  setCaption(text: string): void {
    setText(this.#caption, text);
  }

  /** Shows whether what a button toggles is on. */
  setPressed(name: string, pressed: boolean): void {
    const button = this.#buttons.get(name);
    if (button) button.ariaPressed = String(pressed);
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

  #sleepUnlessUsed(): void {
    if (this.root.matches(":hover") || this.root.querySelector(":focus-visible")) this.wake();
    else this.#sleep();
  }

  #sleep(): void {
    clearTimeout(this.#hide);
    document.body.classList.add("idle");
  }
}
