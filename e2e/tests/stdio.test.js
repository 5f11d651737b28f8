//! Heliostat inside other programs: its lines of JSON driven directly, and the example of a parent
//! that carries them to a browser.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Browser } from "../harness/browser.js";
import { StdioHost, StdioPeer } from "../harness/child-host.js";
import { binary } from "../harness/host.js";
import { press } from "../harness/keys.js";
import { until } from "../harness/limits.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", "30"];
const RELAY = fileURLToPath(new URL("../../examples/relay/relay.py", import.meta.url));
const PYTHON = "/usr/bin/python3";

/** Lines that are no requests, and a word of what is said to each. */
const NONSENSE = [
  ["nonsense", "no request"],
  ["[]", "no request"],
  ['{"type":"dance"}', "dance"],
  ['{"type":"offer","session":"a"}', "sdp"],
  ['{"type":"close","session":"nobody"}', "no such session"],
  ['{"type":"candidate","session":"nobody","candidate":"x"}', "no such session"],
  ['{"type":"offer","session":"broken","sdp":"v=0"}', ""],
  [`{"type":"offer","session":"a","sdp":"${"x".repeat(300_000)}"}`, "longer"],
];

const HOST_CANDIDATE = "candidate:1 1 udp 2122260223 192.0.2.1 40000 typ host";

scenario("a parent's lines start, tell of and end sessions, and nothing else is on stdout", async (rig) => {
  const host = await StdioHost.start(rig, PATTERN);
  const [ready] = host.said;
  assert.equal(ready.type, "ready");
  assert.match(`${ready.version} ${ready.source} ${ready.encoder}`, /^\d.*pattern.*264/);

  for (const [line, words] of NONSENSE) {
    const from = host.said.length;
    host.say(line);
    const { message } = await host.message(({ type }) => type === "error", from);
    assert.ok(message.includes(words), `${line.slice(0, 60)}: ${message}`);
    // Notifications come when they come: that there is sound, for one.
    const answers = host.said.slice(from).filter(({ type }) => type !== "rpc");
    assert.equal(answers.length, 1, "one error, and nothing else");
  }
  host.say("");

  const browser = await Browser.start(rig);
  const peer = await StdioPeer.connect(host, await browser.open(), "desk", { name: "Ada" });
  await peer.untilFrames(10);
  const figures = await host.message(({ type, session }) => type === "stats" && session === "desk");
  assert.ok("fps" in figures.second && "bitrateBps" in figures.second, JSON.stringify(figures));
  const { result } = await host.ask("listSessions");
  const [ada] = result.sessions;
  assert.deepEqual([ada.name, ada.via, ada.role], ["Ada", "stdio", "controller"]);
  assert.equal((await host.ask("noSuchThing")).error.code, -32601);

  const other = await StdioPeer.connect(host, await browser.open(), "guest", { role: "viewer" });
  await other.untilFrames(5);
  host.say({ type: "close", session: "guest" });
  const ended = await host.message(({ type, session }) => type === "ended" && session === "guest");
  assert.equal(ended.reason, "quit");
  await other.wait("the end", () => window.peer.isClosed === true);
  await peer.untilFrames(5);

  // What is said before the answer counts: another session under the name, and one that is closed.
  const from = host.said.length;
  const again = await StdioPeer.connect(host, await browser.open(), "desk");
  await peer.wait("the end", () => window.peer.isClosed === true);
  await again.untilFrames(5);
  const sdp = await again.page.evaluate(() => window.peer.pc.localDescription.sdp);
  host.say({ type: "offer", session: "gone", sdp });
  host.say({ type: "candidate", session: "gone", candidate: HOST_CANDIDATE });
  host.say({ type: "close", session: "gone" });
  await host.message(({ type, session }) => type === "ended" && session === "gone", from);
  const ends = host.said.slice(from).filter(({ type }) => ["ended", "error"].includes(type));
  assert.deepEqual(ends, [
    { type: "ended", session: "desk", reason: "replaced" },
    { type: "ended", session: "gone", reason: "quit" },
  ]);

  const { code, signal } = await host.close();
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  // Without a goodbye a browser would wait for many seconds before it gives up.
  await again.wait("the goodbye", () => window.peer.isClosed === true);
  const types = new Set(host.said.map(({ type }) => type));
  const known = ["ready", "answer", "ended", "stats", "rpc", "error"];
  assert.deepEqual([...types].filter((type) => !known.includes(type)), []);
});

scenario("a parent hears when the source goes and when it is back", async (rig) => {
  const x = await XServer.start(rig);
  await x.xterm("clock", { geometry: "60x20+20+20", shell: "while :; do date +%N; sleep 0.05; done" });
  const host = await StdioHost.start(rig, ["--source", `x11:${x.display}`]);
  const peer = await StdioPeer.connect(host, await (await Browser.start(rig)).open(), "only");
  await peer.untilFrames(5);
  await x.child.stop("SIGKILL");
  const lost = await host.message(({ type }) => type === "signal_lost");
  assert.match(lost.reason, /^(source_restarting|no_signal)$/);
  assert.ok(lost.why.includes(x.display), lost.why);
  const again = await XServer.start(rig, x.display);
  await host.message(({ type }) => type === "signal_restored");
  await again.xterm("clock", { geometry: "60x20+20+20", shell: "exec cat" });
  await peer.untilFrames(1);
  assert.equal((await host.close()).code, 0);
});

scenario("the example's relay shows the picture, pauses it, and takes keys to the desktop", async (rig) => {
  const x = await XServer.start(rig);
  const typewriter = await x.typewriter();
  await x.xterm("clock", { geometry: "40x8+640+400", shell: "while :; do date +%N; sleep 0.05; done" });
  await x.xdotool("windowfocus", "--sync", typewriter.window);
  const home = await rig.directory();
  const command = ["--port", "0", "--", binary("heliostat"), "stdio", "--source", `x11:${x.display}`];
  const env = { PATH: process.env.PATH, HOME: home, PYTHONUNBUFFERED: "1" };
  const relay = rig.spawn(PYTHON, [RELAY, ...command], { name: "relay.py", env });
  const [, url] = await relay.line(/(http:\/\/127\.0\.0\.1:\d+)/);

  const page = await (await Browser.start(rig)).open();
  await page.goto(url);
  const shown = () =>
    page.evaluate(() => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames);
  const untilShown = async (count) => {
    const now = await shown();
    await until(`${count} more pictures`, async () => (await shown()) >= now + count);
  };
  await untilShown(10);
  const size = await page.evaluate(() => {
    const { videoWidth, videoHeight } = document.querySelector("video");
    return [videoWidth, videoHeight];
  });
  assert.deepEqual(size, [1280, 720]);

  await press(page, "KeyH", "Shift+KeyI");
  await until("keys on the desktop", async () => (await typewriter.typed()) === "hI");
  await page.keyboard.down("KeyJ");
  await until("a held key", async () => (await x.state()).keys.length === 1);

  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).waitFor();
  await until("a pause that lets go", async () => (await x.state()).keys.length === 0);
  const paused = await shown();
  await press(page, "KeyK");
  await until("a key while paused", async () => (await typewriter.typed()).endsWith("k"));
  assert.ok((await shown()) <= paused + 2, "no pictures in a pause");
  await page.getByRole("button", { name: "Resume" }).click();
  await untilShown(10);

  // Closing the page ends its session, closing the relay its child.
  await page.keyboard.down("KeyL");
  await until("a held key", async () => (await x.state()).keys.length === 1);
  await page.close();
  await until("nothing held", async () => (await x.state()).keys.length === 0);
  const { code } = await relay.stop("SIGINT");
  assert.equal(code, 0, relay.transcript());
  assert.match(relay.err.kept.join("\n"), /'type': 'ready'/);
});
