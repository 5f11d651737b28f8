//! A worker that takes every decoded frame of a track, reads its barcode and remembers when that
//! was done. It hands its records over when asked, and keeps no frame. While presses are watched, it
//! tells of each new count at once.

/** Frames since the last time somebody asked, as [readableMs, rtp, drawnUs, number]. */
let frames = [];
/** Frames whose barcode could not be read. */
let unreadable = 0;
let scratch = new Uint8Array(0);
let watchesPresses = false;
/** When the window heard the press that a frame showed last. */
let lastHeardUs = null;

onmessage = ({ data }) => {
  if (data.readable) {
    readAll(data).catch((error) => postMessage({ problem: String(error) }));
  } else if (data.watchPresses !== undefined) {
    watchesPresses = data.watchPresses;
    lastHeardUs = null;
  } else {
    postMessage({ frames, unreadable });
    frames = [];
    unreadable = 0;
  }
};

async function readAll({ readable, sourceWidth, sourceHeight }) {
  const reader = readable.getReader();
  for (;;) {
    const { value: frame, done } = await reader.read();
    if (done) return;
    try {
      await readFrame(frame, sourceWidth, sourceHeight);
    } finally {
      frame.close();
    }
  }
}

/** Copies the barcode's corner only: less memory traffic is less disturbance. */
async function readFrame(frame, sourceWidth, sourceHeight) {
  const { width, height } = frame.visibleRect;
  const cellX = (BARCODE_CELL * width) / sourceWidth;
  const cellY = (BARCODE_CELL * height) / sourceHeight;
  const even = (length) => 2 * Math.ceil(length / 2);
  const rect = {
    x: frame.visibleRect.x,
    y: frame.visibleRect.y,
    width: Math.min(width, even((watchesPresses ? 2 : 1) * BARCODE_COLUMNS * cellX)),
    height: Math.min(height, even(BARCODE_ROWS * cellY)),
  };
  const size = frame.allocationSize({ rect });
  if (scratch.length < size) scratch = new Uint8Array(size);
  // The first plane is luma in every layout that video decoders give: I420, NV12 and their kin.
  const [luma] = await frame.copyTo(scratch, { rect });
  const plane = { bytes: scratch, offset: luma.offset, stride: luma.stride };
  const code = readBarcode(plane, cellX, cellY);
  const readableMs = wallMs();
  const { rtpTimestamp = null } = frame.metadata?.() ?? {};
  if (code === null) unreadable++;
  else frames.push([readableMs, rtpTimestamp, code.timeUs, code.number]);
  if (!watchesPresses) return;
  const presses = readBarcode(plane, cellX, cellY, BARCODE_COLUMNS);
  if (presses === null || presses.timeUs === lastHeardUs) return;
  lastHeardUs = presses.timeUs;
  postMessage({ presses: [wallMs(), rtpTimestamp, presses.timeUs, presses.number] });
}

function wallMs() {
  return performance.timeOrigin + performance.now();
}
