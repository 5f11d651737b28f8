//! Pictures that nobody wants are not made: pausing and resuming, in every order and however it ends.

import assert from "node:assert/strict";
import { Browser } from "../harness/browser.js";
import { Desk, login } from "../harness/desk.js";
import { Host } from "../harness/host.js";
import { until } from "../harness/limits.js";
import { keyBytes, message, Peer } from "../harness/peer.js";
import { works } from "../harness/process.js";
import { scenario } from "../harness/scenario.js";
import { XServer } from "../harness/xserver.js";

const FPS = 30;
const PATTERN = ["--source", "test-pattern", "--size", "640x360", "--fps", `${FPS}`];
const OPEN = [...PATTERN, "--open-access"];

/** What the host's log says of encoders so far. */
function encodersOpened(host) {
  return host.child.err.kept.filter((line) => line.includes("encoder opened")).length;
}

/** Waits until nobody has a lease and nothing works for anybody. */
async function untilIdle(host, desk) {
  await desk.untilViewers(0);
  await until("the end of capture and encoding", async () => !(await works(host.pid)));
}

/** Makes sure that a peer gets no picture while the host's clock goes on by `forMs`. */
async function noPictures(peer, desk, forMs) {
  const hostMs = async () => (await desk.ask("ping")).result.hostTimeUs / 1000;
  const [from, before] = [await hostMs(), await peer.received()];
  await until(`${forMs} ms of the host's`, async () => (await hostMs()) >= from + forMs);
  const after = await peer.received();
  assert.ok(before.framesReceived > 0, "there were pictures to miss");
  assert.equal(after.framesReceived, before.framesReceived, "no picture is sent");
  return { before, after };
}

function median(values) {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
}

/** Numbers that look random and are the same each time (mulberry32). */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}

const STORM_SEED = 20_251_121;
const STORM_CALLS = 1000;
/** A burst of at most so many is checked at its end. */
const MOST_IN_A_BURST = 120;

/** A call that pauses or resumes; every other one wants an answer. */
function pauseCall(roll, paused, id) {
  const method = roll(2) ? "setVideoStreamPaused" : paused ? "pauseVideo" : "resumeVideo";
  const params = method === "setVideoStreamPaused" ? { paused } : {};
  return message(method, params, roll(2) ? id : undefined);
}

/** Bursts of calls, each with what it must come to: `{texts, paused, fence}`. */
function storm(roll, name) {
  const bursts = [];
  let calls = 0;
  while (calls < STORM_CALLS) {
    const size = Math.min(1 + roll(MOST_IN_A_BURST), STORM_CALLS - calls);
    let paused;
    const texts = Array.from({ length: size }, () => {
      paused = roll(2) === 1;
      const call = pauseCall(roll, paused, `${name} ${calls++}`);
      // What comes between two of them keeps them from being taken as one.
      return roll(3) ? [call] : [call, message("unsubscribeStats")];
    });
    const fence = `${name} fence ${calls}`;
    bursts.push({ texts: [...texts.flat(), message("unsubscribeStats", {}, fence)], paused, fence });
  }
  return bursts;
}

scenario("1000 pauses and resumes in bursts come to what the last one said", async (rig) => {
  const host = await Host.start(rig, OPEN);
  const watcher = await Desk.open(rig, host.origin);
  const peer = await Peer.watch(rig, await Browser.start(rig), host);
  const roll = dice(STORM_SEED);

  /** Sends a burst and waits for what it comes to. */
  const overSocket = async ({ texts, fence }) => {
    texts.slice(0, -1).forEach((text) => peer.desk.socket.send(text));
    await peer.desk.send(texts.at(-1), fence);
  };
  const overChannel = async ({ texts, fence }) => {
    await peer.say("rpc", ...texts);
    await peer.answer(fence);
  };
  const ends = { paused: 0, running: 0 };
  const settled = async ({ paused }) => {
    ends[paused ? "paused" : "running"]++;
    await watcher.untilViewers(paused ? 0 : 1);
  };
  for (const [name, send] of Object.entries({ socket: overSocket, channel: overChannel })) {
    for (const burst of storm(roll, name)) {
      await send(burst);
      await settled(burst);
    }
    for (const paused of [true, false]) {
      const last = { texts: [pauseCall(roll, !paused), pauseCall(roll, paused)], paused };
      const fence = `${name} ${paused}`;
      await send({ texts: [...last.texts, message("unsubscribeStats", {}, fence)], fence });
      await settled(last);
      if (paused) {
        await untilIdle(host, watcher);
        await noPictures(peer, watcher, 1000);
      } else {
        await peer.frames(FPS);
      }
    }
  }
  rig.report(`bursts that ended paused ${ends.paused}, running ${ends.running}`);
  assert.ok(Math.min(ends.paused, ends.running) > 10, "both ends were tried");
});

const MOST_PAUSED_BPS = 100;
const QUIET_MS = 2500;
const ROUNDS = 3;

scenario("a pause stops encoding and pictures, not input and calls; resuming is quick", async (rig) => {
  const x = await XServer.start(rig);
  const typewriter = await x.typewriter();
  await x.xterm("clock", {
    geometry: "40x10+700+20",
    shell: "while :; do date +%T.%N; sleep 0.02; done",
  });
  const host = await Host.start(rig, ["--source", `x11:${x.display}`, "--open-access"]);
  const watcher = await Desk.open(rig, host.origin);
  const peer = await Peer.open(rig, await Browser.start(rig), host);

  const connectMs = [];
  for (let round = 0; round < ROUNDS; round++) {
    connectMs.push(await peer.connect());
    await peer.frames(5);
  }
  assert.ok(await works(host.pid), "it is seen when there is work");
  await peer.desk.ask("subscribeStats", { frames: true });
  const resumeMs = [];
  for (let round = 0; round < ROUNDS; round++) {
    assert.equal((await peer.desk.ask("pauseVideo")).result, null);
    await untilIdle(host, watcher);
    const fromMs = await peer.nowMs();
    await peer.say("rpc", message("resumeVideo"));
    await peer.frames(1);
    const [first] = await peer.decoded(fromMs);
    resumeMs.push(first.atMs - fromMs);
    const figures = () => {
      const told = peer.desk.told.filter(({ method }) => method === "statsFrames");
      return told.flatMap(({ params }) => params.frames).find(({ rtp }) => rtp === first.rtp);
    };
    assert.equal((await until("the first picture's figures", figures)).keyframe, true);
    await peer.frames(5);
  }
  const [connect, resume] = [median(connectMs), median(resumeMs)];
  rig.report(`first picture ${connect.toFixed(0)} ms after connecting, ${resume.toFixed(0)} ms after resuming`);
  assert.ok(resume < connect, `resuming takes ${resumeMs} ms, connecting ${connectMs} ms`);

  await peer.ask("pauseVideo");
  await untilIdle(host, watcher);
  const { before, after } = await noPictures(peer, watcher, QUIET_MS);
  const seconds = (after.timestamp - before.timestamp) / 1000;
  const rates = [after.rtpBytes - before.rtpBytes, after.allBytes - before.allBytes].map(
    (bytes) => bytes / seconds,
  );
  rig.report(`paused: RTP ${rates[0].toFixed(0)} B/s, everything ${rates[1].toFixed(0)} B/s`);
  assert.ok(rates[0] <= MOST_PAUSED_BPS, `${rates[0]} B/s of RTP`);

  const typed = "paused";
  const keys = [...typed].map((letter) => `Key${letter.toUpperCase()}`);
  const strokes = keys.flatMap((code, at) => [
    keyBytes(2 * at + 1, code, true),
    keyBytes(2 * at + 2, code, false),
  ]);
  await peer.say("input", ...strokes);
  await until("what was typed", async () => (await typewriter.typed()) === typed);
  assert.ok((await peer.ask("ping")).result.hostTimeUs > 0);
  assert.equal(await watcher.viewers(), 0);
  assert.equal(await works(host.pid), false, "input wakes no encoder");
});

scenario("a page behind another one pauses, and counts why", async (rig) => {
  const host = await Host.start(rig, PATTERN);
  const headers = await login(host.links[0]);
  const desk = await Desk.open(rig, host.origin, headers);
  const browser = await Browser.startWithTabs(rig);
  const viewer = await browser.watch(await host.nextLink());
  const { page } = viewer;
  const paused = (wanted) =>
    viewer.wait(`paused to be ${wanted}`, (p) => window.heliostat.paused === p, wanted);

  const other = await browser.open();
  await other.bringToFront();
  await paused(true);
  await untilIdle(host, desk);

  // A second reason: that the first one goes is not enough.
  await page.evaluate(() => document.querySelector('.toolbar [aria-label="Share by link"]').click());
  await page.bringToFront();
  await viewer.wait("the page in front", () => document.visibilityState === "visible");
  await page.getByRole("heading", { name: "Share", exact: true }).waitFor();
  await noPictures(viewer, desk, 1000);
  await paused(true);
  assert.equal(await desk.viewers(), 0);
  await page.keyboard.press("Escape");
  await viewer.frames(FPS);
  await paused(false);
});

/** The same person's two clients, and what a connection takes. */
async function twoClients(rig) {
  const host = await Host.start(rig, PATTERN);
  const headers = await login(host.links[0]);
  const browser = await Browser.start(rig);
  const [first, second] = [
    await Peer.open(rig, browser, host, headers),
    await Peer.open(rig, browser, host, headers),
  ];
  return { host, first, second, watcher: await Desk.open(rig, host.origin, headers) };
}

/** Times a normal connection: the machine may be busy with something else meanwhile. */
const MOST_TAKEOVER = 3;

scenario("who takes over from a paused session sees as soon as anybody", async (rig) => {
  const { host, first, second, watcher } = await twoClients(rig);
  const [normalMs, takeoverMs] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    normalMs.push(await first.connect());
    await first.desk.ask("pauseVideo");
    await untilIdle(host, watcher);
    const opened = encodersOpened(host);
    const told = first.desk.told.length;
    const { framesReceived } = await first.received();
    takeoverMs.push(await second.connect());
    await second.frames(5);
    const heard = first.desk.told.slice(told).map(({ method }) => method);
    assert.ok(heard.includes("otherSessionConnected"), `the first one was told ${heard}`);
    assert.equal(encodersOpened(host), opened + 1, "one encoder is opened for the newcomer");
    const { framesReceived: since } = await first.received();
    assert.equal(since, framesReceived, "who is paused gets nothing");
    await second.desk.ask("closeSession");
    await first.desk.ask("closeSession");
    await untilIdle(host, watcher);
  }
  const [normal, takeover] = [median(normalMs), median(takeoverMs)];
  rig.report(`first picture ${takeover.toFixed(0)} ms after taking over, normally ${normal.toFixed(0)} ms`);
  assert.ok(takeover < MOST_TAKEOVER * normal, `takeovers ${takeoverMs} ms, normally ${normalMs} ms`);
});

scenario("a stale pause of the one that was replaced touches nobody else", async (rig) => {
  const { host, first, second, watcher } = await twoClients(rig);
  await first.connect();
  await second.connect();
  await second.desk.ask("subscribeStats", { frames: true });
  const opened = encodersOpened(host);
  await second.frames(5);
  const before = await second.received();

  const stale = [true, false, true, true, false, true];
  await first.say("rpc", ...stale.map((paused) => message("setVideoStreamPaused", { paused })));
  await first.ask("setVideoStreamPaused", { paused: true });
  await watcher.untilViewers(1);
  const { framesReceived } = await first.received();
  await second.frames(FPS);
  assert.equal((await first.received()).framesReceived, framesReceived, "who paused gets nothing");

  const after = await second.received();
  assert.equal(encodersOpened(host), opened, "the encoder ran on");
  assert.equal(after.pliCount, before.pliCount, "the other needs no keyframe");
  assert.equal(after.framesDropped, before.framesDropped);
  const list = (await watcher.ask("listSessions")).result;
  const paused = Object.fromEntries(list.sessions.map((session) => [session.id, session.paused]));
  assert.deepEqual(paused, { [first.session]: true, [second.session]: false });
  assert.equal(list.driver, second.session);
});

scenario("a resume on the way when its connection dies leaves no lease behind", async (rig) => {
  const host = await Host.start(rig, OPEN);
  const watcher = await Desk.open(rig, host.origin);
  const browser = await Browser.start(rig);
  const resumes = Array.from({ length: 20 }, (_, at) => message(at % 2 ? "resumeVideo" : "pauseVideo"));
  const overSocket = ({ desk }) => resumes.forEach((text) => desk.socket.send(text));
  const deaths = {
    "the socket closes": async (peer) => {
      overSocket(peer);
      peer.desk.socket.close();
    },
    "the socket breaks": async (peer) => {
      overSocket(peer);
      peer.desk.socket.terminate();
    },
    "the peer connection ends": async (peer) => {
      await peer.say("rpc", ...resumes);
      await peer.hangUp();
    },
    "both end": async (peer) => {
      await peer.say("rpc", ...resumes);
      overSocket(peer);
      peer.desk.socket.terminate();
      await peer.hangUp();
    },
  };
  for (const [how, die] of Object.entries(deaths)) {
    const peer = await Peer.watch(rig, browser, host);
    await peer.desk.ask("pauseVideo");
    await untilIdle(host, watcher);
    const from = host.logLines;
    await die(peer);
    await host.log(/session (closed|ended)/, from);
    await untilIdle(host, watcher);
    assert.deepEqual((await watcher.ask("listSessions")).result.sessions, [], how);
    assert.equal(await works(host.pid), false, `${how}: nothing runs`);
    peer.desk.socket.terminate();
  }
});

scenario("a slow call on its way does not hold up a pause", async (rig) => {
  const x = await XServer.start(rig);
  const host = await Host.start(rig, OPEN);
  const watcher = await Desk.open(rig, host.origin);
  const peer = await Peer.watch(rig, await Browser.start(rig), host);

  // A server that takes connections and says nothing.
  x.child.process.kill("SIGSTOP");
  const answered = [];
  const slow = {
    "list, this session": peer.desk.ask("listSources"),
    "list, another": watcher.ask("listSources"),
    "select, this session": peer.desk.ask("selectSource", { source: `x11:${x.display}` }),
  };
  for (const [name, answer] of Object.entries(slow)) answer.then(() => answered.push(name));
  await Promise.all([peer.ask("pauseVideo"), peer.desk.ask("pauseVideo")]);
  await watcher.untilViewers(0);
  assert.deepEqual(answered, [], "all that while, the slow calls ran");

  x.child.process.kill("SIGCONT");
  await Promise.all(Object.values(slow));
  assert.equal((await peer.desk.ask("resumeVideo")).result, null);
  await peer.frames(5);
});

const IDLE_MS = 2000;
/** The host looks now and then, and this machine may be busy. */
const MOST_IDLES = 3;

scenario("a browser that is killed or stopped gives its lease back in time", async (rig) => {
  const host = await Host.start(rig, [...OPEN, "--idle-timeout-ms", `${IDLE_MS}`]);
  const watcher = await Desk.open(rig, host.origin);
  const ways = {
    "SIGKILL, page": { watch: pageOf, end: (browser) => browser.kill() },
    "SIGSTOP, page": { watch: pageOf, end: (browser) => browser.freeze() },
    // Its signalling is ours and goes on: only the media's silence tells.
    "SIGKILL, media": { watch: peerOf, end: (browser) => browser.kill() },
  };
  for (const [way, { watch, end }] of Object.entries(ways)) {
    const browser = await Browser.start(rig);
    await watch(rig, browser, host);
    assert.equal(await watcher.viewers(), 1);
    const from = host.logLines;
    const fromMs = performance.now();
    end(browser);
    const [, reason] = await host.log(/session (?:closed|ended).*reason=(\w+)/, from);
    await untilIdle(host, watcher);
    const sessions = async () => (await watcher.ask("listSessions")).result.sessions;
    await until("the end of the session", async () => (await sessions()).length === 0);
    const tookMs = performance.now() - fromMs;
    rig.report(`${way}: over after ${tookMs.toFixed(0)} ms, ${reason}`);
    assert.ok(tookMs < MOST_IDLES * IDLE_MS, `${way}: ${tookMs} ms`);
  }
});

async function pageOf(rig, browser, host) {
  await (await browser.watch(host.links[0])).frames(5);
}

async function peerOf(rig, browser, host) {
  await (await Peer.watch(rig, browser, host)).frames(5);
}
