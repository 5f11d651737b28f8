//! The panel of Moonlight clients: who waits for a PIN, who is paired, what each may do and until when.
//! Changes apply at once; what the host says against one stands at its field.

import {
  CLASSES,
  CLIENT_ROLES,
  endText,
  pairingName,
  rightsText,
  type Client,
  type Pairing,
  type Rights,
} from "../moonlight";
import { errorText } from "../rpc";
import { Panel, textButton } from "./dialog";
import { element, setText } from "./dom";
import { Field, select } from "./field";

const LONGEST_NAME = 64;
const ALWAYS = "always";
const KEEP = "keep";
const ENDS = [
  [ALWAYS, "Always"],
  ["3600", "For 1 hour"],
  [String(8 * 3600), "For 8 hours"],
  [String(24 * 3600), "For 1 day"],
  [String(7 * 24 * 3600), "For 7 days"],
] as const;

/** What the panel needs done. */
export interface MoonlightEvents {
  enterPin(pairing: Pairing): void;
  refuse(pairing: Pairing): Promise<unknown>;
  change(id: number, change: Record<string, unknown>): Promise<unknown>;
  remove(id: number): Promise<unknown>;
  /** The time at the host. */
  now(): Date;
}

/** The panel. */
export class MoonlightPanel extends Panel {
  readonly #waiting = element("ul", { className: "people waiting" });
  readonly #list = element("ul", { className: "people" });
  readonly #none: HTMLElement;
  readonly #rows = new Map<number, ClientRow>();
  #listed = "";

  constructor(private readonly events: MoonlightEvents) {
    super("Moonlight clients");
    this.root.classList.add("moonlight");
    this.#none = element(
      "p",
      { className: "dim" },
      "No client is paired. Start Moonlight on another device and choose this host there: it shows four digits, which you type here.",
    );
    this.body.append(this.#waiting, this.#none, this.#list);
  }

  /** Shows who waits and who is paired. */
  show(waiting: readonly Pairing[], clients: readonly Client[]): void {
    const listed = JSON.stringify(waiting);
    if (listed !== this.#listed) {
      this.#listed = listed;
      this.#waiting.replaceChildren(...waiting.map((pairing) => this.#pairing(pairing)));
    }
    this.#waiting.hidden = waiting.length === 0;
    this.#none.hidden = waiting.length + clients.length > 0;
    for (const [id, row] of this.#rows) {
      if (clients.some((client) => client.id === id)) continue;
      row.root.remove();
      this.#rows.delete(id);
    }
    for (const client of clients) {
      const row = this.#rows.get(client.id) ?? new ClientRow(client, this.events);
      this.#rows.set(client.id, row);
      row.show(client);
      if (!row.root.isConnected) this.#list.append(row.root);
    }
    this.#list.hidden = clients.length === 0;
  }

  /** Opens the panel at what a client may do. */
  manage(id: number): void {
    this.toggle(true);
    this.#rows.get(id)?.edit();
  }

  #pairing(pairing: Pairing): HTMLElement {
    const refuse = textButton("Refuse", () => void this.events.refuse(pairing).catch(() => undefined), "small danger");
    const enter = textButton("Enter its PIN…", () => this.events.enterPin(pairing), "small primary");
    return element(
      "li",
      {},
      element("div", {}, element("strong", {}, pairingName(pairing)), element("div", { className: "dim" }, "wants to pair")),
      element("div", { className: "actions" }, refuse, enter),
    );
  }
}

/** One client. */
class ClientRow {
  readonly root: HTMLElement;
  readonly #name = element("strong");
  readonly #streams = element("span", { className: "mark streams" }, "streams");
  readonly #about = element("div", { className: "dim" });
  readonly #change: HTMLButtonElement;
  readonly #actions: HTMLElement;
  readonly #confirm: HTMLElement;
  readonly #question = element("p");
  readonly #keep = textButton("Keep", () => this.#askToRemove(false), "small");
  readonly #error = element("p", { className: "field-error", role: "alert" });
  readonly #fields: HTMLElement;
  readonly #called: Field<HTMLInputElement>;
  readonly #role: Field<HTMLSelectElement>;
  readonly #boxes: Record<keyof Rights, HTMLInputElement>;
  readonly #end: Field<HTMLSelectElement>;
  readonly #kept = element("option", { value: KEEP });

  constructor(
    private client: Client,
    private readonly events: MoonlightEvents,
  ) {
    const { id } = client;
    const change = (what: Record<string, unknown>) => events.change(id, what);
    this.#change = textButton("Change", () => this.edit(this.#fields.hidden));
    this.#change.ariaExpanded = "false";
    const remove = textButton("Remove", () => this.#askToRemove(true), "small danger");
    this.#actions = element("div", { className: "actions" }, this.#change, remove);
    const really = textButton("Remove", () => void this.#remove(), "small danger");
    const answers = element("div", { className: "actions" }, this.#keep, really);
    this.#confirm = element("div", { className: "confirm", role: "alertdialog", hidden: true }, this.#question, answers);
    const name = element("input", { type: "text", maxLength: LONGEST_NAME });
    this.#called = new Field("Called", name, (value) => change({ name: value }));
    this.#role = new Field("It may", select(CLIENT_ROLES), (role) => change({ role }));
    this.#end = new Field("It may come", select(ENDS), (value) => this.#setEnd(value));
    this.#boxes = { keyboard: this.#box(), pointer: this.#box(), pads: this.#box() };
    const classes = CLASSES.map(([key, text]) => element("label", {}, this.#boxes[key], text));
    const group = element("div", { className: "classes", role: "group", ariaLabel: "Which of its input counts" }, ...classes);
    const fields = [this.#called.root, this.#role.root, group, this.#end.root];
    this.#fields = element("div", { className: "fields", hidden: true }, ...fields);
    const about = element("div", {}, this.#name, this.#streams, this.#about);
    this.root = element("li", {}, about, this.#actions, this.#confirm, this.#error, this.#fields);
    this.root.dataset["client"] = String(id);
  }

  /** Shows the client as it is now. */
  show(client: Client): void {
    this.client = client;
    const now = this.events.now();
    const end = endText(client.expiresAt, now);
    setText(this.#name, client.name);
    this.#streams.hidden = client.streams === 0;
    setText(this.#about, [rightsText(client), end].filter((part) => part).join(" · "));
    setText(this.#question, `Remove ${client.name}? Its streams end at once, and to come again it has to pair.`);
    this.#change.ariaLabel = `Change what ${client.name} may do`;
    this.#called.show(client.name);
    this.#role.show(client.role ?? "");
    for (const [key] of CLASSES) {
      this.#boxes[key].checked = client.rights[key];
      this.#boxes[key].disabled = client.role === "viewer";
    }
    const select = this.#end.control;
    if (end === undefined) this.#kept.remove();
    else {
      setText(this.#kept, end.charAt(0).toUpperCase() + end.slice(1));
      if (!this.#kept.isConnected) select.prepend(this.#kept);
    }
    this.#end.show(end === undefined ? ALWAYS : KEEP);
  }

  /** Opens what can be changed, or closes it. */
  edit(open = true): void {
    this.#fields.hidden = !open;
    this.#change.ariaExpanded = String(open);
    setText(this.#change, open ? "Close" : "Change");
    if (open) this.root.scrollIntoView({ block: "nearest" });
  }

  #box(): HTMLInputElement {
    const onchange = () => void this.#try(() => this.events.change(this.client.id, { rights: this.#rights() }));
    return element("input", { type: "checkbox", onchange });
  }

  #rights(): Rights {
    const { keyboard, pointer, pads } = this.#boxes;
    return { keyboard: keyboard.checked, pointer: pointer.checked, pads: pads.checked };
  }

  #setEnd(value: string): Promise<unknown> {
    if (value === KEEP) return Promise.resolve();
    const nowS = Math.floor(this.events.now().getTime() / 1000);
    const expiresAt = value === ALWAYS ? null : nowS + Number(value);
    return this.events.change(this.client.id, { expiresAt });
  }

  #askToRemove(ask: boolean): void {
    this.#confirm.hidden = !ask;
    this.#actions.hidden = ask;
    if (ask) {
      this.edit(false);
      this.#keep.focus();
    } else this.#change.focus();
  }

  async #remove(): Promise<void> {
    await this.#try(() => this.events.remove(this.client.id));
    this.#askToRemove(false);
  }

  /** Does something; where the host is against it, it says so and all is shown as it is. */
  async #try(work: () => Promise<unknown>): Promise<void> {
    setText(this.#error, "");
    await work().catch((error: unknown) => {
      setText(this.#error, errorText(error));
      this.show(this.client);
    });
  }
}
