// Bytes of pages that are being written, in chunks that are used again: a page of 100 000 extensions is some 80 MB, and memory that is taken
// outside the heap and given back for each scrape has the whole heap marked each time.
//
// PAGE-CHUNKS-1. A chunk belongs to one page until that page gives it back; what is handed to a reader is a copy.
// PAGE-CHUNKS-2. Chunks that no page has needed for KEPT_MS are given up, whether pages are written meanwhile or not; within twice that.

const CHUNK_BYTES = 65_536;
/** Of UTF-8, for a character of a string. */
const MAX_BYTES_PER_CHARACTER = 3;
const KEPT_MS = 300_000;

type Later = (fn: () => void, ms: number) => unknown;

const ofProcess: Later = (fn, ms) => setTimeout(fn, ms).unref();

export class ChunkPool {
  readonly #free: Buffer[] = [];
  /** The fewest that were free since the timer was set. */
  #spare = 0;
  #isWatched = false;

  /** `later`: a timer, which keeps no process alive. */
  constructor(private readonly later: Later = ofProcess) {}

  /** For tests. */
  get free(): number {
    return this.#free.length;
  }

  take(): Buffer {
    const chunk = this.#free.pop();
    this.#spare = Math.min(this.#spare, this.#free.length);
    return chunk ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  give(chunks: readonly Buffer[]): void {
    // Not by spreading: there are thousands.
    for (const chunk of chunks) this.#free.push(chunk);
    if (!this.#isWatched) this.#watch();
  }

  /** PAGE-CHUNKS-2. Not anew with each page: they may come more often than KEPT_MS for as long as the process lives. */
  #watch(): void {
    this.#spare = this.#free.length;
    this.#isWatched = this.#spare > 0;
    if (!this.#isWatched) return;
    this.later(() => {
      this.#free.length -= this.#spare;
      this.#watch();
    }, KEPT_MS);
  }
}

/** The text of one family. */
export class PagePart {
  readonly #chunks: Buffer[] = [];
  readonly #ends: number[] = [];
  /** Of the last chunk. */
  #end = 0;

  constructor(private readonly pool: ChunkPool) {}

  /** `text` may be of any length. */
  write(text: string): void {
    for (let from = 0; from < text.length; ) {
      const chunk = this.#chunks.at(-1);
      const left = chunk === undefined ? 0 : CHUNK_BYTES - this.#end;
      const rest = from === 0 ? text : text.slice(from);
      if (chunk !== undefined && rest.length * MAX_BYTES_PER_CHARACTER <= left) {
        this.#end += chunk.write(rest, this.#end, 'utf8');
        return;
      }
      if (chunk === undefined || left < CHUNK_BYTES) {
        this.#next();
        continue;
      }
      // A text that is longer than a chunk: no character is cut into two.
      let size = Math.floor(CHUNK_BYTES / MAX_BYTES_PER_CHARACTER);
      const last = rest.charCodeAt(size - 1);
      if (last >= 0xd800 && last <= 0xdbff) size -= 1;
      this.#end += chunk.write(rest.slice(0, size), this.#end, 'utf8');
      from += size;
    }
  }

  #next(): void {
    if (this.#chunks.length > 0) this.#ends.push(this.#end);
    this.#chunks.push(this.pool.take());
    this.#end = 0;
  }

  /** PAGE-CHUNKS-1. */
  *copies(): Generator<Buffer> {
    for (const [i, chunk] of this.#chunks.entries()) yield Buffer.from(chunk.subarray(0, this.#ends[i] ?? this.#end));
  }

  /** It is not used any more. */
  release(): void {
    this.pool.give(this.#chunks);
    this.#chunks.length = 0;
  }
}
