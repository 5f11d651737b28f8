//! The dialog that takes the PIN of a Moonlight client, and says what came of it.

import { pairingName, rightsText, type Client, type Pairing, type PinOutcome } from "../moonlight";
import { errorText } from "../rpc";
import { dialog, textButton } from "./dialog";
import { element, setText } from "./dom";

const DIGITS = 4;
const LONGEST_NAME = 64;
const AGAIN = "It shows another PIN now.";
const GONE = "It does not wait any more.";

/** What it needs done. */
export interface PinEvents {
  enter(pairing: Pairing, pin: string, name: string): Promise<PinOutcome>;
  refuse(pairing: Pairing): Promise<unknown>;
  /** Says how it ended, where the dialog was closed meanwhile. */
  tell(outcome: PinOutcome): void;
  /** Shows what a client may do. */
  manage(client: Client): void;
}

/** The dialog. */
export class PinDialog {
  readonly root: HTMLDialogElement;
  readonly #who = element("p");
  readonly #pin = element("input", {
    type: "text",
    className: "pin",
    inputMode: "numeric",
    autocomplete: "off",
    maxLength: DIGITS,
    placeholder: "····",
    ariaLabel: "The PIN that the client shows",
  });
  readonly #name = element("input", { type: "text", maxLength: LONGEST_NAME, placeholder: "A name (optional)" });
  readonly #said = element("p", { className: "pin-said", role: "status" });
  readonly #refuse = textButton("Refuse", () => void this.#turnAway(), "plain danger");
  readonly #pair = element("button", { type: "submit", className: "primary" }, "Pair");
  /** What is there while a PIN is awaited. */
  readonly #asking: HTMLElement[];
  readonly #after = element("div", { className: "actions", hidden: true });
  #pairing: Pairing | undefined;
  #isBusy = false;

  constructor(private readonly events: PinEvents) {
    this.#pin.addEventListener("input", () => {
      this.#pin.value = this.#pin.value.replace(/\D/g, "").slice(0, DIGITS);
      this.#say("");
    });
    const name = element("label", { className: "field" }, element("span", {}, "Call it"), this.#name);
    const answers = element("div", { className: "actions" }, this.#refuse, this.#pair);
    this.#asking = [this.#pin, name, answers];
    const parts = [this.#who, this.#pin, this.#said, name, answers, this.#after];
    const form = element("form", { className: "pin-form", noValidate: true }, ...parts);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#enter();
    });
    this.root = dialog("Pair with Moonlight", form);
    this.root.addEventListener("close", () => (this.#pairing = undefined));
  }

  /** Opens it for a client that waits. */
  open(pairing: Pairing): void {
    if (!this.#isBusy) this.#ask(pairing);
    if (!this.root.open) this.root.showModal();
    this.#pin.focus();
  }

  /** These clients wait now. */
  show(waiting: readonly Pairing[]): void {
    const [first] = waiting;
    if (!this.root.open || this.#isBusy) return;
    if (this.#pairing && !waiting.some(({ id }) => id === this.#pairing?.id)) this.#fail(GONE);
    // Whoever starts again after a wrong PIN shows another one, which is what is typed next.
    if (!this.#pairing && first && !this.#isDone) {
      this.open(first);
      this.#say(AGAIN);
    }
  }

  get #isDone(): boolean {
    return this.#said.dataset["tone"] === "done";
  }

  #ask(pairing: Pairing): void {
    this.#pairing = pairing;
    const name = element("strong", {}, pairingName(pairing));
    this.#who.replaceChildren(name, " shows four digits. Type them here:");
    this.#pin.value = "";
    for (const part of this.#asking) part.hidden = false;
    this.#after.hidden = true;
    this.#say("");
    this.#setBusy(false);
  }

  async #enter(): Promise<void> {
    const pairing = this.#pairing;
    if (!pairing || this.#isBusy) return;
    if (this.#pin.value.length !== DIGITS) {
      this.#pin.focus();
      return this.#say("The PIN has four digits.", "trouble");
    }
    this.#setBusy(true);
    this.#say("Waiting for the client…");
    try {
      const outcome = await this.events.enter(pairing, this.#pin.value, this.#name.value.trim());
      this.#setBusy(false);
      if ("client" in outcome) this.#succeed(outcome.client);
      else this.#fail(outcome.failure);
      if (!this.root.open) this.events.tell(outcome);
    } catch (error) {
      // Nothing came of it: the client waits on, or shows soon that it does not.
      this.#setBusy(false);
      this.#say(errorText(error), "trouble");
      this.#pin.select();
    }
  }

  async #turnAway(): Promise<void> {
    const pairing = this.#pairing;
    this.root.close();
    // One that is gone already needs no refusal.
    if (pairing) await this.events.refuse(pairing).catch(() => undefined);
  }

  #succeed(client: Client): void {
    this.#name.value = "";
    this.#finish([
      textButton("What it may do…", () => {
        this.root.close();
        this.events.manage(client);
      }, "plain"),
      textButton("Done", () => this.root.close(), "primary"),
    ]);
    this.#who.replaceChildren(element("strong", {}, client.name), " is paired.");
    this.#say(`It ${rightsText(client)}.`, "done");
  }

  #fail(why: string): void {
    this.#finish([textButton("Close", () => this.root.close(), "plain")]);
    this.#who.replaceChildren("Nobody is paired.");
    this.#say(why, "trouble");
  }

  #finish(actions: HTMLElement[]): void {
    this.#pairing = undefined;
    for (const part of this.#asking) part.hidden = true;
    this.#after.hidden = false;
    this.#after.replaceChildren(...actions);
    if (this.root.open) actions.at(-1)?.focus();
  }

  #setBusy(busy: boolean): void {
    this.#isBusy = busy;
    this.#pin.readOnly = busy;
    this.#pair.disabled = busy;
    this.#refuse.disabled = busy;
  }

  #say(text: string, tone: "calm" | "trouble" | "done" = "calm"): void {
    this.#said.dataset["tone"] = tone;
    setText(this.#said, text);
  }
}
