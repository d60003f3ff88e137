// Large JSON answers: sent in parts, so that none of them is built in one turn of the event loop.
//
// JSON-STREAM-1. Each part is made in a turn of the event loop of its own, when the client has taken the one before: a socket that takes all of
//     them immediately would otherwise get them in one turn.
// JSON-STREAM-2. What is larger than SMALL_CHARACTERS is compressed if the client accepts gzip, off the event loop.
// JSON-STREAM-3. A list of texts that are there already is written into the bytes that are sent, without a text of the whole part in between: half
//     of the work of the garbage collector was for those.
import { pipeline, Readable } from 'node:stream';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from '#fastify';

/** Calls go before lists: however often lists are read, most of the time is left to calls. */
const PAUSE_MS = 1;
const SMALL_CHARACTERS = 16_384;

/** JSON-STREAM-1, JSON-STREAM-2. */
export async function sendJson(
  request: FastifyRequest,
  reply: FastifyReply,
  parts: Generator<string | Buffer>,
): Promise<FastifyReply> {
  const vary = reply.getHeader('vary');
  reply.type('application/json; charset=utf-8');
  reply.header('vary', vary === undefined ? 'accept-encoding' : `${vary}, accept-encoding`);
  const first = parts.next();
  if (first.done) return reply.send('');
  let second: IteratorResult<string | Buffer> | null = null;
  if (first.value.length <= SMALL_CHARACTERS) {
    await setImmediate();
    second = parts.next();
    // It fits into one part: a stream would only cost time.
    if (second.done) return reply.send(first.value);
  }
  const begin = second === null ? [first.value] : [first.value, second.value];
  const all = Readable.from(inTurns(begin, parts), { objectMode: false });
  if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(all);
  reply.header('content-encoding', 'gzip');
  // An error on either side, a client that left for one, ends both.
  return reply.send(pipeline(all, createGzip({ level: 1 }), () => undefined));
}

/** JSON-STREAM-1. `begin`: those that are made already. */
async function* inTurns(
  begin: readonly (string | Buffer)[],
  others: Generator<string | Buffer>,
): AsyncGenerator<Buffer> {
  for (const part of begin) yield bytesOf(part);
  for (;;) {
    await setTimeout(PAUSE_MS);
    const part = others.next();
    if (part.done) return;
    yield bytesOf(part.value);
  }
}

const bytesOf = (part: string | Buffer): Buffer => (typeof part === 'string' ? Buffer.from(part) : part);

/** JSON-STREAM-3. `{"<name>":[<items>],<rest>}`, in parts of about 32 KiB, or of one item. `items`: JSON texts. */
export function* jsonBytes(name: string, items: readonly string[], rest: object): Generator<Buffer> {
  const part = new Part();
  part.add(`{${JSON.stringify(name)}:[`);
  for (let i = 0; i < items.length; i++) {
    const item = items[i] as string;
    if (!part.hasRoomFor(item)) yield part.take();
    if (i > 0) part.add(',');
    part.add(item);
  }
  const end = JSON.stringify(rest);
  const tail = `]${end === '{}' ? '' : `,${end.slice(1, -1)}`}}`;
  if (!part.hasRoomFor(tail)) yield part.take();
  part.add(tail);
  yield part.take();
}

const PART_BYTES = 32_768;
/** Of a UTF-16 unit in UTF-8, at most. */
const MAX_UNIT_BYTES = 3;

class Part {
  #bytes = Buffer.allocUnsafe(PART_BYTES);
  #length = 0;

  /** With a comma before it. */
  hasRoomFor(text: string): boolean {
    return this.#length === 0 || this.#length + text.length * MAX_UNIT_BYTES + 1 <= this.#bytes.length;
  }

  add(text: string): void {
    const needed = this.#length + text.length * MAX_UNIT_BYTES;
    // One item may be larger than a part.
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(needed);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    this.#length += this.#bytes.write(text, this.#length);
  }

  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.allocUnsafe(PART_BYTES);
    this.#length = 0;
    return taken;
  }
}

/** `gzip` or `x-gzip` with a weight above 0; `*` stands for what is not named itself. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const codings = [header ?? []]
    .flat()
    .flatMap((value) => value.split(','))
    .map((one) => {
      const [coding = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
      const weight = parameters.find((part) => part.startsWith('q='))?.slice(2);
      return { coding, isWanted: weight === undefined || Number(weight) !== 0 };
    });
  const named = codings.filter(({ coding }) => coding === 'gzip' || coding === 'x-gzip');
  const counting = named.length > 0 ? named : codings.filter(({ coding }) => coding === '*');
  return counting.some(({ isWanted }) => isWanted);
}
