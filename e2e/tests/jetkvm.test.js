//! `--jetkvm`: what clients of that device do, and each thing that some client takes badly.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Browser } from "../harness/browser.js";
import { run } from "../harness/child.js";
import { Desk, login } from "../harness/desk.js";
import { Host } from "../harness/host.js";
import { JetKvmClient, jetkvmLogin } from "../harness/jetkvm.js";
import { until } from "../harness/limits.js";
import { scenario } from "../harness/scenario.js";

const PASSWORD = "correct horse";
const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", "30"];
const STRANGER = fileURLToPath(new URL("../../target/judges/bin/jetkvm_client", import.meta.url));
/** The only payload type that one client takes. */
const PAYLOAD_TYPE = 102;
/** A client that never asks for a keyframe gets one this often, and some time for it to be seen. */
const KEYFRAME_EVERY_MS = 2000;
const KEYFRAMES = 3;

/** A host with a password and a record of what was typed. */
async function start(rig, more = []) {
  const directory = await rig.directory();
  const [password, recording] = ["password", "input"].map((name) => join(directory, name));
  await writeFile(password, `${PASSWORD}\n`, { mode: 0o600 });
  await writeFile(recording, "");
  const args = ["--jetkvm", "--jetkvm-password-file", password, "--input", `recording:${recording}`];
  const host = await Host.start(rig, [...PATTERN, ...args, ...more]);
  const typed = async () => {
    const lines = (await readFile(recording, "utf8")).split("\n");
    return lines.filter(Boolean).map((line) => JSON.parse(line));
  };
  return { host, typed };
}

/** Waits until the record holds these events, one after the other. */
async function untilTyped(typed, expected) {
  const wanted = expected.map((event) => JSON.stringify(event));
  const holds = async () => {
    const events = (await typed()).map((event) => JSON.stringify(event));
    return events.some((_, at) => wanted.every((event, i) => events[at + i] === event));
  };
  await until(wanted.join(" "), holds).catch(async (error) => {
    throw new Error(`${error.message}\n${JSON.stringify(await typed())}`);
  });
}

const key = (code, down) => ({ key: { code, down } });

scenario("without the switch there is no such front door", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const reply = await fetch(`${host.origin}/device/status`);
  assert.equal(reply.status, 401);
});

scenario("a password opens the device, guessing it is slow, and logging out closes it", async (rig) => {
  const { host } = await start(rig);
  const status = await fetch(`${host.origin}/device/status`);
  assert.deepEqual(await status.json(), { isSetup: true });

  const stranger = await fetch(`${host.origin}/device`);
  assert.equal(stranger.status, 401);
  assert.deepEqual(await stranger.json(), { error: "Unauthorized" });
  const refused = JetKvmClient.signal(rig, null, host.origin, {});
  await assert.rejects(refused, { status: 401 });

  const wrong = await jetkvmLogin(host.origin, "wrong");
  assert.deepEqual([wrong.status, wrong.cookie], [401, null]);
  const { status: ok, body, cookie, headers } = await jetkvmLogin(host.origin, PASSWORD);
  assert.deepEqual([ok, body], [200, { message: "Login successful" }]);
  assert.match(cookie, /^authToken=[^;]+; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Strict$/);
  const device = await (await fetch(`${host.origin}/device`, { headers })).json();
  assert.equal(device.authMode, "password");
  assert.equal(device.loopbackOnly, true);
  assert.ok(device.deviceId);

  await fetch(`${host.origin}/auth/logout`, { method: "POST", headers });
  assert.equal((await fetch(`${host.origin}/device`, { headers })).status, 401);

  let guess;
  for (let tries = 0; tries < 20 && guess?.status !== 429; tries++) {
    guess = await jetkvmLogin(host.origin, `guess ${tries}`);
  }
  assert.equal(guess.status, 429);
  assert.ok(guess.body.retry_after > 0);
  assert.equal((await jetkvmLogin(host.origin, PASSWORD)).status, 429);
});

scenario("the strictest client connects, sees, and is told nothing that it does not know", async (rig) => {
  const { host } = await start(rig);
  const { headers } = await jetkvmLogin(host.origin, PASSWORD);
  const page = await (await Browser.start(rig)).open();
  const client = await JetKvmClient.signal(rig, page, host.origin, headers);
  const [first] = client.heard;
  assert.deepEqual(Object.keys(JSON.parse(first.text)).sort(), ["data", "type"]);
  assert.equal(JSON.parse(first.text).type, "device-metadata");
  assert.match(JSON.parse(first.text).data.deviceVersion, /^\d+\.\d+\.\d+$/);

  const pong = client.next();
  client.socket.send("ping");
  assert.equal((await pong).text, "pong");
  for (const bad of ["no json", "{}", '{"type":"weather","data":1}', Buffer.from([1, 2])]) {
    client.socket.send(bad);
  }
  const early = { candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMid: "0", sdpMLineIndex: 0 };
  client.socket.send(JSON.stringify({ type: "new-ice-candidate", data: early }));

  const { type, sdp } = await client.offer();
  assert.equal(type, "answer");
  assert.match(client.offered, new RegExp(`a=rtpmap:${PAYLOAD_TYPE} H264`), "Chromium offers it");
  assert.match(sdp, new RegExp(`^m=video \\d+ \\S+ ${PAYLOAD_TYPE}\\b`, "m"));
  assert.match(sdp, /^a=candidate:/m, "the answer holds the candidates");
  await client.opened();
  await client.frames(30);
  assert.equal((await client.received()).payloadType, PAYLOAD_TYPE);

  // Nothing came but the version, the pong and the answer.
  const types = client.heard.map(({ text }) => (text === "pong" ? text : JSON.parse(text).type));
  assert.deepEqual(types, ["device-metadata", "pong", "answer"]);
  assert.ok(client.heard.every(({ binary }) => !binary));
  assert.deepEqual(await client.closed(), [], "no channel was closed");
});

scenario("a client that never asks for a keyframe gets one all the same", async (rig) => {
  const { host } = await start(rig);
  const { headers } = await jetkvmLogin(host.origin, PASSWORD);
  const page = await (await Browser.start(rig)).open();
  const client = await JetKvmClient.connect(rig, page, host.origin, headers);
  await client.frames(1);
  const before = await client.received();
  const enough = async () =>
    (await client.received()).keyFramesDecoded >= before.keyFramesDecoded + KEYFRAMES;
  await until(`${KEYFRAMES} keyframes more`, enough);
  const after = await client.received();
  const tookMs = after.timestamp - before.timestamp;
  rig.report(`${KEYFRAMES} keyframes in ${Math.round(tookMs)} ms`);
  assert.ok(tookMs > (KEYFRAMES - 1) * KEYFRAME_EVERY_MS * 0.75, "and no more often than that");
});

scenario("calls are answered as the device answers them", async (rig) => {
  const { host } = await start(rig);
  const { headers } = await jetkvmLogin(host.origin, PASSWORD);
  const page = await (await Browser.start(rig)).open();
  const client = await JetKvmClient.connect(rig, page, host.origin, headers);

  const { params: state } = await client.text(
    ({ method, params }) => method === "videoInputState" && params.streaming === 1,
    "a video state that streams",
  );
  assert.deepEqual({ ...state, fps: 0 }, { ready: true, streaming: 1, width: 640, height: 360, fps: 0 });
  const usb = await client.text(({ method }) => method === "usbState", "the keyboard's state");
  assert.equal(usb.params, "configured");

  const result = async (method, params) => {
    const answer = await client.ask(method, params);
    assert.ok("result" in answer, `${method}: ${JSON.stringify(answer)}`);
    return answer.result;
  };
  assert.equal(await result("ping"), "pong");
  assert.ok(await result("getDeviceID"));
  assert.equal((await result("getVideoState")).streaming, 1);
  assert.equal(await result("getUSBState"), "configured");
  assert.equal(typeof (await result("getATXState")).power, "boolean");
  assert.equal(typeof (await result("getStreamQualityFactor")), "number");
  assert.equal(await result("getVideoCodecPreference"), "h264");
  assert.equal(await result("getActiveExtension"), "");
  for (const [method, params] of [
    ["setEDID", { edid: "00" }],
    ["keyboardReport", { modifier: 0, keys: [] }],
    ["wheelReport", { wheelY: 1 }],
  ]) {
    assert.equal(await result(method, params), null, `${method} answers with null, not with nothing`);
  }
  assert.equal((await client.ask("reboot", { force: true })).error.code, -32601);
  assert.equal((await client.ask("keyboardReport", { keys: "none" })).error.code, -32602);
  await client.say("rpc", "no json");
  const broken = await client.text(({ error }) => error?.code === -32700, "a parse error");
  assert.equal(broken.id, 0);
  await client.say("rpc", JSON.stringify({ jsonrpc: "2.0", method: "ping", id: 7 }));
  await client.text(({ id }) => id === 7, "an answer to a number");
});

scenario("keys and pointer arrive, and a key that nobody vouches for goes up", async (rig) => {
  const { host, typed } = await start(rig);
  const { headers } = await jetkvmLogin(host.origin, PASSWORD);
  const page = await (await Browser.start(rig)).open();
  const client = await JetKvmClient.connect(rig, page, host.origin, headers);

  await client.report("hidrpc", [0x01, 0x01]);
  await client.heardReport([0x01, 0x01]);
  // Shift and A by a report, which holds until the next one.
  await client.report("hidrpc", [0x02, 0x02, 0x04]);
  await client.heardReport([0x33, 2, 4, 0, 0, 0, 0, 0]);
  await client.report("hidrpc", [0x02, 0x00]);
  const capital = [key("ShiftLeft", true), key("KeyA", true), key("KeyA", false), key("ShiftLeft", false)];
  await untilTyped(typed, capital);
  // B alone, and not a word after it.
  await client.report("hidrpc", [0x05, 0x05, 1]);
  await untilTyped(typed, [key("KeyB", true), key("KeyB", false)]);

  const [unordered, ordered] = ["hidrpc-unreliable-nonordered", "hidrpc-unreliable-ordered"];
  await client.report(unordered, [0x03, 0, 0, 0x7f, 0xff, 0, 0, 0, 0, 0]);
  await untilTyped(typed, [{ moveTo: { x: 65535, y: 0 } }]);
  await client.report(ordered, [0x06, 0xff, 0x02, 0b10]);
  await untilTyped(typed, [{ moveBy: { dx: -1, dy: 2 } }, { button: { button: "right", down: true } }]);
  await client.report(ordered, [0x06, 0, 0, 0]);
  await client.ask("wheelReport", { wheelY: 1 });
  await untilTyped(typed, [{ button: { button: "right", down: false } }, { wheel: { dx: 0, dy: -120 } }]);
  await client.ask("keypressReport", { key: 0x28, press: true });
  await client.ask("keypressReport", { key: 0x28, press: false });
  await untilTyped(typed, [key("Enter", true), key("Enter", false)]);

  // Nonsense on every channel changes nothing.
  for (const label of ["hidrpc", unordered, ordered, "serial", "terminal", "disk"]) {
    await client.report(label, [0x03, 1]);
    await client.report(label, [0xff, 1]);
    await client.say(label, "text");
  }
  assert.equal((await client.ask("ping")).result, "pong");
  assert.deepEqual(await client.closed(), []);
});

scenario("a paused client gets no pictures, and gets them back", async (rig) => {
  const { host } = await start(rig);
  const { headers } = await jetkvmLogin(host.origin, PASSWORD);
  const page = await (await Browser.start(rig)).open();
  const client = await JetKvmClient.connect(rig, page, host.origin, headers);
  await client.frames(10);
  assert.equal((await client.ask("setVideoStreamPaused", { paused: true })).result, null);
  assert.equal((await client.ask("getVideoState")).result.streaming, 0);
  const { packetsReceived } = await client.received();
  assert.equal((await client.ask("resumeVideo")).result, null);
  await client.frames(10);
  assert.ok((await client.received()).packetsReceived > packetsReceived);
  assert.equal((await client.ask("getVideoState")).result.streaming, 1);
});

scenario("a second client takes over: the first hears of it and ends, the encoder runs on", async (rig) => {
  const { host, typed } = await start(rig);
  const desk = await Desk.open(rig, host.origin, await login(host.links[0]));
  const { headers } = await jetkvmLogin(host.origin, PASSWORD);
  const browser = await Browser.start(rig);
  const first = await JetKvmClient.connect(rig, await browser.open(), host.origin, headers);
  await first.frames(10);
  // What it holds must not be held by anybody after it.
  await first.report("hidrpc", [0x02, 0x00, 0x04]);
  await untilTyped(typed, [key("KeyA", true)]);

  const second = await JetKvmClient.connect(rig, await browser.open(), host.origin, headers);
  await second.frames(10);
  await untilTyped(typed, [key("KeyA", true), key("KeyA", false)]);
  const told = await first.text(({ method }) => method === "otherSessionConnected", "the takeover");
  assert.ok(!("params" in told));
  await first.gone();
  const [{ atMs }] = await first.events("otherSessionConnected");
  const [[, closedAtMs] = []] = await first.closed();
  rig.report(`told ${Math.round(closedAtMs - atMs)} ms before the end`);
  assert.ok(closedAtMs - atMs > 500, "there is time between the word and the end");

  await desk.untilViewers(1);
  await second.report("hidrpc", [0x02, 0x00, 0x05]);
  await untilTyped(typed, [key("KeyB", true)]);
  const opened = host.child.err.kept.filter((line) => /encoder opened/i.test(line));
  assert.equal(opened.length, 1, `one encoder for both:\n${opened.join("\n")}`);
});

scenario("jetkvm_client, which others wrote, connects, types, points and takes a picture", async (rig) => {
  assert.ok(existsSync(STRANGER), `there is no ${STRANGER}: \`make e2e\` installs it`);
  const { host, typed } = await start(rig);
  const picture = join(await rig.directory(), "picture.png");
  for (const method of ["web-socket", "legacy"]) {
    const before = (await typed()).length;
    const commands = [
      ["ping"],
      ["get-device-id"],
      ["get-video-state"],
      ["set-edid", "00ffffffffffff00"],
      ["sendtext", "Hi!"],
      ["left-click", "16384", "16384"],
      ["wheel-report", "1"],
      ["screenshot", "--output", picture],
    ].flat();
    const options = ["--host", `127.0.0.1:${host.port}`, "--password", PASSWORD];
    const args = [...options, "--signaling-method", method, ...commands];
    const { out } = await run(STRANGER, args, { name: "jetkvm_client" });
    const answers = out.split("\n").filter(Boolean).map((line) => JSON.parse(line));
    const errors = answers.filter(({ error }) => error);
    assert.deepEqual(errors, [], out);
    const answer = (name) => answers.find(({ command }) => command === name).result;
    assert.equal(answer("ping").result, "pong");
    assert.ok(answer("get-device-id"));
    assert.equal(answer("get-video-state").result.width, 640);
    const png = await readFile(picture);
    assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [640, 360], "a picture of the pattern");

    const events = (await typed()).slice(before);
    const keys = events.flatMap(({ key: pressed }) => (pressed?.down ? [pressed.code] : []));
    assert.deepEqual(keys, ["ShiftLeft", "KeyH", "KeyI", "ShiftLeft", "Digit1"]);
    const buttons = events.flatMap(({ button }) => (button ? [button] : []));
    const click = [true, false].map((down) => ({ button: "left", down }));
    assert.deepEqual(buttons, click);
    assert.ok(events.some(({ wheel }) => wheel?.dy === -120));
  }
});
