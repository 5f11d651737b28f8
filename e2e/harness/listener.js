//! What a page hears, as the browser decodes it.

import { until } from "./limits.js";
import { shareAt } from "./sound-server.js";

/** Samples of each side that are looked at at once. */
const WINDOW = 4800;
/** What the codec leaves of a pure tone, and what a busy machine's concealment spoils. */
const CLEAR = 0.9;

/** Runs in the page: the next samples of each side. */
async function samples(count) {
  const { receiver } = window.heliostat.pc.getTransceivers().find((one) => one.receiver.track.kind === "audio");
  const track = receiver.track.clone();
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const sides = [[], []];
  while (sides[0].length < count) {
    const { value: data, done } = await reader.read();
    if (done) break;
    const plane = new Float32Array(data.numberOfFrames);
    sides.forEach((side, at) => {
      data.copyTo(plane, { planeIndex: Math.min(at, data.numberOfChannels - 1), format: "f32-planar" });
      side.push(...plane);
    });
    data.close();
  }
  track.stop();
  return sides;
}

/** The browser's figures of one kind of media. */
export function inbound(viewer, kind) {
  return viewer.page.evaluate(async (wanted) => {
    const reports = [...(await window.heliostat.pc.getStats()).values()];
    return reports.find((one) => one.type === "inbound-rtp" && one.kind === wanted) ?? {};
  }, kind);
}

/** Waits until a tone is heard on each side. */
export function hears(viewer, leftHz, rightHz) {
  return until(`${leftHz} Hz on the left and ${rightHz} Hz on the right`, async () => {
    const sides = await viewer.page.evaluate(samples, WINDOW);
    const shares = [leftHz, rightHz].map((hz, side) => shareAt(sides[side], hz));
    viewer.rig.note(`── heard ${shares.map((share) => share.toFixed(3))}`);
    return shares.every((share) => share > CLEAR);
  });
}

/** Bytes of sound so far. */
export async function soundBytes(viewer) {
  return (await inbound(viewer, "audio")).bytesReceived ?? 0;
}
