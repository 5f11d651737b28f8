//! Sends a longer text to be typed, piece by piece, so that it can be cancelled half way.

import { textPieces } from "./wire";

/** A piece is typed by the host in about this time; a faster host only waits for the next one. */
const PIECE_CHARACTERS = 48;
const PIECE_EVERY_MS = 40;
/** With more than this still unsent, the link is slower than the typing. */
const MOST_UNSENT_BYTES = 1024;

/** Where the text goes. */
export interface TextSink {
  readonly isOpen: boolean;
  readonly unsentBytes: number;
  text(text: string): void;
}

/** One text on its way. */
export class Typist {
  readonly #pieces: string[];
  #next = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Starts at once; `onProgress` hears of each piece with the part done, and `onEnd` of the end. */
  constructor(
    text: string,
    private readonly sink: TextSink,
    private readonly events: { progress(part: number): void; end(done: boolean): void },
  ) {
    this.#pieces = textPieces(text.replace(/\r\n?/g, "\n"), PIECE_CHARACTERS);
    this.#type();
  }

  /** Types no further. */
  cancel(): void {
    if (this.#timer === undefined) return;
    this.#stop(false);
  }

  #type(): void {
    if (!this.sink.isOpen) return this.#stop(false);
    const piece = this.#pieces[this.#next];
    if (piece === undefined) return this.#stop(true);
    if (this.sink.unsentBytes <= MOST_UNSENT_BYTES) {
      this.sink.text(piece);
      this.#next++;
      this.events.progress(this.#next / this.#pieces.length);
    }
    this.#timer = setTimeout(() => this.#type(), PIECE_EVERY_MS);
  }

  #stop(done: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.events.end(done);
  }
}
