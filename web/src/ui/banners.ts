//! The lines at the top of the page: what is wrong with the picture, who asks for what, what just
//! happened. Each has a name, under which it is changed and taken away.

import { element, icon, keepFocus, setText, type IconName } from "./dom";

/** A button of a line. */
export interface BannerAction {
  label: string;
  /** The key that does the same, as it is written. */
  keys?: string;
  primary?: boolean;
  run(): void;
}

/** One line. */
export interface Banner {
  text: string;
  /** What changes every second; nobody wants that read aloud. */
  note?: string;
  icon?: IconName;
  tone?: "trouble" | "calm";
  actions?: readonly BannerAction[];
  /** It goes by itself after this time. */
  forMs?: number;
}

interface Shown {
  root: HTMLElement;
  text: HTMLElement;
  note: HTMLElement;
  /** What it is apart from its text: while that is the same, no button is made anew under a finger. */
  key: string;
  actions: readonly BannerAction[];
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** All lines. */
export class Banners {
  readonly root = element("div", { className: "banners" });
  readonly #shown = new Map<string, Shown>();

  constructor() {
    keepFocus(this.root);
  }

  /** Shows a line, changes it, or takes it away. */
  show(name: string, banner: Banner | undefined): void {
    const shown = this.#shown.get(name);
    clearTimeout(shown?.timer);
    if (!banner) {
      shown?.root.remove();
      this.#shown.delete(name);
      return;
    }
    const labels = banner.actions?.map(({ label }) => label) ?? [];
    const key = JSON.stringify([banner.icon, banner.tone, labels]);
    const current = shown?.key === key ? shown : this.#make(name, banner, key);
    current.actions = banner.actions ?? [];
    setText(current.text, banner.text);
    setText(current.note, banner.note ?? "");
    if (banner.forMs !== undefined) {
      current.timer = setTimeout(() => this.show(name, undefined), banner.forMs);
    }
  }

  #make(name: string, banner: Banner, key: string): Shown {
    const text = element("span");
    const said = element("div", { className: "said", role: "status" }, text);
    const note = element("span", { className: "banner-note", ariaHidden: "true" });
    const root = element("div", { className: "notice" }, said, note);
    if (banner.icon) said.prepend(icon(banner.icon));
    root.dataset["tone"] = banner.tone ?? "calm";
    const shown: Shown = { root, text, note, key, actions: [], timer: undefined };
    banner.actions?.forEach(({ label, keys, primary }, index) => {
      const onclick = () => shown.actions[index]?.run();
      const className = primary ? "small primary" : "small";
      const button = element("button", { type: "button", className, onclick }, label);
      if (keys) {
        button.title = keys;
        button.append(element("kbd", {}, keys));
      }
      root.append(button);
    });
    const old = this.#shown.get(name)?.root;
    if (old) old.replaceWith(root);
    else this.root.append(root);
    this.#shown.set(name, shown);
    return shown;
  }
}
