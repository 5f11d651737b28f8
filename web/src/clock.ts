//! Estimates where the host's wall clock stands against this page's clock, from request and reply
//! times. Answers with a bound on its error and refuses to answer before the first reply.

/** Samples older than this are forgotten. */
const WINDOW_MS = 20_000;
/** How fast the two clocks may drift apart: a slewed wall clock, not a stepped one. */
const DRIFT_PER_MS = 100e-6;

/** One ping, all in milliseconds of the page's clock but for the host's own time. */
export interface ClockSample {
  sentMs: number;
  receivedMs: number;
  hostTimeUs: number;
}

/** `host time = page time + offsetMs`, give or take `uncertaintyMs`. */
export interface ClockEstimate {
  offsetMs: number;
  uncertaintyMs: number;
  rttMs: number;
}

interface Offset {
  takenMs: number;
  offsetMs: number;
  rttMs: number;
}

/** Keeps recent samples and trusts the one whose error bound is smallest. */
export class HostClock {
  #offsets: Offset[] = [];

  /** Takes in one ping. Samples that contradict all older ones mean that a clock was stepped. */
  add(sample: ClockSample): void {
    const rttMs = sample.receivedMs - sample.sentMs;
    if (!(rttMs >= 0) || !Number.isFinite(sample.hostTimeUs)) return;
    const takenMs = sample.receivedMs;
    const fresh: Offset = {
      takenMs,
      rttMs,
      offsetMs: sample.hostTimeUs / 1000 - (sample.sentMs + sample.receivedMs) / 2,
    };
    const best = this.estimate(takenMs);
    const stepped =
      best !== undefined &&
      Math.abs(best.offsetMs - fresh.offsetMs) > best.uncertaintyMs + uncertaintyMs(fresh, takenMs);
    const kept = stepped
      ? []
      : this.#offsets.filter((offset) => takenMs - offset.takenMs <= WINDOW_MS);
    this.#offsets = [...kept, fresh];
  }

  /** The best estimate at `nowMs`, or undefined when no ping was answered yet. */
  estimate(nowMs: number): ClockEstimate | undefined {
    let best: Offset | undefined;
    for (const offset of this.#offsets) {
      if (!best || uncertaintyMs(offset, nowMs) < uncertaintyMs(best, nowMs)) best = offset;
    }
    if (!best) return undefined;
    return {
      offsetMs: best.offsetMs,
      uncertaintyMs: uncertaintyMs(best, nowMs),
      rttMs: best.rttMs,
    };
  }

  /** Forgets everything: the next samples come from another host process. */
  reset(): void {
    this.#offsets = [];
  }
}

/** Half the round trip is the most the offset can be wrong by when taken; drift adds to it. */
function uncertaintyMs(offset: Offset, nowMs: number): number {
  return offset.rttMs / 2 + Math.max(0, nowMs - offset.takenMs) * DRIFT_PER_MS;
}
