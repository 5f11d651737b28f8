//! What the host tells by itself, read into types. News of a kind that this page does not know, or
//! that are malformed, are no news.

import {
  readBoolean,
  readHostFrames,
  readHostSecond,
  readHostState,
  readLostReason,
  readNumber,
  readText,
  readVideoInputState,
  type HostFrame,
  type HostSecond,
  type HostState,
  type LostReason,
  type VideoInputState,
} from "./protocol";
import { readClients, readPairings, type Client, type Pairing } from "./moonlight";
import { readControlRequest, readRoom, type ControlRequest, type Room } from "./room";

/** What input reaches the host. */
export interface InputState {
  keyboard: boolean;
  pointer: boolean;
  touch: boolean;
  pads: boolean;
  text: boolean;
  backend: string | undefined;
  reason: string | undefined;
}

/** The image of the host's pointer. */
export interface CursorShape {
  id: number;
  /** PNG, in base64. */
  png: string;
  hotX: number;
  hotY: number;
}

/** Where the host's pointer is, in 65535ths of the picture. */
export interface CursorPlace {
  x: number;
  y: number;
  visible: boolean;
}

/** One piece of news. */
export type News =
  | { kind: "host"; host: HostState }
  | { kind: "video-input"; input: VideoInputState }
  | { kind: "frames"; frames: HostFrame[] }
  | { kind: "second"; second: HostSecond }
  | { kind: "signal-lost"; reason: LostReason | undefined; why: string | undefined }
  | { kind: "signal-restored" }
  | { kind: "room"; room: Room }
  | { kind: "input-state"; state: InputState }
  | { kind: "control-requested"; request: ControlRequest }
  | { kind: "control-granted" }
  | { kind: "control-refused" }
  | { kind: "other-session" }
  | { kind: "cursor"; shape: CursorShape }
  | { kind: "cursor-moved"; place: CursorPlace }
  | { kind: "clipboard"; text: string }
  | { kind: "pairings"; pairings: Pairing[] }
  | { kind: "moonlight-clients"; clients: Client[] };

/** Reads a notification. */
export function readNews(method: string, params: unknown): News | undefined {
  switch (method) {
    case "hostState":
      return { kind: "host", host: readHostState(params) };
    case "videoInputState":
      return { kind: "video-input", input: readVideoInputState(params) };
    case "statsFrames":
      return { kind: "frames", frames: readHostFrames(params) };
    case "statsSecond":
      return { kind: "second", second: readHostSecond(params) };
    case "signal_lost":
      return { kind: "signal-lost", reason: readLostReason(params), why: readText(params, "why") };
    case "signal_restored":
      return { kind: "signal-restored" };
    case "sessions":
      return { kind: "room", room: readRoom(params) };
    case "inputState":
      return { kind: "input-state", state: readInputState(params) };
    case "controlRequested": {
      const request = readControlRequest(params);
      return request && { kind: "control-requested", request };
    }
    case "controlGranted":
      return { kind: "control-granted" };
    case "controlRefused":
      return { kind: "control-refused" };
    case "otherSessionConnected":
      return { kind: "other-session" };
    case "cursor":
      return readCursor(params);
    case "cursorMoved":
      return readCursorMoved(params);
    case "clipboard": {
      const text = readText(params, "text");
      return text === undefined ? undefined : { kind: "clipboard", text };
    }
    case "pairingsChanged":
      return { kind: "pairings", pairings: readPairings(params) };
    case "moonlightClientsChanged":
      return { kind: "moonlight-clients", clients: readClients(params) };
    default:
      return undefined;
  }
}

function readInputState(params: unknown): InputState {
  const can = (what: string) => readBoolean(params, what) ?? false;
  return {
    keyboard: can("keyboard"),
    pointer: can("pointer"),
    touch: can("touch"),
    pads: can("pads"),
    text: can("text"),
    backend: readText(params, "backend"),
    reason: readText(params, "reason"),
  };
}

function readCursor(params: unknown): News | undefined {
  const [id, png] = [readNumber(params, "id"), readText(params, "png")];
  // What is put into a style must be base64 and nothing else.
  if (id === undefined || png === undefined || !/^[A-Za-z0-9+/]+=*$/.test(png)) return undefined;
  const hotX = readNumber(params, "hotX") ?? 0;
  const hotY = readNumber(params, "hotY") ?? 0;
  return { kind: "cursor", shape: { id, png, hotX, hotY } };
}

function readCursorMoved(params: unknown): News | undefined {
  const [x, y] = [readNumber(params, "x"), readNumber(params, "y")];
  if (x === undefined || y === undefined) return undefined;
  return { kind: "cursor-moved", place: { x, y, visible: readBoolean(params, "visible") ?? true } };
}
