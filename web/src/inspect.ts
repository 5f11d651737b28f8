//! `window.heliostat`: what tests and tools may look at. Nothing can be changed through it.

import type { FrameRecord } from "./frames";
import type { SoundState } from "./sound";
import type { ViewerState } from "./state";

/** The parts that can be looked at, always as they are now. */
export interface Inspected {
  readonly pc: RTCPeerConnection | undefined;
  readonly video: HTMLVideoElement;
  readonly state: ViewerState["kind"];
  /** Whether this page asked for no pictures. */
  readonly paused: boolean;
  /** Whether input goes from here to the host. */
  readonly driving: boolean;
  readonly track: MediaStreamTrack | undefined;
  /** What plays the sound. */
  readonly audio: HTMLAudioElement;
  readonly sound: SoundState;
  /** The last joined frames, oldest first; gathered only while the statistics are open. */
  readonly frames: FrameRecord[];
}

declare global {
  interface Window {
    readonly heliostat: Inspected;
  }
}

/** Puts `inspected` where tests and tools look for it. */
export function expose(inspected: Inspected): void {
  Object.defineProperty(window, "heliostat", { value: Object.freeze(inspected) });
}
