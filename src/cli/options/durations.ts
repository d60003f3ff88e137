// Durations on the command line: `30s`, `2h`, `500ms`; a number alone is seconds.
import { wrongUsage } from '../process/command-error.js';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_MS = 366 * 86_400_000;

/** ms. `option`: whose value it is; `expected`: what it takes. */
export function durationOf(option: string, given: string, expected = 'a duration such as 30s, 5m or 2h'): number {
  const [, number = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(given) ?? [];
  const ms = Number(number) * (UNITS[unit] ?? 0);
  if (number === '' || ms > MAX_MS) throw wrongUsage(`${option}: expected ${expected}, got '${given}'`);
  return ms;
}
