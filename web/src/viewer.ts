//! Keeps the stream on screen: starts sessions one after another, waits between them, and says in
//! which state it is. It shows nothing itself, and it gives up only where trying again is no use.

import { Backoff } from "./backoff";
import type { ClockEstimate } from "./clock";
import type { DeviceRequest } from "./input/wire";
import { readNews, type News } from "./news";
import type { Peer } from "./peer";
import { RpcUnanswered } from "./rpc";
import { BROWSER_PARTS, Session, type SessionParts } from "./session";
import type { EndCause, ViewerState } from "./state";

/** Reasons after which the host wants no new session of this page by itself. */
const FINAL_REASONS = ["replaced", "operator", "expired", "quit"];

/** What the viewer needs from the browser; tests put scripted parts in their place. */
export interface ViewerParts extends SessionParts {
  /** The HTTP status of the login check, or undefined when the host cannot be reached. */
  probeLogin(): Promise<number | undefined>;
}

/** What the viewer tells the page. */
export interface ViewerEvents {
  state(state: ViewerState): void;
  news(news: News): void;
  /** A new session's track: show it. */
  stream(peer: Peer): void;
  /** The stream is about to end: its last picture can still be taken. */
  ending(): void;
  /** This session's input can leave from now on. */
  inputOpen(peer: Peer): void;
  device(request: DeviceRequest): void;
}

/** The viewer of one page. */
export class Viewer {
  state: ViewerState = { kind: "connecting", again: undefined };
  peer: Peer | undefined;
  #session: Session | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #liveSinceMs: number | undefined;
  #watchingStats = false;
  #paused = false;
  #muted = false;
  #connected = false;
  readonly #backoff = new Backoff();

  constructor(
    private readonly events: ViewerEvents,
    private readonly parts: ViewerParts = BROWSER_VIEWER_PARTS,
  ) {}

  /** Starts a session, unless one is under way. */
  start(again?: EndCause): void {
    if (this.#session) return;
    clearTimeout(this.#retry);
    this.#liveSinceMs = undefined;
    this.#connected = false;
    this.#become({ kind: "connecting", again });
    const session: Session = new Session(this.parts, {
      answered: (peer) => {
        this.peer = peer;
        this.#become({ kind: "waiting", connected: false });
        this.events.stream(peer);
      },
      media: (state) => this.#mediaChanged(state === "connected"),
      notification: (method, params) => {
        const news = readNews(method, params);
        if (news) this.events.news(news);
      },
      inputOpen: () => {
        if (this.peer) this.events.inputOpen(this.peer);
      },
      device: (request) => this.events.device(request),
      ending: () => this.events.ending(),
      ended: (cause) => void this.#sessionEnded(session, cause),
    });
    this.#session = session;
    session.watchStats(this.#watchingStats);
    session.pause(this.#paused);
    session.mute(this.#muted);
  }

  /** Tries at once if the viewer waits for anything. A person asked, or the network changed. */
  retryNow(): void {
    const { state } = this;
    this.#backoff.reset();
    if (state.kind === "reconnecting") this.start(state.cause);
    else if (state.kind === "unreachable") this.start({ kind: "unreachable" });
    else this.start();
  }

  /** Tries at once, but only after trouble that may have passed meanwhile. */
  retryIfWaiting(): void {
    const { kind } = this.state;
    if (kind === "reconnecting" || kind === "unreachable" || kind === "not-logged-in") {
      this.retryNow();
    }
  }

  /** Ends the session for good, and says so to the host. */
  leave(): void {
    clearTimeout(this.#retry);
    this.#session?.leave();
    this.#session = undefined;
    this.peer = undefined;
  }

  /** The first picture of the current session is on the screen. */
  pictureShown(): void {
    if (this.state.kind !== "waiting") return;
    this.#liveSinceMs = performance.now();
    this.#become({ kind: "live", interrupted: false });
  }

  /** Turns the host's statistics on or off, now and in later sessions. */
  watchStats(on: boolean): void {
    this.#watchingStats = on;
    this.#session?.watchStats(on);
  }

  /** Stops the pictures or has them again, now and in later sessions. */
  pause(paused: boolean): void {
    this.#paused = paused;
    this.#session?.pause(paused);
  }

  /** Stops the sound or has it again, now and in later sessions. */
  mute(muted: boolean): void {
    this.#muted = muted;
    this.#session?.mute(muted);
  }

  /** Asks the host of the current session; `timeoutMs` for what takes longer than other answers. */
  request(method: string, params: Record<string, unknown> = {}, timeoutMs?: number): Promise<unknown> {
    return this.#session
      ? this.#session.request(method, params, timeoutMs)
      : Promise.reject(new RpcUnanswered(method, "closed"));
  }

  /** How the host's clock stands against this page's. */
  clock(nowMs: number): ClockEstimate | undefined {
    return this.#session?.clock.estimate(nowMs);
  }

  #mediaChanged(connected: boolean): void {
    this.#connected ||= connected;
    if (this.state.kind === "live") this.#become({ kind: "live", interrupted: !connected });
    if (this.state.kind === "waiting") {
      this.#become({ kind: "waiting", connected: this.#connected });
    }
  }

  async #sessionEnded(session: Session, cause: EndCause): Promise<void> {
    if (this.#session !== session) return;
    this.peer = undefined;
    if (cause.kind === "unsupported") {
      this.#session = undefined;
      return this.#become({ kind: "unsupported", missing: cause.missing });
    }
    if (cause.kind === "ended" && FINAL_REASONS.includes(cause.reason)) {
      this.#session = undefined;
      return this.#become({ kind: "ended", reason: cause.reason });
    }
    if (cause.kind !== "refused") {
      this.#session = undefined;
      return this.#waitAndRetry(cause);
    }
    // A refused WebSocket does not tell why; an ordinary request does.
    const status = await this.parts.probeLogin();
    if (this.#session !== session) return;
    this.#session = undefined;
    if (status === 401) return this.#become({ kind: "not-logged-in" });
    if (status === undefined) return this.#waitAndRetry({ kind: "unreachable" });
    this.#waitAndRetry(status < 300 ? cause : { kind: "http", status });
  }

  #waitAndRetry(cause: EndCause): void {
    const nowMs = performance.now();
    const livedMs = this.#liveSinceMs === undefined ? 0 : nowMs - this.#liveSinceMs;
    const delayMs = this.#backoff.failed(livedMs);
    const retryAtMs = nowMs + delayMs;
    this.#retry = setTimeout(() => this.start(cause), delayMs);
    if (cause.kind === "unreachable") this.#become({ kind: "unreachable", retryAtMs });
    else this.#become({ kind: "reconnecting", cause, retryAtMs });
  }

  #become(state: ViewerState): void {
    this.state = state;
    this.events.state(state);
  }
}

const PROBE_TIMEOUT_MS = 5000;

/** The parts of a real browser. */
export const BROWSER_VIEWER_PARTS: ViewerParts = {
  ...BROWSER_PARTS,
  async probeLogin() {
    try {
      const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS);
      const reply = await fetch("/api/session", { cache: "no-store", signal });
      return reply.status;
    } catch {
      return undefined;
    }
  },
};
