//! Pictures as planes of luma and colour difference, and how far two are apart.

/** A picture in I420: {width, height, y, u, v}. */

/** The picture that BT.709, limited range, makes of rows of blue, green, red, padding. */
export function fromBgrx(bytes, width, height) {
  const y = new Uint8Array(width * height);
  const u = new Uint8Array((width / 2) * (height / 2));
  const v = new Uint8Array(u.length);
  for (let at = 0; at < y.length; at++) {
    const [b, g, r] = [bytes[at * 4], bytes[at * 4 + 1], bytes[at * 4 + 2]];
    y[at] = Math.round(16 + (219 / 255) * (0.2126 * r + 0.7152 * g + 0.0722 * b));
  }
  for (let row = 0, at = 0; row < height; row += 2) {
    for (let column = 0; column < width; column += 2, at++) {
      const [b, g, r] = [0, 1, 2].map((channel) => {
        const first = (row * width + column) * 4 + channel;
        const below = first + width * 4;
        return (bytes[first] + bytes[first + 4] + bytes[below] + bytes[below + 4]) / 4;
      });
      const luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
      u[at] = Math.round(128 + (112 / 255) * ((b - luma) / (1 - 0.0722)));
      v[at] = Math.round(128 + (112 / 255) * ((r - luma) / (1 - 0.2126)));
    }
  }
  return { width, height, y, u, v };
}

/** The picture in bytes that a page took of a decoded frame, as {format, width, height, layout}. */
export function fromFrame({ format, width, height, layout }, bytes) {
  const plane = (index, columns, rows, step = 1, first = 0) => {
    const { offset, stride } = layout[index];
    const values = new Uint8Array(columns * rows);
    for (let row = 0, at = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, at++) {
        values[at] = bytes[offset + row * stride + column * step + first];
      }
    }
    return values;
  };
  const y = plane(0, width, height);
  const [columns, rows] = [width / 2, height / 2];
  if (format === "I420") {
    return { width, height, y, u: plane(1, columns, rows), v: plane(2, columns, rows) };
  }
  if (format === "NV12") {
    return { width, height, y, u: plane(1, columns, rows, 2), v: plane(1, columns, rows, 2, 1) };
  }
  throw new Error(`pictures of format ${format} are not read here`);
}

/** Peak signal to noise of two planes in decibels; infinite when they are the same. */
export function psnr(a, b) {
  if (a.length !== b.length) throw new Error(`planes of ${a.length} and ${b.length} pixels`);
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += (a[at] - b[at]) ** 2;
  return 10 * Math.log10(255 ** 2 / (sum / a.length));
}

/** PSNR of each plane. */
export function compare(one, other) {
  if (one.width !== other.width || one.height !== other.height) {
    const size = ({ width, height }) => `${width}x${height}`;
    throw new Error(`pictures of ${size(one)} and ${size(other)}`);
  }
  return { y: psnr(one.y, other.y), u: psnr(one.u, other.u), v: psnr(one.v, other.v) };
}
