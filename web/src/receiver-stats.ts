//! Boils the browser's `getStats` down to the few numbers the overlay shows, each over the time
//! since the last reading. Counters alone say nothing, so the first reading has few numbers.

type Stat = Readonly<Record<string, unknown>>;

/** The browser's view of the stream. */
export interface ReceiverSecond {
  fps?: number;
  bitrateBps?: number;
  lossPct?: number;
  rttMs?: number;
  /** Average time that a frame waited in the jitter buffer. */
  bufferMs?: number;
  codec?: string;
  decoder?: string;
  transport?: string;
  framesDropped?: number;
  nacks?: number;
  plis?: number;
  /** Absent without sound. */
  sound?: SoundSecond;
}

/** The browser's view of the sound. */
export interface SoundSecond {
  bitrateBps?: number;
  lost?: number;
  /** Of a hundred samples, those that the browser made up because a packet was missing. */
  concealedPct?: number;
  /** Average time that a sample waited in the jitter buffer. */
  bufferMs?: number;
}

const COUNTERS = [
  "timestamp",
  "framesDecoded",
  "bytesReceived",
  "packetsReceived",
  "packetsLost",
  "jitterBufferDelay",
  "jitterBufferEmittedCount",
  "framesDropped",
  "nackCount",
  "pliCount",
  "totalSamplesReceived",
  "concealedSamples",
  "silentConcealedSamples",
] as const;
type Counters = Partial<Record<(typeof COUNTERS)[number], number>>;

/** Remembers the last reading of one peer connection. */
export class ReceiverStats {
  #last: Counters | undefined;
  #lastSound: Counters | undefined;

  /** Digests one report. */
  read(report: Iterable<readonly [string, unknown]>): ReceiverSecond {
    const stats = new Map(report) as Map<string, Stat>;
    const inbound = findInbound(stats, "video");
    const second: ReceiverSecond = {};
    readPath(stats, second);
    this.#readSound(stats, second);
    if (!inbound) return second;
    readNames(stats, inbound, second);
    const now = countersOf(inbound);
    if (this.#last) compare(this.#last, now, second);
    this.#last = now;
    return second;
  }

  /** Forgets the last reading: the next is of another peer connection. */
  reset(): void {
    this.#last = undefined;
    this.#lastSound = undefined;
  }

  #readSound(stats: Map<string, Stat>, second: ReceiverSecond): void {
    const inbound = findInbound(stats, "audio");
    if (!inbound) return;
    const now = countersOf(inbound);
    const sound = this.#lastSound && compareSound(this.#lastSound, now);
    if (sound) second.sound = sound;
    this.#lastSound = now;
  }
}

function findInbound(stats: Map<string, Stat>, kind: string): Stat | undefined {
  return find(stats, (stat) => stat["type"] === "inbound-rtp" && stat["kind"] === kind);
}

function countersOf(inbound: Stat): Counters {
  const now: Counters = {};
  for (const key of COUNTERS) assign(now, key, numberOf(inbound, key));
  return now;
}

function growth(last: Counters, now: Counters): (key: keyof Counters) => number | undefined {
  return (key) => {
    const [before, after] = [last[key], now[key]];
    return before === undefined || after === undefined ? undefined : after - before;
  };
}

/** Nothing where none came: whoever does not listen has no figures. */
function compareSound(last: Counters, now: Counters): SoundSecond | undefined {
  const grown = growth(last, now);
  const [elapsedMs, bytes] = [grown("timestamp"), grown("bytesReceived")];
  if (elapsedMs === undefined || elapsedMs <= 0 || !bytes) return undefined;
  const sound: SoundSecond = { bitrateBps: (bytes * 8000) / elapsedMs };
  assign(sound, "lost", grown("packetsLost"));
  const samples = grown("totalSamplesReceived");
  const concealed = grown("concealedSamples");
  if (samples && concealed !== undefined) {
    // What is made up in silence is silence, and nothing is missing.
    const audible = concealed - (grown("silentConcealedSamples") ?? 0);
    sound.concealedPct = (Math.max(0, audible) * 100) / samples;
  }
  const [delayS, emitted] = [grown("jitterBufferDelay"), grown("jitterBufferEmittedCount")];
  if (delayS !== undefined && emitted) sound.bufferMs = (delayS * 1000) / emitted;
  return sound;
}

function compare(last: Counters, now: Counters, second: ReceiverSecond): void {
  const grown = growth(last, now);
  const elapsedMs = grown("timestamp");
  if (elapsedMs === undefined || elapsedMs <= 0) return;
  const perSecond = (count: number | undefined) =>
    count === undefined ? undefined : (count * 1000) / elapsedMs;
  const bytesPerSecond = perSecond(grown("bytesReceived"));
  assign(second, "fps", perSecond(grown("framesDecoded")));
  assign(second, "bitrateBps", bytesPerSecond === undefined ? undefined : bytesPerSecond * 8);
  assign(second, "framesDropped", grown("framesDropped"));
  assign(second, "nacks", grown("nackCount"));
  assign(second, "plis", grown("pliCount"));
  const [lost, received] = [grown("packetsLost"), grown("packetsReceived")];
  if (lost !== undefined && received !== undefined && lost + received > 0) {
    second.lossPct = (Math.max(0, lost) * 100) / (lost + received);
  }
  const [delayS, emitted] = [grown("jitterBufferDelay"), grown("jitterBufferEmittedCount")];
  if (delayS !== undefined && emitted !== undefined && emitted > 0) {
    second.bufferMs = (delayS * 1000) / emitted;
  }
}

function readNames(stats: Map<string, Stat>, inbound: Stat, second: ReceiverSecond): void {
  const codec = stats.get(textOf(inbound, "codecId") ?? "");
  assign(second, "codec", codec && textOf(codec, "mimeType")?.replace(/^video\//, ""));
  assign(second, "decoder", textOf(inbound, "decoderImplementation"));
}

function readPath(stats: Map<string, Stat>, second: ReceiverSecond): void {
  const transport = find(stats, (stat) => stat["type"] === "transport");
  const selected = transport && textOf(transport, "selectedCandidatePairId");
  const pair = selected
    ? stats.get(selected)
    : find(stats, (stat) => stat["type"] === "candidate-pair" && stat["nominated"] === true);
  if (!pair) return;
  const rttS = numberOf(pair, "currentRoundTripTime");
  assign(second, "rttMs", rttS === undefined ? undefined : rttS * 1000);
  const local = stats.get(textOf(pair, "localCandidateId") ?? "");
  assign(second, "transport", local && textOf(local, "protocol")?.toUpperCase());
}

function find(stats: Map<string, Stat>, matches: (stat: Stat) => boolean): Stat | undefined {
  for (const stat of stats.values()) if (matches(stat)) return stat;
  return undefined;
}

function numberOf(stat: Stat, key: string): number | undefined {
  const value = stat[key];
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function textOf(stat: Stat, key: string): string | undefined {
  const value = stat[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}

function assign<T, K extends keyof T>(target: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) target[key] = value;
}
