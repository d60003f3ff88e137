// A header block as it came over the wire, or as it is made for a call of this process. Its bytes are read where they are: a loop over bytes costs
// a fifth of one over the characters of a text. As text it has one character per byte (latin1), so that every value survives byte for byte.

export class HeaderBlock {
  static readonly NONE = new HeaderBlock(Buffer.alloc(0), 0, 0);
  #text: string | null = null;

  /** From `start` to `end` of these bytes; none of them: a message without headers. */
  constructor(
    readonly bytes: Buffer,
    readonly start: number,
    readonly end: number,
  ) {}

  /** `text`: one character per byte. */
  static of(text: string): HeaderBlock {
    return text === '' ? HeaderBlock.NONE : new HeaderBlock(Buffer.from(text, 'latin1'), 0, text.length);
  }

  get length(): number {
    return this.end - this.start;
  }

  get text(): string {
    this.#text ??= this.slice(this.start, this.end);
    return this.#text;
  }

  /** Positions are those of `bytes`. */
  slice(start: number, end: number): string {
    return this.bytes.toString('latin1', start, end);
  }
}

/** What is searched for in a block, as bytes. */
export const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

export function startsAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i += 1) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

/** `lower`: letters in lower case, which stand for both cases. */
export function startsAtIgnoringCase(bytes: Uint8Array, at: number, lower: Uint8Array): boolean {
  for (let i = 0; i < lower.length; i += 1) {
    const byte = bytes[at + i] as number;
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== lower[i]) return false;
  }
  return true;
}
