//! Makes elements. Properties only, never style attributes: the content security policy forbids
//! those.

/** An element with properties, data attributes and children. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** Sets text only where it changes, so that nothing is laid out or announced in vain. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

/** What is pressed in `root` does its work and leaves the focus, and so the keyboard, where it is. */
export function keepFocus(root: HTMLElement): void {
  root.addEventListener("mousedown", (event) => event.preventDefault());
}

const SVG = "http://www.w3.org/2000/svg";

const ICON_PATHS = {
  fullscreen: "M4 9V5.5A1.5 1.5 0 0 1 5.5 4H9M15 4h3.5A1.5 1.5 0 0 1 20 5.5V9M20 15v3.5a1.5 1.5 0 0 1-1.5 1.5H15M9 20H5.5A1.5 1.5 0 0 1 4 18.5V15",
  statistics: "M4 20h16M6.5 16v-4M10.2 16V8M13.8 16v-6M17.5 16V5",
  actual: "M4.5 6h15A1.5 1.5 0 0 1 21 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.5 6zM7.2 10.2 8.8 9v6M15.2 10.2 16.8 9v6M12 10.6v.01M12 13.4v.01",
  help: "M9.3 9.2a2.8 2.8 0 1 1 4 2.6c-.8.4-1.3 1-1.3 1.9v.4M12 17.2v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  close: "M6 6l12 12M18 6 6 18",
  trouble: "M12 8.5v4.2M12 16.2v.01M10.6 4.3 2.9 17.6A1.6 1.6 0 0 0 4.3 20h15.4a1.6 1.6 0 0 0 1.4-2.4L13.4 4.3a1.6 1.6 0 0 0-2.8 0z",
  people: "M9 11.5a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4zM3.5 19c.3-3 2.4-4.8 5.5-4.8s5.2 1.8 5.5 4.8M15.5 5.4a3.2 3.2 0 0 1 0 5.9M17 14.5c2.1.5 3.4 2.1 3.6 4.5",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  play: "M8 5.2v13.6L18.5 12z",
  mouse: "M12 3.5A5.5 5.5 0 0 1 17.5 9v6a5.5 5.5 0 0 1-11 0V9A5.5 5.5 0 0 1 12 3.5zM12 7v3.5",
  paste: "M9 5H7a1.5 1.5 0 0 0-1.5 1.5v12A1.5 1.5 0 0 0 7 20h10a1.5 1.5 0 0 0 1.5-1.5v-12A1.5 1.5 0 0 0 17 5h-2M9 3.8h6v2.9H9zM9 11.5h6M9 15h4",
  keyboard: "M4.5 6.5h15A1.5 1.5 0 0 1 21 8v8a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 16V8a1.5 1.5 0 0 1 1.5-1.5zM7 10.2v.01M10.3 10.2v.01M13.7 10.2v.01M17 10.2v.01M8.5 14h7",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  gamepad: "M7.5 8h9a4.5 4.5 0 0 1 4.4 3.6l.7 3.4a2.4 2.4 0 0 1-4.2 2L15.6 15H8.4l-1.8 2a2.4 2.4 0 0 1-4.2-2l.7-3.4A4.5 4.5 0 0 1 7.5 8zM8.2 10.2v3M6.7 11.7h3M15 11.7v.01M17.3 11.7v.01",
  settings: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h11M19 17h1M15 9a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM9 14a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  sound: "M4 9.6v4.8h3.2l4.8 4V5.6l-4.8 4zM15.3 9a4.3 4.3 0 0 1 0 6M17.9 6.4a8 8 0 0 1 0 11.2",
  muted: "M4 9.6v4.8h3.2l4.8 4V5.6l-4.8 4zM15.6 9.4l5.2 5.2M20.8 9.4l-5.2 5.2",
  stopped: "M12 7.5v5M12 16v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
} as const;
/** The names of the drawn icons. */
export type IconName = keyof typeof ICON_PATHS;

/** A line icon in the colour of its text, without a meaning of its own for screen readers. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICON_PATHS[name]);
  svg.append(path);
  return svg;
}
