// What a JSON body says of its caller: `tenant_id`, `policy_id` and `environment` at its top or in `metadata`, all else in
// `metadata`. That is the predecessor's envelope, so a caller with it needs no header.
//
// CONTEXT-BODY-1. Values are read as they are written: a number keeps every digit, and no name has a special meaning (`__proto__`).
// CONTEXT-BODY-2. A body that is not JSON, or not UTF-8, names nothing. One that gives a needed member twice is refused.
// CONTEXT-BODY-3. Time is linear in the body, whatever is in it; nothing recurses.
import { numberText } from '../../domain/exact-json.js';

const TOP_MEMBERS: ReadonlySet<string> = new Set(['tenant_id', 'policy_id', 'environment']);
const METADATA = 'metadata';

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const NINE = 57;
const BACKSLASH = 92;
const OPEN_LIST = 91;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

const isBlank = (code: number | undefined): boolean => code === 32 || code === 10 || code === 13 || code === 9;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** CONTEXT-BODY-2. The member that would have decided. */
interface GivenTwice {
  readonly twice: string;
}

/** One body, read once however often it is asked. */
export class BodyContext {
  readonly #body: Uint8Array;
  /** null: not JSON. */
  #top: Members | null | undefined;
  #metadata: Members | null = null;

  #isObject: boolean | null = null;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  /** Whether it begins like a JSON object, blanks before it allowed. */
  get isObject(): boolean {
    if (this.#isObject === null) {
      let at = 0;
      while (isBlank(this.#body[at])) at += 1;
      this.#isObject = this.#body[at] === OPEN_OBJECT;
    }
    return this.#isObject;
  }

  /** What the body gives to a key: a text that is not blank, a number, true or false; null if it gives none. */
  get(key: string): string | null | GivenTwice {
    const top = this.#members();
    if (top === null) return null;
    if (TOP_MEMBERS.has(key)) {
      if (top.twice.has(key)) return { twice: key };
      const value = scalarText(top.get(key));
      if (value !== null) return value;
    }
    if (top.twice.has(METADATA)) return { twice: METADATA };
    if (!top.get(METADATA).startsWith('{')) return null;
    this.#metadata ??= new Members(top.get(METADATA), 0, () => true);
    if (this.#metadata.twice.has(key)) return { twice: `${METADATA}.${key}` };
    return scalarText(this.#metadata.get(key));
  }

  #members(): Members | null {
    if (this.#top === undefined) {
      const text = jsonText(this.#body);
      this.#top =
        text === null
          ? null
          : new Members(text, text.indexOf('{'), (name) => name === METADATA || TOP_MEMBERS.has(name));
    }
    return this.#top;
  }
}

/** The body as text; null if it is not JSON. */
function jsonText(body: Uint8Array): string | null {
  try {
    const text = utf8.decode(body);
    // Only whether it is JSON: its value would have lost digits, and members that are given twice.
    JSON.parse(text);
    return text;
  } catch {
    return null;
  }
}

/** `raw`: a JSON value as written; '' without one. null if it is no value for a context. */
function scalarText(raw: string): string | null {
  const code = raw.charCodeAt(0);
  if (code === QUOTE) {
    const text = unquoted(raw);
    return text.trim() === '' ? null : text;
  }
  if (code >= MINUS && code <= NINE) return numberText(raw);
  return raw === 'true' || raw === 'false' ? raw : null;
}

const unquoted = (raw: string): string => (raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1));

/** The wanted members of one object in a text that is known to be JSON, as written. */
class Members {
  readonly twice = new Set<string>();
  readonly #raw = new Map<string, string>();

  /** `open`: index of the object's `{`. */
  constructor(
    private readonly text: string,
    open: number,
    isWanted: (name: string) => boolean,
  ) {
    let at = this.#afterBlanks(open + 1);
    while (text.charCodeAt(at) === QUOTE) {
      const nameEnd = this.#stringEnd(at);
      const name = unquoted(text.slice(at, nameEnd));
      const start = this.#afterBlanks(this.#afterBlanks(nameEnd) + 1);
      const end = this.#valueEnd(start);
      if (isWanted(name)) {
        if (this.#raw.has(name)) this.twice.add(name);
        this.#raw.set(name, text.slice(start, end));
      }
      at = this.#afterBlanks(end);
      if (text.charCodeAt(at) === COMMA) at = this.#afterBlanks(at + 1);
    }
  }

  /** '' without such a member. */
  get(name: string): string {
    return this.#raw.get(name) ?? '';
  }

  #afterBlanks(start: number): number {
    let at = start;
    while (isBlank(this.text.charCodeAt(at))) at += 1;
    return at;
  }

  /** Index after the quote that ends the text which begins at `start`. */
  #stringEnd(start: number): number {
    for (let at = start + 1; ; at += 1) {
      at = this.text.indexOf('"', at);
      let backslashes = 0;
      while (this.text.charCodeAt(at - 1 - backslashes) === BACKSLASH) backslashes += 1;
      if (backslashes % 2 === 0) return at + 1;
    }
  }

  #valueEnd(start: number): number {
    const { text } = this;
    const first = text.charCodeAt(start);
    if (first === QUOTE) return this.#stringEnd(start);
    let at = start;
    if (first !== OPEN_OBJECT && first !== OPEN_LIST) {
      for (let code = first; !isBlank(code) && code !== COMMA && code !== CLOSE_OBJECT; code = text.charCodeAt(at))
        at += 1;
      return at;
    }
    let depth = 0;
    do {
      const code = text.charCodeAt(at);
      if (code === QUOTE) {
        at = this.#stringEnd(at);
        continue;
      }
      if (code === OPEN_OBJECT || code === OPEN_LIST) depth += 1;
      else if (code === CLOSE_OBJECT || code === CLOSE_LIST) depth -= 1;
      at += 1;
    } while (depth > 0);
    return at;
  }
}
