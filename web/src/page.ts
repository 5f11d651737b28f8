//! The page: puts viewer, picture, bar, card and statistics together and lets keys, touches and the
//! page's own life reach them.

import { Driving } from "./driving";
import { size } from "./format";
import { expose } from "./inspect";
import { MoonlightDesk } from "./moonlight-desk";
import type { News } from "./news";
import { Pause } from "./pause";
import type { HostState, VideoInputState } from "./protocol";
import { pageCommand, type PageCommand } from "./shortcuts";
import { Sound } from "./sound";
import { Statistics, type Snapshot } from "./statistics";
import { Banners } from "./ui/banners";
import { Card } from "./ui/card";
import { Help } from "./ui/help";
import { Overlay } from "./ui/overlay";
import { Settings } from "./ui/settings";
import { Share } from "./ui/share";
import { canGoFullscreen, Stage, toggleFullscreen } from "./ui/stage";
import { element } from "./ui/dom";
import { Toolbar, type Command } from "./ui/toolbar";
import { Volume } from "./ui/volume";
import { Viewer } from "./viewer";
import { cardText, noticeText, pausedText, TOUCH_TO_PLAY } from "./words";

/** How often the card's countdown is brought up to date. */
const COUNTDOWN_MS = 250;
/** The host shows a slate once a second; a picture older than this is only a memory. */
const SLATE_DUE_MS = 3000;

/** Everything on the page. */
export class Page {
  readonly #stage = new Stage();
  readonly #viewer: Viewer;
  readonly #statistics: Statistics;
  readonly #pause = new Pause(
    (paused) => this.#pauseChanged(paused),
    () => this.#showPause(),
  );
  readonly #speaker = element("audio");
  readonly #sound = new Sound(
    this.#speaker,
    (wanted) => this.#viewer.mute(!wanted),
    () => this.#showSound(),
  );
  readonly #volume = new Volume(
    (volume) => this.#sound.setVolume(volume),
    () => this.#driving.capture.wantsKeyboard && this.#driving.capture.takeKeyboard(),
  );
  readonly #card = new Card(() => this.#act());
  readonly #banners = new Banners();
  readonly #help = new Help();
  readonly #overlay = new Overlay(() => this.#toggleStatistics());
  readonly #toolbar: Toolbar;
  readonly #driving: Driving;
  readonly #settings: Settings;
  readonly #share: Share;
  readonly #moonlight: MoonlightDesk;
  #host: HostState = {};
  #input: VideoInputState = {};
  #playBlocked = false;
  /** The video runs again, and its first picture is awaited. */
  #resuming = false;
  #slateMissing = false;
  #slateTimer: ReturnType<typeof setTimeout> | undefined;
  #countdown: ReturnType<typeof setInterval> | undefined;

  constructor() {
    const { video } = this.#stage;
    this.#viewer = new Viewer({
      state: () => this.#stateChanged(),
      news: (news) => this.#take(news),
      stream: ({ track, sound }) => {
        this.#statistics.restart();
        this.#sound.play(sound);
        this.#stage.play(track, () => this.#viewer.pictureShown());
      },
      ending: () => this.#stage.keepPicture(),
      inputOpen: (peer) => this.#driving.inputOpen(peer),
      device: (request) => this.#driving.obey(request),
    });
    const request = this.#viewer.request.bind(this.#viewer);
    this.#statistics = new Statistics(
      video,
      {
        peerConnection: () => this.#viewer.peer?.pc,
        clock: (nowMs) => this.#viewer.clock(nowMs),
      },
      (snapshot: Snapshot) => this.#overlay.show(snapshot, this.#host),
    );
    this.#overlay.setFramesKnown(this.#statistics.framesKnown);
    this.#toolbar = new Toolbar(this.#commands(), () => this.#driving.control());
    if (this.#sound.hasVolume) this.#toolbar.putBehind("sound", this.#volume.root);
    this.#settings = new Settings(request);
    this.#share = new Share(request);
    this.#driving = new Driving({
      request,
      stage: this.#stage,
      banners: this.#banners,
      toolbar: () => this.#toolbar,
      command: (command) => this.#do(command),
      share: () => this.#openShare(),
      moonlight: () => this.#moonlight.openPanel(),
      changed: () => this.#roomChanged(),
    });
    this.#moonlight = new MoonlightDesk({
      request,
      banners: this.#banners,
      keys: (letter) => this.#driving.keys(letter),
      now: () => this.#hostTime(),
      changed: () => this.#moonlightChanged(),
    });
    this.#stage.onBlocked = () => this.#setPlayBlocked(true);
    this.#watchPanels();
    this.#expose();
  }

  /** Starts the stream first, then builds the page around it: the picture is what is waited for. */
  open(): void {
    this.#pause.setHidden(document.visibilityState === "hidden");
    this.#viewer.start();
    const { people, paste, touchKeyboard, cursor } = this.#driving;
    document.body.append(
      this.#stage.root,
      cursor.root,
      this.#banners.root,
      this.#card.root,
      this.#overlay.root,
      people.root,
      this.#settings.root,
      this.#moonlight.panel.root,
      this.#toolbar.handle,
      this.#toolbar.root,
      touchKeyboard.root,
      this.#help.root,
      this.#share.root,
      this.#moonlight.dialog.root,
      paste.root,
    );
    this.#listen();
    this.#roomChanged();
    this.#moonlightChanged();
    this.#showSound();
    this.#toolbar.wake();
  }

  #commands(): Command[] {
    const command = (name: PageCommand, about: Omit<Command, "name" | "run">): Command => ({
      name,
      ...about,
      run: () => this.#do(name),
    });
    const commands = [
      command("people", { icon: "people", label: "Who is here", keys: "U", toggles: true }),
      {
        name: "keyboard",
        icon: "keyboard" as const,
        label: "Keyboard",
        toggles: true,
        run: () => this.#driving.touchKeyboard.toggle(),
      },
      command("mouseLock", { icon: "mouse", label: "Lock the mouse", keys: "B", toggles: true }),
      command("paste", { icon: "paste", label: "Paste as text", keys: "V", toggles: false }),
      command("sound", { icon: "sound", label: "Mute", keys: "M", toggles: false }),
      command("pause", { icon: "pause", label: "Pause", keys: "P", toggles: true }),
      command("settings", { icon: "settings", label: "Stream settings", keys: "O", toggles: true }),
      command("share", { icon: "link", label: "Share by link", keys: "L", toggles: false }),
      command("moonlight", { icon: "gamepad", label: "Moonlight clients", keys: "G", toggles: true }),
      command("statistics", { icon: "statistics", label: "Statistics", keys: "S", toggles: true }),
      command("actual", { icon: "actual", label: "Actual pixels", keys: "Z", toggles: true }),
      command("help", { icon: "help", label: "Help", keys: "?", toggles: false }),
    ];
    if (!canGoFullscreen(this.#stage.video)) return commands;
    const looks = { icon: "fullscreen", label: "Full screen", keys: "F", toggles: true } as const;
    return [...commands, command("fullscreen", looks)];
  }

  #do(command: PageCommand): void {
    const driving = this.#driving;
    const work: Record<PageCommand, () => void> = {
      statistics: () => this.#toggleStatistics(),
      actual: () => this.#toggleActualPixels(),
      fullscreen: () => toggleFullscreen(this.#stage.video),
      help: () => this.#help.toggle(),
      sound: () => this.#sound.toggle(),
      pause: () => this.#pause.setByUser(!this.#pause.has("user")),
      people: () => driving.people.toggle(),
      settings: () => this.#settings.toggle(),
      share: () => this.#openShare(),
      moonlight: () => this.#moonlight.open(),
      mouseLock: () => driving.toggleMouseLock(),
      paste: () => driving.openPaste(),
      control: () => driving.control(),
      keyboard: () => driving.toggleKeyboard(),
      grant: () => driving.answer(true),
      refuse: () => driving.answer(false),
    };
    work[command]();
  }

  #listen(): void {
    const { root, video } = this.#stage;
    const { capture } = this.#driving;
    const toolbar = this.#toolbar;
    addEventListener("keydown", (event) => this.#keyPressed(event));
    // Whatever a person does here may be what the browser waits for before it plays sound.
    for (const kind of ["pointerup", "keyup"]) addEventListener(kind, () => this.#sound.touched(), true);
    addEventListener("pointermove", (event) => {
      // A bar that rises at every motion would cover what is driven.
      if (event.pointerType !== "touch" && !capture.isEngaged) toolbar.wake();
    });
    root.addEventListener("click", (event) => {
      const isTouch = (event as PointerEvent).pointerType === "touch";
      if (isTouch && !capture.isEngaged) toolbar.toggle();
    });
    root.addEventListener("dblclick", () => {
      if (!capture.isEngaged) toggleFullscreen(video);
    });
    document.addEventListener("fullscreenchange", () => {
      toolbar.setPressed("fullscreen", document.fullscreenElement !== null);
    });
    document.addEventListener("visibilitychange", () => {
      this.#pause.setHidden(document.visibilityState === "hidden");
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

  /** Keys that the host does not get. */
  #keyPressed(event: KeyboardEvent): void {
    const { target } = event;
    const isWriting = target instanceof HTMLElement && target.matches("input, textarea, select");
    if (event.repeat || (isWriting && !event.ctrlKey)) return;
    const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey;
    if (isPlain && this.#driving.capture.isStray(performance.now())) return;
    const command = pageCommand(event, false);
    const isModal = document.querySelector("dialog[open]") !== null;
    if (command && (!isModal || (command === "help" && this.#help.root.open))) {
      event.preventDefault();
      this.#do(command);
    } else if (isModal || !isPlain) return;
    else if (event.key === "Escape" && !this.#overlay.root.hidden) this.#toggleStatistics();
    else if (event.key === "Tab") this.#toolbar.wake();
  }

  #watchPanels(): void {
    const { people, capture } = this.#driving;
    const panels = { people, settings: this.#settings, moonlight: this.#moonlight.panel };
    for (const [name, panel] of Object.entries(panels)) {
      panel.onToggle = (open) => {
        this.#toolbar.setPressed(name, open);
        const others = Object.values(panels).filter((other) => other !== panel);
        if (open) for (const other of others) other.toggle(false);
        if (open && panel === this.#settings) void this.#settings.refresh();
        this.#moonlight.showBanner();
        if (!open && capture.wantsKeyboard) capture.takeKeyboard();
      };
    }
    this.#settings.onCursorMode = (mode) => this.#driving.cursor.setInPicture(mode === "picture");
  }

  #openShare(): void {
    if (this.#driving.room.you?.role !== "admin" || this.#share.root.open) return;
    this.#share.open();
    // Who makes links looks at nothing else for a while.
    this.#share.root.addEventListener("close", this.#pause.hold("dialog"), { once: true });
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
    } else if (this.#pause.isPaused) {
      this.#pause.setByUser(false);
    } else {
      this.#viewer.retryNow();
    }
  }

  #setPlayBlocked(blocked: boolean): void {
    this.#playBlocked = blocked;
    this.#showWords();
  }

  #pauseChanged(paused: boolean): void {
    this.#viewer.pause(paused);
    this.#resuming = !paused;
    // What comes after a pause does not continue what came before it.
    this.#statistics.restart();
    if (!paused) {
      this.#stage.nextPicture(() => {
        this.#resuming = false;
        this.#statistics.restart();
        this.#showState();
      });
    }
    this.#awaitSlate();
  }

  #showPause(): void {
    const byUser = this.#pause.has("user");
    this.#toolbar.setPressed("pause", byUser);
    this.#toolbar.describe("pause", byUser ? "Resume" : "Pause");
    this.#showState();
  }

  #stateChanged(): void {
    const { kind } = this.#viewer.state;
    if (kind === "live") {
      this.#playBlocked = false;
      this.#resuming = false;
      void this.#settings.refresh();
    } else if (kind !== "waiting") {
      this.#driving.restart();
      this.#moonlight.restart();
    }
    clearInterval(this.#countdown);
    if (kind === "reconnecting" || kind === "unreachable") {
      this.#countdown = setInterval(() => this.#showWords(), COUNTDOWN_MS);
    }
    this.#showState();
  }

  #showState(): void {
    const isLive = this.#viewer.state.kind === "live";
    const isStill = this.#pause.isPaused || this.#resuming;
    this.#stage.setStale(!isLive || isStill || this.#slateMissing);
    this.#driving.setLive(isLive && !this.#pause.isPaused);
    this.#toolbar.pin(isStill);
    this.#showWords();
  }

  #take(news: News): void {
    switch (news.kind) {
      case "host":
        this.#host = news.host;
        this.#sound.setAvailable(news.host.sound?.available === true);
        if (news.host.version) this.#help.setVersion(news.host.version);
        return this.#showCaption();
      case "video-input":
        this.#input = news.input;
        return this.#inputChanged();
      case "signal-lost": {
        const { reason = "no_signal", why } = news;
        this.#input = { ...this.#input, ready: false, reason, ...(why !== undefined && { why }) };
        return this.#inputChanged();
      }
      case "signal-restored": {
        const { error: _error, reason: _reason, why: _why, ...rest } = this.#input;
        this.#input = { ...rest, ready: true };
        return this.#inputChanged();
      }
      case "frames":
        return this.#statistics.addHostFrames(news.frames);
      case "second":
        return this.#statistics.addHostSecond(news.second);
      default:
        if (!this.#moonlight.take(news)) this.#driving.take(news);
    }
  }

  #inputChanged(): void {
    this.#awaitSlate();
    this.#showWords();
  }

  /** While the source is gone the host shows why; without that, the last picture must not look live. */
  #awaitSlate(): void {
    const isGone = (this.#input.reason ?? this.#input.error) !== undefined;
    clearTimeout(this.#slateTimer);
    if (this.#slateMissing) {
      this.#slateMissing = false;
      this.#showState();
    }
    if (!isGone || this.#pause.isPaused) return;
    this.#slateTimer = setTimeout(() => {
      this.#slateMissing = true;
      this.#showState();
    }, SLATE_DUE_MS);
    this.#stage.nextPicture(() => this.#awaitSlate());
  }

  /** Without sound on the host there is nothing to see. */
  #showSound(): void {
    const { available, muted, blocked, volume } = this.#sound.state;
    const toolbar = this.#toolbar;
    const silent = muted || blocked;
    toolbar.setShown("sound", available);
    this.#volume.root.hidden = !available;
    toolbar.setIcon("sound", silent ? "muted" : "sound");
    toolbar.describe("sound", silent ? "Sound on" : "Mute");
    this.#volume.show(muted ? 0 : volume);
    const hears = available && blocked;
    const touch = matchMedia("(pointer: coarse)").matches;
    const action = {
      label: touch ? "Tap for sound" : "Click for sound",
      keys: "M",
      primary: true,
      run: () => this.#sound.touched(),
    };
    const text = "The browser holds the sound back until you ask for it.";
    this.#banners.show("sound", hears ? { text, icon: "muted", actions: [action] } : undefined);
  }

  #showCaption(): void {
    const { source, width, height } = this.#host;
    document.title = source?.name ? `${source.name} – Heliostat` : "Heliostat";
    const picture = width ? size(width, height) : undefined;
    const parts = [source?.name, picture, this.#driving.caption()];
    this.#toolbar.setCaption(parts.filter((part) => part).join(" · "));
  }

  #roomChanged(): void {
    const { you } = this.#driving.room;
    const isAdmin = you?.role === "admin";
    this.#toolbar.setShown("share", isAdmin);
    this.#toolbar.setShown("settings", you?.canControl === true);
    this.#settings.permit({
      parameters: isAdmin || you?.controls === true,
      devices: isAdmin,
      why: "Whoever drives may change these.",
    });
    this.#showCaption();
  }

  #moonlightChanged(): void {
    const { isServed, waiting } = this.#moonlight;
    this.#toolbar.setShown("moonlight", isServed);
    this.#toolbar.describe("moonlight", "Moonlight clients", waiting > 0 ? String(waiting) : "");
    this.#driving.people.offerMoonlight(isServed);
    this.#help.setShown("moonlight", isServed);
  }

  /** What ends at the host ends by its clock. */
  #hostTime(): Date {
    const nowMs = performance.now();
    const offsetMs = this.#viewer.clock(nowMs)?.offsetMs;
    return offsetMs === undefined ? new Date() : new Date(nowMs + offsetMs);
  }

  #showWords(): void {
    const { state } = this.#viewer;
    const nowMs = performance.now();
    const blocked = this.#playBlocked && state.kind === "waiting";
    const hasStream = state.kind === "live" || state.kind === "waiting";
    const paused = hasStream ? pausedText(this.#pause, this.#resuming && state.kind === "live") : undefined;
    this.#card.show(blocked ? TOUCH_TO_PLAY : (paused ?? cardText(state, this.#input, nowMs)));
    const notice = this.#pause.isPaused ? undefined : noticeText(state, this.#input);
    this.#banners.show("notice", notice === undefined ? undefined : { text: notice, icon: "trouble", tone: "trouble" });
    this.#showCaption();
  }

  #expose(): void {
    const viewer = this.#viewer;
    const statistics = this.#statistics;
    const pause = this.#pause;
    const driving = this.#driving;
    const { video } = this.#stage;
    const sound = this.#sound;
    expose({
      video,
      audio: this.#speaker,
      get sound() {
        return sound.state;
      },
      get pc() {
        return viewer.peer?.pc;
      },
      get state() {
        return viewer.state.kind;
      },
      get paused() {
        return pause.isPaused;
      },
      get driving() {
        return driving.capture.isEngaged;
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
