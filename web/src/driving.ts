//! Who drives, from this page's point of view: what the room allows, what is asked and answered, and
//! whether keys, pointers, gamepads and clipboard go to the host at this moment.

import { ClipboardLink, copyText } from "./clipboard";
import { Capture } from "./input/capture";
import { InputSender } from "./input/sender";
import { Typist } from "./input/typist";
import type { DeviceRequest } from "./input/wire";
import type { InputState, News } from "./news";
import type { Peer } from "./peer";
import { controlAction, drivingText, EMPTY_ROOM, type ControlRequest, type Room } from "./room";
import { errorText } from "./rpc";
import { HOST_KEYS, type PageCommand } from "./shortcuts";
import type { Banner, Banners } from "./ui/banners";
import { HostCursor } from "./ui/cursor";
import { Paste } from "./ui/paste";
import { ACTION_TEXTS, People } from "./ui/people";
import type { Stage } from "./ui/stage";
import type { Toolbar } from "./ui/toolbar";
import { TouchKeyboard } from "./ui/touch-keyboard";
import { askedText, devicesText, lostControlText, requestText, secondsLeft } from "./words";

const COUNTDOWN_MS = 250;
const SHORT_MS = 4000;
const LONG_MS = 8000;
/** Somebody who was made to watch should have the time to see it. */
const TAKEN_MS = 60_000;
const HINT_SEEN = "heliostat.keys-hint";

type Request = (method: string, params?: Record<string, unknown>) => Promise<unknown>;

/** What it needs of the page. */
export interface DrivingParts {
  request: Request;
  stage: Stage;
  banners: Banners;
  toolbar: () => Toolbar;
  command(command: PageCommand): void;
  share(): void;
  moonlight(): void;
  /** The room, or what this page may do in it, has changed. */
  changed(): void;
}

/** A request for control, with its end on the page's clock. */
interface Pending {
  request: ControlRequest;
  endsMs: number;
}

/** Driving, or watching somebody drive. */
export class Driving {
  readonly people: People;
  readonly paste = new Paste((text) => this.#type(text));
  readonly touchKeyboard = new TouchKeyboard(() => this.#sender);
  readonly cursor: HostCursor;
  readonly capture: Capture;
  room: Room = EMPTY_ROOM;
  #able: InputState | undefined;
  #sender: InputSender | undefined;
  #isLive = false;
  #pending: Pending | undefined;
  #countdown: ReturnType<typeof setInterval> | undefined;
  #typist: Typist | undefined;
  /** This page itself lets go, so that nobody needs to be told. */
  #letsGo = false;
  #takenBy: "nobody" | "own session" | "somebody" = "nobody";
  readonly #clipboard: ClipboardLink;

  constructor(private readonly parts: DrivingParts) {
    const { stage, request } = parts;
    this.cursor = new HostCursor(stage);
    stage.onLaidOut = () => this.cursor.show();
    this.#clipboard = new ClipboardLink({
      request,
      write: async (text) => navigator.clipboard.writeText(text),
      offer: (text) => this.#offerCopy(text),
    });
    this.people = new People({
      control: () => this.control(),
      give: (person) => void this.#ask("giveControl", { session: person.id }),
      kick: (person) => void this.#ask("kick", { session: person.id }),
      share: () => parts.share(),
      moonlight: () => parts.moonlight(),
      setShared: (shared) => void this.#ask("setControlPolicy", { control: shared ? "shared" : "single" }),
    });
    this.capture = new Capture(stage, {
      changed: () => this.#show(),
      command: (command) => parts.command(command),
      sharesClipboard: () => this.#clipboard.isOn,
      shareClipboard: (text) => this.#clipboard.fromPage(text),
    });
    this.capture.pointer.onLockChange = () => this.#mouseLockChanged();
    this.touchKeyboard.onToggle = (open) => parts.toolbar().setPressed("keyboard", open);
    document.addEventListener("fullscreenchange", () => this.#hintAtEscape());
  }

  /** A session's input can leave. */
  inputOpen({ channels }: Peer): void {
    this.#sender?.close();
    this.#sender = new InputSender(channels);
    this.#steer();
  }

  /** Another session begins, or none is left. */
  restart(): void {
    this.#sender?.close();
    this.#sender = undefined;
    this.#typist?.cancel();
    this.#takenBy = "nobody";
    this.#letsGo = false;
    this.room = EMPTY_ROOM;
    this.#clipboard.stop();
    this.#setPending(undefined);
    this.cursor.clear();
    this.#steer();
    this.parts.changed();
  }

  /** Whether there is a live picture to act on. */
  setLive(live: boolean): void {
    if (live === this.#isLive) return;
    this.#isLive = live;
    this.#steer();
  }

  /** The host's wishes for this page's devices. */
  obey(request: DeviceRequest): void {
    this.capture.obey(request);
  }

  /** Takes in what is news here. */
  take(news: News): void {
    switch (news.kind) {
      case "room":
        return this.#roomChanged(news.room);
      case "input-state":
        this.#able = news.state;
        // It changes with the source, and so may the clipboard.
        if (this.room.you?.controls) this.#probeClipboard();
        return this.#steer();
      case "control-requested":
        return this.#setPending(news.request);
      case "control-granted":
        return this.#tell("control", { text: "You are driving now.", forMs: SHORT_MS });
      case "control-refused": {
        const text = `${this.room.driver?.name ?? "The other person"} keeps control.`;
        return this.#tell("control", { text, forMs: LONG_MS });
      }
      case "other-session":
        this.#takenBy = "own session";
        return this.#tellTaken();
      case "cursor":
        return this.cursor.setShape(news.shape);
      case "cursor-moved":
        return this.cursor.setPlace(news.place);
      case "clipboard":
        return void this.#clipboard.fromHost(news.text);
    }
  }

  /** Takes control, asks for it or lets it go, whichever is possible. */
  control(): void {
    const action = controlAction(this.room);
    if (action === "take") void this.#ask("takeControl");
    else if (action === "ask") void this.#ask("askControl");
    else if (action === "release") {
      this.#letsGo = true;
      void this.#ask("releaseControl");
    }
  }

  /** How a key of the page is written at this moment. */
  keys(letter: string): string {
    return this.capture.hasKeyboard ? `${HOST_KEYS} + ${letter}` : letter;
  }

  /** Answers whoever asks for control. */
  answer(grant: boolean): void {
    const pending = this.#pending;
    if (!pending || !this.room.you?.controls) return;
    this.#letsGo = grant;
    this.#setPending(undefined);
    void this.#ask("answerControlRequest", { session: pending.request.session, grant });
  }

  /** Gives the keys to the page, or back to the host. */
  toggleKeyboard(): void {
    if (this.capture.hasKeyboard) this.parts.toolbar().focus();
    else if (this.capture.wantsKeyboard) this.capture.takeKeyboard();
  }

  /** Locks the mouse, or sets it free. */
  toggleMouseLock(): void {
    if (!this.capture.isEngaged) return;
    this.capture.takeKeyboard();
    this.capture.pointer.toggleLock().catch((error: unknown) => {
      // Browsers want a moment between leaving and coming back.
      const text = `The browser does not lock the mouse: ${errorText(error)}`;
      this.#tell("hint", { text, tone: "trouble", icon: "trouble", forMs: LONG_MS });
    });
  }

  /** Opens the dialog for text, where the host takes any. */
  openPaste(): void {
    if (this.capture.isEngaged && this.#able?.text) void this.paste.open();
  }

  #roomChanged(room: Room): void {
    const drove = this.room.you?.controls === true;
    this.room = room;
    const drives = room.you?.controls === true;
    if (drives && !drove) this.#beganToDrive();
    if (!drives && drove) this.#stoppedDriving();
    this.#tellTaken();
    this.#setPending(room.request);
    this.#steer();
    this.parts.changed();
  }

  #beganToDrive(): void {
    this.#takenBy = "nobody";
    this.#letsGo = false;
    this.#tell("taken", undefined);
    this.#probeClipboard();
  }

  #probeClipboard(): void {
    void this.#clipboard.probe(errorText).then(() => this.#show());
  }

  #stoppedDriving(): void {
    const isTaken = !this.#letsGo && this.room.driver !== undefined;
    if (isTaken && this.#takenBy === "nobody") this.#takenBy = "somebody";
    this.#letsGo = false;
    this.#tell("control", undefined);
    this.#typist?.cancel();
    this.#clipboard.stop();
  }

  /** Says it once, when both the news and who drives are known. */
  #tellTaken(): void {
    const { driver, you } = this.room;
    if (this.#takenBy === "nobody" || !driver || !you || driver.isYou) return;
    const isOwn = this.#takenBy === "own session";
    const mayTake = isOwn || you.role === "admin";
    this.#takenBy = "nobody";
    const run = () => {
      this.#tell("taken", undefined);
      void this.#ask(mayTake ? "takeControl" : "askControl");
    };
    const label = mayTake ? "Take back" : "Ask for control";
    const text = lostControlText(isOwn && driver.name === you.name ? undefined : driver.name);
    const actions = [{ label, primary: true, run }];
    this.#tell("taken", { text, actions, icon: "people", forMs: TAKEN_MS });
  }

  #setPending(request: ControlRequest | undefined): void {
    const isKnown = request && this.#pending?.request.session === request.session;
    clearInterval(this.#countdown);
    if (!request) this.#pending = undefined;
    else if (!isKnown || request.expiresInMs !== undefined) {
      this.#pending = { request, endsMs: performance.now() + (request.expiresInMs ?? 15_000) };
    }
    if (this.#pending) this.#countdown = setInterval(() => this.#showPending(), COUNTDOWN_MS);
    this.#showPending();
  }

  #showPending(): void {
    const { you, driver } = this.room;
    const leftMs = this.#pending ? this.#pending.endsMs - performance.now() : 0;
    // The host decides; this only keeps a line from staying where its answer was lost.
    if (leftMs < -2000) clearInterval(this.#countdown);
    if (!this.#pending || !you || leftMs < -2000) return this.#tell("request", undefined);
    const { session, name } = this.#pending.request;
    if (session === you.id) {
      const text = askedText(driver?.name);
      return this.#tell("request", { text, note: secondsLeft(leftMs), icon: "people" });
    }
    if (!you.controls) return this.#tell("request", undefined);
    this.#tell("request", {
      text: requestText(name),
      note: secondsLeft(leftMs),
      icon: "people",
      actions: [
        { label: "Hand over", keys: this.keys("Y"), primary: true, run: () => this.answer(true) },
        { label: "Keep control", keys: this.keys("N"), run: () => this.answer(false) },
      ],
    });
  }

  /** Decides where input goes. */
  #steer(): void {
    const drives = this.#isLive && this.room.you?.controls === true;
    const wasEngaged = this.capture.isEngaged;
    this.capture.engage(drives ? this.#sender : undefined, this.#able);
    if (!this.capture.isEngaged) this.touchKeyboard.close();
    if (this.capture.isEngaged && !wasEngaged) this.#hintAtKeys();
    if (!this.capture.isEngaged && wasEngaged) this.#tell("hint", undefined);
    this.#show();
  }

  #show(): void {
    const { capture, room } = this;
    const able = this.#able;
    const engaged = capture.isEngaged;
    const hasTouch = navigator.maxTouchPoints > 0;
    const toolbar = this.parts.toolbar();
    document.body.classList.toggle("driving", engaged && (able?.pointer || able?.touch) === true);
    document.body.classList.toggle("has-touch", hasTouch);
    this.cursor.setMode(engaged && able?.pointer && !capture.pointer.isLocked ? "own" : "told");
    toolbar.setShown("mouseLock", engaged && able?.pointer === true && capture.pointer.canLock);
    toolbar.setPressed("mouseLock", capture.pointer.isLocked);
    toolbar.setShown("paste", engaged && able?.text === true);
    toolbar.setShown("keyboard", engaged && able?.text === true && hasTouch);
    const action = controlAction(room);
    toolbar.setCall(action && action !== "release" ? ACTION_TEXTS[action] : undefined, action !== "asked");
    toolbar.describe("people", `Who is here: ${drivingText(room) || "nobody"}`, String(room.people.length || ""));
    this.parts.changed();
    this.people.show(room);
    this.people.showDevices(devicesText(able, engaged ? this.#clipboard : undefined));
  }

  /** What the bar says of driving, if it is worth a word. */
  caption(): string {
    const { you, people } = this.room;
    if (you?.controls && this.#able && !this.capture.isEngaged && this.#isLive) {
      return "This host takes no input";
    }
    if (this.capture.wantsKeyboard && !this.capture.hasKeyboard && document.hasFocus()) {
      return this.touchKeyboard.isOpen ? "" : "Click the picture to type there";
    }
    return you?.controls && people.length === 1 ? "" : drivingText(this.room);
  }

  #mouseLockChanged(): void {
    const { isLocked } = this.capture.pointer;
    const escape = document.fullscreenElement && this.capture.locksKeyboard ? "Hold Esc" : "Press Esc";
    const text = `The mouse is locked to the picture. ${escape}, or ${HOST_KEYS} + B, to free it.`;
    this.#tell("hint", isLocked ? { text, icon: "mouse", forMs: SHORT_MS } : undefined);
    this.#show();
  }

  #hintAtEscape(): void {
    const { capture } = this;
    const isLocked = document.fullscreenElement && capture.wantsKeyboard && capture.locksKeyboard;
    const text = "All keys go to the host. Hold Esc to leave full screen.";
    this.#tell("hint", isLocked ? { text, icon: "keyboard", forMs: SHORT_MS } : undefined);
  }

  /** Once a visit: a keyboard that does not do what the page's help says is a riddle. */
  #hintAtKeys(): void {
    if (!this.capture.hasKeyboard || navigator.maxTouchPoints > 0) return;
    try {
      if (sessionStorage.getItem(HINT_SEEN)) return;
      sessionStorage.setItem(HINT_SEEN, "1");
    } catch {
      // Without storage it is said each time.
    }
    const text = `Your keyboard goes to the host. ${HOST_KEYS} + H lists the page’s own keys.`;
    this.#tell("hint", { text, icon: "keyboard", forMs: LONG_MS });
  }

  #type(text: string): void {
    const sender = this.#sender;
    if (!sender || !this.capture.isEngaged) return;
    const actions = [{ label: "Cancel", run: () => this.#typist?.cancel() }];
    this.#typist?.cancel();
    this.capture.takeKeyboard();
    this.#typist = new Typist(text, sender, {
      progress: (part) =>
        this.#tell("typing", {
          text: "Typing…",
          note: `${Math.floor(part * 100)} %`,
          icon: "keyboard",
          actions,
        }),
      end: (done) =>
        this.#tell("typing", done ? undefined : { text: "Typing was cancelled.", forMs: SHORT_MS }),
    });
  }

  #offerCopy(text: string | undefined): void {
    if (text === undefined) return this.#tell("copy", undefined);
    const run = () => void copyText(text).then(() => this.#tell("copy", undefined));
    const actions = [
      { label: "Copy", primary: true, run },
      { label: "Dismiss", run: () => this.#tell("copy", undefined) },
    ];
    this.#tell("copy", { text: "The host’s clipboard has new text.", icon: "paste", actions, forMs: 20_000 });
  }

  async #ask(method: string, params: Record<string, unknown> = {}): Promise<void> {
    try {
      await this.parts.request(method, params);
    } catch (error) {
      this.#letsGo = false;
      const text = `That did not work: ${errorText(error)}`;
      this.#tell("control", { text, icon: "trouble", tone: "trouble", forMs: LONG_MS });
    }
  }

  #tell(name: string, banner: Banner | undefined): void {
    this.parts.banners.show(name, banner);
  }
}
