//! The picture and its surround: fitted to the window or at actual pixels, and full screen. It
//! knows nothing of where the picture comes from.

import { pictureBox, type Box, type Extent } from "../input/coordinates";
import { element } from "./dom";

interface WebkitVideo {
  webkitEnterFullscreen?(): void;
}

/** The picture. */
export class Stage {
  readonly video = element("video", {
    autoplay: true,
    muted: true,
    playsInline: true,
    disablePictureInPicture: true,
    disableRemotePlayback: true,
    ariaLabel: "Live picture of the host’s screen",
  });
  readonly root = element("main", { className: "stage", tabIndex: 0 }, this.video);
  readonly #kept = element("canvas", { hidden: true });
  actualPixels = false;
  /** Called when playing needs a touch first. */
  onBlocked: () => void = () => undefined;
  /** Called when the picture is somewhere else on the page than before, or of another size. */
  onLaidOut: () => void = () => undefined;

  constructor() {
    // Some browsers look at the attributes, not the properties, before they allow autoplay.
    for (const name of ["autoplay", "muted", "playsinline"]) this.video.setAttribute(name, "");
    this.#kept.ariaHidden = "true";
    this.root.append(this.#kept);
    this.video.addEventListener("resize", () => this.#layOut());
    addEventListener("resize", () => this.#layOut());
    this.root.addEventListener("scroll", () => this.onLaidOut());
  }

  /** How large the picture is in itself. */
  get pictureSize(): Extent {
    return { width: this.video.videoWidth, height: this.video.videoHeight };
  }

  /** Where the picture is on the page, without its bars; undefined before there is one. */
  pictureBox(): Box | undefined {
    return pictureBox(this.video.getBoundingClientRect(), this.pictureSize);
  }

  /** Shows `track` from now on, and tells of its first picture. */
  play(track: MediaStreamTrack, onPicture: () => void): void {
    const { video } = this;
    video.srcObject = new MediaStream([track]);
    const isCurrent = () => (video.srcObject as MediaStream | null)?.getTracks()[0] === track;
    const shown = () => {
      if (!isCurrent()) return;
      this.#kept.hidden = true;
      onPicture();
    };
    if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(shown);
    else (video as HTMLVideoElement).addEventListener("playing", shown, { once: true });
    this.resume();
  }

  /** Calls once with the next picture that is shown. */
  nextPicture(shown: () => void): void {
    if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(shown);
    else setTimeout(shown, 250);
  }

  /** Plays again after a touch allowed it. */
  resume(): void {
    this.video.play().catch((error: unknown) => {
      // Any other failure means that a newer stream replaced this one.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.onBlocked();
    });
  }

  /** Keeps the last picture on the screen until the next stream has one: browsers blank it. */
  keepPicture(): void {
    const { videoWidth, videoHeight } = this.video;
    if (videoWidth === 0 || !this.#kept.hidden) return;
    this.#kept.width = videoWidth;
    this.#kept.height = videoHeight;
    this.#kept.getContext("2d")?.drawImage(this.video, 0, 0);
    this.#kept.hidden = false;
  }

  /** Dims a picture that is no longer live. */
  setStale(stale: boolean): void {
    this.root.classList.toggle("stale", stale);
  }

  /** One picture pixel on one screen pixel, or fitted to the window. */
  setActualPixels(on: boolean): void {
    this.actualPixels = on;
    this.root.classList.toggle("actual", on);
    this.#layOut();
  }

  #layOut(): void {
    const { videoWidth, videoHeight } = this.video;
    const ratio = window.devicePixelRatio || 1;
    const on = this.actualPixels && videoWidth > 0;
    for (const { style } of [this.video, this.#kept]) {
      style.width = on ? `${videoWidth / ratio}px` : "";
      style.height = on ? `${videoHeight / ratio}px` : "";
    }
    this.onLaidOut();
  }
}

/** Whether anything here can go full screen. */
export function canGoFullscreen(video: HTMLVideoElement & WebkitVideo): boolean {
  return document.fullscreenEnabled || video.webkitEnterFullscreen !== undefined;
}

/** Enters or leaves full screen; where only videos may, the video alone goes. */
export function toggleFullscreen(video: HTMLVideoElement & WebkitVideo): void {
  // A refusal leaves everything as it was, and the browser says why by itself.
  const ignore = () => undefined;
  if (document.fullscreenElement) document.exitFullscreen().catch(ignore);
  else if (document.fullscreenEnabled) {
    document.documentElement.requestFullscreen({ navigationUI: "hide" }).catch(ignore);
  } else video.webkitEnterFullscreen?.();
}
