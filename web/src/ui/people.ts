//! The panel that says who watches and who drives, with what may be done about it.

import { controlAction, drivingText, personActions, type Person, type Room } from "../room";
import { Panel, textButton } from "./dialog";
import { element, setText } from "./dom";

const ROLE_TEXTS: Record<NonNullable<Person["role"]>, string> = {
  player: "player",
  viewer: "may watch",
  controller: "may drive",
  admin: "administrator",
};
/** How each control action reads on a button. */
export const ACTION_TEXTS = {
  take: "Take control",
  ask: "Ask for control",
  asked: "Asked…",
  release: "Release control",
} as const;

/** What the person can do here. */
export interface PeopleEvents {
  control(): void;
  give(person: Person): void;
  kick(person: Person): void;
  share(): void;
  moonlight(): void;
  setShared(shared: boolean): void;
}

/** The panel. */
export class People extends Panel {
  readonly #driving = element("p", { className: "driving" });
  readonly #control: HTMLButtonElement;
  readonly #list = element("ul", { className: "people" });
  readonly #devices = element("p", { className: "dim" });
  readonly #admin: HTMLElement;
  readonly #shared = element("input", { type: "checkbox" });
  readonly #moonlight = textButton("Moonlight clients…", () => this.events.moonlight());
  /** What is listed: the same list is not made again under somebody's finger. */
  #listed = "";

  constructor(private readonly events: PeopleEvents) {
    super("Who is here");
    this.#control = textButton(ACTION_TEXTS.take, () => events.control(), "primary");
    this.#shared.onchange = () => events.setShared(this.#shared.checked);
    this.#admin = element(
      "div",
      { className: "row", hidden: true },
      element("label", {}, this.#shared, "Let several drive at the same time"),
      element(
        "div",
        { className: "actions" },
        textButton("Share by link…", () => events.share()),
        this.#moonlight,
      ),
    );
    this.offerMoonlight(false);
    const control = element("div", { className: "row" }, this.#driving, this.#control);
    this.body.append(control, this.#list, this.#admin, this.#devices);
  }

  /** Shows a room. */
  show(room: Room): void {
    const action = controlAction(room);
    setText(this.#driving, drivingText(room));
    this.#control.hidden = action === undefined;
    this.#control.disabled = action === "asked";
    setText(this.#control, action ? ACTION_TEXTS[action] : "");
    this.#admin.hidden = room.you?.role !== "admin";
    this.#shared.checked = room.isShared;
    const listed = JSON.stringify(room);
    if (listed === this.#listed) return;
    this.#listed = listed;
    this.#list.replaceChildren(...room.people.map((person) => this.#person(room, person)));
  }

  /** Whether there are Moonlight clients to be looked at. */
  offerMoonlight(offered: boolean): void {
    this.#moonlight.hidden = !offered;
  }

  /** Says what goes from here to the host. */
  showDevices(text: string): void {
    setText(this.#devices, text);
  }

  #person(room: Room, person: Person): HTMLElement {
    const name = element("strong", {}, person.name);
    const marks = [
      person.isYou ? "you" : undefined,
      person.controls ? "drives" : undefined,
      person.isPaused ? "paused" : undefined,
    ].filter((mark) => mark !== undefined);
    const about = [person.role && ROLE_TEXTS[person.role], person.address, viaText(person.via)];
    const actions = personActions(room, person).map((action) =>
      action === "give"
        ? textButton("Give control", () => this.events.give(person))
        : textButton("Remove", () => this.events.kick(person), "small danger"),
    );
    return element(
      "li",
      {},
      element(
        "div",
        {},
        name,
        ...marks.map((mark) => element("span", { className: `mark ${mark}` }, mark)),
        element("div", { className: "dim" }, about.filter((part) => part).join(" · ")),
      ),
      element("div", { className: "actions" }, ...actions),
    );
  }
}

/** The page itself goes without saying. */
function viaText(via: string | undefined): string | undefined {
  if (via === undefined || via === "web_socket") return undefined;
  return (
    { whep: "WHEP", jet_kvm: "JetKVM client", stdio: "embedded", moonlight: "Moonlight" }[via] ?? via
  );
}
