//! Gathers everything the overlay shows while it is open, and does nothing while it is closed: the
//! picture must not pay for numbers that nobody reads.

import type { ClockEstimate } from "./clock";
import { FrameLog, type FrameRecord, type ViewFrame } from "./frames";
import { FreezeCounter } from "./freezes";
import type { HostFrame, HostSecond } from "./protocol";
import { ReceiverStats, type ReceiverSecond } from "./receiver-stats";
import { summarise, type Summary } from "./summary";

const PLOTTED_FRAMES = 180;
const READ_EVERY_MS = 1000;
/** Redraws come with the host's reports; this is for a host that sends none. */
const REDRAW_EVERY_MS = 500;

/** One reading of everything. */
export interface Snapshot {
  frames: FrameRecord[];
  summary: Summary;
  clock: ClockEstimate | undefined;
  host: HostSecond;
  receiver: ReceiverSecond;
  freezes: { count: number; longestMs: number | undefined };
}

/** Where the numbers come from. */
export interface StatisticsSources {
  peerConnection(): RTCPeerConnection | undefined;
  clock(nowMs: number): ClockEstimate | undefined;
}

/** The statistics of the stream that is on the screen. */
export class Statistics {
  #log = new FrameLog();
  #freezes = new FreezeCounter();
  #receiver = new ReceiverStats();
  #hostSecond: HostSecond = {};
  #receiverSecond: ReceiverSecond = {};
  #timers: ReturnType<typeof setInterval>[] = [];
  #callback = 0;
  #drawnMs = 0;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly sources: StatisticsSources,
    private readonly onSnapshot: (snapshot: Snapshot) => void,
  ) {}

  /** Whether this browser tells of single frames. */
  readonly framesKnown = "requestVideoFrameCallback" in HTMLVideoElement.prototype;

  /** Starts gathering. */
  start(): void {
    this.#freezes = new FreezeCounter();
    this.restart();
    this.#timers = [
      setInterval(() => void this.#readReceiver(), READ_EVERY_MS),
      setInterval(() => this.#redraw(REDRAW_EVERY_MS), REDRAW_EVERY_MS),
    ];
    this.#watchFrames();
    void this.#readReceiver();
  }

  /** Stops gathering. */
  stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    if (this.framesKnown) this.video.cancelVideoFrameCallback(this.#callback);
  }

  /** What comes now is another session, or comes after a time when nobody looked. */
  restart(): void {
    this.#log.clear();
    this.#freezes.breakHere();
    this.#receiver.reset();
    this.#hostSecond = {};
    this.#receiverSecond = {};
  }

  /** Takes in the host's times. */
  addHostFrames(frames: readonly HostFrame[]): void {
    this.#log.addHost(frames, performance.now());
    this.#redraw(0);
  }

  /** Takes in the host's second. */
  addHostSecond(second: HostSecond): void {
    this.#hostSecond = second;
  }

  /** The joined records, oldest first. */
  records(): FrameRecord[] {
    const nowMs = performance.now();
    return this.#log.records(nowMs, this.sources.clock(nowMs)?.offsetMs);
  }

  #watchFrames(): void {
    if (!this.framesKnown) return;
    this.#callback = this.video.requestVideoFrameCallback((_nowMs, metadata) => {
      const view = toViewFrame(metadata);
      if (view) this.#log.addView(view);
      this.#watchFrames();
    });
  }

  async #readReceiver(): Promise<void> {
    const pc = this.sources.peerConnection();
    const report = await pc?.getStats().catch(() => undefined);
    if (report && pc === this.sources.peerConnection()) {
      this.#receiverSecond = this.#receiver.read(report as unknown as Map<string, unknown>);
    }
  }

  #redraw(unlessDrawnWithinMs: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#drawnMs < unlessDrawnWithinMs) return;
    this.#drawnMs = nowMs;
    const records = this.records();
    this.#freezes.update(records);
    const frames = records.slice(-PLOTTED_FRAMES);
    this.onSnapshot({
      frames,
      summary: summarise(frames),
      clock: this.sources.clock(nowMs),
      host: this.#hostSecond,
      receiver: this.#receiverSecond,
      freezes: { count: this.#freezes.count, longestMs: this.#freezes.longestMs },
    });
  }
}

/** Frames without an RTP timestamp are no frames of a stream and cannot be joined. */
function toViewFrame(metadata: VideoFrameCallbackMetadata): ViewFrame | undefined {
  const { rtpTimestamp, presentationTime, expectedDisplayTime } = metadata;
  if (rtpTimestamp === undefined) return undefined;
  const view: ViewFrame = {
    rtp: rtpTimestamp,
    presentedMs: Math.max(presentationTime, expectedDisplayTime || presentationTime),
  };
  if (metadata.receiveTime !== undefined) view.receivedMs = metadata.receiveTime;
  if (metadata.captureTime !== undefined) view.capturedMs = metadata.captureTime;
  if (metadata.processingDuration !== undefined) view.decodeMs = metadata.processingDuration * 1000;
  return view;
}
