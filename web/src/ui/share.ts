//! The dialog in which an administrator lets others in: makes links, lists them, takes them back.

import { copyText } from "../clipboard";
import { readList, readNumber, readText } from "../protocol";
import { errorText } from "../rpc";
import { dialog, textButton } from "./dialog";
import { element, setText } from "./dom";

type Request = (method: string, params?: Record<string, unknown>) => Promise<unknown>;

const ROLES = [
  ["viewer", "watch"],
  ["controller", "watch and drive"],
] as const;
const TIMES = [
  [15 * 60, "15 minutes"],
  [3600, "1 hour"],
  [8 * 3600, "8 hours"],
  [24 * 3600, "1 day"],
  [7 * 24 * 3600, "7 days"],
] as const;
const DEFAULT_SECONDS = 3600;
const LONGEST_NAME = 64;

/** The dialog. */
export class Share {
  readonly root: HTMLDialogElement;
  readonly #name = element("input", { type: "text", maxLength: LONGEST_NAME, placeholder: "A name (optional)" });
  readonly #role = element("select", {}, ...ROLES.map(([value, text]) => element("option", { value }, text)));
  readonly #time = element(
    "select",
    {},
    ...TIMES.map(([value, text]) => element("option", { value: String(value) }, text)),
  );
  readonly #error = element("p", { className: "field-error", role: "alert" });
  readonly #made = element("div", { className: "made", hidden: true });
  readonly #url = element("input", { type: "text", readOnly: true, ariaLabel: "The new link" });
  readonly #list = element("ul", { className: "people" });
  readonly #none = element("p", { className: "dim" }, "No link is out.");

  constructor(private readonly request: Request) {
    this.#time.value = String(DEFAULT_SECONDS);
    const copy = textButton("Copy", () => void this.#copy(copy), "small primary");
    this.#made.append(this.#url, copy);
    this.#url.onfocus = () => this.#url.select();
    const form = element(
      "form",
      { className: "share-form" },
      field("Whoever opens the link may", this.#role),
      field("for", this.#time),
      field("and is called", this.#name),
      element("button", { type: "submit", className: "primary" }, "Make a link"),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#create();
    });
    const heading = element("h3", {}, "Links that work now");
    this.root = dialog("Share", form, this.#error, this.#made, heading, this.#none, this.#list);
  }

  /** Opens it, with the links as they are now. */
  open(): void {
    if (this.root.open) return;
    this.#made.hidden = true;
    setText(this.#error, "");
    this.root.showModal();
    void this.#refresh();
  }

  async #create(): Promise<void> {
    const name = this.#name.value.trim();
    const wish = {
      role: this.#role.value,
      forSeconds: Number(this.#time.value),
      ...(name && { name }),
    };
    await this.#try(async () => {
      const url = readText(await this.request("createShareLink", wish), "url");
      if (url === undefined) return;
      this.#url.value = url;
      this.#made.hidden = false;
      this.#url.focus();
      this.#name.value = "";
    });
  }

  async #copy(button: HTMLButtonElement): Promise<void> {
    const copied = await copyText(this.#url.value);
    setText(button, copied ? "Copied" : "Press Ctrl + C");
    if (!copied) this.#url.focus();
    setTimeout(() => setText(button, "Copy"), 2000);
  }

  async #revoke(id: number): Promise<void> {
    await this.#try(async () => {
      await this.request("revokeShareLink", { id });
      this.#made.hidden = true;
    });
  }

  /** Does something, shows what the host says against it, and the list as it is then. */
  async #try(work: () => Promise<void>): Promise<void> {
    setText(this.#error, "");
    await work().catch((error: unknown) => setText(this.#error, errorText(error)));
    await this.#refresh();
  }

  async #refresh(): Promise<void> {
    try {
      const links = readList(await this.request("listShareLinks"), "links");
      this.#list.replaceChildren(...links.flatMap((link) => this.#link(link)));
      this.#none.hidden = links.length > 0;
    } catch (error) {
      setText(this.#error, errorText(error));
    }
  }

  #link(link: unknown): HTMLElement[] {
    const id = readNumber(link, "id");
    if (id === undefined) return [];
    const role = ROLES.find(([value]) => value === readText(link, "role"))?.[1] ?? "do everything";
    const logins = readNumber(link, "logins") ?? 0;
    const about = [
      expiryText(readNumber(link, "expiresInSeconds")),
      logins === 0 ? "not used yet" : `opened ${logins === 1 ? "once" : `${logins} times`}`,
    ];
    const text = element(
      "div",
      {},
      element("strong", {}, readText(link, "name") ?? `Link ${id}`),
      ` may ${role}`,
      element("div", { className: "dim" }, about.join(" · ")),
    );
    const revoke = textButton("Take back", () => void this.#revoke(id), "small danger");
    return [element("li", {}, text, element("div", { className: "actions" }, revoke))];
  }
}

/** How long a link still works, in the largest fitting unit. */
export function expiryText(seconds: number | undefined): string {
  if (seconds === undefined) return "works until it is taken back";
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s left`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min left`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h left`;
  return `${Math.round(seconds / 86400)} days left`;
}

function field(label: string, control: HTMLElement): HTMLElement {
  return element("label", { className: "field" }, element("span", {}, label), control);
}
