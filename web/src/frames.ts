//! Joins what the host and the browser each know of a frame, by RTP timestamp, into its latency
//! split by stage. A stage that one side did not measure is absent; nothing is guessed.

import type { HostFrame } from "./protocol";

/** The stages between a change on the host's screen and its picture here, in order. */
export const STAGES = ["grab", "queue", "encode", "send", "network", "decodeRender"] as const;
export type Stage = (typeof STAGES)[number];

/** What the browser knows of one presented frame, in milliseconds of the page's clock. */
export interface ViewFrame {
  rtp: number;
  presentedMs: number;
  /** When the frame's last packet arrived. */
  receivedMs?: number;
  /** The browser's own estimate of the capture time, from abs-capture-time. */
  capturedMs?: number;
  /** The time from handing the frame to the decoder until it was decoded. */
  decodeMs?: number;
}

/** One frame, joined. Times are milliseconds; `...AtMs` are points on the page's clock. */
export interface FrameRecord {
  rtp: number;
  /** False for a frame that the host sent and the browser never presented. */
  shown: boolean;
  stages: Partial<Record<Stage, number>>;
  totalMs?: number;
  /** The part of the total that no stage accounts for, where stages are absent. */
  unsplitMs?: number;
  decodeMs?: number;
  capturedAtMs?: number;
  receivedAtMs?: number;
  presentedAtMs?: number;
  bytes?: number;
  keyframe?: boolean;
  repeated?: boolean;
}

interface Entry {
  rtp: number;
  addedMs: number;
  host?: HostFrame;
  view?: ViewFrame;
}

const MOST_ENTRIES = 360;
/** Far below half a turn of the RTP clock (6.6 h), so that order by timestamp stays decidable. */
const FORGET_AFTER_MS = 300_000;
/** The host reports five times a second; a frame it has not told of by then stays half known. */
const HOST_REPORT_DUE_MS = 1000;

/** The recent frames, ordered by RTP timestamp. */
export class FrameLog {
  #entries: Entry[] = [];
  readonly #byRtp = new Map<number, Entry>();

  /** Takes in a frame that the browser presented. */
  addView(view: ViewFrame): void {
    this.#entry(view.rtp, view.presentedMs).view = view;
  }

  /** Takes in frames that the host sent. */
  addHost(frames: readonly HostFrame[], nowMs: number): void {
    for (const host of frames) this.#entry(host.rtp, nowMs).host = host;
  }

  /**
   * The frames about which no more news is due, oldest first. `hostOffsetMs` is how far the host's
   * clock is ahead of the page's; without it nothing that spans both machines is told.
   */
  records(nowMs: number, hostOffsetMs: number | undefined): FrameRecord[] {
    const newestHost = this.#entries.findLastIndex((entry) => entry.host);
    // Before the first frame seen here nobody was looking, so nothing can have been missed.
    const oldestView = this.#entries.findIndex((entry) => entry.view);
    const newestView = this.#entries.findLastIndex((entry) => entry.view);
    return this.#entries
      .filter((entry, index) =>
        entry.view
          ? index <= newestHost || newestHost < 0 || nowMs - entry.addedMs > HOST_REPORT_DUE_MS
          : oldestView < index && index < newestView,
      )
      .map((entry) => join(entry, hostOffsetMs));
  }

  /** Forgets all frames: another session numbers its frames differently. */
  clear(): void {
    this.#entries = [];
    this.#byRtp.clear();
  }

  #entry(rtp: number, nowMs: number): Entry {
    this.#forget(nowMs);
    const known = this.#byRtp.get(rtp);
    if (known) return known;
    const entry: Entry = { rtp, addedMs: nowMs };
    let at = this.#entries.length;
    while (at > 0 && isBefore(rtp, this.#entries[at - 1]!.rtp)) at--;
    this.#entries.splice(at, 0, entry);
    this.#byRtp.set(rtp, entry);
    return entry;
  }

  #forget(nowMs: number): void {
    let forgotten = Math.max(0, this.#entries.length - MOST_ENTRIES);
    const isOld = (entry: Entry | undefined) => entry && nowMs - entry.addedMs > FORGET_AFTER_MS;
    while (isOld(this.#entries[forgotten])) forgotten++;
    for (const entry of this.#entries.splice(0, forgotten)) this.#byRtp.delete(entry.rtp);
  }
}

/** Whether RTP timestamp `a` comes before `b`, across the wrap at 2^32. */
export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

function join({ rtp, host, view }: Entry, hostOffsetMs: number | undefined): FrameRecord {
  const record: FrameRecord = { rtp, shown: view !== undefined, stages: {} };
  if (host) addHostSide(record, host, hostOffsetMs);
  if (!view) return record;
  record.presentedAtMs = view.presentedMs;
  if (view.decodeMs !== undefined) record.decodeMs = view.decodeMs;
  if (record.capturedAtMs === undefined && view.capturedMs !== undefined) {
    record.capturedAtMs = view.capturedMs;
  }
  if (view.receivedMs !== undefined) {
    record.receivedAtMs = view.receivedMs;
    record.stages.decodeRender = view.presentedMs - view.receivedMs;
    const sentMs = host && sentAtMs(host, hostOffsetMs);
    if (sentMs !== undefined) record.stages.network = view.receivedMs - sentMs;
  }
  if (record.capturedAtMs !== undefined) {
    record.totalMs = view.presentedMs - record.capturedAtMs;
    const unsplitMs = unsplit(record.stages, record.totalMs);
    if (unsplitMs !== undefined) record.unsplitMs = unsplitMs;
  }
  return record;
}

function unsplit(stages: FrameRecord["stages"], totalMs: number): number | undefined {
  if (STAGES.every((stage) => stages[stage] !== undefined)) return undefined;
  return totalMs - STAGES.reduce((sum, stage) => sum + (stages[stage] ?? 0), 0);
}

function addHostSide(record: FrameRecord, host: HostFrame, hostOffsetMs: number | undefined): void {
  const { stages } = record;
  if (host.grabUs !== undefined) stages.grab = host.grabUs / 1000;
  if (host.queueUs !== undefined) stages.queue = host.queueUs / 1000;
  if (host.encodeUs !== undefined) stages.encode = host.encodeUs / 1000;
  if (host.sendUs !== undefined) stages.send = host.sendUs / 1000;
  if (host.bytes !== undefined) record.bytes = host.bytes;
  if (host.keyframe !== undefined) record.keyframe = host.keyframe;
  if (host.repeated !== undefined) record.repeated = host.repeated;
  if (host.capturedUs !== undefined && hostOffsetMs !== undefined) {
    record.capturedAtMs = host.capturedUs / 1000 - hostOffsetMs;
  }
}

/** When the last packet left the host, on the page's clock: known only if every stage is. */
function sentAtMs(host: HostFrame, hostOffsetMs: number | undefined): number | undefined {
  const { capturedUs, grabUs, queueUs, encodeUs, sendUs } = host;
  if (capturedUs === undefined || grabUs === undefined || queueUs === undefined) return undefined;
  if (encodeUs === undefined || sendUs === undefined || hostOffsetMs === undefined) return undefined;
  return (capturedUs + grabUs + queueUs + encodeUs + sendUs) / 1000 - hostOffsetMs;
}
