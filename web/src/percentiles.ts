//! Percentiles of a handful of numbers, by the nearest-rank rule. Of nothing there is no
//! percentile: the answer is then undefined, never 0.

/** The smallest value that at least `percent` per cent of `values` do not exceed. */
export function percentile(values: readonly number[], percent: number): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1];
}
