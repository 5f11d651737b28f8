//! Keyboard, mouse, text and clipboard from a page in a real browser to programs on a real X server:
//! what is held is let go whatever happens to the page, and what arrives is exact.

import assert from "node:assert/strict";
import { Browser } from "../harness/browser.js";
import { output } from "../harness/child.js";
import { Host } from "../harness/host.js";
import { act, hurriedTyping, press } from "../harness/keys.js";
import { until } from "../harness/limits.js";
import { Link } from "../harness/link.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

const OPEN = ["--open-access"];

/** A host for `x`, and a page that drives it. */
async function drive(rig, x, flags = OPEN) {
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, ...flags]);
  const browser = await Browser.start(rig);
  const viewer = await browser.watch(host.links[0]);
  await viewer.drives();
  return { host, browser, viewer, page: viewer.page };
}

/** Waits until exactly this was typed; fails with what was. */
async function untilTyped(typewriter, text) {
  let last;
  const isTyped = async () => (last = await typewriter.typed()) === text;
  await until("the typed text", isTyped).catch((error) => {
    assert.equal(last, text, error.message);
  });
}

/** The buttons' bits of the X protocol. */
const LEFT_BUTTON = 1 << 8;
const SHIFT = 1 << 0;
/** Held keys repeat this often, after so long. */
const REPEAT_DELAY_MS = 200;
const REPEATS_A_SECOND = 20;
/** The keep-alive rule lets go after 300 ms of silence. Three times that is for a busy machine. */
const MOST_REPEATS = (3 * 300 * REPEATS_A_SECOND) / 1000;

scenario("a browser that is killed with keys and a button held holds nothing", async (rig) => {
  const x = await XServer.start(rig);
  const typewriter = await x.typewriter();
  await output("xset", ["r", "rate", `${REPEAT_DELAY_MS}`, `${REPEATS_A_SECOND}`], { env: x.env });
  const { browser, page, viewer } = await drive(rig, x);
  await page.mouse.move(500, 300);
  await page.mouse.down();
  await page.keyboard.down("ShiftLeft");
  await page.keyboard.down("KeyA");
  const held = async () => {
    const { keys, mask } = await x.state();
    return keys.length === 2 && (mask & LEFT_BUTTON) !== 0 && (mask & SHIFT) !== 0;
  };
  await until("two keys and a button held", held);
  await viewer.frames(1);
  // A key that is held and said to be held stays down for longer than any silence may last.
  await until("repeats", async () => (await typewriter.typed()).length > 2 * MOST_REPEATS);

  const before = (await typewriter.typed()).length;
  browser.kill();
  const released = async () => {
    const { keys, mask } = await x.state();
    return keys.length === 0 && (mask & (LEFT_BUTTON | SHIFT)) === 0;
  };
  await until("everything released", released);
  const repeats = (await typewriter.typed()).length - before;
  rig.report(`${repeats} repeats after the browser was gone`);
  assert.ok(repeats <= MOST_REPEATS, `${repeats} repeats`);

  // What a keyboard types now stands alone.
  const typed = await typewriter.typed();
  await x.xdotool("type", "end");
  await untilTyped(typewriter, `${typed}end`);
  assert.match(typed, /^A+$/);
});

const RTT_MS = 40;
const LOSS_PERCENT = 30;
const SEED = 20_260_131;
const KEYS = 1000;

scenario("a thousand keys through 30 % loss each way are the text, and nothing repeats", async (rig) => {
  const x = await XServer.start(rig);
  const typewriter = await x.typewriter({ geometry: "100x30+20+20" });
  const link = await Link.open(rig, { rttMs: RTT_MS });
  const flags = ["--source", `x11:${x.display}`, "--bitrate", "1M", "--fps", "10"];
  const listen = { listen: `${Link.HOST}:8443`, namespace: link.hostNamespace };
  const host = await Host.start(rig, flags, listen);
  const browser = await Browser.start(rig, { namespace: link.clientNamespace });
  const viewer = await browser.watch(host.links[0]);
  await viewer.drives();

  const before = await link.set(`loss ${LOSS_PERCENT}`);
  await link.set(`rloss ${LOSS_PERCENT}`);
  const { events, text } = hurriedTyping(SEED, KEYS);
  const startedMs = performance.now();
  await act(viewer.page, events);
  const typedMs = performance.now();
  await until("all keys", async () => (await typewriter.typed()).length >= text.length, 60_000);
  const arrivedMs = performance.now();
  const after = await link.counters();
  for (const way of ["h2c", "c2h"]) {
    const lost = after[way].lost - before[way].lost;
    const share = lost / (after[way].in_packets - before[way].in_packets);
    rig.report(`${way}: ${lost} packets lost, ${(share * 100).toFixed(0)} %`);
    assert.ok(share > LOSS_PERCENT / 200, `${way} lost ${share}`);
  }
  const seconds = (ms) => (ms / 1000).toFixed(1);
  rig.report(`typed in ${seconds(typedMs - startedMs)} s, all there ${seconds(arrivedMs - typedMs)} s later`);
  await until("no key held", async () => (await x.state()).keys.length === 0);
  assert.equal(await typewriter.typed(), text);
});

const PAGE_SIZES = [
  { width: 1280, height: 720 },
  { width: 1024, height: 640 },
  { width: 700, height: 900 },
  { width: 1500, height: 500 },
];
const SCREEN = { width: 1280, height: 720 };
const PLACES = [[0, 0], [1279, 719], [640, 360], [1, 718], [333, 111], [1278, 7]];

/** Where `inner` lies in `outer`, fitted in with bars around it. */
function fitted(outer, inner) {
  const scale = Math.min(outer.width / inner.width, outer.height / inner.height);
  return {
    scale,
    left: outer.left + (outer.width - inner.width * scale) / 2,
    top: outer.top + (outer.height - inner.height * scale) / 2,
  };
}

/** The middle of the spot on the page that shows this pixel of the screen. */
async function spot(page, [x, y]) {
  const { box, picture } = await page.evaluate(() => {
    const { video } = window.heliostat;
    const { left, top, width, height } = video.getBoundingClientRect();
    const picture = { left: 0, top: 0, width: video.videoWidth, height: video.videoHeight };
    return { box: { left, top, width, height }, picture };
  });
  const shown = fitted(box, picture);
  const screen = fitted(picture, SCREEN);
  // Pictures lie on even pixels, for the sake of their chroma.
  screen.left -= screen.left % 2;
  screen.top -= screen.top % 2;
  return [
    shown.left + (screen.left + (x + 0.5) * screen.scale) * shown.scale,
    shown.top + (screen.top + (y + 0.5) * screen.scale) * shown.scale,
  ];
}

scenario("the mouse points at the very pixel, clicks, turns and, locked, moves by as much", async (rig) => {
  const x = await XServer.start(rig);
  const buttons = await x.buttons();
  const { page, viewer } = await drive(rig, x);
  const pointEverywhere = async () => {
    for (const place of PLACES) {
      await page.mouse.move(...(await spot(page, place)));
      await x.untilPointer(...place);
    }
  };
  for (const size of PAGE_SIZES) {
    await page.setViewportSize(size);
    await pointEverywhere();
  }
  // A stream of another shape has bars of its own inside of the page's.
  await viewer.rpc("setStreamParameters", { size: "800x800" });
  await viewer.wait("the square picture", () => window.heliostat.video.videoHeight === 800);
  await pointEverywhere();
  await viewer.rpc("setStreamParameters", { size: "source" });
  await viewer.wait("the whole picture", () => window.heliostat.video.videoHeight === 720);

  await page.setViewportSize(PAGE_SIZES[1]);
  await page.mouse.move(...(await spot(page, [200, 150])));
  const seen = async (...wanted) => {
    let last;
    const all = () => (last = buttons.seen()).length >= wanted.length;
    await until(`${wanted}`, all).catch((error) => assert.deepEqual(last, wanted, error.message));
    assert.deepEqual(buttons.seen(), wanted);
  };
  const at = "at 200,150";
  const clicks = [];
  for (const [button, number] of Object.entries({ left: 1, middle: 2, right: 3 })) {
    await page.mouse.down({ button });
    await page.mouse.up({ button });
    clicks.push(`+${number} ${at}`, `-${number} ${at}`);
  }
  const raw = await page.context().newCDPSession(page);
  const [pageX, pageY] = await spot(page, [200, 150]);
  for (const [button, number, bit] of [["back", 8, 8], ["forward", 9, 16]]) {
    const event = { x: pageX, y: pageY, button, clickCount: 1 };
    await raw.send("Input.dispatchMouseEvent", { ...event, type: "mousePressed", buttons: bit });
    await raw.send("Input.dispatchMouseEvent", { ...event, type: "mouseReleased", buttons: 0 });
    clicks.push(`+${number} ${at}`, `-${number} ${at}`);
  }
  await seen(...clicks);
  for (const [dx, dy, number] of [[0, 100, 5], [0, 100, 5], [0, -100, 4], [100, 0, 7], [-100, 0, 6]]) {
    await page.mouse.wheel(dx, dy);
    clicks.push(`+${number} ${at}`, `-${number} ${at}`);
    await seen(...clicks);
  }

  await press(page, "Control+Alt+Shift+KeyB");
  await page.waitForFunction(() => document.pointerLockElement !== null);
  const before = await x.state();
  for (const [dx, dy] of [[7, 0], [0, 5], [-3, 11], [40, -2]]) {
    const from = await x.state();
    await raw.send("Input.dispatchMouseEvent", { type: "mouseMoved", x: pageX + dx, y: pageY + dy });
    await x.untilPointer(from.x + dx, from.y + dy);
    await raw.send("Input.dispatchMouseEvent", { type: "mouseMoved", x: pageX, y: pageY });
    await x.untilPointer(from.x, from.y);
  }
  const { x: endX, y: endY } = await x.state();
  assert.deepEqual([endX, endY], [before.x, before.y]);
});

/** Physical keys, and what they type on a German keyboard. */
const GERMAN = [
  ["KeyZ", "y"], ["KeyY", "z"], ["Minus", "ß"], ["BracketLeft", "ü"], ["Shift+Semicolon", "Ö"],
  ["Shift+Digit2", '"'], ["Shift+Digit7", "/"], ["AltRight+KeyQ", "@"],
  ["AltRight+KeyE", "€"], ["AltRight+Digit7", "{"],
];
const TEXT = "Grüße, ½ €! Ωμέγα, Привет, 日本語, naïve façade – “quoted” → 🙂";

scenario("physical keys type what the host's layout says, and text is text", async (rig) => {
  const x = await XServer.start(rig);
  await output("setxkbmap", ["de"], { env: x.env });
  const typewriter = await x.typewriter();
  const { page } = await drive(rig, x);
  await press(page, ...GERMAN.map(([stroke]) => stroke));
  const german = GERMAN.map(([, typed]) => typed).join("");
  await untilTyped(typewriter, german);

  await press(page, "Control+Alt+Shift+KeyV");
  await page.getByLabel("Text to type").fill(TEXT);
  await page.getByRole("button", { name: "Type it" }).click();
  await untilTyped(typewriter, german + TEXT);
  // The layout is as it was, and so is the page's keyboard.
  await press(page, "KeyZ");
  await untilTyped(typewriter, `${german}${TEXT}y`);
  assert.deepEqual((await x.state()).keys, []);
});

/** JSON-RPC's codes for a role that does not allow it, and for a host that cannot. */
const FORBIDDEN = -32002;
const UNSUPPORTED = -32004;

const copied = (x) => output("xclip", ["-selection", "clipboard", "-out"], { env: x.env });

/** Copies as a program does that keeps the text until somebody else copies. */
function copy(x, text) {
  const child = x.program("xclip", ["-quiet", "-selection", "clipboard"]);
  child.process.stdin.end(text);
}

/** The code of a refusal. */
async function refusal(viewer, method, params) {
  const answer = await viewer.page.evaluate(([m, p]) => window.e2e.rpc(m, p), [method, params]);
  return answer.error?.code;
}

/** A key as the page sends it. */
function keyFrame(seq, code, down) {
  return [1, seq >> 8, seq & 0xff, down ? 1 : 0, ...Buffer.from(code)];
}

scenario("the clipboard goes both ways for who drives, and who only watches has no say", async (rig) => {
  const x = await XServer.start(rig);
  const typewriter = await x.typewriter();
  const { browser, viewer, page } = await drive(rig, x, []);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const { url } = await viewer.rpc("createShareLink", { role: "viewer", forSeconds: 600 });
  const guest = await browser.watch(url);
  await until("two sessions", async () => {
    return (await viewer.told("sessions")).at(-1)?.params.sessions.length === 2;
  });

  copy(x, "from the host: Grüße 🙂");
  const read = () => page.evaluate(() => navigator.clipboard.readText());
  await page.bringToFront();
  await until("the host's text on this side", async () => (await read()) === "from the host: Grüße 🙂");
  await page.evaluate(() => navigator.clipboard.writeText("from the page: ¿qué? 🙃"));
  await press(page, "Control+KeyV");
  await until("the page's text on the host", async () => {
    return (await copied(x)).toString() === "from the page: ¿qué? 🙃";
  });
  // The keys themselves went on to the host.
  await untilTyped(typewriter, "\x16");

  assert.equal(await refusal(guest, "getClipboard", {}), FORBIDDEN);
  assert.equal(await refusal(guest, "setClipboard", { text: "intruder" }), FORBIDDEN);
  const events = [{ type: "key", code: "KeyI", down: true }];
  assert.equal(await refusal(guest, "sendInput", { events }), FORBIDDEN);
  assert.equal(await refusal(guest, "takeControl", {}), FORBIDDEN);
  const frames = [keyFrame(1, "KeyI", true), keyFrame(2, "KeyI", false)];
  await guest.page.evaluate((sent) => {
    for (const frame of sent) window.e2e.channels.input.send(new Uint8Array(frame));
  }, frames);
  // One more round trip on the same connection, and then a key of who drives.
  await guest.rpc("ping");
  await press(page, "KeyD");
  await untilTyped(typewriter, "\x16d");
  assert.equal((await copied(x)).toString(), "from the page: ¿qué? 🙃");
  assert.deepEqual(await guest.told("clipboard"), [], "no text was told to who only watches");
});

scenario("a host that keeps its clipboard to itself neither tells nor takes text", async (rig) => {
  const x = await XServer.start(rig);
  const { viewer } = await drive(rig, x, [...OPEN, "--clipboard", "false"]);
  copy(x, "secret");
  // Until the program that offers the text has the clipboard, nobody has.
  const offered = () => copied(x).then(String, () => null);
  await until("the text in the host's clipboard", async () => (await offered()) === "secret");
  assert.equal(await refusal(viewer, "getClipboard", {}), UNSUPPORTED);
  assert.equal(await refusal(viewer, "setClipboard", { text: "intruder" }), UNSUPPORTED);
  assert.equal((await copied(x)).toString(), "secret");
  assert.deepEqual(await viewer.told("clipboard"), []);
});

const PLACE = { x: 640, y: 360 };
const AROUND_PX = 24;
/** Of luma: more than coding leaves on a plain ground, and far less than a pointer's edge. */
const PLAIN = 24;

/** How far the luma around the pointer's place varies. */
async function contrast(viewer) {
  const { y, width } = await viewer.picture();
  let [low, high] = [255, 0];
  for (let row = PLACE.y - AROUND_PX; row < PLACE.y + AROUND_PX; row++) {
    for (let column = PLACE.x - AROUND_PX; column < PLACE.x + AROUND_PX; column++) {
      const luma = y[row * width + column];
      [low, high] = [Math.min(low, luma), Math.max(high, luma)];
    }
  }
  return high - low;
}

scenario("the pointer is drawn by the page or is in the picture, as the host was told", async (rig) => {
  const x = await XServer.start(rig);
  await x.program("xsetroot", ["-solid", "#406080", "-cursor_name", "left_ptr"]).ended;
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, "--cursor", "local", ...OPEN]);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await viewer.drives();
  await x.xdotool("mousemove", `${PLACE.x}`, `${PLACE.y}`);

  const { png, hotX, hotY } = await viewer.untilTold("cursor");
  const bytes = Buffer.from(png, "base64");
  assert.equal(bytes.subarray(1, 4).toString(), "PNG");
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  assert.ok(width > 4 && height > 4 && hotX < width && hotY < height, `${width}x${height}`);
  await until("the pointer's place", async () => {
    const { params } = (await viewer.told("cursorMoved")).at(-1) ?? {};
    const at = (value, length) => Math.floor((value / 65535) * length);
    return at(params?.x, SCREEN.width) === PLACE.x && at(params?.y, SCREEN.height) === PLACE.y;
  });
  const look = () => window.heliostat.video.parentElement.style.cursor.includes(",");
  await viewer.wait("the browser's own pointer with that image", look);
  await viewer.frames(1);
  const drawn = await contrast(viewer);
  assert.ok(drawn < PLAIN, `a plain picture varies by ${drawn}`);

  await viewer.rpc("setStreamParameters", { cursor: "picture" });
  await until("the pointer in the picture", async () => (await contrast(viewer)) > 3 * PLAIN);
  await viewer.rpc("setStreamParameters", { cursor: "local" });
  await until("the pointer out of the picture", async () => (await contrast(viewer)) < PLAIN);
});

scenario("a host told to draw the pointer into the picture does, and tells no image", async (rig) => {
  const x = await XServer.start(rig);
  await x.program("xsetroot", ["-solid", "#406080", "-cursor_name", "left_ptr"]).ended;
  await x.xdotool("mousemove", `${PLACE.x}`, `${PLACE.y}`);
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, "--cursor", "picture", ...OPEN]);
  const viewer = await (await Browser.start(rig)).watch(host.links[0]);
  await until("the pointer in the picture", async () => (await contrast(viewer)) > 3 * PLAIN);
  assert.deepEqual(await viewer.told("cursor"), []);
});
