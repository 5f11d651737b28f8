//! Who is here, who drives, and what this page may do about it.
import { expect, test } from "vitest";
import { readNews } from "../src/news";
import { controlAction, drivingText, personActions, readRoom } from "../src/room";

interface Wish {
  you?: string;
  role?: string;
  driver?: string;
  request?: string;
  control?: string;
}

/** Ann (1), Bob (2) and Eve (3, who only watches); `you` is one of them. */
function room({ you = "1", role, driver, request, control = "single" }: Wish = {}) {
  const session = (id: string, name: string, theirs: string) => ({
    id,
    name,
    role: id === you ? (role ?? theirs) : theirs,
    via: "web_socket",
    since: 0,
    paused: false,
    controls: control === "shared" ? theirs !== "viewer" : id === driver,
    canControl: (id === you ? (role ?? theirs) : theirs) !== "viewer",
  });
  return readRoom({
    you,
    control,
    driver,
    ...(request && { request: { session: request, name: "Bob", expiresInMs: 9000 } }),
    sessions: [
      session("1", "Ann", "controller"),
      session("2", "Bob", "controller"),
      session("3", "Eve", "viewer"),
    ],
  });
}

test("what can be done about control, in every case", () => {
  expect(controlAction(room())).toBe("take");
  expect(controlAction(room({ driver: "1" }))).toBe("release");
  expect(controlAction(room({ driver: "2" }))).toBe("ask");
  expect(controlAction(room({ driver: "2", request: "1" }))).toBe("asked");
  expect(controlAction(room({ driver: "2", role: "admin" }))).toBe("take");
  expect(controlAction(room({ you: "3", driver: "2" }))).toBeUndefined();
  expect(controlAction(room({ control: "shared" }))).toBeUndefined();
  expect(controlAction(readRoom({ sessions: [] }))).toBeUndefined();
});

test("control is given by who has it, to who may have it; an administrator removes anybody else", () => {
  const actions = (wish: Wish) => {
    const now = room(wish);
    return now.people.map((person) => personActions(now, person).join());
  };
  expect(actions({ driver: "1" })).toEqual(["", "give", ""]);
  expect(actions({ driver: "2" })).toEqual(["", "", ""]);
  expect(actions({ driver: "1", role: "admin" })).toEqual(["", "give,kick", "kick"]);
  expect(actions({ control: "shared", role: "admin" })).toEqual(["", "kick", "kick"]);
});

test("who drives, in words", () => {
  expect(drivingText(room())).toBe("Nobody is driving");
  expect(drivingText(room({ driver: "1" }))).toBe("You are driving");
  expect(drivingText(room({ driver: "2" }))).toBe("Bob is driving");
  expect(drivingText(room({ control: "shared" }))).toBe("Everybody drives");
  expect(drivingText(readRoom(null))).toBe("");
});

test("nonsense makes an empty room, and entries without an id are left out", () => {
  expect(readRoom("no").people).toEqual([]);
  expect(readRoom({ sessions: [{ name: "nobody" }, null, { id: 7, name: "" }] }).people).toMatchObject([
    { id: "7", name: "Somebody", controls: false, canControl: false },
  ]);
});

test("news of every kind is read, and what is malformed is no news", () => {
  const request = { session: "2", name: "Bob", expiresInMs: 15_000 };
  expect(readNews("controlRequested", request)).toEqual({ kind: "control-requested", request });
  expect(readNews("controlRequested", {})).toBeUndefined();
  expect(readNews("signal_lost", { reason: "no_device", why: "gone" })).toEqual({
    kind: "signal-lost",
    reason: "no_device",
    why: "gone",
  });
  expect(readNews("cursor", { id: 1, png: "aGk=", hotX: 2, hotY: 3 })).toEqual({
    kind: "cursor",
    shape: { id: 1, png: "aGk=", hotX: 2, hotY: 3 },
  });
  const breakout = 'x") , url("https://elsewhere.example';
  expect(readNews("cursor", { id: 1, png: breakout, hotX: 0, hotY: 0 })).toBeUndefined();
  expect(readNews("cursorMoved", { x: 1, y: 2, visible: false })).toEqual({
    kind: "cursor-moved",
    place: { x: 1, y: 2, visible: false },
  });
  expect(readNews("inputState", { keyboard: true, backend: "xtest" })).toMatchObject({
    state: { keyboard: true, pointer: false, backend: "xtest" },
  });
  expect(readNews("clipboard", { text: 5 })).toBeUndefined();
});
