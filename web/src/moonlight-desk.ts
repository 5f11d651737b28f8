//! Moonlight clients from this page's point of view: tells an administrator who waits for a PIN, takes
//! it, and keeps the panel of clients up to date. Where the host tells of none, nothing is shown.

import { pairingText, readPinOutcome, type Client, type Pairing, type PinOutcome } from "./moonlight";
import type { News } from "./news";
import type { Banners } from "./ui/banners";
import { MoonlightPanel } from "./ui/moonlight";
import { PinDialog } from "./ui/pin";

/** The host answers within ten seconds of the PIN; then there is the way to it. */
const PIN_TIMEOUT_MS = 15_000;
const TOLD_MS = 8000;

/** What it needs of the page. */
export interface MoonlightParts {
  request(method: string, params?: Record<string, unknown>, timeoutMs?: number): Promise<unknown>;
  banners: Banners;
  /** How the key of a command is written at this moment. */
  keys(letter: string): string;
  /** The time at the host. */
  now(): Date;
  /** Whether clients are served, or who waits, has changed. */
  changed(): void;
}

/** All of it. */
export class MoonlightDesk {
  readonly panel: MoonlightPanel;
  readonly dialog: PinDialog;
  #pairings: readonly Pairing[] = [];
  /** Nothing until the host tells, which it does where clients are served and to administrators. */
  #clients: readonly Client[] | undefined;

  constructor(private readonly parts: MoonlightParts) {
    const { request } = parts;
    const refuse = ({ id }: Pairing) => request("refusePairing", { id });
    this.panel = new MoonlightPanel({
      enterPin: (pairing) => this.dialog.open(pairing),
      refuse,
      change: (id, change) => request("changeMoonlightClient", { id, ...change }),
      remove: (id) => request("removeMoonlightClient", { id }),
      now: () => parts.now(),
    });
    this.dialog = new PinDialog({
      enter: async ({ id }, pin, name) => {
        const params = { id, pin, ...(name && { name }) };
        return readPinOutcome(await request("enterPin", params, PIN_TIMEOUT_MS));
      },
      refuse,
      tell: (outcome) => this.#tell(outcome),
      manage: ({ id }) => this.panel.manage(id),
    });
  }

  /** Whether there is anything to show. */
  get isServed(): boolean {
    return this.#clients !== undefined;
  }

  /** How many wait for a PIN. */
  get waiting(): number {
    return this.#pairings.length;
  }

  /** Takes in what is news here; whether it was. */
  take(news: News): boolean {
    if (news.kind === "pairings") this.#pairings = news.pairings;
    else if (news.kind === "moonlight-clients") this.#clients = news.clients;
    else return false;
    this.#show();
    return true;
  }

  /** Another session begins, or none is left. */
  restart(): void {
    this.#pairings = [];
    this.#clients = undefined;
    this.panel.toggle(false);
    this.#show();
  }

  /** The PIN of whoever waits, or the clients: what is wanted most now. */
  open(): void {
    const [first] = this.#pairings;
    if (!this.isServed || this.dialog.root.open) return;
    if (first && !this.panel.isOpen) this.dialog.open(first);
    else this.panel.toggle();
  }

  /** Shows the clients. */
  openPanel(): void {
    if (this.isServed) this.panel.toggle(true);
  }

  #tell(outcome: PinOutcome): void {
    const { banners } = this.parts;
    if ("client" in outcome) {
      banners.show("paired", { text: `${outcome.client.name} is paired.`, icon: "gamepad", forMs: TOLD_MS });
    } else {
      banners.show("paired", { text: outcome.failure, icon: "trouble", tone: "trouble", forMs: TOLD_MS });
    }
  }

  #show(): void {
    this.panel.show(this.#pairings, this.#clients ?? []);
    this.dialog.show(this.#pairings);
    this.showBanner();
    this.parts.changed();
  }

  /** Tells who waits, unless the panel does. */
  showBanner(): void {
    const [first, ...others] = this.#pairings;
    const { banners, keys } = this.parts;
    if (!first || this.panel.isOpen) banners.show("pairing", undefined);
    else {
      const refuse = () => void this.parts.request("refusePairing", { id: first.id }).catch(() => undefined);
      banners.show("pairing", {
        text: pairingText([first, ...others]),
        icon: "gamepad",
        actions: [
          { label: "Enter its PIN", keys: keys("G"), primary: true, run: () => this.dialog.open(first) },
          { label: "Refuse", run: refuse },
        ],
      });
    }
  }
}
