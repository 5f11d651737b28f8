//! Counts freezes: times when the host had sent something new and the picture here stood still. A
//! still screen is no freeze, which the browser's own counter cannot tell apart.

import { isBefore, type FrameRecord } from "./frames";

/** A picture that comes this much later than its predecessor's latency promised is a freeze. */
const FREEZE_MS = 150;

/** The freezes seen since it was made. */
export class FreezeCounter {
  count = 0;
  longestMs: number | undefined;
  #lastRtp: number | undefined;

  /** Looks at the records that came since the last call. */
  update(records: readonly FrameRecord[]): void {
    let previous: FrameRecord | undefined;
    let next: FrameRecord | undefined;
    for (const record of records) {
      if (previous && !next && !record.repeated) next = record;
      if (!record.shown) continue;
      if (previous && next && this.#isNew(record)) this.#judge(stallMs(previous, next, record));
      if (this.#isNew(record)) this.#lastRtp = record.rtp;
      previous = record;
      next = undefined;
    }
  }

  /** What comes now does not continue what came before: another session, or a tab that was hidden. */
  breakHere(): void {
    this.#lastRtp = undefined;
  }

  #isNew(record: FrameRecord): boolean {
    return this.#lastRtp === undefined || isBefore(this.#lastRtp, record.rtp);
  }

  #judge(stalledMs: number | undefined): void {
    if (stalledMs === undefined || stalledMs <= FREEZE_MS) return;
    this.count++;
    this.longestMs = Math.max(this.longestMs ?? 0, stalledMs);
  }
}

/** How much later `shown` came than `next`, at the latency of `previous`, was due. */
function stallMs(previous: FrameRecord, next: FrameRecord, shown: FrameRecord): number | undefined {
  if (previous.totalMs === undefined || next.capturedAtMs === undefined) return undefined;
  if (shown.presentedAtMs === undefined) return undefined;
  return shown.presentedAtMs - (next.capturedAtMs + previous.totalMs);
}
