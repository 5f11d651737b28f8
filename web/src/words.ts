//! What the page says in each state, in plain words. Pure: no element is touched here.

import type { InputState } from "./news";
import type { PauseReason } from "./pause";
import type { LostReason, SourceError, VideoInputState } from "./protocol";
import type { EndCause, ViewerState } from "./state";

/** The text of the card that stands in for, or over, the picture. */
export interface CardText {
  title: string;
  detail?: string;
  tone: "busy" | "trouble" | "stopped" | "pause";
  /** When the page tries again by itself; apart from `detail`, because it changes every second. */
  retry?: string;
  /** The label of the button that tries at once, where trying makes sense. */
  action?: string;
}

/** Shown where the browser plays nothing before a touch, as phones do when saving power. */
export const TOUCH_TO_PLAY: CardText = {
  title: "Ready to play",
  detail: "This browser plays video only after a touch.",
  tone: "stopped",
  action: "Play",
};

const SOURCE_ERRORS: Record<SourceError, string> = {
  no_signal: "No signal from the source",
  no_lock: "The source’s signal cannot be locked",
  out_of_range: "The source’s video mode is not supported",
};

const LOST_REASONS: Record<LostReason, string> = {
  no_signal: "No signal from the source",
  no_device: "No device: the source is not there",
  unsupported_mode: "The source’s video mode is not supported",
  source_restarting: "The source is restarting",
};

const END_REASONS: Record<string, string> = {
  quit: "The session was ended.",
  lost: "The connection to the host was lost.",
  timeout: "The host heard nothing from this page for too long.",
  replaced: "Another viewer took over this session.",
  source_ended: "The source has ended.",
  host_stopped: "The host was stopped.",
  operator: "The operator ended this session.",
  expired: "The time of this access is over.",
  error: "The host ran into an error.",
};

/** The card for `state`, or undefined when the picture speaks for itself. */
export function cardText(
  state: ViewerState,
  input: VideoInputState,
  nowMs: number,
): CardText | undefined {
  switch (state.kind) {
    case "connecting":
      return connectingText(state.again, nowMs);
    case "waiting":
      return waitingText(state.connected, input);
    case "live":
      return undefined;
    case "reconnecting":
      return {
        ...reconnectingText(state.cause, state.retryAtMs, nowMs),
        action: "Reconnect now",
      };
    case "unreachable":
      return unreachableText(state.retryAtMs, nowMs);
    case "not-logged-in":
      return {
        title: "Not logged in",
        detail:
          "This link has been used already, or the host was restarted since. Open the newest link that the host printed.",
        tone: "stopped",
        action: "Try again",
      };
    case "unsupported":
      return unsupportedText(state.missing);
    case "ended":
      return {
        title: "Stream ended",
        detail: endReasonText(state.reason),
        tone: "stopped",
        action: "Watch again",
      };
  }
}

/** A line to show over the running picture, if something is wrong with it. */
export function noticeText(state: ViewerState, input: VideoInputState): string | undefined {
  if (state.kind !== "live") return undefined;
  if (state.interrupted) return "Connection interrupted, waiting for it to return";
  const lost = lostText(input);
  if (lost && input.why) return `${lost} (${input.why}). Waiting for it to return.`;
  if (lost) return `${lost}, waiting for it to return`;
  if (input.ready === false) return "The source is not ready, waiting for it";
  return undefined;
}

/** The card of a pause that a person should know of; a dialog's own is plain to see. */
export function pausedText(
  pause: { isPaused: boolean; has(reason: PauseReason): boolean },
  resuming: boolean,
): CardText | undefined {
  if (!pause.isPaused) return resuming ? { title: "Resuming…", tone: "busy" } : undefined;
  if (pause.has("user")) {
    const detail = "The host sends no pictures until you resume.";
    return { title: "Paused", detail, tone: "pause", action: "Resume" };
  }
  // Behind a dialog the dimmed picture says enough.
  if (!pause.has("hidden")) return undefined;
  const detail = "The video goes on when this page is looked at.";
  return { title: "Paused", detail, tone: "pause" };
}

/** What a driver reads when somebody asks for control. */
export function requestText(name: string): string {
  return `${name} asks for control. If you do nothing, it is handed over.`;
}

/** What the one who asked reads meanwhile. */
export function askedText(driver: string | undefined): string {
  return `You asked ${driver ?? "the driver"} for control.`;
}

/** How long there is to answer. */
export function secondsLeft(leftMs: number): string {
  return `${Math.max(0, Math.ceil(leftMs / 1000))} s`;
}

/** What a driver reads who drives no more; without a name, the same person drives elsewhere. */
export function lostControlText(driver: string | undefined): string {
  return `You are now watching; ${driver ?? "another window of yours"} drives.`;
}

/** What of this device goes to the host. `clipboard` is absent while nothing does. */
export function devicesText(
  able: InputState | undefined,
  clipboard: { isOn: boolean; off: string | undefined } | undefined,
): string {
  if (!able) return "";
  const names = [
    able.keyboard && "keyboard",
    able.pointer && "mouse",
    able.touch && "touch",
    able.pads && "gamepads",
    able.text && "text",
  ].filter((name) => name !== false);
  if (names.length === 0) return `This host takes no input${able.reason ? `: ${able.reason}` : "."}`;
  const by = able.backend ? ` (by ${able.backend})` : "";
  const input = `The host takes ${listed(names)}${by}.`;
  if (!clipboard) return input;
  if (clipboard.isOn) return `${input} The clipboard is shared.`;
  return clipboard.off ? `${input} The clipboard is not shared: ${clipboard.off}.` : input;
}

/** Why a connection ended, as a sentence. */
export function causeText(cause: EndCause): string {
  switch (cause.kind) {
    case "refused":
      return "The host did not accept the connection.";
    case "unreachable":
      return "The host could not be reached.";
    case "lost":
      return "The connection to the host was lost.";
    case "silent":
      return "The host stopped answering.";
    case "media-blocked":
      return "The video connection could not be made: a firewall may block it.";
    case "media-lost":
      return "The video connection was lost.";
    case "rejected":
      return sentence(cause.message);
    case "ended":
      return endReasonText(cause.reason);
    case "http":
      return httpText(cause.status);
    case "unsupported":
      return unsupportedText(cause.missing).title;
  }
}

/** The exact reason, where the host tells it, says more than the error. */
function lostText({ reason, error }: VideoInputState): string | undefined {
  if (reason) return LOST_REASONS[reason];
  return error && SOURCE_ERRORS[error];
}

function listed(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

function endReasonText(reason: string): string {
  const key = reason.trim().toLowerCase().replace(/[\s-]+/g, "_");
  return END_REASONS[key] ?? `The host ended the session: ${reason}`;
}

function httpText(status: number): string {
  if (status === 429) return "Too many attempts: the host asks this device to wait.";
  if (status === 403) return "The host does not accept pages from this address.";
  if (status === 503) return "The host is busy.";
  return `The host answered with HTTP ${status}.`;
}

function connectingText(again: EndCause | undefined, nowMs: number): CardText {
  if (!again) return { title: "Connecting…", tone: "busy" };
  // The card stays as it was between two attempts, so that it does not flicker.
  if (again.kind === "unreachable") return unreachableText(nowMs, nowMs);
  return reconnectingText(again, nowMs, nowMs);
}

function reconnectingText(cause: EndCause, retryAtMs: number, nowMs: number): CardText {
  const title = cause.kind === "rejected" ? "The host refused" : "Reconnecting…";
  const retry = retryText(retryAtMs, nowMs);
  return { title, detail: causeText(cause), tone: "busy", retry };
}

function unreachableText(retryAtMs: number, nowMs: number): CardText {
  return {
    title: "Host not reachable",
    detail: "Is Heliostat running, and is this device on its network?",
    tone: "trouble",
    retry: retryText(retryAtMs, nowMs),
    action: "Try now",
  };
}

function waitingText(connected: boolean, input: VideoInputState): CardText {
  const lost = lostText(input);
  if (lost) {
    const detail = "The picture appears here as soon as it returns.";
    return { title: lost, detail, tone: "trouble" };
  }
  if (connected) return { title: "Waiting for the picture…", tone: "busy" };
  return { title: "Opening the video connection…", tone: "busy" };
}

function unsupportedText(missing: "webrtc" | "h264"): CardText {
  return missing === "webrtc"
    ? {
        title: "This browser has no WebRTC",
        detail: "The stream needs it. A current Chrome, Edge, Firefox or Safari has it, unless it is switched off.",
        tone: "stopped",
      }
    : {
        title: "This browser cannot play H.264",
        detail: "The stream is H.264 video. A current Chrome, Edge, Firefox or Safari plays it.",
        tone: "stopped",
      };
}

/** The host's own words, as a sentence among ours. */
function sentence(words: string): string {
  const text = words.trim();
  const end = /[.!?]$/.test(text) ? "" : ".";
  return text.charAt(0).toUpperCase() + text.slice(1) + end;
}

function retryText(retryAtMs: number, nowMs: number): string {
  const seconds = Math.ceil((retryAtMs - nowMs) / 1000);
  return seconds > 0 ? `Trying again in ${seconds} s` : "Trying again now";
}
