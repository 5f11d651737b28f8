//! Measures the page from inside, from before its first script: every decoded frame (in a worker),
//! every first sight on the screen, and the host's own times of each frame. It changes nothing that
//! the page does; the host's times are taken from the page's socket before the page sees them.

/** The MediaStreamTrackProcessor may hold this many frames while the worker is busy. */
const FRAME_BUFFER = 16;
const LOOK_FOR_TRACK_MS = 5;
const LOOK_FOR_CHANGE_MS = 200;
const SUBSCRIPTION = "heliostat-bench";
const REPORT = /"stats(Frames|Second)"/;

/** `setup` is {readerSource, sourceWidth, sourceHeight}. */
function measureHeliostat(setup) {
  // The empty page before the first navigation has nothing to measure.
  if (location.protocol === "about:") return;
  const wallMs = (pageMs) => performance.timeOrigin + pageMs;
  const batch = { sights: [], host: [], problems: [] };
  let sessions = 0;
  let socket;
  let track;

  const reader = new Worker(URL.createObjectURL(new Blob([setup.readerSource])));
  reader.onerror = (event) => batch.problems.push(event.message);
  const presses = timePresses(reader, wallMs);
  let handOver = () => {};
  reader.onmessage = ({ data }) => {
    if (data.problem) batch.problems.push(data.problem);
    else if (data.presses) presses.show(data.presses);
    else handOver(data);
  };

  /** Takes the host's reports away before the page spends time on drawing them. */
  function overhear(event) {
    const { data } = event;
    if (typeof data !== "string") return;
    const isReport = REPORT.test(data) || data.includes(SUBSCRIPTION);
    if (!isReport) return;
    const message = JSON.parse(data);
    if (message.error) batch.problems.push(`subscribeStats: ${message.error.message}`);
    if (message.method === "statsFrames") batch.host.push(...message.params.frames);
    event.stopImmediatePropagation();
  }

  window.WebSocket = class extends WebSocket {
    constructor(...address) {
      super(...address);
      socket = this;
      // The first listener of a socket hears each message first.
      this.addEventListener("message", overhear);
    }
  };

  function subscribe() {
    const params = { frames: true };
    const request = { jsonrpc: "2.0", id: SUBSCRIPTION, method: "subscribeStats", params };
    if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request));
  }

  function readFrames() {
    const processor = new MediaStreamTrackProcessor({
      track: track.clone(),
      maxBufferSize: FRAME_BUFFER,
    });
    const { readable } = processor;
    const { sourceWidth, sourceHeight } = setup;
    reader.postMessage({ readable, sourceWidth, sourceHeight }, [readable]);
  }

  function watchSights(video) {
    const seen = (_nowMs, metadata) => {
      const seenMs = performance.now();
      const { rtpTimestamp = null, receiveTime, processingDuration } = metadata;
      const receivedMs = receiveTime === undefined ? null : wallMs(receiveTime);
      const decoderMs = processingDuration === undefined ? null : processingDuration * 1000;
      batch.sights.push([rtpTimestamp, wallMs(seenMs), receivedMs, decoderMs]);
      video.requestVideoFrameCallback(seen);
    };
    video.requestVideoFrameCallback(seen);
  }

  function follow() {
    const page = window.heliostat;
    if (page?.track && page.track !== track) {
      track = page.track;
      if (sessions++ === 0) watchSights(page.video);
      readFrames();
      subscribe();
    }
    setTimeout(follow, track ? LOOK_FOR_CHANGE_MS : LOOK_FOR_TRACK_MS);
  }
  follow();

  window.heliostatBench = {
    /** Everything since the last call; one call at a time. */
    take: () =>
      new Promise((resolve) => {
        handOver = (read) => {
          resolve({ ...read, ...batch, sessions });
          batch.sights = [];
          batch.host = [];
          batch.problems = [];
        };
        reader.postMessage({});
      }),
    presses,
    wallMs: () => wallMs(performance.now()),
    /** What the browser counts of the stream, as getStats names it. */
    receiver: async () => {
      const reports = [...(await window.heliostat.pc.getStats()).values()];
      return {
        inbound: reports.find(({ type, kind }) => type === "inbound-rtp" && kind === "video"),
        transport: reports.find(({ type }) => type === "transport"),
      };
    },
  };
}
