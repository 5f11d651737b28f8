//! The panel with the stream's settings. Each is applied when it is changed; what the host says
//! against it stands at its field.

import { readBoolean, readList, readNumber, readText } from "../protocol";
import { Panel } from "./dialog";
import { element, setText } from "./dom";
import { Field, select } from "./field";

type Request = (method: string, params?: Record<string, unknown>) => Promise<unknown>;

const SIZES = ["source", "1920x1080", "1600x900", "1280x720", "960x540", "640x360"];
const RATES = ["15", "24", "30", "60", "90", "120", "144"];
const RATE_NAMES = (fps: string) => `${fps} fps`;
const QUALITIES: Record<string, string> = {
  latency: "Least delay",
  quality: "Better picture",
};
const CURSORS: Record<string, string> = {
  auto: "As the host decides",
  local: "Drawn here, without delay",
  picture: "In the picture",
};
const MBPS = 1e6;

/** Something that can be selected. */
interface Choice {
  name: string;
  detail: string | undefined;
  available: boolean;
  selected: boolean;
}

/** The panel. */
export class Settings extends Panel {
  /** Called with the cursor mode in use. */
  onCursorMode: (mode: string) => void = () => undefined;
  readonly #bitrate: Field;
  readonly #rate: Field;
  readonly #size: Field;
  readonly #quality: Field;
  readonly #cursor: Field;
  readonly #source: Field;
  readonly #encoder: Field;
  readonly #why = element("p", { className: "dim" });

  constructor(private readonly request: Request) {
    super("Stream");
    const number = element("input", { type: "number", min: "0.5", max: "1000", step: "any" });
    const change = (key: string, value: unknown) => this.#change({ [key]: value });
    this.#bitrate = new Field("Highest bitrate, Mb/s", number, (value) =>
      change("bitrateBps", Math.round(Number(value.replace(",", ".")) * MBPS)),
    );
    this.#rate = new Field("Frame rate", select(RATES.map((fps) => [fps, RATE_NAMES(fps)])), (value) =>
      change("fps", Number(value)),
    );
    this.#size = new Field("Size", select(SIZES.map((size) => [size, sizeText(size)])), (value) =>
      change("size", value),
    );
    this.#quality = new Field("Encoder favours", select(Object.entries(QUALITIES)), (value) =>
      change("quality", value),
    );
    this.#cursor = new Field("Pointer", select(Object.entries(CURSORS)), (value) =>
      change("cursor", value),
    );
    this.#source = new Field("Source", select([]), async (source) => {
      await this.request("selectSource", { source });
      await this.#readChoices();
    });
    this.#encoder = new Field("Encoder", select([]), async (encoder) => {
      await this.request("selectEncoder", { encoder });
      await this.#readChoices();
    });
    const fields = [this.#bitrate, this.#rate, this.#size, this.#quality, this.#cursor];
    const all = [...fields, this.#source, this.#encoder];
    this.body.append(this.#why, ...all.map(({ root }) => root));
  }

  /** Says who may change what: `why` nothing, if not. */
  permit({ parameters, devices, why }: { parameters: boolean; devices: boolean; why: string }): void {
    setText(this.#why, parameters ? "Changes apply at once, for everybody who watches." : why);
    for (const field of [this.#bitrate, this.#rate, this.#size, this.#quality, this.#cursor]) {
      field.control.disabled = !parameters;
    }
    for (const field of [this.#source, this.#encoder]) field.control.disabled = !devices;
  }

  /** Asks the host how things stand. */
  async refresh(): Promise<void> {
    await Promise.all([this.#readParameters(), this.isOpen ? this.#readChoices() : undefined]);
  }

  async #change(change: Record<string, unknown>): Promise<void> {
    const parameters = await this.request("setStreamParameters", change);
    // The answer has them all; a host that answers nothing is asked.
    if (readNumber(parameters, "bitrateBps") === undefined) await this.#readParameters();
    else this.#show(parameters);
  }

  async #readParameters(): Promise<void> {
    const parameters = await this.request("getStreamParameters").catch(() => undefined);
    if (parameters !== undefined) this.#show(parameters);
  }

  #show(parameters: unknown): void {
    const bitrate = readNumber(parameters, "bitrateBps");
    const fps = readNumber(parameters, "fps");
    if (bitrate !== undefined) this.#bitrate.show(String(Math.round(bitrate / 1e4) / 100));
    if (fps !== undefined) this.#showIn(this.#rate, String(fps), RATE_NAMES);
    this.#showIn(this.#size, readText(parameters, "size"), sizeText);
    this.#showIn(this.#quality, readText(parameters, "quality"), (name) => name);
    const cursor = readText(parameters, "cursor");
    this.#showIn(this.#cursor, cursor, (name) => name);
    if (cursor !== undefined) this.onCursorMode(cursor);
  }

  /** A value that is none of the offered ones is offered from now on. */
  #showIn(field: Field, value: string | undefined, describe: (value: string) => string): void {
    if (value === undefined) return;
    const known = [...(field.control as HTMLSelectElement).options].some(
      (option) => option.value === value,
    );
    if (!known) field.control.append(element("option", { value }, describe(value)));
    field.show(value);
  }

  async #readChoices(): Promise<void> {
    const [sources, encoders] = await Promise.all([
      this.request("listSources").catch(() => undefined),
      this.request("listEncoders").catch(() => undefined),
    ]);
    fill(this.#source, readChoices(sources, "sources"));
    fill(this.#encoder, readChoices(encoders, "encoders"));
  }
}

function sizeText(size: string): string {
  return size === "source" ? "As the source" : size.replace("x", "×");
}

function readChoices(answer: unknown, key: string): Choice[] {
  return readList(answer, key).flatMap((entry): Choice[] => {
    const name = readText(entry, "name");
    if (name === undefined) return [];
    return [
      {
        name,
        detail: readText(entry, "detail"),
        available: readBoolean(entry, "available") ?? true,
        selected: readBoolean(entry, "selected") ?? false,
      },
    ];
  });
}

function fill({ root, control }: Field, choices: readonly Choice[]): void {
  root.hidden = choices.length === 0;
  const options = choices.map(({ name, detail, available, selected }) =>
    element(
      "option",
      { value: name, disabled: !available && !selected },
      detail ? `${name}: ${detail}` : name,
    ),
  );
  control.replaceChildren(...options);
  const selected = choices.find((choice) => choice.selected);
  if (selected) control.value = selected.name;
}
