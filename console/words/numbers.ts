// Numbers as the console shows them. null is a dash, never 0.

export const NONE = '–';
/** Between groups of digits, and between a number and its unit: neither is broken over two lines. */
const THIN = '\u202f';
const SPACE = '\u00a0';

/** `10 003`. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return Math.round(value)
    .toString()
    .replace(/\B(?=(?:\d{3})+$)/g, THIN);
}

/** Per second: one digit behind the point below 100. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  return value < 99.95 ? value.toFixed(1) : count(value);
}

/** `value`: 0..1. What is not all, or not nothing, is never shown as such. */
export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const shown = Math.round(value * 1000) / 10;
  const kept = value < 1 ? Math.min(shown, 99.9) : shown;
  return `${value > 0 ? Math.max(kept, 0.1).toFixed(1) : '0.0'}${SPACE}%`;
}

/** Milliseconds, without the unit. */
export function ms(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (value < 9.95) return value.toFixed(1);
  return count(value);
}

export const withUnit = (text: string, unit: string): string => (text === NONE ? text : `${text}${SPACE}${unit}`);

/** `1 extension`, `2 extensions`. */
export const some = (value: number, one: string, more = `${one}s`): string =>
  `${count(value)}${SPACE}${value === 1 ? one : more}`;

/** Mebibytes. */
export const mebibytes = (bytes: number): string => withUnit(count(bytes / 1024 / 1024), 'MiB');
