//! A client without the page: what it tells the host is the test's to decide, its WebRTC is
//! Chromium's. It opens every channel that the host serves, and counts pictures.

import { Desk } from "./desk.js";
import { GIVE_UP_MS, until } from "./limits.js";

const CHANNELS = { rpc: {}, input: {}, motion: { ordered: false, maxRetransmits: 0 } };
/** Well within the silence that the host allows to the one who has a session. */
const HEARTBEAT_MS = 900;

/** Runs in the browser: a peer connection, and what came of it. Returns its offer. */
async function offer({ channels, video }) {
  window.peer?.pc.close();
  const wallMs = () => performance.timeOrigin + performance.now();
  const peer = { begunMs: wallMs(), frames: [], texts: [], channels: {} };
  window.peer = peer;
  peer.pc = new RTCPeerConnection();
  peer.pc.addEventListener("track", async ({ track }) => {
    const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      peer.frames.push({ atMs: wallMs(), rtp: read.value.metadata().rtpTimestamp });
      read.value.close();
    }
  });
  if (video) peer.pc.addTransceiver("video", { direction: "recvonly" });
  for (const [label, options] of Object.entries(channels)) {
    const channel = peer.pc.createDataChannel(label, options);
    channel.addEventListener("message", ({ data }) => {
      if (typeof data === "string") peer.texts.push(JSON.parse(data));
    });
    peer.channels[label] = channel;
  }
  await peer.pc.setLocalDescription();
  return peer.pc.localDescription.sdp;
}

/** A text as the host reads it; without an `id` it is a notification. */
export function message(method, params = {}, id = undefined) {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

/** What a key is on the `input` channel. */
export function keyBytes(seq, code, down) {
  return [0x01, seq >> 8, seq & 0xff, down ? 1 : 0, ...Buffer.from(code)];
}

/** What a place is on the `motion` channel. */
export function placeBytes(seq, x, y) {
  return [0x10, ...[seq, x, y].flatMap((value) => [value >> 8, value & 0xff])];
}

/** One client. */
export class Peer {
  #asked = 0;

  /** Opens the signalling; `login` is a header with a cookie, where one is needed. */
  static async open(rig, browser, host, login) {
    const page = await browser.open();
    // Any page of the host will do: pictures can be read only where a page is secure.
    await page.goto(`${host.origin}/nobody`);
    return new Peer(rig, page, await Desk.open(rig, host.origin, login));
  }

  /** One that watches. */
  static async watch(rig, browser, host, login) {
    const peer = await Peer.open(rig, browser, host, login);
    await peer.connect();
    return peer;
  }

  constructor(rig, page, desk) {
    this.page = page;
    this.desk = desk;
    const beat = setInterval(() => desk.notify("ping"), HEARTBEAT_MS);
    desk.closed.then(() => clearInterval(beat));
    rig.atEnd(() => clearInterval(beat));
  }

  /** Starts a session and waits for its channels, and its first picture. Returns how long that took. */
  async connect({ video = true } = {}) {
    const sdp = await this.page.evaluate(offer, { channels: CHANNELS, video });
    const { result, error } = await this.desk.ask("offer", { sdp });
    if (error) throw new Error(`no session: ${JSON.stringify(error)}`);
    this.session = result.sessionId;
    await this.page.evaluate((answer) => {
      return window.peer.pc.setRemoteDescription({ type: "answer", sdp: answer });
    }, result.sdp);
    const open = () => Object.values(window.peer.channels).every((c) => c.readyState === "open");
    await this.#wait("open channels", open);
    if (!video) return undefined;
    await this.frames(1);
    return this.page.evaluate(() => window.peer.frames[0].atMs - window.peer.begunMs);
  }

  /** Waits until `count` pictures more were decoded than now. */
  async frames(count) {
    const now = await this.page.evaluate(() => window.peer.frames.length);
    const enough = (least) => window.peer.frames.length >= least;
    await this.#wait(`${count} more pictures`, enough, now + count);
  }

  /** Pictures decoded from `fromMs` on. */
  decoded(fromMs = 0) {
    const later = (from) => window.peer.frames.filter(({ atMs }) => atMs >= from);
    return this.page.evaluate(later, fromMs);
  }

  nowMs() {
    return this.page.evaluate(() => performance.timeOrigin + performance.now());
  }

  /** What the browser counts of the pictures, and of all that came. */
  received() {
    return this.page.evaluate(async () => {
      const reports = [...(await window.peer.pc.getStats()).values()];
      const inbound = reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
      const transport = reports.find(({ type }) => type === "transport");
      const rtpBytes = inbound ? inbound.bytesReceived + inbound.headerBytesReceived : 0;
      return { ...inbound, rtpBytes, allBytes: transport.bytesReceived };
    });
  }

  /** Asks over the `rpc` channel; the answer holds `result` or `error`. */
  async ask(method, params = {}) {
    const id = `peer-${++this.#asked}`;
    await this.say("rpc", message(method, params, id));
    return this.answer(id);
  }

  /** Waits for the answer over `rpc` that has this id. */
  async answer(id) {
    const find = (wanted) => window.peer.texts.find((text) => text.id === wanted);
    return until(`an answer to ${id}`, () => this.page.evaluate(find, id));
  }

  /** Sends texts, or lists of bytes, on one of its channels, at once. */
  say(label, ...messages) {
    return this.page.evaluate(
      ([name, all]) => {
        const send = (data) => window.peer.channels[name].send(data);
        for (const one of all) send(typeof one === "string" ? one : new Uint8Array(one));
      },
      [label, messages],
    );
  }

  /** Ends the peer connection without a word to anybody. */
  hangUp() {
    return this.page.evaluate(() => window.peer.pc.close());
  }

  #wait(what, question, argument) {
    const options = { polling: 25, timeout: GIVE_UP_MS };
    return this.page.waitForFunction(question, argument, options).catch((error) => {
      throw new Error(`${what} did not come: ${error.message}`);
    });
  }
}
