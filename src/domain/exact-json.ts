// JSON in which no number loses a digit: PostgreSQL keeps what a double cannot, and a file must give it back.
//
// EXACT-JSON-1. A number that a double does not spell the same way stays text (ExactNumber).
// EXACT-JSON-2. A key that is given twice is an error, not a choice.
// EXACT-JSON-3. Equality is that of jsonb: numbers by value, the order of keys means nothing.

/** A number as it was written, in JSON's grammar. */
export class ExactNumber {
  constructor(readonly text: string) {}
}

export type Json = null | boolean | number | string | ExactNumber | readonly Json[] | JsonMap;
export interface JsonMap {
  readonly [key: string]: Json;
}

export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
}

export const isJsonMap = (value: Json | undefined): value is JsonMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);

/** EXACT-JSON-1. `text` in JSON's grammar. */
export function exactNumber(text: string): number | ExactNumber {
  const number = Number(text);
  return String(number) === text ? number : new ExactNumber(text);
}

/** Throws JsonSyntaxError, with line and column. Nesting beyond `maxDepth` is refused. */
export function parseExactJson(text: string, maxDepth: number): Json {
  const parser = new Parser(text, maxDepth);
  const value = parser.value(0);
  parser.end();
  return value;
}

/** Like JSON.stringify; `indent` blanks a level, 0 for a single line. */
export function stringifyExactJson(value: Json, indent = 0): string {
  return write(value, indent, '\n');
}

/** The same with doubles for its numbers, for code that only reads them. */
export function withoutExactNumbers(value: Json): unknown {
  if (value instanceof ExactNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(withoutExactNumbers);
  if (!isJsonMap(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutExactNumbers(inner)]));
}

const MAX_PLAIN_DIGITS = 1000;

/**
 * The text that all spellings of a number share, which is also how PostgreSQL writes it: 1.0 and 1e0 are `1`, 1e21 is 1 and
 * 21 zeros. `text` in JSON's grammar, of any length; what would take more than 1000 digits keeps an exponent.
 */
export function numberText(text: string): string {
  const { sign, digits, exponent } = normalized(text);
  if (digits === '') return '0';
  // So large an exponent is not counted with any more.
  if (!Number.isSafeInteger(exponent)) return text;
  if (digits.length + Math.abs(exponent) > MAX_PLAIN_DIGITS) return `${sign}${digits}e${exponent}`;
  if (exponent >= 0) return sign + digits + '0'.repeat(exponent);
  const padded = digits.padStart(1 - exponent, '0');
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}

/** EXACT-JSON-3. */
export function isSameJson(a: Json, b: Json): boolean {
  if (isNumber(a) && isNumber(b)) return a === b || decimal(a) === decimal(b);
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((value, i) => isSameJson(value, b[i] as Json));
  if (!isJsonMap(a) || !isJsonMap(b)) return a === b;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSameJson(a[key] as Json, b[key] as Json))
  );
}

const NUMERIC_DIGITS_BEFORE = 131_072;
const NUMERIC_DIGITS_AFTER = 16_383;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Why jsonb cannot hold this string or number; null if it can, and for everything else. */
export function storageProblem(value: Json): string | null {
  if (typeof value === 'string') {
    if (value.includes('\0')) return 'must not contain the character U+0000, which the database cannot hold';
    return LONE_SURROGATE.test(value) ? 'must be text, got half of a surrogate pair' : null;
  }
  if (!(value instanceof ExactNumber)) return null;
  const { digits, exponent } = split(value.text);
  const isHeld = digits.length + exponent <= NUMERIC_DIGITS_BEFORE && -exponent <= NUMERIC_DIGITS_AFTER;
  return isHeld
    ? null
    : `must have at most ${NUMERIC_DIGITS_BEFORE} digits before and ${NUMERIC_DIGITS_AFTER} after the point`;
}

const isNumber = (value: Json): value is number | ExactNumber =>
  typeof value === 'number' || value instanceof ExactNumber;

/** One spelling for every number of the same value. */
function decimal(value: number | ExactNumber): string {
  const { sign, digits, exponent } = normalized(typeof value === 'number' ? String(value) : value.text);
  return digits === '' ? '0' : `${sign}${digits}e${exponent}`;
}

/** Like split, `digits` without zeros at either end; '' for zero. Linear in the text, which may come from any caller. */
function normalized(text: string): { sign: string; digits: string; exponent: number } {
  const { sign, digits, exponent } = split(text);
  let start = 0;
  let end = digits.length;
  while (digits[start] === '0') start += 1;
  while (end > start && digits[end - 1] === '0') end -= 1;
  return { sign, digits: digits.slice(start, end), exponent: exponent + digits.length - end };
}

/** The number is `sign digits × 10^exponent`. */
function split(text: string): { sign: string; digits: string; exponent: number } {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? [];
  return { sign, digits: whole + fraction, exponent: Number(exponent) - fraction.length };
}

function write(value: Json, indent: number, newline: string): string {
  if (value instanceof ExactNumber) return value.text;
  if (Object.is(value, -0)) return '-0';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const inner = newline + ' '.repeat(indent);
  const items = Array.isArray(value)
    ? value.map((item) => write(item, indent, inner))
    : Object.entries(value).map(
        ([key, item]) => `${JSON.stringify(key)}:${indent > 0 ? ' ' : ''}${write(item, indent, inner)}`,
      );
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  if (items.length === 0 || indent === 0) return `${open}${items.join(',')}${close}`;
  return `${open}${inner}${items.join(`,${inner}`)}${newline}${close}`;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const BLANK = /[ \t\n\r]*/y;
const WORDS: readonly (readonly [string, Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];

class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {
    this.blank();
  }

  value(depth: number): Json {
    const char = this.text[this.at];
    if (char === '{' || char === '[') {
      if (depth >= this.maxDepth) this.fail(`nested deeper than ${this.maxDepth} levels`);
      return char === '{' ? this.map(depth) : this.list(depth);
    }
    if (char === '"') return this.string();
    for (const [word, value] of WORDS)
      if (this.text.startsWith(word, this.at)) {
        this.take(word);
        return value;
      }
    NUMBER.lastIndex = this.at;
    const number = NUMBER.exec(this.text)?.[0];
    if (number === undefined) return this.fail(char === undefined ? 'unexpected end' : `unexpected ${quoted(char)}`);
    this.take(number);
    return exactNumber(number);
  }

  end(): void {
    if (this.at < this.text.length) this.fail(`unexpected ${quoted(this.text[this.at] ?? '')} after the end`);
  }

  private map(depth: number): Json {
    const entries = new Map<string, Json>();
    this.take('{');
    if (this.text[this.at] !== '}')
      for (;;) {
        if (this.text[this.at] !== '"') this.fail('expected a key in double quotes');
        const start = this.at;
        const key = this.string();
        if (entries.has(key)) this.fail(`the key ${JSON.stringify(key)} is given twice`, start);
        this.expect(':');
        entries.set(key, this.value(depth + 1));
        if (this.text[this.at] !== ',') break;
        this.take(',');
      }
    this.expect('}');
    return Object.fromEntries(entries);
  }

  private list(depth: number): Json {
    const items: Json[] = [];
    this.take('[');
    if (this.text[this.at] !== ']')
      for (;;) {
        items.push(this.value(depth + 1));
        if (this.text[this.at] !== ',') break;
        this.take(',');
      }
    this.expect(']');
    return items;
  }

  private string(): string {
    let end = this.at + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    const raw = this.text.slice(this.at, end + 1);
    let value: string;
    try {
      value = JSON.parse(raw) as string;
    } catch {
      return this.fail('malformed text');
    }
    this.take(raw);
    return value;
  }

  private expect(char: string): void {
    const got = this.text[this.at];
    if (got !== char) this.fail(`expected '${char}', got ${got === undefined ? 'the end' : quoted(got)}`);
    this.take(char);
  }

  private take(token: string): void {
    this.at += token.length;
    this.blank();
  }

  private blank(): void {
    BLANK.lastIndex = this.at;
    this.at += BLANK.exec(this.text)?.[0].length ?? 0;
  }

  private fail(what: string, at = this.at): never {
    const before = this.text.slice(0, at).split('\n');
    throw new JsonSyntaxError(`${what} at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`);
  }
}

const quoted = (char: string): string => (char === "'" ? '"\'"' : `'${JSON.stringify(char).slice(1, -1)}'`);

/** A text as it is, all else as JSON with every digit; `-` without a value. */
export const fieldText = (value: Json | undefined): string =>
  value === undefined ? '-' : typeof value === 'string' ? value : stringifyExactJson(value);
