// Colour for a terminal that wants it, and numbers in columns for everyone.

/** NO_COLOR and TERM=dumb are obeyed; what is piped stays plain. */
export function palette(stream, env) {
  const isColoured = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  const paint = (code) => (text) => (isColoured ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { bold: paint(1), dim: paint(2), red: paint(31), green: paint(32), yellow: paint(33) };
}

/** Cells as wide as `widths` say, to the right, one blank between; a cell that is too wide moves the others. */
export function columns(cells, widths) {
  return cells.map((cell, i) => String(cell).padStart(widths[i])).join(' ');
}

/** `1.2`, `450`, `-` for nothing: three digits say enough. */
export function number(value) {
  if (value === null) return '-';
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

export const percent = (share) => (share === null ? '-' : `${(share * 100).toFixed(share < 1 ? 1 : 0)} %`);
