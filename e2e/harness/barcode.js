//! Reads and draws the barcode that the test pattern carries. Refuses what its checksum does not
//! confirm. The layout is described in `capture::barcode`. One function, so that it also runs in a page.

/** `luma` is {bytes, offset, stride}. Returns {timeUs, number}, or null. */
export function readBarcode({ bytes, offset, stride }) {
  const cell = 16;
  const mean = (column, row) => {
    let sum = 0;
    for (let y = row * cell + 4; y < row * cell + 12; y++) {
      const start = offset + y * stride + column * cell;
      for (let at = start + 4; at < start + 12; at++) sum += bytes[at];
    }
    return sum / 64;
  };
  const code = new DataView(new ArrayBuffer(16));
  for (let row = 0; row < 8; row++) {
    const black = mean(0, row);
    const white = mean(17, row);
    if (white - black < 48) return null;
    let bits = 0;
    for (let column = 1; column <= 16; column++) {
      bits = (bits << 1) | (mean(column, row) > (black + white) / 2 ? 1 : 0);
    }
    code.setUint16(row * 2, bits);
  }
  let crc = -1;
  for (let at = 0; at < 12; at++) {
    crc ^= code.getUint8(at);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  if (~crc >>> 0 !== code.getUint32(12)) return null;
  return { timeUs: Number(code.getBigUint64(0)), number: code.getUint32(8) };
}
