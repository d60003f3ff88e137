// An answer of facts as a table: one line for each, inner ones by a dotted name.
import { textTable } from './output.js';
import type { Style } from './style.js';

export const factsText = (facts: object, style: Style): string =>
  textTable(['FACT', 'VALUE'], [...linesOf(facts)], style);

function* linesOf(facts: object, prefix = ''): Generator<[string, string]> {
  for (const [name, value] of Object.entries(facts)) {
    const path = `${prefix}${name}`;
    if (Array.isArray(value)) yield [path, value.length === 0 ? '-' : value.map(valueText).join(', ')];
    else if (typeof value === 'object' && value !== null) yield* linesOf(value, `${path}.`);
    else yield [path, valueText(value)];
  }
}

function valueText(value: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
