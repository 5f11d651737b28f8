//! `heliostat stdio` as a parent program runs it: lines of JSON in and out, and nothing else.

import { Child } from "./child.js";
import { binary } from "./host.js";
import { until, within } from "./limits.js";

/** A running child. */
export class StdioHost {
  /** Starts one; it is ready when this returns. */
  static async start(rig, args, env) {
    const home = await rig.directory();
    // It has to end by itself when its stdin does, whatever else happens.
    const options = { name: "heliostat stdio", env: { PATH: process.env.PATH, HOME: home, ...env } };
    const child = new Child(binary("heliostat"), ["stdio", ...args], options);
    const host = new StdioHost(child);
    rig.atEnd(() => child.stop());
    await host.message(({ type }) => type === "ready").catch((error) => {
      throw new Error(`${error.message}\n${child.transcript()}`);
    });
    return host;
  }

  constructor(child) {
    this.child = child;
  }

  /** Every line so far; fails at one that is no JSON object. */
  get said() {
    return this.child.out.kept.map((line) => {
      const message = JSON.parse(line);
      if (typeof message.type !== "string") throw new Error(`a line without a type: ${line}`);
      return message;
    });
  }

  /** Waits for a message that fits, among those since message number `from`. */
  message(fits, from = 0) {
    return until(`a line like ${fits}`, () => this.said.slice(from).find(fits));
  }

  /** Says something. */
  say(message) {
    this.child.say(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Asks something of the host's JSON-RPC. */
  async ask(method, params = {}) {
    const id = `rpc-${(this.asked = (this.asked ?? 0) + 1)}`;
    this.say({ type: "rpc", message: { jsonrpc: "2.0", id, method, params } });
    const { message } = await this.message(({ type, message: m }) => type === "rpc" && m.id === id);
    return message;
  }

  /** Closes its stdin, waits for its end, and returns how it ended. */
  async close() {
    this.child.process.stdin.end();
    return within(this.child.ended, "the end of heliostat stdio");
  }
}

/** Runs in a page: makes a peer connection that receives video and talks, and returns its offer. */
async function offer() {
  const pc = new RTCPeerConnection();
  const peer = { pc, candidates: [] };
  window.peer = peer;
  pc.addEventListener("icecandidate", ({ candidate }) => {
    if (candidate) peer.candidates.push(candidate.candidate);
  });
  pc.addEventListener("track", ({ track }) => {
    const video = document.createElement("video");
    Object.assign(video, { muted: true, srcObject: new MediaStream([track]) });
    document.body.append(video);
    void video.play();
  });
  pc.addTransceiver("video", { direction: "recvonly" });
  peer.rpc = pc.createDataChannel("rpc");
  peer.rpc.addEventListener("close", () => (peer.isClosed = true));
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
}

/** A browser's page that the parent connects to its child. */
export class StdioPeer {
  /** Offers a session, and waits until the host's channel is open. */
  static async connect(host, page, session, more = {}) {
    const sdp = await page.evaluate(offer);
    const from = host.said.length;
    host.say({ type: "offer", session, sdp, ...more });
    // As browsers tell them: before there is an answer.
    for (const candidate of await page.evaluate(() => window.peer.candidates)) {
      host.say({ type: "candidate", session, candidate });
    }
    host.say({ type: "candidate", session, candidate: "" });
    const isAnswer = (said) => said.type === "answer" && said.session === session;
    const answer = await host.message(isAnswer, from);
    const settle = (description) => window.peer.pc.setRemoteDescription(description);
    await page.evaluate(settle, { type: "answer", sdp: answer.sdp });
    const peer = new StdioPeer(page);
    await peer.wait("an open channel", () => window.peer.rpc.readyState === "open");
    return peer;
  }

  constructor(page) {
    this.page = page;
  }

  /** Waits until a function of the page says yes. */
  wait(what, question, argument) {
    return this.page.waitForFunction(question, argument, { polling: 25 }).catch((error) => {
      throw new Error(`${what} did not come: ${error.message}`);
    });
  }

  /** Pictures decoded so far. */
  frames() {
    return this.page.evaluate(async () => {
      const reports = [...(await window.peer.pc.getStats()).values()];
      return reports.find(({ type }) => type === "inbound-rtp")?.framesDecoded ?? 0;
    });
  }

  /** Waits for that many more pictures. */
  async untilFrames(count) {
    const now = await this.frames();
    await until(`${count} more pictures`, async () => (await this.frames()) >= now + count);
  }
}
