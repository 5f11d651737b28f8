//! How long to wait before the next connection attempt: doubling from a quarter of a second to
//! four. Knows nothing of what is being retried.

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 4000;
/** A connection that lived this long was a good one: its end starts the delays afresh. */
const PROVEN_AFTER_MS = 5000;

/** The delays of one series of failures. */
export class Backoff {
  #nextDelayMs = FIRST_DELAY_MS;

  /** The delay before the next attempt, after one that lived for `livedMs` (0 if it never worked). */
  failed(livedMs: number): number {
    if (livedMs >= PROVEN_AFTER_MS) this.reset();
    const delayMs = this.#nextDelayMs;
    this.#nextDelayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
    return delayMs;
  }

  /** Starts again from the shortest delay. */
  reset(): void {
    this.#nextDelayMs = FIRST_DELAY_MS;
  }
}
