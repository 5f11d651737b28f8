//! One attempt to show the stream: a WebSocket, a peer connection and a heartbeat that live and end
//! together. It reports its end once, with the cause, and never tries again by itself.

import { HostClock } from "./clock";
import type { DeviceRequest } from "./input/wire";
import { openPeer as openBrowserPeer, Unsupported, type Peer, type PeerEvents } from "./peer";
import { readNumber, readText } from "./protocol";
import { errorText, RpcClient, RpcUnanswered } from "./rpc";
import type { EndCause } from "./state";

const OPEN_TIMEOUT_MS = 8000;
const ANSWER_TIMEOUT_MS = 10_000;
const MEDIA_TIMEOUT_MS = 10_000;
/** A peer connection that lost its peer may find it again; not for longer than this. */
const INTERRUPTION_GRACE_MS = 3000;
const SILENCE_TIMEOUT_MS = 5000;
/** A little under a second: hidden tabs round timers up to whole ones, and the host waits three. */
const HEARTBEAT_MS = 900;
/** A few quick pings first, so that the clocks are compared before the first frame is plotted. */
const QUICK_PINGS = 5;
const QUICK_PING_MS = 150;

/** What the session needs from the browser; tests put scripted parts in their place. */
export interface SessionParts {
  openSocket(): WebSocket;
  openPeer(events: PeerEvents): Peer;
}

/** What a session tells its owner. */
export interface SessionEvents {
  /** The host answered: the track will carry the picture. */
  answered(peer: Peer): void;
  media(state: "connected" | "interrupted"): void;
  notification(method: string, params: unknown): void;
  inputOpen(): void;
  device(request: DeviceRequest): void;
  /** The session is about to end: its last picture can still be taken. */
  ending(): void;
  ended(cause: EndCause): void;
}

type Timer = ReturnType<typeof setTimeout>;

/** A session from its first packet to its end. */
export class Session {
  readonly clock = new HostClock();
  readonly #socket: WebSocket;
  readonly #rpc: RpcClient;
  #peer: Peer | undefined;
  #offered = false;
  #answered = false;
  #ended = false;
  #pings = 0;
  #watchingStats = false;
  #paused = false;
  #muted = false;
  #heartbeat: Timer | undefined;
  #deadline: Timer | undefined;

  constructor(
    parts: SessionParts,
    private readonly events: SessionEvents,
  ) {
    const socket = parts.openSocket();
    this.#socket = socket;
    this.#rpc = new RpcClient(
      (text) => {
        if (socket.readyState === socket.OPEN) socket.send(text);
      },
      (method, params) => this.#notified(method, params),
    );
    this.#within(OPEN_TIMEOUT_MS, { kind: "refused" });
    const opened = new Promise<void>((resolve) => {
      socket.onopen = () => resolve();
    });
    socket.onclose = () => this.#end({ kind: this.#pings > 0 ? "lost" : "refused" });
    socket.onmessage = ({ data }: MessageEvent) => {
      if (typeof data === "string") this.#rpc.receive(data);
    };
    void this.#negotiate(parts, opened);
  }

  /** Turns the host's statistics on or off. */
  watchStats(on: boolean): void {
    this.#watchingStats = on;
    if (this.#answered) this.#subscribe();
  }

  /** Stops the pictures, or has them again. What is asked before the answer is told with it. */
  pause(paused: boolean): void {
    this.#paused = paused;
    if (this.#answered) this.#tellPaused();
  }

  /** Stops the sound, or has it again. What is asked before the answer is told with it. */
  mute(muted: boolean): void {
    if (muted === this.#muted) return;
    this.#muted = muted;
    if (this.#answered) this.#tellMuted();
  }

  /** Asks the host; fails like the connection does. */
  request(method: string, params: Record<string, unknown>, timeoutMs = ANSWER_TIMEOUT_MS): Promise<unknown> {
    return this.#rpc.request(method, params, timeoutMs);
  }

  /** Leaves: tells the host, so that it need not wait for silence. Reports no end. */
  leave(): void {
    this.#rpc.notify("closeSession", {});
    this.#release();
  }

  async #negotiate(parts: SessionParts, opened: Promise<void>): Promise<void> {
    // The owner hears of an end only once it holds the session.
    await Promise.resolve();
    try {
      const peer = parts.openPeer({
        state: (state) => this.#mediaState(state),
        candidate: (candidate) => this.#sendCandidate(candidate),
        inputOpen: () => {
          if (!this.#ended) this.events.inputOpen();
        },
        device: (request) => this.events.device(request),
      });
      this.#peer = peer;
      const [sdp] = await Promise.all([peer.offer(), opened.then(() => this.#beat())]);
      this.#within(ANSWER_TIMEOUT_MS, { kind: "silent" });
      this.#offered = true;
      const reply = await this.#rpc.request("offer", { sdp }, ANSWER_TIMEOUT_MS);
      const answer = readText(reply, "sdp");
      if (answer === undefined) return this.#reject("its answer holds no session description");
      await peer.accept(answer);
      if (this.#ended) return;
      this.#answered = true;
      this.#within(MEDIA_TIMEOUT_MS, { kind: "media-blocked" });
      this.events.answered(peer);
      this.#mediaState(peer.pc.connectionState);
      if (this.#watchingStats) this.#subscribe();
      if (this.#paused) this.#tellPaused();
      if (this.#muted) this.#tellMuted();
    } catch (error) {
      if (error instanceof Unsupported) this.#end({ kind: "unsupported", missing: error.missing });
      else if (error instanceof RpcUnanswered) this.#end({ kind: "silent" });
      else this.#reject(errorText(error));
    }
  }

  /** A courtesy: the host learns addresses from the checks themselves, so early ones may be missed. */
  #sendCandidate(candidate: RTCIceCandidate): void {
    if (!this.#offered) return;
    const { candidate: line, sdpMid, sdpMLineIndex } = candidate;
    this.#rpc.notify("addCandidate", { candidate: line, sdpMid, sdpMLineIndex });
  }

  #mediaState(state: RTCPeerConnectionState): void {
    if (this.#ended || !this.#answered) return;
    if (state === "connected") {
      clearTimeout(this.#deadline);
      this.events.media("connected");
    } else if (state === "disconnected") {
      this.#within(INTERRUPTION_GRACE_MS, { kind: "media-lost" });
      this.events.media("interrupted");
    } else if (state === "failed" || state === "closed") {
      this.#end({ kind: "media-lost" });
    }
  }

  #beat(): void {
    if (this.#ended) return;
    const sentMs = performance.now();
    this.#pings++;
    this.#rpc.request("ping", {}, SILENCE_TIMEOUT_MS).then(
      (reply) => {
        const hostTimeUs = readNumber(reply, "hostTimeUs");
        const receivedMs = performance.now();
        if (hostTimeUs !== undefined) this.clock.add({ sentMs, receivedMs, hostTimeUs });
      },
      (error: unknown) => {
        if (error instanceof RpcUnanswered) this.#end({ kind: "silent" });
      },
    );
    const nextInMs = this.#pings < QUICK_PINGS ? QUICK_PING_MS : HEARTBEAT_MS;
    this.#heartbeat = setTimeout(() => this.#beat(), nextInMs);
  }

  #notified(method: string, params: unknown): void {
    if (method === "sessionEnded") {
      this.#end({ kind: "ended", reason: readText(params, "reason") ?? "error" });
    } else {
      this.events.notification(method, params);
    }
  }

  #subscribe(): void {
    const answered = this.#watchingStats
      ? this.#rpc.request("subscribeStats", { frames: true }, ANSWER_TIMEOUT_MS)
      : this.#rpc.request("unsubscribeStats", {}, ANSWER_TIMEOUT_MS);
    // A host without statistics still streams: the overlay then shows what the browser knows.
    answered.catch(() => undefined);
  }

  #tellPaused(): void {
    const told = this.#rpc.request(
      "setVideoStreamPaused",
      { paused: this.#paused },
      ANSWER_TIMEOUT_MS,
    );
    // Only a host of another version refuses; it streams on, which is no harm but the bytes.
    told.catch(() => undefined);
  }

  #tellMuted(): void {
    const told = this.#rpc.request("setAudioMuted", { muted: this.#muted }, ANSWER_TIMEOUT_MS);
    // Only a host of another version refuses, and that one sends no sound.
    told.catch(() => undefined);
  }

  #reject(message: string): void {
    this.#end({ kind: "rejected", message });
  }

  /** Ends with `cause` unless something better happens first. One deadline runs at a time. */
  #within(timeoutMs: number, cause: EndCause): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#end(cause), timeoutMs);
  }

  #end(cause: EndCause): void {
    if (this.#ended) return;
    this.events.ending();
    this.#rpc.notify("closeSession", {});
    this.#release();
    this.events.ended(cause);
  }

  #release(): void {
    this.#ended = true;
    clearTimeout(this.#heartbeat);
    clearTimeout(this.#deadline);
    this.#rpc.close();
    this.#socket.onclose = null;
    this.#socket.close();
    this.#peer?.close();
  }
}

/** The parts of a real browser. */
export const BROWSER_PARTS: SessionParts = {
  openSocket() {
    const url = new URL("/api/ws", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(url);
  },
  openPeer: openBrowserPeer,
};
