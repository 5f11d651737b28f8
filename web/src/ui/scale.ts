//! The height of the latency plot: a round number of milliseconds that changes rarely, so that the
//! bars can be compared with each other from moment to moment.

const HEIGHTS_MS = [20, 40, 60, 100, 200, 400, 600, 1000, 2000, 4000];
/** A smaller height is taken only if everything fits it with this much to spare. */
const SHRINK_BELOW = 0.75;

/** The next height for bars that reach `neededMs`, coming from `currentMs`. */
export function nextHeightMs(currentMs: number, neededMs: number): number {
  const highest = HEIGHTS_MS[HEIGHTS_MS.length - 1]!;
  const fitting = (least: number) => HEIGHTS_MS.find((height) => height >= least) ?? highest;
  if (neededMs > currentMs) return fitting(neededMs);
  return Math.min(currentMs, fitting(neededMs / SHRINK_BELOW));
}
