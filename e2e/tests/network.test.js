//! Bad networks between the real host and a real browser: loss, a rate that falls, blackouts, no
//! UDP. The host and the browser are in namespaces of their own; what happens between them is real.

import assert from "node:assert/strict";
import { Browser } from "../harness/browser.js";
import { Host } from "../harness/host.js";
import { until } from "../harness/limits.js";
import { Link } from "../harness/link.js";
import { Player } from "../harness/player.js";
import { threads } from "../harness/process.js";
import { scenario } from "../harness/scenario.js";
import { processGroup, Starvation } from "../harness/starvation.js";

const RTT_MS = 40;
const LISTEN = `${Link.HOST}:8443`;
/** Noise that takes what bitrate there is, with a barcode. */
const NOISE = "test-pattern:busy";

/** A host and a browser with a link between them. */
async function apart(rig, flags) {
  const link = await Link.open(rig, { rttMs: RTT_MS });
  const host = await Host.start(rig, flags, { listen: LISTEN, namespace: link.hostNamespace });
  const browser = await Browser.start(rig, { namespace: link.clientNamespace });
  return { link, host, browser };
}

/** What happened between frame and frame, longest first: from when to when, in milliseconds. */
function gaps(frames) {
  const between = frames.slice(1).map(({ atMs }, at) => {
    const fromMs = frames[at].atMs;
    return { fromMs, toMs: atMs, ms: atMs - fromMs };
  });
  return between.sort((one, other) => other.ms - one.ms);
}

/** The most that fall into one second. */
function mostInASecond(timesMs) {
  const sorted = [...timesMs].sort((one, other) => one - other);
  const counts = sorted.map((start) => sorted.filter((at) => at >= start && at < start + 1000).length);
  return Math.max(0, ...counts);
}

const LOSSES_PERCENT = [1, 3, 5];
const LOSS_WINDOW_MS = 12_000;
const AFTER_LOSS_MS = 2000;
/** A gap that a viewer sees as a stop. */
const STOP_MS = 150;
/** Chromium waits this long before it asks for help itself: without the host's own recovery each
 * loss of a reference stops the picture for so long. */
const CHROMIUM_ASKS_AFTER_MS = 3000;
const MOST_KEYFRAMES_A_SECOND = 10;

scenario("random loss neither freezes the picture nor spoils it", { limitMs: 120_000 }, async (rig) => {
  const flags = ["--source", NOISE, "--size", "640x360", "--fps", "60", "--bitrate", "8M"];
  const { link, host, browser } = await apart(rig, flags);
  // Beside the host, without a link to lose anything: what it decodes is what there is to see.
  const witness = await Player.start(rig, host, { namespace: link.hostNamespace, fingerprints: true });
  await witness.frames(30);
  const viewer = await browser.watch(host.links[0], { fingerprints: true });
  await viewer.watchHost();
  await viewer.frames(120);
  const pids = [host.pid, link.child.pid, ...processGroup(browser.pid)];
  const starvation = new Starvation(rig, pids);
  const seenFromMs = await viewer.nowMs();

  for (const percent of LOSSES_PERCENT) {
    const before = await link.set(`loss ${percent}`);
    const fromMs = await viewer.nowMs();
    await viewer.framesUntil(fromMs + LOSS_WINDOW_MS);
    const after = await link.set("loss 0");
    const frames = await viewer.decoded(fromMs);
    const sent = (await viewer.noted("hostFrames")).filter(({ capturedUs }) => capturedUs > fromMs * 1000);

    const lost = after.h2c.lost - before.h2c.lost;
    const share = lost / (after.h2c.in_packets - before.h2c.in_packets);
    assert.ok(share > percent / 200, `the link lost ${(share * 100).toFixed(1)} % of packets`);
    const long = gaps(frames).filter(({ ms }) => ms > STOP_MS);
    const starved = ({ fromMs: from, toMs: to, ms }) => starvation.worst(from, to) > ms - STOP_MS;
    const stops = long.filter((gap) => !starved(gap)).map(({ ms }) => Math.round(ms));
    const stoppedMs = stops.reduce((sum, ms) => sum + ms, 0);
    const keyframes = sent.filter(({ keyframe }) => keyframe).map(({ capturedUs }) => capturedUs / 1000);
    rig.report(
      `${percent} %: ${lost} packets lost, ${frames.length} frames, longest gap ` +
        `${Math.round(gaps(frames)[0].ms)} ms, ${keyframes.length} keyframes, stops of [${stops}] ms, ` +
        `${long.length - stops.length} more for want of a processor`,
    );
    assert.ok(Math.max(0, ...stops) < CHROMIUM_ASKS_AFTER_MS / 3, `no freeze at ${percent} % loss`);
    assert.ok(stoppedMs < LOSS_WINDOW_MS / 20, `it stood still for ${stoppedMs} ms at ${percent} % loss`);
    assert.ok(frames.length > 0.9 * sent.length, `${frames.length} of ${sent.length} frames decoded`);
    assert.ok(mostInASecond(keyframes) <= MOST_KEYFRAMES_A_SECOND, "no storm of keyframes");
  }

  const afterMs = await viewer.nowMs();
  await viewer.framesUntil(afterMs + AFTER_LOSS_MS);
  await witness.leave();
  const truth = new Map(witness.decoded.map(({ number, print }) => [number, print]));
  const frames = await viewer.decoded(seenFromMs);
  assert.ok(frames.every(({ number }) => number !== null), "every barcode can be read");
  const known = frames.filter(({ number }) => truth.has(number));
  assert.ok(known.length > frames.length / 2, `${known.length} of ${frames.length} frames to compare`);
  const wrong = known.filter(({ number, print }) => print !== truth.get(number));
  const wrongNumbers = wrong.map(({ number }) => number);
  rig.report(`${known.length} of ${frames.length} frames compared bit by bit`);
  assert.deepEqual(wrongNumbers, [], "every picture is the one that was coded");
});

const BEFORE_CUT = "rate 10 250";
const AFTER_CUT = "rate 4 250";
const CUT_BPS = 4e6;
const ADAPTED_MS = 2000;
const CUT_WINDOW_MS = 10_000;
const RATE_STEP_MS = 500;

scenario("a rate that falls from 10 to 4 Mb/s is followed within two seconds", async (rig) => {
  const flags = ["--source", NOISE, "--size", "1280x720", "--fps", "60", "--bitrate", "8M"];
  const { link, host, browser } = await apart(rig, flags);
  await link.set(BEFORE_CUT);
  const viewer = await browser.watch(host.links[0]);
  /** What enters the link in the time between two looks at it. */
  const sentBps = (from, to) => ((to.h2c.in_bytes - from.h2c.in_bytes) * 8000) / (to.t_ms - from.t_ms);
  let last = await link.counters();
  await until("more than the coming rate", async () => {
    const now = await link.counters();
    if (now.t_ms - last.t_ms < 1000) return false;
    const bps = sentBps(last, now);
    last = now;
    return bps > 1.25 * CUT_BPS;
  });

  const before = await viewer.received();
  const looks = [await link.set(AFTER_CUT)];
  await until("the end of the window", async () => {
    const now = await link.counters();
    if (now.t_ms - looks.at(-1).t_ms >= RATE_STEP_MS) looks.push(now);
    return now.t_ms - looks[0].t_ms >= CUT_WINDOW_MS;
  });
  const after = await viewer.received();
  const cutMs = looks[0].t_ms;
  const rates = looks.slice(1).map((look, at) => ({
    fromMs: looks[at].t_ms - cutMs,
    bps: sentBps(looks[at], look),
  }));
  rig.report(`Mb/s each half second: ${rates.map(({ bps }) => (bps / 1e6).toFixed(1)).join(" ")}`);
  const under = rates.find(({ bps }) => bps <= CUT_BPS);
  assert.ok(under && under.fromMs <= ADAPTED_MS, "the sent rate fell under the link's in time");
  const adapted = looks.find(({ t_ms }) => t_ms - cutMs >= ADAPTED_MS);
  const laterBps = sentBps(adapted, looks.at(-1));
  assert.ok(laterBps <= 1.1 * CUT_BPS, `later ${(laterBps / 1e6).toFixed(2)} Mb/s are sent`);

  const resent = after.retransmittedBytesReceived - before.retransmittedBytesReceived;
  const share = resent / (after.bytesReceived - before.bytesReceived);
  const drops = looks.at(-1).h2c.queue_drops - adapted.h2c.queue_drops;
  const entered = looks.at(-1).h2c.in_packets - adapted.h2c.in_packets;
  const frames = await viewer.decoded(adapted.t_ms);
  const longest = gaps(frames)[0];
  rig.report(`resent ${(share * 100).toFixed(1)} % of bytes; later ${drops} of ${entered} packets dropped`);
  rig.report(`${frames.length} frames later, longest gap ${Math.round(longest.ms)} ms`);
  assert.ok(share < 0.25, "resends stay bounded");
  assert.ok(drops < entered / 10, "the queue is not kept full");
  assert.ok(frames.length > 60 && frames.at(-1).number > frames[0].number + 60, "the stream goes on");
  assert.ok(frames.every(({ number }) => number !== null), "every barcode can be read");
});

const BLACKOUT_MS = 1500;
const BACK_MS = 1500;
const IDLE_TIMEOUT_MS = 2000;
const GONE_MS = IDLE_TIMEOUT_MS + 2000;

scenario("a short blackout is survived, and a pulled network is noticed", async (rig) => {
  const flags = ["--source", NOISE, "--size", "640x360", "--fps", "60"];
  const idle = ["--idle-timeout-ms", `${IDLE_TIMEOUT_MS}`];
  const { link, host, browser } = await apart(rig, [...flags, ...idle]);
  const viewer = await browser.watch(host.links[0]);
  await viewer.frames(60);

  const darkMs = (await link.set("black 1")).t_ms;
  await until("the end of the blackout", async () => (await link.counters()).t_ms - darkMs >= BLACKOUT_MS);
  const lightMs = (await link.set("black 0")).t_ms;
  await viewer.framesUntil(lightMs + BACK_MS);
  const [first] = (await viewer.decoded(lightMs)).filter(({ timeUs }) => timeUs / 1000 > lightMs);
  assert.ok(first, "new pictures came after the blackout");
  rig.report(`first new picture ${Math.round(first.atMs - lightMs)} ms after the network came back`);
  assert.ok(first.atMs - lightMs < BACK_MS);
  assert.equal(await viewer.page.evaluate(() => window.e2e.connections), 1, "it is the same connection");

  const from = host.logLines;
  const pulledMs = (await link.set("black 1")).t_ms;
  await host.log(/session ended viewer=1 reason=/, from);
  const goneMs = Date.now() - pulledMs;
  rig.report(`noticed ${Math.round(goneMs)} ms after the network was pulled`);
  assert.ok(goneMs < GONE_MS);
  const capturing = async () => (await threads(host.pid)).some(({ name }) => name.startsWith("capture-"));
  await until("the end of capture", async () => !(await capturing()));
});

scenario("without UDP the picture comes over TCP, through the one port", async (rig) => {
  const flags = ["--source", "test-pattern", "--size", "640x360", "--fps", "30"];
  const { link, host, browser } = await apart(rig, flags);
  await link.blockUdp();
  const viewer = await browser.watch(host.links[0]);
  await viewer.frames(60);
  const { remoteProtocol, remotePort } = await viewer.received();
  assert.deepEqual({ remoteProtocol, remotePort }, { remoteProtocol: "tcp", remotePort: host.port });
  const numbers = (await viewer.decoded()).map(({ number }) => number);
  assert.ok(!numbers.includes(null) && numbers.at(-1) > numbers[0], "the pattern moves");
});
