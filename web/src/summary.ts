//! Sums up recent frames as percentiles a stage. Repeated frames carry nothing new, so their
//! latency says nothing of the stream's and is left out.

import { STAGES, type FrameRecord, type Stage } from "./frames";
import { percentile } from "./percentiles";

/** The middle and the slow end of some frames. */
export interface Spread {
  p50: number | undefined;
  p95: number | undefined;
}

/** What the recent frames took: in total, by stage, and in the decoder alone. */
export interface Summary {
  total: Spread;
  stages: Record<Stage, Spread>;
  decode: Spread;
  unsplit: Spread;
  /** Frames that the host sent and the browser never presented. */
  notShown: number;
}

/** Sums up `records`. */
export function summarise(records: readonly FrameRecord[]): Summary {
  const fresh = records.filter((record) => record.shown && !record.repeated);
  const spread = (read: (record: FrameRecord) => number | undefined): Spread => {
    const values = fresh.map(read).filter((value) => value !== undefined);
    return { p50: percentile(values, 50), p95: percentile(values, 95) };
  };
  const stages = STAGES.map((stage) => [stage, spread((record) => record.stages[stage])] as const);
  return {
    total: spread((record) => record.totalMs),
    stages: Object.fromEntries(stages) as Record<Stage, Spread>,
    decode: spread((record) => record.decodeMs),
    unsplit: spread((record) => record.unsplitMs),
    notShown: records.filter((record) => !record.shown).length,
  };
}
