//! What the page makes of Moonlight clients: who waits, who is paired, what came of a PIN.
import { expect, test } from "vitest";
import { endText, pairingText, readPinOutcome, rightsText, type Pairing } from "../src/moonlight";
import { readNews } from "../src/news";

const ALL = { keyboard: true, pointer: true, pads: true };

/** One client, as the host tells of it. */
function client(more: Record<string, unknown> = {}) {
  const told = { id: 3, name: "Living room", role: "controller", rights: ALL, pairedAt: 1, sessions: [], ...more };
  const news = readNews("moonlightClientsChanged", { clients: [told] });
  if (news?.kind !== "moonlight-clients") throw new Error("no news");
  return news.clients[0]!;
}

test("clients are read with what they may do, and those without a number are left out", () => {
  expect(client({ sessions: ["7", "8"], expiresAt: 99 })).toEqual({
    id: 3,
    name: "Living room",
    role: "controller",
    rights: ALL,
    expiresAt: 99,
    streams: 2,
  });
  const news = readNews("moonlightClientsChanged", { clients: [{ name: "x" }, null, "x"] });
  expect(news).toEqual({ kind: "moonlight-clients", clients: [] });
  // What is not allowed in so many words is not shown as allowed.
  expect(client({ rights: undefined, role: "king" })).toMatchObject({
    role: undefined,
    rights: { keyboard: false, pointer: false, pads: false },
  });
});

test("whoever waits is named by its address where it has no name of its own", () => {
  const news = readNews("pairingsChanged", {
    pairings: [
      { id: 4, name: "roth", address: "192.0.2.7" },
      { id: 5, name: "Deck", address: "2001:db8::1" },
      { name: "nobody" },
    ],
  });
  if (news?.kind !== "pairings") throw new Error("no news");
  const [roth, deck] = news.pairings as [Pairing, Pairing];
  expect(news.pairings).toHaveLength(2);
  expect(pairingText([roth])).toBe("A Moonlight client at 192.0.2.7 wants to pair.");
  expect(pairingText([deck, roth])).toBe("Deck at 2001:db8::1 wants to pair (and one more).");
  expect(pairingText([roth, deck, deck])).toContain("(and 2 more)");
});

test("what a client may do is said in one line", () => {
  expect(rightsText(client())).toBe("may drive");
  expect(rightsText(client({ role: "admin" }))).toBe("may drive at any time");
  expect(rightsText(client({ role: "viewer" }))).toBe("may watch");
  const pads = { keyboard: false, pointer: false, pads: true };
  expect(rightsText(client({ rights: pads }))).toBe("may drive, only with gamepads");
  expect(rightsText(client({ rights: { ...pads, keyboard: true } }))).toBe(
    "may drive, only with keyboard and gamepads",
  );
  expect(rightsText(client({ rights: { ...pads, pads: false } }))).toMatch(/no input/);
});

test("an end is told by its time, and by its day unless that is today", () => {
  const now = new Date(2026, 10, 29, 9, 0);
  const at = (date: Date) => endText(date.getTime() / 1000, now);
  expect(endText(undefined, now)).toBeUndefined();
  expect(at(now)).toBe("its time is over");
  expect(at(new Date(2026, 10, 29, 14, 30))).toMatch(/^until \D*\d+.30/);
  expect(at(new Date(2026, 11, 5, 14, 30))).toMatch(/^until .*5.*, .*30/);
  expect(at(new Date(2027, 0, 5, 14, 30))).toContain("2027");
});

test("each end of a pairing has words of its own", () => {
  const failure = (answer: unknown) => {
    const outcome = readPinOutcome(answer);
    return "failure" in outcome ? outcome.failure : undefined;
  };
  const ends = ["wrong_pin", "not_kept", "gave_up", "timed_out", "of another host"];
  const told = ends.map((ended) => failure({ ended }));
  expect(new Set(told).size).toBe(ends.length);
  expect(told).not.toContain(undefined);
  expect(failure({ ended: "not_kept", why: "the disk is full" })).toContain(": the disk is full.");
  expect(failure({ ended: "paired" })).toBeDefined();
  const paired = { ended: "paired", client: { id: 3, name: "Deck", role: "admin", rights: ALL, sessions: [] } };
  expect(readPinOutcome(paired)).toMatchObject({ client: { id: 3, name: "Deck" } });
});
