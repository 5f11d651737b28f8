//! Two clipboards that are kept alike.
import { beforeEach, expect, test } from "vitest";
import { ClipboardLink } from "../src/clipboard";

let asked: [string, unknown][];
let written: string[];
let offered: (string | undefined)[];
let mayWrite: boolean;
let refuses: boolean;
let link: ClipboardLink;

beforeEach(async () => {
  asked = [];
  written = [];
  offered = [];
  mayWrite = true;
  refuses = false;
  link = new ClipboardLink({
    async request(method, params) {
      if (method !== "getClipboard") asked.push([method, params]);
      if (refuses) throw new Error("it is switched off");
      return { text: "old" };
    },
    async write(text) {
      if (!mayWrite) throw new Error("not now");
      written.push(text);
    },
    offer: (text) => offered.push(text),
  });
  await link.probe(String);
});

test("text of the host is written here, and offered where the browser wants a press", async () => {
  await link.fromHost("one");
  mayWrite = false;
  await link.fromHost("two");
  expect(written).toEqual(["one"]);
  expect(offered).toEqual([undefined, "two"]);
});

test("the same text never goes back to where it came from", async () => {
  await link.fromHost("one");
  await link.fromPage("one");
  expect(asked).toEqual([]);
  await link.fromPage("two");
  await link.fromHost("two");
  expect(asked).toEqual([["setClipboard", { text: "two" }]]);
  expect(written).toEqual(["one"]);
});

test("a host that keeps its clipboard says why", async () => {
  refuses = true;
  await link.probe((error) => (error as Error).message);
  expect([link.isOn, link.off]).toEqual([false, "it is switched off"]);
  refuses = false;
  await link.probe(String);
  expect([link.isOn, link.off]).toEqual([true, undefined]);
});

test("what the host held before this session drove is not new", async () => {
  await link.fromHost("old");
  expect(written).toEqual([]);
  link.stop();
  await link.fromHost("older");
  await link.probe(String);
  await link.fromHost("older");
  expect(written, "told before the host was asked").toEqual([]);
  await link.fromHost("new");
  expect(written).toEqual(["new"]);
});

test("a refused text is tried again the next time", async () => {
  refuses = true;
  await expect(link.fromPage("one")).rejects.toThrow();
  refuses = false;
  await link.fromPage("one");
  expect(asked).toHaveLength(2);
});

test("what is too large for the host stays here", async () => {
  await link.fromPage("é".repeat(65 * 1024));
  expect(asked).toEqual([]);
});
