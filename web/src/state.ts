//! The states of the viewer, and why a connection ended. Only types: who changes them is in
//! `viewer`, how they read is in `words`.

/** Why one attempt to show the stream ended. */
export type EndCause =
  | { kind: "refused" }
  | { kind: "unreachable" }
  | { kind: "lost" }
  | { kind: "silent" }
  | { kind: "media-blocked" }
  | { kind: "media-lost" }
  | { kind: "rejected"; message: string }
  | { kind: "ended"; reason: string }
  | { kind: "http"; status: number }
  | { kind: "unsupported"; missing: Missing };

/** What this browser would need. */
export type Missing = "webrtc" | "h264";

/** What the viewer is doing. Times are on the page's clock. */
export type ViewerState =
  | { kind: "connecting"; again: EndCause | undefined }
  | { kind: "waiting"; connected: boolean }
  | { kind: "live"; interrupted: boolean }
  | { kind: "reconnecting"; cause: EndCause; retryAtMs: number }
  | { kind: "unreachable"; retryAtMs: number }
  | { kind: "not-logged-in" }
  | { kind: "unsupported"; missing: Missing }
  | { kind: "ended"; reason: string };
