//! The viewer against a scripted host: what it says when, and when it tries again.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Unsupported } from "../src/peer";
import type { ViewerState } from "../src/state";
import { Viewer } from "../src/viewer";
import { ScriptedHost } from "./scripted-host";

let host: ScriptedHost;
let viewer: Viewer;
let states: ViewerState[];
let told: unknown[];

beforeEach(() => {
  vi.useFakeTimers();
  host = new ScriptedHost();
  states = [];
  told = [];
  const events = {
    state: (state: ViewerState) => states.push(state),
    news: (news: unknown) => told.push(news),
    stream: () => told.push("stream"),
    ending: () => told.push("ending"),
    inputOpen: () => told.push("input open"),
    device: (request: unknown) => told.push(request),
  };
  viewer = new Viewer(events, host);
});
afterEach(() => {
  vi.useRealTimers();
});

/** Lets promises settle without letting time pass. */
const settle = () => vi.advanceTimersByTimeAsync(0);

/** Lets time pass. */
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

async function goLive(): Promise<void> {
  host.socket.open();
  await settle();
  host.socket.answer("offer", { result: { sessionId: "s", sdp: "the answer" } });
  await settle();
  host.peer.become("connected");
  viewer.pictureShown();
}

test("the offer leaves the instant the socket is open, and the picture makes it live", async () => {
  viewer.start();
  await settle();
  expect(host.socket.sent).toEqual([]);
  host.socket.open();
  await settle();
  expect(host.socket.sent).toContainEqual(
    expect.objectContaining({ method: "offer", params: { sdp: "the offer" } }),
  );
  host.socket.answer("offer", { result: { sessionId: "s", sdp: "the answer" } });
  await settle();
  expect(host.peer.accepted).toBe("the answer");
  host.peer.become("connected");
  viewer.pictureShown();
  expect(states.map(({ kind }) => kind)).toEqual(["connecting", "waiting", "waiting", "live"]);
  expect(told).toEqual(["stream"]);
});

test("pings compare the clocks and keep a live session alive", async () => {
  viewer.start();
  await goLive();
  await pass(20_000);
  expect(viewer.state.kind).toBe("live");
  expect(viewer.clock(performance.now())?.offsetMs).toBeCloseTo(host.aheadMs, 3);
});

test("a host that stops answering is left after five seconds", async () => {
  viewer.start();
  await goLive();
  host.answersPings = false;
  await pass(4000);
  expect(viewer.state.kind).toBe("live");
  await pass(2000);
  expect(told.at(-1)).toBe("ending");
  expect(states).toContainEqual(
    expect.objectContaining({ kind: "reconnecting", cause: { kind: "silent" } }),
  );
  expect(host.peers[0]?.closed).toBe(true);
});

test("delays double while nothing works, and start again after a session that lived", async () => {
  host.loginStatus = undefined;
  viewer.start();
  const delays: number[] = [];
  for (let attempt = 0; attempt < 6; attempt++) {
    host.socket.drop();
    await settle();
    const { state } = viewer;
    if (state.kind !== "unreachable") throw new Error(`it is ${state.kind}`);
    delays.push(state.retryAtMs - performance.now());
    await pass(delays.at(-1)!);
  }
  expect(delays).toEqual([250, 500, 1000, 2000, 4000, 4000]);
  expect(host.sockets).toHaveLength(7);

  await goLive();
  await pass(6000);
  host.socket.drop();
  const { state } = viewer;
  expect(state.kind === "reconnecting" && state.retryAtMs - performance.now()).toBe(250);
});

test("a refused socket and a refused login mean: not logged in, and no storm of attempts", async () => {
  host.loginStatus = 401;
  viewer.start();
  host.socket.drop();
  await settle();
  expect(viewer.state.kind).toBe("not-logged-in");
  await pass(60_000);
  expect(host.sockets).toHaveLength(1);
  viewer.retryIfWaiting();
  expect(host.sockets).toHaveLength(2);
});

test("any other refusal is said in words and tried again", async () => {
  host.loginStatus = 429;
  viewer.start();
  host.socket.drop();
  await settle();
  expect(viewer.state).toMatchObject({ cause: { kind: "http", status: 429 } });
  await pass(250);
  expect(host.sockets).toHaveLength(2);
});

test("a socket that hangs while opening is given up", async () => {
  host.loginStatus = undefined;
  viewer.start();
  await pass(8000);
  expect(viewer.state.kind).toBe("unreachable");
  expect(host.sockets[0]?.closed).toBe(true);
});

test("the host's refusal of the offer is shown in its own words", async () => {
  viewer.start();
  host.socket.open();
  await settle();
  const error = { code: -32000, message: "too many viewers", data: "16" };
  host.socket.answer("offer", { error });
  await settle();
  expect(viewer.state).toMatchObject({ cause: { message: "too many viewers (16)" } });
});

test("an answer without a session description is no answer", async () => {
  viewer.start();
  host.socket.open();
  await settle();
  host.socket.answer("offer", { result: null });
  await settle();
  expect(viewer.state).toMatchObject({ cause: { kind: "rejected" } });
});

test("a peer connection that never connects points at a firewall", async () => {
  viewer.start();
  host.socket.open();
  await settle();
  host.socket.answer("offer", { result: { sdp: "the answer" } });
  await pass(10_100);
  expect(viewer.state).toMatchObject({ cause: { kind: "media-blocked" } });
});

test("a short interruption is only mentioned, a long one ends the session", async () => {
  viewer.start();
  await goLive();
  host.peer.become("disconnected");
  expect(viewer.state).toEqual({ kind: "live", interrupted: true });
  await pass(2000);
  host.peer.become("connected");
  expect(viewer.state).toEqual({ kind: "live", interrupted: false });
  await pass(4000);
  expect(viewer.state.kind).toBe("live");
  host.peer.become("disconnected");
  await pass(3100);
  expect(viewer.state).toMatchObject({ cause: { kind: "media-lost" } });
});

test("a host that stops is waited for, one that sends the viewer away is not", async () => {
  viewer.start();
  await goLive();
  host.socket.tell({ method: "sessionEnded", params: { reason: "host_stopped" } });
  expect(viewer.state).toMatchObject({ kind: "reconnecting", cause: { reason: "host_stopped" } });
  await pass(250);
  await goLive();
  host.socket.tell({ method: "sessionEnded", params: { reason: "replaced" } });
  expect(viewer.state).toEqual({ kind: "ended", reason: "replaced" });
  await pass(60_000);
  viewer.retryIfWaiting();
  expect(host.sockets).toHaveLength(2);
  viewer.retryNow();
  expect(host.sockets).toHaveLength(3);
});

test("a browser without H.264 is told so once", async () => {
  host.peerFailure = new Unsupported("h264");
  viewer.start();
  await settle();
  expect(viewer.state).toEqual({ kind: "unsupported", missing: "h264" });
  await pass(60_000);
  expect(host.sockets).toHaveLength(1);
});

test("leaving tells the host, closes everything and tries nothing more", async () => {
  viewer.start();
  await goLive();
  viewer.leave();
  expect(host.socket.methods().at(-1)).toBe("closeSession");
  expect(host.socket.closed && host.peer.closed).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test("statistics are asked for only while they are watched, in later sessions too", async () => {
  viewer.start();
  await goLive();
  expect(host.socket.methods()).not.toContain("subscribeStats");
  viewer.watchStats(true);
  expect(host.socket.sent.at(-1)).toMatchObject({
    method: "subscribeStats",
    params: { frames: true },
  });
  host.socket.drop();
  await pass(250);
  await goLive();
  expect(host.sockets).toHaveLength(2);
  expect(host.socket.methods()).toContain("subscribeStats");
  viewer.watchStats(false);
  expect(host.socket.methods().at(-1)).toBe("unsubscribeStats");
});

test("what the host tells reaches the page, and unknown news is ignored", async () => {
  viewer.start();
  host.socket.open();
  host.socket.tell({ method: "videoInputState", params: { error: "no_signal" } });
  host.socket.tell({ method: "statsFrames", params: { frames: [{ rtp: 1 }] } });
  host.socket.tell({ method: "statsSecond", params: { fps: 60 } });
  host.socket.tell({ method: "weather", params: {} });
  expect(told).toEqual([
    { kind: "video-input", input: { error: "no_signal" } },
    { kind: "frames", frames: [{ rtp: 1 }] },
    { kind: "second", second: { fps: 60 } },
  ]);
});

test("a pause is told to this session and to every later one, a running video to none", async () => {
  viewer.start();
  await goLive();
  expect(host.socket.methods()).not.toContain("setVideoStreamPaused");
  const told = () => host.socket.sent.filter(({ method }) => method === "setVideoStreamPaused");
  viewer.pause(true);
  expect(told()).toMatchObject([{ params: { paused: true } }]);
  host.socket.drop();
  await pass(250);
  expect(host.sockets).toHaveLength(2);
  host.socket.open();
  await settle();
  expect(told(), "nothing can be paused before the answer").toEqual([]);
  host.socket.answer("offer", { result: { sdp: "the answer" } });
  await settle();
  expect(told()).toMatchObject([{ params: { paused: true } }]);
  viewer.pause(false);
  expect(told().at(-1)).toMatchObject({ params: { paused: false } });
});

test("a paused session without a picture is no trouble", async () => {
  viewer.pause(true);
  viewer.start();
  host.socket.open();
  await settle();
  host.socket.answer("offer", { result: { sdp: "the answer" } });
  await settle();
  host.peer.become("connected");
  await pass(120_000);
  expect(viewer.state.kind).toBe("waiting");
  expect(host.sockets).toHaveLength(1);
});

test("a refused pause leaves the session alone", async () => {
  viewer.start();
  await goLive();
  viewer.pause(true);
  host.socket.answer("setVideoStreamPaused", { error: { code: -32601, message: "no such method" } });
  await settle();
  expect(viewer.state.kind).toBe("live");
});

test("the page asks the current session, and hears at once when there is none", async () => {
  await expect(viewer.request("listSessions")).rejects.toMatchObject({ why: "closed" });
  viewer.start();
  await goLive();
  const asked = viewer.request("takeControl");
  host.socket.answer("takeControl", { result: null });
  expect(await asked).toBeNull();
  host.peer.openInput();
  expect(told.at(-1)).toBe("input open");
});
