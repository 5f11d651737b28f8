//! Why the video is paused, if it is. Reasons are counted: it runs again when the last one is gone.

/** A tab that is hidden for less does not pause: switching back and forth should cost nothing. */
export const HIDDEN_FOR_MS = 5000;

/** What can ask for a pause. */
export type PauseReason = "hidden" | "dialog" | "user";

/** The reasons of one page. */
export class Pause {
  readonly #counts = new Map<PauseReason, number>();
  #hiding: ReturnType<typeof setTimeout> | undefined;

  /**
   * `onChange` is called when the video is to stop, and when it is to run again; `onReasons` after
   * that, and when another reason comes or one of several goes.
   */
  constructor(
    private readonly onChange: (paused: boolean) => void,
    private readonly onReasons: () => void = () => undefined,
  ) {}

  /** Whether anything asks for a pause. */
  get isPaused(): boolean {
    return this.#counts.size > 0;
  }

  /** Whether this asks for one. */
  has(reason: PauseReason): boolean {
    return this.#counts.has(reason);
  }

  /** Asks for a pause until what it returns is called; calling it again does nothing. */
  hold(reason: PauseReason): () => void {
    const wasPaused = this.isPaused;
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    if (!wasPaused) this.onChange(true);
    this.onReasons();
    let isHeld = true;
    return () => {
      if (isHeld) this.#letGo(reason);
      isHeld = false;
    };
  }

  /** The person pauses, or lets it run again. */
  setByUser(paused: boolean): void {
    if (paused && !this.has("user")) this.hold("user");
    else if (!paused && this.has("user")) this.#letGo("user");
  }

  /** The page is hidden, or shown; the first call tells how it is at the start. */
  setHidden(hidden: boolean): void {
    if (!hidden) {
      clearTimeout(this.#hiding);
      this.#hiding = undefined;
      if (this.has("hidden")) this.#letGo("hidden");
    } else if (!this.has("hidden")) {
      this.#hiding ??= setTimeout(() => {
        this.#hiding = undefined;
        this.hold("hidden");
      }, HIDDEN_FOR_MS);
    }
  }

  #letGo(reason: PauseReason): void {
    const count = (this.#counts.get(reason) ?? 0) - 1;
    if (count > 0) this.#counts.set(reason, count);
    else this.#counts.delete(reason);
    if (!this.isPaused) this.onChange(false);
    this.onReasons();
  }
}
