//! What the host says over its JSON-RPC socket, as types, with readers that take only what has the
//! right type. A field that is missing or malformed is absent afterwards, never a made-up value.

type Json = Record<string, unknown>;

/** What the host is and what it streams. */
export interface HostState {
  version?: string;
  codec?: string;
  source?: { name?: string; detail?: string };
  encoder?: { name?: string; reason?: string };
  width?: number;
  height?: number;
  fps?: number;
  bitrateBps?: number;
  viewers?: number;
  /** The host's sound; absent where it has none, or does not know yet. */
  sound?: { available?: boolean; detail?: string };
}

const SOURCE_ERRORS = ["no_signal", "no_lock", "out_of_range"] as const;

/** Why the host has no picture to send. */
export type SourceError = (typeof SOURCE_ERRORS)[number];

const LOST_REASONS = ["no_signal", "no_device", "unsupported_mode", "source_restarting"] as const;

/** The same, exactly: what the slate says. */
export type LostReason = (typeof LOST_REASONS)[number];

/** The state of the source that the host captures. */
export interface VideoInputState {
  ready?: boolean;
  streaming?: boolean;
  error?: SourceError;
  reason?: LostReason;
  why?: string;
  width?: number;
  height?: number;
  fps?: number;
}

/** The host's times of one frame. Its stages follow each other without gaps. */
export interface HostFrame {
  /** RTP timestamp, 32 bits: the name under which the browser knows the frame. */
  rtp: number;
  /** Host wall clock when the frame's content was noticed. */
  capturedUs?: number;
  grabUs?: number;
  queueUs?: number;
  encodeUs?: number;
  sendUs?: number;
  bytes?: number;
  keyframe?: boolean;
  /** The frame repeats the one before: nothing new was on the screen. */
  repeated?: boolean;
}

const SECOND_FIELDS = [
  "fps",
  "uniqueFps",
  "bitrateBps",
  "targetBps",
  "lossPct",
  "rttMs",
  "nacks",
  "plis",
  "keyframes",
  "invalidations",
  "encodeP50Us",
  "encodeP95Us",
  "soundBps",
  "soundLossPct",
] as const;

/** The host's numbers of one second. */
export type HostSecond = Partial<Record<(typeof SECOND_FIELDS)[number], number>>;

/** Reads `hostState`. */
export function readHostState(params: unknown): HostState {
  return {
    ...strings(params, ["version", "codec"]),
    ...numbers(params, ["width", "height", "fps", "bitrateBps", "viewers"]),
    source: strings(field(params, "source"), ["name", "detail"]),
    encoder: strings(field(params, "encoder"), ["name", "reason"]),
    sound: {
      ...booleans(field(params, "sound"), ["available"]),
      ...strings(field(params, "sound"), ["detail"]),
    },
  };
}

/** Reads `videoInputState`. */
export function readVideoInputState(params: unknown): VideoInputState {
  const error = SOURCE_ERRORS.find((known) => known === field(params, "error"));
  const reason = readLostReason(params);
  return {
    ...booleans(params, ["ready", "streaming"]),
    ...numbers(params, ["width", "height", "fps"]),
    ...strings(params, ["why"]),
    ...(error && { error }),
    ...(reason && { reason }),
  };
}

/** Reads why the source is gone. */
export function readLostReason(params: unknown): LostReason | undefined {
  return LOST_REASONS.find((known) => known === field(params, "reason"));
}

/** Reads `statsFrames`; a frame without its RTP timestamp cannot be joined and is left out. */
export function readHostFrames(params: unknown): HostFrame[] {
  const frames = field(params, "frames");
  if (!Array.isArray(frames)) return [];
  return frames.flatMap((frame: unknown) => {
    const { rtp, ...times } = numbers(frame, [
      "rtp",
      "capturedUs",
      "grabUs",
      "queueUs",
      "encodeUs",
      "sendUs",
      "bytes",
    ]);
    return rtp === undefined ? [] : [{ rtp, ...times, ...booleans(frame, ["keyframe", "repeated"]) }];
  });
}

/** Reads `statsSecond`. */
export function readHostSecond(params: unknown): HostSecond {
  return numbers(params, SECOND_FIELDS);
}

/** Reads one text field, such as a reason or an SDP. */
export function readText(params: unknown, key: string): string | undefined {
  return strings(params, [key])[key];
}

/** Reads one number, such as the host's clock. */
export function readNumber(params: unknown, key: string): number | undefined {
  return numbers(params, [key])[key];
}

/** Reads one yes or no. */
export function readBoolean(params: unknown, key: string): boolean | undefined {
  return booleans(params, [key])[key];
}

/** Reads a list; anything else is an empty one. */
export function readList(params: unknown, key: string): unknown[] {
  const list = field(params, key);
  return Array.isArray(list) ? list : [];
}

/** One field of anything. */
export function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? (value as Json)[key] : undefined;
}

function numbers<K extends string>(value: unknown, keys: readonly K[]) {
  return pick(value, keys, (found): found is number => Number.isFinite(found));
}

function strings<K extends string>(value: unknown, keys: readonly K[]) {
  return pick(value, keys, (found): found is string => typeof found === "string");
}

function booleans<K extends string>(value: unknown, keys: readonly K[]) {
  return pick(value, keys, (found): found is boolean => typeof found === "boolean");
}

function pick<K extends string, T>(
  value: unknown,
  keys: readonly K[],
  accepts: (found: unknown) => found is T,
): Partial<Record<K, T>> {
  const picked: Partial<Record<K, T>> = {};
  for (const key of keys) {
    const found = field(value, key);
    if (accepts(found)) picked[key] = found;
  }
  return picked;
}
