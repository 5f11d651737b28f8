//! A client of JetKVM that is strict about everything that the strictest of the real ones is strict
//! about: its signalling is our own, its WebRTC is Chromium's. It remembers all it was told.

import { WebSocket } from "ws";
import { GIVE_UP_MS, within } from "./limits.js";

/** Every channel that some client opens. */
const CHANNELS = {
  rpc: {},
  hidrpc: {},
  "hidrpc-unreliable-ordered": { maxRetransmits: 0 },
  "hidrpc-unreliable-nonordered": { ordered: false, maxRetransmits: 0 },
  serial: {},
  terminal: {},
  disk: {},
};

/** Runs in the page: the peer connection, and what came over its channels. */
function peer(channels) {
  const pc = new RTCPeerConnection();
  const kvm = { pc, channels: {}, texts: [], reports: [], closed: [] };
  window.kvm = kvm;
  pc.addEventListener("track", ({ track }) => {
    kvm.video = document.createElement("video");
    Object.assign(kvm.video, { muted: true, srcObject: new MediaStream([track]) });
    document.body.append(kvm.video);
    void kvm.video.play();
  });
  for (const [label, options] of Object.entries(channels)) {
    const channel = pc.createDataChannel(label, options);
    channel.binaryType = "arraybuffer";
    channel.addEventListener("close", () => kvm.closed.push([label, performance.now()]));
    channel.addEventListener("message", ({ data }) => {
      if (typeof data === "string") kvm.texts.push([label, JSON.parse(data), performance.now()]);
      else kvm.reports.push([label, [...new Uint8Array(data)]]);
    });
    kvm.channels[label] = channel;
  }
}

/** Logs in with a password; returns the cookie to show, as a header. */
export async function jetkvmLogin(origin, password) {
  const reply = await fetch(`${origin}/auth/login-local`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ password }),
  });
  const body = await reply.json();
  const cookie = reply.headers.get("set-cookie");
  return { status: reply.status, body, cookie, headers: { cookie: cookie?.split(";")[0] } };
}

/** One client. */
export class JetKvmClient {
  /** Every signalling message, in order. */
  heard = [];
  #asked = 0;
  #waiting = [];

  /** Opens the signalling socket; the page is where its peer connection will be. */
  static async signal(rig, page, origin, headers) {
    const url = `${origin.replace(/^http/, "ws")}/webrtc/signaling/client`;
    const socket = new WebSocket(url, { headers });
    rig.atEnd(() => socket.terminate());
    const client = new JetKvmClient(page, socket);
    const refused = new Promise((_, reject) => {
      socket.on("unexpected-response", (_request, { statusCode }) => {
        reject(Object.assign(new Error(`HTTP ${statusCode}`), { status: statusCode }));
      });
      socket.on("error", reject);
    });
    refused.catch(() => {});
    await within(Promise.race([client.next(), refused]), "the first signalling message");
    return client;
  }

  /** A client that is connected, with all its channels open. */
  static async connect(rig, page, origin, headers) {
    const client = await JetKvmClient.signal(rig, page, origin, headers);
    await client.offer();
    await client.opened();
    return client;
  }

  constructor(page, socket) {
    this.page = page;
    this.socket = socket;
    socket.on("message", (data, binary) => {
      this.heard.push({ binary, text: data.toString() });
      this.#waiting.shift()?.(this.heard.at(-1));
    });
  }

  /** The next signalling message. */
  next() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Offers video and all channels; what comes next must be the answer. */
  async offer({ video = true } = {}) {
    await this.page.goto("about:blank");
    const sdp = await this.page.evaluate(
      async ([peerSource, channels, wantsVideo]) => {
        // The page is empty: it has what we bring.
        new Function(`return ${peerSource}`)()(channels);
        const { pc } = window.kvm;
        if (wantsVideo) pc.addTransceiver("video", { direction: "recvonly" });
        await pc.setLocalDescription();
        return pc.localDescription.sdp;
      },
      [peer.toString(), CHANNELS, video],
    );
    const sd = Buffer.from(JSON.stringify({ type: "offer", sdp })).toString("base64");
    const answered = this.next();
    this.socket.send(JSON.stringify({ type: "offer", data: { sd } }));
    const { text } = await within(answered, "the answer");
    const { type, data } = JSON.parse(text);
    if (type !== "answer" || typeof data !== "string") throw new Error(`not an answer: ${text}`);
    const answer = JSON.parse(Buffer.from(data, "base64").toString());
    await this.page.evaluate((description) => window.kvm.pc.setRemoteDescription(description), answer);
    this.offered = sdp;
    this.answer = answer;
    return answer;
  }

  /** Waits until every channel is open. */
  opened() {
    const open = () => Object.values(window.kvm.channels).every((c) => c.readyState === "open");
    return this.#wait("open channels", open);
  }

  #wait(what, question, argument) {
    const waiting = this.page.waitForFunction(question, argument, { polling: 25, timeout: GIVE_UP_MS });
    return waiting.catch((error) => {
      throw new Error(`${what} did not come: ${error.message}`);
    });
  }

  /** Sends a text as it is. */
  say(label, text) {
    return this.page.evaluate(([l, t]) => window.kvm.channels[l].send(t), [label, text]);
  }

  /** Sends bytes. */
  report(label, bytes) {
    return this.page.evaluate(
      ([l, b]) => window.kvm.channels[l].send(new Uint8Array(b)),
      [label, bytes],
    );
  }

  /** Asks over `rpc`; the whole answer. */
  async ask(method, params = {}) {
    const id = `rpc-${++this.#asked}`;
    await this.say("rpc", JSON.stringify({ jsonrpc: "2.0", method, params, id }));
    return this.text((message) => message.id === id, `an answer to ${method}`);
  }

  /** The first message over `rpc` that fits, once it is there. */
  async text(fits, what) {
    let found;
    await within(
      (async () => {
        for (;;) {
          const texts = await this.page.evaluate(() => window.kvm.texts);
          found = texts.map(([, message]) => message).find(fits);
          if (found) return;
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
      })(),
      what,
    );
    return found;
  }

  /** Events of that name so far: what was said, and when. */
  async events(name) {
    const texts = await this.page.evaluate(() => window.kvm.texts);
    const named = texts.filter(([, { method }]) => method === name);
    return named.map(([, { params }, atMs]) => ({ params, atMs }));
  }

  /** Waits for a report on `hidrpc`. */
  async heardReport(bytes) {
    const same = (wanted) => window.kvm.reports.some(([, report]) => `${report}` === wanted);
    await this.#wait(`the report ${bytes}`, same, `${bytes}`);
  }

  /** What Chromium counts of the pictures. */
  async received() {
    return this.page.evaluate(async () => {
      const reports = [...(await window.kvm.pc.getStats()).values()];
      const inbound = reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
      const codec = reports.find(({ id }) => id === inbound?.codecId);
      return { ...inbound, payloadType: codec?.payloadType };
    });
  }

  /** Waits until `count` more pictures were decoded than now. */
  async frames(count) {
    const now = (await this.received()).framesDecoded ?? 0;
    await within(
      (async () => {
        while (((await this.received()).framesDecoded ?? 0) < now + count) {
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
      })(),
      `${count} more pictures`,
    );
  }

  /** Which channels were closed by the host, and when. */
  closed() {
    return this.page.evaluate(() => window.kvm.closed);
  }

  /** Waits until the connection or its channels are gone. */
  async gone() {
    const gone = () =>
      window.kvm.closed.length > 0 || ["failed", "closed"].includes(window.kvm.pc.connectionState);
    await this.#wait("the end of the session", gone);
  }
}
