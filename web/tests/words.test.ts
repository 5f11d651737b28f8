//! What the page says, for every state and cause.
import { expect, test } from "vitest";
import type { ViewerState } from "../src/state";
import { cardText, causeText, devicesText, noticeText, pausedText, secondsLeft } from "../src/words";

const LIVE: ViewerState = { kind: "live", interrupted: false };

test("a live picture speaks for itself", () => {
  expect(cardText(LIVE, {}, 0)).toBeUndefined();
  expect(noticeText(LIVE, { ready: true })).toBeUndefined();
});

test("the countdown runs down in whole seconds", () => {
  const state: ViewerState = { kind: "reconnecting", cause: { kind: "lost" }, retryAtMs: 4000 };
  const retry = (nowMs: number) => cardText(state, {}, nowMs)?.retry;
  expect([0, 2500, 3900, 4000].map(retry)).toEqual([
    "Trying again in 4 s",
    "Trying again in 2 s",
    "Trying again in 1 s",
    "Trying again now",
  ]);
});

test("an unreachable host looks the same while it waits and while it tries", () => {
  const waiting = cardText({ kind: "unreachable", retryAtMs: 0 }, {}, 0);
  const trying = cardText({ kind: "connecting", again: { kind: "unreachable" } }, {}, 0);
  expect(trying).toEqual(waiting);
});

test("a used link says what to do", () => {
  const card = cardText({ kind: "not-logged-in" }, {}, 0);
  expect(card?.detail).toContain("newest link that the host printed");
});

test("the host's own words are shown", () => {
  expect(causeText({ kind: "rejected", message: "too many viewers" })).toBe("Too many viewers.");
  expect(causeText({ kind: "ended", reason: "cosmic rays" })).toContain("cosmic rays");
  expect(causeText({ kind: "ended", reason: "Host stopped" })).toBe("The host was stopped.");
  expect(causeText({ kind: "http", status: 502 })).toContain("502");
});

test("a lost source is named, over the picture and instead of it", () => {
  expect(noticeText(LIVE, { error: "no_signal" })).toContain("No signal");
  const card = cardText({ kind: "waiting", connected: true }, { error: "out_of_range" }, 0);
  expect(card?.title).toContain("not supported");
});

test("an interruption is said before a lost source, which may only be out of date", () => {
  const notice = noticeText({ kind: "live", interrupted: true }, { error: "no_signal" });
  expect(notice).toContain("interrupted");
});

test("the exact reason is said before the rough one, with the host's own words", () => {
  const input = { error: "no_signal", reason: "no_device", why: "no display :7" } as const;
  expect(noticeText(LIVE, input)).toContain("No device");
  expect(noticeText(LIVE, input)).toContain("no display :7");
});

test("a person's pause can be ended in the card, a dialog's needs no words", () => {
  const paused = (...reasons: string[]) => ({
    isPaused: reasons.length > 0,
    has: (reason: string) => reasons.includes(reason),
  });
  expect(pausedText(paused("user", "hidden"), false)?.action).toBe("Resume");
  expect(pausedText(paused("dialog"), false)).toBeUndefined();
  expect(pausedText(paused("hidden"), false)).toMatchObject({ title: "Paused" });
  expect(pausedText(paused(), true)?.tone).toBe("busy");
  expect(pausedText(paused(), false)).toBeUndefined();
});

test("what goes to the host is listed, and what does not is explained", () => {
  const none = { keyboard: false, pointer: false, touch: false, pads: false, text: false };
  const some = { ...none, keyboard: true, pointer: true, text: true, backend: "xtest", reason: undefined };
  expect(devicesText(some, { isOn: true, off: undefined })).toBe(
    "The host takes keyboard, mouse and text (by xtest). The clipboard is shared.",
  );
  expect(devicesText(some, { isOn: false, off: "it is switched off" })).toContain("switched off");
  const off = { ...none, backend: "none", reason: "a pattern takes none" };
  expect(devicesText(off, undefined)).toBe("This host takes no input: a pattern takes none");
});

test("a request counts down in whole seconds", () => {
  expect([14_200, 1, -100].map(secondsLeft)).toEqual(["15 s", "1 s", "0 s"]);
});
