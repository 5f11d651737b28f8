//! Reads the barcodes of the test pattern from a plane of luma: the one of the drawing, and the one
//! of the presses beside it. Refuses what the checksum does not confirm. The layout is described in
//! `capture::barcode`.

const BARCODE_COLUMNS = 18;
const BARCODE_ROWS = 8;
/** Pixels of a cell in a picture that was not scaled. */
const BARCODE_CELL = 16;
const BARCODE_MIN_CONTRAST = 48;

/**
 * `plane` is {bytes, offset, stride}: luma in rows. `cellX`, `cellY` are the pixels of a cell, and
 * the code begins at `firstColumn`. Answers {timeUs, number}, or null.
 */
function readBarcode(plane, cellX, cellY, firstColumn = 0) {
  const { bytes, offset, stride } = plane;
  const mean = (column, row) => {
    const left = Math.floor((firstColumn + column + 0.25) * cellX);
    const right = Math.max(left + 1, Math.ceil((firstColumn + column + 0.75) * cellX));
    const top = Math.floor((row + 0.25) * cellY);
    const bottom = Math.max(top + 1, Math.ceil((row + 0.75) * cellY));
    let sum = 0;
    for (let y = top; y < bottom; y++) {
      const start = offset + y * stride;
      for (let at = start + left; at < start + right; at++) sum += bytes[at];
    }
    return sum / ((right - left) * (bottom - top));
  };
  const code = new DataView(new ArrayBuffer(2 * BARCODE_ROWS));
  for (let row = 0; row < BARCODE_ROWS; row++) {
    const black = mean(0, row);
    const white = mean(BARCODE_COLUMNS - 1, row);
    if (white - black < BARCODE_MIN_CONTRAST) return null;
    let bits = 0;
    for (let column = 1; column < BARCODE_COLUMNS - 1; column++) {
      bits = (bits << 1) | (mean(column, row) > (black + white) / 2 ? 1 : 0);
    }
    code.setUint16(2 * row, bits);
  }
  if (barcodeChecksum(code, 12) !== code.getUint32(12)) return null;
  return { timeUs: Number(code.getBigUint64(0)), number: code.getUint32(8) };
}

/** CRC-32 as in zip and PNG. */
function barcodeChecksum(view, length) {
  let crc = -1;
  for (let at = 0; at < length; at++) {
    crc ^= view.getUint8(at);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
