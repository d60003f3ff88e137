// Exact JSON written as YAML that readers of YAML 1.1 and of YAML 1.2 understand alike.
//
// EXACT-YAML-1. A string is read as the same string, to the code point: one that could be read as something else, or that holds a
//     character which a reader, an editor or a terminal may change, stands in double quotes, with the escapes of JSON.
// EXACT-YAML-2. A number is a number for YAML 1.1 too: one with an exponent has a point, and a sign in its exponent.
// EXACT-YAML-3. What is written depends on the value alone: no line is folded, and no table of the running system is asked.
import { ExactNumber, isJsonMap, type Json } from './exact-json.js';

/**
 * What is always escaped: controls, separators, blanks other than the space, marks of direction and width, noncharacters.
 * By number and not by property, so that another version of Unicode does not change what is written (EXACT-YAML-3).
 */
const ESCAPED =
  /[\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufdd0-\ufdef\ufeff\ufff0-\uffff]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes these, a block of lines cannot
const CONTROL = /[\0-\x1f]/;

/** Begins with a letter; no blank at either end and no two in a row; nothing that ends a key or begins a comment. */
const PLAIN = /^[A-Za-z\u{a1}-\u{10ffff}](?:[!-9;-~\u{a1}-\u{10ffff}]|:(?! |$)| (?![ #]|$))*$/u;
/** What some version or reader of YAML takes for a boolean, for nothing or for a number. */
const WORD = /^(?:y|n|yes|no|on|off|true|false|null|nan|inf|e[-+]?[\d_]+)$/i;
/** A longer key is no key without a mark. */
const MAX_PLAIN_KEY = 1000;

/** Ends with a line end. `value` as text of the file: a map or list in block style, two blanks a level. */
export function stringifyExactYaml(value: Json): string {
  return `${isBlock(value) ? block(value, '') : scalar(value)}\n`;
}

const isBlock = (value: Json): boolean =>
  (Array.isArray(value) && value.length > 0) || (isJsonMap(value) && Object.keys(value).length > 0);

/** Without the indent of its first line. */
function block(value: Json, indent: string): string {
  const inner = `${indent}  `;
  const items = Array.isArray(value)
    ? value.map((item) => `- ${isBlock(item) ? block(item, inner) : lines(item, inner)}`)
    : Object.entries(value as object).map(([key, item]) => `${keyText(key, indent)}${valueText(item, inner)}`);
  return items.join(`\n${indent}`);
}

const valueText = (value: Json, indent: string): string =>
  isBlock(value) ? `\n${indent}${block(value, indent)}` : ` ${lines(value, indent)}`;

function keyText(key: string, indent: string): string {
  const text = stringText(key);
  return text.length > MAX_PLAIN_KEY ? `? ${text}\n${indent}:` : `${text}:`;
}

/** A scalar below something else: a text of several lines as a block, if that represents it exactly. */
function lines(value: Json, indent: string): string {
  if (typeof value !== 'string' || !value.includes('\n')) return scalar(value);
  const text = value.endsWith('\n') ? value.slice(0, -1) : value;
  const all = text.split('\n');
  const isExact =
    !/^ |^$/.test(all[0] ?? '') &&
    all.at(-1) !== '' &&
    all.every((line) => !line.endsWith(' ') && !CONTROL.test(line) && line.search(ESCAPED) < 0);
  if (!isExact) return stringText(value);
  return [`|${text === value ? '-' : ''}`, ...all.map((line) => (line === '' ? '' : indent + line))].join('\n');
}

function scalar(value: Json): string {
  if (typeof value === 'string') return stringText(value);
  if (typeof value === 'number') return numberOf(Object.is(value, -0) ? '-0' : String(value));
  if (value instanceof ExactNumber) return numberOf(value.text);
  if (Array.isArray(value)) return '[]';
  return isJsonMap(value) ? '{}' : String(value);
}

/** EXACT-YAML-1. */
function stringText(text: string): string {
  if (PLAIN.test(text) && !WORD.test(text) && text.search(ESCAPED) < 0) return text;
  return JSON.stringify(text).replace(ESCAPED, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** EXACT-YAML-2. */
const numberOf = (text: string): string =>
  text.replace(
    /^(-?\d+)(\.\d+)?[eE]([-+]?)(\d+)$/,
    (_, whole: string, fraction = '.0', sign = '', digits) => `${whole}${fraction}e${sign || '+'}${digits}`,
  );
