//! The stream's sound on this page: plays it in an element of its own, so that a browser which
//! refuses to play sound still shows the picture, and remembers how loud it is to be.

const REMEMBERED = "heliostat.sound";

/** How it sounds to whoever sits here. */
export interface SoundState {
  /** The host has sound to play. */
  available: boolean;
  /** Whoever sits here wants none. */
  muted: boolean;
  /** The browser wants a touch or a key first. */
  blocked: boolean;
  /** 0 to 1. */
  volume: number;
}

/** What is played on: an audio element, or what tests put in its place. */
export interface Speaker {
  srcObject: MediaProvider | null;
  volume: number;
  play(): Promise<void>;
  pause(): void;
}

/** Where the choice is kept. */
export interface Memory {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

/** The sound of one page. */
export class Sound {
  #available = false;
  #muted: boolean;
  #blocked = false;
  #volume: number;
  #attempt = 0;

  /**
   * `onWanted` is told whether the host is to send sound, each time that this may have changed;
   * `onChange`, that something looks different.
   */
  constructor(
    private readonly speaker: Speaker,
    private readonly onWanted: (wanted: boolean) => void,
    private readonly onChange: () => void,
    private readonly memory: Memory | undefined = browserMemory(),
  ) {
    const { muted, volume } = remembered(memory);
    this.#muted = muted;
    this.#volume = volume;
    speaker.volume = volume;
  }

  get state(): SoundState {
    return {
      available: this.#available,
      muted: this.#muted,
      blocked: this.#blocked && !this.#muted,
      volume: this.#volume,
    };
  }

  /** Whether this device lets a page say how loud it is; phones leave that to their keys. */
  get hasVolume(): boolean {
    const { speaker } = this;
    speaker.volume = this.#volume > 0.5 ? 0.25 : 0.75;
    const obeys = speaker.volume === (this.#volume > 0.5 ? 0.25 : 0.75);
    speaker.volume = this.#volume;
    return obeys;
  }

  /** Whether the host is to send it. */
  get isWanted(): boolean {
    return !this.#muted && !this.#blocked;
  }

  /** Plays a new session's sound; nothing where it has none. */
  play(track: MediaStreamTrack | undefined): void {
    this.speaker.srcObject = track ? new MediaStream([track]) : null;
    this.#start();
  }

  /** The host has sound, or has none. */
  setAvailable(available: boolean): void {
    if (available === this.#available) return;
    this.#available = available;
    this.#start();
    this.onChange();
  }

  /** A person touched the page or pressed a key: what was refused before may be allowed now. */
  touched(): void {
    if (this.#blocked && !this.#muted) this.#start();
  }

  /** The person wants sound, or wants none. Whoever asks for sound that the browser held back gets it. */
  toggle(): void {
    if (this.#blocked && !this.#muted) return this.#start();
    this.#muted = !this.#muted;
    // Nobody who asks for sound means none at all.
    if (!this.#muted && this.#volume === 0) this.#setVolume(0.5);
    this.#remember();
    this.#start();
  }

  /** Says how loud, 0 to 1; the lowest is silence that costs nothing. */
  setVolume(volume: number): void {
    const muted = volume === 0;
    this.#setVolume(Math.min(1, Math.max(0, volume)));
    const changed = muted !== this.#muted;
    this.#muted = muted;
    this.#remember();
    if (changed || this.#blocked) this.#start();
    else this.onChange();
  }

  #setVolume(volume: number): void {
    this.#volume = volume;
    this.speaker.volume = volume;
  }

  #start(): void {
    const attempt = ++this.#attempt;
    if (this.#muted) {
      this.speaker.pause();
      return this.#settle(this.#blocked);
    }
    if (!this.#available || !this.speaker.srcObject) return this.#settle(this.#blocked);
    this.speaker.play().then(
      () => {
        if (attempt === this.#attempt) this.#settle(false);
      },
      (error: unknown) => {
        // Any other failure means that something newer replaced this. A refusal holds for that too.
        const refused = error instanceof DOMException && error.name === "NotAllowedError";
        if (refused && !this.#muted) this.#settle(true);
      },
    );
  }

  #settle(blocked: boolean): void {
    this.#blocked = blocked;
    this.onWanted(this.isWanted);
    this.onChange();
  }

  #remember(): void {
    try {
      const kept = JSON.stringify({ muted: this.#muted, volume: this.#volume });
      this.memory?.setItem(REMEMBERED, kept);
    } catch {
      // A browser that keeps nothing forgets this too.
    }
  }
}

/** Its storage, where the browser lets a page have one. */
function browserMemory(): Memory | undefined {
  try {
    return globalThis.localStorage;
  } catch {
    return undefined;
  }
}

function remembered(memory: Memory | undefined): { muted: boolean; volume: number } {
  try {
    const kept: unknown = JSON.parse(memory?.getItem(REMEMBERED) ?? "null");
    const { muted, volume } = (kept ?? {}) as Record<string, unknown>;
    const isVolume = typeof volume === "number" && volume >= 0 && volume <= 1;
    return { muted: muted === true, volume: isVolume ? volume : 1 };
  } catch {
    return { muted: false, volume: 1 };
  }
}
