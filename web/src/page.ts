//! The page: puts viewer, picture, bar, card and statistics together and lets keys, touches and the
//! page's own life reach them.

import { expose } from "./inspect";
import type { HostState, VideoInputState } from "./protocol";
import { Statistics, type Snapshot } from "./statistics";
import { size } from "./format";
import { Card, Notice } from "./ui/card";
import { Help } from "./ui/help";
import { Overlay } from "./ui/overlay";
import { canGoFullscreen, Stage, toggleFullscreen } from "./ui/stage";
import { Toolbar, type Command } from "./ui/toolbar";
import { Viewer } from "./viewer";
import { cardText, noticeText, TOUCH_TO_PLAY } from "./words";

/** How often the card's countdown is brought up to date. */
const COUNTDOWN_MS = 250;

/** Everything on the page. */
export class Page {
  readonly #stage = new Stage();
  readonly #viewer: Viewer;
  readonly #statistics: Statistics;
  readonly #card = new Card(() => this.#act());
  readonly #notice = new Notice();
  readonly #help = new Help();
  readonly #overlay = new Overlay(() => this.#toggleStatistics());
  readonly #toolbar: Toolbar;
  #host: HostState = {};
  #input: VideoInputState = {};
  #playBlocked = false;
  #countdown: ReturnType<typeof setInterval> | undefined;

  constructor() {
    const { video } = this.#stage;
    this.#viewer = new Viewer({
      state: () => this.#stateChanged(),
      host: (host) => this.#hostChanged(host),
      input: (input) => {
        this.#input = input;
        this.#showWords();
      },
      stream: ({ track }) => {
        this.#statistics.restart();
        this.#stage.play(track, () => this.#viewer.pictureShown());
      },
      ending: () => this.#stage.keepPicture(),
      frames: (frames) => this.#statistics.addHostFrames(frames),
      second: (second) => this.#statistics.addHostSecond(second),
    });
    this.#statistics = new Statistics(
      video,
      {
        peerConnection: () => this.#viewer.peer?.pc,
        clock: (nowMs) => this.#viewer.clock(nowMs),
      },
      (snapshot: Snapshot) => this.#overlay.show(snapshot, this.#host),
    );
    this.#overlay.setFramesKnown(this.#statistics.framesKnown);
    this.#toolbar = new Toolbar(this.#commands());
    this.#stage.onBlocked = () => this.#setPlayBlocked(true);
    this.#expose();
  }

  /** Starts the stream first, then builds the page around it: the picture is what is waited for. */
  open(): void {
    this.#viewer.start();
    document.body.append(
      this.#stage.root,
      this.#notice.root,
      this.#card.root,
      this.#overlay.root,
      this.#toolbar.root,
      this.#help.root,
    );
    this.#listen();
    this.#toolbar.wake();
  }

  #commands(): Command[] {
    const { video } = this.#stage;
    const commands: Command[] = [
      {
        name: "statistics",
        icon: "statistics",
        label: "Statistics",
        keys: "S",
        toggles: true,
        run: () => this.#toggleStatistics(),
      },
      {
        name: "actual",
        icon: "actual",
        label: "Actual pixels",
        keys: "Z",
        toggles: true,
        run: () => this.#toggleActualPixels(),
      },
      {
        name: "help",
        icon: "help",
        label: "Help",
        keys: "?",
        toggles: false,
        run: () => this.#help.toggle(),
      },
    ];
    if (!canGoFullscreen(video)) return commands;
    const fullscreen: Command = {
      name: "fullscreen",
      icon: "fullscreen",
      label: "Full screen",
      keys: "F",
      toggles: true,
      run: () => toggleFullscreen(video),
    };
    return [...commands, fullscreen];
  }

  #listen(): void {
    const { root, video } = this.#stage;
    const toolbar = this.#toolbar;
    addEventListener("keydown", (event) => this.#keyPressed(event));
    addEventListener("pointermove", (event) => {
      if (event.pointerType !== "touch") toolbar.wake();
    });
    root.addEventListener("click", (event) => {
      if ((event as PointerEvent).pointerType === "touch") toolbar.toggle();
    });
    root.addEventListener("dblclick", () => toggleFullscreen(video));
    document.addEventListener("fullscreenchange", () => {
      toolbar.setPressed("fullscreen", document.fullscreenElement !== null);
    });
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState !== "visible") return;
      this.#statistics.restart();
      this.#viewer.retryIfWaiting();
    });
    addEventListener("online", () => this.#viewer.retryIfWaiting());
    addEventListener("focus", () => this.#viewer.retryIfWaiting());
    addEventListener("pagehide", () => this.#viewer.leave());
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.#viewer.start();
    });
  }

  #keyPressed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const isOpen = this.#help.root.open;
    const key = event.key.toLowerCase();
    if (key === "?" || key === "h") this.#help.toggle();
    else if (isOpen) return;
    else if (key === "f") toggleFullscreen(this.#stage.video);
    else if (key === "s" || key === "i") this.#toggleStatistics();
    else if (key === "z") this.#toggleActualPixels();
    else if (key === "escape" && !this.#overlay.root.hidden) this.#toggleStatistics();
    else if (key === "tab") this.#toolbar.wake();
  }

  #toggleStatistics(): void {
    const { root } = this.#overlay;
    root.hidden = !root.hidden;
    const on = !root.hidden;
    this.#toolbar.setPressed("statistics", on);
    this.#viewer.watchStats(on);
    if (on) this.#statistics.start();
    else this.#statistics.stop();
  }

  #toggleActualPixels(): void {
    this.#stage.setActualPixels(!this.#stage.actualPixels);
    this.#toolbar.setPressed("actual", this.#stage.actualPixels);
  }

  #act(): void {
    if (this.#playBlocked) {
      this.#setPlayBlocked(false);
      this.#stage.resume();
    } else {
      this.#viewer.retryNow();
    }
  }

  #setPlayBlocked(blocked: boolean): void {
    this.#playBlocked = blocked;
    this.#showWords();
  }

  #stateChanged(): void {
    const { kind } = this.#viewer.state;
    if (kind === "live") this.#playBlocked = false;
    this.#stage.setStale(kind !== "live");
    clearInterval(this.#countdown);
    if (kind === "reconnecting" || kind === "unreachable") {
      this.#countdown = setInterval(() => this.#showWords(), COUNTDOWN_MS);
    }
    this.#showWords();
  }

  #hostChanged(host: HostState): void {
    this.#host = host;
    const name = host.source?.name;
    document.title = name ? `${name} – Heliostat` : "Heliostat";
    const picture = host.width ? size(host.width, host.height) : undefined;
    this.#toolbar.setCaption([name, picture].filter((part) => part).join(" · "));
    if (host.version) this.#help.setVersion(host.version);
  }

  #showWords(): void {
    const { state } = this.#viewer;
    const blocked = this.#playBlocked && state.kind === "waiting";
    this.#card.show(blocked ? TOUCH_TO_PLAY : cardText(state, this.#input, performance.now()));
    this.#notice.show(noticeText(state, this.#input));
  }

  #expose(): void {
    const viewer = this.#viewer;
    const statistics = this.#statistics;
    const { video } = this.#stage;
    expose({
      video,
      get pc() {
        return viewer.peer?.pc;
      },
      get state() {
        return viewer.state.kind;
      },
      get track() {
        return viewer.peer?.track;
      },
      get frames() {
        return statistics.records();
      },
    });
  }
}
