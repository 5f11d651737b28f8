//! Where the picture is on the page, and where in the picture a point of the page is. Pure: boxes
//! and points in, numbers out.

import type { PicturePoint } from "./wire";

/** A box on the page, in CSS pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** A width and a height in pixels. */
export interface Extent {
  width: number;
  height: number;
}

const FULL = 65535;
/** A click this far beside the picture means its edge: corners are hit in a hurry. */
export const SLACK_PX = 32;
/** This near to the edge of the window a larger picture moves. */
const PAN_ZONE_PX = 28;
const FASTEST_PAN_PX = 18;

/** The part of `box` that a picture of that size fills when it is fitted in with bars around it. */
export function pictureBox(box: Box, picture: Extent): Box | undefined {
  if (!(picture.width > 0 && picture.height > 0 && box.width > 0 && box.height > 0)) {
    return undefined;
  }
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const width = picture.width * scale;
  const height = picture.height * scale;
  return {
    left: box.left + (box.width - width) / 2,
    top: box.top + (box.height - height) / 2,
    width,
    height,
  };
}

/** Where in the picture a point of the page is; beside it, the nearest point of its edge. */
export function toPicture(box: Box, pageX: number, pageY: number): PicturePoint {
  return {
    x: along(pageX - box.left, box.width),
    y: along(pageY - box.top, box.height),
  };
}

/** Whether a click there is meant for the picture. */
export function isOnPicture(box: Box, pageX: number, pageY: number): boolean {
  const [x, y] = [pageX - box.left, pageY - box.top];
  return (
    x >= -SLACK_PX && y >= -SLACK_PX && x <= box.width + SLACK_PX && y <= box.height + SLACK_PX
  );
}

/** Where on the page a point of the picture is. */
export function toPage(box: Box, point: PicturePoint): { x: number; y: number } {
  return {
    x: box.left + (point.x / FULL) * box.width,
    y: box.top + (point.y / FULL) * box.height,
  };
}

/** How far a picture larger than its window moves in one step, while the pointer is near an edge. */
export function panStep(view: Box, pageX: number, pageY: number): { dx: number; dy: number } {
  return {
    dx: pan(pageX - view.left, view.width),
    dy: pan(pageY - view.top, view.height),
  };
}

function along(offset: number, length: number): number {
  return Math.round(Math.max(0, Math.min(1, offset / length)) * FULL);
}

function pan(offset: number, length: number): number {
  const speed = (depth: number) =>
    Math.round(Math.min(1, Math.max(0, depth / PAN_ZONE_PX)) * FASTEST_PAN_PX);
  if (offset < PAN_ZONE_PX) return -speed(PAN_ZONE_PX - offset) + 0;
  if (offset > length - PAN_ZONE_PX) return speed(offset - (length - PAN_ZONE_PX));
  return 0;
}
