//! The clipboards of host and page, kept alike while this session drives: text only, each way when it
//! changes, never the same text back.

import { readText } from "./protocol";

/** What it needs; tests put their own in its place. */
export interface ClipboardParts {
  request(method: string, params: Record<string, unknown>): Promise<unknown>;
  /** Puts text into this device's clipboard; fails where the browser wants to be asked by a press. */
  write(text: string): Promise<void>;
  /** The text of the host waits for a press; or nothing does any more. */
  offer(text: string | undefined): void;
}

/** The host refuses more. */
const MOST_BYTES = 128 * 1024;

/** One page's part in it. */
export class ClipboardLink {
  /** Why the host keeps its clipboard to itself, where it does; undefined while that is not known. */
  off: string | undefined;
  isOn = false;
  #last: string | undefined;

  constructor(private readonly parts: ClipboardParts) {}

  /** Asks the host whether it shares its clipboard. To be called when this session begins to drive. */
  async probe(describe: (error: unknown) => string): Promise<void> {
    try {
      const held = await this.parts.request("getClipboard", {});
      // What was there before is nothing new: nobody's clipboard is emptied by looking on.
      this.#last ??= readText(held, "text");
      this.isOn = true;
      this.off = undefined;
    } catch (error) {
      this.isOn = false;
      this.off = describe(error);
    }
  }

  /** This session drives no more. */
  stop(): void {
    this.#last = undefined;
    this.isOn = false;
    this.off = undefined;
    this.parts.offer(undefined);
  }

  /** The host has new text; what it tells before it was asked is not new. */
  async fromHost(text: string): Promise<void> {
    const isNew = this.isOn && text !== this.#last && text !== "";
    this.#last = text;
    if (!isNew) return;
    try {
      await this.parts.write(text);
      this.parts.offer(undefined);
    } catch {
      if (this.#last === text) this.parts.offer(text);
    }
  }

  /** The person pastes this here: the host has it before the promise settles. */
  async fromPage(text: string): Promise<void> {
    if (text === this.#last || new TextEncoder().encode(text).length > MOST_BYTES) return;
    await this.parts.request("setClipboard", { text });
    this.#last = text;
  }
}

/** Writes to the clipboard of this device, within a press of a button even without a secure page. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const { activeElement } = document;
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "offscreen";
    // A modal dialog lets nothing outside of it be selected.
    (document.querySelector("dialog[open]") ?? document.body).append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    if (activeElement instanceof HTMLElement) activeElement.focus({ preventScroll: true });
    return copied;
  }
}
