//! What of the keyboard goes to the host, and what to the page.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { codeOf, Keyboard, keySystem, typed, type KeySystem } from "../src/input/keyboard";
import { pageCommand, SHORTCUTS } from "../src/shortcuts";

let strokes: string[];
let heldKeys: Set<string>;

beforeEach(() => {
  vi.useFakeTimers();
  strokes = [];
  heldKeys = new Set();
});
afterEach(() => {
  vi.useRealTimers();
});

function keyboard(system: KeySystem): Keyboard {
  const key = (code: string, down: boolean) => {
    if (heldKeys.has(code) === down) return;
    if (down) heldKeys.add(code);
    else heldKeys.delete(code);
    strokes.push(`${down ? "+" : "-"}${code}`);
  };
  return new Keyboard({ key, heldKeys: () => [...heldKeys] }, system);
}

const NO_MODIFIERS = { ctrlKey: false, altKey: false, shiftKey: false, metaKey: false };

function event(type: string, code: string, more: object = {}) {
  const timeStamp = performance.now();
  return { type, code, key: "", repeat: false, timeStamp, ...NO_MODIFIERS, ...more };
}

test("presses and releases pass, repeats do not, and screen keyboards tell no key", () => {
  const keys = keyboard("other");
  keys.take(event("keydown", "KeyA"));
  keys.take(event("keydown", "KeyA", { repeat: true }));
  keys.take(event("keyup", "KeyA"));
  keys.take(event("keydown", ""));
  keys.take(event("keydown", "Unidentified"));
  expect(strokes).toEqual(["+KeyA", "-KeyA"]);
});

test("AltGr of Windows is one key", () => {
  const keys = keyboard("windows");
  keys.take(event("keydown", "ControlLeft"));
  keys.take(event("keydown", "AltRight"));
  keys.take(event("keydown", "KeyQ"));
  keys.take(event("keyup", "KeyQ"));
  keys.take(event("keyup", "ControlLeft"));
  keys.take(event("keyup", "AltRight"));
  vi.advanceTimersByTime(1000);
  expect(strokes).toEqual(["+AltRight", "+KeyQ", "-KeyQ", "-AltRight"]);
});

test("Control of Windows comes before what it is held for, and alone after a moment", () => {
  const keys = keyboard("windows");
  keys.take(event("keydown", "ControlLeft"));
  keys.take(event("keydown", "KeyC"));
  expect(strokes).toEqual(["+ControlLeft", "+KeyC"]);
  keys.take(event("keyup", "KeyC"));
  keys.take(event("keyup", "ControlLeft"));
  keys.take(event("keydown", "ControlLeft"));
  vi.advanceTimersByTime(100);
  expect(strokes.at(-1)).toBe("+ControlLeft");
  expect(heldKeys).toEqual(new Set(["ControlLeft"]));
});

test("a real Control and then AltRight, pressed by hand, stay two keys", () => {
  const keys = keyboard("windows");
  keys.take(event("keydown", "ControlLeft"));
  vi.advanceTimersByTime(200);
  keys.take(event("keydown", "AltRight"));
  expect(strokes).toEqual(["+ControlLeft", "+AltRight"]);
});

test("on a Mac, letters are let go with Command, which hides their release", () => {
  const keys = keyboard("mac");
  for (const code of ["ShiftLeft", "MetaLeft", "KeyZ"]) keys.take(event("keydown", code));
  keys.take(event("keyup", "MetaLeft"));
  expect(heldKeys).toEqual(new Set(["ShiftLeft"]));
  keys.take(event("keydown", "CapsLock"));
  expect(strokes.slice(-2)).toEqual(["+CapsLock", "-CapsLock"]);
});

test("on Windows both Shifts end together, since one end is not told", () => {
  const keys = keyboard("windows");
  keys.take(event("keydown", "ShiftLeft"));
  keys.take(event("keydown", "ShiftRight"));
  keys.take(event("keyup", "ShiftRight"));
  expect(heldKeys).toEqual(new Set());
});

test("systems are known by their platform", () => {
  expect(["Win32", "MacIntel", "iPhone", "Linux x86_64"].map(keySystem)).toEqual([
    "windows",
    "mac",
    "mac",
    "other",
  ]);
});

test("the page's keys work alone while the keyboard is the page's", () => {
  const press = (key: string, code: string, more = {}) =>
    pageCommand({ key, code, ...NO_MODIFIERS, ...more }, false);
  expect(press("s", "KeyS")).toBe("statistics");
  expect(press("S", "KeyS", { shiftKey: true })).toBe("statistics");
  expect(press("?", "Minus", { shiftKey: true })).toBe("help");
  expect(press("s", "KeyS", { ctrlKey: true })).toBeUndefined();
  expect(press("w", "KeyZ"), "a French W is where a Z is").toBeUndefined();
  expect(press("я", "KeyZ"), "a Russian letter has the place of a Z").toBe("actual");
  expect(press("x", "KeyX")).toBeUndefined();
});

test("while the host has the keyboard they need three modifiers, and AltGr is none of them", () => {
  const all = { ctrlKey: true, altKey: true, shiftKey: true };
  const press = (more: object) =>
    pageCommand({ key: "s", code: "KeyS", ...NO_MODIFIERS, ...more }, true);
  expect(press({})).toBeUndefined();
  expect(press({ ctrlKey: true, altKey: true })).toBeUndefined();
  expect(press(all)).toBe("statistics");
  expect(press({ ...all, altGraph: true })).toBeUndefined();
  expect(press({ ...all, metaKey: true })).toBeUndefined();
});

test("no key means two things", () => {
  const codes = SHORTCUTS.flatMap((shortcut) => shortcut.codes);
  expect(new Set(codes).size).toBe(codes.length);
});

test("what a screen keyboard did to its field, corrections included", () => {
  expect(typed("··", "··a")).toEqual({ backspaces: 0, text: "a" });
  expect(typed("··teh", "··the ")).toEqual({ backspaces: 2, text: "he " });
  expect(typed("··", "·")).toEqual({ backspaces: 1, text: "" });
  expect(typed("·😀", "·")).toEqual({ backspaces: 1, text: "" });
  expect(typed("·", "·")).toEqual({ backspaces: 0, text: "" });
});

test("a letter beside a modifier is a key", () => {
  expect(["c", "C", "7", " ", "é", "ab"].map(codeOf)).toEqual([
    "KeyC",
    "KeyC",
    "Digit7",
    "Space",
    undefined,
    undefined,
  ]);
});
