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

const SVG = "http://www.w3.org/2000/svg";

const ICON_PATHS = {
  fullscreen: "M4 9V5.5A1.5 1.5 0 0 1 5.5 4H9M15 4h3.5A1.5 1.5 0 0 1 20 5.5V9M20 15v3.5a1.5 1.5 0 0 1-1.5 1.5H15M9 20H5.5A1.5 1.5 0 0 1 4 18.5V15",
  statistics: "M4 20h16M6.5 16v-4M10.2 16V8M13.8 16v-6M17.5 16V5",
  actual: "M4.5 6h15A1.5 1.5 0 0 1 21 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 16.5v-9A1.5 1.5 0 0 1 4.5 6zM7.2 10.2 8.8 9v6M15.2 10.2 16.8 9v6M12 10.6v.01M12 13.4v.01",
  help: "M9.3 9.2a2.8 2.8 0 1 1 4 2.6c-.8.4-1.3 1-1.3 1.9v.4M12 17.2v.01M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  close: "M6 6l12 12M18 6 6 18",
  trouble: "M12 8.5v4.2M12 16.2v.01M10.6 4.3 2.9 17.6A1.6 1.6 0 0 0 4.3 20h15.4a1.6 1.6 0 0 0 1.4-2.4L13.4 4.3a1.6 1.6 0 0 0-2.8 0z",
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
