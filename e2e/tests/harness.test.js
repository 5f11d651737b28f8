//! What the other tests measure with is right: the barcode's reader, PSNR, colour.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readBarcode } from "../harness/barcode.js";
import { compare, fromBgrx, fromFrame, psnr } from "../harness/picture.js";

const STRIDE = 300;

function drawn(timeUs, number) {
  const code = new DataView(new ArrayBuffer(16));
  code.setBigUint64(0, BigInt(timeUs));
  code.setUint32(8, number);
  let crc = -1;
  for (let at = 0; at < 12; at++) {
    crc ^= code.getUint8(at);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  code.setUint32(12, ~crc >>> 0);
  const bytes = new Uint8Array(STRIDE * 128).fill(90);
  const fill = (row, column, level) => {
    for (let y = row * 16; y < row * 16 + 16; y++) {
      bytes.fill(level, y * STRIDE + column * 16, y * STRIDE + column * 16 + 16);
    }
  };
  for (let row = 0; row < 8; row++) {
    fill(row, 0, 16);
    fill(row, 17, 235);
    for (let bit = 0; bit < 16; bit++) {
      fill(row, 1 + bit, (code.getUint16(row * 2) >> (15 - bit)) & 1 ? 235 : 16);
    }
  }
  return { bytes, offset: 0, stride: STRIDE };
}

test("a barcode is read as it was drawn, and a damaged one is refused", () => {
  const luma = drawn(1_763_700_000_123_456, 4_000_000_001);
  assert.deepEqual(readBarcode(luma), { timeUs: 1_763_700_000_123_456, number: 4_000_000_001 });
  for (let y = 16; y < 32; y++) {
    const cell = y * STRIDE + 32;
    luma.bytes.fill(251 - luma.bytes[cell], cell, cell + 16);
  }
  assert.equal(readBarcode(luma), null);
});

test("PSNR is that of the textbook", () => {
  const flat = (value) => new Uint8Array(64).fill(value);
  assert.equal(psnr(flat(7), flat(7)), Infinity);
  assert.ok(Math.abs(psnr(flat(100), flat(110)) - 28.13) < 0.01);
});

test("colours become what BT.709, limited range, says", () => {
  const pixel = ([r, g, b]) => [b, g, r, 0];
  const picture = (rgb) => fromBgrx(Uint8Array.from([rgb, rgb, rgb, rgb].flatMap(pixel)), 2, 2);
  const yuv = ({ y, u, v }) => [y[0], u[0], v[0]];
  assert.deepEqual(yuv(picture([255, 255, 255])), [235, 128, 128]);
  assert.deepEqual(yuv(picture([255, 0, 0])), [63, 102, 240]);
  assert.deepEqual(yuv(picture([0, 0, 255])), [32, 240, 118]);
});

test("a picture is the same from either layout", () => {
  const about = { width: 2, height: 2 };
  const i420 = { ...about, format: "I420", layout: [[0, 4], [8, 2], [10, 2]].map(layout) };
  const nv12 = { ...about, format: "NV12", layout: [[0, 2], [4, 2]].map(layout) };
  const one = fromFrame(i420, Uint8Array.from([1, 2, 0, 0, 3, 4, 0, 0, 5, 0, 6, 0]));
  const other = fromFrame(nv12, Uint8Array.from([1, 2, 3, 4, 5, 6]));
  assert.deepEqual(compare(one, other), { y: Infinity, u: Infinity, v: Infinity });
});

function layout([offset, stride]) {
  return { offset, stride };
}
