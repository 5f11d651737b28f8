//! Draws the latency of the recent frames: one bar a frame, stacked by stage, newest at the right.

import { STAGES, type FrameRecord, type Stage } from "../frames";
import { percentile } from "../percentiles";
import { nextHeightMs } from "./scale";

/** The stages' colours and names, for the bars and their legend. */
export const STAGE_LOOKS: Record<Stage, { label: string; colour: string }> = {
  grab: { label: "Grab", colour: "#7cc4ff" },
  queue: { label: "Queue", colour: "#f4e04d" },
  encode: { label: "Encode", colour: "#ff9f43" },
  send: { label: "Send", colour: "#ff5d73" },
  network: { label: "Network", colour: "#c792ea" },
  decodeRender: { label: "Decode + render", colour: "#37d6a3" },
};

/** What stands in where stages are absent. */
export const UNSPLIT_LOOK = { label: "Not split", colour: "#5b6673" };

const BARS = 180;
const GRID_LINES = 4;
const GRID = "#ffffff1f";
const LABEL = "#aab6c3";
const CURSOR = "#ffffff30";
const CLIPPED = "#ffffff";
/** Repeated and never shown frames are drawn faintly: their height is no latency of the stream. */
const FAINT = 0.3;

interface Area {
  width: number;
  height: number;
  heightMs: number;
}

/** The plot. */
export class Plot {
  readonly canvas = document.createElement("canvas");
  #heightMs = nextHeightMs(Infinity, 0);
  #frames: readonly FrameRecord[] = [];
  #pointedAt: number | undefined;

  constructor() {
    this.canvas.setAttribute("role", "img");
    this.canvas.ariaLabel = "Latency of the last frames, split by stage";
    new ResizeObserver(() => this.#draw()).observe(this.canvas);
  }

  /** Draws `frames`, the newest last. */
  show(frames: readonly FrameRecord[]): void {
    this.#frames = frames.slice(-BARS);
    const tops = this.#frames.map(top).filter((ms) => ms !== undefined);
    this.#heightMs = nextHeightMs(this.#heightMs, percentile(tops, 98) ?? 0);
    this.#draw();
  }

  /** Marks and returns the frame at `clientX`, or none. */
  pointAt(clientX: number | undefined): FrameRecord | undefined {
    this.#pointedAt = undefined;
    if (clientX !== undefined) {
      const box = this.canvas.getBoundingClientRect();
      const slot = Math.floor(((clientX - box.left) / box.width) * BARS);
      const index = slot - (BARS - this.#frames.length);
      if (index in this.#frames) this.#pointedAt = index;
    }
    this.#draw();
    return this.#pointedAt === undefined ? undefined : this.#frames[this.#pointedAt];
  }

  #draw(): void {
    const { canvas } = this;
    const pixels = window.devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = canvas;
    const area = { width, height, heightMs: this.#heightMs };
    const context = canvas.getContext("2d");
    if (!context || area.width === 0) return;
    canvas.width = Math.round(area.width * pixels);
    canvas.height = Math.round(area.height * pixels);
    context.scale(pixels, pixels);
    drawGrid(context, area);
    const barWidth = area.width / BARS;
    this.#frames.forEach((frame, index) => {
      const x = (BARS - this.#frames.length + index) * barWidth;
      // Bars meet on whole device pixels, so that no seams shimmer between them.
      const left = Math.round(x * pixels) / pixels;
      const right = Math.round((x + barWidth) * pixels) / pixels;
      if (index === this.#pointedAt) {
        context.fillStyle = CURSOR;
        context.fillRect(left - 1, 0, right - left + 2, area.height);
      }
      drawBar(context, area, { frame, left, width: right - left });
    });
    context.globalAlpha = 1;
    drawLabels(context, area);
  }
}

/** How far up a bar reaches. Absent for frames that say nothing of the stream's latency. */
function top(frame: FrameRecord): number | undefined {
  if (!frame.shown || frame.repeated) return undefined;
  return frame.totalMs ?? frame.stages.decodeRender;
}

interface Bar {
  frame: FrameRecord;
  left: number;
  width: number;
}

function drawBar(context: CanvasRenderingContext2D, area: Area, { frame, left, width }: Bar): void {
  const yOf = (ms: number) => area.height - (Math.max(0, ms) / area.heightMs) * area.height;
  const fill = (colour: string, fromMs: number, toMs: number) => {
    if (toMs <= fromMs) return;
    const [low, high] = [yOf(fromMs), Math.max(0, yOf(toMs))];
    context.fillStyle = colour;
    context.fillRect(left, high, width, low - high);
  };
  context.globalAlpha = frame.shown && !frame.repeated ? 1 : FAINT;
  let reachedMs = 0;
  const stack = (colour: string, ms: number | undefined) => {
    if (ms === undefined) return;
    fill(colour, reachedMs, reachedMs + ms);
    reachedMs += ms;
  };
  for (const stage of STAGES) {
    // What was not split lies before the last stage, which the browser measures by itself.
    if (stage === "decodeRender") stack(UNSPLIT_LOOK.colour, frame.unsplitMs);
    stack(STAGE_LOOKS[stage].colour, frame.stages[stage]);
  }
  if (reachedMs > area.heightMs) {
    context.fillStyle = CLIPPED;
    context.fillRect(left, 0, width, 2);
  }
}

function drawGrid(context: CanvasRenderingContext2D, area: Area): void {
  context.fillStyle = GRID;
  for (let line = 0; line < GRID_LINES; line++) {
    context.fillRect(0, Math.round((line / GRID_LINES) * area.height), area.width, 1);
  }
}

function drawLabels(context: CanvasRenderingContext2D, area: Area): void {
  context.font = "11px ui-monospace, monospace";
  context.textBaseline = "top";
  context.lineWidth = 3;
  context.strokeStyle = "#0d1116";
  context.fillStyle = LABEL;
  for (let line = 0; line < GRID_LINES; line += 2) {
    const text = `${(area.heightMs * (GRID_LINES - line)) / GRID_LINES} ms`;
    const y = Math.round((line / GRID_LINES) * area.height) + 4;
    context.strokeText(text, 4, y);
    context.fillText(text, 4, y);
  }
}
