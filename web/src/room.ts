//! Who watches and who drives, as the host tells it, and what this page may do about it. Pure.

import { field, readBoolean, readList, readNumber, readText } from "./protocol";

const ROLES = ["player", "viewer", "controller", "admin"] as const;
/** What a login allows, from least to most. */
export type Role = (typeof ROLES)[number];

/** One session. */
export interface Person {
  id: string;
  name: string;
  role: Role | undefined;
  address: string | undefined;
  via: string | undefined;
  isYou: boolean;
  isPaused: boolean;
  controls: boolean;
  canControl: boolean;
}

/** Somebody asks for control. */
export interface ControlRequest {
  session: string;
  name: string;
  expiresInMs: number | undefined;
}

/** Everybody. */
export interface Room {
  you: Person | undefined;
  people: readonly Person[];
  /** Several may drive at once. */
  isShared: boolean;
  driver: Person | undefined;
  request: ControlRequest | undefined;
}

/** Before the host has told. */
export const EMPTY_ROOM: Room = {
  you: undefined,
  people: [],
  isShared: false,
  driver: undefined,
  request: undefined,
};

/** Reads `sessions`. Entries without an id cannot be acted on and are left out. */
export function readRoom(params: unknown): Room {
  const you = readId(params, "you");
  const people = readList(params, "sessions").flatMap((entry): Person[] => {
    const id = readId(entry, "id");
    if (id === undefined) return [];
    const role = ROLES.find((known) => known === readText(entry, "role")?.toLowerCase());
    return [
      {
        id,
        name: readText(entry, "name") || "Somebody",
        role,
        address: readText(entry, "address"),
        via: readText(entry, "via"),
        isYou: id === you,
        isPaused: readBoolean(entry, "paused") ?? false,
        controls: readBoolean(entry, "controls") ?? false,
        canControl: readBoolean(entry, "canControl") ?? (role === "controller" || role === "admin"),
      },
    ];
  });
  const isShared = readText(params, "control") === "shared";
  const driver = readId(params, "driver");
  return {
    you: people.find((person) => person.isYou),
    people,
    isShared,
    driver: isShared
      ? undefined
      : people.find((person) => (driver === undefined ? person.controls : person.id === driver)),
    request: readControlRequest(field(params, "request")),
  };
}

/** Reads a request for control, from `controlRequested` or out of `sessions`. */
export function readControlRequest(value: unknown): ControlRequest | undefined {
  const session = readId(value, "session");
  if (session === undefined) return undefined;
  return {
    session,
    name: readText(value, "name") || "Somebody",
    expiresInMs: readNumber(value, "expiresInMs"),
  };
}

/** What this page may do about control: at most one thing at a time. */
export type ControlAction = "take" | "ask" | "asked" | "release";

/** What it may do now. */
export function controlAction({ you, driver, isShared, request }: Room): ControlAction | undefined {
  if (!you?.canControl || isShared) return undefined;
  if (you.controls) return "release";
  if (!driver || you.role === "admin") return "take";
  return request?.session === you.id ? "asked" : "ask";
}

/** What this page may do about another session. */
export function personActions({ you, isShared }: Room, person: Person): ("give" | "kick")[] {
  if (!you || person.isYou) return [];
  const mayGive = !isShared && you.controls && person.canControl && !person.controls;
  return [...(mayGive ? (["give"] as const) : []), ...(you.role === "admin" ? (["kick"] as const) : [])];
}

/** Who drives, in a few words. */
export function drivingText({ you, driver, isShared, people }: Room): string {
  if (people.length === 0) return "";
  if (isShared) return you?.controls ? "Everybody drives" : "You are watching";
  if (you?.controls) return "You are driving";
  return driver ? `${driver.name} is driving` : "Nobody is driving";
}

/** Ids may be numbers: they only have to be told apart. */
function readId(value: unknown, key: string): string | undefined {
  const id = field(value, key);
  return typeof id === "number" ? String(id) : typeof id === "string" ? id : undefined;
}
