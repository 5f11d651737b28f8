//! Who may watch, who may drive, and how control changes hands: share links, roles, one driver at a
//! time or several.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Browser } from "../harness/browser.js";
import { connect, Desk, login } from "../harness/desk.js";
import { Host, heliostat } from "../harness/host.js";
import { until, within } from "../harness/limits.js";
import { keyBytes, Peer, placeBytes } from "../harness/peer.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", "30"];
const NOT_ALLOWED = -32002;
const NOT_DRIVING = -32003;

const key = (code, down) => ({ key: { code, down } });

/** A host that writes down what it would inject; `injected` reads that. */
async function recordingHost(rig, flags = []) {
  const file = join(await rig.directory(), "input.jsonl");
  const host = await Host.start(rig, [...PATTERN, "--input", `recording:${file}`, ...flags]);
  const injected = async () => {
    const text = await readFile(file, "utf8").catch(() => "");
    return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
  };
  return { host, injected };
}

/** Waits until exactly these events were injected. */
async function untilInjected(injected, expected) {
  let last;
  const same = async () => JSON.stringify((last = await injected())) === JSON.stringify(expected);
  await until("what is injected", same).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(last)}, not ${JSON.stringify(expected)}`);
  });
}

/** A share link, made by whoever `desk` is. */
async function shareLink(desk, role, name, forSeconds = 3600) {
  const { result, error } = await desk.ask("createShareLink", { role, forSeconds, name });
  assert.ok(result, JSON.stringify(error));
  return result;
}

async function refusedWith(status, opening) {
  await assert.rejects(opening, (error) => error.status === status);
}

/** What drives: by a call, and on both channels. */
async function act(peer, code) {
  const events = [true, false].map((down) => ({ type: "key", code, down }));
  const { error } = await peer.desk.ask("sendInput", { events });
  await peer.say("input", keyBytes(1, code, true), keyBytes(2, code, false));
  await peer.say("motion", placeBytes(1, 1000, 2000));
  // What came before it on the same association has arrived when it is answered.
  await peer.ask("ping");
  return error?.code;
}

const DRIVERS_CALLS = {
  takeControl: {},
  askControl: {},
  releaseControl: {},
  setStreamParameters: { fps: 10 },
  setClipboard: { text: "mine" },
  getClipboard: {},
  listSources: {},
};
const ADMINS_CALLS = {
  selectSource: { source: "test-pattern" },
  selectEncoder: { encoder: "auto" },
  setControlPolicy: { control: "shared" },
  createShareLink: { role: "admin", forSeconds: 60 },
  listShareLinks: {},
  revokeShareLink: { id: 1 },
  kick: { session: "1" },
  quit: {},
};

async function allRefused(peer, calls) {
  for (const [method, params] of Object.entries(calls)) {
    const codes = [await peer.desk.ask(method, params), await peer.ask(method, params)];
    for (const { error } of codes) assert.equal(error?.code, NOT_ALLOWED, method);
  }
}

scenario("a share link lets in for what it says, for as long as it stands", async (rig) => {
  const { host, injected } = await recordingHost(rig);
  const own = await login(host.links[0]);
  const browser = await Browser.start(rig);
  const admin = await Peer.watch(rig, browser, host, own);
  const share = (...args) => heliostat(rig, ["share", "--listen", `127.0.0.1:${host.port}`, ...args]);

  const { out: printed } = await share("--role", "viewer", "--for", "1h", "--name", "Vera");
  const forVera = printed.trim();
  const forCarl = await shareLink(admin.desk, "controller", "Carl");
  const veras = await login(forVera);
  const vera = await Peer.watch(rig, browser, host, veras);
  const carl = await Peer.watch(rig, browser, host, await login(forCarl.url));

  // Who may watch sees all and changes nothing.
  await allRefused(vera, { ...DRIVERS_CALLS, ...ADMINS_CALLS });
  assert.equal(await act(vera, "KeyV"), NOT_ALLOWED);
  await vera.frames(5);
  const { sessions, driver } = (await vera.desk.ask("listSessions")).result;
  assert.deepEqual(sessions.map(({ name, role, controls }) => [name, role, controls]), [
    ["Administrator", "admin", true],
    ["Vera", "viewer", false],
    ["Carl", "controller", false],
  ]);
  assert.ok(sessions.every(({ address }) => address === undefined), "addresses are not for everybody");
  assert.equal(driver, admin.session);

  // Who may drive does so when it is its turn, and owns nothing.
  await allRefused(carl, ADMINS_CALLS);
  assert.equal(await act(carl, "KeyX"), NOT_DRIVING);
  assert.equal((await carl.desk.ask("takeControl")).error.code, NOT_DRIVING);
  assert.equal((await carl.desk.ask("setStreamParameters", { fps: 10 })).error.code, NOT_DRIVING);
  assert.equal((await admin.desk.ask("giveControl", { session: vera.session })).error.code, NOT_ALLOWED);
  assert.deepEqual(await injected(), [], "nothing of all this reached the host");
  assert.equal((await admin.desk.ask("giveControl", { session: carl.session })).result, null);
  await carl.desk.untilTold("controlGranted");
  assert.equal(await act(carl, "KeyC"), undefined);
  assert.equal((await carl.desk.ask("setStreamParameters", { fps: 20 })).result.fps, 20);
  const stroke = [key("KeyC", true), key("KeyC", false)];
  const carls = [...stroke, ...stroke, { moveTo: { x: 1000, y: 2000 } }];
  await untilInjected(injected, carls);
  await act(admin, "KeyA");

  // Links are listed, and what came by one ends with it.
  const { out: table } = await share("--list");
  assert.match(table, /^1 +viewer +\S+ +1 +Vera$/m);
  assert.match(table, /^2 +controller +\S+ +1 +Carl$/m);
  const page = (await browser.watch(forVera)).page;
  assert.equal(await page.evaluate(() => window.heliostat.driving), false);
  assert.ok(await page.locator(".toolbar .call").isHidden(), "nothing to take or to ask for");
  const [veraEnds, pageEnds] = [
    within(vera.desk.closed, "the end of Vera's connection"),
    page.getByText("Stream ended").waitFor(),
  ];
  assert.match((await share("--revoke", "1")).out, /link 1 is revoked/);
  await Promise.all([veraEnds, pageEnds]);
  assert.equal((await vera.desk.untilTold("sessionEnded")).reason, "operator");
  await refusedWith(401, connect(host.origin, { headers: veras }));
  assert.equal((await fetch(forVera)).status, 401);
  await carl.frames(5);

  // A key that is down goes up with who holds it.
  await carl.say("input", keyBytes(3, "KeyH", true));
  await untilInjected(injected, [...carls, key("KeyH", true)]);
  await admin.desk.ask("revokeShareLink", { id: forCarl.id });
  await within(carl.desk.closed, "the end of Carl's connection");
  await untilInjected(injected, [...carls, key("KeyH", true), key("KeyH", false)]);

  const brief = await shareLink(admin.desk, "viewer", "Brief", 2);
  const briefs = await login(brief.url);
  await within((await Desk.open(rig, host.origin, briefs)).closed, "the end of a link's time");
  await refusedWith(401, connect(host.origin, { headers: briefs }));
  assert.equal((await fetch(brief.url)).status, 401);
  assert.match((await share("--list")).out, /no share links/);
  await admin.frames(5);
});

/** A host for a desktop with a typewriter, and pages that may drive it, by name. */
async function desktop(rig, names, flags = []) {
  const x = await XServer.start(rig);
  const typewriter = await x.typewriter();
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, ...flags]);
  const own = await login(host.links[0]);
  const desk = await Desk.open(rig, host.origin, own);
  const browser = await Browser.start(rig);
  const pages = [];
  for (const name of names) {
    const { url } = await shareLink(desk, "controller", name);
    pages.push(await browser.watch(url));
  }
  /** Waits until a key is down, or until none is. */
  const untilKeys = (count) =>
    until(`${count} keys down`, async () => (await x.state()).keys.length === count);
  const { typed } = typewriter;
  const untilTyped = (text) => until(`"${text}" to be typed`, async () => (await typed()) === text);
  return { host, own, browser, pages, untilKeys, typed, untilTyped };
}

/** Presses the button with words in the bar, which shows itself to a pointer that moves. */
async function pressCall({ page }, words) {
  const call = page.locator(".toolbar .call", { hasText: words });
  await call.waitFor({ state: "attached" });
  await page.mouse.move(200, 200);
  await page.mouse.move(210, 210);
  await call.click();
}

scenario("one drives: asked for, refused, handed over, taken, let go", async (rig) => {
  const made = await desktop(rig, ["Ann", "Bob"]);
  const { host, own, browser, pages, untilKeys, typed, untilTyped } = made;
  const [ann, bob] = pages;
  await ann.drives();
  await ann.page.keyboard.type("a");
  await untilTyped("a");

  // Bob's keys are the page's own while Ann drives.
  await bob.page.keyboard.type("b");
  await bob.page.keyboard.press("c");
  const asked = ann.page.getByText("Bob asks for control.");
  await asked.waitFor();
  await ann.page.keyboard.press("Control+Alt+Shift+N");
  await bob.page.getByText("Ann keeps control.").waitFor();
  await asked.waitFor({ state: "hidden" });

  await pressCall(bob, "Ask for control");
  await asked.waitFor();
  const handOver = ann.page.getByRole("button", { name: /^Hand over/ });
  await handOver.focus();
  await ann.page.keyboard.press("Enter");
  await bob.drives();
  await ann.wait("watching", () => window.heliostat.driving === false);
  await bob.page.keyboard.type("c");
  await untilTyped("ac");
  await ann.page.keyboard.type("x");

  await bob.page.keyboard.down("d");
  await untilKeys(1);
  const admin = await Peer.open(rig, browser, host, own);
  await admin.connect({ video: false });
  assert.equal((await admin.desk.ask("takeControl")).result, null);
  await untilKeys(0);
  await bob.page.getByText("You are now watching; Administrator drives.").waitFor();
  await bob.page.keyboard.up("d");
  const events = [true, false].map((down) => ({ type: "key", code: "KeyE", down }));
  assert.equal((await admin.desk.ask("sendInput", { events })).result, null);
  assert.equal((await admin.desk.ask("releaseControl")).result, null);
  assert.equal((await admin.desk.ask("sendInput", { events })).error.code, NOT_DRIVING);

  await pressCall(ann, "Take control");
  await ann.drives();
  await ann.page.keyboard.type("f");
  // A key that is held repeats, which is the desktop's own doing.
  await until("all that was typed", async () => /^acd+ef$/.test(await typed()));
});

scenario("who does nothing loses control to who asks, who is at work keeps it", async (rig) => {
  const browser = await Browser.start(rig);
  const asks = async (works) => {
    const { host, injected } = await recordingHost(rig);
    const holder = await Peer.open(rig, browser, host, await login(host.links[0]));
    await holder.connect({ video: false });
    const { url } = await shareLink(holder.desk, "controller", "Carl");
    const asker = await Peer.open(rig, browser, host, await login(url));
    await asker.connect({ video: false });
    const { granted, expiresInMs } = (await asker.desk.ask("askControl")).result;
    assert.equal(granted, false);
    const heard = await holder.desk.untilTold("controlRequested");
    assert.equal(heard.name, "Carl");
    // Told when it was asked; the answer counts from a little later.
    assert.ok(expiresInMs > 0 && expiresInMs <= heard.expiresInMs, `${expiresInMs} ms`);
    if (works) await holder.say("motion", placeBytes(1, 10, 20));
    await asker.desk.untilTold(works ? "controlRefused" : "controlGranted");
    const { driver } = (await asker.desk.ask("listSessions")).result;
    assert.equal(driver, works ? holder.session : asker.session);
    assert.equal((await injected()).length, works ? 1 : 0);
  };
  await Promise.all([asks(true), asks(false)]);
});

scenario("with shared control everybody who may drive does", async (rig) => {
  const { pages, untilTyped } = await desktop(rig, ["Ann", "Bob"], ["--control", "shared"]);
  let text = "";
  for (const page of pages) await page.drives();
  for (const letter of "together") {
    const { page } = pages[text.length % pages.length];
    await page.keyboard.type(letter);
    text += letter;
    await untilTyped(text);
  }
});

scenario("an administrator hands over and throws out on the page", async (rig) => {
  const { host, injected } = await recordingHost(rig);
  const browser = await Browser.start(rig);
  const viewer = await browser.watch(host.links[0]);
  await viewer.drives();
  const { url } = await viewer.rpc("createShareLink", { role: "controller", forSeconds: 600, name: "Carl" });
  const carl = await Peer.watch(rig, browser, host, await login(url));

  const { page } = viewer;
  await page.keyboard.press("Control+Alt+Shift+U");
  const panel = page.getByRole("region", { name: "Who is here" });
  await panel.getByRole("button", { name: "Give control" }).click();
  await carl.desk.untilTold("controlGranted");
  await panel.getByText("Carl is driving").waitFor();
  const before = await injected();
  await carl.say("input", keyBytes(1, "KeyC", true));
  await untilInjected(injected, [...before, key("KeyC", true)]);

  await panel.getByRole("button", { name: "Remove" }).click();
  assert.equal((await carl.desk.untilTold("sessionEnded")).reason, "operator");
  await untilInjected(injected, [...before, key("KeyC", true), key("KeyC", false)]);
  await panel.getByText("Nobody is driving").waitFor();
  await panel.getByRole("button", { name: "Take control" }).click();
  await viewer.drives();
  const { sessions } = await viewer.rpc("listSessions");
  assert.deepEqual(sessions.map(({ name }) => name), ["Administrator"]);

  // The login stands: only that session is over.
  await carl.connect();
  await carl.frames(5);
});
