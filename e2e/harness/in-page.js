//! Runs in the page before its own scripts: remembers every decoded frame and what the host says.
//! It takes part in nothing: the page behaves as if it were not there. `viewer.js` puts this text
//! into the page, with `readBarcode` before it and a call of `observe` after it.

const BARCODE_WIDTH = 288;
const BARCODE_HEIGHT = 128;
/** Frames that may wait while the page is busy. */
const FRAME_BUFFER = 16;
/** Bytes that become text at a time: arguments of one call. */
const TEXT_STEP = 0x8000;

const wallMs = () => performance.timeOrigin + performance.now();

/** Every decoded frame of every track. With `fingerprints` each one's whole luma is summed up. */
class DecodedFrames {
  /** [wallMs, rtp, number or null, timeUs or null, fingerprint or null] */
  rows = [];
  #newest;
  #scratch = new Uint8Array(0);

  constructor(fingerprints) {
    this.fingerprints = fingerprints;
  }

  async readAll(track) {
    const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: FRAME_BUFFER });
    const reader = readable.getReader();
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      await this.#remember(frame);
      this.#newest?.close();
      this.#newest = frame;
    }
  }

  async #remember(frame) {
    const atMs = wallMs();
    const { rtpTimestamp = null } = frame.metadata?.() ?? {};
    const { x, y, width, height } = frame.visibleRect;
    const corner = { width: Math.min(BARCODE_WIDTH, width), height: Math.min(BARCODE_HEIGHT, height) };
    const rect = { x, y, ...(this.fingerprints ? { width, height } : corner) };
    const size = frame.allocationSize({ rect });
    if (this.#scratch.length < size) this.#scratch = new Uint8Array(size);
    const [{ offset, stride }] = await frame.copyTo(this.#scratch, { rect });
    const luma = { bytes: this.#scratch, offset, stride };
    const hasRoom = width >= BARCODE_WIDTH && height >= BARCODE_HEIGHT;
    const code = hasRoom ? readBarcode(luma) : null;
    const print = this.fingerprints ? fingerprint(luma, width, height) : null;
    this.rows.push([atMs, rtpTimestamp, code?.number ?? null, code?.timeUs ?? null, print]);
  }

  /** The newest frame's picture, as text of its bytes. */
  async picture() {
    const frame = this.#newest.clone();
    const { width, height } = frame.visibleRect;
    const bytes = new Uint8Array(frame.allocationSize());
    const layout = await frame.copyTo(bytes);
    const { format, colorSpace } = frame;
    frame.close();
    let text = "";
    for (let at = 0; at < bytes.length; at += TEXT_STEP) {
      text += String.fromCharCode(...bytes.subarray(at, at + TEXT_STEP));
    }
    return { format, width, height, layout, colour: colorSpace.toJSON(), base64: btoa(text) };
  }
}

/** Adler-32, which every language has. */
function fingerprint({ bytes, offset, stride }, width, height) {
  let [a, b] = [1, 0];
  for (let row = 0; row < height; row++) {
    const start = offset + row * stride;
    // The sums of a row stay exact: it is far shorter than what overflows them.
    for (let at = start; at < start + width; at++) {
      a += bytes[at];
      b += a;
    }
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

/** What goes over the page's socket to the host. */
class Conversation {
  frames = [];
  /** Everything else that the host told by itself, in order: [wallMs, method, params]. */
  told = [];
  #socket;
  #asked = 0;
  #waiting = new Map();

  follow(socket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => this.#overhear(data));
  }

  #overhear(data) {
    if (typeof data !== "string") return;
    const { id, method, params, result, error } = JSON.parse(data);
    if (method === "statsFrames") this.frames.push(...params.frames);
    else if (method) this.told.push([wallMs(), method, params]);
    this.#waiting.get(id)?.({ result, error });
  }

  ask(method, params) {
    // The page numbers its own questions; a text is none of its numbers.
    const id = `e2e-${this.#asked++}`;
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) return reject(new Error("no open socket"));
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    });
  }
}

/** What the browser counts of the stream, and the way it comes. */
async function received() {
  const reports = [...(await window.heliostat.pc.getStats()).values()];
  const inbound = reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
  const transport = reports.find(({ type }) => type === "transport");
  const pair = reports.find(({ id }) => id === transport?.selectedCandidatePairId);
  const remote = reports.find(({ id }) => id === pair?.remoteCandidateId);
  return { ...inbound, remoteProtocol: remote?.protocol, remotePort: remote?.port };
}

function observe({ fingerprints = false }) {
  // The empty page before the first navigation has nothing to observe.
  if (location.protocol === "about:") return;
  const decoded = new DecodedFrames(fingerprints);
  const host = new Conversation();
  let connections = 0;
  const channels = {};

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...settings) {
      super(...settings);
      connections++;
      this.addEventListener("track", ({ track }) => {
        if (track.kind === "video") void decoded.readAll(track.clone());
      });
    }

    createDataChannel(label, options) {
      return (channels[label] = super.createDataChannel(label, options));
    }
  };
  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      host.follow(this);
    }
  };
  window.e2e = {
    frames: decoded.rows,
    hostFrames: host.frames,
    told: host.told,
    channels,
    get connections() {
      return connections;
    },
    wallMs,
    received,
    rpc: (method, params) => host.ask(method, params),
    picture: () => decoded.picture(),
  };
}
