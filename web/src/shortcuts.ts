//! The page's own keys. While the keyboard goes to the host they need three modifiers more; which
//! key means what is the same in both cases.

/** What a key of the page can do. */
export type PageCommand =
  | "statistics"
  | "actual"
  | "fullscreen"
  | "help"
  | "pause"
  | "people"
  | "settings"
  | "share"
  | "moonlight"
  | "mouseLock"
  | "sound"
  | "paste"
  | "control"
  | "keyboard"
  | "grant"
  | "refuse";

/** One line of the help: the key as it is written, and what it does. */
export interface Shortcut {
  command: PageCommand;
  /** W3C codes, so that they stay where they are on every layout. The first is shown. */
  codes: readonly string[];
  keys: readonly string[];
  text: string;
}

export const SHORTCUTS: readonly Shortcut[] = [
  shortcut("fullscreen", ["F"], "Full screen"),
  shortcut("control", ["C"], "Take, ask for or release control"),
  shortcut("keyboard", ["K"], "Keys and pointer to the page, or back to the host"),
  shortcut("mouseLock", ["B"], "Lock the mouse, for games"),
  shortcut("paste", ["V"], "Paste as text"),
  shortcut("sound", ["M"], "Sound on or off"),
  shortcut("pause", ["P"], "Pause or resume the stream"),
  shortcut("people", ["U"], "Who watches, who drives"),
  shortcut("settings", ["O"], "Settings of the stream"),
  shortcut("share", ["L"], "Share by link"),
  shortcut("moonlight", ["G"], "Moonlight clients, and the PIN of one that waits"),
  shortcut("statistics", ["S", "I"], "Statistics: latency of each frame"),
  shortcut("actual", ["Z"], "Actual pixels, or fit the window"),
  { command: "help", codes: ["KeyH", "Slash"], keys: ["H", "?"], text: "This help" },
];

/** Keys that mean something only while somebody asks for control. */
const ANSWERS: readonly Shortcut[] = [
  shortcut("grant", ["Y"], "Hand over control"),
  shortcut("refuse", ["N"], "Keep control"),
];

/** What is held along with the key while the keyboard goes to the host. */
export const HOST_KEYS = "Ctrl + Alt + Shift";

/** What is read of a key event. */
export interface KeyLike {
  code: string;
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  metaKey: boolean;
  /** Windows tells AltGr as Control and Alt, which then mean a character. */
  altGraph?: boolean;
}

/** The page's command that `event` is, if any. */
export function pageCommand(event: KeyLike, goesToHost: boolean): PageCommand | undefined {
  const { ctrlKey, altKey, shiftKey, metaKey } = event;
  const all = [...SHORTCUTS, ...ANSWERS];
  if (ctrlKey && altKey && shiftKey && !metaKey && !event.altGraph) {
    return all.find(({ codes }) => codes.includes(event.code))?.command;
  }
  if (goesToHost || ctrlKey || altKey || metaKey) return undefined;
  // Alone, a key is what it is labelled with; a layout without Latin letters has their places.
  const label = event.key.toUpperCase();
  const byLabel = all.find(({ keys }) => keys.includes(label));
  if (byLabel || /^[\u0020-\u007f]$/.test(event.key)) return byLabel?.command;
  return all.find(({ codes }) => codes.includes(event.code))?.command;
}

function shortcut(command: PageCommand, letters: string[], text: string): Shortcut {
  return { command, codes: letters.map((letter) => `Key${letter}`), keys: letters, text };
}
