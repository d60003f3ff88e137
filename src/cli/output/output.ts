// What commands print: tables for operators, JSON for programs.

/** Columns as wide as their widest cell, two blanks between; the last is not padded. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows].map((cells) => cells.map(singleLine));
  const widths = header.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  return lines
    .map(
      (cells) =>
        `${cells
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

export const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** Bytes that a terminal would interpret, or that would break a row, are shown escaped. */
export const singleLine = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach the terminal
  text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) =>
    JSON.stringify(char).slice(1, -1).replace('\u007f', '\\u007f'),
  );

/** `3 rows`, `1 row`. */
export const countText = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
