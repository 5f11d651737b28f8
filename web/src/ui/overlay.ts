//! The statistics panel: the latency plot, its numbers by stage, and the facts of the stream. It
//! shows snapshots and gathers nothing itself.

import { bitrate, counted, milliseconds, percent, rate, size, UNKNOWN, withMs } from "../format";
import { STAGES, type FrameRecord } from "../frames";
import type { HostState } from "../protocol";
import type { SoundSecond } from "../receiver-stats";
import type { Snapshot } from "../statistics";
import type { Spread } from "../summary";
import { element, icon, setText } from "./dom";
import { Plot, STAGE_LOOKS, UNSPLIT_LOOK } from "./plot";

const FACTS = [
  "Frame rate",
  "Bitrate",
  "Loss",
  "Round trip",
  "Repairs",
  "Freezes",
  "Picture",
  "Sound",
  "Encoder",
  "Jitter buffer",
  "Source",
  "Viewers",
] as const;
type Fact = (typeof FACTS)[number];

const FRAMES_UNKNOWN = "This browser does not tell the times of single frames.";
const FRAMES_AWAITED = "Waiting for frames. A still screen sends none.";

/** The panel. */
export class Overlay {
  readonly root: HTMLElement;
  readonly #plot = new Plot();
  readonly #headline = element("output", { className: "headline" });
  readonly #clock = element("span", { className: "dim" });
  readonly #oneFrame = element("th", { scope: "col" }, "last");
  readonly #hint = element("p", { className: "hint dim" });
  readonly #rows = new Map<string, LatencyRow>();
  readonly #facts = new Map<Fact, HTMLElement>();
  #framesKnown = true;
  #pointedAt: FrameRecord | undefined;
  #last: FrameRecord | undefined;

  constructor(onClose: () => void) {
    const close = element(
      "button",
      { type: "button", className: "close", ariaLabel: "Close statistics", onclick: onClose },
      icon("close"),
    );
    const heading = element("h2", {}, "Capture to display");
    const figure = element("figure", {}, this.#plot.canvas, this.#hint);
    this.root = element(
      "section",
      { className: "overlay", ariaLabel: "Statistics", hidden: true },
      element("header", {}, heading, close),
      element("p", { className: "headline-row" }, this.#headline, this.#clock),
      figure,
      this.#latencyTable(),
      this.#factList(),
    );
    this.#followPointer();
    this.root.addEventListener("mousedown", (event) => {
      // Reading numbers is no reason to take the keyboard from the host.
      if (document.body.classList.contains("driving")) event.preventDefault();
    });
  }

  /** Says that per-frame times are not to be had in this browser. */
  setFramesKnown(known: boolean): void {
    this.#framesKnown = known;
  }

  /** Shows a reading, and what the host said of itself. */
  show(snapshot: Snapshot, host: HostState): void {
    const { summary, clock, frames } = snapshot;
    const { p50, p95 } = summary.total;
    setText(this.#headline, p50 === undefined ? UNKNOWN : withMs(p50));
    const bound = clock ? `clocks ± ${withMs(Math.max(0.1, clock.uncertaintyMs))}` : "";
    const slow = p95 === undefined ? "" : `p95 ${withMs(p95)}`;
    setText(this.#clock, ["p50", slow, bound].filter((part) => part !== "").join(" · "));
    const hint = this.#framesKnown ? FRAMES_AWAITED : FRAMES_UNKNOWN;
    setText(this.#hint, frames.length === 0 ? hint : "");
    this.#last = frames.findLast((frame) => frame.shown);
    // While a frame is pointed at the plot stands still, so that it can be read.
    if (!this.#pointedAt) this.#plot.show(frames);
    for (const stage of STAGES) this.#rows.get(stage)?.setSpread(summary.stages[stage]);
    this.#rows.get("decode")?.setSpread(summary.decode);
    this.#rows.get("unsplit")?.setSpread(summary.unsplit);
    this.#rows.get("unsplit")?.root.toggleAttribute("hidden", summary.unsplit.p50 === undefined);
    this.#rows.get("total")?.setSpread(summary.total);
    this.#showOneFrame();
    this.#showFacts(snapshot, host);
  }

  #showOneFrame(): void {
    const frame = this.#pointedAt ?? this.#last;
    setText(this.#oneFrame, this.#pointedAt ? frameName(this.#pointedAt) : "last");
    for (const stage of STAGES) this.#rows.get(stage)?.setOne(frame?.stages[stage]);
    this.#rows.get("decode")?.setOne(frame?.decodeMs);
    this.#rows.get("unsplit")?.setOne(frame?.unsplitMs);
    this.#rows.get("total")?.setOne(frame?.totalMs);
  }

  #showFacts(snapshot: Snapshot, host: HostState): void {
    const facts = describeFacts(snapshot, host);
    for (const name of FACTS) {
      const target = this.#facts.get(name);
      if (target) setText(target, facts[name]);
    }
  }

  #latencyTable(): HTMLElement {
    const body = element("tbody");
    const add = (key: string, row: LatencyRow) => {
      this.#rows.set(key, row);
      body.append(row.root);
    };
    for (const stage of STAGES) {
      if (stage === "decodeRender") add("unsplit", new LatencyRow(UNSPLIT_LOOK));
      add(stage, new LatencyRow(STAGE_LOOKS[stage]));
    }
    add("decode", new LatencyRow({ label: "of which decoding", className: "part" }));
    add("total", new LatencyRow({ label: "Total", className: "total" }));
    const columns = ["p50", "p95"].map((text) => element("th", { scope: "col" }, text));
    const unit = element("th", { scope: "col", className: "dim" }, "ms");
    const head = element("thead", {}, element("tr", {}, unit, this.#oneFrame, ...columns));
    return element("table", {}, head, body);
  }

  #factList(): HTMLElement {
    const list = element("dl", { className: "facts" });
    for (const name of FACTS) {
      const value = element("dd", {}, UNKNOWN);
      this.#facts.set(name, value);
      list.append(element("dt", {}, name), value);
    }
    return list;
  }

  #followPointer(): void {
    const { canvas } = this.#plot;
    const point = (clientX: number | undefined) => {
      this.#pointedAt = this.#plot.pointAt(clientX);
      this.#showOneFrame();
    };
    canvas.addEventListener("pointermove", (event) => point(event.clientX));
    canvas.addEventListener("pointerdown", (event) => point(event.clientX));
    canvas.addEventListener("pointerleave", () => point(undefined));
    canvas.addEventListener("pointercancel", () => point(undefined));
  }
}

interface RowLook {
  label: string;
  colour?: string;
  className?: string;
}

/** One line of the latency table. */
class LatencyRow {
  readonly root: HTMLElement;
  readonly #cells = [element("td"), element("td"), element("td")] as const;

  constructor({ label, colour, className = "" }: RowLook) {
    const name = element("th", { scope: "row" });
    if (colour) {
      const swatch = element("i", { className: "swatch" });
      swatch.style.background = colour;
      name.append(swatch);
    }
    name.append(label);
    this.root = element("tr", { className }, name, ...this.#cells);
  }

  setOne(ms: number | undefined): void {
    setText(this.#cells[0], milliseconds(ms));
  }

  setSpread({ p50, p95 }: Spread): void {
    setText(this.#cells[1], milliseconds(p50));
    setText(this.#cells[2], milliseconds(p95));
  }
}

function frameName(frame: FrameRecord): string {
  if (!frame.shown) return "not shown";
  if (frame.repeated) return "repeated";
  return frame.keyframe ? "keyframe" : "frame";
}

function describeFacts(snapshot: Snapshot, host: HostState): Record<Fact, string> {
  const { host: second, receiver, freezes, summary, frames } = snapshot;
  const fps = rate(second.fps ?? receiver.fps);
  const unique = second.uniqueFps === undefined ? "" : `, ${rate(second.uniqueFps)} new`;
  const target = second.targetBps ?? host.bitrateBps;
  const ofTarget = target === undefined ? "" : ` of ${bitrate(target)}`;
  const missing = summary.notShown > 0 ? `, ${summary.notShown} of ${frames.length} not shown` : "";
  const longest = freezes.longestMs === undefined ? "" : `, longest ${withMs(freezes.longestMs)}`;
  const over = receiver.transport === undefined ? "" : ` over ${receiver.transport}`;
  return {
    "Frame rate": `${fps} fps${unique}${missing}`,
    Bitrate: bitrate(second.bitrateBps ?? receiver.bitrateBps) + ofTarget,
    Loss: percent(second.lossPct ?? receiver.lossPct),
    "Round trip": withMs(second.rttMs ?? receiver.rttMs) + over,
    Repairs: describeRepairs({ ...pickRepairs(receiver), ...second }),
    Freezes: frames.length === 0 ? UNKNOWN : `${freezes.count}${longest}`,
    Picture: joinParts([
      size(host.width, host.height),
      receiver.codec ?? host.codec,
      receiver.decoder && `decoded by ${receiver.decoder}`,
    ]),
    Sound: describeSound(receiver.sound),
    Encoder: joinParts([host.encoder?.name, host.encoder?.reason]),
    "Jitter buffer": withMs(receiver.bufferMs),
    Source: joinParts([host.source?.name, host.source?.detail]),
    Viewers: host.viewers === undefined ? UNKNOWN : String(host.viewers),
  };
}

function describeSound(sound: SoundSecond | undefined): string {
  if (!sound) return "none";
  return joinParts([
    bitrate(sound.bitrateBps),
    sound.lost === undefined ? undefined : `${Math.max(0, sound.lost)} lost`,
    sound.concealedPct === undefined ? undefined : `${percent(sound.concealedPct)} concealed`,
    sound.bufferMs === undefined ? undefined : `buffer ${withMs(sound.bufferMs)}`,
  ]);
}

function pickRepairs({ nacks, plis }: Snapshot["receiver"]): Snapshot["host"] {
  return { ...(nacks !== undefined && { nacks }), ...(plis !== undefined && { plis }) };
}

function describeRepairs({ nacks, plis, invalidations, keyframes }: Snapshot["host"]): string {
  const counts = [
    [nacks, "NACK"],
    [plis, "PLI"],
    [invalidations, "invalidation"],
    [keyframes, "keyframe"],
  ] as const;
  if (counts.every(([count]) => count === undefined)) return UNKNOWN;
  const some = counts.map(([count, noun]) => (count ? counted(count, noun) : undefined));
  return some.some((text) => text) ? joinParts(some) : "none";
}

function joinParts(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== "").join(" · ") || UNKNOWN;
}
