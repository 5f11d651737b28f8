//! Numbers as a reader wants them. What was not measured is a dash.

/** Stands where there is no number. */
export const UNKNOWN = "–";

/** `8.1`, or `124` where tenths say nothing any more. */
export function milliseconds(value: number | undefined): string {
  if (value === undefined) return UNKNOWN;
  const rounded = value.toFixed(Math.abs(value) < 99.95 ? 1 : 0);
  return rounded === "-0.0" ? "0.0" : rounded.replace("-", "−");
}

/** `8.1 ms`. */
export function withMs(value: number | undefined): string {
  return value === undefined ? UNKNOWN : `${milliseconds(value)} ms`;
}

/** `7.8 Mb/s`, `96 kb/s`. */
export function bitrate(bps: number | undefined): string {
  if (bps === undefined) return UNKNOWN;
  if (bps >= 999_500) return `${(bps / 1e6).toFixed(bps < 99.95e6 ? 1 : 0)} Mb/s`;
  return `${Math.round(bps / 1000)} kb/s`;
}

/** `60`, `59.9`. */
export function rate(fps: number | undefined): string {
  return fps === undefined ? UNKNOWN : String(Math.round(fps * 10) / 10);
}

/** `0 %`, `0.4 %`. */
export function percent(value: number | undefined): string {
  return value === undefined ? UNKNOWN : `${Math.round(value * 10) / 10} %`;
}

/** `1280×720`. */
export function size(width: number | undefined, height: number | undefined): string {
  return width && height ? `${width}×${height}` : UNKNOWN;
}

/** `3 viewers`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
