//! Runs in the page before its own scripts: remembers every decoded frame and what the host says.
//! It takes part in nothing: the page behaves as if it were not there.

/** `readBarcode` is put before this text; `wanted` is {fingerprints}. */
export function observe(wanted) {
  if (location.protocol === "about:") return;
  const wallMs = () => performance.timeOrigin + performance.now();

  /** Decoded frames: [wallMs, rtp, number or null, timeUs, fingerprint]. */
  const frames = [];
  /** The host's times of each frame, and its seconds. */
  const hostFrames = [];
  const hostSeconds = [];
  const states = [];
  const answers = new Map();
  /** When the page itself was held up: [wallMs at its end, for how long]. */
  const stalls = [];
  let newest;
  let scratch = new Uint8Array(0);
  let socket;
  let connections = 0;

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...settings) {
      super(...settings);
      connections++;
      this.addEventListener("track", ({ track }) => void readAll(track.clone()));
    }
  };

  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      socket = this;
      this.addEventListener("message", ({ data }) => overhear(data));
    }
  };

  function overhear(data) {
    if (typeof data !== "string") return;
    const { id, method, params, result, error } = JSON.parse(data);
    if (method === "stats.frames") hostFrames.push(...params.frames);
    if (method === "stats.second") hostSeconds.push({ ...params, atMs: wallMs() });
    if (method === "host.state") states.push(params);
    answers.get(id)?.({ result, error });
  }

  async function readAll(track) {
    const { readable } = new MediaStreamTrackProcessor({ track, maxBufferSize: 16 });
    const reader = readable.getReader();
    for (;;) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      await remember(frame);
      newest?.close();
      newest = frame;
    }
  }

  async function remember(frame) {
    const atMs = wallMs();
    const { rtpTimestamp = null } = frame.metadata?.() ?? {};
    const { x, y, width, height } = frame.visibleRect;
    const hasBarcode = width >= 288 && height >= 128;
    const rect = wanted.fingerprints
      ? { x, y, width, height }
      : { x, y, width: Math.min(288, width), height: Math.min(128, height) };
    const size = frame.allocationSize({ rect });
    if (scratch.length < size) scratch = new Uint8Array(size);
    const [{ offset, stride }] = await frame.copyTo(scratch, { rect });
    const luma = { bytes: scratch, offset, stride };
    const code = hasBarcode ? readBarcode(luma) : null;
    const print = wanted.fingerprints ? fingerprint(luma, width, height) : null;
    frames.push([atMs, rtpTimestamp, code?.number ?? null, code?.timeUs ?? null, print]);
  }

  /** Adler-32 of the visible luma: the same in every language. */
  function fingerprint({ bytes, offset, stride }, width, height) {
    let [a, b] = [1, 0];
    for (let row = 0; row < height; row++) {
      const start = offset + row * stride;
      // 5552 is the most bytes before the sums have to be reduced; rows are shorter.
      for (let at = start; at < start + width; at++) {
        a += bytes[at];
        b += a;
      }
      a %= 65521;
      b %= 65521;
    }
    return ((b << 16) | a) >>> 0;
  }

  const BEAT_MS = 10;
  let beatMs = wallMs();
  setInterval(() => {
    const nowMs = wallMs();
    const heldMs = nowMs - beatMs - BEAT_MS;
    if (heldMs > 2 * BEAT_MS) stalls.push([nowMs, heldMs]);
    beatMs = nowMs;
  }, BEAT_MS);

  let asked = 0;
  window.e2e = {
    frames,
    hostFrames,
    hostSeconds,
    states,
    stalls,
    get connections() {
      return connections;
    },
    wallMs,
    /** Asks the host over the page's own socket. */
    rpc(method, params) {
      const id = `e2e-${asked++}`;
      return new Promise((resolve, reject) => {
        answers.set(id, resolve);
        if (socket?.readyState !== WebSocket.OPEN) return reject(new Error("no open socket"));
        socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
      });
    },
    /** The newest decoded frame, as text of its bytes. */
    async picture() {
      const frame = newest.clone();
      const { width, height } = frame.visibleRect;
      const bytes = new Uint8Array(frame.allocationSize());
      const layout = await frame.copyTo(bytes);
      const { format, colorSpace } = frame;
      frame.close();
      let text = "";
      for (let at = 0; at < bytes.length; at += 0x8000) {
        text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
      }
      return { format, width, height, layout, colour: colorSpace.toJSON(), base64: btoa(text) };
    },
    /** What the browser counts of the stream. */
    async received() {
      const reports = [...(await window.heliostat.pc.getStats()).values()];
      const inbound = reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "video");
      const transport = reports.find(({ type }) => type === "transport");
      const pair = reports.find(({ id }) => id === transport?.selectedCandidatePairId);
      const remote = reports.find(({ id }) => id === pair?.remoteCandidateId);
      return { ...inbound, remoteProtocol: remote?.protocol, remotePort: remote?.port };
    },
  };
}
