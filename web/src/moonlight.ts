//! Moonlight clients as the host tells of them to administrators: who waits for a PIN, who is paired,
//! and what each may do, with the words for it. Pure.

import { field, readBoolean, readList, readNumber, readText } from "./protocol";

/** What every client of the usual kinds calls itself. */
const NO_NAME = "roth";

/** A client that shows a PIN and waits for it. */
export interface Pairing {
  id: number;
  name: string;
  address: string;
}

/** What a client may do, from least to most. */
export const CLIENT_ROLES = [
  ["viewer", "watch"],
  ["controller", "watch and drive"],
  ["admin", "drive at any time"],
] as const;
export type ClientRole = (typeof CLIENT_ROLES)[number][0];

/** The classes of input, each allowed by itself. */
export const CLASSES = [
  ["keyboard", "Keyboard"],
  ["pointer", "Mouse"],
  ["pads", "Gamepads"],
] as const;
export type Rights = Record<(typeof CLASSES)[number][0], boolean>;

/** A paired client. */
export interface Client {
  id: number;
  name: string;
  role: ClientRole | undefined;
  rights: Rights;
  /** In seconds since 1970. */
  expiresAt: number | undefined;
  /** Its streams that run. */
  streams: number;
}

/** Reads `pairingsChanged`; what has no number cannot be answered. */
export function readPairings(params: unknown): Pairing[] {
  return readList(params, "pairings").flatMap((entry): Pairing[] => {
    const id = readNumber(entry, "id");
    const name = readText(entry, "name") ?? "";
    return id === undefined ? [] : [{ id, name, address: readText(entry, "address") ?? "" }];
  });
}

/** Reads `moonlightClientsChanged`. */
export function readClients(params: unknown): Client[] {
  return readList(params, "clients").flatMap((entry) => readClient(entry) ?? []);
}

function readClient(entry: unknown): Client | undefined {
  const id = readNumber(entry, "id");
  if (id === undefined) return undefined;
  const rights = field(entry, "rights");
  const may = (what: keyof Rights) => readBoolean(rights, what) ?? false;
  return {
    id,
    name: readText(entry, "name") ?? `Client ${id}`,
    role: CLIENT_ROLES.find(([role]) => role === readText(entry, "role"))?.[0],
    rights: { keyboard: may("keyboard"), pointer: may("pointer"), pads: may("pads") },
    expiresAt: readNumber(entry, "expiresAt"),
    streams: readList(entry, "sessions").length,
  };
}

/** Who waits, for a person. */
export function pairingName({ name, address }: Pairing): string {
  const known = name === "" || name.toLowerCase() === NO_NAME ? "A Moonlight client" : name;
  return address === "" ? known : `${known} at ${address}`;
}

/** The line at the top of the page while somebody waits. */
export function pairingText([first, ...others]: readonly [Pairing, ...Pairing[]]): string {
  const more = others.length === 0 ? "" : others.length === 1 ? " (and one more)" : ` (and ${others.length} more)`;
  return `${pairingName(first)} wants to pair${more}.`;
}

/** What came of a PIN: who is paired, or why nobody is. */
export type PinOutcome = { client: Client } | { failure: string };

/** Reads the answer to `enterPin`. */
export function readPinOutcome(answer: unknown): PinOutcome {
  const client = readClient(field(answer, "client"));
  const again = "Start pairing there again: it then shows another PIN.";
  switch (readText(answer, "ended")) {
    case "paired":
      return client ? { client } : { failure: "The host did not say whom it paired." };
    case "wrong_pin":
      return { failure: `That is not the PIN that the client shows. ${again}` };
    case "not_kept": {
      const why = readText(answer, "why");
      return { failure: `The PIN is right, but the host could not keep the client${why ? `: ${why}` : ""}.` };
    }
    case "gave_up":
      return { failure: `The client gave up. ${again}` };
    case "timed_out":
      return { failure: `The client did not go on after its PIN. ${again}` };
    default:
      return { failure: "The host did not say how it ended." };
  }
}

/** What a client may do, in one line. */
export function rightsText({ role, rights }: Client): string {
  if (role === "viewer") return "may watch";
  const allowed = CLASSES.filter(([name]) => rights[name]).map(([, text]) => text.toLowerCase());
  if (allowed.length === 0) return "may watch: no input of its is allowed";
  const may = role === "admin" ? "may drive at any time" : "may drive";
  return allowed.length === CLASSES.length ? may : `${may}, only with ${allowed.join(" and ")}`;
}

/** Until when a client may come; nothing where it always may. */
export function endText(expiresAt: number | undefined, now: Date): string | undefined {
  if (expiresAt === undefined) return undefined;
  const end = new Date(expiresAt * 1000);
  if (end <= now) return "its time is over";
  const time = end.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  if (end.toDateString() === now.toDateString()) return `until ${time}`;
  const day = end.toLocaleDateString([], {
    day: "numeric",
    month: "short",
    ...(end.getFullYear() !== now.getFullYear() && { year: "numeric" }),
  });
  return `until ${day}, ${time}`;
}
